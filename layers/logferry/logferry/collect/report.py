"""Report: what became of every window of a collection, from the ledger, and what to tell about it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from logferry import runtime
from logferry.collect import notice, store
from logferry.collect.collection import export_of
from logferry.errors import CollectionIncompleteError
from logferry.ledger.decision import Decision, decide, rows_of
from logferry.ledger.record import RecordState
from logferry.ledger.status import Outcome, outcome_of
from logferry.models.request import ExportRequest, Window
from logferry.telemetry import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from logferry.ledger.record import ExportRecord

SCHEMA = "logferry.collection-report/1"
HOUR = 3600


def report(event: Mapping[str, Any]) -> dict[str, Any]:
    """Report on the collection of `{plan, execution}`, or announce that it could not be planned (`failure`).

    Gives `{complete, summary}`, with `Error` and `Cause` for the Fail state where a window failed.
    Raises DeliveryError.
    """
    execution = event["execution"]
    if "failure" in event:
        return notice.announce_failure(event["failure"], execution)
    plan = event["plan"]
    written = write_report(plan, execution)
    summary, oldest = written.summary, written.oldest_missing
    since = (runtime.ledger().now() - oldest).total_seconds() if oldest else 0.0
    # The alarms on windows given up, and on windows missing for too long, read this line.
    log().info("collected", extra={**summary, "oldest_missing_hours": round(since / HOUR, 2)})
    notice.announce(summary, written.failed, execution)
    return {
        "complete": not summary["failed"],
        "summary": summary,
        "Error": CollectionIncompleteError.__name__,
        "Cause": json.dumps(summary),
    }


@dataclass(frozen=True)
class Written:
    """What a report comes to: `failed` are the first of the windows that failed.

    `oldest_missing` is when the oldest of all windows that have not landed ended.
    """

    summary: dict[str, Any]
    failed: list[dict[str, Any]]
    oldest_missing: datetime | None


def write_report(plan: Mapping[str, Any], execution: str) -> Written:
    """Write the report of a plan, from the state that `plan` gave."""
    with TemporaryFile() as file:
        lines = store.lines(plan["plan_key"], plan.get("plan_version"))
        written = _Report(lines, file).write(plan["report_key"], execution)
        store.put(plan["report_key"], file, "application/json")
    return written


class _Report:
    """A report in the making; it goes window by window to disk."""

    def __init__(self, lines: Iterator[dict[str, Any]], file: IO[bytes]) -> None:
        self._lines = lines
        self._file = file
        self._failed: list[dict[str, Any]] = []
        self._oldest_missing: datetime | None = None
        self._counts: Counter[str] = Counter()
        self._alive = cache(runtime.execution_runs)

    def write(self, report_key: str, execution: str) -> Written:
        """Write everything; the summary comes last, when it is known."""
        head = next(self._lines)
        self._asked = head["collection"]
        opening = json.dumps({"schema": SCHEMA, "execution": execution, "collection": self._asked})
        self._text(opening[:-1] + ', "series": [')
        series = [ExportRequest(**each) for each in head["series"]]
        written: set[int] = set()
        for place, lines in groupby(self._lines, key=lambda line: int(line["series"])):
            self._text(
                (",\n" if written else "\n") + json.dumps(head["series"][place])[:-1] + ', "windows": [\n'
            )
            self._series(series[place], lines)
            self._text("\n]}")
            written.add(place)
        counts = self._counts
        names = ("planned", "landed", "in_progress", "already_landed", "given_up", "failed", "suspect")
        summary = {
            **{name: counts[name] for name in names},
            "exports": 0 if self._asked["dry_run"] else counts["planned"],
            "until": self._asked["until"].replace("+00:00", "Z"),
            "report_key": report_key,
        }
        self._text(f'], "jobs": {counts["planned"]}, "summary": {json.dumps(summary)}}}\n')
        return Written(summary, self._failed, self._oldest_missing)

    def _text(self, text: str) -> None:
        self._file.write(text.encode())

    def _series(self, series: ExportRequest, lines: Iterable[Mapping[str, Any]]) -> None:
        noted = [(Window.from_json(line["window"]), Decision(line["decision"])) for line in lines]
        rows = rows_of(runtime.ledger(), series, [window for window, _ in noted])
        entries = (self._window(series, window, decision, rows.get(window.key)) for window, decision in noted)
        for place, entry in enumerate(entries):
            self._text((",\n" if place else "") + json.dumps(entry))

    def _window(
        self, series: ExportRequest, window: Window, decision: Decision, row: ExportRecord | None
    ) -> dict[str, Any]:
        export = export_of(series, window)
        outcome = self._outcome(decision, row, window)
        self._count(decision, outcome)
        if not outcome.there:
            self._oldest_missing = min(self._oldest_missing or window.end, window.end)
        entry = {
            "start": window.start.isoformat(),
            "end": window.end.isoformat(),
            "export_id": export.export_id,
            "decision": decision,
            "outcome": outcome,
            **_told(row),
        }
        if decision is Decision.EXPORT and outcome in {Outcome.FAILED, Outcome.GIVEN_UP}:
            entry |= _failure(row)
            if len(self._failed) < notice.NAMED:
                self._failed.append({**series.series, "window": window.to_json(), **entry})
        return entry

    def _outcome(self, decision: Decision, row: ExportRecord | None, window: Window) -> Outcome:
        """Return what became of a window; where it was to be exported, whatever is not there has failed."""
        outcome = outcome_of(row, window, self._asked["max_attempts"])
        if decision is not Decision.EXPORT or self._asked["dry_run"]:
            return outcome
        if row and row.notified and outcome.there:
            return outcome
        if outcome is Outcome.GIVEN_UP:
            return outcome
        now = decide(row, window, self._asked["max_attempts"], force=False, alive=self._alive)
        return Outcome.IN_PROGRESS if now is Decision.IN_PROGRESS else Outcome.FAILED

    def _count(self, decision: Decision, outcome: Outcome) -> None:
        self._counts["suspect"] += outcome is Outcome.SUSPECT
        if decision is not Decision.EXPORT:
            self._counts[_NAMES[decision]] += 1
            return
        self._counts["planned"] += 1
        if self._asked["dry_run"]:
            return
        if outcome.there:
            self._counts["landed"] += 1
        else:
            self._counts["in_progress" if outcome is Outcome.IN_PROGRESS else "failed"] += 1


def _failure(row: ExportRecord | None) -> dict[str, Any]:
    """Return why a window that was to be exported is not there."""
    if row is None:
        return {
            "error": "NotStarted",
            "cause": "no execution of this window got as far as the ledger; look at its history",
        }
    if row.state is RecordState.FAILED:
        return {name: row.item.get(name) for name in ("error", "cause")}
    if row.notified:
        return {
            "error": str(row.item.get("error", "NotRefreshed")),
            "cause": "what landed was asked for before the window was over, and it was not exported again",
        }
    if row.landed:
        return {
            "error": "NotAnnounced",
            "cause": "it landed and could not be announced; the next collection only announces it",
        }
    return {
        "error": "ExecutionEnded",
        "cause": "its execution ended before the export; the next collection goes on from there",
    }


_NAMES = {
    Decision.LANDED: "already_landed",
    Decision.IN_PROGRESS: "in_progress",
    Decision.GIVEN_UP: "given_up",
}


def _told(row: ExportRecord | None) -> dict[str, Any]:
    """Return what a row says of its window, as far as it says it."""
    if row is None:
        return {}
    told = {"attempts": row.attempt, "execution": row.owner}
    names = ("key", "records", "suspect") if row.landed else ("failures", "error", "cause")
    return {**told, **{name: row.item[name] for name in names if name in row.item}}
