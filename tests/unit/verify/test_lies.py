"""End records, zip64 fields and central directories that lie."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.verify.archives import (
    A,
    B,
    assembled,
    end_record,
    end_records64,
    listed,
    refused,
    verify,
)


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"count": 2, "here": 2}, "2, 2, .* but 1 entries"),
        ({"count": 0, "here": 0}, "but 1 entries"),
        ({"here": 0}, "but 1 entries"),
        ({"size": 50}, "but 1 entries and 51 bytes"),
        ({"start": 0}, "from byte 44"),
        ({"disk": 1}, "several volumes"),
        ({"first": 1}, "several volumes"),
        ({"comment": 1}, "in the middle of its comment"),
        ({"count": 0xFFFF, "here": 0xFFFF}, "but 1 entries"),
    ],
)
def test_an_end_record_that_lies_is_refused(lie: dict[str, int], why: str) -> None:
    # Given an end record that says one thing that is not so, or full fields and no zip64 record
    start = len(A.local())
    end = end_record(1, len(A.central()), start, **lie)
    # When it is verified, Then it is refused
    refused(assembled([A], end=end), why)


def test_zip64_records_that_tell_the_truth_are_believed() -> None:
    # Given an archive that ends in zip64 records though it need not
    end = end_records64(1, len(A.central()), len(A.local()))
    # When it is verified, Then they are read
    assert verify(assembled([A], end=end), step=3).records == 2
    # And so they are where the old record has the numbers as well
    record, locator = end[:56], end[56:76]
    old = end_record(1, len(A.central()), len(A.local()))
    assert verify(assembled([A], end=record + locator + old)).records == 2
    # And where it leaves even the numbers of its disks to the zip64 record
    old = end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, disk=0xFFFF, first=0xFFFF)
    assert verify(assembled([A], end=record + locator + old)).records == 2


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"count": 2**40, "here": 2**40}, "but 1 entries"),
        ({"size": 2**63}, "but 1 entries"),
        ({"start": 2**63}, "but 1 entries"),
        ({"length": 2**62}, "claims a length"),
        ({"length": 43}, "claims a length"),
        ({"disk": 1}, "several volumes"),
        ({"disks": 2}, "several volumes"),
        ({"place": 0}, "locator puts the zip64 end record at byte 0"),
    ],
)
def test_zip64_records_that_lie_are_refused(lie: dict[str, int], why: str) -> None:
    # Given a zip64 end record or locator that says one thing that is not so
    end = end_records64(1, len(A.central()), len(A.local()), **lie)
    # When it is verified, Then it is refused
    refused(assembled([A], end=end), why)


def test_a_zip64_record_without_its_locator_is_refused() -> None:
    # Given a zip64 end record that the old one follows directly
    end = end_records64(1, len(A.central()), len(A.local()))
    # When it is verified, Then it is refused
    refused(assembled([A], end=end[:56] + end[76:]), "no locator")


def test_zip64_sizes_that_lie_are_refused_at_the_header() -> None:
    # Given a local header whose zip64 field promises 8 EiB out of 10 bytes
    extra = struct.pack("<HHQQ", 1, 16, 2**63, 10)
    liar = replace(A, packed=0xFFFFFFFF, size=0xFFFFFFFF, extra=extra)
    # When it is verified, Then it is refused
    refused(assembled([liar]), "makes 9,223,372,036,854,775,808 bytes of 10")


@pytest.mark.parametrize(
    "extra", [b"", struct.pack("<HHQ", 1, 8, 7), struct.pack("<HHQQ", 2, 16, 7, 9), b"\1\0\x10"]
)
def test_zip64_sizes_that_are_promised_and_missing_are_refused(extra: bytes) -> None:
    # Given full size fields, and a zip64 field that is missing, too short, of another kind or cut off
    liar = replace(A, packed=0xFFFFFFFF, size=0xFFFFFFFF, extra=extra)
    # When it is verified, Then it is refused
    refused(assembled([liar]), "promises zip64 sizes and has none")


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"name": b"b.csv"}, "name"),
        ({"size": A.size + 1}, "size"),
        ({"packed": A.packed - 1}, "packed"),
        ({"crc32": 1}, "crc32"),
        ({"method": 0}, "method"),
        ({"flags": 8}, "flags"),
        ({"flags": 1 << 4}, "flags"),
        ({"offset": 1}, "where no entry begins"),
        ({"disk": 3}, "several volumes"),
    ],
)
def test_a_directory_that_contradicts_the_entry_is_refused(lie: dict[str, Any], why: str) -> None:
    # Given a central directory that says of an entry what its local header does not
    # When it is verified, Then it is refused, and the message says what differs
    refused(assembled([A], [replace(A, **lie)]), why)


def test_how_hard_the_writer_tried_may_stand_in_one_header_only() -> None:
    # Given a local header whose flags tell the level of compression, which the directory leaves out
    # When it is verified, Then that is no contradiction
    assert verify(assembled([replace(A, flags=2)], [A])).records == 2


def test_an_entry_that_the_directory_hides_is_refused() -> None:
    # Given two entries, of which the central directory knows one
    data = assembled([A, B], [replace(A, offset=0)])
    # When it is verified, Then the hidden one is named
    refused(data, r"b\.csv.* missing from the central directory")


def test_an_entry_that_is_only_listed_is_refused() -> None:
    # Given a directory that lists an entry which is not there
    data = assembled([A], [replace(A, offset=0), replace(B, offset=9)])
    # When it is verified, Then that one is named
    refused(data, r"b\.csv.* where no entry begins")


def test_the_directory_may_list_entries_in_another_order() -> None:
    # Given a central directory that lists the second entry first, which the format allows
    first, second = listed(A, B)
    # When it is verified, Then entries come in the order of the directory
    assert [e.name for e in verify(assembled([A, B], [second, first])).entries] == ["b.csv", "a.csv"]


@pytest.mark.parametrize(
    "extra",
    [b"UT\x02\0\x03", b"UT\0\1\x03", b"\x01\0\x08\0" + bytes(7), b"ab\0\0UT\xff\xff", b"UT\1\0\x03cd\x01\0"],
)
def test_an_extra_field_longer_than_all_of_them_is_refused(extra: bytes) -> None:
    # Given a central directory that Python's and Java's readers would not open
    members = [A, replace(B, offset=len(A.local()))]
    # When it is verified, Then it is refused
    refused(
        assembled(members, [A, replace(members[1], extra=extra)]), "an extra field of the central directory"
    )


@pytest.mark.parametrize(
    "extra", [b"", b"UT\1\0\x03", b"ab\0\0", b"\0\0\0", b"UT\1\0\x03\0\0\0", bytes(7), b"xyz"]
)
def test_extra_fields_and_what_pads_them_are_passed_over(extra: bytes) -> None:
    # Given fields that hold together, and zeros or up to three bytes behind them, as aligners write
    # When the archive is verified, Then they mean nothing
    assert verify(assembled([A], [replace(A, extra=extra)])).records == 2


def test_the_utf8_flag_in_one_header_of_another_name_is_refused() -> None:
    # Given a name that is another text with the flag than without
    named = replace(A, name="é.csv".encode())
    refused(assembled([named], [replace(named, flags=1 << 11)]), "flags")
