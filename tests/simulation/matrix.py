"""Every point with every fault, what must be true afterwards, and the table of it all."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.simulation.world import KEY, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FAULTS = ("fail", "lost", "throttle", "deny", "kill", "kill-after", "twice", "stop", "second", "midnight")
DOUBLING = {"lost", "kill", "kill-after", "twice"}
"""Faults after which a second job may have been asked for, or a landing announced a second time."""


def simulate(plan: Mapping[str, str], definition: Any = None) -> World:
    """Run one execution with its faults, then the next run without any; `wrong` says what was violated."""
    world = World(plan, definition) if definition else World(plan)
    with world:
        first = world.run("one")
        judge(world)
        world.plan = {}
        after = world.run("next")
    if after.status != "SUCCEEDED":
        world.wrong.append(f"2: the next run ended {after.status} {after.error}")
    if world.bucket.uploads:
        world.wrong.append("7: an open upload left behind")
    stopped = any(hit.endswith(":stop") for hit in world.hit)
    if len(plan) == 1 and not stopped and first.status != "SUCCEEDED" and not _denied(world):
        world.wrong.append(f"progress: one transient fault and the run ended {first.status} {first.error}")
    landed = Counter(each["version_id"] for each in world.messages if each["status"] == "LANDED")
    if len(landed) != 1:
        world.wrong.append(f"3: {len(landed)} versions announced")
    doubled = any(hit.rpartition(":")[2] in DOUBLING for hit in world.hit)
    unmarked = any(".fetch#" in hit and "update_item" in hit for hit in world.hit)
    # The vendor takes no key of ours: a job whose id could not be written down, or that a failed or stopped
    # run gave up, is asked for once more.
    again = any(".submit#" in hit or hit.rpartition(":")[2] in {"deny", "stop"} for hit in world.hit)
    if sum(landed.values()) > 1 and not (doubled or unmarked):
        world.wrong.append("3: announced twice although no answer was lost")
    if len(world.jobs) > (1 + len(plan) if doubled or again else 1):
        world.wrong.append(f"4: {len(world.jobs)} jobs")
    return world


def judge(world: World) -> None:
    """Check what must be true when an execution has ended."""
    world.look()
    failed = {each["execution"] for each in world.messages if each["status"] == "FAILED"}
    for arn, walk in world.executions.items():
        if walk.status == "RUNNING":
            world.wrong.append("1: an execution that never ended")
        if walk.status not in {"RUNNING", "SUCCEEDED"} and arn not in failed:
            world.wrong.append(f"1: ended {walk.status} without a notification")
        if walk.events > 20_000:
            world.wrong.append("9: too many history events")
    seen = json.dumps(
        [world.messages, list(world.table.items.values()), [w.cause for w in world.executions.values()]]
    )
    for form in (KEY, base64.b64encode(KEY.encode()).decode(), quote(KEY)):
        if form in seen or form in world.out.getvalue():
            world.wrong.append("5: a secret is readable")


def _denied(world: World) -> bool:
    return any(hit.endswith(":deny") for hit in world.hit)


def singles() -> Iterator[tuple[str, str]]:
    """Return every point of a run without faults, with every fault."""
    points = [point for point in simulate({}).trace if point.startswith("one.")]
    yield from ((point, fault) for point in points for fault in FAULTS)


def pairs(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Return faults in pairs: the second at a point that the run with the first one passes."""
    chance = random.Random(seed)
    every = list(singles())
    for _ in range(count):
        first, fault = chance.choice(every)
        second = chance.choice(
            [point for point in simulate({first: fault}).trace if point.startswith("one.")]
        )
        yield {first: fault, second: chance.choice(FAULTS)} if second != first else {first: fault}


def table(plans: list[dict[str, str]]) -> tuple[str, int]:
    """Run every plan; return the table, and the number of violations."""
    runs: dict[tuple[str, str], Counter[str]] = {}
    lines, wrong = [], 0
    for plan in plans:
        world = simulate(plan)
        point, fault = next(iter(plan.items()))
        counts = runs.setdefault((point.split(".")[1].split("#")[0], fault), Counter())
        status = next(iter(world.executions.values())).status
        counts.update(["runs", "landed" if status == "SUCCEEDED" else "failed"])
        if world.wrong:
            counts["wrong"] += 1
            wrong += 1
            named = ",".join(f"{at}:{what}" for at, what in plan.items())
            lines.append(
                f"{'; '.join(sorted(set(world.wrong)))}\n  python -m tests.simulation replay {named}"
            )
    lines.append(
        "| step | fault | runs | landed | failed and announced | violations |\n|---|---|---|---|---|---|"
    )
    for (step, fault), counts in sorted(runs.items()):
        told = " | ".join(str(counts[name]) for name in ("runs", "landed", "failed", "wrong"))
        lines.append(f"| {step} | {fault} | {told} |")
    return "\n".join(lines), wrong
