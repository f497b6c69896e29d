from __future__ import annotations

import hashlib
import io
import threading
import uuid
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from logferry.errors import CorruptDownloadError, DeliveryError
from logferry.storage.landing import (
    AlreadyThere,
    Condition,
    Conflict,
    ObjectWriter,
    Stored,
    abort_uploads,
    copy,
    find,
    s3_config,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_s3 import S3Client

    from tests.sandbox.s3server import S3Server

PART = 5 << 20
"""The smallest part that S3 takes."""
METADATA = {"export-id": "e" * 64, "attempt": "1", "nonce": "1" * 32}
ANSWERS = {
    403: "AccessDenied",
    404: "NoSuchUpload",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    500: "InternalError",
    503: "SlowDown",
}


@dataclass
class Counter:
    """Stands for a verifier: it counts, and refuses what it is told to refuse."""

    refuses: bool = False
    seen: int = 0

    def __call__(self, chunks: Iterable[memoryview | bytes]) -> int:
        self.seen = 0
        for chunk in chunks:
            self.seen += len(chunk)
        if self.refuses:
            raise CorruptDownloadError("the structure is wrong")
        return self.seen


@dataclass
class Bucket:
    """A versioned bucket, a key of the test's own in it, and how that looks from outside."""

    s3: S3Client
    name: str
    key: str = field(default_factory=lambda: f"spark-log-csv/acme/{uuid.uuid4()}/x.zip")

    def write(
        self, body: bytes, *, condition: Condition | None = None, verifier: Counter | None = None, **more: Any
    ) -> Stored:
        more = {"metadata": METADATA, "smallest_part": PART, "memory": 3 * PART, **more}
        with ObjectWriter(
            self.s3,
            self.name,
            self.key,
            content_type="application/zip",
            condition=condition or Condition.absent(),
            **more,
        ) as writer:
            (verifier or Counter())(copy(io.BytesIO(body), writer))
            return writer.commit()

    def body(self) -> bytes:
        return self.s3.get_object(Bucket=self.name, Key=self.key)["Body"].read()

    def versions(self) -> int:
        return len(self.s3.list_object_versions(Bucket=self.name, Prefix=self.key).get("Versions", []))

    def open_uploads(self) -> int:
        return len(self.s3.list_multipart_uploads(Bucket=self.name, Prefix=self.key).get("Uploads", []))

    def on(self, event: str, operation: str, handler: Callable[..., Any]) -> None:
        self.s3.meta.events.register_first(f"{event}.s3.{operation}", handler)


def bucket_at(s3: S3Client) -> Bucket:
    s3.create_bucket(Bucket="landings", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="landings", VersioningConfiguration={"Status": "Enabled"})
    return Bucket(s3, "landings")


@pytest.fixture(scope="module")
def real_bucket(seaweed: S3Server) -> str:
    return bucket_at(seaweed.client()).name


@pytest.fixture
def real(seaweed: S3Server, real_bucket: str) -> Bucket:
    return Bucket(seaweed.client(s3_config()), real_bucket)


@pytest.fixture
def mocked(emulated_s3: S3Client) -> Bucket:
    return bucket_at(emulated_s3)


@pytest.fixture(params=["real", "mocked"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    found: Bucket = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


def noise(size: int) -> bytes:
    """Bytes in which no two parts are alike."""
    return hashlib.shake_128(b"logferry").digest(size)


def answer(request: Any, status: int) -> AWSResponse:
    """Say what S3 would, without asking it."""
    text = f"<Error><Code>{ANSWERS[status]}</Code><Message>No.</Message></Error>".encode()

    @dataclass
    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield text

    headers: Any = HeadersDict({"Content-Type": "application/xml"})
    return AWSResponse(request.url, status, headers, Raw())


@dataclass
class Fault:
    """Answers in S3's place: as often as told, with or without having S3 do what was asked."""

    status: int | None = None
    """None: the connection times out."""
    times: int = 1
    done: bool = False
    """Whether S3 has done it, and only its answer is lost."""
    calls: list[str] = field(default_factory=list)

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        self.calls.append(request.url)
        if len(self.calls) > self.times:
            return None
        if self.done:
            URLLib3Session().send(request)
        if self.status is None:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer(request, self.status)


SMALL, LARGE = noise(1000), noise(PART + 1000)
BOTH_WAYS = pytest.mark.parametrize(
    ("body", "operation"),
    [(SMALL, "PutObject"), (LARGE, "CompleteMultipartUpload")],
    ids=["put", "multipart"],
)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART, 4 * PART + 17])
@pytest.mark.parametrize("known", [True, False])
def test_what_lands_is_what_was_sent(bucket: Bucket, size: int, known: bool) -> None:  # noqa: FBT001
    # Given a body, whose size is known or not
    body, verifier = noise(size), Counter()
    # When it is landed
    stored = bucket.write(body, verifier=verifier, size_hint=size if known else None)
    # Then it is there, once and whole, and what is told of it is true
    assert bucket.body() == body
    assert (bucket.versions(), bucket.open_uploads()) == (1, 0)
    existing = find(bucket.s3, bucket.name, bucket.key)
    assert existing
    assert (existing.etag, existing.version_id) == (stored.etag, stored.version_id)
    assert (existing.size, existing.metadata) == (size, METADATA)
    assert (stored.size, stored.crc32) == (size, zlib.crc32(body))
    assert stored.sha256 == hashlib.sha256(body).hexdigest()
    assert verifier.seen == size


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["put", "multipart"])
def test_s3_keeps_the_checksum_of_the_whole_and_the_kind(real: Bucket, body: bytes) -> None:
    # When
    real.write(body)
    # Then
    existing = find(real.s3, real.name, real.key)
    assert existing
    assert existing.crc32 == zlib.crc32(body)
    assert real.s3.head_object(Bucket=real.name, Key=real.key)["ContentType"] == "application/zip"


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["put", "multipart"])
def test_a_refused_body_leaves_nothing(bucket: Bucket, body: bytes) -> None:
    # When a verifier refuses the whole, after all of it has gone by
    with pytest.raises(CorruptDownloadError):
        bucket.write(body, verifier=Counter(refuses=True))
    # Then
    assert (bucket.versions(), bucket.open_uploads()) == (0, 0)


def test_leaving_the_block_without_a_commit_leaves_nothing(bucket: Bucket) -> None:
    # When
    with ObjectWriter(
        bucket.s3,
        bucket.name,
        bucket.key,
        metadata=METADATA,
        content_type="application/zip",
        condition=Condition.absent(),
        smallest_part=PART,
        memory=3 * PART,
    ) as writer:
        Counter()(copy(io.BytesIO(LARGE), writer))
        assert bucket.open_uploads() == 1
    # Then
    assert (bucket.versions(), bucket.open_uploads()) == (0, 0)


@pytest.mark.parametrize(
    ("body", "operation"), [(SMALL, "PutObject"), (LARGE, "UploadPart")], ids=["put", "part"]
)
def test_bytes_that_change_on_the_way_never_land(real: Bucket, body: bytes, operation: str) -> None:
    # Given a wire that changes one byte after the checksum was taken
    def change(params: dict[str, Any], **_: Any) -> None:
        sent = params["Body"] if isinstance(params["Body"], bytes) else bytes(params["Body"].read(-1))
        params["Body"] = bytes([sent[0] ^ 1]) + sent[1:]

    real.on("before-parameter-build", operation, change)
    # When
    with pytest.raises(DeliveryError, match="BadDigest"):
        real.write(body)
    # Then
    assert (real.versions(), real.open_uploads()) == (0, 0)


def test_a_part_that_goes_missing_never_lands(real: Bucket) -> None:
    # Given a completion from which the last part has dropped out
    def drop(params: dict[str, Any], **_: Any) -> None:
        params["MultipartUpload"]["Parts"].pop()

    real.on("before-parameter-build", "CompleteMultipartUpload", drop)
    # When
    with pytest.raises(DeliveryError):
        real.write(LARGE)
    # Then
    assert (real.versions(), real.open_uploads()) == (0, 0)


@BOTH_WAYS
def test_what_another_landed_is_not_overwritten(bucket: Bucket, body: bytes, operation: str) -> None:  # noqa: ARG001
    # Given another's object, of the same bytes even
    other = METADATA | {"attempt": "2"}
    bucket.write(body, metadata=other)
    # When
    with pytest.raises(AlreadyThere) as caught:
        bucket.write(body)
    # Then the caller learns what is there
    assert caught.value.existing == find(bucket.s3, bucket.name, bucket.key)
    assert caught.value.existing
    assert caught.value.existing.metadata == other
    assert (bucket.versions(), bucket.open_uploads()) == (1, 0)


@BOTH_WAYS
def test_a_refresh_replaces_what_it_knows(bucket: Bucket, body: bytes, operation: str) -> None:  # noqa: ARG001
    # Given
    first = bucket.write(b"old")
    # When
    second = bucket.write(
        body, condition=Condition.replaces(first.etag), metadata=METADATA | {"attempt": "2"}
    )
    # Then
    assert bucket.body() == body
    assert second.version_id != first.version_id
    assert (bucket.versions(), bucket.open_uploads()) == (2, 0)


@BOTH_WAYS
def test_a_refresh_never_replaces_what_it_does_not_know(real: Bucket, body: bytes, operation: str) -> None:  # noqa: ARG001
    # Given an object that was replaced after we looked
    first = real.write(b"old")
    real.write(b"newer", condition=Condition.replaces(first.etag), metadata=METADATA | {"attempt": "2"})
    # When
    with pytest.raises(AlreadyThere):
        real.write(body, condition=Condition.replaces(first.etag), metadata=METADATA | {"attempt": "3"})
    # Then
    assert real.body() == b"newer"
    assert real.open_uploads() == 0


@BOTH_WAYS
def test_a_conflict_is_told_apart(real: Bucket, body: bytes, operation: str) -> None:
    # Given
    real.on("before-send", operation, Fault(409))
    # When
    with pytest.raises(Conflict):
        real.write(body)
    # Then
    assert (real.versions(), real.open_uploads()) == (0, 0)


@BOTH_WAYS
@pytest.mark.parametrize("refresh", [False, True], ids=["first", "refresh"])
@pytest.mark.parametrize("status", [None, 500])
def test_an_answer_lost_after_the_commit_is_no_failure(
    real: Bucket,
    body: bytes,
    operation: str,
    refresh: bool,  # noqa: FBT001
    status: int | None,
) -> None:
    # Given an object that S3 stores without our hearing of it: the SDK asks again, and is refused
    condition = Condition.absent()
    if refresh:
        condition = Condition.replaces(real.write(b"old", metadata=METADATA | {"attempt": "0"}).etag)
    fault = Fault(status, done=True)
    real.on("before-send", operation, fault)
    # When
    stored = real.write(body, condition=condition)
    # Then it is ours, once
    assert len(fault.calls) == 2
    assert real.body() == body
    assert (stored.size, stored.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert stored.version_id == real.s3.head_object(Bucket=real.name, Key=real.key)["VersionId"]
    assert (real.versions(), real.open_uploads()) == (1 + refresh, 0)


def test_a_completion_that_is_repeated_finds_its_upload_gone(real: Bucket) -> None:
    # Given S3 proper, which forgets an upload that was completed
    lost = Fault(None, done=True)
    real.on("before-send", "CompleteMultipartUpload", Fault(404, times=2))
    real.on("before-send", "CompleteMultipartUpload", lost)
    # When
    stored = real.write(LARGE)
    # Then
    assert len(lost.calls) == 2
    assert stored.version_id == real.s3.head_object(Bucket=real.name, Key=real.key)["VersionId"]


@BOTH_WAYS
@pytest.mark.parametrize("status", [500, None])
def test_a_commit_that_never_succeeds_leaves_nothing(
    real: Bucket, body: bytes, operation: str, status: int | None
) -> None:
    # Given
    fault = Fault(status, times=99)
    real.on("before-send", operation, fault)
    # When
    with pytest.raises(DeliveryError, match=operation):
        real.write(body)
    # Then the SDK has tried as often as it may, and no more
    assert len(fault.calls) == 5
    assert (real.versions(), real.open_uploads()) == (0, 0)


def test_an_object_of_an_earlier_attempt_is_not_taken_for_ours_when_s3_fails(real: Bucket) -> None:
    # Given the object that a refresh is to replace, of the same bytes
    first = real.write(SMALL, metadata=METADATA | {"attempt": "0"})
    real.on("before-send", "PutObject", Fault(500, times=99))
    # When
    with pytest.raises(DeliveryError):
        real.write(SMALL, condition=Condition.replaces(first.etag))
    # Then
    assert real.versions() == 1


@pytest.mark.parametrize(
    "operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]
)
@pytest.mark.parametrize("status", [503, 500, None])
def test_a_passing_trouble_is_ridden_out(real: Bucket, operation: str, status: int | None) -> None:
    # Given
    fault = Fault(status, times=2)
    real.on("before-send", operation, fault)
    body = SMALL if operation == "PutObject" else LARGE
    # When
    real.write(body)
    # Then
    assert len(fault.calls) > 2
    assert real.body() == body
    assert (real.versions(), real.open_uploads()) == (1, 0)


def test_a_part_that_cannot_be_uploaded_ends_it_all(real: Bucket) -> None:
    # Given
    fault = Fault(503, times=999)
    real.on("before-send", "UploadPart", fault)
    # When a file of many parts is landed
    verifier = Counter()
    with pytest.raises(DeliveryError, match=r"UploadPart.*SlowDown"):
        real.write(noise(12 * PART), verifier=verifier)
    # Then it was not read to its end for nothing
    assert verifier.seen < 12 * PART
    assert (real.versions(), real.open_uploads()) == (0, 0)


def test_an_upload_that_s3_began_without_our_hearing_of_it_is_aborted(real: Bucket) -> None:
    # Given
    real.on("before-send", "CreateMultipartUpload", Fault(None, done=True))
    # When
    real.write(LARGE)
    # Then
    assert real.open_uploads() == 0


@pytest.mark.parametrize(
    "operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]
)
def test_a_refusal_names_the_permission_and_nothing_secret(real: Bucket, operation: str) -> None:
    # Given
    fault = Fault(403, times=99)
    real.on("before-send", operation, fault)
    # When
    with pytest.raises(DeliveryError) as caught:
        real.write(SMALL if operation == "PutObject" else LARGE)
    # Then
    text = str(caught.value)
    assert f"S3 {operation} of s3://{real.name}/{real.key}: AccessDenied" in text
    assert "s3:PutObject" in text
    assert "kms:GenerateDataKey" in text
    assert "uploadId" not in text
    assert len(fault.calls) <= 2, "a refusal is not asked again; two parts may be on their way"


def test_an_unreachable_s3_is_said_without_its_url(real: Bucket) -> None:
    # Given
    real.on("before-send", "UploadPart", Fault(None, times=99))
    # When
    with pytest.raises(DeliveryError, match="ReadTimeoutError: S3 could not be reached") as caught:
        real.write(LARGE)
    # Then
    assert "https://" not in str(caught.value)


def test_every_request_names_the_owner_of_the_bucket(mocked: Bucket) -> None:
    # Given
    owners: dict[str, Any] = {}

    def note(request: Any, event_name: str, **_: Any) -> None:
        owners[event_name.rsplit(".", 1)[-1]] = request.headers.get("x-amz-expected-bucket-owner")

    mocked.s3.meta.events.register_first("before-send.s3", note)
    owner = "123456789012"
    # When everything is done that there is to do
    with pytest.raises(CorruptDownloadError):
        mocked.write(LARGE, verifier=Counter(refuses=True), expected_owner=owner)
    mocked.write(LARGE, expected_owner=owner)
    assert find(mocked.s3, mocked.name, mocked.key, owner)
    write_json(mocked.s3, mocked.name, "manifest", {}, owner=owner)
    abort_uploads(mocked.s3, mocked.name, mocked.key, owner)
    # Then
    assert len(owners) == 7
    assert set(owners.values()) == {owner.encode()}


def test_payloads_are_neither_signed_nor_sent_in_chunks(mocked: Bucket) -> None:
    # Given a client as it is on AWS, over HTTPS
    sent: dict[str, dict[str, Any]] = {}

    def note(request: Any, event_name: str, **_: Any) -> None:
        sent[event_name.rsplit(".", 1)[-1]] = dict(request.headers)

    mocked.s3.meta.events.register_first("before-send.s3", note)
    # When
    mocked.write(LARGE)
    write_json(mocked.s3, mocked.name, "manifest", {"schema": 1})
    # Then each carries an explicit CRC32, which Object Lock asks for
    for operation in ("UploadPart", "PutObject", "CompleteMultipartUpload"):
        headers = {name.lower(): value for name, value in sent[operation].items()}
        assert headers["x-amz-checksum-crc32"]
        assert operation != "PutObject" or headers["x-amz-sdk-checksum-algorithm"] == b"CRC32"
        assert "x-amz-trailer" not in headers
        assert "transfer-encoding" not in headers
    assert sent["UploadPart"]["X-Amz-Content-SHA256"] == b"UNSIGNED-PAYLOAD"


def test_nothing_is_found_where_nothing_is(bucket: Bucket) -> None:
    assert find(bucket.s3, bucket.name, bucket.key) is None


def test_uploads_of_a_killed_function_are_cleared_and_no_others(bucket: Bucket) -> None:
    # Given two uploads of the key, and one of another
    other = Bucket(bucket.s3, bucket.name)
    for key in (bucket.key, bucket.key, other.key):
        bucket.s3.create_multipart_upload(Bucket=bucket.name, Key=key)
    # When
    assert abort_uploads(bucket.s3, bucket.name, bucket.key) == 2
    # Then
    assert (bucket.open_uploads(), other.open_uploads()) == (0, 1)


def test_a_manifest_is_written_with_a_checksum_that_s3_checks(real: Bucket) -> None:
    # Given
    def change(params: dict[str, Any], **_: Any) -> None:
        params["Body"] = params["Body"].replace(b"1", b"2")

    write_json(real.s3, real.name, real.key, {"size": 1})
    real.on("before-parameter-build", "PutObject", change)
    # When
    with pytest.raises(DeliveryError, match="BadDigest"):
        write_json(real.s3, real.name, real.key, {"size": 1})
    # Then
    reply = real.s3.get_object(Bucket=real.name, Key=real.key)
    assert (reply["Body"].read(), reply["ContentType"]) == (b'{\n  "size": 1\n}\n', "application/json")
    assert real.versions() == 1


def test_a_manifest_can_be_written_once_only(bucket: Bucket) -> None:
    # Given
    write_json(bucket.s3, bucket.name, bucket.key, {"size": 1}, condition=Condition.absent())
    # When
    with pytest.raises(AlreadyThere):
        write_json(bucket.s3, bucket.name, bucket.key, {"size": 2}, condition=Condition.absent())


def test_a_stop_ends_an_upload_that_s3_holds_up(real: Bucket) -> None:
    # Given an S3 that takes no part, and a function that is told to stop while it waits
    held, stopped = threading.Event(), threading.Event()

    def hold(**_: Any) -> None:
        held.set()
        stopped.wait(20)

    def check() -> None:
        if held.is_set():
            stopped.set()
            raise TimeoutError("900 s are over")

    real.on("before-send", "UploadPart", hold)
    # When
    with pytest.raises(TimeoutError):
        real.write(noise(12 * PART), check=check)
    # Then
    assert (real.versions(), real.open_uploads()) == (0, 0)
