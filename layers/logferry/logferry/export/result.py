"""The output of an export, as the contract has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.export.state import Step

if TYPE_CHECKING:
    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest

LANDING = ("bucket", "key", "manifest_key", "size", "sha256", "records")

LISTED = 16
"""Objects listed in an output: a state stays below 8 KiB; the manifest lists all."""


def landed_output(row: ExportRecord) -> dict[str, Any]:
    """Return the result of an export that has landed, from its row."""
    return {
        "state": str(Step.LANDED),
        "export_id": row.item["export_id"],
        "owner": row.owner,
        **{name: row.item.get(name) for name in LANDING},
        "objects": row.item["objects"][:LISTED],
        "submits": row.item.get("landed_submits", row.submits),
        "attempts": row.item.get("landed_attempt", row.attempt),
        "polls": row.item.get("landed_polls", row.polls),
    }


def duplicate_output(request: ExportRequest, owner: str) -> dict[str, Any]:
    """Return the result of an export that another live execution, `owner`, is at work on."""
    return {
        "state": str(Step.DUPLICATE),
        "export_id": request.export_id,
        "owner": owner,
        **dict.fromkeys((*LANDING, "objects", "submits", "attempts", "polls")),
    }


def cut_output(row: ExportRecord) -> dict[str, Any]:
    """Return the result of an export that reached the vendor's limit, from its row: nothing has landed."""
    return {
        "state": str(Step.CUT),
        "export_id": row.item["export_id"],
        "owner": row.owner,
        **dict.fromkeys((*LANDING, "objects")),
        "submits": row.submits,
        "attempts": row.attempt,
        "polls": row.polls,
    }
