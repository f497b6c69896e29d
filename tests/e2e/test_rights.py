"""Least privilege, from the other side: what runs asks AWS for nothing that its role does not allow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.gates.calls import denied, made, rights
from tests.gates.deployment import deployment
from tests.sandbox.gate import AwsRequest

if TYPE_CHECKING:
    from tests.e2e.world import World

STREAM = 24 * 1024 * 1024
"""Bytes of data: more than one part of 16 MiB."""
OWNERS = "states:DescribeExecution"
BESIDES = ("kms:", "logs:", OWNERS, "s3:GetObjectVersion")
"""Rights whose use does not show: a request's path does not tell whether a version was named."""


def collection(world: World, *, dry_run: bool) -> dict[str, object]:
    request = world.input()
    series = {key: request[key] for key in ("source", "connection", "target")}
    until = (world.day + timedelta(days=1)).isoformat()
    return {"exports": [series], "every": "day", "until": until, "lookback": 2, "dry_run": dry_run}


def test_every_step_keeps_to_its_role(world: World) -> None:
    template = deployment().translated()
    sandbox = world.sandbox

    # Given a landing of several parts, whose first fetch is killed on the way
    world.set(rows=None, size=STREAM, files=1)
    sandbox.faults.kill("FetchFunction", "s3", "UploadPart", nth=2)
    assert world.run().status == "SUCCEEDED"
    # … an export that the vendor fails, one that is empty, one that is stopped
    world.set(size=None, rows=5, failure=True)
    assert world.run(filters={"userName": "a"}).status == "FAILED"
    world.set(failure=None, rows=0)
    assert world.run(filters={"userName": "c"}).output["records"] == 0
    world.set(rows=5, stuck=True)
    execution = world.start(filters={"userName": "b"})
    while not world.requests("status"):
        pass
    sandbox.stop(execution)
    sandbox.drain()
    # … collections, one of them dry, and the picture of it all
    world.set(stuck=False)
    for dry_run in (True, False):
        planned = sandbox.start(collection(world, dry_run=dry_run), machine="CollectStateMachine")
        assert planned.wait(120).status == "SUCCEEDED"
    sandbox.drain()
    assert sandbox.invoke("CoverageFunction", {}).error_type is None

    # Then nobody asked for more than his role allows
    assert denied(sandbox.faults.requests, template) == []
    # … and these roles were used to the full, but for a look at other owners, of whom there were none
    used = {(function, action) for function, (action, _) in map(made, sandbox.faults.requests)}
    for function in (
        "PlanFunction",
        "ReportFunction",
        "CoverageFunction",
        "SubmitFunction",
        "StatusFunction",
    ):
        wanted = {action for action, _ in rights(template)[function] if not action.startswith(BESIDES)}
        assert wanted == {action for name, action in used if name == function} - {OWNERS}, function


def test_a_request_beyond_the_role_is_seen() -> None:
    template = deployment().translated()
    request = AwsRequest("StatusFunction-1", "s3", "DeleteObject", "/bucket/key")
    elsewhere = AwsRequest("PlanFunction-1", "s3", "PutObject", "/bucket/spark-log-csv/key.zip")

    assert len(denied([request, elsewhere], template)) == 2
