"""Plan: the windows of a collection less what has landed, written to the bucket for the Distributed Maps."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Self

from logferry import runtime
from logferry.collect import store
from logferry.collect.collection import export_of, input_of
from logferry.collect.input import read_collection
from logferry.collect.report import write_report
from logferry.ledger.decision import Decision, decide, rows_of
from logferry.models.request import iso_instant
from logferry.telemetry import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.collect.collection import Collection
    from logferry.models.request import ExportRequest, Window

RUN_DIGITS = 8
"""Hex digits that tell this collection's second names from another's; a name has at most 80 characters."""


def plan(event: Mapping[str, Any]) -> dict[str, Any]:
    """Plan the collection of `{request, execution}`; give what the state machine runs on.

    `connections` has one entry a connection with windows to export, each with the key of the list that its
    Distributed Map reads, and its version. The state stays small whatever the number of windows: all lists
    are in the bucket. Raises InvalidRequestError, DeliveryError.
    """
    ledger = runtime.ledger()
    execution = event["execution"]
    now = ledger.now()
    collection = read_collection(event["request"], now)
    folder = store.folder_of(execution)
    with _Plan(collection) as made:
        counts = made.make()
        state = {
            "execution": execution,
            "plan_key": f"{folder}/plan.jsonl",
            "report_key": f"{folder}/report.json",
            "now": iso_instant(now),
            "until": iso_instant(collection.until),
            "dry_run": collection.dry_run,
            "connections": [],
        }
        state["plan_version"] = store.put(state["plan_key"], made.draft, "application/jsonl")
        log().info("planned", extra={"windows": {str(kind): counts[kind] for kind in Decision}})
        if collection.dry_run:
            written = write_report(state, execution)
            return {**state, "summary": written.summary}
        for place, (connection, file) in enumerate(sorted(made.lists.items())):
            items_key = f"{folder}/{place:03}-{connection}.json"
            file.write(b"\n]\n")
            version = store.put(items_key, file, "application/json")
            state["connections"].append(
                {
                    "connection": connection,
                    "items_key": items_key,
                    "items_version": version,
                    "max_concurrency": collection.max_concurrency,
                    "run": sha256(execution.encode()).hexdigest()[:RUN_DIGITS],
                }
            )
        return state


class _Plan:
    """A plan in the making: a draft of the report, and a list of exports for each connection, all on disk."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.lists: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()
        self._alive = cache(runtime.execution_runs)

    def __enter__(self) -> Self:
        self.draft: IO[bytes] = self._stack.enter_context(TemporaryFile())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def make(self) -> Counter[Decision]:
        """Decide on every window of every series."""
        collection = self.collection
        series = [request.series for request in collection.series]
        self._note({"collection": collection.describe(), "series": series})
        counts: Counter[Decision] = Counter()
        for place, request in enumerate(collection.series):
            windows = collection.windows_of(request)
            rows = rows_of(runtime.ledger(), request, windows)
            for window in windows:
                row = rows.get(window.key)
                decision = decide(
                    row, window, collection.max_attempts, force=collection.force, alive=self._alive
                )
                counts[decision] += 1
                self._note({"series": place, "window": _times(window), "decision": decision})
                if decision is Decision.EXPORT:
                    early = row is not None and row.early(window)
                    export = replace(export_of(request, window), refresh=early)
                    self._export(export, (row.attempt if row else 0) + 1)
        return counts

    def _note(self, line: Mapping[str, Any]) -> None:
        self.draft.write(json.dumps(line).encode() + b"\n")

    def _export(self, request: ExportRequest, attempt: int) -> None:
        file = self.lists.get(request.connection)
        if file is None:
            file = self._stack.enter_context(TemporaryFile())  # noqa: SIM115 - the stack closes it
            self.lists[request.connection] = file
        # The name says export and attempt, so that two collections at once start one execution.
        item = {"name": f"{request.export_id}-{attempt}", "input": input_of(request)}
        file.write((b",\n" if file.tell() else b"[\n") + json.dumps(item).encode())


def _times(window: Window) -> dict[str, str]:
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}
