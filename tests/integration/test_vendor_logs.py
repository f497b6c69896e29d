"""What the emulated log endpoints take and give."""

from __future__ import annotations

import csv
import io
import json
import uuid
import zipfile
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.client import DAY, Client

FIRST_COLUMNS = (
    "Description,Log Time,Transaction date,Version,Version ID,User name,Source system,Correlation ID,"
    "Call purpose,Call ID,Calc time (ms),Total time (ms)"
)


def rows_of(content: bytes) -> list[dict[str, str]]:
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                found += list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
    return found


def submit_status(vendors: Vendors, body: Any, **options: Any) -> int:
    client = Client(vendors)
    return client.send("POST", client.log_path(), **({"json": body} | options)).status_code


def test_a_log_is_a_zip_of_csv_files_with_the_known_header() -> None:
    with Vendors(rows=90, files=3) as vendors:
        content = Client(vendors).log()

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        headers = {archive.read(name).decode().partition("\r\n")[0] for name in archive.namelist()}
        assert len(archive.namelist()) == 3
    assert len(headers) == 1
    assert headers.pop().startswith(FIRST_COLUMNS + ",Driver Age")
    rows = rows_of(content)
    assert len(rows) == 90
    assert len({row["Call ID"] for row in rows}) == 90
    # and texts have what breaks careless readers
    assert any("\n" in row["Error Details"] and "," in row["Error Details"] for row in rows)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z"),
        ("2026-11-18T00:00:00.000Z", "2026-11-18T01:00:00.853Z"),
        ("2026-11-18T00:00:00", "2026-11-18T01:00:00"),
        ("2026-11-18T00:00:00+02:00", "2026-11-18T01:00:00+02:00"),
        ("2026-11-18", "2026-11-18"),
    ],
)
def test_records_lie_inside_the_asked_window(start: str, end: str) -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        rows = rows_of(client.log(start_date=start, end_date=end))
        question = vendors.jobs[0].question

    times = [datetime.fromisoformat(row["Log Time"]) for row in rows]
    assert 50 <= len(times) <= 300
    assert times == sorted(times)
    assert question.start <= times[0]
    assert times[-1] < question.end


def test_times_are_shifted_by_the_asked_hours() -> None:
    with Vendors(rows=5) as vendors:
        client = Client(vendors)
        plain, shifted = rows_of(client.log()), rows_of(client.log(timezone_offset=-5))

    assert [row["Log Time"][-6:] for row in shifted] == ["-05:00"] * 5
    instants = [[datetime.fromisoformat(row["Log Time"]) for row in rows] for rows in (plain, shifted)]
    assert instants[0] == instants[1]


def test_a_json_log_holds_arrays_of_the_known_keys_and_the_same_calls() -> None:
    with Vendors(rows=40, files=2) as vendors:
        client = Client(vendors)
        calls = [row["Call ID"] for row in rows_of(client.log())]
        content = client.log("downloadJSON")

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        arrays = [json.loads(archive.read(name)) for name in archive.namelist()]
    items = [item for array in arrays for item in array]
    assert len(arrays) == 2
    assert [item["EngineCallId"] for item in items] == calls
    assert {"LogTime", "TransactionDate", "EngineDetails", "Tenant"} <= set(items[0])


def test_nothing_logged_is_the_empty_archive() -> None:
    with Vendors(rows=0) as vendors:
        content = Client(vendors).log()

    assert len(content) == 22
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == []


@pytest.mark.parametrize(
    ("filters", "column", "expected"),
    [
        ({"userName": "me@acme.example"}, "User name", {"me@acme.example"}),
        ({"callpurpose": "Renewal"}, "Call purpose", {"Renewal"}),
        ({"has_errors": False}, "Error Details", {""}),
        ({"call_ids": ["External system"]}, "Source system", {"External system"}),
    ],
)
def test_filters_show_in_the_rows(filters: dict[str, Any], column: str, expected: set[str]) -> None:
    with Vendors(rows=30) as vendors:
        rows = rows_of(Client(vendors).log(**filters))

    assert {row[column] for row in rows} == expected


def test_call_ids_give_just_those_calls() -> None:
    wanted = [str(uuid.uuid4()) for _ in range(3)]
    with Vendors(rows=30) as vendors:
        rows = rows_of(Client(vendors).log(call_ids=wanted))

    assert [row["Call ID"] for row in rows] == wanted


def test_the_same_seed_gives_the_same_bytes() -> None:
    def log(seed: int) -> bytes:
        with Vendors(seed=seed, rows=20) as vendors:
            return Client(vendors).log()

    assert log(1) == log(1) != log(2)


def test_a_size_is_met_roughly() -> None:
    with Vendors(size=600_000) as vendors:
        content = Client(vendors).log()

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        total = sum(info.file_size for info in archive.infolist())
    assert 400_000 < total < 900_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"request_data": DAY | {"surprise": 1}}, 400),
        ({"request_data": DAY, "extra": {}}, 400),
        ({"request_data": DAY, "request_meta": {"version": "x"}}, 400),
        ({"request_data": DAY, "request_meta": {"version_id": "no-uuid"}}, 400),
        ({"request_data": DAY | {"start_date": "last week"}}, 422),
        ({"request_data": DAY | {"has_errors": "yes"}}, 422),
        ({"request_data": DAY | {"timezone_offset": True}}, 422),
        ({"request_data": DAY | {"call_ids": [1]}}, 422),
        ({"request_data": {"start_date": "2026-11-19", "end_date": "2026-11-17"}}, 400),
        ([], 400),
        ({"request_data": DAY | {"end_date": None, "call_ids": None, "has_errors": None}}, 200),
        ({"request_data": DAY, "request_meta": {"version_id": str(uuid.uuid4())}}, 200),
    ],
)
def test_a_body_is_checked_against_the_documented_fields(body: Any, status: int) -> None:
    with Vendors() as vendors:
        assert submit_status(vendors, body) == status
        assert len(vendors.jobs) == (1 if status == 200 else 0)


def test_broken_json_and_other_media_types_are_refused() -> None:
    with Vendors() as vendors:
        headers = {"Authorization": f"Bearer {vendors.token}", "Content-Type": "application/json"}
        assert submit_status(vendors, None, json=None, data="{", headers=headers) == 400
        headers["Content-Type"] = "text/plain"
        assert submit_status(vendors, None, json=None, data="{}", headers=headers) == 415


def test_unknown_names_are_404_with_the_vendors_error_body() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        job_id = client.submit()
        body = {"request_data": DAY}
        unknown = str(uuid.uuid4())
        vendors.services.add(("Motor", "Renewal"))
        call = f"/{vendors.tenant}/api/v3/log/getexecutionhistorybycallid/"
        replies = [
            client.send("POST", client.log_path(folder="Nothing"), json=body),
            client.send("POST", client.log_path(service="Nothing"), json=body),
            client.send("POST", client.log_path().replace("/acme/", "/other/"), json=body),
            client.send("POST", client.log_path("downloadxml"), json=body),
            client.status(unknown),
            client.status(job_id, "downloadJSON"),
            client.send("GET", f"{client.log_path(service='Renewal')}/status/{job_id}"),
            client.send("GET", call + unknown),
        ]

    assert [reply.status_code for reply in replies] == [404] * len(replies)
    assert {reply.json()["status"] for reply in replies} == {"Error"}
    fields = {"error_category", "error_type", "message", "additional_details"}
    assert all(set(reply.json()["error"]) == fields for reply in replies)


def test_names_are_decoded_segment_by_segment() -> None:
    folder, service = "Life & Health/2026?", "Prämie #1 %"
    with Vendors(folder=folder, service=service, rows=3) as vendors:
        rows = rows_of(Client(vendors).log())
        path = vendors.seen("submit")[0].path

    assert len(rows) == 3
    assert "%2F" in path
