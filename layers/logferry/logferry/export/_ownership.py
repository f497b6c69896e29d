"""Whose the object under a key is: what the export's row can prove, and nothing else.

Whoever may write to the bucket can copy names and metadata. What is proven here may be replaced or taken
away; it is never taken for what the vendor served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logferry.ledger.record import ExportRecord
    from logferry.models.request import ExportRequest
    from logferry.storage.bucket import Existing

UNVERSIONED = {None, "null"}
"""What S3 names a version by where it keeps none: every object under the key has that name."""


def may_replace(there: Existing, key: str, request: ExportRequest, row: ExportRecord) -> bool:
    """Check whether an object is this export's: a call's that never landed, or the landing of the row."""
    return uncommitted(there, request, row) or _is_landing(there, key, request, row)


def uncommitted(there: Existing, request: ExportRequest, row: ExportRecord) -> bool:
    """Check whether a call of this attempt put it, or of an earlier one since the last landing."""
    if "nonce" in there.metadata:
        return there.metadata["nonce"] in row.nonces
    attempt = there.metadata.get("attempt", "")
    return (
        there.metadata.get("export-id") == request.export_id
        and attempt.isdecimal()
        # The release before had no nonces: only of its own attempts the number is enough.
        and row.item.get("landed_attempt", 0) < int(attempt) < row.nonces_since
    )


def _is_landing(there: Existing, key: str, request: ExportRequest, row: ExportRecord) -> bool:
    if not row.landed:
        return False
    versions = {each["key"]: each["version_id"] for each in row.item["objects"]}
    versions[row.item["manifest_key"]] = row.item.get("manifest_version_id")
    if key not in versions:
        return False
    if versions[key] not in UNVERSIONED:
        return bool(there.version_id == versions[key])
    if "landed_nonce" in row.item:
        return bool(there.metadata.get("nonce") == row.item["landed_nonce"])
    marks = {"export-id": request.export_id, "attempt": str(row.item.get("landed_attempt"))}
    return there.metadata == marks
