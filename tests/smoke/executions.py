"""Executions, started and followed as a user would."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.smoke.report import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 5.0
MOST_POLLS = 25 * 3600 // 5
"""A job may take a day: JobDeadlineSeconds is 86,400 at most."""


@dataclass(frozen=True)
class Ended:
    """How an execution ended; `output` is parsed."""

    arn: str
    status: str
    output: Any
    error: str
    cause: str


@dataclass(frozen=True)
class Executions:
    """The executions of one state machine; `pause` waits for a number of seconds."""

    stepfunctions: Any
    machine: str
    pause: Callable[[float], None]

    def start(self, document: Any) -> str:
        """Start one; give its ARN."""
        started = self.stepfunctions.start_execution(
            stateMachineArn=self.machine, name=f"smoke-{uuid.uuid4()}", input=json.dumps(document)
        )
        return str(started["executionArn"])

    def wait(self, arn: str) -> Ended:
        """Wait for the end of one."""
        for _ in range(MOST_POLLS):
            known = self.stepfunctions.describe_execution(executionArn=arn)
            if known["status"] != "RUNNING":
                output = json.loads(known.get("output") or "null")
                return Ended(arn, known["status"], output, known.get("error", ""), known.get("cause", ""))
            self.pause(POLL_SECONDS)
        raise Broken(f"{arn} still runs after a day", "stop it, and see the state machine's own timeout")

    def run(self, document: Any) -> Ended:
        """Start one and wait for its end."""
        return self.wait(self.start(document))

    def stop(self, arn: str) -> None:
        """Stop one, as a person would."""
        self.stepfunctions.stop_execution(executionArn=arn)

    def event_types(self, arn: str) -> set[str]:
        """Give what kinds of events its history has."""
        pages = self.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
        return {event["type"] for page in pages for event in page["events"]}

    def latest_inputs(self) -> list[dict[str, Any]]:
        """Give the inputs of the last twenty."""
        listed = self.stepfunctions.list_executions(stateMachineArn=self.machine, maxResults=20)
        arns = [each["executionArn"] for each in listed["executions"]]
        texts = [self.stepfunctions.describe_execution(executionArn=arn).get("input", "null") for arn in arns]
        return [document for document in map(json.loads, texts) if isinstance(document, dict)]
