"""What identifies an export: stable under every spelling of the same thing, different for different ones."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.export.validation import export_request
from logferry.models.request import ExportRequest, Window, canonical_json, iso_instant
from logferry.sources.registry import source_named

INPUT: dict[str, Any] = {
    "source": "spark-log-csv",
    "connection": "acme-uat",
    "target": {"folder": "Motor", "service": "Quote"},
    "window": {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"},
    "filters": {"has_errors": True, "call_ids": ["a", "b"]},
}


def shuffled(document: Any, seed: int) -> Any:
    if isinstance(document, dict):
        names = sorted(document, key=lambda name: hash((name, seed)))
        return {name: shuffled(document[name], seed) for name in names}
    return document


@given(seed=st.integers(), hours=st.integers(-23, 23), minutes=st.sampled_from([0, 15, 30, 45]))
def test_one_export_has_one_id_however_it_is_written(seed: int, hours: int, minutes: int) -> None:
    # Given the same input with its keys in another order and its times in another zone
    zone = timezone(timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes))
    window = {
        name: datetime.fromisoformat(text).astimezone(zone).isoformat()
        for name, text in INPUT["window"].items()
    }
    other = shuffled({**INPUT, "window": window}, seed)
    # Then it is the same export, the same series and the same place in it
    first, second = export_request(INPUT), export_request(other)
    assert first.export_id == second.export_id
    assert (first.series_id, first.window_key) == (second.series_id, second.window_key)
    assert first.filters_hash == second.filters_hash


@pytest.mark.parametrize(
    "same",
    [
        {"refresh": True},
        {"on_limit": "fail"},
        {"on_limit": "split"},
        {"$schema": "./export.schema.json"},
        {"filters": {**INPUT["filters"], "has_warnings": None}},
        {"window": {"start": "2026-11-18T00:00:00.000Z", "end": "2026-11-19T00:00Z"}},
    ],
)
def test_what_means_nothing_changes_nothing(same: dict[str, Any]) -> None:
    assert export_request({**INPUT, **same}).export_id == export_request(INPUT).export_id


@pytest.mark.parametrize(
    "other",
    [
        {"source": "spark-log-json"},
        {"connection": "acme-prod"},
        {"target": {"folder": "Motor", "service": "quote"}},
        {"window": {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:01Z"}},
        {"filters": {}},
        {"filters": {**INPUT["filters"], "has_errors": False}},
        {"filters": {**INPUT["filters"], "call_ids": ["b", "a"]}},
        {"filters": {**INPUT["filters"], "timezone_offset": 0}},
    ],
)
def test_what_means_something_is_another_export(other: dict[str, Any]) -> None:
    assert export_request({**INPUT, **other}).export_id != export_request(INPUT).export_id


def test_the_id_is_the_hash_of_the_canonical_json() -> None:
    # Given what the contract says is hashed, written by hand
    text = (
        '{"connection":"acme-uat","filters":{"call_ids":["a","b"],"has_errors":true},'
        '"source":"spark-log-csv","target":{"folder":"Prämie","service":"Quote"},'
        '"window":{"end":"2026-11-19T00:00:00Z","start":"2026-11-18T00:00:00Z"}}'
    )
    request = export_request({**INPUT, "target": {"folder": "Prämie", "service": "Quote"}})
    assert canonical_json(request.identity()) == text
    # Then an id never changes from one release to the next: rows and objects are found by it
    assert request.export_id == "d5c75413a12d63fe351a88a0727cafb11fa860c866ba125610701db6f651fe46"


def test_defaults_are_part_of_the_target() -> None:
    window = INPUT["window"]
    left_out = {"source": "ibm-activity-tracker", "connection": "ibm", "window": window}
    assert (
        export_request(left_out).export_id
        == export_request({**left_out, "target": {"account_level": False}}).export_id
    )


def test_no_filters_have_no_hash() -> None:
    assert export_request({**INPUT, "filters": {}}).filters_hash is None
    assert export_request({**INPUT, "filters": {"has_errors": None}}).filters_hash is None
    some = export_request(INPUT).filters_hash
    assert some is not None
    assert len(some) == 12


def test_all_windows_of_a_series_have_its_id() -> None:
    other = {**INPUT, "window": {"start": "2026-12-18T00:00:00Z", "end": "2026-12-19T00:00:00Z"}}
    first, second = export_request(INPUT), export_request(other)
    assert first.series_id == second.series_id
    assert first.window_key == "2026-11-18T00:00:00Z/2026-11-19T00:00:00Z"
    assert first.window_key < second.window_key


def test_all_calls_of_a_service_are_one_series() -> None:
    def call(**target: Any) -> ExportRequest:
        target = {"folder": "Motor", "service": "Quote", **target}
        return export_request({"source": "spark-call-excel", "connection": "acme-uat", "target": target})

    a, b = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
    requests = [call(call_id=a), call(call_id=a, index=0), call(call_id=a, index=1), call(call_id=b)]
    assert len({request.series_id for request in requests}) == 1
    assert [request.window_key for request in requests] == [
        f"call/{a}/",
        f"call/{a}/0",
        f"call/{a}/1",
        f"call/{b}/",
    ]
    assert len({request.export_id for request in requests}) == 4


@given(
    st.lists(st.tuples(st.text("a1/", min_size=1), st.none() | st.integers(0, 12)), min_size=2, unique=True)
)
def test_no_two_calls_share_a_place(calls: list[tuple[str, int | None]]) -> None:
    source = source_named("spark-call")
    targets = [{"call_id": call_id} | ({} if index is None else {"index": index}) for call_id, index in calls]
    keys = [source.read({"connection": "c", "target": target}).window_key for target in targets]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-18T00:00:00+01:00", "2026-11-17T23:00:00Z"),
        ("2026-11-18T00:00:00-00:00", "2026-11-18T00:00:00Z"),
        ("2026-11-18T00:00:00.5Z", "2026-11-18T00:00:00.500000Z"),
        ("2026-11-18T00:00:00.000001Z", "2026-11-18T00:00:00.000001Z"),
    ],
)
def test_times_are_written_as_their_utc_instant(text: str, instant: str) -> None:
    assert iso_instant(datetime.fromisoformat(text)) == instant


def test_a_window_survives_its_json() -> None:
    window = Window.from_json(INPUT["window"])
    assert Window.from_json(json.loads(json.dumps(window.to_json()))) == window
