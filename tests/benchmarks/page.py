"""The results as a page: tables, what follows from them, and a picture that needs nothing but itself."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import boto3

from tests.benchmarks.picture import Bar, picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.ways import Cost

GIBIBYTE: Final = 1 << 30
LIMIT: Final = "limit: download + upload + hash"
PARTS_OF_LIMIT: Final = ("download only", "upload only", "hash only")
OURS: Final = "Logferry"
FUNCTION_SECONDS: Final = 900
TARGETS: Final = {
    LIMIT: 1 / 1.25,
    "upload_fileobj, defaults": 1.25,
    "smart_open": 1.35,
    "vendor's SDK + put_object": 2.5,
    "requests.content + put_object": 2.5,
}
"""What the CPU of a way, divided by ours, should be at least, for the stored ZIP into the discard sink."""
PICTURE: Final = "fetch.svg"
BEGIN, END = "<!-- fetch: written by `python -m tests.benchmarks.fetch` -->", "<!-- /fetch -->"


@dataclass(frozen=True)
class Result:
    """What a way took for a file, in every round; `into` is the kind of S3."""

    file: str
    size: int
    into: str
    way: str
    costs: Sequence[Cost]

    @property
    def cpu(self) -> float:
        return median(cost.cpu for cost in self.costs)

    @property
    def wall(self) -> float:
        return median(cost.wall for cost in self.costs)

    @property
    def peak(self) -> float:
        return max(cost.peak for cost in self.costs)

    @property
    def above_idle(self) -> float:
        return max(cost.peak - cost.idle for cost in self.costs)


def write(results: Sequence[Result], folder: Path | None) -> str:
    """Give the section on fetching; put it into the folder's README.md, and its picture beside that."""
    text = section(results)
    if folder:
        page = folder / "README.md"
        before, _, rest = page.read_text().partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
        (folder / PICTURE).write_text(drawing(results))
    return text


def section(results: Sequence[Result]) -> str:
    """Write everything that the results say."""
    races = list(dict.fromkeys((each.file, each.into) for each in results if each.into != "capped"))
    parts = [table([each for each in results if (each.file, each.into) == race]) for race in races]
    return "\n".join([surroundings(results), *parts, verdict(results), proof(results)])


def surroundings(results: Sequence[Result]) -> str:
    """Say where and how it was measured."""
    absent = (
        []
        if any("aws s3 cp" in each.way for each in results)
        else ["`curl | aws s3 cp` (no aws on the PATH)"]
    )
    rounds = ", ".join(
        dict.fromkeys(f"{len(each.costs)} of {each.file}" for each in results if each.into != "capped")
    )
    return (
        f"{os.cpu_count()} {platform.machine()} processors, CPython {platform.python_version()}, "
        f"boto3 {boto3.__version__}, "
        f"{ssl.OPENSSL_VERSION}. Medians of interleaved rounds ({rounds}); peaks are the highest of them. "
        + (f"Not run here: {', '.join(absent)}. " if absent else "")
        + f"System: {sys.platform}.\n\n![CPU and memory of each way]({PICTURE})\n"
    )


def limit_of(race: Sequence[Result]) -> float | None:
    """Give the CPU of the limit; None where curl was not there to measure it."""
    found = [each.cpu for each in race if each.way in PARTS_OF_LIMIT]
    return sum(found) if len(found) == len(PARTS_OF_LIMIT) else None


def table(race: Sequence[Result]) -> str:
    """Write what every way took for one file; without a limit, without that column."""
    first, limit = race[0], limit_of(race)
    rows = [["way", "CPU", "CPU ÷ limit", "wall", "peak memory", "above idle"], ["---", *["--:"] * 5]]
    if limit:
        rows.append([f"**{LIMIT}**", f"**{seconds(limit)}**", "**1.00**", "", "", ""])
    for each in sorted(race, key=lambda each: each.cpu if each.way not in PARTS_OF_LIMIT else 0):
        part = each.way in PARTS_OF_LIMIT
        name = f"· {each.way}" if part else f"**{each.way}**" if each.way == OURS else each.way
        memory = ["", ""] if part else [f"{each.peak:,.0f} MiB", f"{each.above_idle:,.0f} MiB"]
        ratio = f"{each.cpu / limit:.2f}" if limit else ""
        rows.append([name, seconds(each.cpu), ratio, seconds(each.wall), *memory])
    if not limit:
        rows = [[*row[:2], *row[3:]] for row in rows]
    into = "S3 that keeps nothing" if first.into == "discard" else first.into
    return "\n".join([f"### {first.file} into {into}\n", *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def seconds(value: float) -> str:
    """Write a time so that three digits say something."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def verdict(results: Sequence[Result]) -> str:
    """Say which targets were met, and how much 900 s carry."""
    race = biggest(results)
    ours = next(each for each in race if each.way == OURS)
    cpus = {each.way: each.cpu for each in race} | {LIMIT: limit_of(race) or 0}
    lines = ["### Targets\n", f"CPU, {ours.file}, into an S3 that keeps nothing:\n"]
    lines += [target_line(way, target, cpus, ours.cpu) for way, target in TARGETS.items() if cpus.get(way)]
    speed = ours.size / ours.wall
    lines.append(
        f"\nAt the {speed / (1 << 20):,.0f} MiB/s of that run, both ends on the same processors, the "
        f"{FUNCTION_SECONDS} s of a function carry {speed * FUNCTION_SECONDS / GIBIBYTE:,.0f} GiB.\n"
    )
    return "\n".join(lines)


def target_line(way: str, target: float, cpus: dict[str, float], ours: float) -> str:
    """Say whether a target was met, and where nobody could have met it."""
    ratio, limit = cpus[way] / ours, cpus[LIMIT]
    if way == LIMIT:
        said = f"{1 / ratio:.2f} times the {way} (at most {1 / target:.2f})"
    else:
        said = f"{ratio:.2f} times less than {way} (at least {target:.2f})"
    if ratio >= target:
        return f"- {said}: met"
    if limit and way != LIMIT and cpus[way] / limit < target:
        return f"- {said}: out of reach here, where the limit itself is {cpus[way] / limit:.2f} times less"
    return f"- {said}: **missed**"


def proof(results: Sequence[Result]) -> str:
    """Say that memory does not depend on the size."""
    capped = [each for each in results if each.into == "capped"]
    if not capped:
        return ""
    said = "; ".join(f"{each.file}: {each.above_idle:.0f} MiB, {seconds(each.wall)}" for each in capped)
    return (
        "### Memory\n\nThe same fetch, verification included, with the kernel refusing the process more than "
        f"64 MiB of private memory above what it had when idle (`RLIMIT_DATA`). Peak above idle: {said}.\n"
    )


def biggest(results: Sequence[Result]) -> list[Result]:
    """Give the race of the largest file into the sink that keeps nothing."""
    kept = [each for each in results if each.into == "discard"]
    size = max(each.size for each in kept)
    return [each for each in kept if each.size == size]


def drawing(results: Sequence[Result]) -> str:
    """Draw the race of the largest file."""
    race, limit = biggest(results), limit_of(biggest(results))
    ways = sorted((each for each in race if each.way not in PARTS_OF_LIMIT), key=lambda each: each.cpu)
    scale = GIBIBYTE / ways[0].size
    cpu = [Bar(each.way, each.cpu * scale, f"{each.cpu * scale:.2f}", each.way == OURS) for each in ways]
    peak = [Bar(each.way, each.peak, f"{each.peak:,.0f}", each.way == OURS) for each in ways]
    mark = limit * scale if limit else None
    return picture(
        f"{ways[0].file}: HTTPS to S3", [("CPU seconds per GiB", cpu, mark), ("peak memory, MiB", peak, None)]
    )
