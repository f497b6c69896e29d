from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logferry.errors import InvalidRequestError
from logferry.models.job import FileKind
from logferry.models.request import ExportRequest, Window, digest
from logferry.storage.keys import MANIFEST, manifest_key, object_key

DAY = Window(datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC))
CALL = "2bf68a86-8a0e-4dd8-8c3c-7e0f0a1d5b11"


def windowed(filters: dict[str, Any] | None = None, window: Window = DAY) -> ExportRequest:
    return ExportRequest("spark-log-csv", "acme-uat", {}, window, filters or {})


def call(call_id: str, index: int | None = None) -> ExportRequest:
    target = {"call_id": call_id} | ({} if index is None else {"index": index})
    return ExportRequest("spark-call", "acme-uat", target, item=("call_id", "index"))


def test_a_key_reads_as_the_contract_says() -> None:
    assert object_key(windowed(), ["Motor", "Quote"], "zip") == (
        "spark-log-csv/acme-uat/Motor/Quote/date=2026-11-18/20261118T000000Z--20261119T000000Z.zip"
    )


def test_filters_are_in_the_name_as_the_first_digits_of_their_hash() -> None:
    filters = {"has_errors": True}
    expected = f"20261118T000000Z--20261119T000000Z--{digest(filters)[:12]}.zip"
    assert object_key(windowed(filters), ["Motor", "Quote"], "zip").endswith(f"/{expected}")


def test_the_date_is_the_windows_own_and_the_times_are_utc() -> None:
    # Given a day of London's summer, which starts at 23:00 UTC on the day before
    summer = timezone(timedelta(hours=1))
    window = Window(datetime(2026, 7, 2, tzinfo=summer), datetime(2026, 7, 3, tzinfo=summer))
    # When its key is made
    key = object_key(windowed(window=window), ["account"], "json.gz")
    # Then
    assert key.endswith("/account/date=2026-07-02/20260701T230000Z--20260702T230000Z.json.gz")


@pytest.mark.parametrize(
    ("index", "name"),
    [(1, "Z.json.gz"), (2, "Z-2.json.gz"), (3, "Z-3.json.gz")],
)
@pytest.mark.parametrize("extension", ["json.gz", ".json.gz"])
def test_further_files_are_numbered_before_the_whole_extension(index: int, name: str, extension: str) -> None:
    assert object_key(windowed(), ["space"], extension, index).endswith(f"20261119T000000{name}")


@pytest.mark.parametrize(
    ("request_", "name"),
    [(call(CALL), f"{CALL}.json"), (call(CALL, 3), f"{CALL}-3.json"), (call(CALL, 0), f"{CALL}-0.json")],
)
def test_a_call_lies_under_calls(request_: ExportRequest, name: str) -> None:
    assert object_key(request_, [], "json") == f"spark-call/acme-uat/calls/{name}"


def test_the_manifest_lies_beside_its_object() -> None:
    assert manifest_key("a/b.zip") == "a/b.zip.manifest.json"


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="empty"):
        object_key(windowed(), ["Motor", ""], "zip")


NAMES = st.text(min_size=1, max_size=120)
TRICKY = st.sampled_from(
    [".", "..", "a/b", "a%2Fb", "a b", "a?b#c", "date=2026-11-18", "é", "%", "-", "a" * 400]
)
PARTS = st.lists(NAMES | TRICKY, min_size=2, max_size=2)
MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone itself
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-9, minutes=-30))),
)


@given(folder=PARTS)
def test_no_part_of_a_key_leaves_its_place_and_each_can_be_read_back(folder: list[str]) -> None:
    # When
    key = object_key(windowed(), folder, "zip")
    # Then the key has as many parts as the contract, none of them moves in a file system, all are ASCII
    parts = key.split("/")
    assert len(parts) == 6
    assert not {"", ".", ".."} & set(parts)
    assert key.isascii()
    assert max(map(len, parts)) <= 200
    # And a part that was not cut is the name itself
    for part, name in zip(parts[2:4], folder, strict=True):
        assert "!" in part or unquote(part) == name


@given(first=PARTS, second=PARTS, one=MOMENTS, other=MOMENTS)
def test_two_exports_never_share_a_key(
    first: list[str], second: list[str], one: datetime, other: datetime
) -> None:
    # Given the same window for two folders, and two windows for the same folder
    def key(folder: list[str], start: datetime) -> str:
        return object_key(windowed(window=Window(start, start + timedelta(days=1))), folder, "zip")

    # Then
    assert (key(first, one) == key(second, one)) == (first == second)
    assert (key(first, one) == key(first, other)) == (one == other and one.date() == other.date())


CALL_IDS = st.from_regex(r"\A[a-c!%-]{0,3}-?[0-9]{0,2}\Z").filter(bool) | NAMES | st.uuids().map(str)


@given(
    st.tuples(CALL_IDS, st.none() | st.integers(0, 99)), st.tuples(CALL_IDS, st.none() | st.integers(0, 99))
)
def test_two_calls_never_share_a_key(one: tuple[str, int | None], other: tuple[str, int | None]) -> None:
    assert (object_key(call(*one), [], "json") == object_key(call(*other), [], "json")) == (one == other)


@given(
    folder=st.lists(st.text(min_size=1, max_size=600), min_size=1, max_size=9), index=st.integers(1, 10_000)
)
def test_no_key_is_longer_than_s3_takes_nor_is_its_manifests(folder: list[str], index: int) -> None:
    # Given the longest names for everything
    request = ExportRequest("s" * 300, "c" * 300, {}, DAY, {"has_errors": True})
    # When
    key = object_key(request, folder, "json.gz", index)
    # Then
    assert len(manifest_key(key).encode()) <= 1024
    assert key.split("/")[-2] == f"date={date(2026, 11, 18)}"


def test_a_name_that_looks_like_a_cut_one_is_another() -> None:
    # Given a name so long that it is cut, and one that spells out what the cut left
    cut = object_key(windowed(), ["a" * 400, "Quote"], "zip").split("/")[2]
    # Then
    assert object_key(windowed(), [cut, "Quote"], "zip").split("/")[2] != cut


def test_fractions_of_a_second_are_kept_apart() -> None:
    # Given two windows that differ by a microsecond
    late = Window(DAY.start + timedelta(microseconds=1), DAY.end)
    # Then
    assert object_key(windowed(window=late), ["Motor"], "zip") != object_key(windowed(), ["Motor"], "zip")


def test_an_id_that_ends_like_an_index_is_another_call() -> None:
    assert object_key(call("quote-1"), [], "json") != object_key(call("quote", 1), [], "json")


SLY = st.sampled_from(["x.json.manifest", "x.zip.manifest", ".manifest", "a.xlsx.manifest.json", "b.json"])
WINDOWS = st.builds(
    lambda start, length: Window(start, start + length),
    MOMENTS,
    st.timedeltas(timedelta(microseconds=1), timedelta(400)),
)
REQUESTS = st.builds(call, CALL_IDS | SLY, st.none() | st.integers(0, 99)) | st.builds(
    windowed, st.none() | st.fixed_dictionaries({"call_ids": st.lists(SLY, min_size=1)}), WINDOWS
)
FILES = st.builds(
    object_key,
    REQUESTS,
    st.lists(NAMES | TRICKY | SLY, max_size=3),
    st.sampled_from([kind.extension for kind in FileKind]),
    st.just(1) | st.integers(1, 99),
)


@given(FILES, FILES)
@example(object_key(call("x.json.manifest"), [], "json"), object_key(call("x"), [], "json"))
def test_no_file_has_the_key_of_a_manifest(one: str, other: str) -> None:
    assert one != manifest_key(other)
    assert not one.endswith(MANIFEST)


def test_a_call_that_is_named_like_a_manifest_gets_another_key() -> None:
    # Given a call whose id spells out the manifest's name of another call
    first = manifest_key(object_key(call("x"), [], "json"))
    # Then
    assert object_key(call("x.json.manifest"), [], "json") != first
    assert object_key(call(CALL), [], "json") == f"spark-call/acme-uat/calls/{CALL}.json"
