"""Submit: claim the export, then adopt its job, or ask the vendor for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from logferry import runtime
from logferry.errors import (
    DeliveryError,
    InvalidRequestError,
    LogferryError,
    SubmitUncertainError,
    Throttled,
)
from logferry.export import polling
from logferry.export._vendor import open_api
from logferry.export._wait import wait_as_told
from logferry.export.cut import settle_cut
from logferry.export.result import cut_output, duplicate_output, landed_output
from logferry.export.state import ExportState, Step
from logferry.export.validation import export_request
from logferry.ledger.claims import Claim, ClaimResult
from logferry.ledger.record import RecordState
from logferry.ledger.table import FencedError
from logferry.models.job import Job, JobState
from logferry.models.request import iso_instant
from logferry.sources.registry import source_named
from logferry.telemetry import follow, log, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source
    from logferry.vendor.client import Api


def submit(event: Mapping[str, Any]) -> dict[str, Any]:
    """Claim the export of `{request, execution, state}` and see to its job.

    Gives the contract's result where it has landed or another execution works on it, else the next state.
    Raises InvalidRequestError, ConnectionConfigError, AuthenticationError, SourceUnavailableError,
    SubmitUncertainError, ExportTimedOutError, DeliveryError.
    """
    follow(execution=event["execution"])
    request = export_request(event["request"])
    follow(execution=event["execution"], **request.names)
    source = source_named(request.source)
    settings, ledger = runtime.settings(), runtime.ledger()
    if request.window and request.window.start > ledger.now():
        raise InvalidRequestError("window.start: lies in the future; ask again once the window is over")
    adoptable_for = settings.adoptable_for if source.adoptable else timedelta()
    claim = Claim(ledger, request, event["execution"], runtime.execution_runs, adoptable_for)
    verdict, row = claim.settle()
    log().info("claimed", extra={"export_id": request.export_id, "verdict": verdict, "attempt": row.attempt})
    if (known := _known(verdict, request, row, event["execution"])) is not None:
        return known
    state = _state(row, request, _before(event))
    if verdict is ClaimResult.ANNOUNCE:
        return replace(state, state=Step.READY).to_json()
    api = open_api(source, request)
    try:
        if verdict is ClaimResult.CUT:
            return settle_cut(row, source, request)
        if row.job_id and row.state is RecordState.CLAIMED:
            _let_go(Job(row.job_id, request), source, api)
        return _with_job(row, source, request, api, state).to_json()
    except Throttled as throttled:
        return wait_as_told(state, throttled, request.source).to_json()
    except FencedError:
        return replace(state, state=Step.LOST).to_json()


def _known(
    verdict: ClaimResult, request: ExportRequest, row: ExportRecord, execution: str
) -> dict[str, Any] | None:
    """Return the result where there is nothing for this execution to do."""
    match verdict:
        case ClaimResult.DUPLICATE:
            measure(request.source, ExportsDuplicate=1)
            return duplicate_output(request, row.owner)
        case ClaimResult.LANDED:
            return landed_output(row)
        case ClaimResult.CUT if row.owner != execution:
            return cut_output(row)
    return None


def _let_go(job: Job, source: Source, api: Api) -> None:
    """Release a job that is not adopted; one that the vendor refuses to release must not be in the way."""
    try:
        source.delete(job, api)
    except InvalidRequestError as error:
        log().warning("not released", extra={"job_id": job.id, "reason": str(error)})


def _with_job(
    row: ExportRecord, source: Source, request: ExportRequest, api: Api, state: ExportState
) -> ExportState:
    ledger = runtime.ledger()
    if row.state is RecordState.SUBMITTED:
        log().info("adopted", extra={"job_id": row.job_id, "polls": row.polls})
        if row.attempt > 1:  # else it is this execution's own, and the call a repeated one
            measure(request.source, JobsAdopted=1)
    else:
        row = _start(row, source, request, api)
    now = ledger.now()
    since = row.submitted_at or now
    ready = bool(row.item.get("ready"))
    return replace(
        state,
        state=Step.READY if ready else Step.RUNNING,
        job_id=row.job_id,
        submitted_at=iso_instant(since),
        polls=row.polls,
        # An adopted job is asked at once: it may have been ready for hours.
        wait_seconds=1 if row.polls else polling.wait_seconds(0),
    )


def _start(row: ExportRecord, source: Source, request: ExportRequest, api: Api) -> ExportRecord:
    """Ask for a job: the intent is written before the POST, the job after it.

    Where a POST may have been accepted unseen, now or in a call that died, one more is sent at most.
    """
    ledger = runtime.ledger()
    allowed = 2 if runtime.settings().resubmit else 1
    doubt = "an earlier call died between the submit and its reply"
    while row.submits < allowed:
        row = ledger.intend(row)
        try:
            job = source.submit(request, api)
        except SubmitUncertainError as error:
            doubt = str(error)
            log().warning("submit uncertain", extra={"submits": row.submits, "reason": doubt})
            continue
        except (LogferryError, Throttled):
            ledger.retract(row)
            raise
        try:
            return ledger.submitted(row, job.id, ready=job.state is JobState.READY)
        except (FencedError, DeliveryError):
            source.delete(job, api)  # nobody else knows its id
            raise
    raise SubmitUncertainError(
        f"the vendor may hold a job that nobody can name ({doubt}); "
        f"{row.submits} submits were sent and no further one is allowed; start it again to submit anew"
    )


def _state(row: ExportRecord, request: ExportRequest, before: ExportState | None) -> ExportState:
    deadline = iso_instant(row.claimed_at + runtime.settings().job_deadline)
    state = ExportState(Step.RUNNING, request.export_id, row.attempt, deadline, row.job_id)
    return replace(state, waits=before.waits, throttles=before.throttles) if before else state


def _before(event: Mapping[str, Any]) -> ExportState | None:
    """Return the state of an earlier try, whose waits count; at the first one `state` is the input itself."""
    state = event.get("state")
    return ExportState.from_json(state) if isinstance(state, dict) and "attempt" in state else None
