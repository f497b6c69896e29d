"""Fetch: land the files of a job that is ready, then announce the landing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry import notifications, runtime
from logferry.download.stream import TimeBudget
from logferry.errors import ExportCutError, Throttled
from logferry.export._leftovers import clear
from logferry.export._vendor import open_api, read_event
from logferry.export._wait import wait_as_told
from logferry.export.cut import cut, settle_cut
from logferry.export.land import Lander
from logferry.export.result import landed_output
from logferry.export.state import ExportState, Step, age
from logferry.ledger.record import ExportRecord, RecordState
from logferry.ledger.table import FencedError
from logferry.models.job import Job
from logferry.models.request import iso_instant
from logferry.telemetry import MetricUnit, follow, log, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source


def fetch(event: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Land and announce the export of `{request, execution, state}` within `seconds`; give the result.

    What has landed is not fetched again, what was announced is not announced again. Raises
    DownloadRefusedError, CorruptDownloadError, SourceUnavailableError, AuthenticationError,
    ConnectionConfigError, InvalidRequestError, ExportTimedOutError, ExportCutError, DeliveryError.
    """
    source, request = read_event(event)
    follow(execution=event["execution"], **request.names)
    state = ExportState.from_json(event["state"])
    row = runtime.ledger().read(request)
    if row is None or (row.owner, row.attempt) != (event["execution"], state.attempt):
        return _lost(state)
    try:
        if row.state is RecordState.CUT:
            return settle_cut(row, source, request)
        row = runtime.ledger().fetching(row)
        if row.state is RecordState.SUBMITTED:
            try:
                row = _land(row, source, request, TimeBudget(seconds))
            except ExportCutError as reached:
                if request.on_limit != "split":
                    raise
                return cut(row, source, request, str(reached))
        if not row.notified:
            document = notifications.landing_notice(request.identity(), request.export_id, row.item)
            notifications.publish(
                runtime.client("sns"), runtime.settings().topic_arn, document, event["execution"]
            )
            row = runtime.ledger().notified(row)
        # Last: a vendor that cannot let go of a job must not keep a landing from being announced.
        if row.job_id and not source.adoptable:
            source.delete(Job(row.job_id, request), open_api(source, request))
    except Throttled as throttled:
        return wait_as_told(state, throttled, source.name).to_json()
    except FencedError:
        _take_back(source, request, event["execution"], state.attempt)
        return _lost(state)
    return landed_output(row)


def _land(row: ExportRecord, source: Source, request: ExportRequest, budget: TimeBudget) -> ExportRecord:
    ledger, job = runtime.ledger(), Job(row.job_id or "", request)
    landing = Lander(source, open_api(source, request), job, row, budget).land()
    asked = iso_instant(row.submitted_at or row.claimed_at)
    counts = {"landed_submits": row.submits, "landed_polls": row.polls, "requested_at": asked}
    row = ledger.landed(row, {**landing, **counts})
    log().info(
        "landed", extra={"key": landing["key"], "size": landing["size"], "records": landing["records"]}
    )
    measure(
        source.name,
        ExportsLanded=1,
        Records=landing["records"] or 0,
        Suspect=bool(landing["suspect"]),
        Polls=row.polls,
    )
    measure(source.name, unit=MetricUnit.Bytes, Bytes=landing["size"])
    since = row.submitted_at or row.claimed_at
    measure(source.name, unit=MetricUnit.Seconds, JobSeconds=age(since, ledger.now()))
    return row


def _take_back(source: Source, request: ExportRequest, execution: str, attempt: int) -> None:
    """Clear what was put while somebody stopped the execution and abandon was faster."""
    row = runtime.ledger().read(request)
    if row and row.owner == execution and row.attempt == attempt == row.item.get("failed_attempt"):
        clear(source, request, row)


def _lost(state: ExportState) -> dict[str, Any]:
    return {**state.to_json(), "state": str(Step.LOST)}
