"""What a collection keeps in the bucket, under `_logferry/collections/`: lists of any size."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from logferry import runtime
from logferry.storage.bucket import delivering, owned_by

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = "_logferry/collections"


def folder_of(execution: str) -> str:
    """Return the prefix under which everything of one collection lies: the execution's name singles it out.

    The state machine's ResultWriter spells it too.
    """
    return f"{ROOT}/{execution.rpartition(':')[2]}"


def put(key: str, file: IO[bytes], content_type: str) -> None:
    """Store a file from its beginning. Raises DeliveryError."""
    settings = runtime.settings()
    file.seek(0)
    with delivering("PutObject", settings.bucket, key):
        runtime.s3().put_object(
            Bucket=settings.bucket,
            Key=key,
            Body=file,
            ContentType=content_type,
            ChecksumAlgorithm="CRC32",  # a bucket with Object Lock asks for one
            **owned_by(settings.bucket_owner),
        )


def lines(key: str) -> Iterator[dict[str, Any]]:
    """Read a file of JSON lines. Raises DeliveryError."""
    settings = runtime.settings()
    with delivering("GetObject", settings.bucket, key):
        reply = runtime.s3().get_object(Bucket=settings.bucket, Key=key, **owned_by(settings.bucket_owner))
        for line in reply["Body"].iter_lines(256 * 1024):
            yield json.loads(line)
