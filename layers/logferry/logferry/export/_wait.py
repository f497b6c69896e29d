"""Waiting as the vendor asks: the state machine does it, no function sleeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from logferry import runtime
from logferry.errors import ExportTimedOutError
from logferry.export.polling import LATEST, LONGEST_SECONDS, MAX_POLLS, whole_seconds
from logferry.export.state import ExportState, Step
from logferry.telemetry import log, measure

if TYPE_CHECKING:
    from logferry.errors import Throttled


GROWTH, MOST_GROWTH = 1.5, 20
"""How each wait in a row grows; 20 of them are far beyond the longest one."""


def seconds_left(state: ExportState) -> float:
    """Return the seconds until the export's deadline, negative once it has passed."""
    return (datetime.fromisoformat(state.deadline) - runtime.ledger().now()).total_seconds()


def wait_as_told(state: ExportState, throttled: Throttled, source: str) -> ExportState:
    """Make the state that waits as long as the vendor asked, or longer where it asks again and again.

    Raises ExportTimedOutError where that would pass the deadline, or the waits have grown too many.
    """
    left = seconds_left(state)
    asked = whole_seconds(throttled.seconds)
    wait = max(asked, min(_patience(state, left), int(left)))
    if wait > left or state.waits >= MAX_POLLS:
        raise ExportTimedOutError(
            f"the vendor asks to wait {wait} s, for the {state.waits + 1}. wait before {state.deadline}; "
            "start it again later, or raise JobDeadlineSeconds"
        )
    log().info("throttled", extra={"wait_seconds": wait})
    measure(source, Throttled=1)
    return replace(
        state, state=Step.THROTTLED, wait_seconds=wait, waits=state.waits + 1, throttles=state.throttles + 1
    )


def _patience(state: ExportState, left: float) -> int:
    """Return the least that is waited, whatever was asked: it grows in a row, and with the export's age.

    `Retry-After: 0` for ever then costs about 100 requests in the default deadline of 6 h.
    """
    row = GROWTH ** min(state.throttles, MOST_GROWTH)
    old = LATEST * (runtime.settings().job_deadline.total_seconds() - left)
    return min(LONGEST_SECONDS, max(1, int(row), int(old)))
