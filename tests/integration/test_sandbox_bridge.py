from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.engine import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

TOY = Path(__file__).parents[1] / "sandbox" / "toy" / "template.yaml"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(template=TOY, speed=100_000) as sandbox:
        yield sandbox


def call_later(sandbox: Sandbox, **event: Any) -> int:
    answer = sandbox.client("lambda").invoke(
        FunctionName=sandbox.resources["TalkFunction"].ref, InvocationType="Event", Payload=json.dumps(event)
    )
    return int(answer["StatusCode"])


def test_an_asynchronous_call_is_tried_three_times_then_kept(sandbox: Sandbox) -> None:
    # When
    status = call_later(sandbox, do="raise")
    sandbox.drain()

    # Then
    assert status == 202
    assert [one.reply.error_type for one in sandbox.invocations()] == ["StubbornError"] * 3
    (kept,) = sandbox.queue("DeadLetters")
    record = json.loads(kept["body"])
    assert record["requestPayload"] == {"do": "raise"}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorType"] == "StubbornError"


def test_an_asynchronous_call_that_succeeds_later_is_not_kept(sandbox: Sandbox) -> None:
    # When
    call_later(sandbox, do="raise once", name="later")
    sandbox.drain()

    # Then
    assert [one.reply.error_type for one in sandbox.invocations()] == ["StubbornError", None]
    assert sandbox.queue("DeadLetters") == []


@pytest.mark.parametrize("end", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_an_execution_that_ends_badly_reaches_the_rules_targets(sandbox: Sandbox, end: str) -> None:
    # When
    if end == "FAILED":
        execution = sandbox.start({"do": "raise", "wait": 0}, machine="Single")
    elif end == "ABORTED":
        execution = sandbox.start({"do": "hang", "wait": 0}, machine="Single")
        while not sandbox.runtime.busy("TalkFunction"):
            pass
        sandbox.stop(execution)
        sandbox.kill_running("TalkFunction")
    else:
        sandbox.client("stepfunctions").update_state_machine(
            stateMachineArn=sandbox.site.state_machines["Single"], definition=impatient(sandbox)
        )
        execution = sandbox.start({"do": "talk", "wait": 90_000_000}, machine="Single")
    outcome = execution.wait()
    sandbox.drain()

    # Then
    assert outcome.status == end
    (heard,) = sandbox.queue("Heard")
    event = json.loads(heard["body"])
    assert event["source"] == "aws.states"
    assert event["resources"] == [execution.arn]
    detail = event["detail"]
    assert detail["executionArn"] == execution.arn
    assert (detail["status"], detail["error"]) == (end, outcome.error)
    assert json.loads(detail["input"])["do"] in {"raise", "hang", "talk"}
    told = sandbox.logs("TalkFunction")
    assert "doing None" in told  # the second target: the function, with InputPath $.detail


def impatient(sandbox: Sandbox) -> str:
    described = sandbox.client("stepfunctions").describe_state_machine(
        stateMachineArn=sandbox.site.state_machines["Single"]
    )
    return json.dumps({**json.loads(described["definition"]), "TimeoutSeconds": 1})


def test_an_execution_that_ends_well_stirs_nobody(sandbox: Sandbox) -> None:
    # When
    sandbox.start({"do": "talk", "wait": 0}, machine="Single").wait()
    sandbox.drain()

    # Then
    assert [event["detail"]["status"] for event in sandbox.bridge.events] == ["RUNNING", "SUCCEEDED"]
    assert sandbox.queue("Heard") == []


def test_an_object_that_a_function_puts_is_announced(sandbox: Sandbox) -> None:
    # When
    sandbox.invoke("TalkFunction", {"do": "put", "key": "a folder/ä.txt"})
    sandbox.drain()

    # Then
    (heard,) = sandbox.queue("Heard")
    event = json.loads(heard["body"])
    assert event["detail-type"] == "Object Created"
    assert event["detail"]["bucket"] == {"name": sandbox.bucket}
    made = event["detail"]["object"]
    (stored,) = sandbox.objects()
    assert (made["key"], made["size"], made["version-id"]) == (stored.key, 7, stored.version_id)
    assert event["detail"]["reason"] == "PutObject"


def test_a_schedule_fires_with_its_time_filled_in(sandbox: Sandbox) -> None:
    # Given
    sandbox.client("s3").put_object(Bucket=sandbox.bucket, Key="2026-11-20T02:00:00Z", Body=b'["talk"]')

    # When
    execution = sandbox.fire_schedule("ManyNightly", dt.datetime(2026, 11, 20, 2, tzinfo=dt.UTC))

    # Then
    assert execution is not None
    assert execution.wait().status == "SUCCEEDED"
    assert json.loads(execution.describe()["input"])["key"] == "2026-11-20T02:00:00Z"
