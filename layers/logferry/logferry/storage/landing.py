"""How a file gets into the bucket: streamed in bounded memory, whole and verified, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from logferry.storage.bucket import (
    AlreadyThere,
    Condition,
    Conflict,
    Existing,
    Stored,
    abort_uploads,
    find,
    s3_config,
    write_json,
)
from logferry.storage.writer import ObjectWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AlreadyThere",
    "Condition",
    "Conflict",
    "Existing",
    "ObjectWriter",
    "Stored",
    "abort_uploads",
    "copy",
    "find",
    "s3_config",
    "write_json",
]

READ_BYTES: Final = 256 * 1024
"""Read, verified, hashed and checked at once, while they are in the processor's cache."""


class ByteStream(Protocol):
    """Where the bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; give the number of bytes, 0 at the end."""


def copy(stream: ByteStream, writer: ObjectWriter) -> Iterator[memoryview]:
    """Move everything from a stream into a writer, and yield each chunk before the writer takes it.

    A chunk must not be kept: its memory is used again. Nothing is committed yet.
    """
    while True:
        view = writer.buffer()[:READ_BYTES]
        count = stream.readinto(view)
        if not count:
            return
        yield view[:count]
        writer.advance(count)
