"""Landings that may not be everything: empty where there usually is something, or at a vendor's limit."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from logferry.ledger.record import EARLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source

NEARLY = 0.99
"""A file that is cut at whole rows stays a little below a limit of bytes."""

LOOKED_AT = 14
"""Landings of the same series that say what is usual: two weeks of days."""


def limits_reached(
    source: Source,
    request: ExportRequest,
    limits: Mapping[str, int],
    *,
    records: int | None,
    sizes: Iterable[int],
    parts: Sequence[int] = (),
) -> Iterator[tuple[int, str, int]]:
    """Return the vendor's limits that a download has reached: how much came, of what, and the limit.

    `limits` are the connection's own and go before the source's. `sizes` are those of the files and of what
    is in them, in bytes; `parts` the records of each where they were counted. A vendor that goes on in
    another file where one is full has cut nothing.
    """
    most = limits.get("records", source.record_limit(request))
    goes_on = most and records and records > most and max(parts, default=0) == most > min(parts, default=0)
    if most and records is not None and records >= most and not goes_on:
        yield records, "records", most
    largest, longest = limits.get("bytes", source.limits.bytes), max(sizes, default=0)
    if largest and longest >= NEARLY * largest:
        yield longest, "bytes", largest


def cut_words(count: int, unit: str, limit: int) -> str:
    """Return what an ExportCutError says of a limit that was reached."""
    its = "its limit for one download" if count == limit else f"and its limit for one download is {limit:,}"
    return f"the vendor gave {count:,} {unit}, {its}: the window holds more; ask for shorter windows"


def suspect(  # noqa: PLR0913 - each is a fact about the landing
    source: Source,
    request: ExportRequest,
    limits: Mapping[str, int],
    *,
    records: int | None,
    sizes: Iterable[int],
    asked: datetime,
    series: Iterable[ExportRecord],
    proven: bool = True,
    parts: Sequence[int] = (),
) -> list[str]:
    """Return the reasons to look at a landing, in words; none is the usual case.

    `limits`, `sizes` and `parts` are those of `limits_reached`. `asked` is when the vendor was asked.
    `series`, newest first, is read only where the file is empty. `proven`: whether it is certain that nothing
    of the files is missing.
    """
    reasons = []
    if not proven:
        reasons.append("the connection ended without a word: a gzip file may have lost whole members behind")
    if request.window and request.window.end > asked:
        reasons.append(f"{EARLY}, so later records are not in it")
    reached = limits_reached(source, request, limits, records=records, sizes=sizes, parts=parts)
    for count, unit, limit in reached:
        reasons.append(f"{count} {unit}: the limit of one download is {limit}, so it may have been cut")
    if records == 0:
        landed = (row for row in series if row.landed and row.item["window"] != request.window_key)
        usual = [row.item.get("records") or 0 for row in islice(landed, LOOKED_AT)]
        if 2 * sum(count > 0 for count in usual) > len(usual):
            reasons.append("0 records, where this series usually has some")
    return reasons
