"""What a client asks a log or the events for: bodies checked against the documented fields."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.messages import Received, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
LOG_DATA = {
    "timezone_offset": (int, str),  # documented as an integer; the vendor's SDK types it as a string
    "start_date": (str,),
    "end_date": (str,),
    "call_ids": (list,),
    "callpurpose": (str,),
    "userName": (str,),
    "has_warnings": (bool,),
    "has_errors": (bool,),
}
LOG_META = {"version_id": (str,)}
EVENT_FIELDS = {
    "page_size": (int,),  # the sample's spelling; the table's beside it
    "pageSize": (int,),
    "page_no": (int,),
    "sort_column": (str,),
    "sort_order": (str,),
    "search": (list,),
}
EVENT_COLUMNS = {
    "folder_id",
    "folderId",
    "event_types",
    "service_name",
    "user_name",
    "event_start_date",
    "event_end_date",
}


@dataclass(frozen=True)
class Question:
    """A span of time, how far printed times are shifted, and the filters that were given."""

    start: datetime
    end: datetime
    offset_hours: int = 0
    filters: dict[str, Any] = field(default_factory=dict)
    page_size: int | None = None


def body_of(received: Received) -> dict[str, Any]:
    """Give the body, a JSON object, or refuse with 415 or 400."""
    if not received.headers.get("content-type", "").startswith("application/json"):
        raise refuse(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json.")
    try:
        document = json.loads(received.body)
    except ValueError as error:
        raise refuse(400, "MALFORMED_JSON", "The request body is not valid JSON.") from error
    if not isinstance(document, dict):
        raise refuse(400, "INVALID_BODY", "The request body must be a JSON object.")
    return document


def check_fields(document: Mapping[str, Any], allowed: Mapping[str, tuple[type, ...]], where: str) -> None:
    """Refuse fields that are not documented (400) and values of another type (422); null is always taken."""
    for name, value in document.items():
        if name not in allowed:
            raise refuse(400, "UNKNOWN_FIELD", f"{where}{name} is not a field of this request.")
        wrong = not isinstance(value, allowed[name]) or (
            isinstance(value, bool) and bool not in allowed[name]
        )
        if value is not None and wrong:
            raise refuse(422, "INVALID_TYPE", f"{where}{name} has the wrong type.")


def read_date(value: str | None, name: str, *, ends: bool = False) -> datetime | None:
    """Read `2022-10-30`, `2022-10-30T18:30:00.853Z` or the SDK's `2023-11-11T00:00:00`; null and "" are none.

    A day without a time that ends a span is taken to its end; no page says so.
    """
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise refuse(422, "INVALID_DATE", f"{name} is not an ISO 8601 date.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment + timedelta(days=1) if ends and DATE.fullmatch(value) else moment


def span(first: str | None, last: str | None, names: tuple[str, str]) -> tuple[datetime, datetime]:
    """Give the asked span; without an end it ends now, without a start it is the 30 days before the end."""
    end = read_date(last, names[1], ends=True) or datetime.now(UTC)
    start = read_date(first, names[0]) or end - timedelta(days=30)
    if start > end:
        raise refuse(400, "INVALID_DATE_RANGE", f"{names[0]} is after {names[1]}.")
    return start, end


def log_question(received: Received) -> Question:
    """Read the body of a log's submit."""
    document = body_of(received)
    check_fields(document, {"request_data": (dict,), "request_meta": (dict,)}, "")
    data, meta = document.get("request_data") or {}, document.get("request_meta") or {}
    check_fields(data, LOG_DATA, "request_data.")
    check_fields(meta, LOG_META, "request_meta.")
    if not all(isinstance(item, str) for item in data.get("call_ids") or []):
        raise refuse(422, "INVALID_TYPE", "request_data.call_ids must hold strings.")
    if (version := meta.get("version_id")) is not None:
        check_uuid(version, "request_meta.version_id")
    offset = data.get("timezone_offset") or 0
    if isinstance(offset, str) and not re.fullmatch(r"[+-]?\d{1,2}", offset):
        raise refuse(422, "INVALID_TYPE", "request_data.timezone_offset is not a number of hours.")
    start, end = span(data.get("start_date"), data.get("end_date"), ("start_date", "end_date"))
    names = ("call_ids", "callpurpose", "userName", "has_warnings", "has_errors")
    filters = {name: data[name] for name in names if data.get(name) not in (None, [])}
    if version is not None:
        filters["version_id"] = version
    return Question(start, end, int(offset), filters)


def events_question(received: Received) -> Question:
    """Read the body of an events submit; `event_types` is JSON in a string (or a list), the rest strings."""
    document = body_of(received)
    check_fields(document, EVENT_FIELDS, "")
    if document.get("sort_order") not in (None, "asc", "desc"):
        raise refuse(422, "INVALID_SORT", "sort_order is asc or desc.")
    found: dict[str, Any] = {}
    for item in document.get("search") or []:
        if not isinstance(item, dict) or item.get("column") not in EVENT_COLUMNS or "value" not in item:
            raise refuse(400, "INVALID_SEARCH", "search holds objects with a known column and a value.")
        if set(item) - {"column", "value", "operator"}:
            raise refuse(400, "UNKNOWN_FIELD", "search holds column, value and operator only.")
        found[item["column"]] = item["value"]
    start, end = span(
        found.pop("event_start_date", None),
        found.pop("event_end_date", None),
        ("event_start_date", "event_end_date"),
    )
    if isinstance(types := found.get("event_types"), str):
        found["event_types"] = json.loads(types) if types.startswith("[") else [types]
    size = document.get("page_size") or document.get("pageSize")
    return Question(start, end, 0, found, size)


def check_uuid(value: str, name: str) -> None:
    """Refuse what is no UUID."""
    try:
        uuid.UUID(value)
    except ValueError as error:
        raise refuse(400, "INVALID_UUID", f"{name} is not a UUID.") from error
