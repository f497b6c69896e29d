"""How a file gets into the bucket: streamed in bounded memory, whole and verified, or not at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from isal import isal_zlib

from logferry.errors import DeliveryError
from logferry.storage.bucket import (
    AlreadyThere,
    Condition,
    Conflict,
    Existing,
    Stored,
    abort_uploads,
    delivering,
    find,
    owned_by,
    s3_config,
    write_json,
)
from logferry.storage.writer import ObjectWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

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
    "read_back",
    "s3_config",
    "write_json",
]

READ_BYTES: Final = 256 * 1024
"""Read, verified, hashed and checked at once, while they are in the processor's cache."""
Found = TypeVar("Found")


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


def read_back(
    s3: S3Client,
    bucket: str,
    key: str,
    existing: Existing,
    verify: Callable[[Iterator[bytes]], Found],
    *,
    owner: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> tuple[Stored, Found]:
    """Read an object that lies there already, as `find` gave it, past `verify`: it may then be adopted.

    `check` is called as an ObjectWriter calls it. Raises DeliveryError, and what `verify` raises.
    """
    sha256, crc32 = hashlib.sha256(), 0

    def chunks() -> Iterator[bytes]:
        nonlocal crc32
        with delivering("GetObject", bucket, key):
            reply = s3.get_object(Bucket=bucket, Key=key, IfMatch=existing.etag, **owned_by(owner))
            with reply["Body"] as body:
                while chunk := body.read(READ_BYTES):
                    check()
                    sha256.update(chunk)
                    crc32 = isal_zlib.crc32(chunk, crc32)
                    yield chunk

    found = verify(chunks())
    if existing.crc32 not in {None, crc32}:
        raise DeliveryError(
            f"s3://{bucket}/{key} was read back with another CRC32 than S3 has of it: try again"
        )
    stored = Stored(key, existing.version_id, existing.etag, existing.size, sha256.hexdigest(), crc32)
    return stored, found
