"""Handing all manifests of a bucket to the function: told one by one, no failure stops the others."""

from __future__ import annotations

import io
import json
from typing import Any

from tests.smoke.tabulate import tabulate

KEYS = ["a/1.zip", "a/1.zip.manifest.json", "b/2.json.gz.manifest.json", "tables/calls/x.manifest.json"]


class Lister:
    def get_paginator(self, name: str) -> Lister:
        assert name == "list_objects_v2"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key}]} for key in KEYS] + [{}]


class Functions:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def invoke(self, **given: Any) -> dict[str, Any]:
        assert given["FunctionName"] == "stack-tabulate"
        event = json.loads(given["Payload"])
        assert event["detail"]["bucket"]["name"] == "landings"
        key = event["detail"]["object"]["key"]
        self.calls.append(key)
        if key.startswith("a/"):
            told = {"errorType": "DeliveryError", "errorMessage": "slow"}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(told).encode())}
        return {"Payload": io.BytesIO(json.dumps({"rows": 7}).encode())}


def test_every_manifest_is_handed_over_once_and_told() -> None:
    # Given
    functions, said = Functions(), list[str]()
    # When
    status = tabulate(Lister(), functions, "landings", "stack-tabulate", 2, said.append)
    # Then
    assert sorted(functions.calls) == ["a/1.zip.manifest.json", "b/2.json.gz.manifest.json"]
    assert status == 1
    assert said[0] == "2 manifests in landings"
    assert any(line.endswith("a/1.zip.manifest.json: DeliveryError: slow") for line in said)
    assert any(line.endswith("b/2.json.gz.manifest.json: 7 rows") for line in said)
    assert said[-1] == "done, 1 failed"
