"""Bytes that are pushed in by one side and pulled out by the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Generator

    Wait = Generator[None, None, bytes]
    """Yields when it needs more to be pushed; returns the bytes."""


class Inlet:
    """The reading side of a stream that cannot be sought: pulls from whatever was pushed last.

    Of what is pushed nothing is kept but the few bytes that were handed back with `unread`; a piece must
    be released (`with piece:`) before the next is asked for, because the pusher reuses its buffer.
    """

    def __init__(self) -> None:
        self.offset = 0
        """Bytes pulled so far."""
        self._view = memoryview(b"")
        self._at = 0
        self._back = memoryview(b"")
        self._ended = False

    def push(self, data: memoryview | bytes) -> None:
        """Offer the next bytes; until `drop`."""
        self._view = memoryview(data)
        if self._view.format != "B":
            self._view = self._view.cast("B")
        self._at = 0

    def drop(self) -> None:
        """Release what was pushed last."""
        self._view = memoryview(b"")
        self._at = 0

    def end(self) -> None:
        """Note that nothing more will be pushed."""
        self._ended = True

    def some(self, most: int) -> Generator[None, None, memoryview]:
        """Pull 1 to `most` bytes; none only at the end."""
        while not self._back and self._at >= len(self._view) and not self._ended:
            yield
        if self._back:
            piece, self._back = self._back[:most], self._back[most:]
        else:
            piece = self._view[self._at : self._at + most]
            self._at += len(piece)
        self.offset += len(piece)
        return piece

    def upto(self, size: int) -> Wait:
        """Pull `size` bytes, fewer only at the end."""
        pulled = b""
        while len(pulled) < size:
            with (yield from self.some(size - len(pulled))) as piece:
                if not piece:
                    break
                pulled += piece
        return pulled

    def take(self, size: int, what: str) -> Wait:
        """Pull exactly `size` bytes; `CorruptDownloadError` naming `what` when they do not come."""
        pulled = yield from self.upto(size)
        if len(pulled) < size:
            raise CorruptDownloadError(f"the file ends at byte {self.offset:,}, in the middle of {what}")
        return pulled

    def unread(self, data: bytes) -> None:
        """Hand back the last bytes that were pulled."""
        rewound = min(len(data), self._at)
        self._at -= rewound
        rest = data[: len(data) - rewound]
        if rest:
            self._back = memoryview(rest + bytes(self._back))
        self.offset -= len(data)
