"""Another consumer: an archive lands, the bucket says so, and its entries are there for Athena and Spark."""

from __future__ import annotations

import base64
import fnmatch
import gzip
import io
import json
import random
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.world import SPEED, World
from tests.gates.calls import made, rights
from tests.gates.deployment import deployment
from tests.sandbox.engine import Sandbox
from tests.sandbox.vendor.big_zips import big_zip
from tests.sandbox.vendor.blobs import BytesBlob
from tests.sandbox.vendor.log_files import zip_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.contents import StoredObject
    from tests.sandbox.execution import Outcome
    from tests.sandbox.function import Invocation
    from tests.sandbox.vendor.vendors import Vendors

UNPACK = "UnpackFunction"
BIG = 300 * 1024**2
"""Bytes of one inflated entry: ten times what a function may hold of it."""
MEMORY = 64


@pytest.fixture(scope="module")
def sandbox(vendors: Vendors) -> Iterator[Sandbox]:
    parameters = {"LogLevel": "DEBUG", "Unpack": "ON"}
    with Sandbox(parameters=parameters, speed=SPEED, ca_bundle=vendors.ca_file) as sandbox:
        yield sandbox


def unpacked(world: World, outcome: Outcome) -> dict[str, StoredObject]:
    """Give the objects that were unpacked of a landing, by what follows the archive's name."""
    prefix = f"unpacked/{outcome.output['key'].removesuffix('.zip')}."
    return {each.key.removeprefix(prefix): each for each in world.sandbox.objects(prefix=prefix)}


def content(world: World, stored: StoredObject) -> bytes:
    return gzip.decompress(world.sandbox.read(stored.key))


def entries(world: World, outcome: Outcome) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(world.sandbox.read(outcome.output["key"]))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def calls(world: World, since: int = 0) -> list[Invocation]:
    return world.sandbox.invocations(UNPACK)[since:]


def serve(world: World, *files: tuple[str, bytes], mended: dict[bytes, bytes] | None = None) -> None:
    """Let the vendor serve an archive of these entries."""
    body = b"".join(zip_stream((name, [content]) for name, content in files))
    for old, new in (mended or {}).items():
        body = body.replace(old, new)
    world.set(file=lambda _: BytesBlob(body))


def events(world: World, outcome: Outcome) -> list[dict[str, Any]]:
    """Give the bucket's events for a landing's manifest."""
    key = outcome.output["manifest_key"]
    return [
        each
        for each in world.sandbox.bridge.events
        if each["source"] == "aws.s3" and each["detail"]["object"]["key"] == key
    ]


def test_the_entries_of_a_csv_log_lie_in_its_own_partition(world: World) -> None:
    # When
    outcome = world.run()
    # Then
    found, expected = unpacked(world, outcome), entries(world, outcome)
    assert {name.removesuffix(".gz"): content(world, each) for name, each in found.items()} == expected
    assert len(expected) == 2
    partition = f"unpacked/spark-log-csv/acme-uat/Motor/Quote/date={world.day:%Y-%m-%d}"
    assert {each.key.rpartition("/")[0] for each in found.values()} == {partition}
    # and say which landing they are of
    assert {each.metadata["export-id"] for each in found.values()} == {outcome.output["export_id"]}
    assert {each.metadata["source-version"] for each in found.values()} == {
        outcome.output["objects"][0]["version_id"]
    }


def test_the_items_of_a_json_log_become_lines(world: World) -> None:
    # When
    outcome = world.run(source="spark-log-json")
    # Then
    found = {name: content(world, each).splitlines() for name, each in unpacked(world, outcome).items()}
    lines = {name.removesuffix(".gz"): list(map(json.loads, each)) for name, each in found.items()}
    assert lines == {name: json.loads(each) for name, each in entries(world, outcome).items()}
    assert sum(map(len, lines.values())) == outcome.output["records"] == 20


def test_what_athena_reads_as_it_is_stays_as_it_is(world: World) -> None:
    # When
    for source in ("spark-events", "ibm-activity-tracker", "spark-call"):
        assert world.run(source=source, refresh=True).status == "SUCCEEDED"
    # Then
    day = f"date={world.day:%Y-%m-%d}"
    assert [each.key for each in world.sandbox.objects(prefix="unpacked/") if day in each.key] == []
    assert calls(world)[-1].reply.json()["unpacked"] == 0


def test_an_event_that_comes_twice_writes_nothing_twice(world: World) -> None:
    # Given
    outcome = world.run()
    [event] = events(world, outcome)
    before = world.sandbox.objects(all_versions=True, prefix="unpacked/")
    # When
    reply = world.sandbox.invoke(UNPACK, event).json()
    # Then
    assert (reply["unpacked"], reply["kept"]) == (0, 2)
    assert world.sandbox.objects(all_versions=True, prefix="unpacked/") == before


def test_a_refresh_replaces_what_was_unpacked_and_an_old_event_does_not_bring_it_back(world: World) -> None:
    # Given
    first = world.run()
    [old] = events(world, first)
    world.set(rows=7, files=1)
    # When
    second = world.run(refresh=True)
    world.sandbox.invoke(UNPACK, old)
    # Then
    found = {name.removesuffix(".gz"): content(world, each) for name, each in unpacked(world, second).items()}
    assert found == entries(world, second)
    assert len(found) == 1


def test_two_exports_of_one_window_are_kept_apart(world: World) -> None:
    # When
    plain = world.run()
    filtered = world.run(filters={"has_errors": True})
    # Then
    assert plain.output["key"] != filtered.output["key"]
    for outcome in (plain, filtered):
        found = {name.removesuffix(".gz") for name in unpacked(world, outcome)}
        assert found == set(entries(world, outcome))


def test_folders_with_every_kind_of_character_are_unpacked(world: World) -> None:
    # Given
    names = ("Häuser & Co/Ost", "Quote? #1 100%")
    world.vendors.services.add(names)
    # When
    outcome = world.run(target={"folder": names[0], "service": names[1]})
    # Then
    assert len(unpacked(world, outcome)) == 2


def test_names_of_entries_are_never_trusted(world: World) -> None:
    # Given an archive of names that lead elsewhere, are too long, or come twice
    names = ["../../x.csv", "/etc/x.csv", "a?b.csv", "n" * 300 + ".csv", "x.csv", "y.csv", "readme.txt"]
    mended = {b"a?b.csv": b"a\0b.csv", b"y.csv": b"x.csv"}  # zipfile writes neither
    serve(world, *((name, f"h\n{place}\n".encode()) for place, name in enumerate(names)), mended=mended)
    # When
    outcome = world.run()
    # Then
    found = unpacked(world, outcome)
    assert sorted(content(world, each) for each in found.values()) == [
        f"h\n{place}\n".encode() for place in range(6)
    ]
    for name in found:
        assert name.isascii()
        assert "/" not in name
        assert ".." not in name
        assert len(name) <= 210
    everything = {each.key for each in world.sandbox.objects() if f"date={world.day:%Y-%m-%d}" in each.key}
    assert len(everything) == len(found) + 2


def test_an_empty_archive_is_nothing_to_unpack(world: World) -> None:
    # Given
    world.set(rows=0)
    # When
    outcome = world.run()
    # Then
    assert unpacked(world, outcome) == {}
    assert calls(world)[-1].reply.error is None


def test_a_try_that_is_killed_is_made_up_for(world: World) -> None:
    # Given
    world.sandbox.faults.kill(UNPACK, "s3", "PutObject", nth=2)
    before = len(calls(world))
    # When
    outcome = world.run()
    # Then Lambda tries again, and the first entry is not written again
    assert [each.reply.error_type for each in calls(world, before)] == ["Runtime.ExitError", None]
    assert calls(world)[-1].reply.json()["kept"] == 1
    assert len(unpacked(world, outcome)) == 2
    assert world.sandbox.open_uploads() == []


def test_what_cannot_be_unpacked_is_kept_as_a_dead_letter(world: World) -> None:
    # Given
    serve(world, ("1.json", b"[1, 2"), ("2.json", b"[1, 2]"))
    before = len(calls(world))
    # When
    outcome = world.run(source="spark-log-json")
    # Then after three tries, event and error lie in the queue
    assert len(calls(world, before)) == 3
    [letter] = world.sandbox.queue("UnpackDeadLetters")
    record = json.loads(letter["body"])
    assert record["requestPayload"]["detail"]["object"]["key"] == outcome.output["manifest_key"]
    assert record["responsePayload"]["errorType"] == "CorruptDownloadError"
    # and the rest was written
    assert list(unpacked(world, outcome)) == ["2.json.gz"]


def test_a_big_entry_is_unpacked_in_bounded_memory(world: World) -> None:
    # Given what the function takes for next to nothing
    world.set(rows=1, files=1)
    world.run()
    idle = min(each.peak for each in calls(world) if each.reply.error is None)
    world.set(file=lambda _: big_zip(BIG // 4, deflated=True))
    # When
    outcome = world.run(filters={"userName": "big"})
    # Then
    [entry] = world.manifest(outcome)["entries"]
    assert entry["size"] > 0.9 * BIG
    assert calls(world)[-1].reply.json()["unpacked"] == 1
    assert calls(world)[-1].peak - idle <= MEMORY
    [found] = unpacked(world, outcome).values()
    size = crc = 0
    with gzip.open(io.BytesIO(world.sandbox.read(found.key))) as lines:
        while block := lines.read(1024**2):
            size, crc = size + len(block), zlib.crc32(block, crc)
    assert (size, f"{crc:08x}") == (entry["size"], entry["crc32"])


def test_unpacking_keeps_to_its_role_and_uses_all_of_it(world: World) -> None:
    # Given an upload of several parts that is killed on its way
    dice = random.Random(7)  # noqa: S311 - made-up data
    noise = b"\n".join(base64.b64encode(dice.randbytes(3000)) for _ in range(4000))
    serve(world, ("1.csv", noise), ("2.csv", b"2"))
    world.sandbox.faults.kill(UNPACK, "s3", "UploadPart", nth=2)
    first = world.run()
    # … a refresh with an entry less, and an event that comes again
    serve(world, ("1.csv", b"1"))
    world.run(refresh=True)
    world.sandbox.invoke(UNPACK, events(world, first)[0])
    # Then nothing is left behind
    assert world.sandbox.open_uploads() == []
    assert list(unpacked(world, first)) == ["1.csv.gz"]
    # and the function did what its role allows, and nothing else
    services = ("s3:", "dynamodb:")
    granted = {each for each in rights(deployment().translated())[UNPACK] if each[0].startswith(services)}
    asked = [each for each in world.sandbox.faults.requests if made(each)[0] == UNPACK]
    used = {
        ("s3:DeleteObject" if each.action == "DeleteObject" else made(each)[1][0], made(each)[1][1])
        for each in asked
    }
    for action, key in used:
        assert any(action == one and fnmatch.fnmatch(key, keys) for one, keys in granted), (action, key)
    # A read of a version looks like any other from outside.
    assert {action for action, _ in granted} - {"s3:GetObjectVersion"} == {action for action, _ in used}
