"""IBM's emulated sessions and event streams."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.client import Client

DAY = {"start": "2018-06-28", "end": "2018-06-28", "AtAccountLevel": False, "SearchTime": ""}


class Ibm:
    def __init__(self, vendors: Vendors) -> None:
        self.client = Client(vendors)
        self.headers = self.client.ibm_headers()

    def create(self, **changes: Any) -> Any:
        return self.client.send("POST", "/v3/sessions", headers=self.headers, json=DAY | changes)

    def download(self, session_id: str) -> Any:
        headers = self.headers | {"SESSIONID": session_id}
        return self.client.send("GET", "/v3/events/download", headers=headers)

    def delete(self, session_id: str) -> int:
        return self.client.send("DELETE", f"/v3/sessions/{session_id}", headers=self.headers).status_code

    def events(self, **changes: Any) -> list[dict[str, Any]]:
        content = self.download(self.create(**changes).json()["id"]).content
        return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def test_events_stream_in_gzip_of_several_members_without_a_length() -> None:
    with Vendors(rows=30, gzip_members=3) as vendors:
        ibm = Ibm(vendors)
        reply = ibm.download(ibm.create().json()["id"])

    assert {"Content-Length", "ETag", "Accept-Ranges"}.isdisjoint(reply.headers)
    assert "Content-Encoding" not in reply.headers
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert reply.content.count(b"\x1f\x8b\x08") >= 3
    events = [json.loads(line) for line in gzip.decompress(reply.content).splitlines()]
    assert len(events) == 30
    assert {event["eventTime"][:10] for event in events} == {"2018-06-28"}
    assert all(event["typeURI"].endswith("cloud/audit/1.0/event") for event in events)


def test_days_are_inclusive_and_an_hour_narrows_them() -> None:
    with Vendors(rows=200) as vendors:
        ibm = Ibm(vendors)
        days = {event["eventTime"][:10] for event in ibm.events(end="2018-06-30")}
        hours = {event["eventTime"][11:13] for event in ibm.events(SearchTime="7")}

    assert days == {"2018-06-28", "2018-06-29", "2018-06-30"}
    assert hours == {"07"}


def test_a_session_stays_until_it_is_deleted() -> None:
    with Vendors() as vendors:
        ibm = Ibm(vendors)
        session_id = ibm.create().json()["id"]
        assert ibm.download(session_id).status_code == 200
        assert [session.id for session in vendors.sessions] == [session_id]

        # When it is deleted twice
        statuses = [ibm.delete(session_id), ibm.delete(session_id)]

        # Then it is gone, and gone is 404
        assert statuses == [200, 404]
        assert vendors.sessions == []
        assert ibm.download(session_id).status_code == 404


def test_only_so_many_sessions_may_be_open() -> None:
    with Vendors(session_limit=2) as vendors:
        ibm = Ibm(vendors)
        first, second, third = ibm.create(), ibm.create(), ibm.create()
        assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]

        ibm.delete(first.json()["id"])

        assert ibm.create().status_code == 200
        assert vendors.max_concurrent_sessions == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"end": "2018-07-12"}, 200),
        ({"end": "2018-07-13"}, 400),
        ({"end": "2018-06-27"}, 400),
        ({"start": "28/06/2018"}, 400),
        ({"SearchTime": "23"}, 200),
        ({"SearchTime": "24"}, 400),
        ({"AtAccountLevel": "true"}, 400),
        ({"surprise": 1}, 400),
    ],
)
def test_a_sessions_body_is_checked(changes: dict[str, Any], status: int) -> None:
    with Vendors() as vendors:
        assert Ibm(vendors).create(**changes).status_code == status
