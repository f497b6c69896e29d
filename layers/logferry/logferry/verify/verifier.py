"""Files verified while they stream past: structure, CRCs, sizes and records, in bounded memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.redact import redact
from logferry.verify.findings import ArchiveLimits, Entry, Findings, InflationBudget
from logferry.verify.gzip_members import GzipWalk
from logferry.verify.inflate import SLICE
from logferry.verify.json_items import JsonCounter
from logferry.verify.reader import Reader
from logferry.verify.records import Counter, CsvCounter
from logferry.verify.sniff import check_start
from logferry.verify.workbook import Workbook
from logferry.verify.zip_archive import ZipWalk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from logferry.verify.reader import Chunks

__all__ = ["ArchiveLimits", "Entry", "Findings", "verify"]

COUNTED: dict[FileKind, tuple[re.Pattern[str], type[Counter]]] = {
    FileKind.ZIP_CSV: (re.compile(r"\.csv\Z", re.IGNORECASE), CsvCounter),
    FileKind.ZIP_JSON: (re.compile(r"\.json\Z", re.IGNORECASE), JsonCounter),
}
"""Which entries of an archive hold records, and what counts them."""


def verify(
    chunks: Chunks, kind: FileKind, *, limits: ArchiveLimits | None = None, secrets: Iterable[str] = ()
) -> Findings:
    """Read one file of that kind to its end, and return what it was found to be.

    Args:
        chunks: the file in pieces, cut anywhere; none is looked at any more once the next is asked for.
        kind: what the file should be.
        limits: what it may come to.
        secrets: never shown where a wrong body is quoted.

    Raises:
        CorruptDownloadError: it is no such file, or damaged; as soon as that is known.

    """
    reader, limits = Reader(chunks), limits or ArchiveLimits()
    check_start(reader, kind, tuple(secrets))
    if kind is FileKind.GZIP_JSONL:
        return GzipWalk(reader, limits).findings()
    if kind is FileKind.JSON:
        return _json(reader, limits)
    return _zip(reader, kind, limits)


def _zip(reader: Reader, kind: FileKind, limits: ArchiveLimits) -> Findings:
    counting = Workbook() if kind is FileKind.XLSX else _Counting(kind)
    walk = ZipWalk(reader, limits, counting.begin)
    entries = walk.entries()
    counting.end()
    records = counting.records(entries)
    suspect = list(counting.suspect())
    if walk.behind:
        suspect.append(f"{walk.behind} bytes of blanks, line ends or zeros follow the archive's end")
    return Findings(entries, records, tuple(suspect))


class _Counting:
    """Chooses what counts the entries of an archive, one after the other, and learns which are no JSON."""

    def __init__(self, kind: FileKind) -> None:
        self._named, self._counter = COUNTED[kind]
        self._current: tuple[str, Counter] | None = None
        self._broken = 0
        self._first = ""

    def begin(self, name: str) -> Counter | None:
        """Take the next entry; return what counts it."""
        self.end()
        self._current = (name, self._counter()) if self._named.search(name) else None
        return self._current and self._current[1]

    def end(self) -> None:
        """Take note that an entry has been counted."""
        if self._current and isinstance(self._current[1], JsonCounter) and self._current[1].broken:
            self._broken += 1
            self._first = self._first or redact(self._current[0], 120)

    def records(self, entries: Sequence[Entry]) -> int | None:
        """Return the records of all entries that hold any."""
        counts = [entry.records for entry in entries if self._named.search(entry.name)]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) and (counts or not entries) else None

    def suspect(self) -> Iterator[str]:
        """Yield the reasons to look at the archive."""
        if self._broken:
            others = f" and {self._broken - 1} more" if self._broken > 1 else ""
            yield f"no JSON parser reads {self._first!r}{others}, so the records are unknown"


def _json(reader: Reader, limits: ArchiveLimits) -> Findings:
    budget, items = InflationBudget(limits), JsonCounter()
    while True:
        with reader.some(SLICE) as piece:
            if not piece:
                break
            block = bytes(piece)
        budget.spend(len(block))
        items.feed(block)
    records = items.total()
    if items.loose:
        return Findings((), None, ("it holds NaN or Infinity, which is no JSON, so the records are unknown",))
    if records is None:
        raise CorruptDownloadError(
            f"the JSON document of {reader.offset:,} bytes is damaged or cut off, or nested too deep"
        )
    return Findings((), records)
