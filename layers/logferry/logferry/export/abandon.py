"""Abandon: leave nothing behind of an export that failed, and tell people; safe to call again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logferry import notifications, runtime
from logferry.errors import InvalidRequestError, LogferryError, SourceUnavailableError, Throttled
from logferry.export._leftovers import clear
from logferry.export._vendor import open_api
from logferry.export.validation import export_request
from logferry.ledger.record import RecordState
from logferry.ledger.table import FencedError
from logferry.models.job import Job
from logferry.notifications import failure_words
from logferry.redact import redact
from logferry.sources.registry import source_named, source_names
from logferry.telemetry import follow, log, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest

ABORTED = "ExecutionAborted"
JOB_IS_DEAD = {"ExportFailedError", "ExportCutError", "CorruptDownloadError", "InvalidRequestError"}
"""The errors of a step that say that the vendor's job will never give a good file."""
RELEASE_SECONDS = 20.0
"""How long each exchange of a release may take: with a token and one more of both after a 401 that is far
below the function's 180 s, however slowly the vendor answers."""
ENDED = {"TIMED_OUT": "States.Timeout", "ABORTED": ABORTED, "FAILED": "ExecutionFailed"}
"""What an execution that no Catch saw ended with, named as errors."""


@dataclass(frozen=True)
class Failure:
    """One execution's failure, however we learned of it."""

    execution: str
    document: Any
    error: str
    cause: str
    caught: bool = False
    """Whether a Catch tells of it: only then it is a step's own error, else whoever stops it names it."""
    stopped: bool = False
    """Whether a person stopped it: that says nothing of the export, and is no failed attempt."""

    def keeps_job(self, row: ExportRecord) -> bool:
        """Check whether the vendor's job is as good as before, so that the next run may adopt it."""
        return not self.caught or self.error not in JOB_IS_DEAD or row.unreadable

    @classmethod
    def read(cls, event: Mapping[str, Any]) -> Failure | None:
        """Read what the state machine's Catch passes, or EventBridge's event; None if it runs again by now.

        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        if "detail" in event:
            return cls._of_event(event["detail"])
        failure = event["failure"]
        if not isinstance(failure, dict) or "Error" not in failure:
            failure = {
                "Error": "UnknownStateError",
                "Cause": "a step answered what no release of Logferry says",
            }
        error = str(failure["Error"])
        cause = failure_words(error, str(failure.get("Cause", "")))
        return cls(event["execution"], event["request"], error, cause, caught=True)

    @classmethod
    def _of_event(cls, detail: Mapping[str, Any]) -> Failure | None:
        arn = str(detail["executionArn"])
        # An event leaves out what is long, and may be late: the execution itself knows.
        known = {**detail, **runtime.describe_execution(arn)}
        status = str(known["status"])
        if status not in ENDED:
            return None  # it was redriven meanwhile
        error = str(known.get("error") or ENDED[status])
        cause = failure_words(
            error, str(known.get("cause") or f"the execution ended {status} where no Catch runs")
        )
        try:
            document = json.loads(known.get("input") or "null")
        except ValueError:
            document = None
        return cls(arn, document, error, cause, stopped=status == "ABORTED")


def abandon(event: Mapping[str, Any]) -> dict[str, str]:
    """Write the ledger, notify once an execution, clean up; give `{Error, Cause}` for the Fail state.

    Never touches what has landed, nor another execution's row. Raises SourceUnavailableError, DeliveryError
    and the like where something could not be cleaned up, after everything else was done.
    """
    failure = Failure.read(event)
    if failure is None:
        return {}
    request = _request(failure.document)
    follow(execution=failure.execution, **(request.names if request else _outline(failure.document)))
    problems = list(_give_up(failure, request))
    if problems:
        raise problems[0]
    return {"Error": failure.error, "Cause": failure.cause}


def _request(document: Any) -> ExportRequest | None:
    try:
        return export_request(document)
    except InvalidRequestError:
        return None


def _give_up(failure: Failure, request: ExportRequest | None) -> Iterator[LogferryError]:
    """Yield the problems met on the way. Ledger and people first: a vendor can hold up a release."""
    row = None
    try:
        row = _write_off(failure, request) if request else None
    except LogferryError as error:
        yield error
    try:
        _announce(failure, request)
    except LogferryError as error:
        yield error
    if request and row:
        yield from _clean(row, request)


def _write_off(failure: Failure, request: ExportRequest) -> ExportRecord | None:
    """Write the failure into this execution's row, and return it; None where the row is another's.

    That is the fence: from here on a fetch that still runs can commit nothing any more.
    """
    row = runtime.ledger().read(request)
    if row is None or row.owner != failure.execution:
        return None
    if row.state in {RecordState.LANDED, RecordState.CUT}:
        return row
    # A job that has to be released stays in the row until it is, so that a repeated call finds it.
    keep = failure.keeps_job(row) or not source_named(request.source).adoptable
    try:
        return runtime.ledger().failed(
            row, failure.error, failure.cause, keep_job=keep, counts=not failure.stopped
        )
    except FencedError:
        log().info("another execution took over", extra={"export_id": request.export_id})
        return None


def _clean(row: ExportRecord, request: ExportRequest) -> Iterator[LogferryError]:
    """Release what the vendor holds, and clear what lies in the bucket; yield the problems."""
    source = source_named(request.source)
    if row.job_id and not source.adoptable:
        try:
            api = open_api(source, request, seconds=RELEASE_SECONDS)
            source.delete(Job(row.job_id, request), api)
            row = runtime.ledger().released(row)
        except Throttled as throttled:
            yield SourceUnavailableError(f"job {row.job_id} could not be released: {throttled}")
        except FencedError:
            log().info("another execution took over", extra={"export_id": request.export_id})
        except LogferryError as error:
            yield error
    if row.item.get("failed_attempt") == row.attempt:
        try:
            clear(source, request, row)
        except LogferryError as error:
            yield error


def _announce(failure: Failure, request: ExportRequest | None) -> None:
    ledger, settings = runtime.ledger(), runtime.settings()
    if ledger.failure_announced(failure.execution):
        return
    identity = request.identity() if request else _outline(failure.document)
    export_id = request.export_id if request else None
    document = notifications.failure_notice(
        identity, export_id, settings.bucket, failure.error, failure.cause
    )
    notifications.publish(runtime.client("sns"), settings.topic_arn, document, failure.execution)
    ledger.announce_failure(failure.execution)
    measure(str(identity.get("source") or "unknown"), ExportsFailed=1)


def _outline(document: Any) -> dict[str, str]:
    """Return what is known of an input that is too broken to identify: never more than known names."""
    if not isinstance(document, dict):
        return {}
    outline = {}
    if document.get("source") in source_names():
        outline["source"] = document["source"]
    connection = document.get("connection")
    if isinstance(connection, str):
        outline["connection"] = redact(connection, 100)
    return outline
