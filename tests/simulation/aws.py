"""What AWS keeps, in memory, behind clients that speak as boto3's do."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def refusal(operation: str, code: str, status: int, **more: Any) -> ClientError:
    """Return the error that the SDK raises for an answer."""
    said: Any = {
        "Error": {"Code": code, "Message": "simulated"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(said, operation)


@dataclass
class Version:
    """One version of one object."""

    id: str
    body: bytes
    metadata: dict[str, str]
    whole: bool
    """Whether S3 has a CRC32 of the whole object."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body + self.id.encode()).hexdigest()[:32]}"'

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def crc32(self) -> str:
        return base64.b64encode(zlib.crc32(self.body).to_bytes(4)).decode()


@dataclass
class Upload:
    """An open multipart upload."""

    key: str
    metadata: dict[str, str]
    by: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """A versioned bucket. `seen()` is called after every change."""

    versions: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    seen: Callable[[], None] = lambda: None
    by: Callable[[], str] = lambda: ""
    _ids: int = 0

    def current(self, key: str) -> Version | None:
        """Return what a reader of a key finds."""
        there = self.versions.get(key)
        return there[-1] if there else None

    def version(self, key: str, identity: str | None) -> Version | None:
        """Return one version of a key."""
        return next((each for each in self.versions.get(key, ()) if each.id == identity), None)

    def _add(self, key: str, body: bytes, asked: dict[str, Any], operation: str, metadata: Any) -> Version:
        there = self.current(key)
        if "IfNoneMatch" in asked and there:
            raise refusal(operation, "PreconditionFailed", 412)
        if "IfMatch" in asked and (there is None or there.etag != asked["IfMatch"]):
            status = 412 if there else 404
            raise refusal(operation, "PreconditionFailed" if there else "NoSuchKey", status)
        self._ids += 1
        version = Version(f"v{self._ids}", body, dict(metadata), whole=True)
        if asked.get("ChecksumCRC32") not in {None, version.crc32}:
            raise refusal(operation, "BadDigest", 400)
        self.versions.setdefault(key, []).append(version)
        self.seen()
        return version

    def put_object(self, **asked: Any) -> dict[str, Any]:
        body = asked["Body"]
        content = body if isinstance(body, bytes) else body.read()
        version = self._add(asked["Key"], content, asked, "PutObject", asked.get("Metadata", {}))
        return {"ETag": version.etag, "VersionId": version.id}

    def head_object(self, **asked: Any) -> dict[str, Any]:
        there = self.current(asked["Key"])
        if there is None:
            raise refusal("HeadObject", "404", 404)
        return self._head(there)

    def get_object(self, **asked: Any) -> dict[str, Any]:
        there = self.current(asked["Key"])
        if "VersionId" in asked:
            there = self.version(asked["Key"], asked["VersionId"])
        if there is None:
            raise refusal("GetObject", "NoSuchKey", 404)
        if asked.get("IfMatch", there.etag) != there.etag:
            raise refusal("GetObject", "PreconditionFailed", 412)
        return {**self._head(there), "Body": StreamingBody(BytesIO(there.body), len(there.body))}

    @staticmethod
    def _head(there: Version) -> dict[str, Any]:
        head = {"ETag": there.etag, "VersionId": there.id, "ContentLength": len(there.body)}
        return {**head, "Metadata": dict(there.metadata), "ChecksumCRC32": there.crc32}

    def delete_object(self, **asked: Any) -> dict[str, Any]:
        there = self.versions.get(asked["Key"], [])
        there[:] = [each for each in there if each.id != asked["VersionId"]]
        self.seen()
        return {}

    def create_multipart_upload(self, **asked: Any) -> dict[str, Any]:
        self._ids += 1
        self.uploads[f"u{self._ids}"] = Upload(asked["Key"], dict(asked["Metadata"]), self.by())
        return {"UploadId": f"u{self._ids}", "ResponseMetadata": {"RetryAttempts": 0}}

    def _upload(self, operation: str, asked: dict[str, Any]) -> Upload:
        if asked["UploadId"] not in self.uploads:
            raise refusal(operation, "NoSuchUpload", 404)
        return self.uploads[asked["UploadId"]]

    def upload_part(self, **asked: Any) -> dict[str, Any]:
        upload, content = self._upload("UploadPart", asked), asked["Body"].read()
        upload.parts[asked["PartNumber"]] = content
        return {"ETag": hashlib.sha256(content).hexdigest()}

    def complete_multipart_upload(self, **asked: Any) -> dict[str, Any]:
        upload = self._upload("CompleteMultipartUpload", asked)
        listed = [(part["PartNumber"], part["ETag"]) for part in asked["MultipartUpload"]["Parts"]]
        if any(hashlib.sha256(upload.parts.get(n, b"")).hexdigest() != etag for n, etag in listed):
            raise refusal("CompleteMultipartUpload", "InvalidPart", 400)
        body = b"".join(upload.parts[number] for number, _ in listed)
        version = self._add(upload.key, body, asked, "CompleteMultipartUpload", upload.metadata)
        del self.uploads[asked["UploadId"]]
        return {"ETag": version.etag, "VersionId": version.id}

    def abort_multipart_upload(self, **asked: Any) -> dict[str, Any]:
        self._upload("AbortMultipartUpload", asked)
        del self.uploads[asked["UploadId"]]
        return {}

    def list_multipart_uploads(self, **asked: Any) -> dict[str, Any]:
        found = [
            {"Key": upload.key, "UploadId": identity}
            for identity, upload in self.uploads.items()
            if upload.key.startswith(asked.get("Prefix", ""))
        ]
        return {"Uploads": found, "IsTruncated": False}


@dataclass
class Items:
    """A DynamoDB table; `seen()` is called after every change."""

    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    seen: Callable[[], None] = lambda: None

    def get_item(self, **asked: Any) -> dict[str, Any]:
        there = self.items.get(_place(asked["Key"]))
        return {"Item": copy.deepcopy(there)} if there is not None else {}

    def put_item(self, **asked: Any) -> dict[str, Any]:
        place = _place(asked["Item"])
        self._check("PutItem", place, asked)
        self.items[place] = copy.deepcopy(asked["Item"])
        self.seen()
        return {}

    def delete_item(self, **asked: Any) -> dict[str, Any]:
        place = _place(asked["Key"])
        self._check("DeleteItem", place, asked)
        self.items.pop(place, None)
        self.seen()
        return {}

    def update_item(self, **asked: Any) -> dict[str, Any]:
        place = _place(asked["Key"])
        self._check("UpdateItem", place, asked)
        item = copy.deepcopy(self.items.get(place, asked["Key"]))
        names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
        words = re.split(r"\s*\b(SET|REMOVE)\b\s*", asked["UpdateExpression"])[1:]
        for verb, what in zip(words[::2], words[1::2], strict=True):
            for part in what.split(","):
                if verb == "REMOVE":
                    item.pop(names.get(part.strip(), part.strip()), None)
                    continue
                name, value = (each.strip() for each in part.split("="))
                item[names.get(name, name)] = copy.deepcopy(values[value])
        self.items[place] = item
        self.seen()
        return {"Attributes": copy.deepcopy(item)}

    def query(self, **asked: Any) -> dict[str, Any]:
        values = asked["ExpressionAttributeValues"]
        if "BETWEEN" not in asked["KeyConditionExpression"]:
            raise NotImplementedError(asked["KeyConditionExpression"])
        series, first, last = (values[name]["S"] for name in (":s", ":first", ":last"))
        places = sorted(place for place in self.items if place[0] == series and first <= place[1] <= last)
        if not asked.get("ScanIndexForward", True):
            places.reverse()
        return {"Items": [copy.deepcopy(self.items[place]) for place in places]}

    def _check(self, operation: str, place: tuple[str, str], asked: dict[str, Any]) -> None:
        condition, item = asked.get("ConditionExpression"), self.items.get(place)
        names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
        for clause in condition.split(" AND ") if condition else ():
            if not _holds(clause.strip(), item or {}, names, values):
                there = {"Item": copy.deepcopy(item)} if item else {}
                raise refusal(operation, "ConditionalCheckFailedException", 400, **there)


def _holds(clause: str, item: dict[str, Any], names: dict[str, str], values: dict[str, Any]) -> bool:
    """Judge one clause; an error for what nobody has taught it."""
    if called := re.fullmatch(r"(attribute_(?:not_)?exists)\((\S+)\)", clause):
        return (names.get(called[2], called[2]) in item) == (called[1] == "attribute_exists")
    if among := re.fullmatch(r"(\S+) IN \((.+)\)", clause):
        return item.get(names.get(among[1], among[1])) in [
            values[each.strip()] for each in among[2].split(",")
        ]
    if equal := re.fullmatch(r"(\S+) = (\S+)", clause):
        return bool(item.get(names.get(equal[1], equal[1])) == values[equal[2]])
    raise NotImplementedError(clause)


def _place(key: dict[str, Any]) -> tuple[str, str]:
    return key["series"]["S"], key["window"]["S"]


class Client:
    """A client of one service: every operation goes through `call(service, operation, effect)`."""

    def __init__(self, service: str, behind: Any, call: Callable[..., Any]) -> None:
        self._service, self._behind, self._call = service, behind, call

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        effect = getattr(self._behind, operation)
        return lambda **asked: self._call(self._service, operation, lambda: effect(**asked))

    def get_paginator(self, operation: str) -> _Pages:
        """Return a paginator: everything comes in one page."""
        return _Pages(getattr(self, operation))


@dataclass
class _Pages:
    ask: Callable[..., Any]

    def paginate(self, **asked: Any) -> Iterator[Any]:
        yield self.ask(**asked)
