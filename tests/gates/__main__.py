"""Runs every check and every test, says how each ended, and ends with one clear line.

`make test` is `python -m tests.gates`; `make lint` is `python -m tests.gates static`, all but the tests.
The checks run side by side, one a core; the tests come after them and have every core to themselves.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.gates.deployment import REGION, ROOT

BIN = Path(sys.executable).parent
WORKERS = 2
"""Test processes: each may hold an embedded AWS and a few function processes, so more want more memory."""


@dataclass(frozen=True)
class Gate:
    """A check: its name and the command that fails when it finds something."""

    name: str
    command: list[str]


@dataclass(frozen=True)
class Outcome:
    """How a gate ended: its exit status, what it printed, and seconds."""

    gate: Gate
    status: int
    output: str
    seconds: float


def static_gates(scratch: Path) -> list[Gate]:
    """List the checks, the slow ones first; `scratch` is a folder that they may fill."""
    python = [sys.executable, "-m"]
    return [
        Gate("types (mypy)", [*python, "mypy"]),
        Gate("build (sam build)", [*python, "tests.gates.build", str(scratch)]),
        Gate("policies (checkov)", [*python, "tests.gates.policies"]),
        Gate("template (sam validate)", [str(BIN.parent / "sam/bin/sam"), "validate", "--lint"]),
        Gate("deployment (cfn-lint, statelint, ours)", [*python, "tests.gates.findings"]),
        Gate(
            "code (bandit)",
            [str(BIN.parent / "checkov/bin/bandit"), "-q", "-r", "layers/logferry/logferry", "functions"],
        ),
        Gate("code (ruff)", [str(BIN / "ruff"), "check", "."]),
        Gate("format (ruff)", [str(BIN / "ruff"), "format", "--check", "."]),
    ]


def tests() -> Gate:
    """Give the gate of the tests: unit, integration, end to end."""
    return Gate("tests (pytest)", [sys.executable, "-m", "pytest", "-n", str(WORKERS)])


def run(gate: Gate) -> Outcome:
    """Run one gate without the developer's own AWS settings."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))
    }
    environment |= {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        # The interpreter's own folder first: SAM takes `python3` and its pip from PATH.
        "PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)]),
    }
    started = time.monotonic()
    done = subprocess.run(
        gate.command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Outcome(gate, done.returncode, done.stdout.strip(), time.monotonic() - started)


def tell(outcome: Outcome) -> None:
    """Print one line for what passed, everything for what did not."""
    last = outcome.output.splitlines()[-1].strip(" =") if outcome.output else ""
    if outcome.status == 0:
        print(f"  ok      {outcome.gate.name:40} {outcome.seconds:5.1f} s  {last[:90]}", flush=True)
    else:
        print(f"  FAILED  {outcome.gate.name:40} {outcome.seconds:5.1f} s", flush=True)
        print("\n".join(f"          {line}" for line in outcome.output.splitlines()), flush=True)


def main() -> int:
    """Run what was asked for; 0 only if everything passed."""
    parser = argparse.ArgumentParser(prog="tests.gates", description=__doc__)
    parser.add_argument("which", nargs="?", choices=["all", "static"], default="all")
    wanted = parser.parse_args().which
    started = time.monotonic()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="logferry-gates-") as scratch:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            for done in as_completed([pool.submit(run, gate) for gate in static_gates(Path(scratch))]):
                outcomes.append(done.result())
                tell(outcomes[-1])
        if wanted == "all":
            outcomes.append(run(tests()))
            tell(outcomes[-1])
    took = time.monotonic() - started
    failed = [outcome.gate.name for outcome in outcomes if outcome.status != 0]
    if failed:
        print(f"\nFAILED after {took:.0f} s: {', '.join(failed)}")
        return 1
    print(f"\nEverything passed: {len(outcomes)} gates in {took:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
