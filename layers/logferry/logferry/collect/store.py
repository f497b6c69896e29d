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


def put(key: str, file: IO[bytes], content_type: str) -> str:
    """Store a file from its beginning; return its version id. Raises DeliveryError.

    A bucket without versioning calls its only version "null".
    """
    settings = runtime.settings()
    file.seek(0)
    with delivering("PutObject", settings.bucket, key):
        reply = runtime.s3().put_object(
            Bucket=settings.bucket,
            Key=key,
            Body=file,
            ContentType=content_type,
            ChecksumAlgorithm="CRC32",  # a bucket with Object Lock asks for one
            **owned_by(settings.bucket_owner),
        )
    return reply.get("VersionId", "null")


def lines(key: str, version: str | None) -> Iterator[dict[str, Any]]:
    """Read a file of JSON lines in the version that its writer put; the current one where none is known.

    States of earlier releases name no version. Raises DeliveryError.
    """
    settings = runtime.settings()
    exact: Any = {"VersionId": version} if version else {}
    with delivering("GetObject", settings.bucket, key):
        reply = runtime.s3().get_object(
            Bucket=settings.bucket, Key=key, **exact, **owned_by(settings.bucket_owner)
        )
        for line in reply["Body"].iter_lines(256 * 1024):
            yield json.loads(line)
