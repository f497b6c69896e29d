from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from logferry import runtime
from logferry.collect.plan import plan
from logferry.collect.report import report
from logferry.coverage.widget import show
from logferry.errors import InvalidRequestError
from logferry.models.request import ExportRequest, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from logferry.ledger.record import ExportRecord
    from logferry.ledger.repository import Ledger

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
REGION = "eu-west-1"
EXECUTION = f"arn:aws:states:{REGION}:{DEFAULT_ACCOUNT_ID}:execution:logferry-collect:night-1"
TOPIC = f"arn:aws:sns:{REGION}:{DEFAULT_ACCOUNT_ID}:topic"
SERIES = {"source": "spark-log-csv", "connection": "acme", "target": {"folder": "Motor", "service": "Quote"}}
WEEK = {"exports": [SERIES], "every": "day", "until": "2026-11-20T02:00:00Z"}


class Stack:
    """The AWS that plan and report see, and what a test looks at in it."""

    def __init__(self) -> None:
        self.ledger: Ledger = runtime.ledger()
        self.ledger.now = lambda: NOW
        steps = boto3.client("stepfunctions", REGION)
        machine = steps.create_state_machine(
            name="m",
            definition='{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}',
            roleArn="arn:aws:iam::123456789012:role/r",
        )
        self.alive = steps.start_execution(stateMachineArn=machine["stateMachineArn"], name="alive")[
            "executionArn"
        ]

    def export(self, day: int, **changes: Any) -> ExportRequest:
        window = Window(datetime(2026, 11, day, tzinfo=UTC), datetime(2026, 11, day + 1, tzinfo=UTC))
        return ExportRequest(**{**SERIES, **changes}, window=window)

    def claim(self, day: int, owner: str = "arn:dead") -> ExportRecord:
        return self.ledger.create(self.export(day), owner)

    def land(self, day: int, *, announced: bool = True, **landing: Any) -> None:
        row = self.ledger.submitted(self.claim(day), "job", ready=True)
        row = self.ledger.landed(row, {"key": f"key-{day}", "records": 3, **landing})
        if announced:
            self.ledger.notified(row)

    def fail(self, day: int, times: int = 1) -> None:
        row = self.ledger.read(self.export(day)) or self.claim(day)
        for _ in range(times):
            if row.state == "FAILED":
                row = self.ledger.take(row, "arn:dead", state=row.state.CLAIMED, refresh=False)
            row = self.ledger.failed(row, "SourceUnavailableError", "the vendor answered 503", keep_job=False)

    def read(self, key: str) -> Any:
        return json.loads(boto3.client("s3", REGION).get_object(Bucket="bucket", Key=key)["Body"].read())

    def planned(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        return [item for one in state["connections"] for item in self.read(one["items_key"])]

    def notifications(self) -> list[dict[str, Any]]:
        sent = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[TOPIC].sent_notifications
        return [json.loads(json.loads(one[1])["default"]) for one in sent]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    settings = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "BUCKET": "bucket",
        "BUCKET_OWNER": DEFAULT_ACCOUNT_ID,
        "TABLE": "ledger",
        "TOPIC_ARN": TOPIC,
        "SECRET_PREFIX": "logferry/",
        "JOB_DEADLINE_SECONDS": "21600",
        "ADOPT_SECONDS": "86400",
        "SUBMIT_UNCERTAIN": "resubmit",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    cached: list[Callable[..., Any]] = [runtime.settings, runtime.client, runtime.s3, runtime.ledger]
    with mock_aws():
        for each in cached:
            each.cache_clear()  # type: ignore[attr-defined]
        place: Any = {"LocationConstraint": REGION}
        boto3.client("s3", REGION).create_bucket(Bucket="bucket", CreateBucketConfiguration=place)
        boto3.client("sns", REGION).create_topic(Name="topic")
        keys = {"series": "HASH", "window": "RANGE"}
        boto3.client("dynamodb", REGION).create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Stack()
        for each in cached:
            each.cache_clear()  # type: ignore[attr-defined]


def make(stack: Stack, **changes: Any) -> dict[str, Any]:
    assert stack
    return plan({"request": {**WEEK, **changes}, "execution": EXECUTION})


def finish(state: dict[str, Any]) -> dict[str, Any]:
    return report({"plan": state, "execution": EXECUTION})


def test_a_plan_is_every_window_less_what_has_landed(stack: Stack) -> None:
    # Given a week of which each day went another way
    stack.land(13)
    stack.fail(14, times=2)
    stack.fail(15, times=5)
    stack.claim(16, owner=stack.alive)
    stack.claim(17, owner="arn:aws:states:eu-west-1:1:execution:logferry-export:dead")
    stack.land(18, announced=False)
    # When the week is planned
    items = stack.planned(make(stack))
    # Then the landed, the given up and the living are left out; the failed, the claims of the dead, what was
    # never announced and what nobody asked for are planned
    assert [item["input"]["window"]["start"][:10] for item in items] == [
        "2026-11-14",
        "2026-11-17",
        "2026-11-18",
        "2026-11-19",
    ]


def test_an_execution_is_named_by_its_export_and_attempt(stack: Stack) -> None:
    # Given a day that failed twice, and one that nobody asked for
    stack.fail(18, times=2)
    # When they are planned, twice
    first, second = (stack.planned(make(stack, lookback=2)) for _ in range(2))
    # Then the names tell export and attempt, and are the same both times: AWS starts them once
    names = [f"{stack.export(18).export_id}-3", f"{stack.export(19).export_id}-1"]
    assert [item["name"] for item in first] == [item["name"] for item in second] == names
    # And the input is that of one export
    assert first[0]["input"] == {
        **SERIES,
        "window": {"start": "2026-11-18T00:00:00+00:00", "end": "2026-11-19T00:00:00+00:00"},
        "filters": {},
    }


def test_force_plans_what_was_given_up(stack: Stack) -> None:
    # Given a day that failed five times, and one that has landed
    stack.fail(18, times=5)
    stack.land(19)
    # When it is planned by force
    items = stack.planned(make(stack, lookback=2, force=True))
    # Then the day is planned; what has landed is not
    assert [item["input"]["window"]["start"][:10] for item in items] == ["2026-11-18"]


def test_max_attempts_is_the_collections_own(stack: Stack) -> None:
    # Given a day that failed twice
    stack.fail(19, times=2)
    # When collections allow three attempts, and two
    # Then only the first plans it
    assert len(stack.planned(make(stack, lookback=1, max_attempts=3))) == 1
    assert stack.planned(make(stack, lookback=1, max_attempts=2)) == []


def test_windows_keep_the_zones_own_offset(stack: Stack) -> None:
    # Given a collection of New York's days
    # When it is planned
    items = stack.planned(make(stack, timezone="America/New_York", until="2026-11-03T12:00:00Z", lookback=3))
    # Then each time says the offset of its moment, which the key's date= comes from
    assert [item["input"]["window"]["start"] for item in items] == [
        "2026-10-31T00:00:00-04:00",
        "2026-11-01T00:00:00-04:00",
        "2026-11-02T00:00:00-05:00",
    ]


def test_an_end_that_is_still_to_come_is_cut_to_now(stack: Stack) -> None:
    # Given / When an end years ahead
    state = make(stack, until="2030-01-01T00:00:00Z", lookback=1)
    # Then the last window is the last one that is over, and state and output say the end that was used
    assert stack.planned(state)[0]["input"]["window"]["end"] == "2026-11-20T00:00:00+00:00"
    assert (state["now"], state["until"]) == ("2026-11-20T06:00:00Z",) * 2
    assert finish(state)["summary"]["until"] == "2026-11-20T06:00:00Z"


def test_a_collection_of_days_to_come_plans_nothing(stack: Stack) -> None:
    # Given / When a beginning before the end that was asked for, but after now
    state = make(stack, until="2030-01-01T00:00:00Z", **{"from": "2027-01-01"})
    # Then it is no mistake: there is nothing to do yet
    assert state["connections"] == []
    result = finish(state)
    assert (result["complete"], result["summary"]["planned"]) == (True, 0)


def test_a_landing_asked_for_before_its_windows_end_is_exported_again(stack: Stack) -> None:
    # Given a day that landed as it was at noon, one of an earlier release that only says so in words, and one
    # that was whole
    stack.land(17)
    stack.land(18, suspect=["asked for before the window was over, so later records are not in it"])
    stack.land(19, requested_at="2026-11-19T12:00:00Z")
    # When the days are planned
    state = make(stack, lookback=3)
    # Then the two are planned, as refreshes
    items = stack.planned(state)
    assert [(item["input"]["window"]["start"][:10], item["input"]["refresh"]) for item in items] == [
        ("2026-11-18", True),
        ("2026-11-19", True),
    ]
    # And the report, where nobody exported them, and the picture call them what they are
    summary = finish(state)["summary"]
    assert (summary["planned"], summary["failed"], summary["already_landed"]) == (2, 2, 1)
    assert "1 landed, 2 early" in show({**WEEK, "lookback": 3, "widgetContext": {"params": WEEK}})


def test_an_early_landing_is_given_up_after_as_many_failures_as_any_window(stack: Stack) -> None:
    # Given a day that landed early, and whose refresh failed once
    stack.land(19, requested_at="2026-11-19T12:00:00Z")
    row = stack.ledger.read(stack.export(19))
    assert row
    taken = stack.ledger.take(row, "arn:dead", state=row.state.CLAIMED, refresh=True)
    stack.ledger.failed(taken, "ExportFailedError", "no", keep_job=False)
    # When it is planned with two attempts allowed, and with one
    # Then it is tried again, and given up
    assert len(stack.planned(make(stack, lookback=1, max_attempts=2))) == 1
    assert stack.planned(make(stack, lookback=1, max_attempts=1)) == []


def test_lists_and_plans_are_read_in_the_version_that_was_written(stack: Stack) -> None:
    # Given a plan in a bucket that keeps versions
    s3 = boto3.client("s3", REGION)
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    state = make(stack, lookback=2)
    # When somebody writes other things under its keys
    (one,) = state["connections"]
    for key in (state["plan_key"], one["items_key"]):
        s3.put_object(Bucket="bucket", Key=key, Body=b"[]")
    # Then the list that the state names is still the plan's, and the report counts what was planned
    named = s3.get_object(Bucket="bucket", Key=one["items_key"], VersionId=one["items_version"])
    assert len(json.loads(named["Body"].read())) == 2
    assert finish(state)["summary"]["planned"] == 2


def test_a_state_without_versions_is_read_as_the_release_before_wrote_it(stack: Stack) -> None:
    # Given a running collection that an earlier release planned, whose state names no versions
    state = make(stack, lookback=2)
    old = {name: state[name] for name in ("execution", "plan_key", "report_key", "dry_run", "connections")}
    # When it is reported, with and without them, in a bucket that keeps no versions
    # Then both count the same
    assert finish(old)["summary"] == finish(state)["summary"]
    assert state["connections"][0]["items_version"] == "null"


def test_a_source_gets_no_longer_windows_than_it_takes(stack: Stack) -> None:
    # Given a source that takes 15 days at most
    ibm = {"source": "ibm-activity-tracker", "connection": "ibm"}
    # When a month of it is planned
    items = stack.planned(make(stack, exports=[ibm], every="month", lookback=1))
    # Then it is three exports of whole days, that together are the month
    days = [(item["input"]["window"]["start"][8:10], item["input"]["window"]["end"][5:10]) for item in items]
    assert days == [("01", "10-16"), ("16", "10-31"), ("31", "11-01")]


def test_each_connection_has_a_list_of_its_own(stack: Stack) -> None:
    # Given two services of one connection and one of another
    other = {**SERIES, "connection": "beta"}
    second = {**SERIES, "target": {"folder": "Motor", "service": "Bind"}}
    # When they are planned
    state = make(stack, exports=[SERIES, other, second], max_concurrency=3)
    # Then each connection has its list and its concurrency, and the state is small
    told = {one["connection"]: len(stack.read(one["items_key"])) for one in state["connections"]}
    assert told == {"acme": 14, "beta": 7}
    assert {one["max_concurrency"] for one in state["connections"]} == {3}
    assert len(json.dumps(state)) < 2_000


def test_a_dry_run_starts_nothing_and_reports_everything(stack: Stack) -> None:
    # Given a day that has landed and one that was given up
    stack.land(13)
    stack.fail(14, times=5)
    # When a dry run is planned
    state = make(stack, dry_run=True)
    # Then no list is made, nobody is told, and the summary and the report say what would be done
    assert (state["dry_run"], state["connections"], stack.notifications()) == (True, [], [])
    assert state["summary"] == {
        "planned": 5,
        "landed": 0,
        "in_progress": 0,
        "already_landed": 1,
        "given_up": 1,
        "failed": 0,
        "suspect": 0,
        "exports": 0,
        "until": "2026-11-20T02:00:00Z",
        "report_key": state["report_key"],
    }
    written = stack.read(state["report_key"])
    assert written["jobs"] == 5
    assert [window["decision"] for window in written["series"][0]["windows"]] == [
        "already landed",
        "given up",
        *["to export"] * 5,
    ]


def test_a_report_tells_what_became_of_each_window(stack: Stack) -> None:
    # Given a plan of a week of which one day had landed before
    stack.land(13)
    state = make(stack)
    # When one day failed, one is claimed by an execution that runs, one by a dead one, one was never
    # started, one landed and could not be announced, and one landed
    stack.fail(14)
    stack.claim(15, owner=stack.alive)
    stack.claim(16)
    stack.land(18, announced=False)
    stack.land(19, records=0)
    result = finish(state)
    # Then the summary counts them
    assert result["summary"] == {
        "planned": 6,
        "landed": 1,
        "in_progress": 1,
        "already_landed": 1,
        "given_up": 0,
        "failed": 4,
        "suspect": 0,
        "exports": 6,
        "until": "2026-11-20T02:00:00Z",
        "report_key": state["report_key"],
    }
    # And the report names each, with the reason where it is not there
    windows = stack.read(state["report_key"])["series"][0]["windows"]
    assert [(window["outcome"], window.get("error")) for window in windows] == [
        ("landed", None),
        ("failed", "SourceUnavailableError"),
        ("in progress", None),
        ("failed", "ExecutionEnded"),
        ("failed", "NotStarted"),
        ("failed", "NotAnnounced"),
        ("empty", None),
    ]
    assert windows[0]["key"] == "key-13"


def test_one_failed_window_fails_the_collection_with_the_summary_as_its_cause(stack: Stack) -> None:
    # Given a collection of which one window failed
    state = make(stack, lookback=2)
    stack.land(18)
    stack.fail(19)
    # When it is reported
    result = finish(state)
    # Then it fails by the contract's name, and says all in its cause, since a failed execution has no output
    assert result["complete"] is False
    assert result["Error"] == "CollectionIncompleteError"
    assert json.loads(result["Cause"]) == result["summary"]
    # And the notification names the window and why
    (told,) = stack.notifications()
    assert (told["status"], told["landed"], told["failed"]) == ("FAILED", 1, 1)
    assert told["failed_windows"][0]["window"]["start"] == "2026-11-19T00:00:00Z"
    assert told["failed_windows"][0]["cause"] == "the vendor answered 503"


def test_a_collection_is_announced_once_however_often_it_is_reported(stack: Stack) -> None:
    # Given a collection that landed a window
    state = make(stack, lookback=1)
    stack.land(19)
    # When the report is made twice, because the first reply was lost
    results = [finish(state) for _ in range(2)]
    # Then both say the same, and people are told once
    assert results[0] == results[1]
    assert results[0]["complete"] is True
    assert [told["status"] for told in stack.notifications()] == ["COLLECTED"]


@pytest.mark.parametrize(("landed", "hours"), [((), 150.0), ((13, 14, 16), 102.0), (range(13, 20), 0.0)])
def test_the_alarm_reads_for_how_long_the_oldest_window_has_been_missing(
    stack: Stack, caplog: pytest.LogCaptureFixture, landed: Iterable[int], hours: float
) -> None:
    # Given a week, the 13th to the 19th, of which some days have landed
    for day in landed:
        stack.land(day)
    state = make(stack, lookback=7)
    # When it is reported on the 20th at 6
    finish(state)
    # Then the log says since when the oldest of the others is over
    [line] = [record for record in caplog.records if record.message == "collected"]
    assert vars(line)["oldest_missing_hours"] == hours


def test_a_collection_with_nothing_to_do_is_silent(stack: Stack) -> None:
    # Given a day that has landed
    stack.land(19)
    # When it is collected again
    result = finish(make(stack, lookback=1))
    # Then nothing was planned and nobody is told
    assert (result["complete"], result["summary"]["planned"], stack.notifications()) == (True, 0, [])


def test_a_collection_that_could_not_be_planned_is_announced(stack: Stack) -> None:
    # Given what Step Functions catches when plan refuses an input
    cause = json.dumps({"errorType": "InvalidRequestError", "errorMessage": "every: is required"})
    failure = {"Error": "InvalidRequestError", "Cause": cause}
    # When it is reported
    result = report({"failure": failure, "execution": EXECUTION})
    # Then the execution fails by that name and people are told why
    assert result == {"Error": "InvalidRequestError", "Cause": "every: is required"}
    assert [(told["status"], told["cause"]) for told in stack.notifications()] == [
        ("FAILED", "every: is required")
    ]


def test_a_wrong_input_leaves_nothing_behind(stack: Stack) -> None:
    # Given an input with one thing wrong
    # When it is planned
    with pytest.raises(InvalidRequestError):
        make(stack, every="year")
    # Then nothing was written
    assert "Contents" not in boto3.client("s3", REGION).list_objects_v2(Bucket="bucket")


def test_the_widget_draws_what_a_schedule_would_plan(stack: Stack) -> None:
    # Given a week of which one day landed and one failed
    stack.land(13)
    stack.fail(14)
    # When CloudWatch asks with a collection's input as its parameters, in a dark dashboard
    html = show({**WEEK, "widgetContext": {"theme": "dark", "params": WEEK}})
    # Then the five other days are missing
    assert "1 landed, 5 missing, 1 failed" in html
    assert "background:#0f1722" in html


def test_the_widget_without_parameters_draws_everything(stack: Stack) -> None:
    # Given a day that landed
    stack.land(19)
    # When CloudWatch asks without parameters
    html = show({"widgetContext": {"theme": "light"}})
    # Then it is drawn
    assert "1 series, 1 window: 1 landed." in html


def test_the_widget_reads_the_ledger_once_a_minute(stack: Stack) -> None:
    # Given a picture that was drawn
    stack.land(19)
    drawn = show({})
    # When another day lands, and the picture is asked for at once and a minute later
    stack.land(18)
    at_once = show({})
    stack.ledger.now = lambda: NOW + timedelta(minutes=1)
    # Then it is shown again, and then drawn again
    assert at_once == drawn
    assert "2 windows: 2 landed" in show({})


def test_the_widget_describes_itself() -> None:
    # Given what CloudWatch sends for the documentation button
    # When it is asked
    # Then the answer is Markdown that names the parameters
    assert show({"describe": True}).startswith("## Logferry coverage")
