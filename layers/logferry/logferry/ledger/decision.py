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
    *("requested_at", "cut"),
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
    row: ExportRecord | None,
    window: Window,
    max_attempts: int,
    *,
    force: bool,
    alive: Callable[[str], bool],
) -> Decision:
    """Decide on one window. `alive` tells whether an execution still runs: the claims of the dead are free.

    What landed and was never announced is planned again, to be announced; what was asked for before the
    window was over, to be asked for again.
    """
    if row is None or row.state is RecordState.CUT:
        return Decision.EXPORT
    early = row.early(window)
    if row.state is RecordState.FAILED or (row.state is RecordState.LANDED and early):
        given_up = row.failures >= max_attempts and not force
        if given_up:
            return Decision.GIVEN_UP
        # Where its landing is not announced yet, its execution may be at it.
        if row.state is RecordState.FAILED or row.notified:
            return Decision.EXPORT
    if row.state is RecordState.LANDED and row.notified:
        return Decision.LANDED
    if alive(row.owner):
        return Decision.IN_PROGRESS
    return Decision.LANDED if row.landed and row.notified and not early else Decision.EXPORT
