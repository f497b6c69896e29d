"""A gzip file verified while it streams past: its members, each by its own CRC and length (RFC 1952)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from logferry.errors import CorruptDownloadError
from logferry.verify.findings import ArchiveLimits, Findings, InflationBudget
from logferry.verify.inflate import SLICE, Inflater, crc32
from logferry.verify.records import LineCounter
from logferry.verify.sniff import GZIP_START

if TYPE_CHECKING:
    from logferry.verify.reader import Reader

FIXED: Final = struct.Struct("<BBIBB")
"""Method, flags, time, extra flags, system: behind the two bytes that every member starts with."""
TRAILER: Final = struct.Struct("<II")
DEFLATE: Final = 8
HEADER_CRC, EXTRA, NAME, COMMENT, RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0
LONGEST_TEXT: Final = 64 * 1024
"""Bytes of a name or comment; RFC 1952 sets no limit."""
WHAT: Final = "the gzip file"
HEADER: Final = "a gzip header"


class GzipWalk:
    """One walk over one gzip file.

    The headers are read here, not by the inflater: isal's takes some that come in two pieces for damaged.
    """

    def __init__(self, reader: Reader, limits: ArchiveLimits) -> None:
        self._reader = reader
        self._budget = InflationBudget(limits)
        self._lines = LineCounter()
        self._size = 0
        self._crc = 0
        """Of the header so far."""

    def findings(self) -> Findings:
        """Verify every member and what is behind the last; zeros may pad the end.

        Raises `CorruptDownloadError`.
        """
        start = self._reader.upto(len(GZIP_START))
        while start == GZIP_START:
            self._header()
            self._content()
            start = self._reader.upto(len(GZIP_START))
        end = self._reader.offset - len(start)
        while start:
            if start.strip(b"\0"):
                raise CorruptDownloadError(f"the gzip data ends at byte {end:,}, but the file goes on")
            start = self._reader.upto(SLICE)
        return Findings((), self._lines.total())

    def _header(self) -> None:
        """Read what follows the first two bytes of a header; nothing of it is needed."""
        self._crc = crc32(GZIP_START)
        method, flags, *_ = FIXED.unpack(self._take(FIXED.size))
        if method != DEFLATE or flags & RESERVED:
            raise CorruptDownloadError(f"{HEADER} asks for what RFC 1952 does not know; it is damaged")
        if flags & EXTRA:
            length = int.from_bytes(self._take(2), "little")
            self._take(length)
        for flag in (NAME, COMMENT):
            if flags & flag:
                self._text()
        if flags & HEADER_CRC:
            told = (self._crc & 0xFFFF).to_bytes(2, "little")
            if self._take(len(told)) != told:
                raise CorruptDownloadError(f"{HEADER} is damaged: it promises another CRC of itself")

    def _take(self, size: int) -> bytes:
        taken = self._reader.take(size, HEADER)
        self._crc = crc32(taken, self._crc)
        return taken

    def _text(self) -> None:
        for _ in range(LONGEST_TEXT):
            if self._take(1) == b"\0":
                return
        raise CorruptDownloadError(f"{HEADER} has a name or comment of over {LONGEST_TEXT:,} bytes")

    def _content(self) -> None:
        inflater, crc, before = Inflater(WHAT), 0, self._size
        while not inflater.ended:
            with self._reader.some(SLICE) as piece:
                if not piece:
                    raise CorruptDownloadError(f"{WHAT} ends too early, at byte {self._reader.offset:,}")
                for block in inflater.blocks(piece):
                    crc = crc32(block, crc)
                    self._size += len(block)
                    self._budget.spend(len(block))
                    self._budget.check_ratio(WHAT, self._size, self._reader.offset)
                    self._lines.feed(block)
        self._reader.unread(inflater.unused)
        trailer = self._reader.take(TRAILER.size, "its last CRC and length")
        if TRAILER.unpack(trailer) != (crc, (self._size - before) & 0xFFFF_FFFF):
            raise CorruptDownloadError(f"{WHAT} is damaged: it promises another CRC or length of its content")
