"""A collection's input, checked before anything is planned: what is wrong, where, and what would be right."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from logferry.collect.collection import Collection
from logferry.collect.windows import parse_from, parse_settle, parse_until, parse_zone, split
from logferry.errors import InvalidRequestError
from logferry.export.validation import NAME, STRICT, export_request, validated
from logferry.models.request import Every, ExportRequest, Window, canonical_json
from logferry.sources.base import WindowRule
from logferry.sources.registry import source_named

if TYPE_CHECKING:
    from datetime import datetime

    from logferry.sources.base import Source

MOST_WINDOWS = 250_000
"""More than any backfill needs, and few enough for one call of plan: 100,000 take it a minute."""

LENGTHS: dict[Every, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}

MOST_CONNECTIONS = 100
"""Each has a Map of its own, and 40 of these run at a time."""

LARGEST_SERIES = 4 * 1024
"""Bytes of one entry of `exports`: the plan repeats it for every window."""


class SeriesInput(BaseModel):
    """One entry of `exports`: an export without its window."""

    model_config = STRICT

    source: str
    connection: Annotated[str, Field(pattern=NAME)]
    target: dict[str, Any] = Field(default_factory=dict)
    filters: dict[str, Any] = Field(default_factory=dict)


class CollectionInput(BaseModel):
    """The input of collect.asl.json."""

    model_config = STRICT

    schema_: Any = Field(default=None, alias="$schema")
    exports: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]
    every: Every
    timezone: str = "UTC"
    until: str | None = None
    from_: str | None = Field(default=None, alias="from")
    lookback: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] = 7
    settle: str = "PT0S"
    max_concurrency: Annotated[int, Field(ge=1, le=1000)] = 4
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    force: bool = False
    dry_run: bool = False


def read_collection(document: Any, now: datetime) -> Collection:
    """Check the input of a collection and give it. Raises InvalidRequestError that names the field.

    An `until` after `now` is cut to it: no window is planned before it is over.
    """
    given = validated(CollectionInput, document)
    zone = parse_zone(given.timezone)
    until = parse_until(given.until) if given.until is not None else now
    start = parse_from(given.from_, zone) if given.from_ is not None else None
    if start is not None and start > max(now, until):
        raise InvalidRequestError("from: is later than now and than until; give a day that has begun")
    collection = Collection(
        series=(),
        every=given.every,
        zone=zone,
        until=min(until, now),
        settle=parse_settle(given.settle),
        start=start,
        lookback=given.lookback,
        max_concurrency=given.max_concurrency,
        max_attempts=given.max_attempts,
        force=given.force,
        dry_run=given.dry_run,
    )
    count = _count(collection) * len(given.exports)
    if count > MOST_WINDOWS:
        raise InvalidRequestError(
            f"from: some {count:,} windows are more than the {MOST_WINDOWS:,} that one collection plans; "
            "begin later, or split it into several"
        )
    series: dict[str, int] = {}
    requests = []
    for place, entry in enumerate(given.exports):
        request = _series(entry, f"exports.{place}", collection)
        if (first := series.setdefault(request.series_id, place)) != place:
            raise InvalidRequestError(f"exports.{place}: is the same as exports.{first}; leave one out")
        requests.append(request)
    if len({request.connection for request in requests}) > MOST_CONNECTIONS:
        raise InvalidRequestError(f"exports: name at most {MOST_CONNECTIONS} connections in one collection")
    return replace(collection, series=tuple(requests))


def _count(collection: Collection) -> int:
    """Estimate how many windows a series has, without making them."""
    if collection.start is None:
        return collection.lookback
    return max(0, (collection.until - collection.start) // LENGTHS[collection.every])


def _series(entry: dict[str, Any], at: str, collection: Collection) -> ExportRequest:
    try:
        source = _source(entry)
    except InvalidRequestError as error:
        raise _placed(at, error) from error
    rule = source.window or WindowRule()
    if rule.zone and collection.zone.key not in {rule.zone, f"Etc/{rule.zone}"}:
        raise InvalidRequestError(
            f"timezone: the days of {source.name} are {rule.zone}'s; leave timezone out, "
            f"or collect {at} in a collection of its own"
        )
    if not collection.calendar:
        return _checked(entry, at, None)
    first = collection.calendar[0]
    return _checked(entry, at, split(first, rule.longest)[0] if rule.longest else first)


def _source(entry: dict[str, Any]) -> Source:
    source = source_named(validated(SeriesInput, entry).source)
    if source.window is None:
        raise InvalidRequestError(f"source: {source.name} has no windows, so it cannot be collected")
    if len(canonical_json(entry).encode()) > LARGEST_SERIES:
        raise InvalidRequestError(f"filters: an entry is at most {LARGEST_SERIES >> 10} KiB")
    return source


def _checked(entry: dict[str, Any], at: str, window: Window | None) -> ExportRequest:
    """Check an entry as the export that it will be, of a day that any source takes where none is planned."""
    times = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    if window:
        times = {"start": window.start.isoformat(), "end": window.end.isoformat()}
    try:
        return replace(export_request({**entry, "window": times}), window=None)
    except InvalidRequestError as error:
        raise _placed(at, error) from error


def _placed(at: str, error: InvalidRequestError) -> InvalidRequestError:
    return InvalidRequestError(*(f"{at}.{problem}" for problem in error.problems))
