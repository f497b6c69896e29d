"""Files verified while they stream past: structure, CRCs, sizes and records, in bounded memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.verify.findings import ArchiveLimits, Entry, Findings, InflationBudget
from logferry.verify.gzip_members import GzipWalk
from logferry.verify.inflate import SLICE
from logferry.verify.json_items import PARSED, JsonCounter, skim
from logferry.verify.reader import Reader
from logferry.verify.records import Counter, CsvCounter, SheetCounter
from logferry.verify.sniff import check_start
from logferry.verify.zip_archive import ZipWalk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logferry.verify.reader import Chunks

__all__ = ["ArchiveLimits", "Entry", "Findings", "verify"]

WORKBOOK_PARTS = frozenset({"[Content_Types].xml", "xl/workbook.xml"})

COUNTED: dict[FileKind, tuple[re.Pattern[str], type[Counter]]] = {
    FileKind.ZIP_CSV: (re.compile(r"\.csv\Z", re.IGNORECASE), CsvCounter),
    FileKind.ZIP_JSON: (re.compile(r"\.json\Z", re.IGNORECASE), JsonCounter),
    FileKind.XLSX: (re.compile(r"\A/?xl/worksheets/[^/]+\.xml\Z", re.IGNORECASE), SheetCounter),
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
    named, counter = COUNTED[kind]
    walk = ZipWalk(reader, limits, lambda name: counter() if named.search(name) else None)
    entries = walk.entries()
    if kind is FileKind.XLSX:
        missing = WORKBOOK_PARTS - {entry.name for entry in entries}
        if missing:
            raise CorruptDownloadError(f"the archive is not a workbook: no {', no '.join(sorted(missing))}")
    counts = [entry.records for entry in entries if named.search(entry.name)]
    known = [count for count in counts if count is not None]
    whole = len(known) == len(counts) and (counts or not entries)
    return Findings(entries, sum(known) if whole else None)


def _json(reader: Reader, limits: ArchiveLimits) -> Findings:
    """Verify a JSON document: by parsing it, or beyond `PARSED` bytes by its brackets and quotes alone."""
    budget, items, text = InflationBudget(limits), JsonCounter(), b""
    while True:
        with reader.some(SLICE) as piece:
            if not piece:
                break
            block = bytes(piece)
        budget.spend(len(block))
        items.feed(block)
        if len(text) <= PARSED:
            text += block
    if len(text) <= PARSED:
        try:
            document = skim(text)
        except RecursionError:
            pass
        except ValueError as error:
            raise CorruptDownloadError(f"the JSON document is damaged or cut off: {error}") from error
        else:
            return Findings((), len(document) if isinstance(document, list) else 1)
    records = items.total()
    if records is None:
        raise CorruptDownloadError(f"the JSON document of {reader.offset:,} bytes is damaged or cut off")
    return Findings((), records)
