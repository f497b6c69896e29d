"""What a person sees of a run while it goes on: each state as it happens, errors with what comes next."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.text import Text

from tests.sandbox.retries import Retries

if TYPE_CHECKING:
    from rich.console import Console

    from tests.sandbox.engine import Sandbox
    from tests.sandbox.execution import Execution, Outcome

LOOK_SECONDS = 0.1
MIDNIGHT = re.compile(r"T00:00(?::00)?(?:Z|[+-]\d\d:\d\d)$")


class ConsoleView:
    """Lines on a console, with a live last line where the console is a terminal."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self.console = console
        self.verbose = verbose
        self.began = time.monotonic()
        self._told: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._total = 0
        self._children_since = 0.0
        self._retries: dict[str, Retries] = {}

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self.began

    def say(self, text: str) -> None:
        """Show one line with the time since the start."""
        self.line(f"{self.seconds:7.1f} s  {text}")

    def line(self, text: str = "", style: str = "") -> None:
        """Show one line, never wrapped or cut by us."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def follow(self, sandbox: Sandbox, execution: Execution) -> Outcome:
        """Show an execution until it ends."""
        self.say(f"started {execution.arn.rpartition(':')[2]}")
        seen = 0
        with Live(console=self.console, transient=True, refresh_per_second=8) as live:
            running = True
            while running:
                running = execution.status == "RUNNING"
                events = execution.history()
                for event in events[seen:]:
                    self._tell(sandbox, execution, event)
                seen = len(events)
                self._tell_children(sandbox, execution)
                if self.verbose:
                    self._tell_logs(sandbox)
                live.update(self._now(events))
                if running:
                    time.sleep(LOOK_SECONDS)
        outcome = execution.wait()
        self.say(f"execution {outcome.status}" + (f": {outcome.error}" if outcome.error else ""))
        return outcome

    def _tell(self, sandbox: Sandbox, execution: Execution, event: dict[str, Any]) -> None:
        retries = self._retries.setdefault(execution.arn, Retries.of(execution))
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
            retries.enter(name)
            self.say(f"→ {name}")
        elif "taskFailedEventDetails" in event:
            failed = event["taskFailedEventDetails"]
            self.say(f"  {retries.tell(str(failed.get('error')), words_of(failed.get('cause')))}")
        elif event["type"] == "TaskStateExited":
            output = event["stateExitedEventDetails"].get("output")
            self._total = planned(sandbox, output) or self._total
            told = sketch(output)
            if told:
                self.say(f"  {told}")

    def _tell_children(self, sandbox: Sandbox, parent: Execution) -> None:
        self._counts.clear()
        for child in sandbox.executions():
            if child.arn == parent.arn:
                continue
            self._children_since = self._children_since or time.monotonic()
            if child.arn in self._told:
                self._counts["done"] += 1
                continue
            described = child.describe()
            self._counts[described["status"].lower()] += 1
            if described["status"] != "RUNNING":
                self._told.add(child.arn)
                done = sum(one.startswith(child.arn.rpartition(":")[0]) for one in self._told)
                self.say(f"  {done}/{max(self._total, done)} {tell_child(described)}")

    def _tell_logs(self, sandbox: Sandbox) -> None:
        for call in sandbox.invocations():
            if call.request_id not in self._told:
                self._told.add(call.request_id)
                text = sandbox.logs(call.function)
                written = re.search(f"START RequestId: {call.request_id}.*?END [^\n]*\n", text, re.DOTALL)
                for line in (written[0] if written else "").splitlines():
                    self.line(f"[{call.function}] {line}")  # each line by itself, so that grep finds it

    def _now(self, events: list[dict[str, Any]]) -> Text:
        entered = [
            one["stateEnteredEventDetails"]["name"] for one in events if "stateEnteredEventDetails" in one
        ]
        line = f"{self.seconds:7.1f} s  … {entered[-1] if entered else 'starting'}"
        if self._counts:
            running = self._counts["running"]
            done = sum(self._counts.values()) - running
            line += f"  {done} of {max(self._total, done + running)}, {running} running{self._left(done)}"
        return Text(line, style="bold")

    def _left(self, done: int) -> str:
        if not done or done >= self._total:
            return ""
        each = (time.monotonic() - self._children_since) / done
        return f", about {each * (self._total - done):.0f} s left"


def planned(sandbox: Sandbox, output: str | None) -> int:
    """Return how many exports a plan that was just made will start, or 0 for any other step's output."""
    lists = parsed(output).get("connections")
    if not isinstance(lists, list):
        return 0
    return sum(len(json.loads(sandbox.read(one["items_key"]))) for one in lists if "items_key" in one)


def words_of(cause: str | None) -> str:
    """Return the words of an error: Lambda wraps them in JSON."""
    return str(parsed(cause).get("errorMessage") or cause or "no words")


def parsed(text: str | None) -> dict[str, Any]:
    """Return a JSON object, or an empty one for everything else."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def about(request: dict[str, Any]) -> str:
    """Return in a few words what an export is: `Motor/Quote 2026-11-04`."""
    target = request.get("target") or {}
    names = [str(target[key]) for key in ("folder", "service", "call_id") if target.get(key)]
    start = str((request.get("window") or {}).get("start", ""))
    return " ".join(filter(None, ["/".join(names) or str(request.get("source")), MIDNIGHT.sub("", start)]))


def tell_child(described: dict[str, Any]) -> str:
    """Return which export of a collection has ended, and how."""
    output = parsed(described.get("output"))
    records = output.get("records")
    told = [about(parsed(described["input"]))]
    if described.get("error"):
        told.append(str(described["error"]))
    elif output.get("state") == "LANDED":
        told.append("records unknown" if records is None else f"{records:,} records")
    else:
        told.append(str(output.get("state") or described["status"]))
    return " ".join(told)


def sketch(output: str | None) -> str:
    """Return in a few words what a step answered."""
    answer = parsed(output)
    if "state" not in answer:
        return ""
    words = [str(answer["state"])]
    waits = answer["state"] in {"RUNNING", "THROTTLED"}
    if waits and isinstance(answer.get("progress"), int | float):
        words.append(f"{answer['progress']:g} %")
    if answer.get("polls"):
        words.append(f"{answer['polls']} poll{'' if answer['polls'] == 1 else 's'}")
    if waits and answer.get("wait_seconds"):
        words.append(f"next look in {answer['wait_seconds']:g} s")
    if isinstance(answer.get("size"), int):
        words.append(f"{answer['size']:,} bytes")
    if answer.get("key"):
        words.append(str(answer["key"]))
    return ", ".join(words)
