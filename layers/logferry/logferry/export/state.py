"""What the state machine carries from step to step: ids, times and counts, never a URL or a secret.

Running executions meet newer code, so a state written by one release must be readable by the next: fields
are only ever added, with a default.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Step(StrEnum):
    """What the state machine does next."""

    RUNNING = "RUNNING"
    READY = "READY"
    THROTTLED = "THROTTLED"
    """Wait as long as the vendor asked, then the same step again."""
    LOST = "LOST"
    """The ledger's row is no longer this execution's: submit decides afresh."""
    DUPLICATE = "DUPLICATE"
    LANDED = "LANDED"
    CUT = "CUT"
    """The window holds more than the vendor gives at once; nothing has landed."""


@dataclass(frozen=True)
class ExportState:
    """One export under way. Times are ISO 8601, `elapsed` is the job's age in seconds at the last poll.

    `polls` counts the status replies over the job's life, `waits` the Wait states of this execution.
    """

    state: Step
    export_id: str
    attempt: int
    deadline: str
    job_id: str | None = None
    submitted_at: str | None = None
    wait_seconds: int = 0
    progress: float | None = None
    elapsed: float | None = None
    polls: int = 0
    waits: int = 0
    malformed: int = 0
    throttles: int = 0
    """How often in a row the vendor asked for patience."""
    unknown: bool = False
    """Whether a word of the vendor's that nobody knows was logged."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ExportState:
        """Read a state, also one that an older or newer release wrote."""
        known = {field.name for field in fields(cls)}
        given = {key: value for key, value in document.items() if key in known}
        return cls(**{**given, "state": Step(given["state"])})

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON; every field is there, so that the state machine's paths resolve."""
        return {**asdict(self), "state": str(self.state)}


def age(since: datetime, now: datetime) -> float:
    """Return the seconds from `since` to `now`, never below 0: clocks of two machines differ."""
    return max(0.0, (now - since).total_seconds())
