"""One entry of an archive on its way into an object of its own: gzipped while it streams past."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from isal import isal_zlib

from logferry.errors import CorruptDownloadError
from logferry.verify.json_items import JsonCounter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from logferry.storage.writer import ObjectWriter
    from logferry.unpack.json_lines import JsonLines

LEVEL: Final = 2
"""A tenth of the processor time of zlib's level 6, for files as small; the next level takes thrice that."""
GZIP: Final = 31
"""Window bits of DEFLATE in gzip's own frame."""


class Repacked:
    """Takes an entry's content as a record counter does: `feed` for each block, `total` once it is verified.

    The object appears with `total`, and only then: an entry whose CRC is wrong never gets there. Leaving the
    `with` block before leaves nothing. JSON that is none makes no object, and stops nobody: it is said in
    `broken`. Raises what the writer raises.
    """

    def __init__(self, writer: ObjectWriter, lines: JsonLines | None) -> None:
        self.written = False
        self.empty = True
        """Whether nothing came: that makes no object, which readers would fail on."""
        self.broken: CorruptDownloadError | None = None
        self._writer = writer
        self._lines = lines
        self._json = JsonCounter() if lines else None
        """Checks what `lines` takes apart: brackets alone would let through what is no JSON."""
        # Neither a name nor a time goes into the header: the same entry gives the same bytes.
        self._gzip = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, GZIP)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        self.empty = self.empty and not block
        if self._lines and self._json:
            self._json.feed(block)
            block = self._try(self._lines.feed, block)
        self._write(self._gzip.compress(block))

    def total(self) -> None:
        """Take the end of the content, and make the object appear."""
        if self._lines:
            self._write(self._gzip.compress(self._try(self._finish)))
        if not self.broken and not self.empty:
            self._write(self._gzip.flush())
            self._writer.commit()
            self.written = True

    def _finish(self) -> bytes:
        left = self._lines.finish() if self._lines else b""
        if self._json and not self.empty:
            self._json.total()
            if not self._json.whole:
                raise CorruptDownloadError(
                    "no JSON parser reads it"
                    if self._json.broken
                    else "the JSON is nested too deep, or made to waste time"
                )
        return left

    def _try(self, work: Callable[..., bytes], *arguments: bytes) -> bytes:
        if self.broken:
            return b""
        try:
            return work(*arguments)
        except CorruptDownloadError as error:
            self.broken = error
            return b""

    def _write(self, packed: bytes) -> None:
        left = memoryview(packed)
        while left:
            space = self._writer.buffer()
            count = min(len(space), len(left))
            space[:count] = left[:count]
            self._writer.advance(count)
            left = left[count:]
