"""A walker of the state language: as much of it as `export.asl.json` uses, and an error for anything else."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KNOWN = {
    "Task": {"Resource", "Parameters", "OutputPath", "TimeoutSeconds", "Retry", "Catch"},
    "Choice": {"Choices", "Default"},
    "Wait": {"SecondsPath"},
    "Succeed": set(),
    "Fail": {"ErrorPath", "CausePath"},
    "Pass": {"Result", "ResultPath"},
}
EVENTS = {"Task": 6, "Choice": 2, "Wait": 2, "Succeed": 2, "Fail": 1, "Pass": 2}
"""History events of one pass through a state; a retried call adds four."""
NEVER_CAUGHT = {"States.DataLimitExceeded", "States.Runtime"}


class StepError(Exception):
    """A call of a function that failed, as the state machine is told of it."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


def read(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    """Return what a path leads to; States.Runtime where there is nothing."""
    root, _, rest = path.partition(".")
    found = {"$": data, "$$": context}[root]
    for name in filter(None, rest.split(".")):
        if not isinstance(found, dict) or name not in found:
            raise StepError("States.Runtime", f"{path} leads nowhere")
        found = found[name]
    return found


@dataclass
class Walk:
    """One execution on its way through a definition.

    `invoke(state, payload)` calls the function of a Task and returns what it gives, or raises StepError.
    `sleep(seconds)` lets time pass; `now()` reads it in seconds; `chance()` is from 0 to 1.
    """

    definition: Mapping[str, Any]
    context: Mapping[str, Any]
    invoke: Callable[[str, Any], Any]
    sleep: Callable[[float], None]
    now: Callable[[], float]
    chance: Callable[[], float] = lambda: 1.0
    status: str = "RUNNING"
    error: str = ""
    cause: str = ""
    events: int = 1
    epoch: int = 0
    """Counts what happened to the execution: a call that returns into a later epoch has been given up."""
    visited: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data: Any = copy.deepcopy(self.context["Execution"]["Input"])
        self.place: str = self.definition["StartAt"]
        self._tries: dict[int, int] = {}
        self._began = self.now()

    def run(self) -> None:
        """Walk to the end, or until somebody else has done so."""
        while self.status == "RUNNING":
            if self.now() - self._began > self.definition.get("TimeoutSeconds", 1e12):
                self.end("TIMED_OUT")
                return
            self._step(self.definition["States"][self.place])

    def end(self, status: str, error: str = "", cause: str = "") -> None:
        """End the execution."""
        self.status, self.error, self.cause = status, error, cause
        self.epoch += 1

    def _step(self, state: Mapping[str, Any]) -> None:
        kind = state["Type"]
        more = set(state) - KNOWN[kind] - {"Type", "Comment", "Next", "End"}
        if more:
            raise NotImplementedError(f"{self.place}: the walker knows no {', '.join(sorted(more))}")
        self.visited.append(self.place)
        self.events += EVENTS[kind]
        try:
            getattr(self, f"_{kind.lower()}")(state)
        except StepError as failure:
            self.end("FAILED", failure.error, failure.cause)

    def _task(self, state: Mapping[str, Any]) -> None:
        payload = self._fill(state["Parameters"]["Payload"])
        epoch = self.epoch
        try:
            result = self.invoke(self.place, payload)
        except StepError as failure:
            if epoch == self.epoch:
                self.fail_task(failure)
            return
        if epoch == self.epoch:
            self._go(read(state["OutputPath"], {"Payload": result}, self.context), state["Next"])

    def fail_task(self, failure: StepError) -> None:
        """Let the current call have failed: Retry, else Catch, else the end."""
        self.epoch += 1
        state = self.definition["States"][self.place]
        for number, retry in enumerate(state.get("Retry", ())):
            if not _matches(retry["ErrorEquals"], failure.error):
                continue
            tries = self._tries.get(number, 0)
            if tries < retry["MaxAttempts"]:
                self._tries[number] = tries + 1
                self.events += 4
                wait = min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** tries)
                self.sleep(wait * self.chance())
                return
            break
        told = {"Error": failure.error, "Cause": failure.cause}
        for catch in state.get("Catch", ()):
            if _matches(catch["ErrorEquals"], failure.error):
                path = catch.get("ResultPath", "$")
                data = told if path == "$" else {**self.data, path.removeprefix("$."): told}
                self._go(data, catch["Next"])
                return
        self.end("FAILED", failure.error, failure.cause)

    def _choice(self, state: Mapping[str, Any]) -> None:
        for choice in state["Choices"]:
            if read(choice["Variable"], self.data, self.context) == choice["StringEquals"]:
                self._go(self.data, choice["Next"])
                return
        self._go(self.data, state["Default"])

    def _wait(self, state: Mapping[str, Any]) -> None:
        self.sleep(read(state["SecondsPath"], self.data, self.context))
        self._go(self.data, state["Next"])

    def _pass(self, state: Mapping[str, Any]) -> None:
        self._go(state.get("Result", self.data), state["Next"])

    def _succeed(self, _: Mapping[str, Any]) -> None:
        self.end("SUCCEEDED")

    def _fail(self, state: Mapping[str, Any]) -> None:
        error = read(state["ErrorPath"], self.data, self.context)
        self.end("FAILED", error, read(state["CausePath"], self.data, self.context))

    def _go(self, data: Any, place: str) -> None:
        self.data, self.place = data, place
        self._tries.clear()

    def _fill(self, template: Mapping[str, Any]) -> dict[str, Any]:
        payload = {name[:-2]: read(path, self.data, self.context) for name, path in template.items()}
        copied: dict[str, Any] = json.loads(json.dumps(payload))
        return copied


def _matches(names: list[str], error: str) -> bool:
    return error in names or (names == ["States.ALL"] and error not in NEVER_CAUGHT)
