"""Bytes that come in chunks, read in whatever sizes a format has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Iterable

    Chunks = Iterable[memoryview | bytes]


class Reader:
    """Reads a stream that cannot be sought, from chunks cut anywhere.

    Nothing is kept but what is left of the last chunk, and the few bytes that were handed back with `unread`.
    A piece must be released (`with piece:`) before the next is asked for: whoever made the chunk uses its
    memory again.
    """

    def __init__(self, chunks: Chunks) -> None:
        self.offset = 0
        """Bytes read so far."""
        self._chunks = iter(chunks)
        self._view = memoryview(b"")
        self._at = 0
        self._back = memoryview(b"")

    def some(self, most: int) -> memoryview:
        """Read 1 to `most` bytes; none only at the end."""
        if self._back:
            piece, self._back = self._back[:most], self._back[most:]
        else:
            while self._at >= len(self._view) and self._next():
                pass
            piece = self._view[self._at : self._at + most]
            self._at += len(piece)
        self.offset += len(piece)
        return piece

    def upto(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        read = b""
        while len(read) < size:
            with self.some(size - len(read)) as piece:
                if not piece:
                    break
                read += piece
        return read

    def take(self, size: int, what: str) -> bytes:
        """Read exactly `size` bytes; `CorruptDownloadError` naming `what` when they do not come."""
        read = self.upto(size)
        if len(read) < size:
            raise CorruptDownloadError(f"the file ends at byte {self.offset:,}, in the middle of {what}")
        return read

    def unread(self, data: bytes) -> None:
        """Hand back the last bytes that were read."""
        rewound = min(len(data), self._at)
        self._at -= rewound
        rest = data[: len(data) - rewound]
        if rest:
            self._back = memoryview(rest + bytes(self._back))
        self.offset -= len(data)

    def _next(self) -> bool:
        """Go on to the next chunk; False where there is none."""
        self._view.release()
        self._view, self._at = memoryview(b""), 0
        chunk = next(self._chunks, None)
        if chunk is not None:
            self._view = memoryview(chunk)
            if self._view.format != "B":
                self._view = self._view.cast("B")
        return chunk is not None
