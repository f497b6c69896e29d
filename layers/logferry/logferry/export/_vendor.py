"""The vendor of an export, as every step reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logferry import runtime
from logferry.sources.registry import source_named
from logferry.storage.keys import object_key
from logferry.vendor.auth import Access
from logferry.vendor.client import Api
from logferry.vendor.transport import EXCHANGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source


def final_key(source: Source, request: ExportRequest, row: ExportRecord, place: int) -> str:
    """Return the key of an export's file, the first at place 1.

    A refresh stays under the key of the first landing, whatever offset its window is written with.
    """
    if place == 1 and row.landed:
        return str(row.item["key"])
    return object_key(request, source.folder(request), source.kind.extension, place)


def open_api(
    source: Source, request: ExportRequest, *, awaiting: bool = False, seconds: float = EXCHANGE_SECONDS
) -> Api:
    """Load the connection of a request. Raises ConnectionConfigError, before anything is sent.

    `awaiting`: its job is awaited, so that a redirect raises MalformedReplyError. `seconds`: the longest that
    each exchange may take.
    """
    access = Access(request.connection, source.rules, runtime.secret, runtime.tokens(), seconds=seconds)
    return Api(access, source.permission, awaiting=awaiting)


def read_event(event: Mapping[str, object]) -> tuple[Source, ExportRequest]:
    """Return source and request of an event whose input submit has checked."""
    document = event["request"]
    if not isinstance(document, dict):
        raise TypeError("the input that submit checked is an object")
    source = source_named(document["source"])
    return source, source.read(document)
