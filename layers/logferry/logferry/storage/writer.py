"""The object on its way: buffers are filled in front, parts go up behind, and it appears at once or never."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from logferry.errors import DeliveryError
from logferry.storage.bucket import (
    AlreadyThere,
    Conflict,
    Stored,
    checksum_text,
    delivery_error,
    find,
    http_status,
    owned_by,
)
from logferry.storage.buffers import MEMORY, MOST_PARTS, SMALLEST_PART, Body, Buffers, part_size
from logferry.storage.multipart import TURN_SECONDS, Multipart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

    from logferry.storage.bucket import Condition, Existing

CERTAIN: Final = frozenset({400, 401, 403})
"""Answers after which nothing can lie under the key; after any other one, or none, a look decides."""


class ObjectWriter:
    """An object on its way into the bucket: fill `buffer()`, `advance()`, and in the end `commit()`.

    Leaving the `with` block without a commit, for whatever reason, leaves nothing under the key and no upload
    open. `metadata` has lower-case names and is what tells our object from another's, so it must be different
    for each attempt. `size_hint` is the file's size in bytes where it is known. `check` is called before each
    buffer and once a second while S3 is waited for: it stops the upload by raising.

    Memory: 36 MiB of part buffers at most, whatever the size. Raises DeliveryError at once where 10,000 parts
    of that memory would not hold the file.
    """

    def __init__(  # noqa: PLR0913 - each is a fact about the object, none has a default that is safe
        self,
        s3: S3Client,
        bucket: str,
        key: str,
        *,
        metadata: Mapping[str, str],
        content_type: str,
        condition: Condition,
        expected_owner: str | None = None,
        size_hint: int | None = None,
        check: Callable[[], None] = lambda: None,
        smallest_part: int = SMALLEST_PART,
        memory: int = MEMORY,
    ) -> None:
        if size_hint and size_hint > memory * MOST_PARTS:
            raise DeliveryError(f"{size_hint} bytes are more than {MOST_PARTS} parts of {memory} bytes hold")
        self._s3 = s3
        self._bucket, self._key, self._owner = bucket, key, expected_owner
        self._target: dict[str, Any] = {"Bucket": bucket, "Key": key, **owned_by(expected_owner)}
        self._about: dict[str, Any] = {"Metadata": dict(metadata), "ContentType": content_type}
        self._condition = condition
        self._check = check
        self._sizes = partial(part_size, size=size_hint, smallest=smallest_part, memory=memory)
        self._buffers = Buffers(memory)
        self._buffer: memoryview | None = None
        self._filled = 0
        """Bytes of the current buffer, whose CRC32 is `_part_crc32`."""
        self._part_crc32 = 0
        self._sent = 0
        """Parts handed over; `_size` and `_crc32` are of all that was handed over."""
        self._size, self._crc32 = 0, 0
        self._sha256 = hashlib.sha256()
        self._upload: Multipart | None = None
        self._stored: Stored | None = None
        self._found = False
        """The object was there although the SDK said otherwise."""

    def __enter__(self) -> Self:
        return self

    @property
    def size(self) -> int:
        """Return the bytes that were filled so far."""
        return self._size + self._filled

    def buffer(self) -> memoryview:
        """Return the free space of the current part, at least one byte; waits for S3 if all are full.

        Raises DeliveryError where a part could not be uploaded, and what `check` raises.
        """
        self._check()
        while self._buffer is None:
            if self._upload:
                self._upload.go_on()
            self._buffer = self._buffers.take(self._sizes(self._sent + 1), TURN_SECONDS)
            self._check()
        return self._buffer[self._filled :]

    def advance(self, count: int) -> None:
        """Note that `count` bytes of the buffer were filled; a full part goes up. Raises DeliveryError."""
        if self._buffer is None:
            raise RuntimeError("advance() without buffer()")
        chunk = self._buffer[self._filled : self._filled + count]
        self._sha256.update(chunk)
        self._part_crc32 = isal_zlib.crc32(chunk, self._part_crc32)
        self._filled += count
        if self._filled == len(self._buffer):
            self._hand_over(self._buffer)

    def commit(self) -> Stored:
        """Make the object appear, whole, if the condition holds.

        Raises AlreadyThere where the key holds something else than the condition says (412), Conflict where
        the upload must start again (409), DeliveryError for anything else. An answer that was lost is no
        failure: what then lies under the key decides.
        """
        if self._upload is None:
            self._stored = self._conclude("PutObject", self._put)
        else:
            if self._buffer is not None and self._filled:
                self._hand_over(self._buffer)
            self._let_go()
            self._upload.wait(self._check)
            self._stored = self._conclude("CompleteMultipartUpload", partial(self._complete, self._upload))
        return self._stored

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()
        try:
            if self._upload and self._stored and not self._found:
                self._upload.close()
            elif self._upload:
                self._upload.abort()
        except DeliveryError as failure:
            if error:
                error.add_note(str(failure))
            elif not self._stored:  # a landed object is landed, whatever is left beside it
                raise
        finally:
            self._buffers.release()

    def _hand_over(self, buffer: memoryview) -> None:
        if self._sent == MOST_PARTS:
            raise DeliveryError(
                f"the file has {MOST_PARTS} parts already, {self._size} bytes: S3 takes no more"
            )
        if self._upload is None:
            self._upload = Multipart(self._s3, self._target, self._about, self._buffers)
        self._count()
        self._sent += 1
        self._upload.send(self._sent, buffer, self._filled, self._part_crc32)
        self._buffer, self._filled, self._part_crc32 = None, 0, 0

    def _count(self) -> None:
        """Add the current part to what is known of the whole; the CRC32 follows from those of the parts."""
        self._crc32 = isal_zlib.crc32_combine(self._crc32, self._part_crc32, self._filled)
        self._size += self._filled

    def _let_go(self) -> None:
        if self._buffer is not None:
            self._buffers.give_back(self._buffer)
        self._buffer, self._filled = None, 0

    def _put(self) -> Mapping[str, Any]:
        content = self._buffer[: self._filled] if self._buffer is not None else memoryview(b"")
        body: Any = content.tobytes() if len(content) <= Body.STEP else Body(content, threading.Event())
        self._count()
        return self._s3.put_object(
            Body=body,
            ChecksumAlgorithm="CRC32",  # Object Lock asks for the name too
            ChecksumCRC32=checksum_text(self._crc32),
            **self._target,
            **self._about,
            **self._condition.arguments,
        )

    def _complete(self, upload: Multipart) -> Mapping[str, Any]:
        return self._s3.complete_multipart_upload(
            UploadId=upload.id,
            MultipartUpload={"Parts": upload.parts},
            ChecksumCRC32=checksum_text(self._crc32),
            ChecksumType="FULL_OBJECT",
            MpuObjectSize=self._size,
            **self._target,
            **self._condition.arguments,
        )

    def _conclude(self, operation: str, call: Callable[[], Mapping[str, Any]]) -> Stored:
        try:
            reply = call()
        except (ClientError, BotoCoreError) as error:
            existing = self._look(operation, error)
            # Perhaps it was another call of the same attempt that put it: then our own upload is still open.
            self._found = True
            return self._as_stored(existing.etag, existing.version_id)
        return self._as_stored(reply["ETag"], reply.get("VersionId"))

    def _look(self, operation: str, error: Exception) -> Existing:
        """Return our own object where it appeared although the SDK says otherwise; else raise what is wrong.

        An SDK that repeats a request whose answer was lost gets 404 (the upload is completed) or 412 (the key
        is taken), by our own object.
        """
        failure = delivery_error(operation, self._bucket, self._key, error)
        status = http_status(error)
        if status in CERTAIN:
            raise failure from error
        try:
            existing = find(self._s3, self._bucket, self._key, self._owner)
        except DeliveryError as blind:
            failure.add_note(str(blind))
            raise failure from error
        if existing and self._is_ours(existing):
            return existing
        if status == HTTPStatus.PRECONDITION_FAILED:
            raise AlreadyThere(existing) from error
        if status == HTTPStatus.CONFLICT:
            raise Conflict(str(failure)) from error
        raise failure from error

    def _is_ours(self, existing: Existing) -> bool:
        return (
            existing.metadata == self._about["Metadata"]
            and existing.size == self._size
            and existing.crc32 in {None, self._crc32}
        )

    def _as_stored(self, etag: str, version_id: str | None) -> Stored:
        return Stored(self._key, version_id, etag, self._size, self._sha256.hexdigest(), self._crc32)
