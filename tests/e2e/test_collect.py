"""Many exports of one calendar: planned, tried, made up for, and reported on."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from logferry.models.request import ExportRequest, Window
from tests.sandbox.vendor.messages import Reply

if TYPE_CHECKING:
    from tests.e2e.world import World
    from tests.sandbox.execution import Execution, Outcome
    from tests.sandbox.vendor.jobs import Job

UNTIL = datetime(2026, 11, 10, tzinfo=UTC)
MACHINE = "CollectStateMachine"

_services = itertools.count()


@dataclass
class Collecting:
    """A test's own service, of which the ledger knows nothing yet, and collections of it."""

    world: World
    service: str = field(default_factory=lambda: f"Service{next(_services)}")

    def __post_init__(self) -> None:
        self.world.vendors.services.add(("Motor", self.service))
        self.world.set(rows=2, files=1, polls=1)

    @property
    def series(self) -> dict[str, Any]:
        target = {"folder": "Motor", "service": self.service}
        return {"source": "spark-log-csv", "connection": "acme-uat", "target": target}

    def input(self, days: int, **changes: Any) -> dict[str, Any]:
        document = {"exports": [self.series], "every": "day", "until": UNTIL.isoformat(), "lookback": days}
        return {**document, **changes}

    def start(self, days: int, **changes: Any) -> Execution:
        return self.world.sandbox.start(self.input(days, **changes), machine=MACHINE)

    def run(self, days: int, **changes: Any) -> Outcome:
        outcome = self.start(days, **changes).wait(300)
        self.world.sandbox.drain()
        return outcome

    def export(self, days_before: int) -> ExportRequest:
        start = UNTIL - timedelta(days=days_before)
        return ExportRequest(**self.series, window=Window(start, start + timedelta(days=1)))

    @property
    def jobs(self) -> list[Job]:
        return [job for job in self.world.jobs if job.service == self.service]

    def landed(self) -> list[str]:
        keys = [each.key for each in self.world.sandbox.objects(all_versions=True)]
        folder = "spark-log-csv/acme-uat/Motor/" + self.service + "/"
        return [key for key in keys if key.startswith(folder) and key.endswith(".zip")]

    def report(self, summary: dict[str, Any]) -> list[dict[str, Any]]:
        read = json.loads(self.world.sandbox.read(summary["report_key"]))
        return [window for series in read["series"] for window in series["windows"]]

    def told(self) -> list[dict[str, Any]]:
        messages = [each["message"] for each in self.world.notifications()]
        return [message for message in messages if message["schema"].startswith("logferry.collection")]

    def most_at_once(self) -> int:
        """Count the most exports that the vendor had under way, from the submit to the file, at one time."""
        spans: dict[str, list[float]] = {}
        for request in self.world.vendors.requests:
            if request.job_id in {job.id for job in self.jobs}:
                spans.setdefault(str(request.job_id), []).append(request.arrived)
        marks = [(min(times), 1) for times in spans.values()] + [(max(times), -1) for times in spans.values()]
        return max(itertools.accumulate(step for _, step in sorted(marks)))


def counts(summary: dict[str, Any]) -> dict[str, int]:
    return {
        name: count
        for name, count in summary.items()
        if isinstance(count, int) and count and name != "exports"
    }


@pytest.fixture
def collecting(world: World) -> Collecting:
    return Collecting(world)


def test_a_backfill_with_failing_calls_lands_every_window_once(collecting: Collecting) -> None:
    # Given a vendor of whose calls every tenth fails, in all steps
    trouble = [None] * 9 + [Reply(503)]
    for step in ("submit", "status", "download"):
        collecting.world.vendors.script(step, *trouble * 12)
    # When three weeks are collected, and collected again where something failed
    first = collecting.run(21, max_concurrency=3)
    second = collecting.run(21, max_concurrency=3) if first.status == "FAILED" else first
    # Then every window has landed once, under a key of its own
    assert second.status == "SUCCEEDED", second
    assert len(collecting.landed()) == len(set(collecting.landed())) == 21
    # And the vendor never had more than three under way
    assert collecting.most_at_once() <= 3
    # And the next collection plans nothing, starts nothing and tells nobody
    jobs, told = len(collecting.jobs), len(collecting.told())
    third = collecting.run(21)
    assert counts(third.output) == {"already_landed": 21}
    assert (len(collecting.jobs), len(collecting.told())) == (jobs, told)


def test_a_failed_window_leaves_the_others_landed_and_is_named(collecting: Collecting) -> None:
    # Given a vendor that refuses the third day
    failing = collecting.export(2)
    day = failing.window
    assert day
    collecting.world.vendors.script("submit", None, None, Reply(422))
    # When four days are collected
    outcome = collecting.run(4, max_concurrency=1)
    # Then the collection fails after the others landed, with the summary as its cause
    assert (outcome.status, outcome.error) == ("FAILED", "CollectionIncompleteError")
    assert outcome.cause
    summary = json.loads(outcome.cause)
    assert counts(summary) == {"planned": 4, "landed": 3, "failed": 1}
    assert len(collecting.landed()) == 3
    # And the day is named in the report and in the notification, with the reason
    (failed,) = [window for window in collecting.report(summary) if window["outcome"] == "failed"]
    assert (failed["export_id"], failed["error"]) == (failing.export_id, "InvalidRequestError")
    (told,) = collecting.told()
    assert (told["status"], told["failed_windows"][0]["window"]) == ("FAILED", day.to_json())
    # And whoever filters by attributes can tell the summary from what it sums up
    marks = [each["attributes"].get("collection") for each in collecting.world.notifications()]
    assert sorted(map(str, marks)) == ["None", *["true"] * 4]
    # And in the widget
    shown = collecting.world.sandbox.invoke("CoverageFunction", collecting.input(4)).json()
    assert "3 landed, 1 failed" in shown
    # And the next collection makes up for it
    assert counts(collecting.run(4).output) == {"planned": 1, "landed": 1, "already_landed": 3}


def test_two_collections_at_the_same_moment_export_nothing_twice(collecting: Collecting) -> None:
    # Given two firings of one schedule
    executions = [collecting.start(6) for _ in range(2)]
    # When both run at once
    outcomes = [execution.wait(300) for execution in executions]
    # Then both succeed, and the vendor accepted one job a window
    assert [outcome.status for outcome in outcomes] == ["SUCCEEDED"] * 2
    assert len(collecting.jobs) == len(collecting.landed()) == 6


def test_a_name_that_ended_before_the_ledger_knew_it_is_no_lost_window(collecting: Collecting) -> None:
    # Given an execution of that name that ended before it claimed anything: AWS refuses it for 90 days
    name = f"{collecting.export(1).export_id}-1"
    assert collecting.world.sandbox.start({}, name=name).wait().status == "FAILED"
    # When the day is collected
    outcome = collecting.run(1)
    # Then it lands all the same
    assert counts(outcome.output) == {"planned": 1, "landed": 1}
    assert len(collecting.jobs) == 1


def test_a_window_at_work_elsewhere_is_in_progress(collecting: Collecting) -> None:
    # Given an export of the last day that somebody started by hand and whose job takes its time
    collecting.world.set(stuck=True)
    by_hand = collecting.world.sandbox.start(
        {**collecting.series, "window": collecting.export(1).window.to_json()}  # type: ignore[union-attr]
    )
    while not collecting.jobs:
        assert by_hand.status == "RUNNING"
    # When two days are collected meanwhile
    execution = collecting.start(2)
    while len(collecting.jobs) < 2:
        assert execution.status == "RUNNING"
    collecting.world.set(stuck=False)
    outcome = execution.wait(120)
    # Then one is exported and the other is in progress
    assert counts(outcome.output) == {"planned": 1, "landed": 1, "in_progress": 1}
    assert by_hand.wait(60).status == "SUCCEEDED"
    assert len(collecting.jobs) == 2


def test_a_given_up_window_waits_for_force(collecting: Collecting) -> None:
    # Given a vendor that refuses a day twice
    collecting.world.vendors.script("submit", Reply(422), Reply(422))
    # When a day is collected as often as it may be, and once more
    outcomes = [collecting.run(1, max_attempts=2) for _ in range(3)]
    # Then it is tried twice and given up, which is no failure of the third collection
    assert [outcome.status for outcome in outcomes] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert counts(outcomes[2].output) == {"given_up": 1}
    # And force tries again
    assert counts(collecting.run(1, max_attempts=2, force=True).output) == {"planned": 1, "landed": 1}


def test_a_collection_that_is_stopped_is_made_up_for(collecting: Collecting) -> None:
    # Given a backfill that runs away: its jobs take for ever
    collecting.world.set(stuck=True)
    execution = collecting.start(4, max_concurrency=2)
    while len(collecting.jobs) < 2:
        assert execution.status == "RUNNING"
    # When it is stopped by hand
    collecting.world.sandbox.stop(execution)
    collecting.world.sandbox.drain()
    # Then nothing new is started, and the next collection goes on with the jobs that the vendor has
    collecting.world.set(stuck=False)
    assert len(collecting.jobs) == 2
    outcome = collecting.run(4)
    assert outcome.status == "SUCCEEDED", outcome
    assert len(collecting.landed()) == len(collecting.jobs) == 4


def test_a_dry_run_asks_the_vendor_for_nothing(collecting: Collecting) -> None:
    # Given a year that nobody has collected
    # When its collection is rehearsed
    outcome = collecting.run(365, dry_run=True)
    # Then the number of jobs is known and none was started
    assert counts(outcome.output) == {"planned": 365}
    assert len(collecting.report(outcome.output)) == 365
    assert (collecting.jobs, collecting.told()) == ([], [])


def test_a_wrong_input_fails_by_its_name_and_is_announced(collecting: Collecting) -> None:
    # Given an input without its calendar
    document = {"exports": [collecting.series]}
    # When it is started
    outcome = collecting.world.sandbox.start(document, machine=MACHINE).wait()
    # Then it fails with what would be right, and people are told
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    assert outcome.cause == "every: is required"
    assert [told["error"] for told in collecting.told()] == ["InvalidRequestError"]
