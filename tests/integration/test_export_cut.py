"""What becomes of an export that reached the vendor's limit for one download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from logferry.errors import ExportCutError, ExportFailedError, SourceUnavailableError
from tests.integration.steps import Steps, arn, example, stage
from tests.sandbox.vendor import Reply, Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG, EVENTS, IBM = (example(name) for name in ("spark-log-csv", "spark-events", "ibm-activity-tracker"))
ROWS = 20


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with Vendors(polls=1, rows=ROWS, files=1) as vendors, stage(vendors, monkeypatch) as steps:
        yield steps


def limited(steps: Steps, request: dict[str, Any], on_limit: str, **limits: int) -> dict[str, Any]:
    """Make a request of a connection that has limits of its own."""
    known = steps.vendors.connections[request["connection"]]
    steps.put_secret(request["connection"], {**known, "limits": limits})
    return {**request, "on_limit": on_limit}


REACHED = [(LOG, {"records": ROWS}), (LOG, {"bytes": 1000}), (IBM, {"records": ROWS})]


@pytest.mark.parametrize(("request_", "limits"), REACHED)
def test_a_cut_export_that_is_to_fail_lands_nothing(
    steps: Steps, request_: dict[str, Any], limits: dict[str, int]
) -> None:
    # Given a file as large as the vendor makes any
    request = limited(steps, request_, "fail", **limits)
    # When it is exported with `fail`
    with pytest.raises(ExportCutError, match="limit for one download") as raised:
        steps.run(request)
    steps.abandon(request, "ExportCutError", str(raised.value))
    # Then nothing is under its key, the failure is announced, and the job is let go
    assert (steps.keys, steps.uploads) == ([], [])
    assert [message["status"] for message in steps.messages] == ["FAILED"]
    assert steps.row(request)["state"] == "FAILED"
    assert "job_id" not in steps.row(request)
    assert steps.vendors.sessions == []
    # And the next run asks anew
    steps.end("one")
    assert steps.run({**request, "on_limit": "land"}, name="two")[-1]["submits"] == 1


@pytest.mark.parametrize(("request_", "limits"), REACHED)
def test_a_cut_export_that_is_split_succeeds_and_lands_nothing(
    steps: Steps, request_: dict[str, Any], limits: dict[str, int]
) -> None:
    # Given a file as large as the vendor makes any
    request = limited(steps, request_, "split", **limits)
    # When it is exported with `split`
    output = steps.run(request)[-1]
    # Then it says so, and nothing has landed, nobody is told, and it is no failed attempt
    assert (output["state"], output["key"], output["submits"], output["attempts"]) == ("CUT", None, 1, 1)
    assert (steps.keys, steps.uploads, steps.messages) == ([], [], [])
    row = steps.row(request)
    assert (row["state"], row["failures"]) == ("CUT", 0)
    assert "limit for one download" in row["cut"]
    # And nothing is left at the vendor
    assert steps.vendors.sessions == []


def test_a_cut_window_is_asked_for_once_by_those_who_split(steps: Steps) -> None:
    # Given a window that is cut
    request = limited(steps, LOG, "split", records=ROWS)
    steps.run(request)
    # When another execution asks for it, and one that a collection planned before it was cut
    again = steps.run(request, name="two")
    export_id = again[-1]["export_id"]
    planned = steps.run({**request, "on_limit": "land"}, name=f"{export_id}-1")
    # Then both are told at once, and the vendor has had one job
    assert [states[-1]["state"] for states in (again, planned)] == ["CUT", "CUT"]
    assert (len(again), len(planned), len(steps.vendors.jobs)) == (1, 1, 1)
    # And who takes what is cut gets it
    landed = steps.run({**request, "on_limit": "land"}, name="three")[-1]
    assert (landed["state"], landed["records"], len(steps.vendors.jobs)) == ("LANDED", ROWS, 2)
    assert "may have been cut" in steps.row(request)["suspect"][0]


def test_one_record_less_than_the_limit_is_whole(steps: Steps) -> None:
    request = limited(steps, LOG, "split", records=ROWS + 1)
    assert steps.run(request)[-1]["state"] == "LANDED"


def test_several_files_are_cut_together(steps: Steps) -> None:
    # Given events in three files that are a full page together
    steps.vendors.knobs.event_files = 3
    request = limited(steps, {**EVENTS, "filters": {"page_size": ROWS}}, "split")
    # When they are exported
    # Then those that were put before the last one are taken away
    assert steps.run(request)[-1]["state"] == "CUT"
    assert steps.keys == []


def test_what_a_killed_fetch_put_of_a_cut_file_is_taken_away(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an execution that lands what is cut and is killed before the ledger knows
    request = limited(steps, LOG, "land", records=ROWS)
    monkeypatch.setattr("logferry.export.land.Lander._commit", _unavailable)
    with pytest.raises(SourceUnavailableError):
        steps.run(request)
    assert len(steps.keys) == 1
    steps.end("one")
    # When another one that splits takes over
    # Then the vendor's job is adopted, and nothing is left
    assert steps.run({**request, "on_limit": "split"}, name="two")[-1]["state"] == "CUT"
    assert (steps.keys, len(steps.vendors.jobs)) == ([], 1)


def _unavailable(*_: Any) -> None:
    raise SourceUnavailableError("killed")


def test_a_session_of_a_cut_export_is_released_by_the_next_call(steps: Steps) -> None:
    # Given a vendor that is away when the session of a cut file is to be released
    request = limited(steps, IBM, "split", records=ROWS)
    state = steps.ready(request)
    steps.vendors.script("delete", Reply(503))
    with pytest.raises(SourceUnavailableError):
        steps.fetch(request, state)
    # When the step is tried again
    # Then the export is cut, and no session is left
    assert steps.fetch(request, state)["state"] == "CUT"
    assert steps.vendors.sessions == []


TOO_LARGE = [
    "The result has too many records (120,000); reduce the date range",
    "Log size exceeds the maximum of 26214400 bytes",
    "Export is larger than the limit",
]


@pytest.mark.parametrize("request_", [LOG, EVENTS])
@pytest.mark.parametrize("words", TOO_LARGE)
def test_a_job_that_fails_because_of_its_size_is_cut(
    steps: Steps, request_: dict[str, Any], words: str
) -> None:
    # Given a vendor that fails such jobs in its own words
    steps.vendors.knobs.failure = {"message": words}
    # When it is exported with `split`, and with `fail`
    assert steps.run({**request_, "on_limit": "split"})[-1]["state"] == "CUT"
    with pytest.raises(ExportCutError):
        steps.run({**request_, "on_limit": "fail"}, name="two")
    # Then `split` announces nothing
    assert steps.messages == []


@pytest.mark.parametrize(
    "words", ["Timeout while reading partition 3", "Rate limit exceeded for requests", "Time limit exceeded"]
)
def test_any_other_failure_stays_one(steps: Steps, words: str) -> None:
    steps.vendors.knobs.failure = {"message": words}
    with pytest.raises(ExportFailedError):
        steps.run({**LOG, "on_limit": "split"})


def test_a_job_that_fails_because_of_its_size_fails_where_cut_files_land(steps: Steps) -> None:
    steps.vendors.knobs.failure = {"message": TOO_LARGE[0]}
    with pytest.raises(ExportFailedError):
        steps.run(LOG)
    assert steps.row(LOG)["owner"] == arn("one")
