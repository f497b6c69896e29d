"""The records of a CSV, strictly: a record that is malformed comes as what is wrong with it, none is lost.

Read by the standard library's csv module, which copes with everything but bare carriage returns.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Final

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOM: Final = b"\xef\xbb\xbf"
LONGEST: Final = 64 * 1024**2
"""Bytes of a record: what is held of an archive at once must stay bounded. A field of 20 MB is one."""
FIRST_END: Final = re.compile(rb"\n|\r\n?")
BARE_RETURN: Final = re.compile(r"\r(?!\n|\Z)")
STAND_IN: Final = "\ud800"
"""Stands for a bare carriage return while csv reads, which takes it for the end of a record and refuses it;
nothing that is decoded can hold it."""
CELL: Final = re.compile(r'"((?:[^"]|"")*)"(?=[,\r\n]|\Z)|((?!")[^,\r\n]*)(?=[,\r\n]|\Z)')


@dataclass(frozen=True)
class Broken:
    """A record that is malformed: the cells before the place, the raw text from it on, and the reason."""

    cells: list[str]
    rest: str
    reason: str


class CsvRecords:
    """Iterates over the records of a CSV that comes in blocks, cut anywhere; empty lines are no records.

    Records end with LF or CRLF, or with CR alone where the first line does. Bytes that are no UTF-8 come as
    lone surrogates. Raises CorruptDownloadError for a record of more than 64 MiB.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self._taken: list[str] = []
        self._returns = False
        """Whether a bare carriage return was replaced."""

    def __iter__(self) -> Iterator[list[str] | Broken]:
        """Yield each record's cells."""
        csv.field_size_limit(LONGEST)
        taken = self._taken
        reader = csv.reader(self._lines(), strict=True)
        while True:
            try:
                for cells in reader:
                    taken.clear()
                    if cells:
                        yield [cell.replace(STAND_IN, "\r") for cell in cells] if self._returns else cells
            except csv.Error as error:
                raw = "".join(taken).replace(STAND_IN, "\r")
                taken.clear()
                yield _broken(raw, str(error))
            else:
                return

    def _lines(self) -> Iterator[str]:
        size = 0
        for text, end in self._texts():
            for line in StringIO(text, newline=end):
                if not self._taken:
                    size = 0
                size += len(line)
                if size > LONGEST:
                    raise CorruptDownloadError(f"a record of a CSV has more than {LONGEST:,} characters")
                self._taken.append(line)
                yield line

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield whole lines, many at a time, and how they end."""
        held: list[bytes] = []
        size, end = 0, b""
        for block in self._blocks:
            piece = bytes(block)
            if not end:
                piece, held = b"".join([*held, piece]), []
                found = FIRST_END.search(piece)
                # A CR at the end of a block may be half of a CRLF.
                if found is None or (found.end() == len(piece) and found.group() == b"\r"):
                    held, size = [piece], len(piece)
                    _bound(size)
                    continue
                end = b"\r" if found.group() == b"\r" else b"\n"
                piece = piece.removeprefix(BOM)
            cut = piece.rfind(end) + 1
            if cut:
                yield self._decoded(b"".join([*held, piece[:cut]]), end)
                held, size = [], 0
            held.append(piece[cut:])
            size += len(piece) - cut
            _bound(size)
        last = b"".join(held)
        if not end:
            last = last.removeprefix(BOM)
        if last:
            yield self._decoded(last, end or b"\n")

    def _decoded(self, whole: bytes, end: bytes) -> tuple[str, str]:
        text = whole.decode(errors="surrogateescape")
        if end == b"\n" and b"\r" in whole and (replaced := BARE_RETURN.sub(STAND_IN, text)) != text:
            self._returns = True
            text = replaced
        return text, end.decode()


def _bound(size: int) -> None:
    if size > LONGEST:
        raise CorruptDownloadError(f"a line of a CSV has more than {LONGEST:,} bytes")


def _broken(raw: str, reason: str) -> Broken:
    cells, at = [], 0
    while found := CELL.match(raw, at):
        if raw[found.end() : found.end() + 1] != ",":
            break  # the last cell of a line, which csv did not take: it is what is broken
        quoted, plain = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        at = found.end() + 1
    reason = "cut inside a quoted field" if "unexpected end" in reason else reason
    return Broken(cells, raw[at:].rstrip("\r\n"), reason)
