"""Inputs: everything that is wrong is named before anything is asked, and no value is repeated."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import InvalidRequestError
from logferry.export.validation import INSTANT, LARGEST, export_request
from logferry.sources.registry import source_named

HUSH = "hush-7f3a9c1e5b2d8f4a6c0e"
WINDOW = {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"}
GOOD: dict[str, Any] = {
    "source": "spark-log-csv",
    "connection": "acme-uat",
    "target": {"folder": "Motor", "service": "Quote"},
    "window": WINDOW,
    "filters": {},
}
CALL_ID = "329700e6-0850-40cf-b61e-310c2f756b73"
CALL = {"source": "spark-call", "connection": "acme-uat", "target": {"call_id": CALL_ID}}
EVENTS = {"source": "spark-events", "connection": "acme-uat", "window": WINDOW}
IBM = {"source": "ibm-activity-tracker", "connection": "ibm", "window": WINDOW}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name not in names}


def window(start: Any, end: Any = WINDOW["end"]) -> dict[str, Any]:
    return {**GOOD, "window": {"start": start, "end": end}}


def target(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "target": {**GOOD["target"], **changes}}


def filters(**given_filters: Any) -> dict[str, Any]:
    return {**GOOD, "filters": given_filters}


WRONG: list[tuple[Any, str]] = [
    # not an input at all
    (None, "must be a JSON object"),
    ([], "must be a JSON object"),
    ("{}", "must be a JSON object"),
    ({}, "source: is required"),
    (without("source"), "source: is required"),
    (without("connection"), "connection: is required"),
    # unknown or of the wrong type
    ({**GOOD, "source": "spark-log-xml"}, "source: must be one of"),
    ({**GOOD, "source": HUSH}, "source: must be one of"),
    ({**GOOD, "source": 7}, "source: input should be a valid string"),
    ({**GOOD, "source": ["spark-log-csv"]}, "source: input should be a valid string"),
    ({**GOOD, "colour": HUSH}, "colour: is not known here; known are source, connection"),
    ({**GOOD, HUSH: 1}, "is not known here"),
    ({**GOOD, "targets": {}}, "targets: is not known here"),
    ({**GOOD, "refresh": "true"}, "refresh: input should be a valid boolean"),
    ({**GOOD, "on_limit": "warn"}, "on_limit: input should be 'land', 'fail' or 'split'"),
    ({**CALL, "on_limit": "split"}, "on_limit: spark-call has no windows to split; leave it out"),
    ({**GOOD, "refresh": 1}, "refresh: input should be a valid boolean"),
    ({**GOOD, "refresh": None}, "refresh: input should be a valid boolean"),
    ({**GOOD, "target": None}, "target: input should be a valid dictionary"),
    ({**GOOD, "target": [HUSH]}, "target: input should be a valid dictionary"),
    ({**GOOD, "filters": HUSH}, "filters: input should be a valid dictionary"),
    # connection
    ({**GOOD, "connection": ""}, "connection: must begin with a letter or digit"),
    ({**GOOD, "connection": "../acme"}, "connection: must begin with a letter or digit"),
    ({**GOOD, "connection": "acme/uat"}, "connection: must begin with"),
    ({**GOOD, "connection": "acme uat"}, "connection: must begin with"),
    ({**GOOD, "connection": "acme\0"}, "connection: must begin with"),
    ({**GOOD, "connection": "acme\n"}, "connection: must begin with"),
    ({**GOOD, "connection": "a" * 101}, "connection: must begin with"),
    ({**GOOD, "connection": f"https://{HUSH}@x"}, "connection: must begin with"),
    # target
    (without("target"), "target.folder: is required; target.service: is required"),
    (target(service=None), "target.service: input should be a valid string"),
    (target(service=7), "target.service: input should be a valid string"),
    (target(service={"name": HUSH}), "target.service: input should be a valid string"),
    (target(service=""), "target.service: must be plain text"),
    (target(service="   "), "target.service: must be plain text"),
    (target(service="a\0b"), "target.service: must be plain text"),
    (target(service="a\nb"), "target.service: must be plain text"),
    (target(service="\u202equote"), "target.service: must be plain text"),
    (target(service="\ud800"), "target"),
    (target(service="."), "target.service: must be plain text, not empty, not a path"),
    (target(service=".."), "target.service: must be plain text, not empty, not a path"),
    (target(service="x" * 1001), "target.service: must be at most 1000 bytes"),
    (target(service="ä" * 501), "target.service: must be at most 1000 bytes"),
    (target(tenant="acme"), "target.tenant: is not known here; known are folder, service"),
    ({**GOOD, "target": {**GOOD["target"], HUSH: 1}}, "is not known here"),
    ({**EVENTS, "target": {"folder": "x"}}, "target.folder: takes no keys"),
    ({**IBM, "target": {"account_level": 1}}, "target.account_level: input should be a valid boolean"),
    ({**IBM, "target": {"account_level": "true"}}, "target.account_level"),
    ({**CALL, "target": {}}, "target.call_id: is required"),
    ({**CALL, "target": {"call_id": CALL_ID, "index": -1}}, "target.index: must be 0 or more"),
    ({**CALL, "target": {"call_id": CALL_ID, "index": "1"}}, "target.index: input should be a valid integer"),
    ({**CALL, "target": {"call_id": CALL_ID, "index": 1.5}}, "target.index"),
    ({**CALL, "target": {"call_id": CALL_ID, "index": True}}, "target.index"),
    ({**CALL, "target": {"call_id": CALL_ID, "index": 10**30}}, "target.index: is too large a number"),
    ({**CALL, "target": {"call_id": ["a"]}}, "target.call_id: input should be a valid string"),
    # window
    (without("window"), "window: is required, like"),
    ({**GOOD, "window": None}, "window: is required, like"),
    ({**GOOD, "window": HUSH}, "window: "),
    ({**GOOD, "window": {}}, "window.start: is required; window.end: is required"),
    ({**GOOD, "window": {**WINDOW, "zone": "UTC"}}, "window.zone: is not known here; known are start, end"),
    ({**CALL, "window": WINDOW}, "window: spark-call takes none; leave it out"),
    (window("2026-11-18T00:00:00"), "window.start: must have an offset or Z"),
    (window("2026-11-18"), 'window.start: must be a time like "2026-11-18T00:00:00Z"'),
    (window("today"), "window.start: must be a time like"),
    (window(HUSH), "window.start: must be a time like"),
    (window(""), "window.start: must be a time like"),
    (window(1795219200), "window.start: must be a time like"),
    (window(None), "window.start: must be a time like"),
    (window("2026-11-18T00:00:00 Z"), "window.start: must be a time like"),
    (window("2026-11-18 00:00:00Z"), "window.start: must be a time like"),
    (window("2026-11-18T00:00:00z"), "window.start: must be a time like"),
    (window("2026-11-18T00:00:00.0000001Z"), "window.start: must be a time like"),
    (window("\uff12\uff10\uff12\uff16-11-18T00:00:00Z"), "window.start: must be a time like"),
    (window("2026-02-30T00:00:00Z"), "window.start: "),
    (window("2026-11-18T24:00:00Z"), "window.start: "),
    (window("2026-11-18T00:00:60Z"), "window.start: "),
    (window("2026-11-18T00:00:00+24:00"), "window.start: "),
    (window("1969-12-31T00:00:00Z"), "window.start: must be a year from 1970 on"),
    (window(WINDOW["start"], "9999-12-31T23:59:59Z"), "window.end: must be a year from 1970 on"),
    (window(WINDOW["end"], WINDOW["start"]), "window: end must be later than start"),
    (window(WINDOW["start"], WINDOW["start"]), "window: end must be later than start"),
    (window("2026-11-18T00:00:00Z", "2026-11-18T01:00:00+01:00"), "window: end must be later than start"),
    # filters
    (filters(has_errors="yes"), "filters.has_errors: input should be a valid boolean"),
    (filters(has_errors=1), "filters.has_errors: input should be a valid boolean"),
    (filters(user_name="x"), "filters.user_name: is not known here; known are timezone_offset, call_ids"),
    (filters(**{HUSH: 1}), "is not known here"),
    (filters(call_ids="a"), "filters.call_ids: input should be a valid array"),
    (filters(call_ids=["a", 7]), "filters.call_ids.1: input should be a valid string"),
    (filters(call_ids=["a", ".."]), "filters.call_ids: must be plain text"),
    (filters(call_ids=["a", ""]), "filters.call_ids: must be plain text"),
    (filters(call_ids=["x" * 1001]), "filters.call_ids: must be at most 1000 bytes"),
    (filters(call_ids=["0123456789" * 90] * 150), "the input is larger than 120 KiB"),
    (filters(timezone_offset=1.5), "filters.timezone_offset"),
    (filters(timezone_offset="1"), "filters.timezone_offset: input should be a valid integer"),
    (filters(timezone_offset=10**40), "filters.timezone_offset: is too large a number"),
    (filters(timezone_offset=float("nan")), "filters"),
    ({**EVENTS, "filters": {"sort_order": "up"}}, "filters.sort_order: input should be 'asc' or 'desc'"),
    ({**EVENTS, "filters": {"page_size": 0}}, "filters.page_size: must be 1 or more"),
    ({**EVENTS, "filters": {"page_no": -1}}, "filters.page_no: must be 1 or more"),
    ({**EVENTS, "filters": {"pageSize": 5}}, "filters.pageSize: is not known here"),
    ({**IBM, "filters": {"types": "x"}}, "filters.types: takes no keys"),
    ({**CALL, "filters": {"has_errors": True}}, "filters.has_errors: takes no keys"),
]


@pytest.mark.parametrize(("document", "said"), WRONG)
def test_what_is_wrong_is_said_with_what_would_be_right(document: Any, said: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        export_request(document)
    # Then the message names the field, on one short line, and repeats no value
    assert said in str(error.value)
    assert HUSH not in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize(
    "document",
    [
        GOOD,
        without("filters"),
        {**GOOD, "$schema": "../export.schema.json", "refresh": True},
        {**GOOD, "$schema": {"any": "thing"}},
        {**CALL, "window": None},
        {**CALL, "target": {"call_id": CALL_ID, "index": 0}},
        {**CALL, "target": {"call_id": CALL_ID, "index": 2**62}},
        {**EVENTS, "filters": {"event_types": ["PublishEngine"], "page_size": 100_000}},
        target(folder="Mötör / Flotte %2F ..", service="a..b"),
        filters(call_ids=[], has_errors=None),
        window("2026-11-18T00:00Z"),
        window("2026-11-18T00:00:00.123456+05:45"),
        window("1970-01-01T00:00:00+14:00"),
        window("9998-12-31T23:00:00-23:59", "9998-12-31T23:59:59-23:59"),
    ],
)
def test_what_is_right_is_taken(document: dict[str, Any]) -> None:
    request = export_request(document)
    # And what status and fetch read of the same input is the same export
    again = source_named(request.source).read(json.loads(json.dumps(document)))
    assert again == request
    assert again.export_id == request.export_id


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(InvalidRequestError) as error:
        export_request({"source": "spark-log-csv", "window": {"start": 1}, "colour": 2})
    for name in ("connection", "window.start", "window.end", "colour"):
        assert name in str(error.value)


def test_an_input_just_below_the_limit_is_taken() -> None:
    fits = filters(call_ids=["0123456789" * 90] * 130)
    assert len(json.dumps(fits)) < LARGEST
    assert export_request(fits).filters["call_ids"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**30, 10**40)
    | st.floats()
    | st.text()
    | st.sampled_from(["..", "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["source", "connection", "target", "window", "filters", "refresh", "on_limit", "$schema", "x"]


@given(
    base=st.sampled_from([GOOD, CALL, EVENTS, IBM]),
    changes=st.dictionaries(st.sampled_from(PLACES), JSON, max_size=2),
)
def test_any_json_is_taken_or_refused(base: dict[str, Any], changes: dict[str, Any]) -> None:
    with suppress(InvalidRequestError):
        assert len(export_request({**base, **changes}).export_id) == 64


@given(
    part=st.sampled_from(["target", "filters"]),
    name=st.sampled_from(["folder", "call_ids", "callpurpose", "timezone_offset", "version_id"]),
    value=JSON,
)
def test_any_value_of_a_key_is_taken_or_refused(part: str, name: str, value: Any) -> None:
    with suppress(InvalidRequestError):
        request = export_request({**GOOD, part: {**GOOD[part], name: value}})
        json.dumps(request.identity()).encode()
        assert len(request.window_key.encode()) <= 1024


@given(st.from_regex(INSTANT, fullmatch=True))
def test_a_time_that_is_taken_is_one_that_every_step_can_read(text: str) -> None:
    with suppress(InvalidRequestError):
        request = export_request(window(text, "9998-01-01T00:00:00Z"))
        assert request.window is not None
        assert request.window.start == datetime.fromisoformat(text)
