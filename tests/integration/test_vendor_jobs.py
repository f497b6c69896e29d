"""How the emulated vendors' jobs go: progress, clocks, failures, and jobs that vanish."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.client import Client


def statuses(**knobs: Any) -> list[Any]:
    with Vendors(**knobs) as vendors:
        client = Client(vendors)
        job_id = client.submit()
        replies = [client.status(job_id) for _ in range(6)]
    return [
        reply.json()["response_data"] if reply.status_code == 200 else reply.status_code for reply in replies
    ]


def test_progress_may_be_anything() -> None:
    values = [None, "50", 150, -1, {"a": 1}]

    replies = statuses(progress=values)

    assert [reply["progress"] for reply in replies] == [*values, 100]
    assert [reply["download_url"] is not None for reply in replies] == [False] * 5 + [True]


@pytest.mark.parametrize("progress", [None, [10, 40]])
def test_a_job_may_be_stuck(progress: Any) -> None:
    replies = statuses(progress=progress, stuck=True)

    assert [reply["progress"] for reply in replies[2:]] == [40] * 4
    assert not any(reply["download_url"] for reply in replies)


def test_a_url_may_come_late_and_a_job_may_be_unknown_at_first() -> None:
    replies = statuses(polls=1, late_url=2, unknown_polls=2)

    assert replies[:2] == [404, 404]
    assert [reply["progress"] for reply in replies[2:]] == [100] * 4
    assert [bool(reply["download_url"]) for reply in replies[2:]] == [False, False, True, True]


def test_a_job_ends_by_the_clock() -> None:
    now = [0.0]
    with Vendors(job_seconds=100, clock=lambda: now[0]) as vendors:
        client = Client(vendors)
        job_id = client.submit()
        seen = []
        for now[0] in (0.0, 50.0, 99.9, 100.0):
            seen.append(client.status(job_id).json()["response_data"])

    assert [reply["progress"] for reply in seen] == [0, 50, 99, 100]
    assert [bool(reply["download_url"]) for reply in seen] == [False, False, False, True]


@pytest.mark.parametrize("failure", [True, "the engine is down"])
def test_a_log_job_may_fail(failure: Any) -> None:
    with Vendors(polls=1, failure=failure) as vendors:
        client = Client(vendors)
        document = client.status(client.submit()).json()

    assert document["error"]
    assert document["response_data"] == {"progress": 100, "download_url": None}


@pytest.mark.parametrize("word", ["failed", "error", "cancelled", "Surprise"])
def test_an_events_job_may_end_in_other_words(word: str) -> None:
    with Vendors(polls=1, event_status=word) as vendors:
        client = Client(vendors)
        path = f"/{vendors.tenant}/api/v4/events/download"
        job_id = client.send("POST", path, json={}).json()["id"]
        document = client.send("GET", f"{path}/{job_id}/status").json()

    assert document["status"] == word
    assert document["outputs"] is None


def test_any_status_document_may_be_edited() -> None:
    with Vendors(polls=1, edit_status=lambda document: [document]) as vendors:
        client = Client(vendors)
        assert isinstance(client.status(client.submit()).json(), list)


def test_a_job_may_vanish() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        job_id = client.submit()
        vendors.forget_job(job_id)

        assert client.status(job_id).status_code == 404
