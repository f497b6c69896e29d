from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.engine import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

TOY = Path(__file__).parents[1] / "sandbox" / "toy" / "template.yaml"


def toy(**settings: Any) -> Sandbox:
    return Sandbox(template=TOY, **{"speed": 100_000, **settings})


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with toy() as sandbox:
        yield sandbox


def talk(sandbox: Sandbox, do: str, *, wait: float = 0, name: str | None = None) -> Any:
    return sandbox.start({"do": do, "wait": wait}, machine="Single", name=name)


def map_over(sandbox: Sandbox, items: list[str], concurrency: int = 2) -> Any:
    sandbox.client("s3").put_object(Bucket=sandbox.bucket, Key="items", Body=json.dumps(items))
    return sandbox.start({"key": "items", "concurrency": concurrency}, machine="Many")


def test_a_state_machine_calls_the_function_with_its_execution(sandbox: Sandbox) -> None:
    # When
    execution = talk(sandbox, "talk", name="first")
    outcome = execution.wait()

    # Then
    assert outcome.status == "SUCCEEDED"
    event = outcome.output["event"]
    assert event["execution"] == execution.arn
    assert event["input"] == {"do": "talk", "wait": 0}
    assert event["started"].endswith("Z")
    assert outcome.states == ["Talk", "Talked?", "Done"]
    assert outcome.transitions == 3


def test_waits_and_retries_pass_in_no_time_at_speed(sandbox: Sandbox) -> None:
    # When: 600 s of delay at most before the retry, and an hour's wait
    outcome = talk(sandbox, "raise once", wait=3600, name="twice").wait()

    # Then
    assert outcome.status == "SUCCEEDED"
    assert outcome.states == ["Talk", "Talked?", "Wait", "Done"]
    assert outcome.transitions == 5
    assert [one.reply.error_type for one in sandbox.invocations("TalkFunction")] == ["StubbornError", None]


def test_an_error_that_stays_fails_the_execution_under_its_name(sandbox: Sandbox) -> None:
    # When
    outcome = talk(sandbox, "raise").wait()

    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "StubbornError")
    assert json.loads(outcome.cause or "")["errorMessage"] == "as I was told"
    assert outcome.states == ["Talk", "Talk Failed"]


def test_nobody_catches_what_the_state_machine_itself_got_wrong(sandbox: Sandbox) -> None:
    # When: `$.do` is not there
    outcome = sandbox.start({"wait": 0}, machine="Single").wait()

    # Then: not the Catch of States.ALL
    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")
    assert outcome.states == ["Talk"]


def test_what_aws_refuses_to_start_is_refused(sandbox: Sandbox) -> None:
    # Given
    client = sandbox.client("stepfunctions")
    machine = sandbox.site.state_machines["Single"]

    # When, Then
    with pytest.raises(ClientError, match="InvalidName"):
        talk(sandbox, "talk", name="no:colons")
    with pytest.raises(ClientError, match="InvalidName"):
        talk(sandbox, "talk", name="x" * 81)
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        sandbox.start({"do": "x" * 256 * 1024, "wait": 0}, machine="Single")
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        sandbox.start("no json", machine="Single")
    assert client.start_execution(stateMachineArn=machine, input='{"do": "talk", "wait": 0}')["executionArn"]


def test_a_stopped_execution_ends_at_once_though_its_function_goes_on(sandbox: Sandbox) -> None:
    # Given
    execution = talk(sandbox, "hang")
    while not sandbox.runtime.busy("TalkFunction"):
        pass

    # When
    sandbox.stop(execution, error="Enough", cause="of this")

    # Then
    outcome = execution.wait()
    assert (outcome.status, outcome.error, outcome.cause) == ("ABORTED", "Enough", "of this")
    assert sandbox.kill_running("TalkFunction") == 1


def test_a_stop_ends_a_wait(sandbox: Sandbox) -> None:
    # Given
    execution = talk(sandbox, "talk", wait=90_000_000)
    while "WaitStateEntered" not in [event["type"] for event in execution.history()]:
        pass

    # When
    sandbox.stop(execution)

    # Then
    assert execution.wait().status == "ABORTED"


def test_each_item_of_a_map_runs_in_a_child_of_its_own(sandbox: Sandbox) -> None:
    # When
    outcome = map_over(sandbox, ["talk", "talk", "talk"]).wait()

    # Then
    assert outcome.status == "SUCCEEDED"
    manifest = json.loads(sandbox.read(outcome.output["ResultWriterDetails"]["Key"]))
    (written,) = manifest["ResultFiles"]["SUCCEEDED"]
    results = json.loads(sandbox.read(written["Key"]))
    assert len({one["ExecutionArn"] for one in results}) == 3
    said = [json.loads(one["Output"])["said"]["event"]["input"] for one in results]
    assert [one["key"] for one in said] == ["items"] * 3
    assert len(sandbox.executions("Single")) == 3


def test_a_map_survives_as_many_failures_as_it_tolerates(sandbox: Sandbox) -> None:
    # When
    half = map_over(sandbox, ["talk", "raise"]).wait()

    # Then
    assert half.status == "SUCCEEDED"
    files = json.loads(sandbox.read(half.output["ResultWriterDetails"]["Key"]))["ResultFiles"]
    (failed,) = json.loads(sandbox.read(files["FAILED"][0]["Key"]))
    assert (failed["Status"], failed["Error"]) == ("FAILED", "States.TaskFailed")
    child = json.loads(failed["Cause"])
    assert (child["Status"], child["Error"]) == ("FAILED", "StubbornError")
    assert json.loads(child["Input"])["do"] == "raise"


def test_a_map_fails_beyond_the_failures_it_tolerates(sandbox: Sandbox) -> None:
    # When
    outcome = map_over(sandbox, ["raise", "raise", "talk"], concurrency=1).wait()

    # Then: the third item is never tried
    assert (outcome.status, outcome.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert len(sandbox.executions("Single")) == 2


def test_a_map_without_its_items_says_so(sandbox: Sandbox) -> None:
    # When
    outcome = sandbox.start({"key": "nowhere", "concurrency": 1}, machine="Many").wait()

    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "States.ItemReaderFailed")


def test_a_stopped_parent_stops_its_children(sandbox: Sandbox) -> None:
    # Given
    parent = map_over(sandbox, ["hang"])
    while not sandbox.runtime.busy("TalkFunction"):
        pass
    (child,) = sandbox.executions("Single")

    # When
    sandbox.stop(parent)

    # Then
    assert child.wait().status == "ABORTED"
    # and the function goes on behind it, perhaps beside what an earlier test left so
    assert sandbox.kill_running("TalkFunction") >= 1


def test_fifty_executions_at_once_each_get_their_own_answer(sandbox: Sandbox) -> None:
    # When
    executions = [talk(sandbox, "count", name=f"one-{number}") for number in range(50)]

    # Then
    outcomes = [execution.wait(120) for execution in executions]
    assert {outcome.output["n"] for outcome in outcomes} == {1}
    assert {item["n"] for item in sandbox.ledger()} == {1}
    assert len(sandbox.ledger()) == 50


def test_secrets_topics_and_the_ledger_can_be_looked_at() -> None:
    # Given
    with toy(connections={"acme": {"token": "planted"}}) as sandbox:
        topic = sandbox.resources["Topic"].ref
        bodies = json.dumps({"default": json.dumps({"status": "LANDED"}), "email": "It landed."})
        attributes = {"status": {"DataType": "String", "StringValue": "LANDED"}}

        # When
        sandbox.client("sns").publish(
            TopicArn=topic,
            Message=bodies,
            MessageStructure="json",
            Subject="News",
            MessageAttributes=attributes,
        )
        sandbox.connect("acme", {"token": "rotated"})
        sandbox.invoke("TalkFunction", {"do": "count", "name": "calls"})

        # Then
        (told,) = sandbox.notifications()
        assert told == {
            "message": {"status": "LANDED"},
            "email": "It landed.",
            "subject": "News",
            "attributes": {"status": "LANDED"},
        }
        kept = sandbox.client("secretsmanager").get_secret_value(SecretId="toy/acme")
        assert json.loads(kept["SecretString"]) == {"token": "rotated"}
        assert sandbox.ledger() == [{"series": "count", "window": "calls", "n": 1}]


def test_one_process_holds_one_sandbox(sandbox: Sandbox) -> None:
    # When, Then
    assert sandbox.bucket
    with pytest.raises(RuntimeError, match="running in this process already"), toy():
        pass
