"""Files that the vendors serve: read from any offset, never held in memory when large."""

from __future__ import annotations

import hashlib
import os
import tempfile
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 256 * 1024
IN_MEMORY = 4 * 1024 * 1024
"""Larger files are spooled to disk: the tests run several vendors at once on small machines."""


class Blob(Protocol):
    """Bytes with a size (None: unknown until the end) and a hash to make an entity tag of."""

    size: int | None
    tag: str

    def chunks(self, start: int = 0) -> Iterator[bytes | memoryview]:
        """Give the bytes from `start` on, at most CHUNK at a time."""
        ...


class BytesBlob:
    """A blob that is at hand."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size: int | None = len(content)
        self.tag = hashlib.sha256(content).hexdigest()[:32]

    def chunks(self, start: int = 0) -> Iterator[bytes | memoryview]:
        """Give slices without copying."""
        view = memoryview(self.content)
        for offset in range(start, len(view), CHUNK):
            yield view[offset : offset + CHUNK]


class FileBlob:
    """A blob in an unnamed temporary file, read by position so that many clients share it."""

    def __init__(self, file: tempfile.SpooledTemporaryFile[bytes], size: int, tag: str) -> None:
        self._file = file
        self.size: int | None = size
        self.tag = tag

    def chunks(self, start: int = 0) -> Iterator[bytes | memoryview]:
        """Read on from `start`."""
        while block := os.pread(self._file.fileno(), CHUNK, start):
            yield block
            start += len(block)


class StreamBlob:
    """A blob of unknown size, made anew for each reader; an offset is reached by skipping."""

    def __init__(self, make: Callable[[], Iterable[bytes]]) -> None:
        self._make = make
        self.size: int | None = None
        self.tag = f"{id(make):x}"

    def chunks(self, start: int = 0) -> Iterator[bytes | memoryview]:
        """Skip to `start`, then pass on."""
        for block in self._make():
            if start >= len(block):
                start -= len(block)
            else:
                yield memoryview(block)[start:]
                start = 0


def spool(stream: Iterable[bytes]) -> Blob:
    """Take in a stream: memory for small ones, a temporary file for the rest."""
    digest = hashlib.sha256()
    size = 0
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the blob owns and outlives it
    for block in stream:
        digest.update(block)
        file.write(block)
        size += len(block)
    if size > IN_MEMORY:
        file.flush()
        return FileBlob(file, size, digest.hexdigest()[:32])
    file.seek(0)
    content = file.read()
    file.close()
    return BytesBlob(content)


def read_all(blob: Blob) -> bytes:
    """Give all the bytes of a blob; for small ones, in tests."""
    return b"".join(blob.chunks())
