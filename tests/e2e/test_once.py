"""Asked for once, landed once, announced once: whatever is repeated, killed or stopped."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.vendor.messages import Reply

if TYPE_CHECKING:
    from tests.e2e.world import World
    from tests.sandbox.execution import Outcome
    from tests.sandbox.vendor.messages import Received


def assert_landed_once(world: World, outcome: Outcome) -> None:
    """Check what must be true of any export that landed, however it got there."""
    assert outcome.status == "SUCCEEDED", outcome
    assert outcome.output["state"] == "LANDED"
    keys = Counter(each.key for each in world.day_objects())
    assert keys == {outcome.output["key"]: 1, outcome.output["manifest_key"]: 1}
    assert len(world.notifications("LANDED")) == 1
    assert world.sandbox.open_uploads() == []


def test_fifty_executions_at_once_make_one_landing(world: World) -> None:
    # Given a job that is not done before everybody has asked
    world.set(stuck=True)
    # When
    executions = [world.start() for _ in range(50)]
    while sum(each.status == "RUNNING" for each in executions) > 1:
        pass
    world.set(stuck=False)
    outcomes = [each.wait() for each in executions]
    # Then
    states = Counter(each.output["state"] for each in outcomes)
    assert states == {"LANDED": 1, "DUPLICATE": 49}
    landed = next(each for each in outcomes if each.output["state"] == "LANDED")
    assert_landed_once(world, landed)
    assert (len(world.jobs), len(world.notifications())) == (1, 1)
    duplicate = next(each for each in outcomes if each.output["state"] == "DUPLICATE")
    assert duplicate.output["owner"] == landed.output["owner"]
    rest = duplicate.output.keys() - {"state", "export_id", "owner"}
    assert {duplicate.output[key] for key in rest} == {None}


@pytest.mark.parametrize("function", ["SubmitFunction", "StatusFunction", "FetchFunction"])
def test_a_function_that_finished_and_is_called_again_does_nothing_twice(world: World, function: str) -> None:
    # Given
    world.sandbox.faults.report_failed(function, times=2)
    # When
    outcome = world.run()
    # Then
    assert_landed_once(world, outcome)
    assert (len(world.jobs), outcome.output["submits"], outcome.output["attempts"]) == (1, 1, 1)
    assert len(world.requests("download")) == 1


@pytest.mark.parametrize(
    ("action", "when", "nth"),
    [
        ("GetItem", "before", 1),  # before the claim
        ("PutItem", "before", 2),  # before the claim, after the registry
        ("PutItem", "after", 2),  # after the claim
        ("UpdateItem", "before", 1),  # before the intent
        ("UpdateItem", "after", 1),  # before the POST
        ("UpdateItem", "before", 2),  # after the POST
        ("UpdateItem", "after", 2),  # after the ledger knows the job
    ],
)
def test_submit_killed_at_any_point_lands_the_export(world: World, action: str, when: Any, nth: int) -> None:
    # Given
    fault = world.sandbox.faults.kill("SubmitFunction", "dynamodb", action, when=when, nth=nth)
    # When
    outcome = world.run()
    # Then
    assert fault.fired == 1
    assert_landed_once(world, outcome)
    reply_lost = (action, when, nth) == ("UpdateItem", "before", 2)
    assert len(world.jobs) == (2 if reply_lost else 1)
    assert outcome.output["submits"] <= 2


def test_submit_killed_while_the_vendor_answers_lands_the_export(world: World) -> None:
    # Given
    killed: list[int] = []

    def kill(_: Received) -> None:
        if not killed:
            killed.append(world.sandbox.kill_running("SubmitFunction"))

    world.vendors.on("submit", kill, "after")
    # When
    outcome = world.run()
    # Then
    assert killed == [1]
    assert_landed_once(world, outcome)
    assert len(world.jobs) <= 2


def test_one_more_post_where_the_reply_was_lost_and_no_third(world: World) -> None:
    # Given
    world.vendors.script("submit", Reply.lost(), Reply.lost(), Reply.lost())
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "SubmitUncertainError")
    assert len(world.requests("submit")) == 2
    assert outcome.states.count("Submit Export") == 1


@pytest.mark.parametrize(
    "trouble", [Reply.lost(), Reply.lost(reset=True), Reply(502), Reply(408), Reply(200, body=b"<html>")]
)
def test_an_uncertain_submit_is_repeated_once(world: World, trouble: Reply) -> None:
    # Given
    world.vendors.script("submit", trouble)
    # When
    outcome = world.run()
    # Then
    assert_landed_once(world, outcome)
    assert (outcome.output["submits"], len(world.requests("submit"))) == (2, 2)


def test_a_refused_connection_is_no_doubt(world: World) -> None:
    # Given
    world.sandbox.invoke("SubmitFunction", {})  # warm
    # When
    with world.vendors.down("api"):
        execution = world.start()
        while "TaskScheduled" not in [event["type"] for event in execution.history()][6:]:
            pass
    outcome = execution.wait()
    # Then
    assert_landed_once(world, outcome)
    assert (outcome.output["submits"], len(world.jobs)) == (1, 1)


@pytest.mark.parametrize(
    ("service", "action", "when", "nth"),
    [
        ("s3", "PutObject", "before", 1),
        ("s3", "PutObject", "after", 1),  # the object is there, nobody knows
        ("s3", "PutObject", "after", 2),  # the manifest is there, the ledger does not know
        ("dynamodb", "UpdateItem", "after", 1),
        ("dynamodb", "UpdateItem", "after", 2),  # landed, not announced
        ("sns", "Publish", "before", 1),
    ],
)
def test_fetch_killed_at_any_point_lands_the_export_once(
    world: World, service: str, action: str, when: Any, nth: int
) -> None:
    # Given
    fault = world.sandbox.faults.kill("FetchFunction", service, action, when=when, nth=nth)
    # When
    outcome = world.run()
    # Then
    assert fault.fired == 1
    assert_landed_once(world, outcome)
    versions = world.sandbox.objects(all_versions=True)
    found = [each for each in versions if each.key == outcome.output["key"]]
    # What the killed call had put is replaced: nothing proves that the vendor served it
    assert len(found) == (2 if (action, when) == ("PutObject", "after") else 1)


def test_an_execution_stopped_by_hand_is_cleaned_up_and_its_job_adopted(world: World) -> None:
    # Given
    world.set(stuck=True)
    execution = world.start()
    while not world.requests("status"):
        pass
    # When
    world.sandbox.stop(execution, cause="enough")
    world.sandbox.drain()
    # Then somebody was told, and the ledger knows
    [notification] = world.notifications("FAILED")
    assert notification["message"]["error"] == "ExecutionAborted"
    [row] = world.rows()
    assert (row["state"], row["job_id"]) == ("FAILED", world.jobs[0].id)
    # and the next execution adopts the job
    world.set(stuck=False)
    outcome = world.run()
    assert_landed_once(world, outcome)
    assert (len(world.jobs), outcome.output["attempts"]) == (1, 2)


def test_a_session_is_deleted_whatever_happens(world: World) -> None:
    # Given
    world.vendors.script("download", *[Reply(500)] * 20)
    # When
    outcome = world.run(source="ibm-activity-tracker")
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "SourceUnavailableError")
    assert world.vendors.sessions == []
    assert len(world.notifications("FAILED")) == 1


def test_a_session_of_a_stopped_execution_is_deleted(world: World) -> None:
    # Given
    world.vendors.script("download", Reply(delay=30))
    execution = world.start(source="ibm-activity-tracker")
    while not world.requests("download"):
        pass
    # When
    world.sandbox.stop(execution)
    world.sandbox.drain()
    # Then
    assert world.vendors.sessions == []
    world.sandbox.kill_running("FetchFunction")


def test_a_landing_that_cannot_be_announced_stays_and_is_announced_by_the_next_run(world: World) -> None:
    # Given
    fault = world.sandbox.faults.fail("sns", "Publish", times=10_000, status=403, code="AuthorizationError")
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "DeliveryError")
    [row] = world.rows()
    assert row["state"] == "LANDED"
    assert fault.fired > 1
    assert world.notifications() == []
    # When SNS works again
    world.sandbox.faults.clear()
    again = world.run()
    # Then
    assert_landed_once(world, again)
    assert len(world.requests("download")) == 1


def test_a_failure_is_announced_once_although_the_rule_sees_it_too(world: World) -> None:
    # Given
    world.set(failure=True)
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "ExportFailedError")
    assert len(world.notifications("FAILED")) == 1
    abandoned = world.sandbox.invocations("AbandonFunction")
    assert len(abandoned) >= 2
    # and a job that failed is never adopted
    world.set(failure=None)
    again = world.run()
    assert_landed_once(world, again)
    assert len(world.jobs) == 2


def test_a_catch_whose_notification_fails_is_made_good_by_the_rule(world: World) -> None:
    # Given: no Publish works for as long as the state machine tries
    world.set(failure=True)
    world.sandbox.faults.fail("sns", "Publish", times=25)
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "ExportFailedError")
    assert len(world.notifications("FAILED")) == 1


def test_a_token_that_expires_and_a_secret_that_is_rotated_fail_nothing(world: World) -> None:
    # Given
    world.set(polls=6, token_seconds=0.2)
    execution = world.start()
    while len(world.requests("status")) < 2:
        pass
    # When
    world.vendors.access.rotate_secret()
    world.sandbox.connect("acme-uat", world.vendors.secret("client_credentials"))
    outcome = execution.wait()
    # Then
    assert_landed_once(world, outcome)


def test_the_row_of_a_live_execution_is_left_alone(world: World) -> None:
    # Given
    world.set(stuck=True)
    execution = world.start()
    while not world.requests("status"):
        pass
    # When somebody else asks for the same export, and its abandon is called for another execution
    duplicate = world.run()
    world.sandbox.invoke(
        "AbandonFunction",
        {"request": world.input(), "execution": duplicate.output["owner"] + "x", "failure": {"Error": "E"}},
    )
    # Then
    assert duplicate.output["state"] == "DUPLICATE"
    [row] = world.rows()
    assert (row["state"], row["owner"]) == ("SUBMITTED", execution.arn)
    world.set(stuck=False)
    assert execution.wait().status == "SUCCEEDED"


def test_the_outcome_is_json_for_programs(world: World) -> None:
    # When
    outcome = world.run()
    # Then
    assert json.loads(json.dumps(outcome.output)) == outcome.output
