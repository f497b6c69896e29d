"""What Logferry sends, field by field against the requests that the vendors' pages print."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from logferry.sources.registry import source_named
from tests.integration.steps import Steps, stage
from tests.sandbox.vendor import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor.messages import Received

TENANT, FOLDER, SERVICE = "mytenantname", "myfoldername", "myservicename"

# Page "Download Log as CSV", sample request with API key
CSV_PATH = "/mytenantname/api/v3/folders/myfoldername/services/myservicename/log/downloadcsv"
CSV_HEADERS = [
    "Content-Type: application/json",
    "x-tenant-name: mytenantname",
    "x-synthetic-key: 5458626120e2",
]
CSV_BODY = """{
    "request_data": {
        "start_date": "2023-11-11",
        "end_date": ""
    }
}"""
# The same page, table of the request body: each field with its example
CSV_FIELDS: dict[str, Any] = {
    "start_date": "2022-10-30T18:30:00.853Z",
    "end_date": "2022-10-31T18:30:00.853Z",
    "call_ids": ["329700e6-0850-40cf-b61e-310c2f756b73", "fc01d941-bc29-4312-993a-c203913adcb8"],
    "callpurpose": "Single call",
    "userName": "myname@mydomain.com",
    "has_warnings": True,
    "has_errors": True,
    "timezone_offset": 8,
}
VERSION_ID = "7c3a51a3-a0ae-41ec-b78a-5b8f75376b2f"
# Page "API Call History APIs", paths of the OpenAPI document
JSON_PATH = "/{tenant}/api/v3/folders/{folder}/services/{service}/log/downloadJSON"
CALL_PATH = "/{tenant}/api/v3/log/getexecutionhistorybycallid/{callId}"
EXCEL_PATH = "/{tenant}/api/v3/folders/{folder}/services/{service}/download/xml/{callId}"
# Page "Events APIs", sample request
EVENTS_PATH = "/{tenant}/api/v4/events/download"
EVENTS_BODY = """{
    "page_size": 10,
    "page_no": 1,
    "sort_column": "folder",
    "sort_order": "asc",
    "search": [
        {"column": "folder_id", "value": "8bc193d8-5f82-49d1-8da8-d689f6ab163f"},
        {"column": "service_name", "value": "AllInputTypes"},
        {"column": "event_start_date", "value": "2026-01-31T15:08:00.000Z"},
        {"column": "event_end_date", "value": "2026-03-02T15:08:00.000Z"},
        {"column": "user_name", "value": "myuser@mydomain.com"},
        {"column": "event_types", "value": "[\\"PublishEngine\\",\\"DownloadEngine\\"]"}
    ]
}"""
# Page "Downloading events", curl of each step
SESSION_HEADERS = [
    "Content-Type: application/json",
    "X-Auth-Token: bearer $token",
    "X-Auth-Project-Id: $spaceID",
]
SESSION_BODY = '{"start":"2018-06-28","end":"2018-06-28","AtAccountLevel":true,"SearchTime":""}'
DOWNLOAD_HEADERS = ["x-auth-token: bearer $token", "SESSIONID: $sessionID", "X-Auth-Project-Id: $spaceID"]
DELETE_HEADERS = ["X-Auth-Token: bearer $token", "X-Auth-Project-Id: $spaceID"]


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with (
        Vendors(tenant=TENANT, folder=FOLDER, service=SERVICE, polls=1, rows=3) as vendors,
        stage(vendors, monkeypatch) as steps,
    ):
        yield steps


def log(source: str, connection: str, **more: Any) -> dict[str, Any]:
    window = {"start": CSV_FIELDS["start_date"], "end": CSV_FIELDS["end_date"]}
    target = {"folder": FOLDER, "service": SERVICE}
    return {"source": source, "connection": connection, "target": target, "window": window, **more}


def filled(path: str, **more: str) -> str:
    for name, value in {"tenant": TENANT, "folder": FOLDER, "service": SERVICE, **more}.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def assert_headers(received: Received, printed: list[str], **values: str) -> None:
    """Want each printed header, with its placeholders filled in, whatever the case of its name."""
    for line in printed:
        name, _, value = line.partition(": ")
        for placeholder, real in values.items():
            value = value.replace(f"${placeholder}", real)
        assert received.headers[name.lower()] == value


def test_a_log_is_asked_for_as_the_page_prints_it(steps: Steps) -> None:
    # When a log is exported with an API key
    steps.run(log("spark-log-csv", "acme-key"))
    submit, status, *_ = steps.vendors.requests
    # Then the request has the sample's method, path and headers
    assert (submit.method, submit.target) == ("POST", CSV_PATH)
    assert_headers(submit, [*CSV_HEADERS[:2], f"x-synthetic-key: {steps.vendors.api_key}"])
    assert "authorization" not in submit.headers
    # And its fields, no more and no fewer, with dates in the form of the table's second example
    sample = json.loads(CSV_BODY)
    assert submit.json.keys() == sample.keys()
    assert submit.json["request_data"].keys() == sample["request_data"].keys()
    assert submit.json["request_data"] == {name: CSV_FIELDS[name] for name in sample["request_data"]}
    # And so is its status
    assert (status.method, status.target) == ("GET", f"{CSV_PATH}/status/{submit.job_id}")
    assert_headers(status, [*CSV_HEADERS[1:2], f"x-synthetic-key: {steps.vendors.api_key}"])
    assert status.body == b""


@pytest.mark.parametrize(("source", "path"), [("spark-log-csv", CSV_PATH), ("spark-log-json", JSON_PATH)])
def test_every_documented_field_of_a_log_is_sent_as_documented(steps: Steps, source: str, path: str) -> None:
    filters = {name: value for name, value in CSV_FIELDS.items() if not name.endswith("_date")}
    # When all fields of the page's table are asked for
    steps.submit(log(source, "acme-bearer", filters={**filters, "version_id": VERSION_ID}))
    # Then they are where the table has them, with the types of the OpenAPI document
    [submit] = steps.vendors.requests
    assert submit.target == filled(path)
    assert submit.headers["authorization"] == f"Bearer {steps.vendors.token}"
    assert submit.json == {"request_data": CSV_FIELDS, "request_meta": {"version_id": VERSION_ID}}


def test_a_null_filter_is_left_out(steps: Steps) -> None:
    steps.submit(log("spark-log-csv", "acme-bearer", filters={"call_ids": None, "version_id": None}))
    [submit] = steps.vendors.requests
    assert submit.json == {"request_data": {name: CSV_FIELDS[name] for name in ("start_date", "end_date")}}


def test_events_are_asked_for_as_the_page_prints_it(steps: Steps) -> None:
    sample = json.loads(EVENTS_BODY)
    columns = {each["column"]: each["value"] for each in sample["search"]}
    # When the page's own sample is what is wanted
    filters = {name: sample[name] for name in ("page_size", "page_no", "sort_column", "sort_order")}
    filters |= {name: columns[name] for name in ("folder_id", "service_name", "user_name")}
    filters["event_types"] = json.loads(columns["event_types"])
    window = {"start": columns["event_start_date"], "end": columns["event_end_date"]}
    steps.run({"source": "spark-events", "connection": "acme-uat", "window": window, "filters": filters})
    # Then the same is sent, in whatever order the columns are
    token, submit, status, *_ = steps.vendors.requests
    assert (submit.method, submit.target) == ("POST", filled(EVENTS_PATH))
    assert {name: value for name, value in submit.json.items() if name != "search"} == {
        name: value for name, value in sample.items() if name != "search"
    }
    assert sorted(submit.json["search"], key=str) == sorted(sample["search"], key=str)
    assert submit.headers["authorization"].startswith("Bearer ey")
    assert status.target == f"{filled(EVENTS_PATH)}/{submit.job_id}/status"
    # And the token was asked for as the vendor's own SDK does
    assert token.target == f"/auth/realms/{TENANT}/protocol/openid-connect/token"
    assert token.form == {
        "grant_type": "client_credentials",
        "client_id": steps.vendors.client_id,
        "client_secret": steps.vendors.client_secret,
    }


def test_without_a_page_the_largest_one_is_asked_for(steps: Steps) -> None:
    window = {"start": "2026-01-31T15:08:00Z", "end": "2026-03-02T15:08:00Z"}
    steps.submit({"source": "spark-events", "connection": "acme-bearer", "window": window})
    [submit] = steps.vendors.requests
    assert {name: submit.json[name] for name in ("page_no", "page_size")} == {
        "page_no": 1,
        "page_size": 100_000,
    }
    assert [each["column"] for each in submit.json["search"]] == ["event_start_date", "event_end_date"]


@pytest.mark.parametrize("index", [None, 0, 2])
def test_calls_are_asked_for_as_the_page_prints_it(steps: Steps, index: int | None) -> None:
    call_id = steps.vendors.call_id
    steps.vendors.calls[call_id] = 3
    target = {"call_id": call_id} | ({} if index is None else {"index": index})
    query = "" if index is None else f"?index={index}"
    # When a call's record and its workbook are exported
    steps.run({"source": "spark-call", "connection": "acme-key", "target": target})
    excel = {**target, "folder": FOLDER, "service": SERVICE}
    steps.run({"source": "spark-call-excel", "connection": "acme-key", "target": excel}, name="two")
    # Then both were asked for under the documented paths
    record, workbook, _ = steps.vendors.requests
    assert (record.method, record.target) == ("GET", filled(CALL_PATH, callId=call_id) + query)
    assert (workbook.method, workbook.target) == ("POST", filled(EXCEL_PATH, callId=call_id) + query)
    assert workbook.json == {}


@pytest.mark.parametrize("account", [True, False])
def test_a_session_is_made_used_and_deleted_as_the_page_prints_it(steps: Steps, *, account: bool) -> None:
    # When the day of the page's sample is exported
    steps.run(
        {
            "source": "ibm-activity-tracker",
            "connection": "ibm-prod",
            "target": {"account_level": account},
            "window": {"start": "2018-06-28T00:00:00Z", "end": "2018-06-29T00:00:00Z"},
        }
    )
    token, session, download, delete = steps.vendors.requests
    # Then the token is asked for with the client "cf" and the user "apikey"
    assert token.headers["authorization"] == "Basic " + base64.b64encode(b"cf:").decode()
    assert token.form == {
        "grant_type": "password",
        "username": "apikey",
        "password": steps.vendors.access.uaa_key,
    }
    # And the three requests are those of the page
    issued = session.headers["x-auth-token"].removeprefix("bearer ")
    values = {"token": issued, "spaceID": steps.vendors.space_id, "sessionID": session.job_id or ""}
    assert (session.method, session.target) == ("POST", "/v3/sessions")
    assert session.json == {**json.loads(SESSION_BODY), "AtAccountLevel": account}
    assert_headers(session, SESSION_HEADERS, **values)
    assert (download.method, download.target) == ("GET", "/v3/events/download")
    assert_headers(download, DOWNLOAD_HEADERS, **values)
    assert (delete.method, delete.target) == ("DELETE", f"/v3/sessions/{session.job_id}")
    assert_headers(delete, DELETE_HEADERS, **values)


@pytest.mark.parametrize(
    ("name", "permission"),
    [
        ("spark-log-csv", "Spark.DownloadCsvLog.json"),
        ("spark-log-json", "Spark.DownloadJSONLog.json"),
        ("spark-call", "Spark.DownloadAPILog.json"),
        ("spark-call-excel", "Spark.DownloadAPILog.json"),
    ],
)
def test_the_permissions_are_those_of_the_pages(name: str, permission: str) -> None:
    assert permission in source_named(name).permission
    assert "Spark.AllEncompassingProxy.json" in source_named(name).permission
