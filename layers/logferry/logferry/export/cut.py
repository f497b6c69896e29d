"""Cut: the vendor's limit was reached where nothing cut is to land; the planner asks for the halves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry import runtime
from logferry.export._leftovers import clear
from logferry.export._vendor import open_api
from logferry.export.result import cut_output
from logferry.models.job import Job
from logferry.telemetry import log

if TYPE_CHECKING:
    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source


def cut(row: ExportRecord, source: Source, request: ExportRequest, reason: str) -> dict[str, Any]:
    """Write down that the window holds more than the vendor gives at once; return the export's result.

    Raises FencedError where the row went to another execution, and what `settle_cut` raises.
    """
    row = runtime.ledger().cut(row, reason)
    log().info("cut", extra={"reason": reason})
    return settle_cut(row, source, request)


def settle_cut(row: ExportRecord, source: Source, request: ExportRequest) -> dict[str, Any]:
    """Take away what was put, release the vendor's job, and return the result; safe to call again.

    Raises DeliveryError, FencedError, Throttled and what `Api.call` raises.
    """
    clear(source, request, row)
    if row.job_id and not source.adoptable:
        source.delete(Job(row.job_id, request), open_api(source, request))
        row = runtime.ledger().released(row)
    return cut_output(row)
