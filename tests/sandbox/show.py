"""What a person sees of a run: each state as it happens, then what landed."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from tests.sandbox.engine import Sandbox
    from tests.sandbox.execution import Execution, Outcome
    from tests.sandbox.run import Result

LOOK_SECONDS = 0.1
MANIFEST = ".manifest.json"


class ConsoleView:
    """Lines on a console, with a live last line where the console is a terminal."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self.console = console
        self.verbose = verbose
        self.began = time.monotonic()
        self._told: set[str] = set()
        self._counts: Counter[str] = Counter()

    def say(self, text: str) -> None:
        """Show one line with the time since the start."""
        self.console.print(Text(f"{time.monotonic() - self.began:7.1f} s  {text}"), soft_wrap=True)

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
                    self._tell(event)
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

    def _tell(self, event: dict[str, Any]) -> None:
        if "stateEnteredEventDetails" in event:
            self.say(f"→ {event['stateEnteredEventDetails']['name']}")
        elif "taskFailedEventDetails" in event:
            self.say(f"  {event['taskFailedEventDetails'].get('error')}")
        elif event["type"] == "TaskStateExited":
            told = sketch(event["stateExitedEventDetails"].get("output"))
            if told:
                self.say(f"  {told}")

    def _tell_children(self, sandbox: Sandbox, parent: Execution) -> None:
        self._counts.clear()
        for child in sandbox.executions():
            if child.arn == parent.arn:
                continue
            if child.arn in self._told:
                self._counts["done"] += 1
                continue
            described = child.describe()
            self._counts[described["status"].lower()] += 1
            if described["status"] != "RUNNING":
                self._told.add(child.arn)
                self.say(f"  {tell_child(described)}")

    def _tell_logs(self, sandbox: Sandbox) -> None:
        for call in sandbox.invocations():
            if call.request_id not in self._told:
                self._told.add(call.request_id)
                text = sandbox.logs(call.function)
                written = re.search(f"START RequestId: {call.request_id}.*?END [^\n]*\n", text, re.DOTALL)
                self.console.print(Text(f"[{call.function}] {written[0] if written else ''}".rstrip()))

    def _now(self, events: list[dict[str, Any]]) -> Text:
        entered = [
            one["stateEnteredEventDetails"]["name"] for one in events if "stateEnteredEventDetails" in one
        ]
        line = f"{time.monotonic() - self.began:7.1f} s  … {entered[-1] if entered else 'starting'}"
        counts = ", ".join(f"{count} {word}" for word, count in sorted(self._counts.items()))
        return Text(f"{line}  {counts}", style="bold")

    def conclude(self, result: Result) -> None:
        """Show what came of it: objects, entries, manifests, notifications, and what was not emulated."""
        manifests = [key for key in result.bodies if key.endswith(MANIFEST)]
        self._title("In the bucket")
        for one in result.objects:
            self.console.print(
                Text(f"  {one.key}  {one.size:,} bytes  sha256 {one.sha256[:16]}…"), soft_wrap=True
            )
        for key in manifests:
            manifest = json.loads(result.bodies[key])
            self._title(f"Entries of {key.removesuffix(MANIFEST)}")
            self.console.print(entries(manifest))
            if len(manifests) == 1:
                self._title("Its manifest")
                self._json(manifest)
        report = result.report()
        if report:
            for series in report["series"]:
                target = ", ".join(str(value) for value in series["target"].values())
                self._title(" ".join(filter(None, [series["source"], "of", series["connection"], target])))
                self.console.print(windows(series))
            jobs = report["jobs"]
            self._title(f"{jobs} job{'' if jobs == 1 else 's'} in all")
        for told in result.notifications:
            self._title("Notification" + (f": {told['subject']}" if told["subject"] else ""))
            self.console.print(Text(str(told["email"] or "").rstrip()), soft_wrap=True)
            self._json(told["message"])
        self._end(result)
        self._title("Not emulated here")
        for line in result.not_emulated:
            self.console.print(Text(f"  {line}", style="dim"), soft_wrap=True)

    def _end(self, result: Result) -> None:
        if result.rows:
            self._title("A query over the tables")
            self.console.print(Text(result.rows.rstrip()), soft_wrap=True)
        if not result.succeeded:
            self._title(f"FAILED: {result.outcome.error}")
            self.console.print(Text(str(result.outcome.cause or "")), soft_wrap=True)
        elif result.outcome.output is not None:
            self._title("Output")
            self._json(result.outcome.output)

    def _title(self, text: str) -> None:
        self.console.print(Text(f"\n{text}", style="bold"), soft_wrap=True)

    def _json(self, document: Any) -> None:
        self.console.print_json(json.dumps(document, ensure_ascii=False))


def entries(manifest: dict[str, Any]) -> Table:
    """Draw a manifest's entries with their row counts."""
    table = Table("entry", "bytes", "crc32", "records", show_edge=False)
    for entry in manifest.get("entries") or []:
        size, records = entry.get("size"), entry.get("records")
        table.add_row(
            str(entry.get("name")),
            "" if size is None else f"{size:,}",
            str(entry.get("crc32") or ""),
            "?" if records is None else f"{records:,}",
        )
    return table


def windows(series: dict[str, Any]) -> Table:
    """Draw a series of a report: each window, what was decided on it, and what became of it."""
    table = Table("from", "to", "decision", "outcome", "records", show_edge=False)
    for window in series["windows"]:
        records = window.get("records")
        table.add_row(
            window["start"].replace("+00:00", "Z"),
            window["end"].replace("+00:00", "Z"),
            window["decision"],
            window.get("error") or window["outcome"],
            "" if records is None else f"{records:,}",
        )
    return table


def tell_child(described: dict[str, Any]) -> str:
    """Say which export of a collection has ended, and how."""
    asked = json.loads(described["input"])
    window = asked.get("window") or {}
    words = [str(asked.get("source")), str(window.get("start", "")), sketch(described.get("output"))]
    return " ".join(filter(None, [*words, described.get("error")]))


def sketch(output: str | None) -> str:
    """Say in a few words what a step answered."""
    try:
        answer = json.loads(output or "null")
    except ValueError:
        return ""
    if not isinstance(answer, dict) or "state" not in answer:
        return ""
    words = [str(answer["state"])]
    waits = answer["state"] in {"RUNNING", "THROTTLED"}
    if waits and isinstance(answer.get("progress"), int | float):
        words.append(f"{answer['progress']:g} %")
    if answer.get("polls"):
        words.append(f"{answer['polls']} poll{'' if answer['polls'] == 1 else 's'}")
    if waits and answer.get("wait_seconds"):
        words.append(f"next look in {answer['wait_seconds']:g} s")
    if answer.get("key"):
        words.append(str(answer["key"]))
    return ", ".join(words)
