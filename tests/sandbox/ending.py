"""What a person reads when a run is over: at most 20 lines, or everything with `--details`."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from tests.sandbox.show import about
from tests.sandbox.tables import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.sandbox.run import Kept, Result
    from tests.sandbox.show import ConsoleView

MANIFEST = ".manifest.json"
MOST_ROWS = 3
"""Rows of the query that are shown, and failed windows that are named."""
PAGE = "tests/README.md"
COMMAND = ".venv/bin/python -m tests.sandbox"


def conclude(view: ConsoleView, wanted: Any, result: Result, kept: Kept, *, details: bool) -> None:
    """Show what came of a run."""
    if details:
        for line in everything(result):
            view.line(line)
    view.line()
    for line in summary(wanted, result, kept, view.seconds):
        view.line(line)


def summary(wanted: Any, result: Result, kept: Kept, seconds: float) -> Iterator[str]:
    """Tell what landed, where it is, one query over it, and the next command."""
    output = result.outcome.output
    report = result.report()
    if not result.succeeded:
        yield from _failed(result, report, kept)
    elif report:
        yield from _collected(output or {}, report)
    else:
        yield f"{_became(result)}  {about(wanted)}"
        yield _entry("records", _number((output or {}).get("records"), "records cannot be counted"))
    landed = [one for one in result.objects if not one.key.endswith(MANIFEST) and not one.key.startswith("_")]
    if landed:
        yield _entry("size", f"{sum(one.size for one in landed):,} bytes")
    yield _entry("seconds", f"{seconds:.1f}")
    if kept.out and landed:
        key = (output or {}).get("key") if not report else None
        yield _entry("file" if key else "files", _path(kept.out / key if key else kept.out))
    yield from _asked(result)
    yield f"not emulated here: IAM, KMS and what else {PAGE} names"
    yield f"next: {_next(wanted, result, kept)}"


def _became(result: Result) -> str:
    output = result.outcome.output or {}
    if output.get("state") == "LANDED" and "Fetch Export" not in result.outcome.states:
        return "already landed"
    return str(output.get("state")).lower()


def _failed(result: Result, report: dict[str, Any] | None, kept: Kept) -> Iterator[str]:
    yield f"FAILED  {result.to_json()['error']}"
    if report:
        yield from _counts(json.loads(result.outcome.cause or "{}"))
        failed = [
            f"{about({**series, 'window': window})}: {window.get('error') or window['outcome']}"
            for series in report["series"]
            for window in series["windows"]
            if window.get("error") or window["outcome"] == "failed"
        ]
        for line in failed[:MOST_ROWS]:
            yield f"  {line}"
        if len(failed) > MOST_ROWS:
            yield f"  and {len(failed) - MOST_ROWS:,} more: see the report"
    elif result.outcome.cause:
        yield f"  {' '.join(result.outcome.cause.split())}"
    if kept.evidence:
        yield _entry(
            "evidence", f"{_path(kept.evidence)}/ (history, logs, the vendor's requests; no secrets)"
        )


def _collected(output: dict[str, Any], report: dict[str, Any]) -> Iterator[str]:
    if output.get("planned") and output.get("already_landed") == output["planned"]:
        yield f"already landed  {output['planned']:,} windows"
    else:
        jobs = report["jobs"]
        yield f"collected  {jobs:,} job{'' if jobs == 1 else 's'} in all"
    yield from _counts(output)
    records = [window.get("records") for series in report["series"] for window in series["windows"]]
    counted = [count for count in records if count is not None]
    if counted:
        yield _entry("records", f"{sum(counted):,}")


def _counts(output: dict[str, Any]) -> Iterator[str]:
    told = [f"{count:,} {name.replace('_', ' ')}" for name, count in output.items() if isinstance(count, int)]
    yield _entry("windows", ", ".join(told))


def _asked(result: Result) -> Iterator[str]:
    rows = result.rows.splitlines()
    if not rows:
        return
    yield f"query: {_sql(result)}"
    for row in rows[: MOST_ROWS + 1]:
        yield f"  {row}"
    if len(rows) > MOST_ROWS + 1:
        yield f"  and {len(rows) - MOST_ROWS - 1:,} more rows"


def _sql(result: Result) -> str:
    return " ".join(EXAMPLE.format(table=result.table).split())


def _next(wanted: Any, result: Result, kept: Kept) -> str:
    if not result.succeeded:
        return f"mend it, then run the same again ({COMMAND} run {shlex.quote(kept.input)} …)"
    state = f"--state {_path(kept.state)}" if kept.state else ""
    if state and isinstance(wanted, dict) and "exports" in wanted:
        return f"{COMMAND} coverage {shlex.quote(kept.input)} {state} --out coverage.html"
    if state and result.rows:
        sql = shlex.quote(f"SELECT * FROM {result.table} LIMIT 3")  # noqa: S608 - shown, not run
        return f"{COMMAND} query {sql} {state}"
    return f"{COMMAND} run {shlex.quote(kept.input)} --details"


def everything(result: Result) -> Iterator[str]:
    """Tell all that is known: objects, entries, manifests, reports, notifications, the output."""
    yield from _title("In the bucket")
    yield from (f"  {one.key}  {one.size:,} bytes  sha256 {one.sha256}" for one in result.objects)
    for key in (one for one in result.bodies if one.endswith(MANIFEST)):
        manifest = json.loads(result.bodies[key])
        yield from _title(f"Entries of {key.removesuffix(MANIFEST)}")
        yield from columns(entries(manifest))
        yield from _title("Its manifest")
        yield from _json(manifest)
    report = result.report()
    for series in report["series"] if report else []:
        target = ", ".join(str(value) for value in series["target"].values())
        yield from _title(" ".join(filter(None, [series["source"], "of", series["connection"], target])))
        yield from columns(windows(series))
    for told in result.notifications:
        yield from _title("Notification" + (f": {told['subject']}" if told["subject"] else ""))
        yield from str(told["email"] or "").rstrip().splitlines()
        yield from _json(told["message"])
    if result.outcome.output is not None:
        yield from _title("Output")
        yield from _json(result.outcome.output)
    yield from _title("Not emulated here")
    yield from (f"  {line}" for line in result.not_emulated)


def entries(manifest: dict[str, Any]) -> list[list[str]]:
    """List a manifest's entries with their row counts."""
    rows = [["entry", "bytes", "crc32", "records"]]
    for entry in manifest.get("entries") or []:
        size, crc = _number(entry.get("size"), ""), str(entry.get("crc32") or "")
        rows.append([str(entry.get("name")), size, crc, _number(entry.get("records"), "?")])
    return rows


def windows(series: dict[str, Any]) -> list[list[str]]:
    """List a series of a report: each window, what was decided on it, and what became of it."""
    rows = [["from", "to", "decision", "outcome", "records"]]
    for window in series["windows"]:
        times = [window[name].replace("+00:00", "Z") for name in ("start", "end")]
        became = str(window.get("error") or window["outcome"])
        rows.append([*times, str(window["decision"]), became, _number(window.get("records"), "")])
    return rows


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lay rows out in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _title(text: str) -> list[str]:
    return ["", text]


def _json(document: Any) -> list[str]:
    return json.dumps(document, indent=2, ensure_ascii=False).splitlines()


def _entry(name: str, text: str) -> str:
    return f"  {name:8} {text}"


def _number(count: Any, otherwise: str) -> str:
    return otherwise if count is None else f"{count:,}"


def _path(path: Path) -> str:
    return shlex.quote(str(path))
