"""The output of an export, whole and small."""

from __future__ import annotations

import json
from typing import Any

from logferry.export.result import duplicate_output, landed_output
from logferry.ledger.record import ExportRecord
from logferry.models.request import ExportRequest

KEYS = [
    *("state", "export_id", "owner", "bucket", "key", "manifest_key", "size", "sha256", "records", "objects"),
    *("submits", "attempts", "polls"),
]


def an_object(number: int) -> dict[str, Any]:
    name = f"20261118T000000Z--20261119T000000Z--{'f' * 12}-{number}.xlsx"
    key = f"spark-events/{'c' * 100}/date=2026-11-18/{name}"
    return {"key": key, "version_id": "v" * 32, "size": 10**10, "sha256": "a" * 64, "records": 10**6}


ROW: dict[str, Any] = {
    "export_id": "e" * 64,
    "owner": "arn:one",
    "attempt": 5,
    "submits": 2,
    "polls": 90,
    "bucket": "landing",
    "key": "k",
    "manifest_key": "k.manifest.json",
    "size": 3,
    "sha256": "ab",
    "records": 1,
    "objects": [an_object(1)],
    "landed_attempt": 3,
    "landed_submits": 1,
    "landed_polls": 7,
    "job_id": "job-1",
}


def test_a_landing_is_told_with_its_own_counts() -> None:
    # Given a row that a refresh, which failed, has gone on counting in
    result = landed_output(ExportRecord(ROW))
    assert list(result) == KEYS
    assert (result["submits"], result["attempts"], result["polls"]) == (1, 3, 7)
    assert (result["state"], result["owner"], result["objects"]) == ("LANDED", "arn:one", ROW["objects"])


def test_what_a_row_does_not_know_is_null() -> None:
    bare = {name: ROW[name] for name in ("export_id", "owner", "attempt", "objects")}
    result = landed_output(ExportRecord(bare))
    assert list(result) == KEYS
    assert (result["records"], result["attempts"], result["polls"]) == (None, 5, 0)


def test_a_landing_of_many_files_is_small() -> None:
    result = landed_output(ExportRecord({**ROW, "objects": [an_object(number) for number in range(1000)]}))
    assert len(json.dumps(result)) < 8 * 1024


def test_a_duplicate_names_the_owner_and_nothing_else() -> None:
    request = ExportRequest("a-source", "acme")
    result = duplicate_output(request, "arn:one")
    assert sorted(result) == sorted(KEYS)
    assert {name for name, value in result.items() if value is not None} == {"state", "export_id", "owner"}
    assert (result["state"], result["owner"], result["export_id"]) == (
        "DUPLICATE",
        "arn:one",
        request.export_id,
    )
