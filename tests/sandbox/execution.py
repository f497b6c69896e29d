"""A state machine's execution: how it goes and how it ended."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.engine import Sandbox

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Outcome:
    """How an execution ended. `output` is parsed JSON, `history` is GetExecutionHistory's list of events."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    history: list[dict[str, Any]] = field(repr=False, default_factory=list)
    transitions: int = 0

    @property
    def states(self) -> list[str]:
        """The names of the states entered, in order."""
        entered = [event for event in self.history if event["type"].endswith("StateEntered")]
        return [event["stateEnteredEventDetails"]["name"] for event in entered]


@dataclass(frozen=True)
class Execution:
    """A started execution."""

    arn: str
    sandbox: Sandbox = field(repr=False)

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
        return str(self.describe()["status"])

    def describe(self) -> dict[str, Any]:
        """Give DescribeExecution's answer."""
        answer: dict[str, Any] = self.sandbox.client("stepfunctions").describe_execution(
            executionArn=self.arn
        )
        return answer

    def history(self) -> list[dict[str, Any]]:
        """Give the events so far, in order."""
        answer = self.sandbox.client("stepfunctions").get_execution_history(executionArn=self.arn)
        events: list[dict[str, Any]] = answer["events"]
        return events

    def wait(self, timeout: float = 60.0) -> Outcome:
        """Wait for the end; TimeoutError, with the functions' last words, if it does not come."""
        give_up = time.monotonic() + timeout
        while (described := self.describe())["status"] == "RUNNING":
            if time.monotonic() > give_up:
                raise TimeoutError(f"{self.arn} still runs after {timeout} s\n{self.sandbox.logs()[-3000:]}")
            time.sleep(POLL_SECONDS)
        events = self.history()
        output = described.get("output")
        return Outcome(
            status=described["status"],
            output=None if output is None else json.loads(output),
            error=described.get("error"),
            cause=described.get("cause"),
            history=events,
            transitions=transitions(events),
        )


def transitions(events: list[dict[str, Any]]) -> int:
    """Count what AWS bills: a transition for each state entered and each retry of one."""
    kinds = [str(event["type"]) for event in events]
    entered = sum(kind.endswith("StateEntered") for kind in kinds)
    retries = (
        kinds.count("TaskScheduled")
        + kinds.count("LambdaFunctionScheduled")
        - kinds.count("TaskStateEntered")
    )
    return entered + max(0, retries)
