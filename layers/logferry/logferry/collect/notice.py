"""What a collection tells people and programs when it ends: once, and only where something was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry import runtime
from logferry.notifications import failure_words, publish_message
from logferry.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = "logferry.collection/1"
NAMED = 50
"""Failed windows that a notification names; SNS takes 256 KiB, and the report lists all."""


def announce(summary: Mapping[str, Any], failed: Sequence[Mapping[str, Any]], execution: str) -> None:
    """Publish how a collection ended; nothing where it had nothing to do. Raises DeliveryError."""
    if not summary["planned"]:
        return
    document = {
        "schema": SCHEMA,
        "status": "FAILED" if summary["failed"] else "COLLECTED",
        **summary,
        "bucket": runtime.settings().bucket,
        "failed_windows": [_named(window) for window in failed],
    }
    _publish(document, _sentences(document), execution)


def announce_failure(failure: Mapping[str, Any], execution: str) -> dict[str, Any]:
    """Publish that a collection ended before its report; give `{Error, Cause}` for the Fail state."""
    error = str(failure.get("Error", "UnknownError"))
    cause = failure_words(error, str(failure.get("Cause", "")))
    document = {"schema": SCHEMA, "status": "FAILED", "error": error, "cause": cause}
    text = (
        f"A Logferry collection failed before its end.\nWhy: {error}: {cause}\n"
        "What to do: mend the cause if it is named above, then start the collection again with the same "
        f"input; what has landed stays landed.\nExecution: {execution}"
    )
    _publish(document, text, execution)
    return {"Error": error, "Cause": cause}


def _named(window: Mapping[str, Any]) -> dict[str, Any]:
    names = ("source", "connection", "target", "window", "export_id", "outcome", "error")
    return {**{name: window.get(name) for name in names}, "cause": redact(str(window.get("cause", "")), 300)}


def _sentences(document: Mapping[str, Any]) -> str:
    counts = {name: f"{count:,}" for name, count in document.items() if isinstance(count, int)}
    lines = [
        "Logferry exported {landed} of {planned} planned windows.".format(**counts),
        "{already_landed} had landed before, {in_progress} in progress, {given_up} given up earlier, "
        "{failed} failed.".format(**counts),
    ]
    for window in document["failed_windows"]:
        where = ", ".join(str(value) for value in window["target"].values())
        lines.append(
            f"Failed: {window['source']} of {window['connection']} ({where}), {window['window']['start']} to "
            f"{window['window']['end']}: {window['error']}: {window['cause']}"
        )
    if document["failed"] > len(document["failed_windows"]):
        lines.append(f"… and {document['failed'] - len(document['failed_windows']):,} more.")
    if document["failed"]:
        lines.append("Everything else was tried. The next collection tries the failed windows again.")
    lines.append(f"Every window is listed in s3://{document['bucket']}/{document['report_key']}.")
    return "\n".join(lines)


def _publish(document: Mapping[str, Any], text: str, execution: str) -> None:
    """Publish once an execution: the ledger remembers it, so that a repeated call stays silent."""
    ledger, topic = runtime.ledger(), runtime.settings().topic_arn
    if ledger.failure_announced(execution):
        return
    attributes = {"status": str(document["status"]), "kind": "collection"}
    publish_message(runtime.client("sns"), topic, {**document, "execution": execution}, text, attributes)
    ledger.announce_failure(execution)
