"""A landing's manifest as consumers read it: the object's neighbour that says which version is whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from logferry.errors import DeliveryError
from logferry.storage.bucket import delivering, delivery_error, find, http_status, owned_by
from logferry.storage.keys import manifest_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

SCHEMA: Final = "logferry.manifest/1"
LARGEST: Final = 32 * 1024**2
"""Bytes: 100,000 entries come to 12 MiB."""


@dataclass(frozen=True)
class Landed:
    """One landed object that a manifest names; `size` in bytes."""

    key: str
    version_id: str | None
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a consumer needs of a manifest; `etag` tells it from the next one under its key."""

    key: str
    etag: str
    export_id: str
    content_type: str
    objects: tuple[Landed, ...]
    request: Mapping[str, Any] = field(default_factory=dict)
    """The export's identity, as its manifest has it."""

    def is_current(self, s3: S3Client, bucket: str, owner: str | None = None) -> bool:
        """Check whether no other landing has taken this one's place. Raises DeliveryError."""
        existing = find(s3, bucket, self.key, owner)
        return existing is not None and existing.etag == self.etag


def read_manifest(s3: S3Client, bucket: str, key: str, owner: str | None = None) -> Manifest | None:
    """Read the current manifest under a key; None where there is none, or none that belongs there.

    A manifest of ours names the bucket and object that it lies beside, so a copy in another place is none.
    Raises DeliveryError.
    """
    try:
        reply = s3.get_object(Bucket=bucket, Key=key, **owned_by(owner))
    except (ClientError, BotoCoreError) as error:
        if http_status(error) == HTTPStatus.NOT_FOUND:
            return None
        raise delivery_error("GetObject", bucket, key, error) from error
    with delivering("GetObject", bucket, key), reply["Body"] as body:
        if reply["ContentLength"] > LARGEST:
            raise DeliveryError(f"s3://{bucket}/{key} has {reply['ContentLength']:,} bytes: no manifest has")
        text = body.read()
    try:
        document = json.loads(text)
        ours = document["schema"] == SCHEMA and document["bucket"] == bucket
        if not ours or manifest_key(document["key"]) != key:
            return None
        return _of(document, key, reply["ETag"])
    except (ValueError, KeyError, TypeError):
        return None


def _of(document: dict[str, Any], key: str, etag: str) -> Manifest:
    folder = key.rpartition("/")[0]
    landed = tuple(
        Landed(str(each["key"]), each["version_id"], int(each["size"])) for each in document["objects"]
    )
    if not landed or any(each.key.rpartition("/")[0] != folder for each in landed):
        raise ValueError("the objects of an export lie beside their manifest")
    request = document.get("request")
    request = request if isinstance(request, dict) else {}
    return Manifest(key, etag, str(document["export_id"]), str(document["content_type"]), landed, request)
