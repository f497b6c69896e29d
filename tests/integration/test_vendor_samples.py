"""The emulation's replies, field by field against the samples that the vendors' pages print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.client import Client

# Page "Download Log as CSV": POST log job
SUBMIT = """{
    "status": null,
    "response_data": {"job_id": "ebcbf840-df82-472a-b9d4-073f14f4320b"},
    "response_meta": {
        "service_id": null, "version_id": null, "version": null, "process_time": 0, "call_id": null,
        "compiler_version": null, "source_hash": null, "engine_id": null, "correlation_id": null,
        "parameterset_version_id": null, "system": "SPARK",
        "request_timestamp": "2023-11-14T07:59:43.050Z"
    },
    "error": null
}"""
# The same page: GET log job status
STATUS = """{
    "status": null,
    "response_data": {
        "progress": 100,
        "download_url":
            "https://environment.coherent.global/SparkService_allRecords_2023_11_14_T_08_25_40.zip"
    },
    "response_meta": {
        "service_id": null, "version_id": null, "version": null, "process_time": 0, "call_id": null,
        "compiler_version": null, "source_hash": null, "engine_id": null, "correlation_id": null,
        "parameterset_version_id": null, "system": "SPARK",
        "request_timestamp": "2023-11-14T08:25:40.762Z"
    },
    "error": null
}"""
# Page "Events APIs": POST log job and GET log job status
EVENTS_BODY = """{
    "page_size": 10, "page_no": 1, "sort_column": "folder", "sort_order": "asc",
    "search": [
        {"column": "folder_id", "value": "8bc193d8-5f82-49d1-8da8-d689f6ab163f"},
        {"column": "service_name", "value": "AllInputTypes"},
        {"column": "event_start_date", "value": "2026-01-31T15:08:00.000Z"},
        {"column": "event_end_date", "value": "2026-03-02T15:08:00.000Z"},
        {"column": "user_name", "value": "myuser@mydomain.com"},
        {"column": "event_types", "value": "[\\"PublishEngine\\",\\"DownloadEngine\\"]"}
    ]
}"""
EVENTS_SUBMIT = """{
    "object": "events",
    "id": "19caf63c-76e7-3c8c-b624-9a8a6c8a7293",
    "status_url": "https://excel.myenvironment.coherent.global/mytenant/api/v4/events/download/x/status"
}"""
EVENTS_STATUS = """{
    "object": "events",
    "id": "19caf63c-76e7-3c8c-b624-9a8a6c8a7293",
    "status_url": "https://myenvironment.coherent.global/mytenant/api/v4/events/download/x/status",
    "response_timestamp": "2026-03-03T12:41:44.391Z",
    "status": "Success",
    "process_time": 8697,
    "outputs": {
        "files": [
            {
                "file": "https://environment.coherent.global/coherent_events_2026_03_03_T_12_40_40.xlsx",
                "file_hash": null
            }
        ]
    },
    "error": null,
    "source_system": "SPARK",
    "correlation_id": ""
}"""
# Page "Downloading events": create a session
SESSION_BODY = '{"start":"2018-06-28","end":"2018-06-28","AtAccountLevel":true,"SearchTime":""}'
SESSION = """{
    "id": "b08cb740-ff85-404f-a6eb-ffec5374c7c6", "space": "c1234567-6d55-4193-a9de-378620d6fab5",
    "username": "xxx@ibm.com", "create-time": "2018-06-28T12:50:36.012383445Z",
    "access-time": "2018-06-28T12:50:36.012383445Z",
    "date-range": {"Start": "2018-06-27", "End": "2018-06-27"},
    "types": {"Type": "ActivityTracker", "AtAccountLevel": true}, "search-time": ""
}"""


def shape(document: Any) -> Any:
    """Replace values by their types, and strings by what they look like; nulls stay."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    if isinstance(document, list):
        return [shape(item) for item in document]
    if not isinstance(document, str):
        return document if document is None else type(document).__name__
    for name, sign in {"url": "https://", "time": "T", "mail": "@"}.items():
        if document.startswith(sign) or (sign in document and sign != "https://"):
            return name
    return f"text of {len(document)}"


@pytest.mark.parametrize("word", ["downloadcsv", "downloadJSON", "downloadjson"])
def test_a_log_job_is_answered_as_the_page_prints_it(word: str) -> None:
    with Vendors(polls=1) as vendors:
        client = Client(vendors)

        # When the page's own sample request is sent
        body = {"request_data": {"start_date": "2023-11-11", "end_date": ""}}
        submitted = client.send("POST", client.log_path(word), json=body)
        status = client.status(submitted.json()["response_data"]["job_id"], word)

    # Then both replies have the sample's fields, in its order, with values of the same kind
    assert shape(submitted.json()) == shape(json.loads(SUBMIT))
    assert list(submitted.json()) == list(json.loads(SUBMIT))
    assert shape(status.json()) == shape(json.loads(STATUS))
    assert status.json()["response_data"]["progress"] == 100
    assert status.json()["response_data"]["download_url"].endswith(".zip")
    assert submitted.headers["Content-Type"].startswith("application/json")


def test_an_unfinished_log_job_has_the_same_fields_and_no_url() -> None:
    with Vendors(polls=4) as vendors:
        client = Client(vendors)
        job_id = client.submit()

        # When it is asked for four times
        data = [client.status(job_id).json()["response_data"] for _ in range(4)]

    # Then progress rises to 100, and only then there is a URL
    assert [item["progress"] for item in data] == [25, 50, 75, 100]
    assert [item["download_url"] is None for item in data] == [True, True, True, False]


def test_an_events_job_is_answered_as_the_page_prints_it() -> None:
    with Vendors(polls=1) as vendors:
        client = Client(vendors)
        path = f"/{vendors.tenant}/api/v4/events/download"
        submitted = client.send("POST", path, json=json.loads(EVENTS_BODY))
        status = client.send("GET", f"{path}/{submitted.json()['id']}/status")

    assert shape(submitted.json()) == shape(json.loads(EVENTS_SUBMIT))
    assert shape(status.json()) == shape(json.loads(EVENTS_STATUS))
    assert status.json()["status"] == "Success"
    # and the status URL is on another host than the API, as the samples' own
    assert not submitted.json()["status_url"].startswith(vendors.base_url)


def test_an_ibm_session_is_answered_as_the_page_prints_it() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        headers = {**client.ibm_headers(), "Content-Type": "application/json"}
        created = client.send("POST", "/v3/sessions", headers=headers, data=SESSION_BODY)

    expected = shape(json.loads(SESSION)) | {"username": "mail"}
    assert shape(created.json()) == expected


def test_a_calls_record_is_a_document_inside_a_string() -> None:
    with Vendors() as vendors:
        client = Client(vendors)
        path = f"/{vendors.tenant}/api/v3/log/getexecutionhistorybycallid/{vendors.call_id}"
        reply = client.send("GET", path).json()

    assert list(reply) == list(json.loads(SUBMIT))
    record = json.loads(reply["response_data"])
    keys = (
        "EngineCallId LogTime TransactionDate SourceSystem Purpose UserName HostName Tenant Service Product"
    )
    assert list(record) == [*keys.split(), "EngineDetails"]
    details = {"request_data", "request_meta", "response_data", "response_meta"}
    assert set(record["EngineDetails"]) == details
