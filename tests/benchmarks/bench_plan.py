"""Plans of many windows, their time and memory: `python -m tests.benchmarks.bench_plan`.

10 series, hourly, over a little more than a year: 100,000 windows in one call of plan, and of report.
DynamoDB and S3 are stood in for in this process: what is measured is our own work, and reading
the ledger's items. Each size runs in a process of its own, since a process never gives its peak memory back.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile
from typing import IO, Any
from unittest.mock import patch

SIZES = (12_500, 25_000, 50_000, 100_000)
SERIES = 10
UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
PAGE = 700
"""Items of a Query's page: 1 MB of rows of about 1.4 KB."""

MOST_SECONDS = 300.0
"""A third of what Lambda gives a call."""
MOST_MIB = 512
"""Half of the plan function's memory."""
MOST_GROWTH = 1.5
"""Time for each window at 100,000, compared with 12,500."""


class Query:
    """DynamoDB's paginator, over a ledger that knows every window, or none."""

    def __init__(self, *, full: bool) -> None:
        self.full = full

    def get_paginator(self, _: str) -> Query:
        return self

    def paginate(self, **asked: Any) -> Any:
        values = asked["ExpressionAttributeValues"]
        start = datetime.fromisoformat(values[":first"]["S"].partition("/")[0])
        end = datetime.fromisoformat(values[":last"]["S"].partition("/")[2])
        hours = int((end - start) / timedelta(hours=1)) if self.full else 0
        for first in range(0, hours, PAGE):
            yield {
                "Items": [
                    _row(start + timedelta(hours=each)) for each in range(first, min(hours, first + PAGE))
                ]
            }

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def put_item(self, **_: Any) -> None:
        pass


def _row(start: datetime) -> dict[str, Any]:
    window = f"{start:%Y-%m-%dT%H:%M:%SZ}/{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    texts = {"window": window, "state": "LANDED", "owner": "arn:aws:states:x" + "o" * 120, "key": "k" * 120}
    texts |= {"landed_at": "2026-11-20T00:00:00.000000Z", "notified_at": "2026-11-20T00:00:00.000000Z"}
    texts |= {"export_id": "e" * 64, "sha256": "s" * 64, "manifest_key": "m" * 130, "job_id": "j" * 36}
    numbers = {"attempt": "1", "submits": "1", "polls": "3", "size": "123456", "records": "1000"}
    part = {"M": {"key": {"S": "k" * 120}, "size": {"N": "123456"}, "sha256": {"S": "s" * 64}}}
    lists: dict[str, Any] = {"objects": {"L": [part]}, "suspect": {"L": []}}
    return {
        **{name: {"S": value} for name, value in texts.items()},
        **{name: {"N": value} for name, value in numbers.items()},
        **lists,
    }


class Bucket:
    """S3, on disk."""

    def __init__(self) -> None:
        self.files: dict[str, IO[bytes]] = {}

    def put_object(self, **asked: Any) -> None:
        file = self.files[asked["Key"]] = TemporaryFile()  # noqa: SIM115 - closed with the process
        while piece := asked["Body"].read(1 << 20):
            file.write(piece)

    def get_object(self, **asked: Any) -> dict[str, Any]:
        from botocore.response import StreamingBody  # noqa: PLC0415 - after the first measure of memory

        file = self.files[asked["Key"]]
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return {"Body": StreamingBody(file, size)}


def measure(count: int, *, full: bool) -> dict[str, float]:
    """Plan and report `count` windows; give CPU seconds and peak MiB."""
    os.environ |= {"BUCKET": "b", "BUCKET_OWNER": "1", "TABLE": "t", "TOPIC_ARN": "t", "SECRET_PREFIX": "p"}
    os.environ |= {"JOB_DEADLINE_SECONDS": "1", "ADOPT_SECONDS": "1", "SUBMIT_UNCERTAIN": "fail"}
    from logferry import runtime  # noqa: PLC0415 - a fresh process each
    from logferry.collect.plan import plan  # noqa: PLC0415
    from logferry.collect.report import report  # noqa: PLC0415
    from logferry.ledger.repository import Ledger  # noqa: PLC0415
    from logferry.ledger.table import Table  # noqa: PLC0415

    client: Any = Query(full=full)
    ledger, bucket, topic = Ledger(Table(client, "t"), lambda: UNTIL), Bucket(), io.StringIO()
    target = [{"folder": "Motor", "service": f"Service{each}"} for each in range(SERIES)]
    exports = [
        {"source": "spark-log-csv", "connection": f"c{i % 3}", "target": each}
        for i, each in enumerate(target)
    ]
    document = {"exports": exports, "every": "hour", "lookback": count // SERIES}
    sns: Any = type("Sns", (), {"publish": lambda _, **message: topic.write(json.dumps(message))})
    with (
        patch.object(runtime, "ledger", lambda: ledger),
        patch.object(runtime, "s3", lambda: bucket),
        patch.object(runtime, "client", lambda _: sns()),
    ):
        before = time.process_time()
        state = plan({"request": document, "execution": "arn:x:collect:bench"})
        planned = time.process_time()
        summary = report({"plan": state, "execution": "arn:x:collect:bench"})["summary"]
        reported = time.process_time()
    expected = ("already_landed", count) if full else ("planned", count)
    if summary[expected[0]] != expected[1] or len(json.dumps(state)) > 8_192:
        raise AssertionError(summary)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"plan": planned - before, "report": reported - planned, "mib": peak}


def main() -> int:
    """Print the table; exit 1 when a target is missed."""
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(int(sys.argv[1]), full=sys.argv[2] == "landed")))
        return 0
    rows = ["| windows | ledger | plan, CPU s | report, CPU s | peak MiB |", "|---|---|---|---|---|"]
    missed: list[str] = []
    for ledger in ("empty", "landed"):
        found = {}
        for size in SIZES:
            command = [sys.executable, "-m", "tests.benchmarks.bench_plan", str(size), ledger]
            run = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
            found[size] = json.loads(run.stdout.splitlines()[-1])  # behind the lines of our log
            one = found[size]
            rows.append(
                f"| {size:,} | {ledger} | {one['plan']:.1f} | {one['report']:.1f} | {one['mib']:.0f} |"
            )
        last, first = found[SIZES[-1]], found[SIZES[0]]
        growth = (last["plan"] / SIZES[-1]) / (first["plan"] / SIZES[0])
        if last["plan"] > MOST_SECONDS or last["report"] > MOST_SECONDS:
            missed.append(f"{ledger}: more than {MOST_SECONDS:.0f} s")
        if last["mib"] > MOST_MIB:
            missed.append(f"{ledger}: more than {MOST_MIB} MiB")
        if growth > MOST_GROWTH:
            missed.append(f"{ledger}: time for each window grows {growth:.2f} times")
    sys.stdout.write("\n".join([*rows, "", *(missed or ["all targets met"])]) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
