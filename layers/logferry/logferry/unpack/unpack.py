"""Unpack: the entries of a landed archive as objects that Athena and Spark read, beside the archive itself.

An event only says that a key is worth a look. What is done follows from the manifest that lies there now and
from the ledger, and is done again until nothing has changed meanwhile: so duplicate, late and crossing events
all end the same.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from logferry import runtime
from logferry.errors import CorruptDownloadError, DeliveryError
from logferry.storage.bucket import (
    AlreadyThere,
    Condition,
    Conflict,
    abort_uploads,
    delivering,
    delivery_error,
    find,
    http_status,
    owned_by,
)
from logferry.storage.writer import ObjectWriter
from logferry.telemetry import log
from logferry.unpack.certified import Nothing, export_named, ledger_row, manifest_at, patiently
from logferry.unpack.entry_keys import EntryKeys
from logferry.unpack.json_lines import JsonLines
from logferry.unpack.repack import Repacked
from logferry.verify.findings import ArchiveLimits
from logferry.verify.reader import Reader
from logferry.verify.zip_archive import ZipWalk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logferry.storage.bucket import Existing
    from logferry.storage.manifest import Landed, Manifest

ARCHIVE: Final = "application/zip"
"""What is unpacked. Gzip of JSON Lines is read as it is, and a workbook is a ZIP of nothing that is lines."""
READ_BYTES: Final = 256 * 1024
PART: Final = 8 * 1024**2
MEMORY: Final = 3 * PART
"""Packing is slower than S3: three parts of 8 MiB are never all on their way. 10,000 of them hold 78 GiB."""
SPARE_SECONDS: Final = 15.0
"""Kept back to abort an upload in good order before Lambda ends the process."""
TURNS: Final = 5
"""Times to begin again while somebody else changes the same export."""
SHOWN: Final = 5
COUNTS: Final = ("unpacked", "kept", "packed", "removed")
GONE_OR_CHANGED: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
)


class Changed(Exception):  # noqa: N818 - no failure: the caller looks again
    """Another landing has taken the manifest's place, or another unpack changed an object of it."""


def unpack(
    event: Mapping[str, Any],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Bring `unpacked/` in line with the manifest that an S3 `Object Created` event names, within `seconds`.

    Gives `{key, unpacked, kept, packed, removed}`: the manifest's key and numbers of entries, `kept` being
    those that were there already, `packed` those of no use to Athena, `removed` those of an earlier landing.
    Raises DeliveryError, also where the ledger does not say yet that it landed; CorruptDownloadError where
    entries could not be read, after all others were written.
    Event: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
    """
    bucket, key = event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
    deadline = clock() + seconds - SPARE_SECONDS

    def check() -> None:
        if clock() > deadline:
            raise DeliveryError(f"unpacking {key} takes too long; the next try goes on from here")

    for _ in range(TURNS):
        try:
            manifest = patiently(lambda: _landed(bucket, key), sleep)
        except Nothing as nothing:
            log().info("nothing to unpack", extra={"key": key, "reason": str(nothing)})
            return {"key": key, **dict.fromkeys(COUNTS, 0)}
        archives = [Unpacking(manifest, landed, check) for landed in manifest.objects]
        try:
            for archive in archives:
                archive.run()
        except (Changed, AlreadyThere, Conflict) as change:
            log().info("looking again", extra={"key": key, "reason": type(change).__name__})
            continue
        counts = {name: sum(archive.counts[name] for archive in archives) for name in COUNTS}
        log().info("unpacked", extra={"key": key, **counts})
        broken = [each for archive in archives for each in archive.broken]
        if broken:
            shown = "; ".join(broken[:SHOWN])
            raise CorruptDownloadError(f"{len(broken)} entries could not be unpacked: {shown}")
        return {"key": key, **counts}
    raise DeliveryError(f"{key} changed {TURNS} times while it was unpacked: try again later")


def _landed(bucket: str, key: str) -> Manifest:
    """Return the manifest of a landed archive, as the ledger has it. Raises Nothing and NotYet."""
    manifest = manifest_at(bucket, key)
    if manifest.content_type != ARCHIVE:
        raise Nothing("no archive")
    _, request = export_named(manifest)
    ledger_row(manifest, request)
    return manifest


class Unpacking:
    """One archive on its way. `run` raises Changed, AlreadyThere or Conflict where it must begin again."""

    def __init__(self, manifest: Manifest, landed: Landed, check: Callable[[], None]) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.broken: list[str] = []
        self._s3 = runtime.s3()
        self._bucket, self._owner = runtime.settings().bucket, runtime.settings().bucket_owner
        self._manifest, self._landed = manifest, landed
        self._check = check
        self._keys = EntryKeys(landed.key)
        self._marks = {
            "export-id": manifest.export_id,
            # Tells this landing's objects from an earlier one's; without versions the manifest does.
            "source-version": landed.version_id or manifest.etag.strip('"'),
        }
        self._there: set[str] = set()
        self._current: tuple[str, Repacked] | None = None
        self._stack = ExitStack()

    def run(self) -> None:
        """Write every entry that is not there, take away what an earlier landing had more."""
        self._there = self._list()
        with self._stack:
            # The archive is verified again on its way, and its entries are handed out.
            ZipWalk(Reader(self._chunks()), ArchiveLimits(), self._begin).entries()
            self._end()
        for key in sorted(self._there - self._keys.taken):
            self._remove(key)
        self._stay()
        # What is open now was left by a killed process, or is a duplicate's, whose next try finds all done.
        abort_uploads(self._s3, self._bucket, self._keys.prefix, self._owner)

    def _list(self) -> set[str]:
        with delivering("ListObjectsV2", self._bucket, self._keys.prefix):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._keys.prefix, **owned_by(self._owner)
            )
            return {each["Key"] for page in pages for each in page.get("Contents", ())}

    def _chunks(self) -> Iterator[bytes]:
        """Stream the version that the manifest names."""
        landed = self._landed
        version: dict[str, Any] = {"VersionId": landed.version_id} if landed.version_id else {}
        with delivering("GetObject", self._bucket, landed.key):
            reply = self._s3.get_object(
                Bucket=self._bucket, Key=landed.key, **version, **owned_by(self._owner)
            )
            with reply["Body"] as body:
                while chunk := body.read(READ_BYTES):
                    self._check()
                    yield chunk

    def _begin(self, name: str) -> Repacked | None:
        """Take the next entry of the archive; give what takes its content, None where nobody does."""
        self._end()
        key = self._keys.take(name)
        if key is None:
            self.counts["packed"] += 1
            return None
        condition = self._condition(key)
        if condition is None:
            self.counts["kept"] += 1
            return None
        writer = ObjectWriter(
            self._s3,
            self._bucket,
            key,
            metadata=self._marks,
            content_type="application/gzip",
            condition=condition,
            expected_owner=self._owner,
            check=self._check,
            smallest_part=PART,
            memory=MEMORY,
        )
        repacked = Repacked(writer, JsonLines() if key.endswith(".json.gz") else None)
        self._current = key, self._stack.enter_context(repacked)
        return repacked

    def _end(self) -> None:
        self._stack.close()
        if self._current:
            key, repacked = self._current
            self._current = None
            self.counts["unpacked"] += repacked.written
            if repacked.empty:
                self._keys.taken.discard(key)
            if repacked.broken:
                self.broken.append(f"{key}: {repacked.broken}")

    def _condition(self, key: str) -> Condition | None:
        """Return what must be true of the key for an entry to be written; None where it is there already."""
        existing = self._find(key)
        if existing is None:
            return Condition.absent()
        if existing.metadata == self._marks:
            return None
        if existing.metadata.get("export-id") != self._manifest.export_id:
            raise DeliveryError(
                f"s3://{self._bucket}/{key} holds another object; move it away, then try again"
            )
        self._stay()
        return Condition.replaces(existing.etag)

    def _find(self, key: str) -> Existing | None:
        return find(self._s3, self._bucket, key, self._owner) if key in self._there else None

    def _stay(self) -> None:
        """Go on only while the manifest is the same: nothing may replace what is newer.

        Looked at after the object that is to be replaced, whose condition tells what came in between.
        """
        if not self._manifest.is_current(self._s3, self._bucket, self._owner):
            raise Changed

    def _remove(self, key: str) -> None:
        """Put a delete marker on what this landing has no more; its versions stay."""
        existing = self._find(key)
        if existing is None or existing.metadata.get("export-id") != self._manifest.export_id:
            return
        self._stay()
        try:
            self._s3.delete_object(
                Bucket=self._bucket, Key=key, IfMatch=existing.etag, **owned_by(self._owner)
            )
        except (ClientError, BotoCoreError) as error:
            if http_status(error) in GONE_OR_CHANGED:
                raise Changed from error
            raise delivery_error("DeleteObject", self._bucket, key, error) from error
        self.counts["removed"] += 1
