"""Tabulating event by event: real landings of the emulated vendors, their ledger, emulated AWS."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from logferry import runtime
from logferry.errors import CorruptDownloadError, DeliveryError
from logferry.tabulate.schema import TABLES
from logferry.tabulate.tabulate import tabulate
from tests.integration.steps import BUCKET, example, stage
from tests.sandbox.vendor.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.steps import Steps

LOG = example("spark-log-csv")
SOURCES = {
    "spark-log-csv": "calls",
    "spark-log-json": "calls",
    "spark-events": "user_events",
    "ibm-activity-tracker": "activity",
}


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with Vendors(polls=0, rows=20) as vendors, stage(vendors, monkeypatch) as steps:
        yield steps


def event(key: str, bucket: str = BUCKET) -> dict[str, Any]:
    return {"detail": {"bucket": {"name": bucket}, "object": {"key": key}}}


def land(steps: Steps, request: dict[str, Any], **changes: Any) -> str:
    """Run an export; return its manifest's key."""
    name = f"execution-{len(steps.executions)}"
    return str(steps.run({**request, **changes}, name=name)[-1]["manifest_key"])


def tables(steps: Steps) -> list[str]:
    return [key for key in steps.keys if key.startswith("tables/")]


def rows(steps: Steps, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(steps.body(key))).to_pylist()
    return found


def metadata(key: str) -> dict[str, str]:
    return dict(runtime.s3().head_object(Bucket=BUCKET, Key=key)["Metadata"])


@pytest.mark.parametrize(("source", "table"), SOURCES.items())
def test_what_landed_is_a_table_of_its_source(steps: Steps, source: str, table: str) -> None:
    # Given
    request = {key: value for key, value in example(source).items() if key != "filters"}
    key = land(steps, request)
    manifest = json.loads(steps.body(key))
    # When
    done = tabulate(event(key), 900)
    # Then one object, under the landing's day
    (found,) = tables(steps)
    day = key.partition("date=")[2][:10]
    assert found == f"tables/{table}/day={day}/{manifest['export_id']}.parquet" == done["table_key"]
    # of all records, each with where it is from
    lines = rows(steps, found)
    assert len(lines) == manifest["records"] == done["rows"]
    assert list(lines[0]) == list(TABLES[table].columns)
    assert {line["row_error"] for line in lines} == {None}
    assert {line["export_id"] for line in lines} == {manifest["export_id"]}
    assert {line["source_key"] for line in lines} == {each["key"] for each in manifest["objects"]}
    assert {line["source_version"] for line in lines} == {each["version_id"] for each in manifest["objects"]}
    assert (
        lines[0]["window_start"].isoformat().replace("+00:00", "Z") == manifest["request"]["window"]["start"]
    )
    # and the counts in its metadata
    assert metadata(found)["rows"] == str(manifest["records"])
    assert metadata(found)["row-errors"] == "0"


def test_values_are_those_of_the_archive(steps: Steps) -> None:
    # Given
    key = land(steps, LOG, filters={})
    with zipfile.ZipFile(io.BytesIO(steps.body(key.removesuffix(".manifest.json")))) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    wanted = [line for text in texts for line in csv.DictReader(io.StringIO(text, newline=""))]
    # When
    tabulate(event(key), 900)
    # Then
    found = rows(steps, tables(steps)[0])
    own = ("Driver Age", "Vehicle Value", "Total Premium")
    for line, want in zip(found, wanted, strict=True):
        fields = json.loads(line["fields"])
        assert {name: fields[name] for name in own} == {name: want[name] for name in own}
        assert (line["call_id"], line["user_name"]) == (want["Call ID"], want["User name"])
        assert (line["error_details"], line["log_time_text"]) == (want["Error Details"], want["Log Time"])
        assert line["calc_time_ms"] == int(want["Calc time (ms)"])
        assert (line["folder"], line["service"]) == ("Motor", "Quote")


def test_events_and_activity_are_typed(steps: Steps) -> None:
    # Given
    for source in ("spark-events", "ibm-activity-tracker"):
        tabulate(event(land(steps, {**example(source), "filters": {}})), 900)
    # When
    activity, events = (rows(steps, key)[0] for key in tables(steps))
    # Then
    record = json.loads(activity["record"])
    assert activity["initiator_id"] == record["initiator"]["id"]
    assert activity["event_time"] is not None
    assert json.loads(events["fields"])["Event Type"] == events["event_type"]
    assert events["event_time"] is not None


def test_exports_with_filters_have_a_table_of_their_own(steps: Steps) -> None:
    tabulate(event(land(steps, LOG, filters={"has_errors": True})), 900)

    assert [key.split("/")[1] for key in tables(steps)] == ["calls_filtered"]


def test_single_calls_feed_no_table(steps: Steps) -> None:
    assert tabulate(event(land(steps, example("spark-call"))), 900)["table_key"] is None
    assert tables(steps) == []


def test_an_event_that_comes_again_changes_nothing(steps: Steps) -> None:
    # Given
    key = land(steps, LOG)
    first = tabulate(event(key), 900)
    versions = steps.versions()
    # When / Then
    assert tabulate(event(key), 900) == first
    assert steps.versions() == versions


def test_a_refresh_replaces_all_rows_and_an_empty_one_leaves_an_empty_file(steps: Steps) -> None:
    # Given
    key = land(steps, LOG)
    tabulate(event(key), 900)
    # When
    steps.vendors.knobs.rows = 3
    tabulate(event(land(steps, LOG, refresh=True)), 900)
    # Then
    (found,) = tables(steps)
    newest = json.loads(steps.body(key))["version_id"]
    assert {line["source_version"] for line in rows(steps, found)} == {newest}
    assert len(rows(steps, found)) == 3
    # When there is nothing left
    steps.vendors.knobs.rows = 0
    tabulate(event(land(steps, LOG, refresh=True)), 900)
    # Then
    assert rows(steps, found) == []
    assert metadata(found)["rows"] == "0"


def meanwhile(operation: str, end: str, do: Callable[[], object]) -> None:
    """Do something once, right before an operation on a key that ends so."""
    pending = [do]

    def handle(params: dict[str, Any], **_: Any) -> None:
        if pending and params["url_path"].endswith(end):
            pending.pop()()

    runtime.s3().meta.events.register(f"before-call.s3.{operation}", handle)


@pytest.mark.parametrize(("operation", "end"), [("GetObject", ".zip"), ("PutObject", ".parquet")])
@pytest.mark.parametrize("tabulated", [True, False])
def test_a_refresh_during_the_conversion_wins(
    steps: Steps,
    operation: str,
    end: str,
    tabulated: bool,  # noqa: FBT001
) -> None:
    # Given
    key = land(steps, LOG)
    steps.vendors.knobs.rows = 3

    def refresh() -> None:
        land(steps, LOG, refresh=True)
        if tabulated:
            tabulate(event(key), 900)

    # When
    meanwhile(operation, end, refresh)
    tabulate(event(key), 900)
    tabulate(event(key), 900)  # the refresh's own event
    # Then
    newest = json.loads(steps.body(key))["version_id"]
    lines = rows(steps, tables(steps)[0])
    assert {line["source_version"] for line in lines} == {newest}
    assert len(lines) == 3


def test_a_landing_that_the_ledger_does_not_know_yet_is_looked_at_again(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a fetch that is killed between the manifest and the ledger
    ledger = runtime.ledger()
    with monkeypatch.context() as patch:
        patch.setattr(type(ledger), "landed", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            steps.run(LOG)
    (key,) = (each for each in steps.keys if each.endswith(".manifest.json"))
    # When / Then
    pauses: list[float] = []
    with pytest.raises(DeliveryError, match="does not say yet"):
        tabulate(event(key), 900, sleep=pauses.append)
    assert sum(pauses) < 10
    assert tables(steps) == []
    # When it goes on
    steps.run(LOG)
    # Then
    assert tabulate(event(key), 900)["rows"] == 20


def forge(steps: Steps, key: str, **changes: Any) -> None:
    document = {**json.loads(steps.body(key)), **changes}
    runtime.s3().put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "another/1"},
        {"export_id": "0" * 64},
        {"request": None},
        {"request": {"source": "spark-log-csv"}},
        {"request": {"source": "../x", "connection": "acme-uat"}},
        {"request": {"source": 1}},
        {"objects": []},
    ],
)
def test_a_forged_manifest_is_skipped_quietly(steps: Steps, changes: dict[str, Any]) -> None:
    key = land(steps, LOG)
    forge(steps, key, **changes)

    assert tabulate(event(key), 900)["table_key"] is None
    assert tables(steps) == []


def test_a_manifest_that_names_another_version_is_skipped_quietly(steps: Steps) -> None:
    # Given an archive that somebody put over the landed one, and a manifest that names it
    key = land(steps, LOG)
    document = json.loads(steps.body(key))
    version = runtime.s3().put_object(Bucket=BUCKET, Key=document["key"], Body=b"PK")["VersionId"]
    forge(steps, key, version_id=version, objects=[{**document["objects"][0], "version_id": version}])
    # When / Then
    assert tabulate(event(key), 900)["table_key"] is None
    assert tables(steps) == []


def test_a_manifest_of_an_export_that_the_ledger_does_not_know_is_skipped_quietly(steps: Steps) -> None:
    key = land(steps, LOG)
    runtime.client("dynamodb").delete_table(TableName="ledger")
    runtime.client("dynamodb").create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("series", "window")],
        KeySchema=[
            {"AttributeName": "series", "KeyType": "HASH"},
            {"AttributeName": "window", "KeyType": "RANGE"},
        ],
    )

    assert tabulate(event(key), 900)["table_key"] is None


def test_another_bucket_and_a_key_of_no_manifest_are_skipped_quietly(steps: Steps) -> None:
    key = land(steps, LOG)

    assert tabulate(event(key, "another"), 900)["table_key"] is None
    assert tabulate(event("gone.manifest.json"), 900)["table_key"] is None


def test_an_archive_that_is_gone_or_damaged_is_an_error_and_nothing_is_written(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    key = land(steps, LOG)
    landed = json.loads(steps.body(key))["objects"][0]
    # When it is damaged
    with monkeypatch.context() as patch:
        patch.setattr("logferry.verify.zip_content.crc32", lambda *_: 1)
        with pytest.raises(CorruptDownloadError):
            tabulate(event(key), 900)
    # When it is gone
    runtime.s3().delete_object(Bucket=BUCKET, Key=landed["key"], VersionId=landed["version_id"])
    with pytest.raises(DeliveryError, match="GetObject"):
        tabulate(event(key), 900)
    # Then
    assert tables(steps) == []


def test_a_conversion_that_takes_too_long_says_so(steps: Steps) -> None:
    times = iter([0.0, *[1000.0] * 100])

    with pytest.raises(DeliveryError, match="takes too long"):
        tabulate(event(land(steps, LOG)), 900, lambda: next(times))
    assert tables(steps) == []


def test_somebody_elses_object_is_never_replaced(steps: Steps) -> None:
    # Given
    key = land(steps, LOG)
    export_id = json.loads(steps.body(key))["export_id"]
    day = key.partition("date=")[2][:10]
    runtime.s3().put_object(Bucket=BUCKET, Key=f"tables/calls/day={day}/{export_id}.parquet", Body=b"theirs")
    # When / Then
    with pytest.raises(DeliveryError, match="holds another object"):
        tabulate(event(key), 900)
    assert steps.body(tables(steps)[0]) == b"theirs"
