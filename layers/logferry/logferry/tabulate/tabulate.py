"""Tabulate: a landed export as one Parquet object of its source's table.

An event only says that a key is worth a look. What is done follows from the manifest that lies there now and
from the ledger, and is done again until neither has changed meanwhile: duplicate, late and crossing events
all end the same. A file is made on disk and put once, under a condition, so that a table never holds half.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from logferry import runtime
from logferry.errors import DeliveryError
from logferry.storage.bucket import (
    AlreadyThere,
    Condition,
    Conflict,
    abort_uploads,
    delivering,
    find,
    owned_by,
)
from logferry.storage.writer import ObjectWriter
from logferry.tabulate.landing import find_landing
from logferry.tabulate.landing_rows import landing_rows
from logferry.tabulate.parquet import write_table
from logferry.tabulate.rows import Counts, batched
from logferry.tabulate.schema import TABLES
from logferry.tabulate.values import microseconds
from logferry.telemetry import log, measure
from logferry.unpack.certified import Nothing, patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logferry.storage.manifest import Landed
    from logferry.tabulate.landing import Landing

READ_BYTES: Final = 256 * 1024
SPARE_SECONDS: Final = 15.0
TURNS: Final = 5


class TableChanged(Exception):  # noqa: N818 - no failure: the caller looks again
    """Another landing has taken the manifest's place."""


def tabulate(
    event: Mapping[str, Any],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Bring the table in line with the manifest that an S3 `Object Created` event names, within `seconds`.

    Returns `{key, table_key, rows, row_errors}`: the manifest's key and what lies in the table now, where it
    was written; `table_key` is None where there is nothing to do. Raises DeliveryError, also where the ledger
    does not say yet that it landed, and CorruptDownloadError.
    Event: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
    """
    bucket, key = event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
    deadline = clock() + seconds - SPARE_SECONDS

    def check() -> None:
        if clock() > deadline:
            raise DeliveryError(f"tabulating {key} takes too long; give the function more memory")

    for _ in range(TURNS):
        try:
            return Tabulating(patiently(lambda: find_landing(bucket, key), sleep), check).run()
        except Nothing as nothing:
            log().info("nothing to tabulate", extra={"key": key, "reason": str(nothing)})
            return {"key": key, "table_key": None, "rows": 0, "row_errors": 0}
        except (TableChanged, AlreadyThere, Conflict) as change:
            log().info("looking again", extra={"key": key, "reason": type(change).__name__})
    raise DeliveryError(f"{key} changed {TURNS} times while it was tabulated: try again later")


class Tabulating:
    """One landing. `run` raises TableChanged, AlreadyThere or Conflict where it must begin anew."""

    def __init__(self, landing: Landing, check: Callable[[], None]) -> None:
        self._landing, self._check = landing, check
        self._s3 = runtime.s3()
        self._bucket, self._owner = runtime.settings().bucket, runtime.settings().bucket_owner
        self._counts = Counts()
        self._schema = TABLES[landing.feed.table]
        self._key = landing.key
        self._marks = {"export-id": landing.manifest.export_id, "source-version": landing.version}

    def run(self) -> dict[str, Any]:
        """Make the file and put it, where it is not there already."""
        existing = find(self._s3, self._bucket, self._key, self._owner)
        if existing and self._marks.items() <= existing.metadata.items():
            return self._done("tabulated already", existing.metadata)
        if existing and existing.metadata.get("export-id") != self._marks["export-id"]:
            raise DeliveryError(
                f"s3://{self._bucket}/{self._key} holds another object; move it away, then try again"
            )
        condition = Condition.replaces(existing.etag) if existing else Condition.absent()
        with TemporaryDirectory() as folder:
            path = Path(folder, "table.parquet")
            write_table(
                path,
                self._schema.columns,
                self._batches(),
                group_rows=self._landing.group_rows,
                metadata=self._marks,  # the bytes, and so the ETag, are another landing's never
            )
            self._put(path, condition)
        counts = self._counts
        measure(
            self._landing.source.name,
            TableRows=counts.rows,
            TableRowErrors=counts.row_errors,
            TableUnreadable=counts.unreadable,
        )
        return self._done("tabulated", self._metadata())

    def _metadata(self) -> dict[str, str]:
        counts = self._counts
        numbers = {
            "rows": counts.rows,
            "row-errors": counts.row_errors,
            "unreadable": counts.unreadable,
            "entries": counts.entries,
            "skipped-entries": counts.skipped,
        }
        return {**self._marks, **{name: str(number) for name, number in numbers.items()}}

    def _done(self, message: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        key, rows, errors = self._landing.manifest.key, int(metadata["rows"]), int(metadata["row-errors"])
        log().info(message, extra={"key": key, "table_key": self._key, "counts": dict(metadata)})
        return {"key": key, "table_key": self._key, "rows": rows, "row_errors": errors}

    def _batches(self) -> Iterator[tuple[list[list[Any]], Mapping[str, Any]]]:
        """Yield the rows of all objects in batches, column by column."""
        for landed in self._landing.manifest.objects:
            origin = self._origin(landed)
            for entry, rows in landing_rows(
                self._chunks(landed),
                self._landing.source.kind,
                self._landing.feed,
                self._schema.values,
                self._counts,
            ):
                yield from batched(rows, {**origin, "entry": entry})

    def _origin(self, landed: Landed) -> dict[str, Any]:
        request, window = self._landing.request, self._landing.request.window
        return {
            "source": request.source,
            "connection": request.connection,
            "folder": request.target.get("folder"),
            "service": request.target.get("service"),
            "window_start": microseconds(window.start) if window else None,
            "window_end": microseconds(window.end) if window else None,
            "export_id": request.export_id,
            "source_key": landed.key,
            "source_version": landed.version_id,
        }

    def _chunks(self, landed: Landed) -> Iterator[bytes]:
        version: dict[str, Any] = {"VersionId": landed.version_id} if landed.version_id else {}
        with delivering("GetObject", self._bucket, landed.key):
            reply = self._s3.get_object(
                Bucket=self._bucket, Key=landed.key, **version, **owned_by(self._owner)
            )
            with reply["Body"] as body:
                while chunk := body.read(READ_BYTES):
                    self._check()
                    yield chunk

    def _put(self, path: Path, condition: Condition) -> None:
        with (
            path.open("rb") as file,
            ObjectWriter(
                self._s3,
                self._bucket,
                self._key,
                metadata=self._metadata(),
                content_type="application/vnd.apache.parquet",
                condition=condition,
                expected_owner=self._owner,
                size_hint=path.stat().st_size,
                check=self._check,
            ) as writer,
        ):
            while count := file.readinto(writer.buffer()[:READ_BYTES]):
                writer.advance(count)
            # Looked at after what is replaced, whose condition tells what came in between.
            if not self._landing.manifest.is_current(self._s3, self._bucket, self._owner):
                raise TableChanged
            writer.commit()
        # What is open now was left by a killed process, or is a duplicate's, whose next try finds all done.
        abort_uploads(self._s3, self._bucket, self._key, self._owner)
