"""What an event leads to: a manifest that the ledger agrees with, or nothing.

An event only says that a key is worth a look, and a manifest proves nothing by lying there: the ledger's row
names the versions that landed, and nobody else's are worked on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from logferry import runtime
from logferry.errors import DeliveryError, InvalidRequestError
from logferry.ledger.record import RecordState
from logferry.sources.registry import source_named
from logferry.storage.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source
    from logferry.storage.manifest import Manifest

_Found = TypeVar("_Found")
PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds to wait for the ledger, which follows the manifest at once; after a kill only a later try helps."""


class Nothing(Exception):  # noqa: N818 - no failure: an event that leads to nothing
    """What an event names is not to be worked on; the text says why."""


class NotYet(Exception):  # noqa: N818 - no failure: the caller looks again
    """The manifest is written just before the ledger says that it landed."""


def manifest_at(bucket: str, key: str) -> Manifest:
    """Read the manifest that an event names. Raises Nothing and DeliveryError."""
    settings = runtime.settings()
    if bucket != settings.bucket:
        raise Nothing("another bucket")
    manifest = read_manifest(runtime.s3(), bucket, key, settings.bucket_owner)
    if manifest is None:
        raise Nothing("no manifest")
    return manifest


def export_named(manifest: Manifest) -> tuple[Source, ExportRequest]:
    """Return the export that a manifest names, with its source. Raises Nothing."""
    try:
        source = source_named(str(manifest.request.get("source")))
        request = source.read(manifest.request)
    except (InvalidRequestError, KeyError, TypeError, ValueError, AttributeError):
        raise Nothing("a manifest of no export") from None
    if request.export_id != manifest.export_id:
        raise Nothing("a manifest of no export")
    return source, request


def ledger_row(manifest: Manifest, request: ExportRequest) -> Mapping[str, Any]:
    """Return the ledger's row where it names the manifest's versions. Raises Nothing and NotYet."""
    record = runtime.ledger().read(request)
    if record is None:
        raise Nothing("the ledger does not know it")
    named = [(str(each["key"]), each.get("version_id")) for each in record.item.get("objects") or ()]
    if not record.landed or named != [(each.key, each.version_id) for each in manifest.objects]:
        if record.state is not RecordState.LANDED:
            raise NotYet(f"the ledger does not say yet that {manifest.key} has landed")
        raise Nothing("the ledger names another version")
    return record.item


def patiently(look: Callable[[], _Found], sleep: Callable[[float], None]) -> _Found:
    """Return what a look finds; wait some seconds for the ledger.

    Raises what the look raises, and DeliveryError where it is still too early.
    """
    for pause in PAUSES:
        try:
            return look()
        except NotYet:
            sleep(pause)
    try:
        return look()
    except NotYet as early:
        raise DeliveryError(f"{early}; the next try looks again") from early
