"""One export as the ledger holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.models.request import Window


EARLY = "asked for before the window was over"
"""What the `suspect` of a landing says that was early."""


class RecordState(StrEnum):
    """Where an export stands."""

    CLAIMED = "CLAIMED"
    SUBMITTED = "SUBMITTED"
    LANDED = "LANDED"
    FAILED = "FAILED"
    CUT = "CUT"
    """The window holds more than the vendor gives at once: its parts are exported in its place."""


@dataclass(frozen=True)
class ExportRecord:
    """One export in the ledger; `item` is the whole row as it is stored, for what has no property here."""

    item: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> RecordState:
        """Return where the export stands."""
        return RecordState(self.item["state"])

    @property
    def owner(self) -> str:
        """Return the ARN of the execution that works, or last worked, on it."""
        return str(self.item["owner"])

    @property
    def attempt(self) -> int:
        """Count the executions that claimed this export, the owner included."""
        return int(self.item["attempt"])

    @property
    def submits(self) -> int:
        """Count the POSTs for the current job that the vendor may have accepted."""
        return int(self.item.get("submits", 0))

    @property
    def polls(self) -> int:
        """Count the status replies over the current job's life."""
        return int(self.item.get("polls", 0))

    @property
    def nonces(self) -> tuple[str, ...]:
        """Return what marks the objects that were put since the last landing, a nonce a call of fetch."""
        return tuple(self.item.get("nonces", ()))

    @property
    def nonces_since(self) -> int:
        """Return the first attempt whose objects carry a nonce; none does that the release before claimed."""
        return int(self.item.get("nonces_since", self.attempt + 1))

    @property
    def job_id(self) -> str | None:
        """Return the vendor's job, or None where there is none to wait for."""
        return self.item.get("job_id")

    @property
    def unreadable(self) -> bool:
        """Check whether this attempt ended of replies that nobody can read, which say nothing of the job."""
        return self.item.get("unreadable_attempt") == self.attempt

    @property
    def submitted_at(self) -> datetime | None:
        """Return the time at which the job was accepted."""
        text = self.item.get("submitted_at")
        return datetime.fromisoformat(text) if text else None

    @property
    def claimed_at(self) -> datetime:
        """Return the time of the claim: deadlines count from it."""
        return datetime.fromisoformat(self.item["claimed_at"])

    @property
    def landed(self) -> bool:
        """Check whether an object of this export is under its key, whatever became of a later refresh."""
        return "landed_at" in self.item

    @property
    def notified(self) -> bool:
        """Check whether the landing was announced."""
        return "notified_at" in self.item

    def early(self, window: Window) -> bool:
        """Check whether what landed was asked for before the window's end, so that later records lack.

        A row of an earlier release does not say when, but calls such a landing suspect.
        """
        if asked := self.item.get("requested_at"):
            return self.landed and datetime.fromisoformat(asked) < window.end
        return self.landed and any(EARLY in str(reason) for reason in self.item.get("suspect") or ())

    @property
    def failures(self) -> int:
        """Count the failures since the last landing."""
        return int(self.item.get("failures", 0))
