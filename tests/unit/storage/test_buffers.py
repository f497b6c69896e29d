from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import DeliveryError
from logferry.storage.buffers import MEBIBYTE, MEMORY, MOST_PARTS, Body, Buffers, StoppedError, part_size
from logferry.storage.landing import Condition, ObjectWriter

if TYPE_CHECKING:
    from collections.abc import Callable

SMALLEST_OF_S3 = 5 * MEBIBYTE
GIBIBYTE = 1 << 30
UNIT = 1000
"""Bytes of the parts in these tests."""


class S3:
    """S3 as far as a multipart upload goes; `hold` may keep a part from arriving."""

    def __init__(self, hold: Callable[[], object] = lambda: None) -> None:
        self.hold = hold
        self.parts: dict[int, bytes] = {}
        self.calls: list[str] = []
        self.under_way, self.most_under_way = 0, 0
        self._lock = threading.Lock()

    def create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        self.calls.append("create")
        return {"UploadId": "u", "ResponseMetadata": {"RetryAttempts": 0}}

    def upload_part(self, *, PartNumber: int, Body: Body, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        self.hold()
        self.parts[PartNumber] = bytes(Body.read(-1))
        with self._lock:
            self.under_way -= 1
        return {"ETag": f"{PartNumber}"}

    def complete_multipart_upload(self, **_: Any) -> dict[str, Any]:
        self.calls.append("complete")
        return {"ETag": "whole"}

    def abort_multipart_upload(self, **_: Any) -> None:
        self.calls.append("abort")


def writer_to(s3: Any, **more: Any) -> ObjectWriter:
    more = {"smallest_part": UNIT, "memory": 4 * UNIT, **more}
    return ObjectWriter(
        s3, "bucket", "key", metadata={}, content_type="application/zip", condition=Condition.absent(), **more
    )


def fill(writer: ObjectWriter, size: int) -> bytes:
    """Write `size` bytes in pieces of odd lengths; give them."""
    body = hashlib.shake_128(b"parts").digest(size)
    at = 0
    while at < size:
        view = writer.buffer()
        piece = body[at : at + min(len(view), 317)]
        view[: len(piece)] = piece
        writer.advance(len(piece))
        at += len(piece)
    return body


@given(st.integers(0, MOST_PARTS * MEMORY))
def test_ten_thousand_parts_hold_a_file_of_known_size(size: int) -> None:
    parts = part_size(1, size)
    assert MOST_PARTS * parts >= size
    assert SMALLEST_OF_S3 <= parts <= MEMORY


@pytest.mark.parametrize("size", [0, 100_000, GIBIBYTE, 70 * GIBIBYTE])
def test_parts_stay_small_where_they_may(size: int) -> None:
    assert part_size(1, size) == 12 * MEBIBYTE


def test_parts_grow_where_the_size_is_unknown() -> None:
    # When
    sizes = [part_size(number, None) for number in range(1, MOST_PARTS + 1)]
    # Then they never shrink, the memory holds each, and all of them more than 900 s of a link can carry
    assert sizes == sorted(sizes)
    assert sizes[0] == 12 * MEBIBYTE
    assert sizes[-1] == MEMORY
    assert sum(sizes) > 200 * GIBIBYTE


def test_a_file_that_no_upload_holds_is_refused_before_a_byte_moves() -> None:
    s3 = S3()
    with pytest.raises(DeliveryError, match="more than 10000 parts"):
        writer_to(s3, size_hint=4 * UNIT * MOST_PARTS + 1)
    assert s3.calls == []


def test_parts_arrive_in_their_places_through_growing_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given parts that grow after every third: a quarter of the memory, a third, a half, all of it
    monkeypatch.setattr("logferry.storage.buffers.GROW_AFTER", 3)
    s3 = S3()
    # When
    with writer_to(s3) as writer:
        body = fill(writer, 30 * UNIT + 1)
        stored = writer.commit()
    # Then
    assert b"".join(part for _, part in sorted(s3.parts.items())) == body
    sizes = [len(part) for _, part in sorted(s3.parts.items())]
    assert sizes == [*[1000] * 3, *[1333] * 3, *[2000] * 3, *[4000] * 4, 1002]
    assert (stored.size, stored.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_reading_waits_for_s3_when_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an S3 that holds every part up, and a memory of four
    monkeypatch.setattr("logferry.storage.writer.TURN_SECONDS", 0.01)
    go, filled = threading.Event(), 0
    s3 = S3(hold=lambda: go.wait(20))

    def check() -> None:
        if (filled, s3.under_way) == (4, 3):
            go.set()
            raise TimeoutError("no memory is left")

    def read_on() -> None:
        nonlocal filled
        with writer_to(s3, check=check) as writer:
            while True:
                writer.advance(len(writer.buffer()))
                filled += 1

    # When
    with pytest.raises(TimeoutError):
        read_on()
    # Then four parts were read, not one more, of which three were on their way
    assert (filled, s3.most_under_way) == (4, 3)
    assert s3.calls == ["create", "abort"]


def test_a_failed_part_is_told_at_the_next_read() -> None:
    # Given
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise DeliveryError("S3 UploadPart failed")

    def read_on() -> None:
        with writer_to(s3) as writer:
            writer.advance(len(writer.buffer()))
            failed.wait(20)
            for _ in range(8):
                writer.advance(len(writer.buffer()))

    s3 = S3(hold=fail)
    # When
    with pytest.raises(DeliveryError, match="UploadPart"):
        read_on()
    # Then
    assert s3.calls == ["create", "abort"]


def test_leaving_the_block_stops_parts_that_are_on_their_way() -> None:
    # Given a part that takes seconds
    sending, never = threading.Event(), threading.Event()

    class Slow(S3):
        stopped = False

        def upload_part(self, *, Body: Body, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
            sending.set()
            try:
                for _again in range(3000):
                    Body.seek(0)
                    never.wait(0.001)
            except StoppedError:
                self.stopped = True
                raise
            return {"ETag": "1"}

    # When
    s3 = Slow()
    with writer_to(s3) as writer:
        fill(writer, UNIT)
        sending.wait(20)
    # Then
    assert s3.stopped
    assert s3.calls == ["create", "abort"]


def test_an_abort_that_fails_is_told_with_what_went_wrong_first() -> None:
    # Given
    class Stubborn(S3):
        def abort_multipart_upload(self, **_: Any) -> None:
            raise DeliveryError("AbortMultipartUpload is refused")

    def break_off() -> None:
        with writer_to(Stubborn()) as writer:
            fill(writer, 2 * UNIT)
            raise ValueError("first")

    # When
    with pytest.raises(ValueError, match="first") as caught:
        break_off()
    # Then
    assert caught.value.__notes__ == ["AbortMultipartUpload is refused"]


def test_what_landed_stays_landed_where_its_leftovers_cannot_be_cleared() -> None:
    # Given a completion whose answer is lost, after which nothing can be aborted
    class Deaf(S3):
        def complete_multipart_upload(self, **_: Any) -> dict[str, Any]:
            raise ReadTimeoutError(endpoint_url="https://s3.test")

        def head_object(self, **_: Any) -> dict[str, Any]:
            return {"ETag": "whole", "ContentLength": 2 * UNIT, "Metadata": {}}

        def abort_multipart_upload(self, **_: Any) -> None:
            raise DeliveryError("AbortMultipartUpload is refused")

    # When
    with writer_to(Deaf()) as writer:
        fill(writer, 2 * UNIT)
        stored = writer.commit()
    # Then
    assert stored.etag == "whole"


def test_a_buffer_is_taken_again_only_when_it_came_back() -> None:
    # Given
    buffers = Buffers(4 * UNIT)
    taken = [buffers.take(UNIT, 0) for _ in range(4)]
    assert buffers.take(UNIT, 0) is None
    # When
    assert taken[0] is not None
    buffers.give_back(taken[0])
    # Then
    assert buffers.take(UNIT, 0) is taken[0]
    assert not buffers.idle(0)


def test_larger_buffers_wait_until_all_are_back() -> None:
    # Given
    buffers = Buffers(4 * UNIT)
    small = buffers.take(UNIT, 0)
    assert small is not None
    # Then the memory is cut anew only when nobody uses it
    assert buffers.take(2 * UNIT, 0) is None
    buffers.give_back(small)
    large = [buffers.take(2 * UNIT, 0) for _ in range(3)]
    assert [len(buffer) if buffer else 0 for buffer in large] == [2 * UNIT, 2 * UNIT, 0]


def test_a_part_is_read_as_a_file_and_again_for_a_retry() -> None:
    # Given a part larger than one read gives
    content = hashlib.shake_128(b"body").digest(2 * Body.STEP + 5)
    body = Body(memoryview(content), threading.Event())
    # Then
    for _ in range(2):
        assert b"".join(iter(lambda: bytes(body.read(16384)), b"")) == content
        assert body.tell() == len(body)
        assert body.seek(0) == 0
    assert body.seek(-5, 2) == len(content) - 5
    assert bytes(body.read(1)) == content[-5:]


def test_a_stopped_part_ends_at_once_and_is_not_tried_again() -> None:
    # Given
    stop = threading.Event()
    body = Body(memoryview(b"content"), stop)
    # When
    stop.set()
    # Then
    with pytest.raises(StoppedError):
        body.read(1)
    with pytest.raises(StoppedError):
        body.seek(0)
