"""When to ask again: the bounded ETA, which no progress bar, stuck or lying, can make late or costly."""

from __future__ import annotations

import math

FIRST_POLL_SECONDS = 5
"""The shortest jobs take about this long; asking earlier costs a poll for nearly every export."""

SHORTEST_SECONDS = 2
LONGEST_SECONDS = 300
EARLIEST = 0.02
"""An ETA never brings the next poll nearer than 2 % of the job's age: it bounds the polls of a long job."""
LATEST = 0.09
"""Nor further than 9 %: whenever the job ends, the wait that it ends in is at most 9 % of its age."""

MAX_POLLS = 2000
"""A poll writes 9 events to the execution's history (a wait, a task, a choice) and Step Functions ends an
execution at 25,000: 2,000 polls are 18,000 events and leave room for everything else.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""


def whole_seconds(seconds: float) -> int:
    """Return a delay as `SecondsPath` takes it: whole, rounded up so that nothing is early, 1 or more."""
    return max(1, math.ceil(seconds))


def wait_seconds(
    elapsed: float,
    progress: float | None = None,
    last_progress: float | None = None,
    last_elapsed: float | None = None,
    *,
    retry_after: float | None = None,
) -> int:
    """Return the whole seconds to wait before the next poll of a job that is still running.

    `elapsed` is the job's age in seconds at this poll, 0 before the first one; `progress` what the vendor
    said now, in percent, and `last_progress` and `last_elapsed` the same of the poll before. Anything may
    come as progress: only a rise since the last poll below 100 gives an ETA, all else waits `LATEST` of the
    age. A job that ends during the wait is therefore found at most max(2 s, 9 % of its age) later, 5 s for
    the first poll. `retry_after`, in seconds, is the vendor's word: never earlier than that.
    """
    asked = 0 if retry_after is None else whole_seconds(retry_after)
    return max(asked, _patience(elapsed, progress, last_progress, last_elapsed))


def _patience(
    elapsed: float, progress: float | None, last_progress: float | None, last_elapsed: float | None
) -> int:
    if elapsed <= 0:
        return FIRST_POLL_SECONDS
    # Whole seconds, rounded towards the middle: neither bound is overstepped.
    earliest = math.ceil(max(SHORTEST_SECONDS, EARLIEST * elapsed))
    latest = math.floor(max(SHORTEST_SECONDS, LATEST * elapsed))
    eta = _eta(elapsed, progress, last_progress, last_elapsed)
    wanted = latest if eta is None or eta >= latest else math.ceil(eta)
    return min(LONGEST_SECONDS, max(earliest, min(wanted, latest)))


def _eta(
    elapsed: float, progress: float | None, last_progress: float | None, last_elapsed: float | None
) -> float | None:
    """Return the seconds to 100 %, at the pace since the last poll; None where there is no telling."""
    if progress is None or not 0 < progress < 100:  # noqa: PLR2004 - percent; not-a-number fails it too
        return None
    since = 0.0 if last_progress is None or last_elapsed is None else last_progress
    then = 0.0 if last_progress is None or last_elapsed is None else last_elapsed
    if not (progress > since and elapsed > then):
        return None
    return (100 - progress) / (progress - since) * (elapsed - then)
