"""`make smoke`, against the sandbox: what it would print of a deployed stack."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests import smoke

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.world import World


@pytest.fixture
def stack(world: World) -> smoke.Stack:
    sandbox = world.sandbox
    outputs = {
        "ExportStateMachineArn": sandbox.site.state_machines["ExportStateMachine"],
        "CollectStateMachineArn": sandbox.site.state_machines["CollectStateMachine"],
        "BucketName": sandbox.bucket,
        "TableName": sandbox.resources["Table"].ref,
    }

    def sleep(_: float) -> None:
        time.sleep(0.05)
        sandbox.drain()

    return smoke.Stack(outputs, sandbox.client, sleep)


def test_a_working_stack_is_proved_step_by_step(
    world: World, stack: smoke.Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    document = tmp_path / "export.json"
    document.write_text(json.dumps(world.input()))
    # When
    status = smoke.main(["the-stack", str(document)], stack)
    # Then
    printed = capsys.readouterr().out
    assert status == 0, printed
    for words in ("landed", "SHA-256", "manifest commits", "landed twice", "dry run planned"):
        assert words in printed
    assert len(world.jobs) == 1


def test_a_stopped_execution_proves_the_rule(world: World, stack: smoke.Stack) -> None:
    # Given a submit that Lambda fails for a while, so that the execution is there to be stopped
    world.sandbox.faults.report_failed("SubmitFunction", times=5)
    # When
    [proved] = smoke.stop(stack)
    # Then
    assert "the status-change rule works" in proved


def test_a_stack_that_does_not_work_is_named_with_its_error(
    world: World, stack: smoke.Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    document = tmp_path / "export.json"
    document.write_text(json.dumps(world.input(connection="nobody")))
    # When
    status = smoke.main(["the-stack", str(document)], stack)
    # Then
    assert status == 1
    assert "NOT PROVED" in (printed := capsys.readouterr().out)
    assert "ConnectionConfigError" in printed


def test_bytes_that_are_not_the_promised_ones_are_found(
    world: World, stack: smoke.Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a bucket that gives other bytes than landed
    class Other:
        def get_object(self, **_: object) -> dict[str, object]:
            return {"Body": (tmp_path / "export.json").open("rb")}

    document = tmp_path / "export.json"
    document.write_text(json.dumps(world.input()))
    strange = smoke.Stack(
        stack.outputs, lambda name: Other() if name == "s3" else stack.client(name), stack.sleep
    )
    # When
    status = smoke.main(["the-stack", str(document)], strange)
    # Then
    assert status == 1
    assert "is not what the output says" in capsys.readouterr().out
