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
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

__all__ = [
    "AlreadyThere",
    "Condition",
    "Conflict",
    "Existing",
    "ObjectWriter",
    "Stored",
    "abort_uploads",
    "find",
    "read_back",
    "s3_config",
    "transfer",
    "write_json",
]

READ_BYTES: Final = 256 * 1024
"""Read, verified, hashed and checked at once, while they are in the processor's cache."""
Findings_co = TypeVar("Findings_co", covariant=True)


class Stream(Protocol):
    """Where the bytes come from."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; give the number of bytes, 0 at the end."""


class Verifier(Protocol[Findings_co]):
    """What looks at the bytes on their way; it must not keep the view, whose memory is used again."""

    def feed(self, data: memoryview, /) -> None:
        """Look at the next bytes. Raises CorruptDownloadError."""

    def finish(self) -> Findings_co:
        """Judge the whole. Raises CorruptDownloadError."""


def transfer(stream: Stream, verifier: Verifier[Findings_co], writer: ObjectWriter) -> Findings_co:
    """Move everything from a stream into a writer, past a verifier; nothing is committed yet."""
    while True:
        view = writer.buffer()[:READ_BYTES]
        count = stream.readinto(view)
        if not count:
            return verifier.finish()
        verifier.feed(view[:count])
        writer.advance(count)


def read_back(
    s3: S3Client,
    bucket: str,
    key: str,
    existing: Existing,
    verifier: Verifier[Findings_co],
    *,
    owner: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> tuple[Stored, Findings_co]:
    """Read an object that lies there already, as `find` gave it, past a verifier: it may then be adopted.

    `check` is called as an ObjectWriter calls it. Raises DeliveryError, and what the verifier raises.
    """
    sha256, crc32 = hashlib.sha256(), 0
    with delivering("GetObject", bucket, key):
        reply = s3.get_object(Bucket=bucket, Key=key, IfMatch=existing.etag, **owned_by(owner))
        with reply["Body"] as body:
            while chunk := body.read(READ_BYTES):
                check()
                sha256.update(chunk)
                crc32 = isal_zlib.crc32(chunk, crc32)
                verifier.feed(memoryview(chunk))
    if existing.crc32 not in {None, crc32}:
        raise DeliveryError(
            f"s3://{bucket}/{key} was read back with another CRC32 than S3 has of it: try again"
        )
    return (
        Stored(key, existing.version_id, existing.etag, existing.size, sha256.hexdigest(), crc32),
        verifier.finish(),
    )
