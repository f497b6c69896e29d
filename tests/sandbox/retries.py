"""What comes after an error: how many tries of a state there are, and how soon the next one is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.execution import Execution


@dataclass
class Retries:
    """The tries of one execution's states, as its definition's Retry counts them."""

    states: dict[str, Any]
    speed: float = 1.0
    _state: str = ""
    _used: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, execution: Execution) -> Retries:
        """Read an execution's state machine."""
        client = execution.sandbox.client("stepfunctions")
        arn = execution.describe()["stateMachineArn"]
        definition = json.loads(client.describe_state_machine(stateMachineArn=arn)["definition"])
        return cls(definition["States"], execution.sandbox.speed)

    def enter(self, state: str) -> None:
        """Begin a state: its retries are counted anew."""
        self._state = state
        self._used.clear()

    def tell(self, error: str, words: str) -> str:
        """Return one line on a failed try, and what comes next."""
        for place, retrier in enumerate(self.states.get(self._state, {}).get("Retry", [])):
            if {error, "States.ALL"} & {*retrier["ErrorEquals"]}:
                return self._again(place, retrier, f"{error}: {words}")
        return f"{error}: {words}; no retry"

    def _again(self, place: int, retrier: dict[str, Any], told: str) -> str:
        used, most = self._used[place], retrier.get("MaxAttempts", 3)
        self._used[place] += 1
        tries = f"try {used + 1} of {most + 1}: {told}"
        if used >= most:
            return f"{tries}; that was the last"
        seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** used
        seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds)) / self.speed
        # Full jitter draws the delay from nothing up to this.
        within = "within" if retrier.get("JitterStrategy") == "FULL" else "in"
        return f"{tries}; next {within} {seconds:.3g} s"
