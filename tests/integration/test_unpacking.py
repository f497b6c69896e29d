"""Unpacking event by event, against a real S3 server and moto; what runs around it is proved end to end."""

from __future__ import annotations

import gzip
import itertools
import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from logferry.errors import CorruptDownloadError, DeliveryError
from logferry.ledger.record import ExportRecord
from logferry.runtime import Settings
from logferry.sources.registry import source_named
from logferry.storage.bucket import s3_config
from logferry.storage.manifest import SCHEMA
from logferry.unpack.unpack import unpack
from tests.integration.steps import example
from tests.unit.verify.archives import Wanted, zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from logferry.models.request import ExportRequest
    from tests.sandbox.s3server import S3Server

FOLDER = "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/"
STEM = FOLDER + "20261118T000000Z--20261119T000000Z"
REQUEST = source_named("spark-log-csv").read(
    {key: value for key, value in example("spark-log-csv").items() if key != "filters"}
)
NOTHING = {"unpacked": 0, "kept": 0, "packed": 0, "removed": 0}


@dataclass
class Store:
    """A versioned bucket with what lands in it."""

    s3: S3Client
    name: str
    seconds: float = 900.0
    clock: Callable[[], float] = lambda: 0.0
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the ledger has of each export."""
    waits: list[float] = field(default_factory=list)
    sleep: Callable[[float], None] | None = None
    _landings: Iterator[int] = field(default_factory=itertools.count)

    def read_row(self, request: ExportRequest) -> ExportRecord | None:
        """Read a row as the ledger does."""
        item = self.rows.get(request.export_id)
        return ExportRecord(item) if item else None

    def land(
        self, *entries: tuple[str, bytes], mended: Mapping[bytes, bytes] | None = None, **changes: Any
    ) -> str:
        """Land an archive with its manifest; give the manifest's key."""
        body = zipped([Wanted(name, content) for name, content in entries])
        for old, new in (mended or {}).items():
            body = body.replace(old, new)
        version = self.s3.put_object(Bucket=self.name, Key=f"{STEM}.zip", Body=body).get("VersionId")
        landed = {"key": f"{STEM}.zip", "version_id": version, "size": len(body)}
        document = {
            "schema": SCHEMA,
            "export_id": REQUEST.export_id,
            "request": REQUEST.identity(),
            "bucket": self.name,
            "key": f"{STEM}.zip",
            "content_type": "application/zip",
            "objects": [landed],
            "landed_at": next(self._landings),
            **changes,
        }
        key = f"{STEM}.zip.manifest.json"
        self.s3.put_object(Bucket=self.name, Key=key, Body=json.dumps(document).encode())
        self.rows[REQUEST.export_id] = {"state": "LANDED", "landed_at": "now", "objects": [landed]}
        return key

    def unpack(self, key: str, bucket: str | None = None) -> dict[str, Any]:
        event = {"detail": {"bucket": {"name": bucket or self.name}, "object": {"key": key}}}
        counts = unpack(event, self.seconds, self.clock, self.sleep or self.waits.append)
        assert counts.pop("key") == key
        return counts

    def unpacked(self) -> dict[str, bytes]:
        """Give what lies under `unpacked/`, inflated, by the rest of its key."""
        listed = self.s3.list_objects_v2(Bucket=self.name, Prefix="unpacked/").get("Contents", [])
        return {each["Key"].removeprefix(f"unpacked/{STEM}."): self.read(each["Key"]) for each in listed}

    def read(self, key: str) -> bytes:
        return gzip.decompress(self.s3.get_object(Bucket=self.name, Key=key)["Body"].read())

    def versions(self) -> int:
        listed = self.s3.list_object_versions(Bucket=self.name, Prefix="unpacked/")
        return len(listed.get("Versions", []))

    @contextmanager
    def meanwhile(self, operation: str, key: str, *entries: tuple[str, bytes]) -> Iterator[None]:
        """Land and unpack an archive once, right before an operation on a key is carried out."""
        pending = [entries]

        def handle(params: dict[str, Any], **_: Any) -> None:
            if pending and params["url_path"].endswith(key):
                self.unpack(self.land(*pending.pop()))

        self.s3.meta.events.register(f"before-call.s3.{operation}", handle)
        yield
        self.s3.meta.events.unregister(f"before-call.s3.{operation}", handle)
        assert not pending


def store_at(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Make a bucket, and let the function use it."""
    name, nothing = f"landings-{uuid.uuid4()}", cast("Any", None)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    settings = Settings(name, "", "", "", "", nothing, nothing, resubmit=False)
    monkeypatch.setattr("logferry.runtime.s3", lambda: s3)
    monkeypatch.setattr("logferry.runtime.settings", lambda: settings)
    store = Store(s3, name)
    monkeypatch.setattr("logferry.runtime.ledger", lambda: SimpleNamespace(read=store.read_row))
    return store


@pytest.fixture
def real(seaweed: S3Server, monkeypatch: pytest.MonkeyPatch) -> Store:
    return store_at(seaweed.client(s3_config()), monkeypatch)


@pytest.fixture
def mocked(emulated_s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> Store:
    return store_at(emulated_s3, monkeypatch)


@pytest.fixture(params=["real", "mocked"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


def test_every_entry_becomes_an_object_and_json_becomes_lines(store: Store) -> None:
    # Given an archive of everything
    items = [{"a": 1}, {"a": [2, {"b": 3}]}]
    text = json.dumps(items, indent=1).encode()
    key = store.land(("1.csv", b"h\r\n1\r\n"), ("2.json", text), ("notes.txt", b"?"), ("0.csv", b""))
    # When
    counts = store.unpack(key)
    # Then
    assert counts == {**NOTHING, "unpacked": 2, "packed": 1}
    unpacked = store.unpacked()
    assert [json.loads(line) for line in unpacked.pop("2.json.gz").splitlines()] == items
    assert unpacked == {"1.csv.gz": b"h\r\n1\r\n"}


def test_an_event_that_comes_again_changes_nothing(store: Store) -> None:
    # Given
    key = store.land(("1.csv", b"1"), ("2.csv", b"2"))
    store.unpack(key)
    # When
    counts = store.unpack(key)
    # Then
    assert counts == {**NOTHING, "kept": 2}
    assert store.versions() == 2


def test_a_refresh_replaces_and_takes_away_what_it_has_no_more(store: Store) -> None:
    # Given
    store.unpack(store.land(("1.csv", b"1"), ("2.csv", b"2"), ("3.csv", b"3")))
    # When
    counts = store.unpack(store.land(("1.csv", b"new"), ("2.csv", b"2")))
    # Then what is the same in both is replaced too: it is another landing's
    assert counts == {**NOTHING, "unpacked": 2, "removed": 1}
    assert store.unpacked() == {"1.csv.gz": b"new", "2.csv.gz": b"2"}
    # and nothing is lost for good
    assert store.versions() == 5


def test_what_is_unpacked_is_the_version_that_the_manifest_names(store: Store) -> None:
    # Given an object that lies over the one that was announced
    key = store.land(("1.csv", b"announced"))
    store.s3.put_object(Bucket=store.name, Key=f"{STEM}.zip", Body=zipped([Wanted("1.csv", b"not yet")]))
    # When
    store.unpack(key)
    # Then
    assert store.unpacked() == {"1.csv.gz": b"announced"}


def test_a_landing_that_crosses_an_unpack_wins(store: Store) -> None:
    # Given an unpack of an old landing that is about to write its first entry
    key = store.land(("1.csv", b"old"), ("2.csv", b"old"))
    # When a new landing is unpacked right then
    with store.meanwhile("PutObject", "1.csv.gz", ("1.csv", b"new")):
        counts = store.unpack(key)
    # Then the old one sees it, and leaves everything to the new one
    assert counts == {**NOTHING, "kept": 1}
    assert store.unpacked() == {"1.csv.gz": b"new"}


def test_a_landing_that_comes_after_the_last_entry_is_unpacked_as_well(store: Store) -> None:
    # Given an unpack that writes an entry that a newer landing, unpacked meanwhile, does not have
    key = store.land(("1.csv", b"old"), ("2.csv", b"old"))
    # When
    with store.meanwhile("PutObject", "2.csv.gz", ("1.csv", b"new")):
        counts = store.unpack(key)
    # Then it takes it away again
    assert counts == {**NOTHING, "kept": 1, "removed": 1}
    assert store.unpacked() == {"1.csv.gz": b"new"}


def test_an_old_landing_never_replaces_a_newer_one(store: Store) -> None:
    # Given an unpack that is about to look at what lies under its first entry's key
    key = store.land(("1.csv", b"older"))
    store.unpack(key)
    store.land(("1.csv", b"old"))
    # When a new landing is unpacked before the look, or behind it
    for versions, operation in ((2, "HeadObject"), (3, "PutObject")):
        new = f"new {operation}".encode()  # the same bytes would have the same ETag
        with store.meanwhile(operation, "1.csv.gz", ("1.csv", new)):
            store.unpack(key)
        # Then it was never anything but the new one's
        assert store.unpacked() == {"1.csv.gz": f"new {operation}".encode()}
        assert store.versions() == versions
        store.land(("1.csv", b"old"))


def test_nothing_that_a_newer_landing_has_is_taken_away(store: Store) -> None:
    # Given an unpack of a landing with one entry less, about to take that away
    store.unpack(store.land(("1.csv", b"1"), ("2.csv", b"older")))
    key = store.land(("1.csv", b"1"))
    # When a newer one with that entry is unpacked right then
    with store.meanwhile("DeleteObject", "2.csv.gz", ("1.csv", b"1"), ("2.csv", b"new")):
        store.unpack(key)
    # Then it is there, and was all the time
    assert store.unpacked() == {"1.csv.gz": b"1", "2.csv.gz": b"new"}
    assert "DeleteMarkers" not in store.s3.list_object_versions(Bucket=store.name)


def test_an_unpack_that_is_always_overtaken_gives_up(store: Store) -> None:
    # Given somebody who writes a manifest whenever it is looked at
    key = store.land(("1.csv", b"1"))

    def overtake(params: dict[str, Any], **_: Any) -> None:
        if params["url_path"].endswith(".manifest.json"):
            store.land(("1.csv", b"1"))

    store.s3.meta.events.register("before-call.s3.HeadObject", overtake)
    # When / Then
    with pytest.raises(DeliveryError, match="changed 5 times"):
        store.unpack(key)


def test_an_entry_whose_crc_is_wrong_is_not_written(store: Store) -> None:
    # Given an archive whose second entry was changed after it was packed
    body = zipped([Wanted("1.csv", b"first", deflated=False), Wanted("2.csv", b"second", deflated=False)])
    key = store.land(("1.csv", b"x"))
    version = store.s3.put_object(
        Bucket=store.name, Key=f"{STEM}.zip", Body=body.replace(b"second", b"SECOND")
    )["VersionId"]
    manifest = json.loads(store.s3.get_object(Bucket=store.name, Key=key)["Body"].read())
    manifest["objects"][0]["version_id"] = version
    store.s3.put_object(Bucket=store.name, Key=key, Body=json.dumps(manifest).encode())
    store.rows[REQUEST.export_id]["objects"] = manifest["objects"]
    # When
    with pytest.raises(CorruptDownloadError, match="is damaged"):
        store.unpack(key)
    # Then
    assert store.unpacked() == {"1.csv.gz": b"first"}


def test_json_that_is_none_is_said_and_stops_nothing_else(store: Store) -> None:
    # Given
    key = store.land(("1.json", b"[1, 2"), ("2.json", b"[1, 2]"), ("3.csv", b"3"))
    # When
    with pytest.raises(CorruptDownloadError, match=r"1 entries .*1\.json\.gz: the JSON ends"):
        store.unpack(key)
    # Then
    assert store.unpacked() == {"2.json.gz": b"1\n2\n", "3.csv.gz": b"3"}


@pytest.mark.parametrize(
    "text",
    [
        b'[{"a": "first\nsecond"}]',
        b"[1,,2]",
        b"[1,2,]",
        b'{"a": 1,}\n{"a": 2}',
        b"[Infinity]",
        b'["\xed\xa0\x80"]',
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b"[1]," * 600_000 + b",1]",
    ],
    ids=["line break", "two commas", "last comma", "lines", "Infinity", "surrogate", "deep", "long"],
)
def test_no_other_text_is_written_than_was_read(store: Store, text: bytes) -> None:
    # Given JSON that is none, though its brackets balance
    key = store.land(("1.json", text), ("2.json", b'["\\ud800"]'))
    # When
    with pytest.raises(CorruptDownloadError, match=r"1 entries .*1\.json\.gz: (no JSON parser|the JSON is)"):
        store.unpack(key)
    # Then nothing of it lies there
    assert store.unpacked() == {"2.json.gz": b'"\\ud800"\n'}


def test_names_are_never_trusted(store: Store) -> None:
    # Given an archive of names that lead elsewhere, one of them twice
    names = ["../../x.csv", "/etc/x.csv", "a?b.csv", "n" * 300 + ".csv", "x.csv", "y.csv"]
    mended = {b"a?b.csv": b"a\0b.csv", b"y.csv": b"x.csv"}  # zipfile writes neither
    entries = [(name, str(place).encode()) for place, name in enumerate(names)]
    # When
    store.unpack(store.land(*entries, mended=mended))
    # Then all lie in the one folder, none over another
    listed = store.s3.list_objects_v2(Bucket=store.name)["Contents"]
    unpacked = [each["Key"] for each in listed if each["Key"].startswith("unpacked/")]
    assert {key.rpartition("/")[0] for key in unpacked} == {f"unpacked/{FOLDER}".rstrip("/")}
    assert sorted(store.unpacked().values()) == [b"0", b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "another/1"},
        {"schema": "logferry.manifest/2"},
        {"bucket": "another"},
        {"key": "elsewhere/x.zip"},
        {"content_type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"content_type": "application/gzip"},
        {"objects": []},
        {"objects": [{"key": "secret/other.zip", "version_id": None, "size": 1}]},
        {"objects": "none"},
    ],
)
def test_what_is_no_manifest_of_an_archive_beside_it_is_left_alone(
    store: Store, changes: dict[str, Any]
) -> None:
    key = store.land(("1.csv", b"1"), **changes)

    assert store.unpack(key) == NOTHING
    assert store.unpacked() == {}


def test_a_forged_manifest_is_left_alone(store: Store) -> None:
    # Given somebody who may write to the bucket, and writes an archive and a manifest that names it
    store.unpack(store.land(("1.csv", b"true")))
    rows = json.loads(json.dumps(store.rows))
    key = store.land(("1.csv", b"forged"))
    # When it is looked at, also where the ledger has never heard of such an export
    for store.rows in ({}, rows):
        assert store.unpack(key) == NOTHING
    # Then nobody waits, and what lies there is what landed
    assert store.waits == []
    assert store.unpacked() == {"1.csv.gz": b"true"}
    # And a manifest that says it is another export's is none
    assert store.unpack(store.land(("1.csv", b"forged"), export_id="e" * 64)) == NOTHING


@pytest.mark.parametrize("earlier", [False, True], ids=["first", "refresh"])
def test_a_landing_that_the_ledger_does_not_know_yet_is_tried_again(store: Store, *, earlier: bool) -> None:
    # Given a fetch that has written the manifest, and not the ledger's row
    row = {"state": "SUBMITTED"}
    if earlier:
        store.unpack(store.land(("1.csv", b"old")))
        row = {**store.rows[REQUEST.export_id], **row}
    key = store.land(("1.csv", b"new"))
    landed, store.rows[REQUEST.export_id] = store.rows[REQUEST.export_id], row
    # When it never does, then Lambda's retry is asked for
    with pytest.raises(DeliveryError, match="does not say yet"):
        store.unpack(key)
    assert sum(store.waits) > 5
    # And when it does after some seconds, the landing is unpacked
    store.sleep = lambda _: store.rows.update({REQUEST.export_id: landed})
    assert store.unpack(key) == {**NOTHING, "unpacked": 1}
    assert store.unpacked() == {"1.csv.gz": b"new"}


def test_a_refresh_on_its_way_does_not_hold_up_what_landed_before(store: Store) -> None:
    key = store.land(("1.csv", b"1"))
    store.rows[REQUEST.export_id]["state"] = "CLAIMED"

    assert store.unpack(key) == {**NOTHING, "unpacked": 1}


def test_a_manifest_that_is_no_json_or_gone_is_left_alone(store: Store) -> None:
    store.s3.put_object(Bucket=store.name, Key="x.manifest.json", Body=b"\xff{")

    assert store.unpack("x.manifest.json") == NOTHING
    assert store.unpack("gone.manifest.json") == NOTHING


def test_another_bucket_is_none_of_ours(store: Store) -> None:
    assert store.unpack(store.land(("1.csv", b"1")), bucket="another") == NOTHING


def test_somebody_elses_object_under_such_a_key_is_neither_replaced_nor_taken_away(store: Store) -> None:
    # Given
    for name in ("1.csv.gz", "2.csv.gz"):
        store.s3.put_object(Bucket=store.name, Key=f"unpacked/{STEM}.{name}", Body=gzip.compress(b"theirs"))
    # When
    with pytest.raises(DeliveryError, match="holds another object"):
        store.unpack(store.land(("1.csv", b"1")))
    store.unpack(store.land(("3.csv", b"3")))
    # Then
    assert store.unpacked() == {"1.csv.gz": b"theirs", "2.csv.gz": b"theirs", "3.csv.gz": b"3"}


def test_a_bucket_without_versions_is_refreshed_as_well(store: Store) -> None:
    # Given
    store.s3.put_bucket_versioning(Bucket=store.name, VersioningConfiguration={"Status": "Suspended"})
    store.unpack(store.land(("1.csv", b"old")))
    # When
    counts = store.unpack(store.land(("1.csv", b"new")))
    # Then
    assert counts == {**NOTHING, "unpacked": 1}
    assert store.unpacked() == {"1.csv.gz": b"new"}


def test_uploads_that_a_killed_try_left_are_gone_with_the_next(store: Store) -> None:
    # Given
    store.s3.create_multipart_upload(Bucket=store.name, Key=f"unpacked/{STEM}.1.csv.gz")
    other = store.s3.create_multipart_upload(Bucket=store.name, Key=f"unpacked/{STEM}--0123456789ab.1.csv.gz")
    # When
    store.unpack(store.land(("1.csv", b"1")))
    # Then
    uploads = store.s3.list_multipart_uploads(Bucket=store.name)["Uploads"]
    assert [each["UploadId"] for each in uploads] == [other["UploadId"]]


def test_a_try_stops_before_its_time_is_over_and_the_next_goes_on(store: Store) -> None:
    # Given a clock that leaves time for the first entry only
    key = store.land(("1.csv", b"1"), ("2.csv", b"2"))
    store.clock = lambda: 890.0 if store.unpacked() else 0.0
    # When
    with pytest.raises(DeliveryError, match="takes too long"):
        store.unpack(key)
    assert store.unpacked() == {"1.csv.gz": b"1"}
    # Then
    store.clock = lambda: 0.0
    assert store.unpack(key) == {**NOTHING, "unpacked": 1, "kept": 1}
