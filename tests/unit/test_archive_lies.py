"""Archives that lie: bombs, overlaps, hidden and missing data; each refused, early and in little memory."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import pytest

from logferry.archive import Limits, verifier
from logferry.errors import CorruptDownloadError
from logferry.job import FileKind
from tests.unit.archives import (
    Header,
    Wanted,
    assembled,
    deflate,
    end_record,
    end_records64,
    verify,
    zipped,
)

A = Header.of(b"a.csv", b"id\n1\n2\n")
B = Header.of(b"b.csv", b"id\n3\n", 0)
MIB = 1024 * 1024


def refused(data: bytes, why: str, limits: Limits | None = None) -> None:
    """Check that `data` is refused for that reason, in one piece and byte by byte."""
    for step in (len(data), 1 if len(data) < 5000 else 4096):
        with pytest.raises(CorruptDownloadError, match=why):
            verify(data, step=step, limits=limits)


def listed(*members: Header) -> list[Header]:
    """Give the true central directory of members that follow each other."""
    start, headers = 0, []
    for member in members:
        headers.append(replace(member, offset=start))
        start += len(member.local())
    return headers


def test_the_archives_these_tests_twist_are_sound() -> None:
    # Given the hand-made archive of which each test below bends one thing
    # When it is verified as it is, Then nothing is wrong with it
    assert [entry.records for entry in verify(assembled([A, B])).entries] == [2, 1]


def test_entries_that_share_one_content_are_refused() -> None:
    # Given the classic bomb: one content, listed a thousand times
    data = assembled([A], [replace(A, offset=0)] * 1000)
    # When it is verified, Then the second mention is refused
    refused(data, "where no entry begins or one that it has listed before")


def test_entries_that_quote_each_other_are_refused() -> None:
    # Given Fifield's bomb: each entry's content is the next entry, header and all, up to one kernel
    kernel = Header.of(b"0.csv", b"a" * 10_000)
    members, body, content = [kernel], kernel.local(), b"a" * 10_000
    for number in range(1, 20):
        header = replace(members[-1], body=b"").local()
        body = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF) + header + members[-1].body
        content = header + content
        members.append(replace(Header.of(b"%d.csv" % number, content), body=body, packed=len(body)))
    whole = members[-1]
    start, directory = 0, []
    for member in reversed(members):
        directory.append(replace(member, offset=start))
        start += len(replace(member, body=b"").local()) + 5
    # When it is verified, Then what is inside of another entry is none
    refused(assembled([whole], directory), r"18\.csv.* where no entry begins")


def test_a_ratio_that_deflate_cannot_have_is_refused_at_the_header() -> None:
    # Given a header that promises 10 GiB out of 1 MiB, and as yet nothing behind it
    liar = replace(A, packed=MIB, size=10 * 1024 * MIB & 0xFFFFFFFF, body=b"")
    check = verifier(FileKind.ZIP_CSV)
    # When it comes, Then it is refused before a byte of its content
    with pytest.raises(CorruptDownloadError, match="more than 1,032:1"):
        check.feed(liar.local())


def test_a_ratio_over_the_limit_is_refused_where_no_header_tells() -> None:
    # Given an entry that inflates a thousand times, and whose sizes follow it
    data = zipped([Wanted("zeros.csv", bytes(4 * MIB))], piped=True)
    # When ratios over 500 are refused, Then it is
    refused(data, "more than 500:1", Limits(ratio=500))
    # And without that, since zlib wrote it, it is not
    assert verify(data).records is None


def test_constant_csv_is_no_bomb() -> None:
    # Given the same row over and over, which an honest export of a dull day has
    row = b"2026-11-18T00:00:00Z,Quote,0.4.2,user@acme.example,Production,OK\n"
    # When it is verified, Then its ratio is nothing to worry about
    assert verify(zipped([Wanted("dull.csv", b"id\n" + row * 20_000)])).records == 20_000


def test_an_entry_that_holds_more_than_it_claims_is_refused_at_once() -> None:
    # Given an entry that claims 100 bytes and inflates to 64 MiB
    liar = replace(Header.of(b"a.csv", bytes(64 * MIB)), size=100)
    # When it is verified, Then it is refused, and in little memory
    tracemalloc.start()
    refused(assembled([liar]), "holds more than the 100 bytes it claims")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MIB


def test_the_total_of_all_entries_has_a_limit() -> None:
    # Given two entries of 1 MiB, of which each alone is fine
    data = assembled([Header.of(b"a.csv", bytes(MIB)), Header.of(b"b.csv", bytes(MIB))])
    # When 1.5 MiB is the limit, Then they are refused together
    refused(data, "inflates to more than 1,572,864 bytes", Limits(inflated=3 * MIB // 2))


def test_what_inflates_never_piles_up() -> None:
    # Given 64 MiB in 64 KiB, nothing about it wrong
    data = zipped([Wanted("zeros.csv", bytes(64 * MIB))])
    # When it is verified in one piece
    tracemalloc.start()
    findings = verify(data, step=len(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Then no more than a block of it is held at a time
    assert findings.entries[0].size == 64 * MIB
    assert peak < 4 * MIB


def test_too_many_entries_are_refused_before_the_directory_comes() -> None:
    # Given 1,001 entries and as yet no central directory
    data = b"".join(Header.of(b"%d" % number, b"", 0).local() for number in range(1001))
    check = verifier(FileKind.ZIP_CSV, limits=Limits(entries=1000))
    # When 1,000 are the limit, Then the one too many is refused
    with pytest.raises(CorruptDownloadError, match="more than 1,000 entries"):
        check.feed(data)


def test_names_do_not_fill_the_memory() -> None:
    # Given a few entries with names of 60 KB
    data = b"".join(Header.of(b"%060000d" % number, b"", 0).local() for number in range(100))
    check = verifier(FileKind.ZIP_CSV, limits=Limits(directory=MIB))
    # When the central directory would pass its limit, Then they are refused, and the name is not repeated
    with pytest.raises(CorruptDownloadError, match="a central directory of more than 1,048,576 bytes"):
        check.feed(data)


def test_what_is_held_of_an_entry_is_little() -> None:
    # Given many entries, one file for each call: the largest export has ten times as many
    members = [Header.of(b"2026-11-18/call-%08d.csv" % number, b"id\n1\n", 0) for number in range(10_000)]
    start, locals_, directory = 0, bytearray(), bytearray()
    for member in members:
        directory += replace(member, offset=start).central()
        locals_ += member.local()
        start = len(locals_)
    data = bytes(locals_ + directory + end_records64(len(members), len(directory), len(locals_)))
    del members, locals_, directory
    # When they are verified
    tracemalloc.start()
    findings = verify(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Then what is held of them is some 300 bytes each, findings included
    assert findings.records == 10_000
    assert peak < 4 * MIB


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
        ({"flags": 1 << 11}, "flags"),
        ({"offset": 1}, "where no entry begins"),
        ({"disk": 3}, "several volumes"),
    ],
)
def test_a_directory_that_contradicts_the_entry_is_refused(lie: dict[str, Any], why: str) -> None:
    # Given a central directory that says of an entry what its local header does not
    # When it is verified, Then it is refused, and the message says what differs
    refused(assembled([A], [replace(A, **lie)]), why)


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
    ("flags", "method", "why"),
    [
        (1, 8, r"entry 'a\.csv' is encrypted"),
        (1 << 6 | 1, 8, "is encrypted"),
        (1 << 13, 8, "is encrypted"),
        (1 << 5, 8, "only stored and deflated"),
        (0, 9, r"deflate64 \(number 9\)"),
        (0, 12, "bzip2"),
        (0, 14, "lzma"),
        (0, 99, "a method .number 99"),
    ],
)
def test_what_cannot_be_verified_is_refused_by_name(flags: int, method: int, why: str) -> None:
    # Given an entry that is encrypted, or compressed by a method other than DEFLATE
    # When it is verified, Then it is refused and the message says which
    refused(assembled([replace(A, flags=flags, method=method)]), why)


def test_an_archive_of_a_later_format_is_refused() -> None:
    # Given a header that asks for a version which no reader knows
    data = bytearray(assembled([A]))
    data[4] = 200
    # When it is verified, Then it is refused
    refused(bytes(data), "version 200")


@pytest.mark.parametrize("junk", [b"\0", b"MZ" + bytes(500)])
def test_nothing_may_stand_before_between_or_after(junk: bytes) -> None:
    # Given a sound archive
    data = assembled([A, B])
    # When something stands before it, Then it is none
    refused(junk + data, "not a ZIP")
    # And between two entries
    first, second = listed(A, B)
    gap = assembled(
        [replace(A, body=A.body + junk), B], [first, replace(second, offset=second.offset + len(junk))]
    )
    refused(gap, "neither an entry nor a record")
    # And between the last entry and the directory
    refused(assembled([A, replace(B, body=B.body + junk)], [first, second]), "neither an entry nor a record")
    # And after it
    refused(data + junk, f"ends at byte {len(data):,}, but the file goes on")
    # And two archives in one file are one too many
    refused(data + data, "but the file goes on")


def test_a_second_end_record_in_the_comment_is_refused() -> None:
    # Given a comment that holds an end record: readers who search from the end see another archive
    empty = end_record(0, 0, 0)
    end = end_record(1, len(A.central()), len(A.local()), comment=len(empty)) + empty
    # When it is verified, Then it is refused
    refused(assembled([A], end=end), "readers would disagree")


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("signature", [b"", b"PK\x07\x08"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("content", [b"", b"id\n1\n", b"PK\x03\x04 id PK\x01\x02\n1\n" * 300])
def test_descriptors_are_read_however_they_are_written(
    method: int,
    signature: bytes,
    wide: bool,  # noqa: FBT001 - pytest's
    content: bytes,
) -> None:
    # Given entries followed by a descriptor, with or without signature, of 32 or 64 bits
    true = Header.of(b"a.csv", content, method)
    layout = "<IQQ" if wide else "<III"
    descriptor = signature + struct.pack(layout, true.crc32, true.packed, true.size)
    member = replace(true, flags=8, crc32=0, packed=0, size=0, body=true.body + descriptor)
    listing = replace(true, flags=8)
    end = replace(listing, name=b"b.csv", offset=len(member.local()))
    data = assembled([member, replace(member, name=b"b.csv")], [listing, end])
    # When they are verified, Then they are understood
    for step in (len(data), 7, 1):
        assert [e.size for e in verify(data, step=step).entries] == [len(content)] * 2
    # And a descriptor that is wrong is refused
    broken = descriptor[:-1] + bytes([descriptor[-1] ^ 1])
    member = replace(member, body=true.body + broken)
    refused(assembled([member], [listing]), "descriptor|neither an entry|in the middle of")


def test_a_descriptor_forged_inside_a_stored_entry_is_refused() -> None:
    # Given a stored entry of unknown length whose content pretends that it ends and another one begins
    before = b"id\n1\n"
    forged = before + struct.pack("<4sIII", b"PK\x07\x08", zlib.crc32(before), 5, 5) + B.local()
    true = Header.of(b"a.csv", forged, 0)
    descriptor = struct.pack("<4sIII", b"PK\x07\x08", true.crc32, true.packed, true.size)
    member = replace(true, flags=8, crc32=0, packed=0, size=0, body=forged + descriptor)
    # When it is verified, Then what it smuggles is in no directory
    refused(assembled([member], [replace(true, flags=8)]), "neither an entry nor a record")


def test_sizes_given_before_and_after_the_content_must_agree() -> None:
    # Given an entry whose local header has the sizes although a descriptor follows
    descriptor = struct.pack("<4sIII", b"PK\x07\x08", A.crc32, A.packed, A.size)
    both = replace(A, flags=8, body=A.body + descriptor)
    # When both say the same, Then it is fine
    assert verify(assembled([both]), step=1).records == 2
    # And otherwise not
    refused(assembled([replace(both, size=3)]), "holds more than the 3 bytes")
    refused(assembled([replace(both, size=9)]), "another size")
    refused(assembled([replace(both, crc32=9)]), "another crc32")


def test_content_that_does_not_end_where_its_header_says_is_refused() -> None:
    # Given a header that cuts its content's compressed data short, and one that makes it longer
    # When they are verified, Then both are refused
    refused(assembled([replace(A, packed=A.packed - 1)]), "its compressed data goes on")
    longer = replace(A, packed=A.packed + 2, body=A.body + b"..")
    refused(assembled([longer]), "another packed|neither an entry")


def test_an_empty_entry_may_have_no_compressed_data_at_all() -> None:
    # Given a directory and an empty file that some writers call deflated while they store nothing
    data = assembled([Header(b"d/"), Header(b"empty.csv")])
    # When they are verified, Then they are empty entries
    assert [(entry.size, entry.records) for entry in verify(data).entries] == [(0, None), (0, 0)]


def test_padding_in_an_extra_field_is_left_alone() -> None:
    # Given an extra field that is only padding, as alignment tools write it
    # When it is verified, Then it is of no interest
    assert verify(assembled([replace(A, extra=b"\0\0\0")])).records == 2


def test_names_are_read_as_their_flag_says() -> None:
    # Given a name in code page 437 and the same in UTF-8
    old, new = replace(A, name=b"caf\x82.csv"), replace(A, name="café.csv".encode(), flags=1 << 11)
    # When they are verified, Then both are legible
    assert [entry.name for entry in verify(assembled([old, new])).entries] == ["café.csv"] * 2


def test_an_archive_in_an_archive_is_one_entry() -> None:
    # Given an archive that holds an archive that holds a bomb
    inner = assembled([A], [replace(A, offset=0)] * 1000)
    data = assembled([Header.of(b"inner.zip", inner, 0), Header.of(b"inner2.zip", deflate(inner))])
    # When it is verified, Then what is inside is content like any other: nothing is unpacked twice
    assert [entry.size for entry in verify(data).entries] == [len(inner), len(deflate(inner))]
