"""The ledger: one row an export, every write conditional and fenced by owner and attempt.

Partition `series` (hash), sort `window` (`start/end` or `call/{call_id}/{index}`), so one Query is the
coverage of a series. The partition `registry` lists the series; `execution/{arn}` marks announced failures.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from logferry.ledger.record import ExportRecord, RecordState
from logferry.models.request import iso_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logferry.ledger.table import Table
    from logferry.models.request import ExportRequest

REGISTRY = "registry"
MARK_DAYS = 90
"""How long marks of announced failures stay: as long as AWS keeps closed executions."""

MOST_NONCES = 1000
"""The newest that a row keeps, 36 KB: fetch is called some ten times an attempt, more only while it waits."""


def _now() -> datetime:
    return datetime.now(UTC)


def _nonce() -> str:
    return secrets.token_hex(16)


class Ledger:
    """Reads and writes rows. Raises `DeliveryError` when DynamoDB fails, `FencedError` when a fence holds."""

    def __init__(
        self, table: Table, now: Callable[[], datetime] = _now, nonce: Callable[[], str] = _nonce
    ) -> None:
        self._table = table
        self.now = now
        self._nonce = nonce

    # ---- reading

    def read(self, request: ExportRequest) -> ExportRecord | None:
        """Return the row of an export as it is now (a consistent read), or None."""
        item = self._table.get(request.series_id, request.window_key)
        return ExportRecord(item) if item else None

    def rows(
        self,
        series_id: str,
        first: str = " ",
        last: str = "\uffff",
        *,
        newest_first: bool = False,
        consistent: bool = True,
    ) -> Iterator[ExportRecord]:
        """Return the rows of a series in the order of their windows, from sort key `first` to `last`."""
        found = self._table.query(series_id, first, last, newest_first=newest_first, consistent=consistent)
        return map(ExportRecord, found)

    def series(self, *, consistent: bool = True) -> Iterator[dict[str, Any]]:
        """Return the known series: `{series_id, source, connection, target, filters}` each."""
        for row in self.rows(REGISTRY, consistent=consistent):
            yield {"series_id": row.item["window"], **row.item["request"]}

    # ---- claiming (the decisions are in `claim.py`)

    def create(self, request: ExportRequest, owner: str) -> ExportRecord:
        """Write the first claim of an export; `FencedError` if there is a row already."""
        series = {"series": REGISTRY, "window": request.series_id, "request": request.series}
        self._table.put(series)
        item = {
            "series": request.series_id,
            "window": request.window_key,
            "request": request.identity(),
            "export_id": request.export_id,
            "state": RecordState.CLAIMED,
            "owner": owner,
            "attempt": 1,
            "claimed_at": self._stamp(),
            "refresh": request.refresh,
            "nonces_since": 1,
        }
        self._table.create(item)
        return ExportRecord(item)

    def take(
        self,
        row: ExportRecord,
        owner: str,
        *,
        state: RecordState,
        refresh: bool,
        remove: tuple[str, ...] = (),
    ) -> ExportRecord:
        """Make the row `owner`'s, as a new attempt in `state`, provided that nobody touched it meanwhile."""
        changes = {
            "owner": owner,
            "attempt": row.attempt + 1,
            "state": state,
            "claimed_at": self._stamp(),
            "refresh": refresh,
            "nonces_since": row.nonces_since,
        }
        return self._write(row, changes, remove=("error", "cause", *remove), states=(row.state,))

    # ---- the way of one job

    def intend(self, row: ExportRecord) -> ExportRecord:
        """Count a POST before it is sent: after a crash it is known that it may have been accepted."""
        changes = {"submits": row.submits + 1, "intended_at": self._stamp()}
        return self._write(row, changes, states=(RecordState.CLAIMED,), same=("submits",))

    def retract(self, row: ExportRecord) -> ExportRecord:
        """Uncount a POST that certainly started nothing (refused, throttled, never sent)."""
        changes = {"submits": max(row.submits - 1, 0)}
        return self._write(
            row, changes, remove=("intended_at",), states=(RecordState.CLAIMED,), same=("submits",)
        )

    def submitted(self, row: ExportRecord, job_id: str, *, ready: bool) -> ExportRecord:
        """Write down the job that the vendor accepted, and whether it is `ready` at once."""
        changes = {
            "ready": ready,
            "state": RecordState.SUBMITTED,
            "job_id": job_id,
            "submitted_at": self._stamp(),
            "polls": 0,
        }
        return self._write(
            row, changes, remove=("intended_at",), states=(RecordState.CLAIMED,), same=("submits",)
        )

    def polled(self, row: ExportRecord, polls: int, *, unreadable: bool = False) -> ExportRecord:
        """Write down how many status replies the job has had; `unreadable`: the attempt ends of the last."""
        changes = {"polls": polls, "polled_at": self._stamp()}
        if unreadable:
            changes["unreadable_attempt"] = row.attempt
        return self._write(row, changes, states=(RecordState.SUBMITTED,))

    def fetching(self, row: ExportRecord) -> ExportRecord:
        """Enter fetch: from here on an earlier call of the same execution, still running, is fenced off.

        What this call will put into S3 carries the last of the row's nonces; what has landed gets none.
        """
        changes = {"fetches": int(row.item.get("fetches", 0)) + 1, "fetched_at": self._stamp()}
        if row.state is RecordState.LANDED:
            return self._write(row, changes, states=(RecordState.LANDED,), same=("fetches",))
        changes["nonces"] = [*row.nonces, self._nonce()][-MOST_NONCES:]
        return self._write(row, changes, states=(RecordState.SUBMITTED,), same=("fetches",))

    def landed(self, row: ExportRecord, landing: Mapping[str, Any]) -> ExportRecord:
        """Write down what landed (`bucket, key, manifest_key, size, sha256, records, objects, suspect …`).

        Nonces of earlier calls end here: what they mark is no longer this export's.
        """
        changes = {
            **landing,
            "state": RecordState.LANDED,
            "landed_at": self._stamp(),
            "landed_attempt": row.attempt,
            "failures": 0,
        }
        return self._write(
            row, changes, remove=("notified_at", "nonces"), states=(RecordState.SUBMITTED,), same=("fetches",)
        )

    def cut(self, row: ExportRecord, reason: str) -> ExportRecord:
        """Write down that the vendor's limit was reached; nothing landed, and it is no failed attempt.

        The job is never adopted; its id stays until it is released.
        """
        changes = {
            "state": RecordState.CUT,
            "cut_at": self._stamp(),
            "cut": reason,
            "failures": 0,
        }
        remove = ("intended_at", "submitted_at", "error", "cause")
        return self._write(row, changes, remove=remove, states=(RecordState.SUBMITTED,), same=("fetches",))

    def notified(self, row: ExportRecord) -> ExportRecord:
        """Mark the landing as announced."""
        return self._write(row, {"notified_at": self._stamp()}, states=(RecordState.LANDED,))

    def failed(
        self, row: ExportRecord, error: str, cause: str, *, keep_job: bool, counts: bool = True
    ) -> ExportRecord:
        """Write this attempt off; it counts as one failure however often this is called, if it `counts`.

        An earlier landing stays LANDED; a job that is not kept is never adopted.
        """
        changes = {
            "state": RecordState.LANDED if row.landed else RecordState.FAILED,
            "error": error,
            "cause": cause,
            "failed_at": self._stamp(),
            "failed_attempt": row.attempt,
            "failures": row.failures + (counts and row.item.get("failed_attempt") != row.attempt),
        }
        remove = ("intended_at",) if keep_job else ("intended_at", "job_id", "submitted_at")
        working = (RecordState.CLAIMED, RecordState.SUBMITTED, RecordState.FAILED)
        return self._write(row, changes, remove=remove, states=working)

    def released(self, row: ExportRecord) -> ExportRecord:
        """Forget a job that the vendor has let go of."""
        ended = (RecordState.FAILED, RecordState.LANDED, RecordState.CUT)
        changes = {"released_at": self._stamp()}
        return self._write(row, changes, remove=("job_id",), states=ended, same=("job_id",))

    # ---- what was announced

    def failure_announced(self, execution: str) -> bool:
        """Check whether the failure of this execution was announced already."""
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
        row: ExportRecord,
        changes: Mapping[str, Any],
        *,
        states: tuple[RecordState, ...],
        remove: tuple[str, ...] = (),
        same: tuple[str, ...] = (),
    ) -> ExportRecord:
        """Change a row that is still the reader's: same owner, attempt, one of `states`, `same` unchanged."""
        fence = ("owner", "attempt", *same)
        return ExportRecord(
            self._table.change(row.item, changes, remove=remove, same=fence, one_of={"state": states})
        )


def _mark(execution: str) -> tuple[str, str]:
    return f"execution/{execution}", "failure"
