"""Coverage: which windows of which series are there, from the ledger alone, one Query a series.

A picture may be a second old, so reads are eventually consistent, which costs half:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from logferry.ledger.status import SeriesCoverage, WindowCoverage, note_of, outcome_of
from logferry.models.request import Window, iso_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logferry.ledger.record import ExportRecord
    from logferry.ledger.repository import Ledger
    from logferry.models.request import Every, ExportRequest

MAX_ATTEMPTS = 5
SHOWN = timedelta(days=400)
"""How far back the coverage of everything reaches: a year and a month."""
AFTER_WINDOWS = ":"
"""Sorts behind every window's key, which begins with a digit, and before calls, which are not drawn."""


def coverage_of(
    ledger: Ledger,
    request: ExportRequest,
    every: Every,
    planned: Sequence[Window],
    max_attempts: int = MAX_ATTEMPTS,
) -> SeriesCoverage:
    """Return what became of each planned window of the series that `request` (of any window) belongs to.

    Raises DeliveryError when the ledger cannot be read.
    """
    rows: dict[str, ExportRecord] = {}
    if planned:
        found = ledger.rows(request.series_id, planned[0].key, planned[-1].key, consistent=False)
        rows = {row.item["window"]: row for row in found}
    windows = [_coverage(window, rows.get(window.key), max_attempts) for window in planned]
    return SeriesCoverage(request.series, every, windows)


def coverage_of_all(ledger: Ledger, now: datetime, max_attempts: int = MAX_ATTEMPTS) -> list[SeriesCoverage]:
    """Return what became of every window that the ledger knows of the last `SHOWN`, series by series.

    What lies between two windows of a series and was never asked for is missing. Calls, which have no
    windows, are left out. Raises DeliveryError when the ledger cannot be read.
    """
    since = iso_instant((now - SHOWN).replace(microsecond=0))
    everything = []
    for series in ledger.series(consistent=False):
        rows = list(ledger.rows(series.pop("series_id"), since, AFTER_WINDOWS, consistent=False))
        if rows:
            everything.append(_known(series, rows, max_attempts))
    return everything


def _coverage(window: Window, row: ExportRecord | None, max_attempts: int) -> WindowCoverage:
    return WindowCoverage(window, outcome_of(row, window, max_attempts), note_of(row))


def _known(series: dict[str, object], rows: Sequence[ExportRecord], max_attempts: int) -> SeriesCoverage:
    spans = [Window.from_json(row.item["request"]["window"]) for row in rows]
    length = Counter(span.end - span.start for span in spans).most_common(1)[0][0]
    every = _every(length)
    found = []
    reached = spans[0].start
    for span, row in zip(spans, rows, strict=True):
        found += [_coverage(gap, None, max_attempts) for gap in _gaps(reached, span.start, length)]
        found.append(_coverage(span, row, max_attempts))
        reached = max(reached, span.end)
    if every != "hour":
        found = [WindowCoverage(_at_home(each.window), each.outcome, each.note) for each in found]
    return SeriesCoverage(series, every, found)


def _gaps(start: datetime, end: datetime, length: timedelta) -> Iterator[Window]:
    """Cut what lies between two windows into windows of the usual length; clock changes leave a remainder."""
    while end - start >= length / 2:
        step = min(start + length, end)
        if end - step < length / 2:
            step = end
        yield Window(start, step)
        start = step


def _every(length: timedelta) -> Every:
    if length < timedelta(hours=12):
        return "hour"
    if length < timedelta(days=4):
        return "day"
    return "week" if length < timedelta(days=11) else "month"


def _at_home(window: Window) -> Window:
    """Show a window of days where it begins at midnight: the ledger keeps UTC and not the zone."""
    since_midnight = timedelta(hours=window.start.hour, minutes=window.start.minute)
    behind = since_midnight < timedelta(hours=12)
    home = (
        timezone(-since_midnight if behind else timedelta(days=1) - since_midnight) if since_midnight else UTC
    )
    return Window(window.start.astimezone(home), window.end.astimezone(home))
