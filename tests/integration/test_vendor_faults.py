"""What the emulated vendors do on a test's word: scripted replies, odd statuses, hooks, and their memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.integration.resets import SEES_RESETS
from tests.sandbox.vendor import Delivery, Reply, Vendors
from tests.sandbox.vendor.client import DAY, Client

BODY = {"request_data": DAY}


def post(client: Client) -> Any:
    return client.send("POST", client.log_path(), json=BODY)


def test_scripted_replies_are_used_up_one_by_one() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        vendors.script("submit", Reply(503), None, Reply(200, json={"odd": 1}), Reply(200, body=b"<html>"))

        replies = [post(client) for _ in range(5)]

    assert [reply.status_code for reply in replies] == [503, 200, 200, 200, 200]
    assert replies[0].json()["error"]["message"] == "scripted 503"
    assert (replies[2].json(), replies[3].content) == ({"odd": 1}, b"<html>")
    assert len(vendors.jobs) == 2


def test_a_misspelt_step_is_refused() -> None:
    with Vendors() as vendors, pytest.raises(ValueError, match="sumbit is no step"):
        vendors.script("sumbit", Reply(500))


@pytest.mark.parametrize(
    ("reply", "jobs"),
    [
        (Reply.lost(), 1),
        pytest.param(Reply.lost(reset=True), 1, marks=SEES_RESETS),
        (Reply.dropped(), 0),
        pytest.param(Reply.dropped(reset=True), 0, marks=SEES_RESETS),
        (Reply(200, {"Content-Length": "99"}, body=b"{", accept=True), 1),
    ],
)
def test_a_reply_is_lost_after_or_before_the_job_was_made(reply: Reply, jobs: int) -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        vendors.script("submit", reply)

        with pytest.raises(requests.RequestException) as caught:
            post(client)
        assert ("reset by peer" in str(caught.value)) == reply.reset

        assert len(vendors.jobs) == jobs
        assert post(client).status_code == 200


def test_a_delayed_reply_comes_late_and_does_not_hold_up_closing() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        vendors.script("submit", Reply(delay=0.01), Reply(delay=3600))
        assert post(client).status_code == 200

        # When the vendors close while a request waits for its hour to pass
        arrived = threading.Event()
        vendors.on("submit", lambda _: arrived.set(), when="before")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, client)
            assert arrived.wait(30)
            vendors.close()

            # Then the request ends at once
            assert isinstance(waiting.exception(timeout=30), requests.ConnectionError)


def test_the_vendors_may_be_down_or_show_a_foreign_certificate() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        with vendors.down(), pytest.raises(requests.ConnectionError, match="refused"):
            Client(vendors).submit()
        assert client.submit()
        with vendors.untrusted(), pytest.raises(requests.exceptions.SSLError):
            Client(vendors).submit()
        assert Client(vendors).submit()


@pytest.mark.parametrize("header", ["Retry-After", "x-retry-after"])
def test_a_request_before_the_promised_time_is_noted(header: str) -> None:
    # Given a job whose status asks to wait an hour
    with Vendors(polls=1) as vendors:
        client = Client(vendors)
        job_id, other = client.submit(), client.submit()
        vendors.script("status", Reply.throttled(3600, header=header))
        client.status(job_id)

        # When other things go on, and the job is asked for again
        client.submit(start_date="2026-11-17")
        client.status(other)
        assert vendors.impatient == []
        client.status(job_id)

        # Then only that request was impatient
        assert [request.job_id for request in vendors.impatient] == [job_id]


def test_promises_shrink_with_the_scale_of_waits() -> None:
    with Vendors(polls=1, wait_scale=0.0) as vendors:
        client = Client(vendors)
        job_id = client.submit()
        vendors.script("status", Reply.throttled("Wed, 18 Nov 2199 00:00:00 GMT", status=503))

        assert [client.status(job_id).status_code for _ in range(2)] == [503, 200]
        assert vendors.impatient == []


def test_hooks_run_before_a_step_after_it_and_in_the_middle_of_a_file() -> None:
    with Vendors(polls=1) as vendors:
        client = Client(vendors)
        seen: list[Any] = []
        vendors.on("submit", lambda _: seen.append(len(vendors.jobs)), when="before")
        vendors.on("submit", lambda request: seen.append(request.status))
        vendors.on_bytes(1000, lambda: seen.append("half way"))
        vendors.deliver(Delivery(rate=1e9, piece=500))

        client.log()

    assert seen == [0, 200, "half way"]


def test_everything_asked_is_remembered() -> None:
    with Vendors(polls=1) as vendors:
        client = Client(vendors)
        client.get(client.url())
        client.ibm_headers()
        steps = [(request.step, request.origin, request.status) for request in vendors.requests]
        submit, token = vendors.seen("submit")[0], vendors.seen("token")[0]

    assert steps == [
        ("submit", "api", 200),
        ("status", "api", 200),
        ("download", "download", 200),
        ("token", "api", 200),
    ]
    assert submit.json == BODY
    assert submit.headers["authorization"].startswith("Bearer ")
    assert token.form is not None
    assert token.form["username"] == "apikey"
    assert len({request.job_id for request in vendors.requests[:3]}) == 1


def test_jobs_one_after_the_other_are_not_counted_as_concurrent() -> None:
    with Vendors(polls=2) as vendors:
        client = Client(vendors)
        for _ in range(3):
            client.url()

        assert vendors.max_concurrent_jobs == 1


def test_fifty_clients_are_served_at_once_and_running_jobs_are_counted() -> None:
    with Vendors(polls=2, rows=5) as vendors:
        together = threading.Barrier(50)

        def run(_: int) -> int:
            client = Client(vendors)
            job_id = client.submit()
            together.wait(30)
            client.status(job_id)
            url = client.status(job_id).json()["response_data"]["download_url"]
            return client.get(url).status_code

        with ThreadPoolExecutor(50) as pool:
            assert list(pool.map(run, range(50))) == [200] * 50
        assert vendors.max_concurrent_jobs == 50
        assert len(vendors.jobs) == 50
