"""Deadlines, and a stack that allows no second submit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_once import assert_landed_once
from tests.e2e.world import SPEED, World
from tests.sandbox.engine import Sandbox
from tests.sandbox.vendor.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor.vendors import Vendors


@pytest.fixture(scope="module")
def sandbox(vendors: Vendors) -> Iterator[Sandbox]:
    """Deploy with the shortest deadline that the template takes, and without a second submit."""
    parameters = {"JobDeadlineSeconds": "60", "SubmitUncertain": "fail"}
    with Sandbox(parameters=parameters, speed=SPEED, ca_bundle=vendors.ca_file) as sandbox:
        yield sandbox


def _set_machine_timeout(sandbox: Sandbox, seconds: int) -> None:
    client = sandbox.client("stepfunctions")
    arn = sandbox.site.state_machines["ExportStateMachine"]
    definition = json.loads(client.describe_state_machine(stateMachineArn=arn)["definition"])
    definition["TimeoutSeconds"] = seconds
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))


def test_the_machines_own_timeout_is_cleaned_up_and_the_job_adopted(world: World) -> None:
    # Given
    world.set(stuck=True)
    _set_machine_timeout(world.sandbox, 2)
    # When
    outcome = world.run()
    # Then
    assert outcome.status == "TIMED_OUT"
    [row] = world.rows()
    assert (row["state"], row["error"]) == ("FAILED", "States.Timeout")
    assert len(world.notifications("FAILED")) == 1
    # and the next execution adopts the job
    _set_machine_timeout(world.sandbox, 100_800)
    world.set(stuck=False)
    assert_landed_once(world, world.run())
    assert len(world.jobs) == 1


def test_without_a_second_post_an_uncertain_submit_fails_at_once(world: World) -> None:
    # Given
    world.vendors.script("submit", Reply.lost())
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "SubmitUncertainError")
    assert len(world.requests("submit")) == 1
    # and starting again submits anew
    again = world.run()
    assert_landed_once(world, again)
    assert again.output["attempts"] == 2
