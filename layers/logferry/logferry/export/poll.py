"""Check: ask how the job is, and decide how long to wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from logferry import runtime
from logferry.errors import ExportCutError, ExportFailedError, ExportTimedOutError, Throttled
from logferry.export._vendor import open_api, read_event
from logferry.export._wait import seconds_left, wait_as_told
from logferry.export.cut import cut
from logferry.export.polling import MAX_POLLS, wait_seconds
from logferry.export.state import ExportState, Step, age
from logferry.ledger.record import ExportRecord, RecordState
from logferry.ledger.table import FencedError
from logferry.models.job import Job, JobState, JobStatus
from logferry.telemetry import MetricUnit, follow, log, measure
from logferry.vendor.client import MalformedReplyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source

MALFORMED_LIMIT = 3
"""Replies in a row that nobody can read: one is a hiccup, three are another API."""


def check(event: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the vendor once about the job of `{request, execution, state}`; give the next state.

    Raises ExportFailedError, ExportCutError, ExportTimedOutError, AuthenticationError, ConnectionConfigError,
    InvalidRequestError, SourceUnavailableError, DeliveryError.
    """
    source, request = read_event(event)
    follow(execution=event["execution"], **request.names)
    state = ExportState.from_json(event["state"])
    job = Job(state.job_id or "", request)
    since = datetime.fromisoformat(state.submitted_at or state.deadline)
    elapsed = age(since, runtime.ledger().now())
    try:
        status = source.poll(job, open_api(source, request, awaiting=True))
    except MalformedReplyError as malformed_reply:
        status = JobStatus(JobState.MALFORMED, message=str(malformed_reply))
    except Throttled as throttled:
        # A reply all the same, but nothing about the job; the wait is the vendor's own.
        waiting = wait_as_told(state, throttled, source.name)
        return _polled(request, event, replace(waiting, state=Step.RUNNING))
    if status is None:
        if elapsed >= source.visible_within:
            raise ExportFailedError(
                f"the vendor no longer knows job {job.id}, submitted {elapsed:.0f} s ago; start it again"
            )
        status = JobStatus(JobState.RUNNING)
    log().info("status", extra={"job_id": job.id, "job_state": status.state, "progress": status.progress})
    if status.unknown and not state.unknown:
        log().warning("unknown", extra={"job_id": job.id, "word": status.unknown})
    if status.state is JobState.FAILED and request.on_limit != "land" and _too_large(source, status):
        return _refused(source, request, event["execution"], state, status)
    if status.state is JobState.FAILED:
        raise ExportFailedError(f"the vendor says that job {job.id} failed: {status.message}")
    malformed = state.malformed + 1 if status.state is JobState.MALFORMED else 0
    if malformed >= MALFORMED_LIMIT:
        return _unreadable(request, event, state, status)
    state = replace(
        state,
        malformed=malformed,
        state=Step.RUNNING,
        throttles=0,
        unknown=state.unknown or bool(status.unknown),
    )
    if status.state is JobState.READY:
        # The job was ready at some moment since the poll before: it was noticed at most so late.
        late = elapsed - (state.elapsed or 0.0)
        measure(source.name, unit=MetricUnit.Seconds, DetectionDelay=max(0.0, late))
        return _polled(request, event, replace(state, state=Step.READY))
    return _polled(request, event, _wait(state, status, elapsed))


def _too_large(source: Source, status: JobStatus) -> bool:
    """Check whether the vendor fails the job because of its size, in whatever words it has for that."""
    return bool(source.too_large and source.too_large.search(status.message or ""))


def _refused(
    source: Source, request: ExportRequest, execution: str, state: ExportState, status: JobStatus
) -> dict[str, Any]:
    """Treat a job that is too large for the vendor like a file that is cut."""
    reason = f"the vendor says that job {state.job_id} failed: {status.message}; ask for shorter windows"
    if request.on_limit == "fail":
        raise ExportCutError(reason)
    row = runtime.ledger().read(request)
    if row is None or (row.owner, row.attempt) != (execution, state.attempt):
        return replace(state, state=Step.LOST).to_json()
    try:
        return cut(row, source, request, reason)
    except FencedError:
        return replace(state, state=Step.LOST).to_json()


def _unreadable(
    request: ExportRequest, event: Mapping[str, Any], state: ExportState, status: JobStatus
) -> dict[str, Any]:
    """Raise ExportFailedError once the row says that its job may be well; give LOST if that is another's."""
    lost = _polled(request, event, state, unreadable=True)
    if lost["state"] == Step.LOST:
        return lost
    raise ExportFailedError(
        f"{MALFORMED_LIMIT} replies in a row about job {state.job_id}: {status.message}; "
        "the next run adopts it"
    )


def _wait(state: ExportState, status: JobStatus, elapsed: float) -> ExportState:
    left = seconds_left(state)
    if left <= 0 or state.waits >= MAX_POLLS:
        raise ExportTimedOutError(
            f"job {state.job_id} is not ready {elapsed:.0f} s after its submit and {state.polls} polls "
            f"(deadline {state.deadline}); it is kept, and the next run adopts it"
        )
    wait = wait_seconds(elapsed, status.progress, state.progress, state.elapsed)
    # The last poll is at the deadline itself.
    wait = min(wait, max(1, round(left)))
    return replace(state, wait_seconds=wait, progress=status.progress, elapsed=elapsed, waits=state.waits + 1)


def _polled(
    request: ExportRequest, event: Mapping[str, Any], state: ExportState, *, unreadable: bool = False
) -> dict[str, Any]:
    """Count the reply in the ledger, whose fence tells whether this execution still owns the export."""
    claimed = ExportRecord(
        {
            "series": request.series_id,
            "window": request.window_key,
            "owner": event["execution"],
            "attempt": state.attempt,
            "state": RecordState.SUBMITTED,
        }
    )
    state = replace(state, polls=state.polls + 1)
    try:
        runtime.ledger().polled(claimed, state.polls, unreadable=unreadable)
    except FencedError:
        return replace(state, state=Step.LOST).to_json()
    return state.to_json()
