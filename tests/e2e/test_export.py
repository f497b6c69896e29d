"""The way of one export, from input to notification."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

from logferry.sources.registry import source_names
from logferry.storage.keys import manifest_key

if TYPE_CHECKING:
    from tests.e2e.world import World

EXAMPLES = Path("statemachine/examples")


def test_a_csv_log_lands_with_its_manifest_and_one_notification(world: World) -> None:
    # Given / When
    outcome = world.run()
    # Then the states are those of the picture
    assert outcome.status == "SUCCEEDED", outcome
    assert outcome.states[0] == "Submit Export"
    assert outcome.states[-3:] == ["Fetch Export", "Export Landed?", "Export Landed"]
    assert outcome.states.count("Check Status") == 2
    # and the output says what is in the bucket
    output = outcome.output
    day = f"{world.day:%Y-%m-%d}"
    start, end = f"{world.day:%Y%m%dT000000Z}", f"{world.day + timedelta(days=1):%Y%m%dT000000Z}"
    assert output["key"] == f"spark-log-csv/acme-uat/Motor/Quote/date={day}/{start}--{end}.zip"
    body = world.sandbox.read(output["key"])
    assert (output["size"], output["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert (output["state"], output["submits"], output["attempts"], output["polls"]) == ("LANDED", 1, 1, 2)
    # and the manifest counts what the archive holds
    manifest = world.manifest(outcome)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        rows = {
            name: len(list(csv.reader(io.TextIOWrapper(archive.open(name), "utf-8", newline="")))) - 1
            for name in archive.namelist()
        }
        crcs = {info.filename: f"{info.CRC:08x}" for info in archive.infolist()}
    assert {entry["name"]: entry["records"] for entry in manifest["entries"]} == rows
    assert {entry["name"]: entry["crc32"] for entry in manifest["entries"]} == crcs
    assert manifest["records"] == output["records"] == sum(rows.values()) == 20
    assert manifest["sha256"] == output["sha256"]
    assert manifest["request"]["window"]["start"] == world.day.isoformat().replace("+00:00", "Z")
    assert {
        "schema",
        "job_id",
        "version_id",
        "content_type",
        "suspect",
        "requested_at",
        "landed_at",
    } <= manifest.keys()
    # and one notification names it
    [notification] = world.notifications()
    message = notification["message"]
    assert (message["status"], message["key"], message["sha256"]) == (
        "LANDED",
        output["key"],
        output["sha256"],
    )
    assert message["version_id"] == output["objects"][0]["version_id"]
    assert message["execution"] == output["owner"]
    assert notification["attributes"] == {
        "status": "LANDED",
        "source": "spark-log-csv",
        "connection": "acme-uat",
    }
    assert output["key"] in notification["email"]


@pytest.mark.parametrize("name", source_names())
def test_the_example_of_every_source_lands(world: World, name: str) -> None:
    # Given
    example = json.loads((EXAMPLES / f"{name}.json").read_text())
    document = {**world.input(name), **{key: example[key] for key in ("target", "filters") if key in example}}
    # When
    outcome = world.run({**document, "refresh": True})
    # Then
    assert outcome.status == "SUCCEEDED", outcome
    body = world.sandbox.read(outcome.output["key"])
    assert outcome.output["records"] == world.manifest(outcome)["records"] > 0
    if outcome.output["key"].endswith(".zip"):
        assert zipfile.ZipFile(io.BytesIO(body)).testzip() is None
    elif outcome.output["key"].endswith(".gz"):
        subprocess.run(["gzip", "-t"], input=body, check=True)  # noqa: S607 - the user's own gzip
    elif outcome.output["key"].endswith(".xlsx"):
        book = openpyxl.load_workbook(io.BytesIO(body))
        assert sum(max(0, sheet.max_row - 1) for sheet in book) == outcome.output["records"]
    else:
        assert json.loads(body)
    assert world.vendors.sessions == []


def test_an_export_that_has_landed_is_not_asked_for_again(world: World) -> None:
    # Given
    first = world.run()
    # When
    second = world.run()
    # Then
    assert second.output == first.output
    assert len(world.jobs) == len(world.requests("download")) == 1
    assert len(world.notifications()) == 1
    assert "Fetch Export" not in second.states


def test_a_refresh_lands_a_new_version_under_the_same_key(world: World) -> None:
    # Given
    first = world.run()
    world.set(rows=30)
    # When
    second = world.run(refresh=True)
    # Then
    assert second.status == "SUCCEEDED", second
    assert second.output["key"] == first.output["key"]
    assert (first.output["records"], second.output["records"]) == (20, 30)
    versions = [each for each in world.sandbox.objects(all_versions=True) if each.key == first.output["key"]]
    assert len(versions) == 2
    assert world.manifest(second)["version_id"] == second.output["objects"][0]["version_id"]
    assert len(world.notifications("LANDED")) == 2
    # and afterwards the new landing is the one that is known
    assert world.run().output["sha256"] == second.output["sha256"]


def test_several_event_files_land_beside_each_other_under_one_manifest(world: World) -> None:
    # Given
    world.set(event_files=3, file_hash="sha256")
    # When
    outcome = world.run(source="spark-events")
    # Then
    keys = [each["key"] for each in outcome.output["objects"]]
    assert [key.removeprefix(keys[0].removesuffix(".xlsx")) for key in keys] == [
        ".xlsx",
        "-2.xlsx",
        "-3.xlsx",
    ]
    manifest = world.manifest(outcome)
    assert outcome.output["size"] == sum(each["size"] for each in manifest["objects"])
    assert outcome.output["sha256"] == manifest["objects"][0]["sha256"]
    assert [each.key for each in world.day_objects()].count(manifest_key(keys[0])) == 1


def test_a_file_that_differs_from_the_vendors_own_hash_does_not_land(world: World) -> None:
    # Given
    world.set(file_hash="0" * 64)
    # When
    outcome = world.run(source="spark-events")
    # Then
    assert outcome.error == "CorruptDownloadError"
    assert world.day_objects() == []


def test_an_empty_result_lands_and_says_so(world: World) -> None:
    # Given
    world.set(rows=0)
    # When
    outcome = world.run()
    # Then
    assert (outcome.output["records"], outcome.output["state"]) == (0, "LANDED")
    assert world.notifications()[0]["message"]["records"] == 0


def test_names_with_every_kind_of_character_reach_the_vendor_and_the_bucket(world: World) -> None:
    # Given
    names = ("Häuser & Co/Ost", "Quote? #1 100%")
    world.vendors.services.add(names)
    # When
    outcome = world.run(target={"folder": names[0], "service": names[1]})
    # Then
    assert outcome.status == "SUCCEEDED", outcome
    assert (world.jobs[0].folder, world.jobs[0].service) == names
    assert outcome.output["key"].split("/")[2:4] == [
        "H%C3%A4user%20%26%20Co%2FOst",
        "Quote%3F%20%231%20100%25",
    ]


def test_the_state_stays_small_and_holds_no_url(world: World) -> None:
    # Given a request with filters that are far larger than a state may be
    calls = [f"329700e6-0850-40cf-b61e-{number:012d}" for number in range(1000)]
    # When
    outcome = world.run(filters={"call_ids": calls})
    # Then
    assert outcome.status == "SUCCEEDED", outcome
    outputs = [
        event["stateExitedEventDetails"]["output"]
        for event in outcome.history
        if "stateExitedEventDetails" in event
    ]
    assert outputs
    for output in outputs:
        assert len(output) < 8192
        assert "https://" not in output
