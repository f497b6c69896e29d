from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.engine import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

TOY = Path(__file__).parents[1] / "sandbox" / "toy" / "template.yaml"
COUNT = {"do": "count", "name": "calls"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(template=TOY, speed=100_000) as sandbox:
        yield sandbox


def counted(sandbox: Sandbox) -> int:
    return sum(int(item["n"]) for item in sandbox.ledger())


def test_a_kill_before_a_request_leaves_it_undone(sandbox: Sandbox) -> None:
    # Given
    planned = sandbox.faults.kill("TalkFunction", "dynamodb", "UpdateItem", when="before")

    # When
    reply = sandbox.invoke("TalkFunction", COUNT)

    # Then
    assert reply.error_type == "Runtime.ExitError"
    assert planned.fired == 1
    assert counted(sandbox) == 0
    assert sandbox.invoke("TalkFunction", COUNT).error is None


def test_a_kill_after_a_request_finds_it_done(sandbox: Sandbox) -> None:
    # Given
    sandbox.faults.kill("TalkFunction", "dynamodb", "UpdateItem", when="after")

    # When
    reply = sandbox.invoke("TalkFunction", COUNT)

    # Then
    assert reply.error_type == "Runtime.ExitError"
    assert counted(sandbox) == 1


def test_a_kill_waits_for_the_nth_request_of_its_function(sandbox: Sandbox) -> None:
    # Given
    sandbox.faults.kill("TalkFunction", "dynamodb", "UpdateItem", nth=3)
    sandbox.faults.kill("OtherFunction", "dynamodb", "UpdateItem")

    # When
    errors = [sandbox.invoke("TalkFunction", COUNT).error_type for _ in range(4)]

    # Then
    assert errors == [None, None, "Runtime.ExitError", None]
    assert counted(sandbox) == 3


@pytest.mark.parametrize(
    ("service", "action", "event"),
    [("dynamodb", "UpdateItem", COUNT), ("s3", "PutObject", {"do": "put", "key": "a key"})],
)
def test_a_failed_request_comes_back_as_the_services_own_error(
    sandbox: Sandbox, service: str, action: str, event: dict[str, str]
) -> None:
    # Given
    sandbox.faults.fail(service, action, status=403, code="AccessDeniedException")

    # When
    reply = sandbox.invoke("TalkFunction", event)

    # Then
    assert "AccessDeniedException" in reply.json()["errorMessage"]
    assert sandbox.ledger() == []
    assert sandbox.objects() == []
    assert sandbox.invoke("TalkFunction", event).error is None


def test_the_sandboxs_own_requests_are_spared(sandbox: Sandbox) -> None:
    # Given
    sandbox.faults.fail("s3", "PutObject", times=9)

    # When
    sandbox.client("s3").put_object(Bucket=sandbox.bucket, Key="mine", Body=b"")

    # Then
    assert [one.key for one in sandbox.objects()] == ["mine"]


def test_work_that_lambda_reports_as_failed_is_done_and_retried(sandbox: Sandbox) -> None:
    # Given
    sandbox.faults.report_failed("TalkFunction")

    # When
    outcome = sandbox.start({"do": "count", "wait": 0}, machine="Single", name="once").wait()

    # Then: the Retry of Lambda.Unknown called it again
    assert outcome.output["n"] == 2
    assert counted(sandbox) == 2


def test_a_kill_of_what_runs_is_retried_like_any_death(sandbox: Sandbox) -> None:
    # Given
    execution = sandbox.start({"do": "hang", "wait": 0}, machine="Single")

    # When: the first try and the one retry
    for _ in range(2):
        while not sandbox.kill_running("TalkFunction"):
            pass

    # Then
    assert execution.wait().error == "Runtime.ExitError"


def test_requests_of_functions_can_be_looked_at(sandbox: Sandbox) -> None:
    # When
    sandbox.invoke("TalkFunction", COUNT)
    sandbox.invoke("TalkFunction", {"do": "put", "key": "a key"})

    # Then
    seen = [(one.service, one.action) for one in sandbox.faults.requests]
    assert seen == [("dynamodb", "UpdateItem"), ("s3", "PutObject")]
    assert {one.process for one in sandbox.faults.requests} == {"TalkFunction-1"}
