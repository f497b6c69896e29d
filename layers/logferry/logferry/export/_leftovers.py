"""What an attempt that failed has left in the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logferry import runtime
from logferry.export._ownership import uncommitted
from logferry.export._vendor import final_key
from logferry.storage.bucket import abort_uploads, find, remove
from logferry.storage.keys import manifest_key
from logferry.telemetry import log

if TYPE_CHECKING:
    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source


def clear(source: Source, request: ExportRequest, row: ExportRecord) -> None:
    """Abort this export's open uploads, and take away what was put but never committed to the ledger.

    To be called when the ledger's fence is down: a fetch that still runs can then commit nothing any more.
    What Object Lock holds is left there, and said so in the log.
    Raises DeliveryError.
    """
    s3, settings = runtime.s3(), runtime.settings()
    place = 1
    while _is_ours(request, row):
        key = final_key(source, request, row, place)
        found = abort_uploads(s3, settings.bucket, key, settings.bucket_owner) > 0
        for name in (manifest_key(key), key):
            # Each call that was killed may have put a version: with the last one the one before comes back.
            while (
                (there := find(s3, settings.bucket, name, settings.bucket_owner))
                and uncommitted(there, request, row)
                and _is_ours(request, row)
            ):
                found = True
                if not remove(s3, settings.bucket, name, there, settings.bucket_owner):
                    # The row keeps its nonce, so that the next attempt puts its own version over it.
                    log().warning(
                        "locked, left for the next attempt",
                        extra={"key": name, "version_id": there.version_id},
                    )
                    break
        if not found:
            return
        place += 1


def _is_ours(request: ExportRequest, row: ExportRecord) -> bool:
    """Check whether nobody has taken over: what lies there is then the next attempt's."""
    now = runtime.ledger().read(request)
    return now is not None and (now.owner, now.attempt) == (row.owner, row.attempt)
