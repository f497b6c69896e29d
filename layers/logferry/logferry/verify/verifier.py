"""Files verified while they stream past: structure, CRCs, sizes and records, in bounded memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.verify.findings import Budget, Entry, Findings, Limits
from logferry.verify.gzip_members import GzipWalk
from logferry.verify.inflate import SLICE
from logferry.verify.inlet import Inlet
from logferry.verify.json_items import PARSED, JsonCounter, skim
from logferry.verify.records import Counter, CsvCounter, SheetCounter
from logferry.verify.sniff import check_start
from logferry.verify.zip_archive import ZipWalk

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    Walk = Generator[None, None, Findings]

__all__ = ["Entry", "Findings", "Limits", "Verifier", "verifier"]

WORKBOOK_PARTS = frozenset({"[Content_Types].xml", "xl/workbook.xml"})

COUNTED: dict[FileKind, tuple[re.Pattern[str], type[Counter]]] = {
    FileKind.ZIP_CSV: (re.compile(r"\.csv\Z", re.IGNORECASE), CsvCounter),
    FileKind.ZIP_JSON: (re.compile(r"\.json\Z", re.IGNORECASE), JsonCounter),
    FileKind.XLSX: (re.compile(r"\A/?xl/worksheets/[^/]+\.xml\Z", re.IGNORECASE), SheetCounter),
}
"""Which entries of an archive hold records, and what counts them."""


class Verifier(Protocol):
    """Takes one file in pieces, cut anywhere."""

    def feed(self, data: memoryview | bytes) -> None:
        """Take the next piece; keeps no reference to it. Raises `CorruptDownloadError` once that is known."""

    def finish(self) -> Findings:
        """Take note that this was all. Raises `CorruptDownloadError` when it cannot have been."""


def verifier(kind: FileKind, *, limits: Limits | None = None, secrets: Iterable[str] = ()) -> Verifier:
    """Return a verifier for one file of that kind; `secrets` are never shown where a wrong body is quoted."""
    inlet = Inlet()
    return _Pushed(inlet, _walk(inlet, kind, limits or Limits(), tuple(secrets)))


class _Pushed:
    """Drives a walk, a generator that pulls from the inlet, by what is pushed in."""

    def __init__(self, inlet: Inlet, walk: Walk) -> None:
        self._inlet = inlet
        self._walk = walk
        self._failure: CorruptDownloadError | None = None
        self._findings: Findings | None = None

    def feed(self, data: memoryview | bytes) -> None:
        self._inlet.push(data)
        try:
            self._resume()
        finally:
            self._inlet.drop()

    def finish(self) -> Findings:
        self._inlet.end()
        while self._findings is None:  # once: nothing waits any more
            self._resume()
        return self._findings

    def _resume(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            next(self._walk)
        except StopIteration as stop:
            self._findings = stop.value
        except CorruptDownloadError as failure:
            self._failure = failure
            raise


def _walk(inlet: Inlet, kind: FileKind, limits: Limits, secrets: tuple[str, ...]) -> Walk:
    yield from check_start(inlet, kind, secrets)
    if kind is FileKind.GZIP_JSONL:
        return (yield from GzipWalk(inlet, limits).findings())
    if kind is FileKind.JSON:
        return (yield from _json(inlet, limits))
    return (yield from _zip(inlet, kind, limits))


def _zip(inlet: Inlet, kind: FileKind, limits: Limits) -> Walk:
    named, counter = COUNTED[kind]
    walk = ZipWalk(inlet, limits, lambda name: counter() if named.search(name) else None)
    entries = yield from walk.entries()
    if kind is FileKind.XLSX:
        missing = WORKBOOK_PARTS - {entry.name for entry in entries}
        if missing:
            raise CorruptDownloadError(f"the archive is not a workbook: no {', no '.join(sorted(missing))}")
    counts = [entry.records for entry in entries if named.search(entry.name)]
    known = [count for count in counts if count is not None]
    whole = len(known) == len(counts) and (counts or not entries)
    return Findings(entries, sum(known) if whole else None)


def _json(inlet: Inlet, limits: Limits) -> Walk:
    """Verify a JSON document: by parsing it, or beyond `PARSED` bytes by its brackets and quotes alone."""
    budget, items, text = Budget(limits), JsonCounter(), b""
    while True:
        with (yield from inlet.some(SLICE)) as piece:
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
        raise CorruptDownloadError(f"the JSON document of {inlet.offset:,} bytes is damaged or cut off")
    return Findings((), records)
