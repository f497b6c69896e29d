"""Waiting: as long as the vendor asks, as cheaply as may be, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_once import assert_landed_once
from tests.sandbox.vendor.delivery import Delivery
from tests.sandbox.vendor.messages import Reply

if TYPE_CHECKING:
    from tests.e2e.world import World


@pytest.mark.parametrize("step", ["token", "submit", "status", "download"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_delay_that_the_vendor_asks_for_is_kept_by_the_state_machine(
    world: World, step: str, status: int
) -> None:
    # Given
    connection = f"throttled-{step}-{status}"
    world.sandbox.connect(connection, {**world.vendors.secret("client_credentials"), "limits": {}})
    world.vendors.script(step, Reply.throttled(40, status), Reply.throttled("2.5", status, "x-retry-after"))
    # When
    outcome = world.run(connection=connection)
    # Then
    assert_landed_once(world, outcome)
    assert world.vendors.impatient == []
    assert outcome.output["submits"] == 1
    waits = [each for each in outcome.states if each.startswith("Wait To")]
    assert len(waits) == {"token": 2, "submit": 2, "status": 0, "download": 2}[step]


def test_a_429_without_a_delay_is_waited_for_too(world: World) -> None:
    # Given
    world.vendors.script("submit", Reply(429))
    # When / Then
    assert_landed_once(world, world.run())


def test_a_delay_beyond_the_deadline_is_not_begun(world: World) -> None:
    # Given
    world.vendors.script("status", None, Reply.throttled(100_000))
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "ExportTimedOutError")
    # and the job is adopted by the next run
    again = world.run()
    assert_landed_once(world, again)
    assert len(world.jobs) == 1


@pytest.mark.parametrize(
    "progress",
    [
        [None, "12", 50.5, "fifty", 40, 1e9, True, -3],
        ["100"],
        [float("1e400"), [], {"a": 1}],
    ],
)
def test_whatever_stands_under_progress_is_survived(world: World, progress: list[Any]) -> None:
    # Given
    world.set(progress=progress)
    # When / Then
    assert_landed_once(world, world.run())


def test_a_url_that_comes_late_is_waited_for(world: World) -> None:
    # Given
    world.set(late_url=3)
    # When
    outcome = world.run()
    # Then
    assert_landed_once(world, outcome)
    assert outcome.output["polls"] >= 4


def test_a_job_that_is_not_yet_visible_is_waited_for(world: World) -> None:
    # Given
    world.set(unknown_polls=2)
    # When / Then
    assert_landed_once(world, world.run())


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"[]", b'"x"', b"\xff\xfe", b"{}", b"null"])
def test_two_replies_that_nobody_can_read_are_survived_and_three_are_not(world: World, body: bytes) -> None:
    # Given
    world.vendors.script("status", Reply(200, body=body), Reply(200, body=body))
    # When / Then
    assert_landed_once(world, world.run())
    # and a third one in a row is the end
    world.vendors.script("status", *[Reply(200, body=body)] * 3)
    outcome = world.run(refresh=True)
    assert (outcome.status, outcome.error) == ("FAILED", "ExportFailedError")


@pytest.mark.parametrize("source", ["spark-log-csv", "spark-log-json", "spark-events"])
def test_a_job_that_the_vendor_calls_failed_ends_with_its_words(world: World, source: str) -> None:
    # Given
    world.set(failure={"message": "disk quota exceeded"})
    # When
    outcome = world.run(source=source)
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "ExportFailedError")
    assert "disk quota exceeded" in (outcome.cause or "")
    [notification] = world.notifications("FAILED")
    assert "disk quota exceeded" in notification["email"]


def test_a_vendor_in_trouble_is_asked_again(world: World) -> None:
    # Given
    world.vendors.script("status", Reply(500), Reply(502), Reply.dropped(), Reply.dropped(reset=True))
    # When / Then
    assert_landed_once(world, world.run())


def test_the_top_level_status_means_nothing(world: World) -> None:
    # Given the pages' own sample has null there
    world.set(edit_status=lambda document: {**document, "status": None})
    # When / Then
    assert_landed_once(world, world.run())


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_expired_url_is_replaced_twice_and_no_more(world: World, status: int) -> None:
    # Given
    world.vendors.deliver(Delivery(status=status), Delivery(status=status))
    # When / Then
    assert_landed_once(world, world.run())
    # and a third fresh one is not asked for in the same call
    world.vendors.deliver(*[Delivery(status=status)] * 50)
    outcome = world.run(refresh=True)
    assert (outcome.status, outcome.error) == ("FAILED", "SourceUnavailableError")


@pytest.mark.parametrize(
    ("delivery", "error", "words"),
    [
        (Delivery.html_page(), "CorruptDownloadError", "HTML"),
        (Delivery(body=b'{"error": "gone"}'), "CorruptDownloadError", "JSON"),
        (Delivery(corrupt=200), "CorruptDownloadError", ""),
        (Delivery(encoding="gzip"), "CorruptDownloadError", ""),
        (Delivery(redirect="http://127.0.0.1/x"), "DownloadRefusedError", ""),
        (Delivery(redirect="https://169.254.169.254/x"), "DownloadRefusedError", "169.254.169.254"),
        (Delivery(redirect="https://evil.example/x"), "DownloadRefusedError", "evil.example"),
    ],
)
def test_a_bad_download_lands_nothing(world: World, delivery: Delivery, error: str, words: str) -> None:
    # Given
    world.set(delivery=delivery)
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", error)
    assert words in (outcome.cause or "")
    assert world.day_objects() == []
    assert world.sandbox.open_uploads() == []
    assert len(world.notifications("FAILED")) == 1


def test_a_bad_file_that_is_good_the_next_time_lands(world: World) -> None:
    # Given
    world.vendors.deliver(Delivery(corrupt=200), Delivery.html_page())
    # When / Then
    assert_landed_once(world, world.run())
