"""What must hold for every source: each registered one goes through all of it, none is named here."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import uuid
import zipfile
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import openpyxl
import pytest

from logferry.errors import (
    AuthenticationError,
    ConnectionConfigError,
    CorruptDownloadError,
    ExportFailedError,
    InvalidRequestError,
    SourceUnavailableError,
)
from logferry.models.job import FileKind
from logferry.sources.registry import source_named, source_names
from tests.integration.steps import BUCKET, Steps, arn, example, stage
from tests.sandbox.vendor import Delivery, Reply, Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logferry.sources.base import Source

SOURCES = source_names()
KINDS = sorted({kind for name in SOURCES for kind in source_named(name).auth})
OUTPUT = {
    *("state", "export_id", "owner", "bucket", "key", "manifest_key", "size", "sha256", "records"),
    *("objects", "submits", "attempts", "polls"),
}
MANIFEST = {
    *("schema", "export_id", "request", "source", "job_id", "bucket", "key", "version_id", "size", "sha256"),
    *("content_type", "entries", "objects", "records", "suspect", "requested_at", "landed_at", "submits"),
    *("attempts", "polls", "logferry_version"),
}
NOTIFICATION = {
    *("schema", "status", "export_id", "source", "connection", "target", "window", "bucket", "key"),
    *("version_id", "manifest_key", "size", "sha256", "records", "suspect", "execution"),
}


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with Vendors(polls=2, rows=20) as vendors, stage(vendors, monkeypatch) as steps:
        yield steps


@pytest.fixture(name="source", params=SOURCES)
def _source(request: pytest.FixtureRequest) -> Source:
    return source_named(request.param)


def a_file(kind: FileKind) -> tuple[bytes, int]:
    """Make a file of a kind, with a library of the test's own, and say how many records are in it."""
    file = io.BytesIO()
    if kind is FileKind.GZIP_JSONL:
        return gzip.compress(b'{"a": 1}\n{"a": 2}\n'), 2
    if kind is FileKind.XLSX:
        book = openpyxl.Workbook()
        for row in (["a", "b"], [1, "x"], [2, "y"]):
            book.worksheets[0].append(row)
        book.save(file)
        return file.getvalue(), 2
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind is FileKind.ZIP_CSV:
            archive.writestr("1.csv", "Call ID,Total\nx,1\n")
            archive.writestr("2.csv", 'Call ID,Total\ny,"2\n2"\n')
        else:
            archive.writestr("1.json", json.dumps([{"EngineCallId": "x"}, {"EngineCallId": "y"}]))
    return file.getvalue(), 2


def sample(kind: Any) -> Any:
    """Give a value of a filter's type."""
    for each in get_args(kind) if get_origin(kind) is not Literal else (kind,):
        if get_origin(each) is Literal:
            return get_args(each)[-1]
        if get_origin(each) is list:
            return [str(uuid.uuid4()), str(uuid.uuid4())]
        if each is not type(None):
            return {int: 3, bool: True, str: str(uuid.uuid4())}[each]
    raise AssertionError(kind)


def spoken(document: Any) -> Iterator[tuple[Any, Any]]:
    """Give every name with its value in a body, also those of `{"column": …, "value": …}`."""
    if isinstance(document, dict):
        yield from document.items()
        if "column" in document:
            yield document["column"], document["value"]
        for value in document.values():
            yield from spoken(value)
    elif isinstance(document, list):
        for value in document:
            yield from spoken(value)


def of_kind(steps: Steps, source: Source, kind: str) -> dict[str, Any]:
    """Write a connection that is right for the source but for the kind of its credentials."""
    request = example(source.name)
    usual: dict[str, Any] = dict(steps.vendors.connections[request["connection"]])
    usual["auth"] = steps.vendors.secret(kind)["auth"]  # type: ignore[arg-type]
    steps.put_secret("other", usual)
    return {**request, "connection": "other"}


# ---- the usual way


def test_what_lands_is_what_the_vendor_served_byte_for_byte(steps: Steps, source: Source) -> None:
    # Given a file that was made here, or the record that the vendor gives
    if source.kind is not FileKind.JSON:
        content, records = a_file(source.kind)
        steps.vendors.deliver(Delivery(body=content))
    # When the export runs
    result = steps.run(example(source.name))[-1]
    # Then the file lies under its key and nothing else does, but the manifest
    landed = steps.body(result["key"])
    assert sorted(steps.keys) == [result["key"], result["manifest_key"]]
    if source.kind is FileKind.JSON:
        assert json.loads(landed)
        records = 1
    else:
        assert landed == content
    # And the result says so
    assert set(result) == OUTPUT
    assert (result["state"], result["owner"], result["bucket"]) == ("LANDED", arn("one"), BUCKET)
    assert result["sha256"] == hashlib.sha256(landed).hexdigest()
    assert (result["size"], result["records"]) == (len(landed), records)
    assert result["objects"] == [
        {
            "key": result["key"],
            "version_id": result["objects"][0]["version_id"],
            "size": len(landed),
            "sha256": result["sha256"],
            "records": records,
        }
    ]
    assert (result["submits"], result["attempts"]) == (1, 1)
    assert result["key"].endswith(source.kind.extension)
    # And so do the manifest and the notification
    manifest = json.loads(steps.body(result["manifest_key"]))
    assert set(manifest) == MANIFEST
    assert {name: manifest[name] for name in OUTPUT & MANIFEST} == {
        name: result[name] for name in OUTPUT & MANIFEST
    }
    assert manifest["version_id"] == result["objects"][0]["version_id"]
    assert manifest["suspect"] == []
    [message] = steps.messages
    assert set(message) == NOTIFICATION
    assert (message["status"], message["export_id"]) == ("LANDED", result["export_id"])
    assert (message["execution"], message["version_id"]) == (arn("one"), manifest["version_id"])
    # And nothing is held at the vendor or half done in the bucket
    assert steps.vendors.sessions == []
    assert steps.uploads == []


def test_an_export_that_has_landed_is_not_asked_for_again(steps: Steps, source: Source) -> None:
    # Given an export that has landed
    request = example(source.name)
    first = steps.run(request)[-1]
    asked = len(steps.vendors.requests)
    # When another execution wants it
    [second] = steps.run(request, name="two")
    # Then it gets the earlier landing, the vendor hears nothing and nobody is told twice
    assert second == first
    assert len(steps.vendors.requests) == asked
    assert len(steps.messages) == 1


def test_a_refresh_lands_a_new_version_under_the_same_key(steps: Steps, source: Source) -> None:
    # Given an export that has landed
    request = example(source.name)
    first = steps.run(request)[-1]
    asked = len(steps.vendors.requests)
    # When it is asked for afresh
    second = steps.run({**request, "refresh": True}, name="two")[-1]
    # Then a new job gave a new version of the same object, and that was announced
    assert (second["key"], second["export_id"]) == (first["key"], first["export_id"])
    assert second["objects"][0]["version_id"] != first["objects"][0]["version_id"]
    assert len(steps.vendors.requests) > asked
    assert [message["version_id"] for message in steps.messages] == [
        each["objects"][0]["version_id"] for each in (first, second)
    ]
    # And the next run takes that one for the landing
    assert steps.run(request, name="three")[-1]["objects"] == second["objects"]


def test_another_live_execution_is_left_at_work(steps: Steps, source: Source) -> None:
    # Given an export that an execution is at work on
    request = example(source.name)
    steps.ready(request)
    asked = len(steps.vendors.requests)
    # When another one wants it too
    [result] = steps.run(request, name="two")
    # Then that one is told who works, and did nothing
    assert set(result) == OUTPUT
    assert (result["state"], result["owner"]) == ("DUPLICATE", arn("one"))
    assert {value for name, value in result.items() if name not in ("state", "owner", "export_id")} == {None}
    assert len(steps.vendors.requests) == asked


# ---- what reaches the vendor


def test_every_filter_reaches_the_vendor(steps: Steps, source: Source) -> None:
    # Given a value for each filter that the source documents
    request = example(source.name)
    filters = {name: sample(kind) for name, kind in get_type_hints(source.Filters).items()}
    # When the export is submitted with all of them
    steps.submit({**request, "filters": filters})
    # Then the vendor got each under its own name
    bodies = [each.json for each in steps.vendors.requests if each.json is not None]
    said = {name: value for body in bodies for name, value in spoken(body)}
    for name, value in filters.items():
        assert said[name] in (value, json.dumps(value, separators=(",", ":")))


def test_names_that_need_encoding_reach_the_vendor_whole(steps: Steps, source: Source) -> None:
    # Given a folder and a service with everything in their names that a path must not hold
    request = example(source.name)
    awkward = {"folder": "Motor / Fleet?#%2F", "service": "Prämie & more; 100%"}
    steps.vendors.services.add((awkward["folder"], awkward["service"]))
    target = {**request.get("target", {})}
    target |= {name: value for name, value in awkward.items() if name in target}
    # When it is exported
    result = steps.run({**request, "target": target})[-1]
    # Then the vendor knew them
    assert result["state"] == "LANDED"
    assert all(part not in result["key"] for part in ("?", "#", " ", "ä"))


def test_unknown_keys_are_refused_before_anything_is_asked(steps: Steps, source: Source) -> None:
    request = example(source.name)
    for part in ("target", "filters"):
        wrong = {**request, part: {**request.get(part, {}), "colour": "red"}}
        # When an input has a key that the source does not know
        with pytest.raises(InvalidRequestError, match=rf"{part}\.colour") as refused:
            steps.submit(wrong)
        # Then the message says which are known
        for known in fields(source.Target if part == "target" else source.Filters):
            assert known.name in str(refused.value)
    assert steps.vendors.requests == []


def test_a_source_without_windows_takes_none_and_others_need_one(steps: Steps, source: Source) -> None:
    request = example(source.name)
    if source.window is None:
        request["window"] = {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"}
    else:
        del request["window"]
    with pytest.raises(InvalidRequestError, match="window"):
        steps.submit(request)
    assert steps.vendors.requests == []


# ---- credentials


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_credentials_is_taken_or_refused_at_once(
    steps: Steps, source: Source, kind: str
) -> None:
    # Given a connection with credentials of a kind
    request = of_kind(steps, source, kind)
    if kind in source.auth:
        # When the source takes that kind, then the export lands
        assert steps.run(request)[-1]["state"] == "LANDED"
        return
    # When it does not, then it says so before anything is asked
    with pytest.raises(ConnectionConfigError, match=r"auth\.type") as refused:
        steps.submit(request)
    for taken in source.auth:
        assert taken in str(refused.value)
    assert steps.vendors.requests == []


def test_a_connection_without_its_account_is_refused_at_once(steps: Steps, source: Source) -> None:
    request = example(source.name)
    document = dict(steps.vendors.connections[request["connection"]])
    del document[source.account]
    steps.put_secret(request["connection"], document)
    with pytest.raises(ConnectionConfigError, match=source.account):
        steps.submit(request)
    assert steps.vendors.requests == []


def test_tokens_that_end_on_the_way_fail_no_export(steps: Steps, source: Source) -> None:
    # Given that every token is withdrawn between two steps
    request = example(source.name)
    state = steps.submit(request)
    steps.vendors.access.revoke_issued()
    while state["state"] == "RUNNING":
        state = steps.check(request, state)
        steps.vendors.access.revoke_issued()
    # When the file is fetched, then a fresh token was had each time
    assert steps.fetch(request, state)["state"] == "LANDED"
    assert steps.vendors.sessions == []


def test_a_secret_that_is_rotated_on_the_way_fails_no_export(steps: Steps, source: Source) -> None:
    # Given that the client secret, the bearer token and the API key are changed while a job runs
    for kind in source.auth:
        request = {**of_kind(steps, source, kind), "refresh": True}
        steps.forget()
        state = steps.submit(request, name=kind)
        access = steps.vendors.access
        for change in (access.rotate_secret, access.rotate_token, access.rotate_key, access.revoke_issued):
            change()
        of_kind(steps, source, kind)
        # When the export goes on, then it lands
        while state["state"] == "RUNNING":
            state = steps.check(request, state, name=kind)
        assert steps.fetch(request, state, name=kind)["state"] == "LANDED"


def test_a_403_names_the_permission_that_is_missing(steps: Steps, source: Source) -> None:
    request = example(source.name)
    for step in ("submit", "call", "call_excel", "session"):
        steps.vendors.script(step, Reply(403))
    with pytest.raises(AuthenticationError) as refused:
        steps.run(request)
    assert source.permission in str(refused.value)


# ---- faults


USUAL: dict[str, list[str]] = {}


def steps_of(steps: Steps, source: Source) -> list[str]:
    """Give the names of all requests on the usual way."""
    if source.name not in USUAL:
        steps.run({**example(source.name), "refresh": True}, name="rehearsal")
        USUAL[source.name] = list(dict.fromkeys(each.step for each in steps.vendors.requests))
    return USUAL[source.name]


def test_every_wait_that_the_vendor_asks_for_is_kept(steps: Steps, source: Source) -> None:
    # Given a vendor that wants every request to come later
    usual = steps_of(steps, source)
    steps.forget()
    for step in usual:
        steps.vendors.script(step, Reply.throttled(7.2))
    # When the export runs
    states = steps.run({**example(source.name), "refresh": True}, name="throttled")
    # Then the state machine waits as long each time, no function fails, and it lands
    assert [state["wait_seconds"] for state in states if state.get("wait_seconds") == 8] == [8] * len(usual)
    assert states[-1]["state"] == "LANDED"
    assert steps.vendors.sessions == []


@pytest.mark.parametrize("reply", [Reply(500), Reply.lost(reset=True)], ids=["500", "lost"])
def test_faults_at_every_step_end_in_one_landing(steps: Steps, source: Source, reply: Reply) -> None:
    # Given a vendor that fails at every request, once
    usual = steps_of(steps, source)
    steps.forget()
    asked, jobs, told = len(steps.vendors.requests), len(steps.vendors.jobs), len(steps.messages)
    for step in usual:
        steps.vendors.script(step, reply)
    # When the state machine retries what it may retry
    states = steps.run({**example(source.name), "refresh": True}, name="faulty", retries=4)
    # Then the export lands once, and the vendor had one job, or two where a reply was lost
    assert states[-1]["state"] == "LANDED"
    again = [request.step for request in steps.vendors.requests[asked:]]
    assert all(again.count(step) > 1 for step in usual)
    assert len(steps.vendors.jobs) - jobs <= (1 if reply.status else 2)
    assert len(steps.messages) - told == 1
    assert len(steps.keys) == 2


def test_a_vendor_that_is_away_leaves_nothing_behind(steps: Steps, source: Source) -> None:
    # Given a job that is ready at a vendor that is gone when the file is wanted
    request = example(source.name)
    state = steps.ready(request)
    with steps.vendors.down("api"):
        with pytest.raises(SourceUnavailableError) as failed:
            steps.fetch(request, state)
        # When the export is abandoned meanwhile, and again later
        try:
            steps.abandon(request, "SourceUnavailableError", str(failed.value))
        except SourceUnavailableError:
            assert not source.adoptable
    steps.abandon(request, "SourceUnavailableError", str(failed.value))
    steps.end("one")
    # Then nothing lies in the bucket or is held at the vendor, and people were told once
    assert (steps.keys, steps.uploads, steps.vendors.sessions) == ([], [], [])
    [message] = steps.messages
    assert (message["status"], message["error"]) == ("FAILED", "SourceUnavailableError")
    assert (message["key"], message["version_id"]) == (None, None)
    assert steps.row(request)["state"] == "FAILED"
    # And the next run lands, with the same job where that outlives an execution
    jobs = len(steps.vendors.jobs)
    result = steps.run(request, name="two")[-1]
    assert (result["state"], result["attempts"]) == ("LANDED", 2)
    assert len(steps.vendors.jobs) == jobs


def test_a_page_in_place_of_the_file_lands_nothing(steps: Steps, source: Source) -> None:
    # Given a vendor that serves a login page as the file
    request = example(source.name)
    state = steps.ready(request)
    if source.kind is FileKind.JSON:
        steps.vendors.script("call", Reply(200, body=b"<html>Sign in</html>"))
    steps.vendors.deliver(Delivery.html_page())
    # When it is fetched
    with pytest.raises((CorruptDownloadError, SourceUnavailableError)) as failed:
        steps.fetch(request, state)
    steps.abandon(request, type(failed.value).__name__, str(failed.value))
    # Then nothing lies in the bucket and the vendor is released
    assert (steps.keys, steps.uploads, steps.vendors.sessions) == ([], [], [])
    assert [message["status"] for message in steps.messages] == ["FAILED"]


def test_an_execution_that_was_stopped_is_cleaned_up_and_announced_once(steps: Steps, source: Source) -> None:
    # Given an execution that somebody aborts while its job is ready
    request = example(source.name)
    state = steps.ready(request)
    # When the rule on ended executions calls, twice as EventBridge may
    steps.ended(request, "ABORTED")
    steps.ended(request, "ABORTED")
    # Then the vendor is released, the ledger says so, and people were told once
    assert steps.vendors.sessions == []
    assert (steps.row(request)["state"], steps.row(request)["error"]) == ("FAILED", "ExecutionAborted")
    assert [message["error"] for message in steps.messages] == ["ExecutionAborted"]
    # And a function that still runs behind it is fenced off
    assert steps.fetch(request, state)["state"] == "LOST"
    assert steps.keys == []


def test_no_secret_is_in_what_the_vendor_says_of_a_failure(steps: Steps, source: Source) -> None:
    access = steps.vendors.access
    own = {
        "client_credentials": access.client_secret,
        "bearer": access.token,
        "api_key": access.api_key,
        "uaa": access.uaa_key,
    }
    for kind in source.auth:
        # Given a vendor that repeats our secret, and a download URL, in its refusal
        request = of_kind(steps, source, kind)
        steps.forget()
        words = f"no: {own[kind]} at https://files.example.com/x?sig=SECRETSIGNATURE"
        for step in ("submit", "call", "call_excel", "session"):
            steps.vendors.script(step, Reply(422, json={"error": {"message": words}}))
        # When the export fails of it and is abandoned
        with pytest.raises(InvalidRequestError, match="no:") as failed:
            steps.run(request, name=kind)
        steps.abandon(request, "InvalidRequestError", str(failed.value), name=kind)
        steps.end(kind)
        steps.vendors.clear()
        # Then nobody reads them
        everything = f"{failed.value} {steps.messages} {steps.row(request)}"
        assert own[kind] not in everything
        assert "SECRETSIGNATURE" not in everything


def test_a_job_that_is_gone_fails_and_is_never_adopted(steps: Steps, source: Source) -> None:
    if source.window is None or not source.adoptable:
        pytest.skip("there is no job to be lost")
    # Given a job that the vendor has forgotten, longer ago than it takes to show a new one
    request = example(source.name)
    state = steps.submit(request)
    steps.vendors.forget_job(state["job_id"])
    steps.wait(seconds=source.visible_within - 1)
    assert steps.check(request, state)["state"] == "RUNNING"
    steps.wait(seconds=1)
    # When it is asked about
    with pytest.raises(ExportFailedError, match=state["job_id"]):
        steps.check(request, state)
    steps.abandon(request, "ExportFailedError", "gone")
    steps.end("one")
    # Then the next run asks for a new one
    assert steps.submit(request, name="two")["job_id"] != state["job_id"]
