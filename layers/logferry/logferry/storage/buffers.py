"""The parts of a multipart upload: how large, how they are checked, and the memory that they share."""

from __future__ import annotations

import mmap
import threading
from typing import Final

MEBIBYTE: Final = 1 << 20
SMALLEST_PART: Final = 12 * MEBIBYTE
"""S3 asks for 5 MiB; each request costs 1 to 2 ms of CPU, with 8 MiB a tenth of all that a fetch costs."""
MEMORY: Final = 36 * MEBIBYTE
"""For all buffers together, of the 64 MiB that a fetch may take above the idle function; the rest is for the
verifier, which remembers every entry of an archive: 100,000 of them take 23 MiB."""
MOST_PARTS: Final = 10_000
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
SPARE_PARTS: Final = 500
"""Left unused where the size is known, in case that it was told too low."""
GROW_AFTER: Final = 3_000
"""Where the size is unknown, the memory is cut into one buffer fewer after as many parts: 10,000 of them hold
228 GiB, several times what a function's link carries in its 900 s."""


def part_size(number: int, size: int | None, smallest: int = SMALLEST_PART, memory: int = MEMORY) -> int:
    """Return the bytes of the `number`-th part (from 1) of a file of `size` bytes; None: it is unknown.

    It is the memory's third, then its half, then all of it: parts of any other size would leave some unused.
    """
    buffers = memory // smallest
    if size is None:
        buffers -= (number - 1) // GROW_AFTER
    else:
        needed = -(-size // (MOST_PARTS - SPARE_PARTS))
        buffers = min(buffers, memory // max(1, needed))
    return memory // max(1, buffers)


class Buffers:
    """One piece of memory, cut into as many equal buffers as fit; cut anew when parts grow.

    Its pages are taken when they are first written: a small file takes no more than its own size.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memoryview(mmap.mmap(-1, memory, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self._size = 0
        self._free: list[memoryview] = []
        self._taken = 0
        self._change = threading.Condition()

    def take(self, size: int, seconds: float) -> memoryview | None:
        """Return a free buffer of `size` bytes; None where none came free in time."""
        with self._change:
            if not self._change.wait_for(lambda: self._ready(size), seconds):
                return None
            if size != self._size:
                starts = range(0, len(self._memory) - size + 1, size)
                self._free = [self._memory[start : start + size] for start in reversed(starts)]
                self._size = size
            self._taken += 1
            return self._free.pop()

    def give_back(self, buffer: memoryview) -> None:
        """Allow a buffer to be taken again; nobody may use it any more."""
        with self._change:
            self._free.append(buffer)
            self._taken -= 1
            self._change.notify_all()

    def idle(self, seconds: float) -> bool:
        """Wait until every buffer is back; false where one still was out when the time was over."""
        with self._change:
            return self._change.wait_for(lambda: self._taken == 0, seconds)

    def release(self) -> None:
        """Release the memory, as soon as no buffer is out."""
        with self._change:
            self._free = []
            self._memory = memoryview(b"")

    def _ready(self, size: int) -> bool:
        return bool(self._free) if size == self._size else self._taken == 0


class StoppedError(Exception):
    """The upload was given up while a part was on its way."""


class Body:
    """A part as the file that botocore sends: nothing is copied, and it ends at once when `stop` is set.

    A read gives up to 1 MiB, whatever was asked for: urllib3 asks for 16 KiB, which costs more in Python
    than the encryption of them.
    """

    STEP: Final = MEBIBYTE

    def __init__(self, content: memoryview, stop: threading.Event) -> None:
        self._content = content
        self._stop = stop
        self._position = 0

    def __len__(self) -> int:
        return len(self._content)

    def read(self, size: int = -1) -> memoryview | bytes:
        """Return the next bytes, none at the end; a copy of all without a size. Raises StoppedError."""
        if self._stop.is_set():
            raise StoppedError
        end = len(self._content) if size < 0 else self._position + max(size, self.STEP)
        chunk = self._content[self._position : end]
        self._position += len(chunk)
        return chunk.tobytes() if size < 0 else chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position; the SDK goes back to the start for a retry. Raises StoppedError."""
        if self._stop.is_set():
            raise StoppedError
        self._position = offset + (0, self._position, len(self._content))[whence]
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position
