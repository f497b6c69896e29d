"""One multipart upload: parts go up from shared buffers in a few threads, and the first failure ends it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from logferry.errors import DeliveryError
from logferry.storage.bucket import abort_upload, abort_uploads, checksum_text, delivering
from logferry.storage.buffers import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

    from logferry.storage.buffers import Buffers

UPLOADERS: Final = 3
"""As many as there are buffers: while one fills, two are on their way; at the end all three."""
TURN_SECONDS: Final = 1.0
"""How often a wait for S3 asks whether to go on."""
ABORT_SECONDS: Final = 10.0
"""How long an abort waits for parts on their way; a part ends with its next MiB."""


class Multipart:
    """An upload that S3 knows of: it must be completed, or aborted. `target` is bucket, key and owner."""

    def __init__(
        self, s3: S3Client, target: Mapping[str, Any], about: Mapping[str, Any], buffers: Buffers
    ) -> None:
        self._s3 = s3
        self._target = target
        self._buffers = buffers
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._done: dict[int, tuple[str, str]] = {}
        try:
            with delivering("CreateMultipartUpload", target["Bucket"], target["Key"]):
                reply = s3.create_multipart_upload(
                    ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT", **target, **about
                )
        except DeliveryError:
            self._clear()
            raise
        self.id = reply["UploadId"]
        self._asked_again = reply["ResponseMetadata"]["RetryAttempts"] > 0
        self._threads = ThreadPoolExecutor(UPLOADERS, "upload")

    @property
    def parts(self) -> list[CompletedPartTypeDef]:
        """What CompleteMultipartUpload wants to know of every part."""
        return [
            {"PartNumber": number, "ETag": etag, "ChecksumCRC32": checksum}
            for number, (etag, checksum) in sorted(self._done.items())
        ]

    def send(self, number: int, buffer: memoryview, length: int, crc32: int) -> None:
        """Upload the first `length` bytes of a buffer as a part; the buffer comes back by itself."""
        self._threads.submit(self._upload, number, buffer, length, crc32)

    def go_on(self) -> None:
        """Raise what a part failed with, a DeliveryError."""
        if self._failure:
            raise self._failure

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until all parts are up. Raises DeliveryError, and what `check` raises, once a second."""
        while not self._buffers.idle(TURN_SECONDS):
            check()
        self.go_on()

    def abort(self) -> None:
        """Stop the parts on their way and abort. Raises DeliveryError."""
        self._stop.set()
        self._threads.shutdown(wait=False)
        self._buffers.idle(ABORT_SECONDS)  # a part that arrives after the abort may be kept, and paid for
        abort_upload(self._s3, self._target["Bucket"], self._target["Key"], self.id, self._owner)
        if self._asked_again:
            self._clear()

    def close(self) -> None:
        """Release the threads after the completion."""
        self._threads.shutdown(wait=False)
        if self._asked_again:
            self._clear()

    def _clear(self) -> None:
        """Abort the uploads that S3 began for us without our hearing of it, where its answer was lost."""
        with suppress(DeliveryError):  # the next fetch looks for them too
            abort_uploads(self._s3, self._target["Bucket"], self._target["Key"], self._owner)

    @property
    def _owner(self) -> str | None:
        return self._target.get("ExpectedBucketOwner")

    def _upload(self, number: int, buffer: memoryview, length: int, crc32: int) -> None:
        checksum = checksum_text(crc32)
        try:
            if self._stop.is_set():
                return
            body: Any = Body(buffer[:length], self._stop)
            with delivering("UploadPart", self._target["Bucket"], self._target["Key"]):
                reply = self._s3.upload_part(
                    UploadId=self.id,
                    PartNumber=number,
                    Body=body,
                    ChecksumCRC32=checksum,
                    **self._target,
                )
            self._done[number] = (reply["ETag"], checksum)
        except Exception as error:  # noqa: BLE001 - go_on raises it where the caller waits
            self._failure = self._failure or error
            self._stop.set()
        finally:
            self._buffers.give_back(buffer)
