"""A gzip file verified while it streams past: its members, each by its own CRC and length (RFC 1952)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from logferry.errors import CorruptDownloadError
from logferry.verify.findings import Budget, Findings, Limits
from logferry.verify.inflate import SLICE, Inflater, crc32
from logferry.verify.records import LineCounter
from logferry.verify.sniff import GZIP_START

if TYPE_CHECKING:
    from collections.abc import Generator

    from logferry.verify.inlet import Inlet

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

    def __init__(self, inlet: Inlet, limits: Limits) -> None:
        self._inlet = inlet
        self._budget = Budget(limits)
        self._lines = LineCounter()
        self._size = 0
        self._crc = 0
        """Of the header so far."""

    def findings(self) -> Generator[None, None, Findings]:
        """Verify every member and what is behind the last; zeros may pad the end.

        Yields whenever the inlet needs more. Raises `CorruptDownloadError`.
        """
        start = yield from self._inlet.upto(len(GZIP_START))
        while start == GZIP_START:
            yield from self._header()
            yield from self._content()
            start = yield from self._inlet.upto(len(GZIP_START))
        end = self._inlet.offset - len(start)
        while start:
            if start.strip(b"\0"):
                raise CorruptDownloadError(f"the gzip data ends at byte {end:,}, but the file goes on")
            start = yield from self._inlet.upto(SLICE)
        return Findings((), self._lines.total())

    def _header(self) -> Generator[None, None, None]:
        """Read what follows the first two bytes of a header; nothing of it is needed."""
        self._crc = crc32(GZIP_START)
        method, flags, *_ = FIXED.unpack((yield from self._take(FIXED.size)))
        if method != DEFLATE or flags & RESERVED:
            raise CorruptDownloadError(f"{HEADER} asks for what RFC 1952 does not know; it is damaged")
        if flags & EXTRA:
            length = int.from_bytes((yield from self._take(2)), "little")
            yield from self._take(length)
        for flag in (NAME, COMMENT):
            if flags & flag:
                yield from self._text()
        if flags & HEADER_CRC:
            told = (self._crc & 0xFFFF).to_bytes(2, "little")
            if (yield from self._take(len(told))) != told:
                raise CorruptDownloadError(f"{HEADER} is damaged: it promises another CRC of itself")

    def _take(self, size: int) -> Generator[None, None, bytes]:
        taken = yield from self._inlet.take(size, HEADER)
        self._crc = crc32(taken, self._crc)
        return taken

    def _text(self) -> Generator[None, None, None]:
        for _ in range(LONGEST_TEXT):
            if (yield from self._take(1)) == b"\0":
                return
        raise CorruptDownloadError(f"{HEADER} has a name or comment of over {LONGEST_TEXT:,} bytes")

    def _content(self) -> Generator[None, None, None]:
        inflater, crc, before = Inflater(WHAT), 0, self._size
        while not inflater.ended:
            with (yield from self._inlet.some(SLICE)) as piece:
                if not piece:
                    raise CorruptDownloadError(f"{WHAT} ends too early, at byte {self._inlet.offset:,}")
                for block in inflater.blocks(piece):
                    crc = crc32(block, crc)
                    self._size += len(block)
                    self._budget.spend(len(block))
                    self._budget.check_ratio(WHAT, self._size, self._inlet.offset)
                    self._lines.feed(block)
        self._inlet.unread(inflater.unused)
        trailer = yield from self._inlet.take(TRAILER.size, "its last CRC and length")
        if TRAILER.unpack(trailer) != (crc, (self._size - before) & 0xFFFF_FFFF):
            raise CorruptDownloadError(f"{WHAT} is damaged: it promises another CRC or length of its content")
