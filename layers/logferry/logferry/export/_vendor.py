"""The vendor of an export, as every step reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logferry import aws
from logferry.access import Access
from logferry.api import Api
from logferry.sources import find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.request import ExportRequest
    from logferry.source import Source


def open_api(source: Source, request: ExportRequest) -> Api:
    """Load the connection of a request. Raises ConnectionConfigError, before anything is sent."""
    access = Access(request.connection, source.rules, aws.secret, aws.tokens())
    return Api(access, source.permission)


def read_event(event: Mapping[str, object]) -> tuple[Source, ExportRequest]:
    """Give source and request of an event whose input submit has checked."""
    document = event["request"]
    if not isinstance(document, dict):
        raise TypeError("the input that submit checked is an object")
    source = find(document["source"])
    return source, source.read(document)
