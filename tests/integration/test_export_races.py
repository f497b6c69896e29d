"""Steps that overlap, die and come again: what two calls do to each other that a usual run never shows."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from logferry import runtime
from logferry.errors import (
    DeliveryError,
    ExportFailedError,
    ExportTimedOutError,
    InvalidRequestError,
    SourceUnavailableError,
    SubmitUncertainError,
)
from logferry.ledger.repository import Ledger
from logferry.ledger.table import FencedError
from logferry.sources.registry import source_named
from logferry.storage.bucket import find
from tests.integration.steps import BUCKET, Steps, arn, example, stage
from tests.sandbox.vendor import Delivery, Reply, Vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from logferry.storage.bucket import Existing
    from tests.sandbox.vendor.messages import Received

LOG, IBM = example("spark-log-csv"), example("ibm-activity-tracker")
FIRST_KEY = "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/20261118T000000Z--20261119T000000Z.zip"


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with Vendors(polls=1, rows=5) as vendors, stage(vendors, monkeypatch) as steps:
        yield steps


class KilledError(BaseException):
    """What a function cannot catch."""


def killed_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let the next call of a method be the last thing that happens."""
    original = getattr(owner, name)

    def call(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(owner, name, original)
        original(*arguments, **more)
        raise KilledError

    monkeypatch.setattr(owner, name, call)


def killed(*_: Any, **__: Any) -> Any:
    raise KilledError


def dumb(*_: Any) -> Any:
    raise OSError


def failing_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception) -> None:
    original = getattr(owner, name)

    def call(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(owner, name, original)
        raise error

    monkeypatch.setattr(owner, name, call)


def during(steps: Steps, step: str, do: Callable[[], object]) -> None:
    """Do something while the vendor has a request of a step, once."""
    left = [do]

    def once(_: Received) -> None:
        if left:
            left.pop()()

    steps.vendors.on(step, once, "before")


# ---- submit


def test_a_submit_that_died_after_its_post_is_followed_by_one_more_at_most(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_named(LOG["source"])
    for posts in (1, 2):
        # Given a function that is killed once the vendor has the job
        killed_after(monkeypatch, source, "submit")
        with pytest.raises(KilledError):
            steps.submit(LOG)
        assert len(steps.vendors.jobs) == posts
        assert steps.row(LOG)["submits"] == posts
    # When it is called again, then it sends no third
    with pytest.raises(SubmitUncertainError, match="2 submits were sent"):
        steps.submit(LOG)
    assert len(steps.vendors.jobs) == 2


def test_the_intent_is_written_before_the_post(steps: Steps) -> None:
    seen: list[dict[str, Any]] = []
    during(steps, "submit", lambda: seen.append(steps.row(LOG)))
    steps.submit(LOG)
    [row] = seen
    assert (row["state"], row["submits"]) == ("CLAIMED", 1)
    assert "intended_at" in row


def test_where_no_second_post_is_allowed_none_is_sent(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBMIT_UNCERTAIN", "fail")
    steps.forget()
    killed_after(monkeypatch, source_named(LOG["source"]), "submit")
    with pytest.raises(KilledError):
        steps.submit(LOG)
    with pytest.raises(SubmitUncertainError, match="an earlier call died"):
        steps.submit(LOG)
    # Nor by an execution that takes over
    steps.end("one")
    with pytest.raises(SubmitUncertainError):
        steps.submit(LOG, name="two")
    assert len(steps.vendors.jobs) == 1


def test_a_submit_that_was_never_sent_is_not_counted(steps: Steps) -> None:
    with steps.vendors.down(), pytest.raises(SourceUnavailableError):
        steps.submit(LOG)
    assert steps.row(LOG)["submits"] == 0
    assert steps.run(LOG)[-1]["submits"] == 1


def test_two_calls_of_submit_at_once_post_no_third_job(steps: Steps) -> None:
    # Given a second call of the same step while the first one's POST is under way
    states = []
    during(steps, "submit", lambda: states.append(steps.submit(LOG)))
    # When the first one comes back, then it has lost the row and does no harm
    assert steps.submit(LOG)["state"] == "LOST"
    assert states[0]["job_id"] == steps.row(LOG)["job_id"]
    assert len(steps.vendors.jobs) == 2
    assert steps.submit(LOG)["job_id"] == states[0]["job_id"]


def test_a_submit_behind_a_stopped_execution_leaves_no_session(steps: Steps) -> None:
    # Given an execution that is stopped while its POST is under way
    during(steps, "session", lambda: steps.ended(IBM, "ABORTED"))
    # When the function goes on, then it is fenced off, and gives back what it got
    assert steps.submit(IBM)["state"] == "LOST"
    assert steps.vendors.sessions == []
    assert steps.row(IBM)["state"] == "FAILED"


def test_a_session_that_cannot_be_written_down_is_given_back(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, Ledger, "submitted", DeliveryError("DynamoDB is away"))
    with pytest.raises(DeliveryError):
        steps.submit(IBM)
    assert steps.vendors.sessions == []
    assert steps.run(IBM)[-1]["state"] == "LANDED"
    assert steps.vendors.sessions == []


# ---- sessions of others


def test_a_session_of_a_dead_execution_is_released_by_the_next(steps: Steps) -> None:
    # Given an execution that died with a session, and no rule that saw it
    steps.ready(IBM)
    steps.end("one")
    # When the next one cannot release it at first
    steps.vendors.script("delete", Reply(500))
    with pytest.raises(SourceUnavailableError):
        steps.submit(IBM, name="two")
    assert len(steps.vendors.sessions) == 1
    # Then it does so before it asks for one of its own
    steps.submit(IBM, name="two")
    assert len(steps.vendors.sessions) == 1
    assert steps.vendors.max_concurrent_sessions == 1


def test_a_session_of_a_dead_refresh_is_released_by_the_next_usual_run(steps: Steps) -> None:
    landed = steps.run(IBM)[-1]
    steps.ready({**IBM, "refresh": True}, name="two")
    steps.end("two")
    assert len(steps.vendors.sessions) == 1
    # When a usual run finds the landing
    result = steps.run(IBM, name="three")[-1]
    # Then it gives that back, and nothing stays at the vendor
    assert (result["state"], result["objects"]) == ("LANDED", landed["objects"])
    assert steps.vendors.sessions == []
    assert len(steps.messages) == 1


def test_a_session_that_the_vendor_refuses_to_delete_is_in_nobodys_way(steps: Steps) -> None:
    # Given a vendor that will not delete a session that a dead execution left
    steps.ready(IBM)
    steps.end("one")
    steps.vendors.script("delete", Reply(400))
    # When the next one comes, then it goes on with one of its own
    result = steps.run(IBM, name="two")[-1]
    assert (result["state"], result["attempts"]) == ("LANDED", 2)


def test_a_landing_is_announced_whatever_becomes_of_the_session(steps: Steps) -> None:
    # Given a vendor that will not delete the session of an export that has landed
    state = steps.ready(IBM)
    steps.vendors.script("delete", Reply(400), Reply(400))
    with pytest.raises(InvalidRequestError) as failed:
        steps.fetch(IBM, state)
    with pytest.raises(InvalidRequestError):
        steps.abandon(IBM, "InvalidRequestError", str(failed.value))
    steps.end("one")
    # Then the landing was announced, and so was the failure; the next run finds the landing
    assert [message["status"] for message in steps.messages] == ["LANDED", "FAILED"]
    assert [state["state"] for state in steps.run(IBM, name="two")] == ["LANDED"]
    assert len(steps.messages) == 2


def test_a_release_that_has_to_wait_waits(steps: Steps) -> None:
    steps.ready(IBM)
    steps.end("one")
    steps.vendors.script("delete", Reply.throttled(40))
    state = steps.submit(IBM, name="two")
    assert (state["state"], state["wait_seconds"]) == ("THROTTLED", 40)
    steps.submit(IBM, state, name="two")
    assert len(steps.vendors.sessions) == 1


# ---- status


def test_three_replies_in_a_row_that_nobody_can_read_fail(steps: Steps) -> None:
    state = steps.submit(LOG)
    bad = Reply(200, body=b"<html>")
    steps.vendors.knobs.progress = [1] * 9
    steps.vendors.script("status", bad, bad, None, bad, bad, Reply.throttled(5), bad)
    # Given two, a good one, and two more with a wait between them and a third
    for malformed in (1, 2, 0, 1, 2, 2):
        state = steps.check(LOG, state)
        assert state["malformed"] == malformed
    with pytest.raises(ExportFailedError, match="3 replies in a row"):
        steps.check(LOG, state)


def test_the_last_poll_is_at_the_deadline_itself(steps: Steps) -> None:
    steps.vendors.knobs.stuck = True
    state = steps.submit(LOG)
    start = steps.clock
    # When a job never ends
    while (steps.clock - start).total_seconds() + state["wait_seconds"] < 21600:
        steps.wait(seconds=state["wait_seconds"])
        state = steps.check(LOG, state)
    steps.wait(seconds=state["wait_seconds"])
    with pytest.raises(ExportTimedOutError, match=state["job_id"]):
        steps.check(LOG, state)
    # Then it was waited for to the deadline and no further
    assert 0 <= (steps.clock - start).total_seconds() - 21600 <= 1
    assert state["polls"] <= 131
    # And the next run adopts it, asks at once, and goes on counting
    steps.abandon(LOG, "ExportTimedOutError")
    steps.end("one")
    adopted = steps.submit(LOG, name="two")
    assert (adopted["job_id"], adopted["wait_seconds"]) == (state["job_id"], 1)
    assert adopted["polls"] >= state["polls"]
    assert len(steps.vendors.jobs) == 1


def test_a_wait_beyond_the_deadline_is_not_begun(steps: Steps) -> None:
    state = steps.submit(LOG)
    steps.vendors.script("status", Reply.throttled(21601))
    with pytest.raises(ExportTimedOutError):
        steps.check(LOG, state)


@pytest.mark.parametrize("step", ["check", "fetch"])
def test_an_execution_whose_row_was_taken_over_is_told(steps: Steps, step: str) -> None:
    state = steps.submit(LOG)
    steps.end("one")
    steps.submit(LOG, name="two")
    # When the first one goes on all the same, as after a redrive
    steps.executions[arn("one")] = {"status": "RUNNING"}
    told = getattr(steps, step)(LOG, state)
    # Then it begins anew, and finds the other at work
    assert told["state"] == "LOST"
    assert steps.submit(LOG, told)["state"] == "DUPLICATE"
    assert steps.keys == []


# ---- fetch


def put_and_killed(steps: Steps, state: dict[str, Any], *, name: str = "one") -> None:
    """Fetch, and be killed once object and manifest are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "landed", killed)
        with pytest.raises(KilledError):
            steps.fetch(LOG, state, name=name)


def test_a_fetch_killed_before_the_ledger_knows_is_made_good_by_a_download(steps: Steps) -> None:
    # Given a function that is killed once object and manifest are written
    state = steps.ready(LOG)
    put_and_killed(steps, state)
    before = steps.versions()
    # When it is called again
    result = steps.fetch(LOG, state)
    # Then what lies there is replaced, since nothing says that the vendor served it
    assert result["state"] == "LANDED"
    assert steps.vendors.downloads == 2
    assert len(steps.versions()) == 4
    [landed] = result["objects"]
    assert (landed["key"], landed["version_id"]) not in before
    assert json.loads(steps.body(result["manifest_key"]))["version_id"] == landed["version_id"]
    assert len(steps.messages) == 1


def test_what_several_killed_fetches_put_is_all_taken_away(steps: Steps) -> None:
    # Given three calls, of two attempts, that put object and manifest and were killed
    state = steps.ready(LOG)
    put_and_killed(steps, state)
    put_and_killed(steps, state)
    steps.end("one")
    put_and_killed(steps, steps.ready(LOG, name="two"), name="two")
    # When the export is given up
    steps.abandon(LOG, "DeliveryError", name="two")
    # Then no earlier version comes back
    assert steps.keys == []


@pytest.mark.parametrize("told", [True, False])
def test_a_locked_version_is_left_for_the_next_attempt(
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    told: bool,
) -> None:
    # Given a bucket with Object Lock, whose refusal says so or whose HEAD does, and a fetch that was killed
    s3 = runtime.s3()
    monkeypatch.setenv("BUCKET", "locked")
    steps.forget()
    region = {"LocationConstraint": "eu-west-2"}
    s3.create_bucket(
        Bucket="locked",
        CreateBucketConfiguration=region,  # type: ignore[arg-type]
        ObjectLockEnabledForBucket=True,
    )
    retention: Any = {"Mode": "COMPLIANCE", "Days": 1}
    s3.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},
    )
    state = steps.ready(LOG)
    put_and_killed(steps, state)
    if told:
        monkeypatch.setattr("logferry.export._leftovers.find", lambda *found: unlocked(find(*found)))
        monkeypatch.setattr(s3, "delete_object", refused_by_lock)
    # When the export is given up
    answer = steps.abandon(LOG, "DeliveryError", "no")
    # Then that is no failure of its own, and the log says what lies there
    assert answer == {"Error": "DeliveryError", "Cause": "no"}
    [key, manifest] = [each["Key"] for each in s3.list_objects_v2(Bucket="locked")["Contents"]]
    left = {vars(record)["key"] for record in caplog.records if "locked" in record.message}
    assert left == {key, manifest}
    # And the next attempt replaces it
    steps.end("one")
    result = steps.run(LOG, name="two")[-1]
    assert result["state"] == "LANDED"
    current = s3.head_object(Bucket="locked", Key=key)["VersionId"]
    assert current == result["objects"][0]["version_id"]


def test_a_permission_that_lacks_is_no_lock(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    put_and_killed(steps, steps.ready(LOG))
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "DeleteObject")
    denied.response["ResponseMetadata"] = {"HTTPStatusCode": 403}  # type: ignore[typeddict-item]
    failing_once(monkeypatch, runtime.s3(), "delete_object", denied)
    with pytest.raises(DeliveryError, match="s3:DeleteObjectVersion"):
        steps.abandon(LOG, "DeliveryError", "no")


def unlocked(there: Existing | None) -> Existing | None:
    """Give what S3 says to a role that may not read retentions."""
    return replace(there, locked=False) if there else None


def refused_by_lock(**_: Any) -> Any:
    message = "Access Denied because object protected by object lock."
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, "DeleteObject")


# ---- whose object


def bare(steps: Steps, request: dict[str, Any], *names: str) -> None:
    """Take fields out of the row, as the release before wrote it."""
    item = {name: value for name, value in steps.row(request).items() if name not in names}
    runtime.ledger()._table.put(item)  # noqa: SLF001 - no door writes such rows any more


def put(key: str, body: bytes = b"mine", **marks: str) -> None:
    metadata = {name.replace("_", "-"): value for name, value in marks.items()}
    runtime.s3().put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata)


def test_a_nonce_is_in_the_row_before_the_first_write_and_in_all_that_is_written(steps: Steps) -> None:
    # Given what the row says while the file is on its way
    state = steps.ready(LOG)
    seen: list[Any] = []
    during(steps, "download", lambda: seen.append((steps.row(LOG)["nonces"], steps.versions())))
    # When it lands
    result = steps.fetch(LOG, state)
    # Then object and manifest carry the nonce, and the row has none any more
    [([nonce], [])] = seen
    for key in (result["key"], result["manifest_key"]):
        metadata = runtime.s3().head_object(Bucket=BUCKET, Key=key)["Metadata"]
        assert metadata == {"export-id": result["export_id"], "attempt": "1", "nonce": nonce}
    assert "nonces" not in steps.row(LOG)


@pytest.mark.parametrize("suffix", ["", ".manifest.json"])
@pytest.mark.parametrize("replayed", [False, True])
def test_a_planted_object_is_never_certified_nor_touched(
    steps: Steps,
    suffix: str,
    replayed: bool,  # noqa: FBT001
) -> None:
    # Given somebody who may write to the bucket, and knows names, ids and an older nonce
    state = steps.ready(LOG)
    marks = {"export_id": state["export_id"], "attempt": "1"}
    if replayed:
        other = steps.run(example("spark-log-json"), name="other")[-1]
        found = runtime.s3().head_object(Bucket=BUCKET, Key=other["key"])["Metadata"]
        marks["nonce"] = found["nonce"]
    told = len(steps.messages)
    planted = FIRST_KEY + suffix
    put(planted, b"forged", **marks)
    [version] = [version for key, version in steps.versions() if key == planted]
    # When the export is fetched
    with pytest.raises(DeliveryError) as failed:
        steps.fetch(LOG, state)
    # Then it is said what lies there, and nothing else
    assert all(words in str(failed.value) for words in (f"{planted} holds", "6 bytes", version))
    assert steps.row(LOG)["state"] == "SUBMITTED"
    # And it still lies there, alone, when the export is given up
    steps.abandon(LOG, "DeliveryError", str(failed.value))
    assert [key for key in steps.keys if key.startswith(FIRST_KEY)] == [planted]
    assert steps.body(planted) == b"forged"
    assert [message["status"] for message in steps.messages[told:]] == ["FAILED"]


@pytest.mark.parametrize("suffix", ["", ".manifest.json"])
def test_a_refresh_replaces_the_version_that_landed_and_no_other(steps: Steps, suffix: str) -> None:
    # Given a landing
    first = steps.run(LOG)[-1]
    refresh = {**LOG, "refresh": True}
    second = steps.run(refresh, name="two")[-1]
    assert (second["state"], second["attempts"]) == ("LANDED", 2)
    assert second["objects"][0]["version_id"] != first["objects"][0]["version_id"]
    # When somebody puts a copy of it in its place, with all its marks
    key = FIRST_KEY + suffix
    marks = runtime.s3().head_object(Bucket=BUCKET, Key=key)["Metadata"]
    runtime.s3().put_object(Bucket=BUCKET, Key=key, Body=steps.body(key), Metadata=marks)
    # Then that is another's
    state = steps.ready(refresh, name="three")
    with pytest.raises(DeliveryError, match="holds another object"):
        steps.fetch(refresh, state, name="three")


def test_what_the_release_before_put_and_never_landed_is_replaced(steps: Steps) -> None:
    # Given an export that the release before claimed, and objects of its that never landed
    state = steps.ready(LOG)
    bare(steps, LOG, "nonces_since")
    for suffix in ("", ".manifest.json"):
        put(FIRST_KEY + suffix, export_id=state["export_id"], attempt="1")
    # When this release goes on, and its call is killed too
    put_and_killed(steps, state)
    # Then the next one lands
    result = steps.fetch(LOG, state)
    assert (result["state"], steps.vendors.downloads) == ("LANDED", 2)
    assert steps.body(result["key"]) != b"mine"


def test_what_the_release_before_put_is_cleared(steps: Steps) -> None:
    # Given an attempt of the release before, and one of this release
    state = steps.ready(LOG)
    bare(steps, LOG, "nonces_since")
    put(FIRST_KEY, export_id=state["export_id"], attempt="1")
    steps.end("one")
    steps.ready(LOG, name="two")
    # When that is given up, then what both left is gone
    steps.abandon(LOG, "DeliveryError", name="two")
    assert steps.keys == []
    # And what has a later number without a nonce is of neither
    put(FIRST_KEY, export_id=state["export_id"], attempt="2")
    steps.abandon(LOG, "DeliveryError", name="two")
    assert steps.keys == [FIRST_KEY]


def test_what_the_release_before_landed_can_be_refreshed(steps: Steps) -> None:
    # Given a landing without nonces and without a version of its manifest
    first = steps.run(LOG)[-1]
    put(first["manifest_key"], export_id=first["export_id"], attempt="1")
    bare(steps, LOG, "nonces_since", "manifest_version_id", "landed_nonce")
    # When it is refreshed, twice
    for name in ("two", "three"):
        result = steps.run({**LOG, "refresh": True}, name=name)[-1]
        assert result["state"] == "LANDED"
    # Then the newest is there
    assert json.loads(steps.body(result["manifest_key"]))["attempts"] == 3


def test_a_refresh_works_in_a_bucket_without_versions(steps: Steps) -> None:
    runtime.s3().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    for number, name in enumerate(("one", "two", "three")):
        state = steps.ready({**LOG, "refresh": number > 0}, name=name)
        assert steps.fetch({**LOG, "refresh": number > 0}, state, name=name)["state"] == "LANDED"
        steps.end(name)
    put(FIRST_KEY)
    state = steps.ready({**LOG, "refresh": True}, name="four")
    with pytest.raises(DeliveryError, match="holds another object"):
        steps.fetch({**LOG, "refresh": True}, state, name="four")


def test_a_call_that_lost_the_row_takes_no_heirs_object_for_a_strangers(steps: Steps) -> None:
    # Given a call whose file is on its way while a second one lands
    state = steps.ready(LOG)
    results = []
    during(steps, "download", lambda: results.append(steps.fetch(LOG, state)))
    # Then the first one is told that it has lost the row
    assert steps.fetch(LOG, state)["state"] == "LOST"
    assert results[0]["state"] == "LANDED"
    assert steps.row(LOG)["version_id"] == results[0]["objects"][0]["version_id"]


def test_only_the_notification_is_retried_after_sns_failed(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = steps.ready(LOG)
    failing_once(monkeypatch, runtime.client("sns"), "publish", DeliveryError("SNS is away"))
    with pytest.raises(DeliveryError):
        steps.fetch(LOG, state)
    asked = len(steps.vendors.requests)
    assert steps.row(LOG)["state"] == "LANDED"
    # When another execution comes after this one has failed
    steps.abandon(LOG, "DeliveryError", "SNS is away")
    steps.end("one")
    assert [state["state"] for state in steps.run(LOG, name="two")] == ["READY", "LANDED"]
    # Then it only announced
    assert len(steps.vendors.requests) == asked
    assert [message["status"] for message in steps.messages] == ["FAILED", "LANDED"]


def test_a_fetch_behind_a_stopped_execution_takes_back_what_it_put(steps: Steps) -> None:
    # Given an execution that is stopped while its file is on its way
    state = steps.ready(LOG)
    during(steps, "download", lambda: steps.ended(LOG, "ABORTED"))
    # When the function goes on to the end
    assert steps.fetch(LOG, state)["state"] == "LOST"
    # Then nothing lies under the key, and the next run lands with the same job
    assert (steps.keys, steps.uploads) == ([], [])
    assert [message["status"] for message in steps.messages] == ["FAILED"]
    result = steps.run(LOG, name="two")[-1]
    assert (result["state"], result["attempts"]) == ("LANDED", 2)
    assert len(steps.vendors.jobs) == 1


def test_a_refresh_behind_a_stopped_execution_leaves_the_landing(steps: Steps) -> None:
    landed = steps.run(LOG)[-1]
    request = {**LOG, "refresh": True}
    state = steps.ready(request, name="two")
    during(steps, "download", lambda: steps.ended(request, "ABORTED", name="two"))
    assert steps.fetch(request, state, name="two")["state"] == "LOST"
    # Then the earlier version is the current one again, with its manifest
    assert json.loads(steps.body(landed["manifest_key"]))["version_id"] == landed["objects"][0]["version_id"]
    assert steps.run(LOG, name="three")[-1] == {**landed, "owner": arn("two")}


def test_abandon_never_takes_away_what_the_ledger_calls_landed(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a fetch that lands while abandon is at work for the same, stopped execution
    state = steps.ready(LOG)
    original = Ledger.failed

    def late(ledger: Ledger, *arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(Ledger, "failed", original)
        steps.fetch(LOG, state)
        return original(ledger, *arguments, **more)

    monkeypatch.setattr(Ledger, "failed", late)
    steps.ended(LOG, "ABORTED")
    # Then the ledger and the bucket say the same
    row = steps.row(LOG)
    assert row["state"] == "LANDED"
    assert steps.keys == [row["key"], row["manifest_key"]]


def test_abandon_takes_nothing_away_from_the_execution_that_took_over(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an object that an attempt has put and not committed
    state = steps.ready(LOG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "landed", killed)
        with pytest.raises(KilledError):
            steps.fetch(LOG, state)
    # And another execution that replaces it while abandon is at work for the first one
    original = Ledger.failed

    def slow(ledger: Ledger, *arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(Ledger, "failed", original)
        row = original(ledger, *arguments, **more)
        assert steps.run(LOG, name="two")[-1]["state"] == "LANDED"
        return row

    monkeypatch.setattr(Ledger, "failed", slow)
    steps.ended(LOG, "ABORTED")
    # Then what that one landed is still there
    row = steps.row(LOG)
    assert (row["state"], row["owner"]) == ("LANDED", arn("two"))
    assert steps.keys == [row["key"], row["manifest_key"]]
    assert steps.vendors.downloads == 2


def test_an_object_of_somebody_else_is_never_touched(steps: Steps) -> None:
    state = steps.ready(LOG)
    put(FIRST_KEY)
    with pytest.raises(DeliveryError, match="holds another object"):
        steps.fetch(LOG, state)
    steps.abandon(LOG, "DeliveryError")
    assert steps.body(FIRST_KEY) == b"mine"


@pytest.mark.parametrize("expired", [1, 2, 3])
def test_a_url_that_has_expired_is_replaced_twice(steps: Steps, expired: int) -> None:
    state = steps.ready(LOG)
    steps.vendors.deliver(*[Delivery(status=403, body=b"expired")] * expired)
    if expired < 3:
        assert steps.fetch(LOG, state)["state"] == "LANDED"
    else:
        with pytest.raises(SourceUnavailableError, match="403"):
            steps.fetch(LOG, state)


# ---- abandon


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        ("ExportFailedError", False),
        ("ExportCutError", False),
        ("CorruptDownloadError", False),
        ("InvalidRequestError", False),
        ("AuthenticationError", True),
        ("ConnectionConfigError", True),
        ("DownloadRefusedError", True),
        ("DeliveryError", True),
        ("SourceUnavailableError", True),
        ("Runtime.ExitError", True),
        ("Runtime.OutOfMemory", True),
        ("Lambda.TooManyRequestsException", True),
        ("KeyError", True),
        ("UnknownStateError", True),
    ],
)
def test_a_job_is_kept_unless_a_step_says_that_it_is_dead(steps: Steps, error: str, *, kept: bool) -> None:
    # Given an export that a Catch ends
    state = steps.ready(LOG)
    steps.abandon(LOG, error)
    steps.ended(LOG, "FAILED", error=error)
    # Then the next run adopts the job of one whose job is as good as before
    assert (steps.submit(LOG, name="two")["job_id"] == state["job_id"]) is kept


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
@pytest.mark.parametrize("error", ["ExportFailedError", "CorruptDownloadError", "X"])
def test_no_word_of_who_ended_an_execution_takes_its_job(steps: Steps, status: str, error: str) -> None:
    state = steps.ready(LOG)
    steps.ended(LOG, status, error=error, cause="enough")
    assert steps.submit(LOG, name="two")["job_id"] == state["job_id"]


def test_replies_that_nobody_can_read_do_not_take_the_job(steps: Steps) -> None:
    # Given an export that failed of three of them
    state = steps.submit(LOG)
    steps.vendors.script("status", *[Reply(200, body=b"<html>")] * 3)
    for _ in range(2):
        state = steps.check(LOG, state)
    with pytest.raises(ExportFailedError, match="3 replies in a row"):
        steps.check(LOG, state)
    steps.abandon(LOG, "ExportFailedError")
    steps.end("one")
    # When the next run comes, then it adopts the job
    adopted = steps.submit(LOG, name="two")
    assert adopted["job_id"] == state["job_id"]
    # And once the vendor says that it failed, it is dropped all the same
    steps.vendors.knobs.failure = True
    with pytest.raises(ExportFailedError, match="failed"):
        steps.check(LOG, adopted, name="two")
    steps.abandon(LOG, "ExportFailedError", name="two")
    assert "job_id" not in steps.row(LOG)


def test_the_last_of_three_replies_finds_that_the_row_is_anothers(steps: Steps) -> None:
    state = steps.submit(LOG)
    steps.end("one")
    steps.submit(LOG, name="two")
    steps.vendors.script("status", Reply(200, body=b"<html>"))
    assert steps.check(LOG, {**state, "malformed": 2})["state"] == "LOST"


def test_a_failure_of_an_execution_that_was_redriven_is_none(steps: Steps) -> None:
    steps.ready(LOG)
    assert steps.ended(LOG, "RUNNING") == {}
    assert steps.messages == []


@pytest.mark.parametrize("error", ["annotations", "LogferryError", "My.Error", "", "States.Runtime"])
def test_whatever_an_execution_failed_with_is_told(steps: Steps, error: str) -> None:
    # Given an execution that somebody stopped with an error of his own
    state = steps.ready(LOG)
    steps.ended(LOG, "ABORTED", error=error, cause="token=abcdefgh")
    [message] = steps.messages
    assert message["error"] == (error or "ExecutionAborted")
    assert "abcdefgh" not in str(message)
    assert steps.row(LOG)["state"] == "FAILED"
    assert state["job_id"]


def test_a_state_that_no_release_knows_is_a_failure_too(steps: Steps) -> None:
    state = steps.ready(LOG)
    event = {"request": LOG, "execution": arn("one"), "failure": {**state, "state": "PARKED"}}
    answer = steps.call_abandon(event)
    assert answer["Error"] == "UnknownStateError"
    assert [message["error"] for message in steps.messages] == ["UnknownStateError"]


def test_another_executions_row_is_left_alone(steps: Steps) -> None:
    state = steps.ready(LOG)
    assert steps.submit(LOG, name="two")["state"] == "DUPLICATE"
    # When that other one fails all the same
    steps.abandon(LOG, "States.Runtime", name="two")
    # Then the first one goes on
    assert steps.row(LOG)["owner"] == arn("one")
    assert steps.fetch(LOG, state)["state"] == "LANDED"
    assert [message["status"] for message in steps.messages] == ["FAILED", "LANDED"]


def test_a_fence_that_falls_while_abandon_writes_is_no_failure(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.ready(LOG)
    failing_once(monkeypatch, Ledger, "failed", FencedError())
    assert steps.abandon(LOG, "DeliveryError", "x") == {"Error": "DeliveryError", "Cause": "x"}


def test_a_throttled_release_is_retried_and_announced_once(steps: Steps) -> None:
    steps.ready(IBM)
    steps.vendors.script("delete", Reply.throttled(5))
    with pytest.raises(SourceUnavailableError):
        steps.abandon(IBM, "CorruptDownloadError", "bad")
    steps.abandon(IBM, "CorruptDownloadError", "bad")
    assert steps.vendors.sessions == []
    assert [message["error"] for message in steps.messages] == ["CorruptDownloadError"]


def test_a_failure_is_written_and_told_before_the_vendor_is_asked_to_let_go(steps: Steps) -> None:
    # Given a session, and what ledger and people know while its release is under way
    state = steps.ready(IBM)
    known: list[Any] = []
    during(steps, "delete", lambda: known.append((steps.row(IBM), steps.messages)))
    # When the export is abandoned
    steps.abandon(IBM, "SourceUnavailableError", "503")
    # Then the failure was written and told before, and the session was forgotten after it
    [(row, messages)] = known
    assert (row["state"], row["job_id"]) == ("FAILED", state["job_id"])
    assert [message["status"] for message in messages] == ["FAILED"]
    assert "job_id" not in steps.row(IBM)


def test_a_release_that_is_killed_is_finished_by_the_next_call(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an abandon that is killed while the vendor is asked to let go
    steps.ready(IBM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(source_named(IBM["source"])), "delete", killed)
        with pytest.raises(KilledError):
            steps.abandon(IBM, "ExportFailedError", "no")
    row = steps.row(IBM)
    assert (row["state"], row["failures"]) == ("FAILED", 1)
    # When it is called again, and a third time
    cleared: list[object] = []
    monkeypatch.setattr("logferry.export.abandon.clear", lambda *_: cleared.append(steps.vendors.sessions))
    steps.abandon(IBM, "ExportFailedError", "no")
    steps.abandon(IBM, "ExportFailedError", "no")
    # Then the session is gone, S3 was looked at after that, nobody was told twice, and nothing counted twice
    assert cleared == [[], []]
    assert len(steps.vendors.seen("delete")) == 1
    assert len(steps.messages) == 1
    assert steps.row(IBM)["failures"] == 1


def test_a_release_that_trickles_ends_in_time_and_the_rest_is_done(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a vendor that does not come to an end with its answer to a release
    steps.ready(IBM)
    monkeypatch.setattr("logferry.export.abandon.RELEASE_SECONDS", 0.3)
    steps.vendors.script("delete", Reply(200, body=b" " * 99, delay=3))
    cleared: list[object] = []
    monkeypatch.setattr("logferry.export.abandon.clear", lambda *_: cleared.append(1))
    began = time.monotonic()
    # When the export is abandoned
    with pytest.raises(SourceUnavailableError):
        steps.abandon(IBM, "ExportFailedError", "no")
    # Then it ends soon, everything but the release is done, and the session is still known
    assert time.monotonic() - began < 2.5
    assert (len(cleared), len(steps.messages)) == (1, 1)
    assert steps.row(IBM)["state"] == "FAILED"
    steps.vendors.clear()
    steps.abandon(IBM, "ExportFailedError", "no")
    assert steps.vendors.sessions == []


def test_a_topic_that_is_away_keeps_no_session_at_the_vendor(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.ready(IBM)
    failing_once(monkeypatch, runtime.client("sns"), "publish", DeliveryError("SNS is away"))
    with pytest.raises(DeliveryError, match="SNS"):
        steps.abandon(IBM, "ExportFailedError", "no")
    assert steps.vendors.sessions == []
    steps.abandon(IBM, "ExportFailedError", "no")
    assert len(steps.messages) == 1


@pytest.mark.parametrize(("status", "failures"), [("ABORTED", 0), ("TIMED_OUT", 1), ("FAILED", 1)])
def test_an_export_that_a_person_stopped_is_no_failed_attempt(
    steps: Steps, status: str, failures: int
) -> None:
    # Given an execution that ends where no Catch runs
    steps.ready(LOG)
    steps.ended(LOG, status, error="Enough", cause="stopped")
    # Then only what failed by itself counts, and all of it is told
    row = steps.row(LOG)
    assert (row["state"], row["failures"]) == ("FAILED", failures)
    assert [message["status"] for message in steps.messages] == ["FAILED"]
    # And failures before and after it count as ever
    steps.ready(LOG, name="two")
    steps.abandon(LOG, "DeliveryError", name="two")
    steps.ended(LOG, "ABORTED", name="two")
    assert steps.row(LOG)["failures"] == failures + 1


def test_fewer_files_at_the_second_asking_are_no_landing(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two files, the URL of the second of which has expired
    events = example("spark-events")
    steps.vendors.knobs.event_files = 2
    steps.vendors.deliver(Delivery(), Delivery(status=403))
    kind = type(source_named("spark-events"))
    original, asked = kind.downloads, []

    def fewer(self: Any, job: Any, api: Any) -> Any:
        asked.append(job)
        return list(original(self, job, api))[: 1 if len(asked) == 2 else None]

    monkeypatch.setattr(kind, "downloads", fewer)
    state = steps.ready(events)

    # When the vendor lists one file only as fresh URLs are asked for, then fetch begins again
    with pytest.raises(SourceUnavailableError, match="listed 2 files, and 1"):
        steps.fetch(events, state)
    assert steps.fetch(events, state)["state"] == "LANDED"
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("document", "framing", "silent", "suspicious"),
    [
        (IBM, "close", True, True),
        (IBM, "close", False, False),
        (IBM, None, True, False),
        (LOG, "close", True, False),
    ],
)
def test_a_gzip_file_is_suspect_where_nothing_but_the_connection_ended(
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    framing: Any,
    silent: bool,  # noqa: FBT001 - a table
    suspicious: bool,  # noqa: FBT001
) -> None:
    # Given a vendor that sends no length, and closes TCP without an end of TLS
    if silent:
        monkeypatch.setattr(ssl.SSLSocket, "unwrap", dumb)
    steps.vendors.knobs.delivery = Delivery(framing=framing)

    # When its file lands
    steps.run(document)

    # Then only of a gzip file it is said that more of it may have been to come
    [message] = steps.messages
    assert any("ended without a word" in reason for reason in message["suspect"]) is suspicious
