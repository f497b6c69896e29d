"""Waiting as the vendor asks: the state machine does it, no function sleeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from logferry import runtime
from logferry.errors import ExportTimedOutError
from logferry.export.polling import MAX_POLLS, whole_seconds
from logferry.export.state import ExportState, Step
from logferry.telemetry import log, measure

if TYPE_CHECKING:
    from logferry.errors import Throttled


def seconds_left(state: ExportState) -> float:
    """Return the seconds until the export's deadline, negative once it has passed."""
    return (datetime.fromisoformat(state.deadline) - runtime.ledger().now()).total_seconds()


def wait_as_told(state: ExportState, throttled: Throttled, source: str) -> ExportState:
    """Make the state that waits exactly as long as the vendor asked.

    Raises ExportTimedOutError where that would pass the deadline, or the waits have grown too many.
    """
    wait = whole_seconds(throttled.seconds)
    if wait > seconds_left(state) or state.waits >= MAX_POLLS:
        raise ExportTimedOutError(
            f"the vendor asks to wait {wait} s, for the {state.waits + 1}. wait before {state.deadline}; "
            "start it again later, or raise JobDeadlineSeconds"
        )
    log().info("throttled", extra={"wait_seconds": wait})
    measure(source, Throttled=1)
    return replace(state, state=Step.THROTTLED, wait_seconds=wait, waits=state.waits + 1)
