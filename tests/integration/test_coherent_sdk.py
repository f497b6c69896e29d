"""Coherent's own SDK, unmodified, against the emulation: what it can fetch is served as it expects."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from typing import Any

import openpyxl
import pytest

from tests.sandbox.vendor import Vendors

SCRIPT = """
import base64, json, sys
import cspark.sdk as Spark

asked = json.load(sys.stdin)
url = Spark.BaseUrl(url=asked["base_url"], tenant=asked["tenant"])
names = {"folder": asked["folder"], "service": asked["service"]}
span = {"start_date": "2026-11-18T00:00:00", "end_date": "2026-11-19T00:00:00"}
hurry = {"retry_interval": 0.001}
with Spark.Client(base_url=url, logger=False, **asked["credentials"]) as spark:
    found = {
        kind: spark.logs.download(type=kind, **names, **span, **hurry).buffer
        for kind in ("csv", "json")
    }
    found["xlsx"] = spark.logs.rehydrate(None, call_id=asked["call_id"], **names).buffer
    call = spark.logs.get(asked["call_id"]).data
    files = {kind: base64.b64encode(data).decode() for kind, data in found.items()}
    json.dump({"call": call, "files": files}, sys.stdout)
"""


def run_sdk(vendors: Vendors, credentials: dict[str, Any]) -> dict[str, Any]:
    asked = vendors.announcement | {"credentials": credentials}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CSPARK_")}
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(asked),
        env=environment | {"SSL_CERT_FILE": vendors.ca_file},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("kind", ["bearer", "api_key", "client_credentials"])
def test_coherents_own_sdk_fetches_logs_a_call_and_its_workbook(kind: str) -> None:
    # Given the emulated vendors, a log of 30 calls, ready at the second poll
    with Vendors(rows=30, files=2, polls=2) as vendors:
        kinds: dict[str, dict[str, Any]] = {
            "bearer": {"token": vendors.token},
            "api_key": {"api_key": vendors.api_key},
            "client_credentials": {
                "oauth": {"client_id": vendors.client_id, "client_secret": vendors.client_secret}
            },
        }
        credentials = kinds[kind]

        # When the SDK downloads everything that it can
        answer = run_sdk(vendors, credentials)

        # Then each file opens and holds what was asked for
        files = {name: content_of(text) for name, text in answer["files"].items()}
        with zipfile.ZipFile(files["csv"]) as archive:
            rows = [row for name in archive.namelist() for row in csv_rows(archive, name)]
        assert len(rows) == 30
        assert all(row["Log Time"].startswith("2026-11-18T") for row in rows)
        with zipfile.ZipFile(files["json"]) as archive:
            items = [item for name in archive.namelist() for item in json.loads(archive.read(name))]
        assert [item["EngineCallId"] for item in items] == [row["Call ID"] for row in rows]
        workbook = openpyxl.load_workbook(files["xlsx"])
        assert ("Call ID", vendors.call_id) in list(workbook["Info"].values)
        assert answer["call"]["EngineCallId"] == vendors.call_id
        assert answer["call"]["Tenant"] == vendors.tenant

        # And nothing was refused but the first request under client credentials, which has no token yet
        refused = [request.status for request in vendors.requests if request.status != 200]
        assert refused == ([401] if kind == "client_credentials" else [])


def test_the_sdk_sees_a_wrong_secret_refused() -> None:
    # Given a client secret that is not the tenant's
    with Vendors() as vendors:
        oauth = {"client_id": vendors.client_id, "client_secret": "wrong"}

        # When the SDK asks for a log
        with pytest.raises(AssertionError, match="failed to retrieve OAuth2 access token"):
            run_sdk(vendors, {"oauth": oauth})

        # Then the token endpoint told it so, each of the many times that it asked, and no job was made
        assert {request.status for request in vendors.seen("token")} == {401}


def content_of(text: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(text))


def csv_rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    with archive.open(name) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
