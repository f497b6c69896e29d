"""`make smoke`, run against the sandbox: what it proves there, and that it notices what is broken."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.world import SPEED, World
from tests.sandbox.engine import Sandbox
from tests.sandbox.vendor.big_zips import big_zip
from tests.smoke.__main__ import main
from tests.smoke.report import Broken
from tests.smoke.stack import OUTPUTS, Stack, find_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sandbox.vendor.vendors import Vendors

SERIES = {
    "source": "spark-log-csv",
    "connection": "acme-uat",
    "target": {"folder": "Motor", "service": "Quote"},
}


@pytest.fixture(scope="module")
def sandbox(vendors: Vendors) -> Iterator[Sandbox]:
    schedule = {"Schedule": "ON", "CollectExports": json.dumps([SERIES]), "CollectLookback": "1"}
    parameters = {"Unpack": "ON", **schedule}
    with Sandbox(parameters=parameters, speed=SPEED, ca_bundle=vendors.ca_file) as sandbox:
        yield sandbox


@dataclass
class Smoke:
    """The smoke test with the sandbox for AWS: only CloudFormation's answer is made up."""

    world: World
    folder: Path
    said: list[str] = field(default_factory=list)
    on: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens once something is said."""

    def find(self, _: Any, name: str) -> Stack:
        sandbox = self.world.sandbox
        machines = sandbox.site.state_machines
        outputs = {
            "BucketName": sandbox.bucket,
            "TableName": sandbox.resources["Table"].ref,
            "KeyArn": sandbox.resources["Key"].attributes["Arn"],
            **{f"{each}Arn": machines[each] for each in ("ExportStateMachine", "CollectStateMachine")},
        }
        assert set(outputs) == set(OUTPUTS)
        return Stack(name, outputs, frozenset(sandbox.resources))

    def say(self, line: str) -> None:
        self.said.append(line)
        for words, act in self.on.items():
            if words in line:
                act()

    def pause(self, _: float) -> None:
        self.world.sandbox.drain(60)
        time.sleep(0.02)

    def run(self, document: Any = None, **changes: Any) -> int:
        path = self.folder / "input.json"
        path.write_text(json.dumps(self.world.input(**changes) if document is None else document))
        return main(
            ["logferry", "--input", str(path)],
            client=self.world.sandbox.client,
            find=self.find,
            say=self.say,
            pause=self.pause,
        )

    def told(self, words: str) -> bool:
        return any(words in line for line in self.said)


@pytest.fixture
def smoke(world: World, tmp_path: Path) -> Smoke:
    return Smoke(world, tmp_path)


def test_it_proves_what_can_be_proved_here_and_says_what_cannot(smoke: Smoke) -> None:
    # Given a schedule that has fired
    scheduled = smoke.world.sandbox.fire_schedule("CollectSchedule", datetime(2019, 1, 1, tzinfo=UTC))
    assert scheduled
    assert scheduled.wait(120).status == "SUCCEEDED"
    smoke.world.sandbox.drain()
    jobs, landed = len(smoke.world.jobs), len(smoke.world.notifications("LANDED"))
    # When
    status = smoke.run()
    # Then
    assert status == 0, smoke.said
    proved = [line for line in smoke.said if line.startswith("✓")]
    for words in (
        "the stack logferry is deployed",
        "an export landed",
        "SHA-256",
        "SNS took the notification",
        "without a new job",
        "event called unpack",
        "FAILED with InvalidRequestError",
        "stopped by hand",
        "of 3 days",
        "Scheduler filled in its time",
    ):
        assert len([line for line in proved if words in line]) == 1, words
    assert len(proved) == 10
    assert not smoke.told("✗")
    for words in ("KMS", "subscriber", "multipart", "Distributed Map", "alarms"):
        assert smoke.told(words), words
    # and it cost one job, and one landing
    assert len(smoke.world.jobs) == jobs + 1
    assert len(smoke.world.notifications("LANDED")) == landed + 1
    assert "Two failures" in smoke.said[0]
    assert [each["message"]["export_id"] for each in smoke.world.notifications("FAILED")] == [None, None]


def test_it_runs_again_on_what_has_landed_already(smoke: Smoke) -> None:
    # Given
    assert smoke.run() == 0
    # When / Then it exports for real each time
    assert smoke.run() == 0
    assert len(smoke.world.jobs) == 2


def test_a_source_without_windows_is_not_collected(smoke: Smoke) -> None:
    assert smoke.run(source="spark-call") == 0
    assert smoke.told("spark-call has no windows")
    assert smoke.told("unpacking: it is off, or")


def test_a_multipart_upload_is_told(smoke: Smoke) -> None:
    smoke.world.set(file=lambda _: big_zip(40 * 1024**2))

    assert smoke.run() == 0, smoke.said
    assert smoke.told("✓ a multipart upload was completed under a condition")


def test_an_export_that_fails_is_the_end_with_a_remedy(smoke: Smoke) -> None:
    # Given
    secret = smoke.world.vendors.connections["acme-key"]
    smoke.world.sandbox.connect("acme-key", {**secret, "auth": {"type": "api_key", "key": "wrong"}})
    # When
    status = smoke.run(connection="acme-key")
    # Then
    assert status == 1
    assert "AuthenticationError" in smoke.said[-1]
    assert "→ renew the connection's credentials" in smoke.said[-1]


def test_an_object_that_somebody_else_wrote_is_noticed(smoke: Smoke) -> None:
    # Given
    sandbox = smoke.world.sandbox

    def overwrite() -> None:
        [landed] = [each.key for each in smoke.world.day_objects() if each.key.endswith("Z.zip")]
        sandbox.client("s3").put_object(Bucket=sandbox.bucket, Key=landed, Body=b"else")

    smoke.on["an export landed"] = overwrite
    # When / Then
    assert smoke.run() == 1
    assert "is not what was announced" in smoke.said[-1]


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        ("ExecutionEndedRule", "stopped by hand was not announced"),
        ("ManifestWrittenRule", "nothing was unpacked"),
    ],
)
def test_a_rule_that_does_not_call_is_noticed(
    smoke: Smoke, monkeypatch: pytest.MonkeyPatch, silent: str, words: str
) -> None:
    # Given
    rules = [rule for rule in smoke.world.sandbox.site.rules if rule.logical_id != silent]
    monkeypatch.setattr(smoke.world.sandbox.site, "rules", rules)
    # When / Then
    assert smoke.run() == 1
    assert words in smoke.said[-1]
    assert silent in smoke.said[-1]


def test_a_landing_that_nobody_announced_is_noticed(smoke: Smoke) -> None:
    # Given somebody who takes the mark away
    def forget() -> None:
        [row] = smoke.world.rows()
        table = smoke.world.sandbox.resources["Table"].ref
        key = {name: {"S": row[name]} for name in ("series", "window")}
        smoke.world.sandbox.client("dynamodb").update_item(
            TableName=table, Key=key, UpdateExpression="REMOVE notified_at"
        )

    smoke.on["SHA-256"] = forget
    # When / Then
    assert smoke.run() == 1
    assert "the landing was not announced" in smoke.said[-1]


@pytest.mark.parametrize("document", [{"source": "spark-log-csv"}, [], "x", {**SERIES, "window": None}])
def test_a_wrong_input_starts_nothing(smoke: Smoke, document: Any) -> None:
    before = len(smoke.world.sandbox.executions())

    assert smoke.run(document) == 2
    assert len(smoke.world.sandbox.executions()) == before


def test_without_an_input_it_asks_for_one(smoke: Smoke) -> None:
    # Given
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        raise EOFError

    # When / Then
    assert main(["logferry"], client=smoke.world.sandbox.client, find=smoke.find, say=smoke.say, ask=ask) == 2
    assert "naming a connection of yours" in asked[0]
    assert "--input FILE" in smoke.said[-1]


def test_the_stack_is_found_by_its_name_and_its_outputs(smoke: Smoke) -> None:
    # Given a stack with our outputs, and one without
    cloudformation = smoke.world.sandbox.client("cloudformation")
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    outputs = {name: {"Value": f"the {name}"} for name in OUTPUTS}
    for name, template in {
        "ours": {"Resources": topic, "Outputs": outputs},
        "another": {"Resources": topic},
    }.items():
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    # When / Then
    stack = find_stack(cloudformation, "ours")
    assert stack.outputs == {name: f"the {name}" for name in OUTPUTS}
    assert stack.resources == {"Topic"}
    with pytest.raises(Broken, match="has no output BucketName"):
        find_stack(cloudformation, "another")
    with pytest.raises(Broken, match="there is no stack nowhere"):
        find_stack(cloudformation, "nowhere")


def test_a_scheduled_time_that_nobody_filled_in_is_noticed(smoke: Smoke) -> None:
    # Given; it comes last, since the smoke test sees it from now on
    document = {
        "exports": [SERIES],
        "every": "day",
        "timezone": "UTC",
        "until": "<aws.scheduler.scheduled-time>",
        "lookback": 1,
        "settle": "PT2H",
        "max_concurrency": 1,
        "max_attempts": 1,
    }
    smoke.world.sandbox.start(document, machine="CollectStateMachine").wait()
    # When / Then
    assert smoke.run() == 1
    assert "was not filled in" in smoke.said[-1]
