"""Who may work on an export: one live execution at a time, and no job is asked for twice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from logferry.errors import DeliveryError
from logferry.ledger.record import RecordState
from logferry.ledger.table import FencedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from logferry.ledger.record import ExportRecord
    from logferry.ledger.repository import Ledger
    from logferry.models.request import ExportRequest

TRIES = 20
"""Each lost race means that another execution made progress; 50 at once settle within a few rounds."""

JOB = ("submitted_at", "polls", "submits", "intended_at")
"""What a row forgets of a job that is not adopted. The job's id stays until it is released or replaced."""


class ClaimResult(StrEnum):
    """What an execution that asks for an export is told."""

    WORK = "WORK"
    """The row is yours; where it is SUBMITTED, the job is there to be waited for. A job that a CLAIMED row
    names is not to be adopted: it has to be released."""

    DUPLICATE = "DUPLICATE"
    """Another live execution works on it."""

    ANNOUNCE = "ANNOUNCE"
    """It has landed, and nobody was told, or a job of a refresh that died is left: the row is yours."""

    LANDED = "LANDED"
    """It has landed and was announced."""

    CUT = "CUT"
    """The vendor's limit was reached: its parts are to be exported."""


@dataclass(frozen=True)
class Claim:
    """One execution's wish to work on one export.

    `alive` tells whether an execution still runs: that decides, no clock does. A job younger than
    `adoptable_for` is adopted.
    """

    ledger: Ledger
    request: ExportRequest
    execution: str
    alive: Callable[[str], bool]
    adoptable_for: timedelta

    def settle(self) -> tuple[ClaimResult, ExportRecord]:
        """Return the verdict and the row. Raises DeliveryError when DynamoDB fails."""
        for _ in range(TRIES):
            row = self.ledger.read(self.request)
            try:
                if row is None:
                    return ClaimResult.WORK, self.ledger.create(self.request, self.execution)
                if row.state is RecordState.LANDED:
                    return self._landed(row)
                if row.state is RecordState.CUT and self._cut(row):
                    return ClaimResult.CUT, row
                if row.state not in {RecordState.FAILED, RecordState.CUT}:
                    if row.owner == self.execution:
                        return ClaimResult.WORK, row
                    if self.alive(row.owner):
                        return ClaimResult.DUPLICATE, row
                return self._inherit(row)
            except FencedError:
                continue
        raise DeliveryError("the ledger's row of this export changes all the time; start it again")

    def _landed(self, row: ExportRecord) -> tuple[ClaimResult, ExportRecord]:
        own = row.owner == self.execution
        landed = int(row.item.get("landed_attempt", 0))
        # A collection's refresh that another collection made meanwhile is not made again.
        settled = 0 < self._planned <= landed or (own and landed == row.attempt)
        enough = not self.request.refresh or settled
        if row.notified and enough:
            return ClaimResult.LANDED, row
        if not row.notified and own and enough:
            return ClaimResult.ANNOUNCE, row
        if not row.notified and not own and self.alive(row.owner):
            return ClaimResult.DUPLICATE, row
        if not enough:
            return ClaimResult.WORK, self._take(row, RecordState.CLAIMED, forget=JOB)
        return ClaimResult.ANNOUNCE, self._take(row, RecordState.LANDED)

    def _cut(self, row: ExportRecord) -> bool:
        """Check whether that the window is cut is all that there is to know: it is not asked for again.

        A collection that planned it before it was cut asks for nothing either, whatever its `on_limit`.
        """
        if row.owner == self.execution or 0 < self._planned <= row.attempt:
            return True
        return self.request.on_limit == "split" and not self.request.refresh

    @property
    def _planned(self) -> int:
        """Return the attempt that a collection planned this execution for, which its name says, or 0."""
        export_id, _, rest = self.execution.rpartition(":")[2].partition("-")
        attempt = rest.partition("-")[0]
        return int(attempt) if export_id == self.request.export_id and attempt.isdecimal() else 0

    def _inherit(self, row: ExportRecord) -> tuple[ClaimResult, ExportRecord]:
        """Take over what a dead or failed execution left: its job, its doubts, or nothing."""
        if row.landed and not self.request.refresh:
            # A refresh died on an export that had landed: what is there is good.
            verdict = ClaimResult.ANNOUNCE if row.job_id or not row.notified else ClaimResult.LANDED
            return verdict, self._take(row, RecordState.LANDED, forget=JOB)
        age = self.ledger.now() - row.submitted_at if row.submitted_at else None
        if row.job_id and age is not None and age < self.adoptable_for and not self.request.refresh:
            return ClaimResult.WORK, self._take(row, RecordState.SUBMITTED)
        in_doubt = row.state is RecordState.CLAIMED and "intended_at" in row.item
        forget = ("submitted_at", "polls") if in_doubt else JOB
        return ClaimResult.WORK, self._take(row, RecordState.CLAIMED, forget=forget)

    def _take(self, row: ExportRecord, state: RecordState, forget: tuple[str, ...] = ()) -> ExportRecord:
        refresh = self.request.refresh
        return self.ledger.take(row, self.execution, state=state, refresh=refresh, remove=forget)
