"""One export and one dry-run collection on a deployed stack: what only AWS can prove, a line for each thing.

`make smoke STACK=name INPUT=my-export.json` uses your AWS credentials and asks the vendor for an export.
With `--stop` an execution is stopped by hand too, which your subscribers and alarms hear of as a failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

POLL_SECONDS = 5.0
EVENT_SECONDS = 120
"""How long a status-change event and the function behind it may take."""


class NotProvedError(Exception):
    """Something is not as it should be; the message says what and where to look."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs, a way to its AWS, and a way to wait."""

    outputs: Mapping[str, str]
    client: Callable[[str], Any]
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def named(cls, name: str) -> Stack:
        """Read the outputs of a stack in the account and region of the caller's credentials."""
        [found] = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
        return cls(outputs, lambda name: boto3.client(name))  # type: ignore[call-overload]  # noqa: PLW0108 - overloaded

    def start(self, machine: str, document: Any) -> str:
        """Start an execution; give its ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[machine], name=f"smoke-{uuid.uuid4()}", input=json.dumps(document)
        )
        return str(started["executionArn"])

    def ended(self, arn: str) -> dict[str, Any]:
        """Wait for the end of an execution; give what Step Functions says of it."""
        while True:
            found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                return found
            self.sleep(POLL_SECONDS)

    def run(self, machine: str, document: Any) -> dict[str, Any]:
        """Run an execution; give its output. NotProvedError where it did not succeed."""
        ended = self.ended(self.start(machine, document))
        if ended["status"] != "SUCCEEDED":
            error, cause = ended.get("error", ""), ended.get("cause", "")
            raise NotProvedError(f"{ended['executionArn']} ended {ended['status']}: {error}: {cause}")
        output: dict[str, Any] = json.loads(ended["output"])
        return output


def export(stack: Stack, document: Mapping[str, Any]) -> Iterator[str]:
    """Land an export, look at what landed, and ask for it again."""
    landed = stack.run("ExportStateMachineArn", document)
    if landed["state"] != "LANDED":
        raise NotProvedError(
            f"the export is {landed['state']}; {landed['owner']} works on it: try again later"
        )
    yield f"an export landed: s3://{landed['bucket']}/{landed['key']} ({landed['size']:,} bytes)"
    s3 = stack.client("s3")
    for one in landed["objects"]:
        found = s3.get_object(Bucket=landed["bucket"], Key=one["key"], VersionId=one["version_id"])
        digest = sha256(found["Body"])
        if digest != one["sha256"]:
            raise NotProvedError(f"{one['key']} is not what the output says: {digest}")
        kept = found.get("ServerSideEncryption", "nothing that S3 names")
        yield f"its bytes have the promised SHA-256, at rest under {kept}"
    manifest = json.loads(s3.get_object(Bucket=landed["bucket"], Key=landed["manifest_key"])["Body"].read())
    if manifest["export_id"] != landed["export_id"] or manifest["sha256"] != landed["sha256"]:
        raise NotProvedError(f"{landed['manifest_key']} belongs to another landing")
    yield "its manifest commits it"
    again = stack.run("ExportStateMachineArn", {**document, "refresh": False})
    if again["objects"] != landed["objects"] or again["submits"] != landed["submits"]:
        raise NotProvedError(f"asked for again, it landed again: {again['objects']}")
    yield "asked for again, nothing landed twice and the vendor was left alone"


def sha256(body: Any) -> str:
    """Give the hex SHA-256 of a stream."""
    digest = hashlib.sha256()
    while chunk := body.read(1024 * 1024):
        digest.update(chunk)
    return digest.hexdigest()


def dry_run(stack: Stack, document: Mapping[str, Any]) -> Iterator[str]:
    """Plan a collection of the same series, and start nothing."""
    if "window" not in document:
        yield f"({document['source']} has no windows, so there is no collection to plan)"
        return
    series = {key: document[key] for key in ("source", "connection", "target", "filters") if key in document}
    summary = stack.run(
        "CollectStateMachineArn", {"exports": [series], "every": "day", "lookback": 3, "dry_run": True}
    )
    s3 = stack.client("s3")
    report = s3.get_object(Bucket=stack.outputs["BucketName"], Key=summary["report_key"])
    windows = [window for one in json.loads(report["Body"].read())["series"] for window in one["windows"]]
    yield f"a dry run planned {summary['planned']} of {len(windows)} windows: {summary['report_key']}"


def stop(stack: Stack) -> Iterator[str]:
    """Stop an execution where no Catch runs: only the rule on status changes can announce it."""
    arn = stack.start("ExportStateMachineArn", {"source": "smoke-test"})
    stack.client("stepfunctions").stop_execution(executionArn=arn, cause="make smoke stops this one")
    if stack.ended(arn)["status"] != "ABORTED":
        yield "(the execution failed before it could be stopped: the rule is not proved this time)"
        return
    key = {"series": {"S": f"execution/{arn}"}, "window": {"S": "failure"}}
    waited = 0.0
    while waited <= EVENT_SECONDS:
        if "Item" in stack.client("dynamodb").get_item(TableName=stack.outputs["TableName"], Key=key):
            yield "an execution that was stopped by hand was announced: the status-change rule works"
            return
        stack.sleep(POLL_SECONDS)
        waited += POLL_SECONDS
    raise NotProvedError(
        f"{arn} was stopped, and not announced within {EVENT_SECONDS} s: see the dead letters"
    )


def main(arguments: list[str] | None = None, stack: Stack | None = None) -> int:
    """Prove what can be proved; 0 if everything was as it should be."""
    parser = argparse.ArgumentParser(prog="tests.smoke", description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("input", type=Path)
    parser.add_argument("--stop", action="store_true")
    given = parser.parse_args(arguments)
    document = json.loads(given.input.read_text())
    stack = stack or Stack.named(given.stack)
    try:
        for step in (export(stack, document), dry_run(stack, document), stop(stack) if given.stop else ()):
            for proved in step:
                print(f"  proved  {proved}", flush=True)
    except NotProvedError as error:
        print(f"  NOT PROVED  {error}")
        return 1
    print("The stack does what it should.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
