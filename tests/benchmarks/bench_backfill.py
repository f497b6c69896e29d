"""A year's backfill in the sandbox, with every tenth call of the vendor failing: a few minutes.

`python -m tests.benchmarks.bench_backfill [DAYS]` deploys the real template, collects a year of days, and
twice more: the second collection makes up for what failed, the third must plan nothing.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.sandbox.engine import Sandbox
from tests.sandbox.vendor.messages import Reply
from tests.sandbox.vendor.vendors import Vendors

if TYPE_CHECKING:
    from tests.sandbox.vendor.messages import Received

SPEED = 100.0
CONCURRENCY = 4
FAILING = 0.10


def most_at_once(requests: list[Received], jobs: set[str]) -> int:
    """Count the most exports that the vendor had under way, from the submit to the file, at one time."""
    spans: dict[str, list[float]] = {}
    for request in requests:
        if request.job_id in jobs:
            spans.setdefault(str(request.job_id), []).append(request.arrived)
    marks = [(min(times), 1) for times in spans.values()] + [(max(times), -1) for times in spans.values()]
    return max(itertools.accumulate(step for _, step in sorted(marks)))


def main(days: int = 365) -> int:
    """Run the three collections; exit 1 when a window is missing or landed twice."""
    chance = random.Random(4)  # noqa: S311 - which calls fail is no secret
    knobs: dict[str, Any] = {"wait_scale": 1 / SPEED, "rows": 2, "files": 1, "polls": 1}
    with (
        Vendors(**knobs) as vendors,
        Sandbox(connections=vendors.connections, speed=SPEED, ca_bundle=vendors.ca_file) as sandbox,
    ):
        for step in ("submit", "status", "download"):
            vendors.script(
                step, *(Reply(503) if chance.random() < FAILING else None for _ in range(2 * days))
            )
        target = {"folder": vendors.folder, "service": vendors.service}
        document = {
            "exports": [{"source": "spark-log-csv", "connection": "acme-uat", "target": target}],
            "every": "day",
            "until": "2026-11-01T00:00:00Z",
            "lookback": days,
            "max_concurrency": CONCURRENCY,
        }
        for _ in range(3):
            begun = time.monotonic()
            outcome = sandbox.start(document, machine="CollectStateMachine").wait(3_600)
            summary = outcome.output or json.loads(outcome.cause or "{}")
            sys.stdout.write(f"{outcome.status} after {time.monotonic() - begun:.0f} s: {summary}\n")
        landed = [each.key for each in sandbox.objects(all_versions=True) if each.key.endswith(".zip")]
        failed = sum(request.status == 503 for request in vendors.requests)
        most = most_at_once(vendors.requests, {job.id for job in vendors.jobs})
        sys.stdout.write(
            f"{len(landed)} objects under {len(set(landed))} keys, {len(vendors.jobs)} jobs, {most} at once; "
            f"{failed} of {len(vendors.requests)} calls failed\n"
        )
        good = len(landed) == len(set(landed)) == days and not summary["planned"] and most <= CONCURRENCY
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
