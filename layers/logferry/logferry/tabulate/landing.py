"""What an event leads to: a landing that its manifest and the ledger agree on, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from logferry.models.request import digest
from logferry.unpack.certified import Nothing, export_named, ledger_row, manifest_at

if TYPE_CHECKING:
    from logferry.models.feed import Feed
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source
    from logferry.storage.manifest import Manifest

ROOT: Final = "tables"
GROUP_SIZE: Final = 32 * 1024**2
"""Compressed bytes of landed records in a row group, which is held while it is filled."""
GROUP_ROWS: Final = 100_000
DAY: Final = re.compile(r"/date=(\d{4}-\d{2}-\d{2})/")


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
    manifest = manifest_at(bucket, key)
    source, request = export_named(manifest)
    day = DAY.search(key)
    if day is None:
        raise Nothing("a manifest of no day")
    if source.feed is None:
        raise Nothing("its source feeds no table")
    item = ledger_row(manifest, request)
    size, records = int(item.get("size") or 0), int(item.get("records") or 0)
    group_rows = GROUP_SIZE * records // size if size and records else GROUP_ROWS
    return Landing(manifest, source, source.feed, request, day[1], max(1, min(group_rows, GROUP_ROWS)))
