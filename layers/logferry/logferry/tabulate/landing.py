"""What an event leads to: a landing that its manifest and the ledger agree on, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from logferry import runtime
from logferry.errors import InvalidRequestError
from logferry.ledger.record import RecordState
from logferry.models.request import digest
from logferry.sources.registry import source_named
from logferry.storage.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.models.feed import Feed
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source
    from logferry.storage.manifest import Manifest

ROOT: Final = "tables"
GROUP_SIZE: Final = 32 * 1024**2
"""Compressed bytes of landed records in a row group, which is held while it is filled."""
GROUP_ROWS: Final = 100_000
DAY: Final = re.compile(r"/date=(\d{4}-\d{2}-\d{2})/")


class Nothing(Exception):  # noqa: N818 - no failure: an event that leads to no table
    """What an event names is not to be tabulated; the text says why."""


class NotYet(Exception):  # noqa: N818 - no failure: the caller looks again
    """The manifest is written just before the ledger says that it landed."""


@dataclass(frozen=True)
class Landing:
    """What is to be tabulated: a manifest that the ledger knows."""

    manifest: Manifest
    source: Source
    feed: Feed
    request: ExportRequest
    day: str
    group_rows: int

    @property
    def key(self) -> str:
        """Return the key of its Parquet object."""
        return f"{ROOT}/{self.table}/day={self.day}/{self.manifest.export_id}.parquet"

    @property
    def table(self) -> str:
        """Return the table; exports with filters have one of their own, so that no row counts twice."""
        return self.feed.table + ("_filtered" if self.request.filters else "")

    @property
    def version(self) -> str:
        """Return what tells this landing from another of the same export."""
        versions = [landed.version_id for landed in self.manifest.objects]
        if len(versions) == 1 and versions[0]:
            return versions[0]
        return digest(versions if all(versions) else [*versions, self.manifest.etag])


def find_landing(bucket: str, key: str) -> Landing:
    """Look what there is to tabulate: a manifest of our own, as the ledger has it.

    Raises Nothing, NotYet and DeliveryError.
    """
    settings = runtime.settings()
    if bucket != settings.bucket:
        raise Nothing("another bucket")
    manifest = read_manifest(runtime.s3(), bucket, key, settings.bucket_owner)
    if manifest is None:
        raise Nothing("no manifest")
    try:
        source = source_named(str(manifest.request.get("source")))
        request = source.read(manifest.request)
        day = DAY.search(key) if request.export_id == manifest.export_id else None
    except (InvalidRequestError, KeyError, TypeError, ValueError, AttributeError):
        day = None
    if day is None:
        raise Nothing("a manifest of no export")
    if source.feed is None:
        raise Nothing("its source feeds no table")
    item = _landed(manifest, request)
    size, records = int(item.get("size") or 0), int(item.get("records") or 0)
    group_rows = GROUP_SIZE * records // size if size and records else GROUP_ROWS
    return Landing(manifest, source, source.feed, request, day[1], max(1, min(group_rows, GROUP_ROWS)))


def _landed(manifest: Manifest, request: ExportRequest) -> Mapping[str, Any]:
    """Return the ledger's row where it names the manifest's versions. Raise Nothing and NotYet."""
    record = runtime.ledger().read(request)
    if record is None:
        raise Nothing("the ledger does not know it")
    named = [(str(each["key"]), each.get("version_id")) for each in record.item.get("objects") or ()]
    if not record.landed or named != [(each.key, each.version_id) for each in manifest.objects]:
        if record.state is not RecordState.LANDED:
            raise NotYet(f"the ledger does not say yet that {manifest.key} has landed")
        raise Nothing("the ledger names another version")
    return record.item
