"""What a plan does with one window, from what the ledger says of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from logferry.ledger.record import ExportRecord, RecordState

if TYPE_CHECKING:
    from collections.abc import Callable

    from logferry.ledger.repository import Ledger
    from logferry.models.request import ExportRequest, Window

KEPT = (
    *("state", "owner", "attempt", "failures", "error", "cause"),
    *("landed_at", "notified_at", "key", "records", "suspect"),
)
"""What plans and reports need of a row; a year of hours stays small in memory without the rest."""


class Decision(StrEnum):
    """What a plan does with a window."""

    EXPORT = "to export"
    LANDED = "already landed"
    IN_PROGRESS = "in progress"
    GIVEN_UP = "given up"


def rows_of(ledger: Ledger, request: ExportRequest, windows: list[Window]) -> dict[str, ExportRecord]:
    """Read what the ledger knows of these windows of a series, by window key: one Query."""
    if not windows:
        return {}
    found = ledger.rows(request.series_id, windows[0].key, windows[-1].key)
    return {
        row.item["window"]: ExportRecord({name: row.item[name] for name in KEPT if name in row.item})
        for row in found
    }


def decide(
    row: ExportRecord | None, max_attempts: int, *, force: bool, alive: Callable[[str], bool]
) -> Decision:
    """Decide on one window. `alive` tells whether an execution still runs: the claims of the dead are free.

    What landed and was never announced is planned again, to be announced.
    """
    if row is None:
        return Decision.EXPORT
    if row.state is RecordState.FAILED:
        given_up = row.failures >= max_attempts and not force
        return Decision.GIVEN_UP if given_up else Decision.EXPORT
    if row.state is RecordState.LANDED and row.notified:
        return Decision.LANDED
    if alive(row.owner):
        return Decision.IN_PROGRESS
    return Decision.LANDED if row.landed and row.notified else Decision.EXPORT
