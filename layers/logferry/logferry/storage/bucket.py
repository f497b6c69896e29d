"""What we ask of S3 about one key: is it there, put a small document, clear what a killed function left."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from logferry.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

PERMISSIONS: Final = {
    "HeadObject": "s3:GetObject on the key and s3:ListBucket on the bucket",
    "GetObject": "s3:GetObject on the key",
    "DeleteObject": "s3:DeleteObjectVersion on the key",
    "AbortMultipartUpload": "s3:AbortMultipartUpload on the key",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads on the bucket",
}
PUT_PERMISSION: Final = "s3:PutObject on the key"
REMEDIES: Final = {
    "NoSuchBucket": "the bucket does not exist: was the stack deployed whole?",
    "PermanentRedirect": "the bucket is in another region",
    "SlowDown": "S3 asks for patience; run the export again later",
    "BadDigest": "other bytes arrived than were sent; run the export again",
    "EntityTooLarge": "the object is larger than S3 takes",
    "ExpiredToken": "the function's own credentials ran out; run the export again",
    "NoSuchUpload": "the multipart upload is gone: another execution, or a lifecycle rule, has aborted it",
}
UNREACHABLE: Final = "S3 could not be reached: check the function's network, or the S3 endpoint of its VPC"
DENIED: Final = frozenset({"AccessDenied", "403", "AllAccessDisabled", "Forbidden"})
WORDS: Final = 300
"""How much of what S3 says goes into an error."""


class AlreadyThere(Exception):  # noqa: N818 - no failure: the caller adopts what is there, or says what it is
    """412: the key does not hold what the condition said. `existing` is what it holds now, if anything."""

    def __init__(self, existing: Existing | None) -> None:
        super().__init__("the key is taken" if existing else "the object that was to be replaced is gone")
        self.existing = existing


class Conflict(Exception):  # noqa: N818 - no failure: the caller starts again
    """409: another write of the key was under way; look what is there, and upload from the start."""


@dataclass(frozen=True)
class Condition:
    """What must be true of the key when the object appears under it."""

    arguments: Mapping[str, Any]

    @classmethod
    def absent(cls) -> Condition:
        """Ask that nothing lies under the key."""
        return cls({"IfNoneMatch": "*"})

    @classmethod
    def replaces(cls, etag: str) -> Condition:
        """Ask that the key holds the object with this ETag, as `find` gave it."""
        return cls({"IfMatch": etag})


@dataclass(frozen=True)
class Existing:
    """What lies under a key: `metadata` in lower case, `crc32` of the whole object where S3 knows it."""

    etag: str
    version_id: str | None
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    crc32: int | None = None
    locked: bool = False
    """Whether S3 says that Object Lock holds it; to a role that may not read retentions it does not."""


@dataclass(frozen=True)
class Stored:
    """A landed object: `version_id` is None without versioning; `sha256` is hex; `crc32` is of the whole."""

    key: str
    version_id: str | None
    etag: str
    size: int
    sha256: str
    crc32: int


@cache
def s3_config() -> Config:
    """Return the settings of the client that lands files, always the same object.

    By default botocore sends a trailing CRC32, which doubles an upload's cost; switched off alone, it signs
    the payload's SHA-256 instead. Our own CRC32 goes with each part, over HTTPS, so both are off.
    """
    return Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": False},
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        read_timeout=30,
        tcp_keepalive=True,
    )


def find(s3: S3Client, bucket: str, key: str, owner: str | None = None) -> Existing | None:
    """Look what lies under a key; None where there is nothing. Raises DeliveryError."""
    try:
        reply = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **owned_by(owner))
    except (ClientError, BotoCoreError) as error:
        if http_status(error) == HTTPStatus.NOT_FOUND:
            return None
        raise delivery_error("HeadObject", bucket, key, error) from error
    checksum = reply.get("ChecksumCRC32", "")
    return Existing(
        etag=reply["ETag"],
        version_id=reply.get("VersionId"),
        size=reply["ContentLength"],
        metadata=reply["Metadata"],
        crc32=None if not checksum or "-" in checksum else int.from_bytes(base64.b64decode(checksum)),
        locked="ObjectLockMode" in reply or reply.get("ObjectLockLegalHoldStatus") == "ON",
    )


def write_json(
    s3: S3Client,
    bucket: str,
    key: str,
    document: Any,
    *,
    metadata: Mapping[str, str] | None = None,
    owner: str | None = None,
    condition: Condition | None = None,
) -> str | None:
    """Put a document as JSON, dataclasses as objects; give its version id.

    Raises DeliveryError; AlreadyThere on a 412.
    """
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, default=asdict)
    with BytesIO() as file:
        for piece in encoder.iterencode(document):  # never all pieces at once: 100,000 entries are a million
            file.write(piece.encode())
        file.write(b"\n")
        body = file.getvalue()
    arguments: dict[str, Any] = {**owned_by(owner), **(condition.arguments if condition else {})}
    try:
        reply = s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
            ChecksumAlgorithm="CRC32",  # Object Lock asks for the name too
            ChecksumCRC32=checksum_text(isal_zlib.crc32(body)),
            Metadata=metadata or {},
            **arguments,
        )
    except (ClientError, BotoCoreError) as error:
        if condition and http_status(error) == HTTPStatus.PRECONDITION_FAILED:
            raise AlreadyThere(find(s3, bucket, key, owner)) from error
        raise delivery_error("PutObject", bucket, key, error) from error
    return reply.get("VersionId")


def abort_uploads(s3: S3Client, bucket: str, prefix: str, owner: str | None = None) -> int:
    """Abort all open multipart uploads whose key starts so; give their number. Raises DeliveryError."""
    with delivering("ListMultipartUploads", bucket, prefix):
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, Prefix=prefix, **owned_by(owner)
        )
        found = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", ())]
    for key, upload_id in found:
        abort_upload(s3, bucket, key, upload_id, owner)
    return len(found)


def abort_upload(s3: S3Client, bucket: str, key: str, upload_id: str, owner: str | None = None) -> None:
    """Abort one multipart upload; one that is gone already is as good. Raises DeliveryError."""
    try:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id, **owned_by(owner))
    except (ClientError, BotoCoreError) as error:
        if http_status(error) != HTTPStatus.NOT_FOUND:
            raise delivery_error("AbortMultipartUpload", bucket, key, error) from error


def remove(s3: S3Client, bucket: str, key: str, existing: Existing, owner: str | None = None) -> bool:
    """Take away just the version that `find` gave; what was there before it is current again.

    False where Object Lock holds it: it stays, and a new version may be put over it. Raises DeliveryError.
    """
    version: dict[str, Any] = {"VersionId": existing.version_id} if existing.version_id else {}
    try:
        s3.delete_object(Bucket=bucket, Key=key, **version, **owned_by(owner))
    except (ClientError, BotoCoreError) as error:
        if existing.version_id and _is_locked(error, existing):
            return False
        raise delivery_error("DeleteObject", bucket, key, error) from error
    return True


def _is_locked(error: Exception, existing: Existing) -> bool:
    """Check whether a refusal is a lock's: S3 says AccessDenied there too, "protected by object lock"."""
    if not isinstance(error, ClientError) or error.response["Error"].get("Code") not in DENIED:
        return False
    return existing.locked or "object lock" in error.response["Error"].get("Message", "").lower()


@contextmanager
def delivering(operation: str, bucket: str, key: str) -> Iterator[None]:
    """Turn whatever the SDK raises in the block into a DeliveryError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise delivery_error(operation, bucket, key, error) from error


def delivery_error(operation: str, bucket: str, key: str, error: Exception) -> DeliveryError:
    """Return which operation failed where, why, and what to do.

    Of botocore's own errors only the class is told: their text holds URLs.
    """
    where = f"S3 {operation} of s3://{bucket}/{key}"
    if not isinstance(error, ClientError):
        return DeliveryError(f"{where}: {type(error).__name__}: {UNREACHABLE}")
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    remedy = REMEDIES.get(code, "run the export again; if it stays so, see the bucket's policy and settings")
    if code in DENIED:
        permission = PERMISSIONS.get(operation, PUT_PERMISSION)
        remedy = (
            f"the function needs {permission}; with a KMS key also kms:GenerateDataKey and kms:Decrypt on it"
        )
        remedy += "; or the bucket belongs to another account than expected"
    elif code.startswith("KMS"):
        remedy = "see that the bucket's KMS key is enabled and that its policy lets the function use it"
    return DeliveryError(f"{where}: {code}: {message[:WORDS]} ({remedy})")


def http_status(error: Exception) -> int | None:
    """Return the HTTP status that S3 answered with; None where it did not answer."""
    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def owned_by(owner: str | None) -> dict[str, Any]:
    """Return the argument that makes S3 refuse a bucket of another account."""
    return {"ExpectedBucketOwner": owner} if owner else {}


def checksum_text(crc32: int) -> str:
    """Write a CRC32 as S3's headers do: base64 of its four bytes."""
    return base64.b64encode(crc32.to_bytes(4)).decode()
