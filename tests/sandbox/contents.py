"""What lies in the sandbox's bucket."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class StoredObject:
    """One version of an object; `latest` is false for a noncurrent one."""

    key: str
    size: int
    sha256: str
    version_id: str
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    latest: bool = True


def objects(s3: Any, bucket: str, *, all_versions: bool = False, prefix: str = "") -> list[StoredObject]:
    """List the current objects by key, or every version, newest first within a key."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    versions = [one for page in pages for one in page.get("Versions", [])]
    chosen = [one for one in versions if all_versions or one["IsLatest"]]
    found = [describe(s3, bucket, one) for one in chosen]
    return sorted(found, key=lambda one: one.key)  # stable: the service lists a key's versions newest first


def describe(s3: Any, bucket: str, version: Mapping[str, Any]) -> StoredObject:
    """Read one version through."""
    answer = s3.get_object(Bucket=bucket, Key=version["Key"], **version_of(version))
    digest, size = hashlib.sha256(), 0
    for block in answer["Body"].iter_chunks(1024 * 1024):
        digest.update(block)
        size += len(block)
    return StoredObject(
        key=version["Key"],
        size=size,
        sha256=digest.hexdigest(),
        version_id=version["VersionId"],
        content_type=answer.get("ContentType", ""),
        metadata=answer.get("Metadata", {}),
        latest=bool(version["IsLatest"]),
    )


def version_of(version: Mapping[str, Any]) -> dict[str, str]:
    """Give the argument that asks for this version; none in a bucket without versions."""
    return {} if version["VersionId"] == "null" else {"VersionId": version["VersionId"]}


def open_uploads(s3: Any, bucket: str) -> list[dict[str, Any]]:
    """List the multipart uploads that were neither completed nor aborted."""
    uploads: list[dict[str, Any]] = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return uploads


def read(s3: Any, bucket: str, key: str, version_id: str | None = None) -> bytes:
    """Give an object's bytes; the client's NoSuchKey if there is none."""
    chosen = {"VersionId": version_id} if version_id else {}
    content: bytes = s3.get_object(Bucket=bucket, Key=key, **chosen)["Body"].read()
    return content


def keys(s3: Any, bucket: str) -> Iterator[str]:
    """Give the keys of the current objects."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from (one["Key"] for one in page.get("Contents", []))
