"""The notification: for programs, for people, and within what SNS takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from logferry import notifications
from logferry.errors import DeliveryError

EXECUTION = "arn:aws:states:eu-west-2:123456789012:execution:export:one"
IDENTITY: dict[str, Any] = {
    "source": "spark-log-csv",
    "connection": "acme-uat",
    "target": {"folder": "Motor", "service": "Quote"},
    "window": {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"},
    "filters": {"userName": "dana@acme.example"},
}
LANDING: dict[str, Any] = {
    "bucket": "landing",
    "key": "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/x.zip",
    "version_id": "v1",
    "manifest_key": "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/x.zip.manifest.json",
    "size": 1234567,
    "sha256": "ab" * 32,
    "records": 4711,
    "objects": [],
    "suspect": [],
}


class Topic:
    """Keeps what is published; fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: dict[str, Any] = {}

    def publish(self, **sent: Any) -> None:
        if self.error:
            raise self.error
        self.sent = sent


def published(document: Any, execution: str = EXECUTION) -> dict[str, Any]:
    topic: Any = Topic()
    notifications.publish(topic, "arn:topic", document, execution)
    assert topic.sent["MessageStructure"] == "json"
    return dict(topic.sent)


def for_programs(sent: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.loads(sent["Message"])["default"])
    return document


def for_people(sent: dict[str, Any]) -> str:
    return str(json.loads(sent["Message"])["email"])


def test_a_landing_is_told_to_programs_as_the_contract_has_it() -> None:
    sent = published(notifications.landing_notice(IDENTITY, "e" * 64, LANDING))
    assert for_programs(sent) == {
        "schema": "logferry.notification/1",
        "status": "LANDED",
        "export_id": "e" * 64,
        **{name: IDENTITY[name] for name in ("source", "connection", "target", "window")},
        **{name: value for name, value in LANDING.items() if name != "objects"},
        "execution": EXECUTION,
    }
    assert sent["MessageAttributes"] == {
        "status": {"DataType": "String", "StringValue": "LANDED"},
        "source": {"DataType": "String", "StringValue": "spark-log-csv"},
        "connection": {"DataType": "String", "StringValue": "acme-uat"},
    }


@pytest.mark.parametrize("name", [f"{'e' * 64}-1", f"{'e' * 64}-12-0a1b2c3d"])
def test_what_a_collection_started_is_told_apart_by_an_attribute(name: str) -> None:
    sent = published(notifications.landing_notice(IDENTITY, "e" * 64, LANDING), f"arn:aws:states:x:{name}")

    assert sent["MessageAttributes"]["collection"] == {"DataType": "String", "StringValue": "true"}


def test_a_landing_is_told_to_people_in_sentences() -> None:
    suspect = ["0 records, where this series usually has some"]
    sent = published(notifications.landing_notice(IDENTITY, "e" * 64, {**LANDING, "suspect": suspect}))
    assert sent["Subject"] == "Logferry landed spark-log-csv of acme-uat."
    text = for_people(sent)
    assert "Window: 2026-11-18T00:00:00Z to 2026-11-19T00:00:00Z (end not included)." in text
    assert "Target: folder Motor, service Quote." in text
    assert f"4,711 records, 1,234,567 bytes, in s3://landing/{LANDING['key']}." in text
    assert "Look at it: 0 records, where this series usually has some." in text


def test_records_that_cannot_be_told_are_said_to_be_unknown() -> None:
    text = for_people(published(notifications.landing_notice(IDENTITY, "e", {**LANDING, "records": None})))
    assert "an unknown number of records" in text


def test_a_failure_says_what_why_and_what_to_do() -> None:
    sent = published(
        notifications.failure_notice(IDENTITY, "e" * 64, "landing", "ExportFailedError", "disk full")
    )
    document = for_programs(sent)
    assert (document["status"], document["error"], document["cause"]) == (
        "FAILED",
        "ExportFailedError",
        "disk full",
    )
    assert document["bucket"] == "landing"
    assert {
        document[name] for name in ("key", "version_id", "manifest_key", "size", "sha256", "records")
    } == {None}
    text = for_people(sent)
    assert sent["Subject"].startswith("Logferry could not export spark-log-csv of acme-uat.")
    assert "Why: ExportFailedError: disk full" in text
    assert "start the export again with the same input" in text
    assert EXECUTION in text


def test_an_input_too_broken_to_identify_is_told_all_the_same() -> None:
    sent = published(
        notifications.failure_notice({}, None, "landing", "InvalidRequestError", "source: is required")
    )
    document = for_programs(sent)
    assert {document[name] for name in ("export_id", "source", "connection", "target", "window")} == {None}
    assert set(sent["MessageAttributes"]) == {"status"}
    assert "an export of an unknown connection" in for_people(sent)


def test_neither_filters_nor_a_job_are_told() -> None:
    # Given a row with all that the ledger holds
    row = {**LANDING, "job_id": "job-1", "request": IDENTITY, "owner": "x"}
    sent = str(published(notifications.landing_notice(IDENTITY, "e", row)))
    assert "dana@acme.example" not in sent
    assert "job-1" not in sent


@given(
    source=st.text(max_size=300),
    connection=st.text(max_size=300),
    target=st.dictionaries(
        st.text(max_size=5), st.text(max_size=1000) | st.integers() | st.booleans(), max_size=4
    ),
    cause=st.text(max_size=1024),
)
def test_whatever_is_told_is_within_what_sns_takes(
    source: str, connection: str, target: dict[str, Any], cause: str
) -> None:
    identity = {**IDENTITY, "source": source, "connection": connection, "target": target}
    sent = published(notifications.failure_notice(identity, "e", "landing", "SomeError", cause))
    # Then the subject is printable ASCII of at most 100 characters, and begins with a letter
    assert 0 < len(sent["Subject"]) <= 100
    assert sent["Subject"].isascii()
    assert sent["Subject"].isprintable()
    # And the message is not too large, and no attribute is empty
    assert len(sent["Message"].encode()) < 256 * 1024
    assert all(each["StringValue"] for each in sent["MessageAttributes"].values())


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttled", "Message": "x"}}, "Publish"),
        EndpointConnectionError(endpoint_url="https://sns.example.com/?token=SECRET"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_of_sns_is_a_delivery_error(error: Exception) -> None:
    topic: Any = Topic(error)
    with pytest.raises(DeliveryError, match="SNS Publish failed") as raised:
        notifications.publish(
            topic, "arn:topic", notifications.landing_notice(IDENTITY, "e", LANDING), EXECUTION
        )
    assert "SECRET" not in str(raised.value)


def test_a_message_that_sns_would_refuse_is_cut_with_its_count() -> None:
    # Given a document and a text far over 256 KiB
    windows = [{"cause": "\N{GRINNING FACE}" * 1000} for _ in range(50)]
    sent: list[dict[str, Any]] = []

    class Client:
        def publish(self, **call: Any) -> None:
            sent.append(call)

    client: Any = Client()
    notifications.publish_message(client, "topic", {"failed_windows": windows, "failed": 50}, "x" * 10**6, {})
    # Then SNS takes what is sent, and it says how much was left out
    [call] = sent
    assert len(call["Message"].encode()) <= 256 * 1024
    document = json.loads(json.loads(call["Message"])["default"])
    assert len(document["failed_windows"]) + document["cut"]["failed_windows"] == 50
    assert "more characters" in json.loads(call["Message"])["email"]
    # And what has no list to be cut is a named error
    with pytest.raises(DeliveryError, match="bytes"):
        notifications.publish_message(client, "topic", {"cause": "x" * 10**6}, "", {})
