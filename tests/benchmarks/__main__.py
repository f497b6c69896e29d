"""All benchmarks, one after the other: `python -m tests.benchmarks`; exit 1 where a target is missed."""

from __future__ import annotations

import subprocess
import sys

EACH = ("fetch", "bench_polling", "bench_archive", "bench_plan", "bench_cold_start")

if __name__ == "__main__":
    missed = [
        name
        for name in EACH
        if subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode  # noqa: S603 - ours
    ]
    sys.exit(f"targets missed by {', '.join(missed)}" if missed else 0)
