"""Polling policies side by side, on simulated jobs: `python -m tests.benchmarks.bench_polling`.

5,000 jobs of 5 s to 6 h, median 52 s, whose progress is linear, stalling, jumpy, silent or absent. Each
policy sees exactly the same jobs; nothing sleeps. The seeds are fixed, so the table is the same anywhere.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from logferry.export.polling import wait_seconds

JOBS = 5_000
SHORTEST, LONGEST = 5.0, 21_600.0
BODY_MEDIAN, TAIL_SHARE, TAIL_FROM = 48.0, 0.075, 600.0
"""Most jobs are log-normal (sigma 1), 7.5 % spread evenly on the logarithm from 10 min to 6 h: the median of
all is 52 s and the fixed intervals need as many polls as performance measurements of such a mix found."""
SHAPES = ("linear", "stalling", "jumpy", "silent", "absent")
OVERHEAD_SECONDS = 0.25
"""What a poll itself takes: the task's start, the function and the vendor's answer."""
POLL_DOLLARS = 3 * 25e-6 + 0.2e-6 + 0.25 * 0.25 * 13.3334e-6
"""Three state transitions at $25 a million; one arm64 call of 250 ms at 256 MB (us-east-1, November 2026)."""
PAST_QUOTA = 2_777
"""Polls after which 9 events each are more than the 25,000 that Step Functions allows an execution."""

Policy = Callable[[float, float | None, float | None, float | None, int], float]


@dataclass(frozen=True)
class SimulatedJob:
    """A job that takes `seconds` and shows its progress in one of `SHAPES`."""

    seconds: float
    shape: str
    plateau: float

    def progress(self, age: float) -> float | None:
        """Give what the vendor shows when the job is `age` seconds old and not done: percent, or None."""
        share = min(1.0, age / self.seconds)
        match self.shape:
            case "linear":
                return 100 * share
            case "stalling":  # up to its plateau in a third of the time, then nothing until the end
                return min(self.plateau, 3 * share * self.plateau)
            case "jumpy":  # in steps of 20, and every fourth reading is lower than the one before
                return max(0.0, 20 * math.floor(5 * share) - (10 if int(age) % 4 == 3 else 0))
            case "silent":
                return 0.0
            case _:
                return None


def mix(seed: int = 1, count: int = JOBS) -> list[SimulatedJob]:
    """Give the jobs of the mix."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    jobs = []
    for index in range(count):
        if chance.random() < TAIL_SHARE:
            seconds = math.exp(chance.uniform(math.log(TAIL_FROM), math.log(LONGEST)))
        else:
            seconds = chance.lognormvariate(math.log(BODY_MEDIAN), 1.0)
        seconds = min(LONGEST, max(SHORTEST, seconds))
        jobs.append(SimulatedJob(seconds, SHAPES[index % len(SHAPES)], chance.uniform(60, 99)))
    return jobs


@dataclass(frozen=True)
class Outcome:
    """One job under one policy: its polls, and how long it lay finished before anyone knew."""

    job: SimulatedJob
    polls: int
    delay: float


def run(job: SimulatedJob, policy: Policy) -> Outcome:
    """Poll a job as the state machine does, until a poll finds it done."""
    age, polls = 0.0, 0
    progress = last = last_age = None
    while True:
        wait = policy(age, progress, last, last_age, polls)
        last, last_age = progress, age if polls else None
        age += wait + OVERHEAD_SECONDS
        polls += 1
        if age >= job.seconds:
            return Outcome(job, polls, age - job.seconds)
        progress = job.progress(age)


def _exponential(age: float, _now: float | None, _last: float | None, _then: float | None, n: int) -> float:
    jitter = random.Random(age).uniform(0, 1.5)  # noqa: S311 - the same job always sees the same jitter
    return 0.0 if n == 0 else 2**n * jitter


def _raw_eta(age: float, now: float | None, _last: float | None, _then: float | None, _n: int) -> float:
    if not now:
        return 5.0
    return max(1.0, age * (100 - now) / now)


def bounded(share: float, low: float = 0.02) -> Policy:
    """Give the bounded ETA in fractions of seconds with another share, to compare with."""

    def policy(age: float, now: float | None, last: float | None, then: float | None, n: int) -> float:
        if n == 0:
            return 5.0
        latest = max(2.0, share * age)
        if now is None or not now > (last or 0.0):
            return min(300.0, latest)
        eta = (100 - now) / (now - (last or 0.0)) * (age - (then or 0.0))
        return min(300.0, max(2.0, low * age, min(eta, latest)))

    return policy


def ours(age: float, now: float | None, last: float | None, then: float | None, _n: int) -> float:
    """Poll as Logferry does."""
    return wait_seconds(age, now, last, then)


POLICIES: dict[str, Policy] = {
    "fixed 30 s": lambda *_: 30.0,
    "fixed 5 s (Airbyte's)": lambda *_: 5.0,
    "vendor SDK's 2ⁿ, no limit": _exponential,
    "raw ETA from progress": _raw_eta,
    "bounded ETA, fractions": bounded(0.09),
    "bounded ETA with 19 %": bounded(0.19),
    "Logferry": ours,
}


@dataclass(frozen=True)
class ExportRecord:
    """One line of the table: polls, dollars per 1,000 exports, delays as a share of the job's time."""

    policy: str
    mean_polls: float
    max_polls: int
    dollars: float
    delay_p50: float
    delay_p95: float
    worst: float

    @property
    def axes(self) -> tuple[float, ...]:
        """Everything that should be small."""
        return (self.mean_polls, self.max_polls, self.dollars, self.delay_p50, self.delay_p95, self.worst)


def measure(name: str, policy: Policy, jobs: Sequence[SimulatedJob]) -> ExportRecord:
    """Run all jobs under one policy."""
    outcomes = [run(job, policy) for job in jobs]
    shares = quantiles([outcome.delay / outcome.job.seconds for outcome in outcomes], n=20)
    polls = [outcome.polls for outcome in outcomes]
    worst = max(outcome.delay / outcome.job.seconds for outcome in outcomes if outcome.job.seconds > 150)
    dollars = 1_000 * fmean(polls) * POLL_DOLLARS
    return ExportRecord(name, fmean(polls), max(polls), dollars, shares[9], shares[18], worst)


def say(text: str) -> None:
    """Write a line for the person who measures."""
    sys.stdout.write(text + "\n")


def table(rows: Sequence[ExportRecord]) -> str:
    """Write the rows as Markdown."""
    lines = [
        "| policy | polls mean / max | $ per 1,000 exports | delay ÷ job time p50 / p95 | worst over 150 s |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        beyond = " (past the quota)" if row.max_polls > PAST_QUOTA else ""
        lines.append(
            f"| {row.policy} | {row.mean_polls:.1f} / {row.max_polls:,}{beyond} | {row.dollars:.2f}"
            f" | {row.delay_p50:.1%} / {row.delay_p95:.0%} | {row.worst:,.1%} |"
        )
    return "\n".join(lines)


def shortcomings(rows: Sequence[ExportRecord], jobs: Sequence[SimulatedJob]) -> list[str]:
    """Give the targets that the last row misses; none when all is well."""
    mine = rows[-1]
    late = max(o.delay / o.job.seconds for job in jobs if job.seconds > 60 for o in [run(job, ours)])
    longest = max(run(SimulatedJob(LONGEST, shape, 80), ours).polls for shape in SHAPES)
    missed = []
    if late > 0.10:
        missed.append(f"delay {late:.1%} of the job's time, target 10 % over 60 s")
    if longest > 130:
        missed.append(f"{longest} polls for 6 h, target 130")
    if mine.dollars > 1.80:
        missed.append(f"${mine.dollars:.2f} per 1,000 exports, target $1.80")
    for row in rows[:-1]:
        pairs = list(zip(mine.axes, row.axes, strict=True))
        if not any(a < b for a, b in pairs) or all(a > b for a, b in pairs):
            missed.append(f"not better than {row.policy} on any axis")
    say(f"\nover 60 s: worst delay {late:.1%}; 6 h: at most {longest} polls")
    return missed


def main() -> int:
    """Print the table; exit 1 when a target is missed."""
    jobs = mix()
    times = [job.seconds for job in jobs]
    say(f"{len(jobs):,} jobs, {min(times):.0f} s to {max(times):,.0f} s, median {median(times):.0f} s\n")
    rows = [measure(name, policy, jobs) for name, policy in POLICIES.items()]
    say(table(rows))
    missed = shortcomings(rows, jobs)
    say("\n".join(missed) or "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
