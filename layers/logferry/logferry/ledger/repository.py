"""The ledger: one row an export, every write conditional and fenced by owner and attempt.

Partition `series` (hash), sort `window` (`start/end` or `call/{call_id}/{index}`), so one Query is the
coverage of a series. The partition `registry` lists the series; `execution/{arn}` marks announced failures.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from logferry.ledger.record import Row, RowState
from logferry.models.request import iso_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logferry.ledger.table import Table
    from logferry.models.request import ExportRequest

REGISTRY = "registry"
MARK_DAYS = 90
"""How long marks of announced failures stay: as long as AWS keeps closed executions."""


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Reads and writes rows. Raises `DeliveryError` when DynamoDB fails, `FencedError` when a fence holds."""

    def __init__(self, table: Table, now: Callable[[], datetime] = _now) -> None:
        self._table = table
        self.now = now

    # ---- reading

    def read(self, request: ExportRequest) -> Row | None:
        """Give the row of an export as it is now (a consistent read), or None."""
        item = self._table.get(request.series_id, request.window_key)
        return Row(item) if item else None

    def rows(
        self, series_id: str, first: str = " ", last: str = "\uffff", *, newest_first: bool = False
    ) -> Iterator[Row]:
        """Give the rows of a series in the order of their windows, from sort key `first` to `last`."""
        return map(Row, self._table.query(series_id, first, last, newest_first=newest_first))

    def series(self) -> Iterator[dict[str, Any]]:
        """Give the series that the ledger knows: `{series_id, source, connection, target, filters}` each."""
        for row in self.rows(REGISTRY):
            yield {"series_id": row.item["window"], **row.item["request"]}

    # ---- claiming (the decisions are in `claim.py`)

    def create(self, request: ExportRequest, owner: str) -> Row:
        """Write the first claim of an export; `FencedError` if there is a row already."""
        series = {"series": REGISTRY, "window": request.series_id, "request": request.series}
        self._table.put(series)
        item = {
            "series": request.series_id,
            "window": request.window_key,
            "request": request.identity(),
            "export_id": request.export_id,
            "state": RowState.CLAIMED,
            "owner": owner,
            "attempt": 1,
            "claimed_at": self._stamp(),
            "refresh": request.refresh,
        }
        self._table.create(item)
        return Row(item)

    def take(
        self, row: Row, owner: str, *, state: RowState, refresh: bool, remove: tuple[str, ...] = ()
    ) -> Row:
        """Make the row `owner`'s, as a new attempt in `state`, provided that nobody touched it meanwhile."""
        changes = {
            "owner": owner,
            "attempt": row.attempt + 1,
            "state": state,
            "claimed_at": self._stamp(),
            "refresh": refresh,
        }
        return self._write(row, changes, remove=("error", "cause", *remove), states=(row.state,))

    # ---- the way of one job

    def intend(self, row: Row) -> Row:
        """Count a POST before it is sent: after a crash it is known that it may have been accepted."""
        changes = {"submits": row.submits + 1, "intended_at": self._stamp()}
        return self._write(row, changes, states=(RowState.CLAIMED,), same=("submits",))

    def retract(self, row: Row) -> Row:
        """Uncount a POST that certainly started nothing (refused, throttled, never sent)."""
        changes = {"submits": max(row.submits - 1, 0)}
        return self._write(
            row, changes, remove=("intended_at",), states=(RowState.CLAIMED,), same=("submits",)
        )

    def submitted(self, row: Row, job_id: str, *, ready: bool) -> Row:
        """Write down the job that the vendor accepted, and whether it is `ready` at once."""
        changes = {
            "ready": ready,
            "state": RowState.SUBMITTED,
            "job_id": job_id,
            "submitted_at": self._stamp(),
            "polls": 0,
        }
        return self._write(
            row, changes, remove=("intended_at",), states=(RowState.CLAIMED,), same=("submits",)
        )

    def polled(self, row: Row, polls: int) -> Row:
        """Write down how many status replies the job has had."""
        return self._write(row, {"polls": polls, "polled_at": self._stamp()}, states=(RowState.SUBMITTED,))

    def fetching(self, row: Row) -> Row:
        """Enter fetch: from here on an earlier call of the same execution, still running, is fenced off."""
        changes = {"fetches": int(row.item.get("fetches", 0)) + 1, "fetched_at": self._stamp()}
        return self._write(row, changes, states=(RowState.SUBMITTED, RowState.LANDED), same=("fetches",))

    def landed(self, row: Row, landing: Mapping[str, Any]) -> Row:
        """Write down what landed (`bucket, key, manifest_key, size, sha256, records, objects, suspect …`)."""
        changes = {
            **landing,
            "state": RowState.LANDED,
            "landed_at": self._stamp(),
            "landed_attempt": row.attempt,
            "failures": 0,
        }
        return self._write(
            row, changes, remove=("notified_at",), states=(RowState.SUBMITTED,), same=("fetches",)
        )

    def notified(self, row: Row) -> Row:
        """Mark the landing as announced."""
        return self._write(row, {"notified_at": self._stamp()}, states=(RowState.LANDED,))

    def failed(self, row: Row, error: str, cause: str, *, keep_job: bool) -> Row:
        """Give the export up for this attempt, which counts as one failure however often this is called.

        An earlier landing stays LANDED; a job that is not kept is never adopted.
        """
        changes = {
            "state": RowState.LANDED if row.landed else RowState.FAILED,
            "error": error,
            "cause": cause,
            "failed_at": self._stamp(),
            "failed_attempt": row.attempt,
            "failures": row.failures + (row.item.get("failed_attempt") != row.attempt),
        }
        remove = ("intended_at",) if keep_job else ("intended_at", "job_id", "submitted_at")
        working = (RowState.CLAIMED, RowState.SUBMITTED, RowState.FAILED)
        return self._write(row, changes, remove=remove, states=working)

    # ---- what was announced

    def failure_announced(self, execution: str) -> bool:
        """Tell whether the failure of this execution was announced already."""
        return self._table.get(*_mark(execution)) is not None

    def announce_failure(self, execution: str) -> None:
        """Mark the failure of this execution as announced; the mark goes away by itself after 90 days."""
        expires = int((self.now() + timedelta(days=MARK_DAYS)).timestamp())
        series, window = _mark(execution)
        self._table.put(
            {"series": series, "window": window, "announced_at": self._stamp(), "expires_at": expires}
        )

    # ---- how

    def _stamp(self) -> str:
        return iso_instant(self.now())

    def _write(
        self,
        row: Row,
        changes: Mapping[str, Any],
        *,
        states: tuple[RowState, ...],
        remove: tuple[str, ...] = (),
        same: tuple[str, ...] = (),
    ) -> Row:
        """Change a row that is still the reader's: same owner, attempt, one of `states`, `same` unchanged."""
        fence = ("owner", "attempt", *same)
        return Row(self._table.change(row.item, changes, remove=remove, same=fence, one_of={"state": states}))


def _mark(execution: str) -> tuple[str, str]:
    return f"execution/{execution}", "failure"
