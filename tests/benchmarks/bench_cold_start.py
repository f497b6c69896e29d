"""What a cold start costs: each function's imports and AWS clients, beside a bare boto3 with an S3 client.

A process each, interleaved; the interpreter's own start is taken off. Medians, in milliseconds. Imports alone
are what Lambda does before the first event; the clients are made when that is worked on.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS = 15
CLIENTS = "; ".join(f"runtime.client({name!r})" for name in ("dynamodb", "secretsmanager"))
FUNCTION = f"import app; from logferry import runtime; {CLIENTS}"
WAYS = {
    "interpreter": ("", "pass"),
    "boto3 and an S3 client": ("", "import boto3; boto3.client('s3')"),
    "status": ("status", FUNCTION),
    "fetch": ("fetch", f"{FUNCTION}; runtime.client('sns'); runtime.s3()"),
    "submit": ("submit", FUNCTION),
    "plan": ("plan", "import app; from logferry import runtime; runtime.client('dynamodb'); runtime.s3()"),
}
WAYS |= {f"{name}, imports alone": (name, "import app") for name in ("status", "fetch", "submit", "plan")}
TARGETS = {"status": 1.25, "fetch": 1.25, "submit": 1.6, "plan": 1.6}
"""Times the bare boto3 with an S3 client."""


def seconds(function: str, code: str) -> float:
    """Time one process from its start to its end."""
    paths = [ROOT / "layers/logferry", *([ROOT / "functions" / function] if function else [])]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)  # noqa: S603 - our own code
    return time.perf_counter() - begin


def main() -> int:
    """Measure and print the table; 1 where a target is missed."""
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            taken[name].append(seconds(*way))
    start = statistics.median(taken.pop("interpreter"))
    net = {name: 1000 * (statistics.median(times) - start) for name, times in taken.items()}
    bare = net["boto3 and an S3 client"]
    missed = 0
    print("| cold start of | ms | times the bare client | target |\n| --- | --: | --: | --: |")  # noqa: T201
    for name, milliseconds in net.items():
        ratio, target = milliseconds / bare, TARGETS.get(name)
        verdict = "" if target is None else f"{target:g}" + (": **missed**" if ratio > target else "")
        missed += "missed" in verdict
        print(f"| {name} | {milliseconds:.0f} | {ratio:.2f} | {verdict} |")  # noqa: T201
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
