"""Ledger and bucket in a folder, so that the next sandbox goes on where this one stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.s3.models import s3_backends

from tests.sandbox import private
from tests.sandbox.cloud import ACCOUNT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.engine import Sandbox

LEDGER, INDEX, BLOBS = "ledger.json", "objects.json", "objects"


def save(sandbox: Sandbox, folder: Path) -> None:
    """Write the table's items (DynamoDB's own JSON) and every version of every object, oldest first."""
    private.make_folder(folder / BLOBS)
    s3, bucket = sandbox.client("s3"), sandbox.bucket
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
    found = [(one, True) for page in pages for one in page.get("Versions", [])]
    found += [(one, False) for page in pages for one in page.get("DeleteMarkers", [])]
    index: list[dict[str, Any]] = []
    kept = set()
    for version, holds in sorted(found, key=lambda one: place(bucket, one[0]["Key"], one[0]["VersionId"])):
        entry = {"key": version["Key"], "version_id": version["VersionId"], "blob": None}
        if holds:
            answer = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            entry["blob"] = f"{BLOBS}/{version['VersionId']}"
            entry |= {"metadata": answer.get("Metadata", {}), "content_type": answer.get("ContentType")}
            private.write_bytes(folder / str(entry["blob"]), answer["Body"].read())
            kept.add(version["VersionId"])
        index.append(entry)
    replace(folder / INDEX, index)
    table = sandbox.resources["Table"].ref
    items = [
        item
        for page in sandbox.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        for item in page["Items"]
    ]
    replace(folder / LEDGER, items)
    for blob in (folder / BLOBS).iterdir():
        if blob.name not in kept:
            blob.unlink()


def replace(path: Path, document: Any) -> None:
    """Write a JSON file in one step: an interrupted save leaves the earlier one."""
    draft = path.with_suffix(".draft")
    private.write_text(draft, json.dumps(document, indent=1))
    draft.replace(path)


def load(sandbox: Sandbox, folder: Path) -> None:
    """Put back what `save` wrote; an absent folder is an empty state. ValueError for a broken one."""
    if not (folder / LEDGER).exists():
        return
    try:
        items = json.loads((folder / LEDGER).read_text())
        index = json.loads((folder / INDEX).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no state of the sandbox: {error}") from error
    for item in items:
        sandbox.client("dynamodb").put_item(TableName=sandbox.resources["Table"].ref, Item=item)
    s3, bucket = sandbox.client("s3"), sandbox.bucket
    for entry in index:
        if entry["blob"] is None:
            new = s3.delete_object(Bucket=bucket, Key=entry["key"])["VersionId"]
        else:
            new = s3.put_object(
                Bucket=bucket,
                Key=entry["key"],
                Body=(folder / entry["blob"]).read_bytes(),
                Metadata=entry["metadata"],
                ContentType=entry["content_type"],
            )["VersionId"]
        rename_version(bucket, entry["key"], new, entry["version_id"])


def place(bucket: str, key: str, version_id: str) -> tuple[str, int]:
    """Give a version's place in time, by key: LastModified tells no two of one second apart."""
    versions = s3_backends[ACCOUNT]["aws"].buckets[bucket].keys.getlist(key)
    return key, [version.version_id for version in versions].index(version_id)


def rename_version(bucket: str, key: str, new: str, old: str) -> None:
    """Give a version its old id back: ledger and manifests name it, and S3 lets nobody choose one."""
    for version in s3_backends[ACCOUNT]["aws"].buckets[bucket].keys.getlist(key):
        if version.version_id == new:
            version._version_id = old  # noqa: SLF001 - moto has no other way
