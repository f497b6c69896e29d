"""Every bad input ends FAILED with its named error, a message to act on, and a notification."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.vendor.messages import Reply

if TYPE_CHECKING:
    from tests.e2e.world import World

WINDOW = {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"}
BASE = {"base_url": "https://127.0.0.1"}
SECRET = "hunter2-hunter2-hunter2"
BAD_INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"source": "spark-log-xml"}, "source: must be one of"),
    ({"password": SECRET}, "password: is not known here"),
    ({"target": {}}, "target.folder: is required"),
    ({"target": {"folder": "Motor", "service": "Quote", "version": SECRET}}, "target.version: is not known"),
    ({"window": {**WINDOW, "start": "2026-11-18T00:00:00"}}, "window.start: must have an offset or Z"),
    ({"window": {"start": WINDOW["end"], "end": WINDOW["start"]}}, "window: end must be later than start"),
    ({"window": None}, "window: is required"),
    ({"source": "spark-call", "target": {"call_id": "1"}, "window": WINDOW}, "window: spark-call takes none"),
    ({"filters": {"has_errors": SECRET}}, "filters.has_errors: input should be a valid boolean"),
    ({"target": {"folder": "..", "service": "Quote"}}, "target.folder: must be plain text"),
    ({"connection": "../../etc"}, "connection: must begin with a letter or digit"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_INPUTS)
def test_a_wrong_input_fails_before_any_request_leaves(
    world: World, changes: dict[str, Any], message: str
) -> None:
    # Given
    before = len(world.vendors.requests)
    # When
    outcome = world.run({**world.input(), **changes})
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    assert message in (outcome.cause or "")
    assert len(world.vendors.requests) == before
    [notification] = world.notifications("FAILED")
    assert notification["message"]["error"] == "InvalidRequestError"
    assert SECRET not in json.dumps([notification, outcome.cause])


@pytest.mark.parametrize("text", ["[]", '"spark-log-csv"', "null", "7", "{}"])
def test_an_input_too_broken_to_identify_is_still_told(world: World, text: str) -> None:
    # When
    outcome = world.run(text)
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    [notification] = world.notifications("FAILED")
    message = notification["message"]
    assert (message["export_id"], message["window"], message["key"]) == (None, None, None)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (None, "no readable secret logferry/nowhere"),
        (SECRET, "the secret is not JSON"),
        ("[1]", "the secret must be one JSON object"),
        ({"tenant": "acme", "auth": {"type": "bearer", "token": SECRET}}, "base_url: is missing"),
        (
            {"base_url": "https://127.0.0.1", "auth": {"type": "bearer", "token": SECRET}},
            "tenant: is missing",
        ),
        (
            {"base_url": "https://127.0.0.1", "tenant": "acme", "auth": {"type": "bearer"}},
            "auth.token: is missing",
        ),
        (
            {**BASE, "tenant": "acme", "auth": {"type": "uaa", "api_key": SECRET}},
            "auth.type: spark-log-csv takes client_credentials, bearer, api_key",
        ),
        (
            {"base_url": "http://127.0.0.1", "tenant": "acme", "auth": {"type": "bearer", "token": SECRET}},
            "base_url: must be an https:// URL",
        ),
    ],
)
def test_a_connection_that_cannot_be_used_is_named(
    world: World, secret: dict[str, Any] | str | None, message: str
) -> None:
    # Given
    name = "nowhere" if secret is None else f"broken-{abs(hash(str(secret)))}"
    if secret is not None:
        world.sandbox.connect(name, secret)
    # When
    outcome = world.run(connection=name)
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "ConnectionConfigError")
    assert message in (outcome.cause or "")
    assert SECRET not in json.dumps([outcome.history, world.notifications()], default=str)
    assert world.jobs == []


@pytest.mark.parametrize(
    ("source", "connection", "message"),
    [
        ("spark-events", "acme-key", "auth.type: spark-events takes client_credentials, bearer"),
        ("ibm-activity-tracker", "acme-uat", "the secret has a key besides"),
    ],
)
def test_an_auth_kind_that_a_source_does_not_take_is_refused_first(
    world: World, source: str, connection: str, message: str
) -> None:
    # When
    outcome = world.run(source=source, connection=connection)
    # Then
    assert (outcome.error, world.requests("submit")) == ("ConnectionConfigError", [])
    assert message in (outcome.cause or "")


def test_a_folder_that_the_vendor_does_not_know_is_named(world: World) -> None:
    # When
    outcome = world.run(target={"folder": "Moto", "service": "Quote"})
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    assert "no service 'Quote' in folder 'Moto'" in (outcome.cause or "")
    assert len(world.requests("submit")) == 1


def test_a_call_that_left_no_record_is_no_empty_file(world: World) -> None:
    # When
    outcome = world.run(source="spark-call", target={"call_id": "00000000-0000-4000-8000-000000000000"})
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    assert "target.call_id: the vendor keeps no record" in (outcome.cause or "")


def test_wrong_credentials_are_tried_afresh_once(world: World) -> None:
    # Given
    secret = world.vendors.secret("bearer")
    world.sandbox.connect("wrong", {**secret, "auth": {"type": "bearer", "token": SECRET}})
    # When
    outcome = world.run(connection="wrong")
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "AuthenticationError")
    assert len(world.requests("submit")) == 2
    assert "check the connection's secret" in (outcome.cause or "")


def test_a_wrong_client_secret_is_an_authentication_error(world: World) -> None:
    # Given
    secret = world.vendors.secret("client_credentials")
    wrong = {**secret["auth"], "client_secret": SECRET}
    world.sandbox.connect("wrong-client", {**secret, "auth": wrong})
    # When
    outcome = world.run(connection="wrong-client")
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "AuthenticationError")
    assert len(world.requests("token")) == 2
    assert world.requests("submit") == []


def test_a_403_names_the_permission(world: World) -> None:
    # Given
    world.set(permissions=frozenset())
    # When
    outcome = world.run(connection="acme-key")
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "AuthenticationError")
    assert "Spark.DownloadCsvLog.json or Spark.AllEncompassingProxy.json" in (outcome.cause or "")
    assert len(world.requests("submit")) == 1


@pytest.mark.parametrize("status", [400, 409, 422])
def test_any_other_refusal_is_final_and_repeats_the_vendors_words(world: World, status: int) -> None:
    # Given
    refusal = {"status": "Error", "error": {"message": f"no such thing, token={SECRET}"}}
    world.vendors.script("submit", Reply(status, json=refusal))
    # When
    outcome = world.run()
    # Then
    assert (outcome.status, outcome.error) == ("FAILED", "InvalidRequestError")
    assert "no such thing" in (outcome.cause or "")
    assert SECRET not in (outcome.cause or "")
    assert len(world.requests("submit")) == 1
