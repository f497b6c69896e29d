"""What the emulated call and events endpoints take and give."""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
from typing import Any

import openpyxl
import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.client import Client


def test_a_call_of_several_records_gives_the_one_asked_for_or_the_last() -> None:
    call_id = str(uuid.uuid4())
    with Vendors() as vendors:
        vendors.calls[call_id] = 3
        client = Client(vendors)
        path = f"/{vendors.tenant}/api/v3/log/getexecutionhistorybycallid/{call_id}"
        texts = [
            client.send("GET", path + suffix).json()["response_data"]
            for suffix in ("?index=0", "/0", "?index=2", "")
        ]
        beyond = client.send("GET", path + "?index=3").status_code
        vendors.calls[call_id] = 0
        gone = client.send("GET", path).json()

    assert texts[0] == texts[1] != texts[2] == texts[3]
    assert beyond == 400
    assert gone["response_data"] is None


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_calls_workbook_is_offered_at_once(body: bytes) -> None:
    with Vendors() as vendors:
        client = Client(vendors, {**Client(vendors).headers, "Content-Type": "application/json"})
        path = client.log_path().replace("log/downloadcsv", f"download/xml/{vendors.call_id}")
        reply = client.send("POST", path, data=body)
        content = client.get(reply.json()["response_data"]["download_url"]).content
        refused = client.send("POST", path, data=b'{"a": 1}').status_code

    book = openpyxl.load_workbook(io.BytesIO(content))
    assert ("Call ID", vendors.call_id) in list(book["Info"].values)
    assert refused == 400


def events_reply(vendors: Vendors, *search: dict[str, Any], **fields: Any) -> Any:
    client = Client(vendors)
    path = f"/{vendors.tenant}/api/v4/events/download"
    dates = [
        {"column": "event_start_date", "value": "2026-01-31T00:00:00.000Z"},
        {"column": "event_end_date", "value": "2026-03-02T00:00:00.000Z"},
    ]
    submitted = client.send("POST", path, json={"search": [*dates, *search], **fields})
    if submitted.status_code != 200:
        return submitted.status_code
    return client.send("GET", f"{path}/{submitted.json()['id']}/status").json()


def event_rows(vendors: Vendors, reply: Any) -> list[list[tuple[Any, ...]]]:
    client = Client(vendors)
    books = [client.get(file["file"]).content for file in reply["outputs"]["files"]]
    return [list(openpyxl.load_workbook(io.BytesIO(book))["Events"].values) for book in books]


def test_events_come_in_one_or_several_workbooks_inside_the_window() -> None:
    with Vendors(polls=1, rows=41, event_files=2) as vendors:
        types = {"column": "event_types", "value": '["PublishEngine"]'}
        sheets = event_rows(vendors, events_reply(vendors, types))

    headers, events = {sheet[0] for sheet in sheets}, [row for sheet in sheets for row in sheet[1:]]
    assert len(headers) == 1
    assert len(events) == 41
    assert {row[0] for row in events} == {"PublishEngine"}
    assert "2026-01-31" <= min(row[1] for row in events) <= max(row[1] for row in events) < "2026-03-02"


def test_events_may_be_cut_at_the_page_size() -> None:
    with Vendors(polls=1, rows=41, page_cut=True) as vendors:
        (sheet,) = event_rows(vendors, events_reply(vendors, page_size=10))

    assert len(sheet) == 11


@pytest.mark.parametrize(("kind", "length"), [("md5", 32), ("sha1", 40), ("sha256", 64)])
def test_an_events_file_comes_with_its_hash(kind: str, length: int) -> None:
    with Vendors(polls=1, file_hash=kind) as vendors:
        file = events_reply(vendors)["outputs"]["files"][0]
        content = Client(vendors).get(file["file"]).content
        vendors.knobs.file_hash = f"{kind}:base64"
        encoded = events_reply(vendors)["outputs"]["files"][0]["file_hash"]
        vendors.knobs.file_hash = "nonsense"
        wrong = events_reply(vendors)["outputs"]["files"][0]["file_hash"]

    assert len(file["file_hash"]) == length
    assert file["file_hash"] == hashlib.new(kind, content).hexdigest()
    assert base64.b64decode(encoded) == hashlib.new(kind, content).digest()
    assert wrong == "nonsense"


@pytest.mark.parametrize(
    ("search", "fields", "status"),
    [
        ({"column": "shoe_size", "value": "43"}, {}, 400),
        ({"column": "user_name"}, {}, 400),
        ({"column": "user_name", "value": "a", "more": 1}, {}, 400),
        ({"column": "user_name", "value": "a"}, {"sort_order": "up"}, 422),
        ({"column": "user_name", "value": "a"}, {"page": 1}, 400),
    ],
)
def test_an_events_body_is_checked(search: dict[str, Any], fields: dict[str, Any], status: int) -> None:
    with Vendors() as vendors:
        assert events_reply(vendors, search, **fields) == status
