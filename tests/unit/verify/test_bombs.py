"""Bombs, each refused early and in little memory, and what only looks like one."""

from __future__ import annotations

import struct
import tracemalloc
from dataclasses import replace

from logferry.verify.verifier import ArchiveLimits
from tests.unit.verify.archives import (
    MIB,
    A,
    B,
    Header,
    Wanted,
    assembled,
    end_records64,
    refused,
    refused_early,
    verify,
    zipped,
)


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


def test_a_stored_entry_full_of_forged_ends_is_refused() -> None:
    # Given a stored entry of unknown length, every eight bytes of which look like the end of a descriptor
    content = b"".join(struct.pack("<I4s", at - 12, b"PK\x03\x04") for at in range(12, 8 * MIB, 8))
    header = replace(Header.of(b"a.bin", b"", 0), flags=8).local()
    # When it is verified, Then it is refused after a hundred of them: a CRC for each would take seconds a MiB
    refused(header + b"12345678" + content, "full of forged ends")


def test_a_ratio_that_deflate_cannot_have_is_refused_at_the_header() -> None:
    # Given a header that promises 10 GiB out of 1 MiB, and as yet nothing behind it
    liar = replace(A, packed=MIB, size=10 * 1024 * MIB & 0xFFFFFFFF, body=b"")
    # When it comes, Then it is refused before a byte of its content
    refused_early(liar.local(), "more than 1,032:1")


def test_a_ratio_over_the_limit_is_refused_where_no_header_tells() -> None:
    # Given an entry that inflates a thousand times, and whose sizes follow it
    data = zipped([Wanted("zeros.csv", bytes(4 * MIB))], piped=True)
    # When ratios over 500 are refused, Then it is
    refused(data, "more than 500:1", ArchiveLimits(ratio=500))
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
    refused(data, "inflates to more than 1,572,864 bytes", ArchiveLimits(inflated=3 * MIB // 2))


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
    # When 1,000 are the limit, Then the one too many is refused
    refused_early(data, "more than 1,000 entries", ArchiveLimits(entries=1000))


def test_names_do_not_fill_the_memory() -> None:
    # Given a few entries with names of 60 KB
    data = b"".join(Header.of(b"%060000d" % number, b"", 0).local() for number in range(100))
    # When the central directory would pass its limit, Then they are refused, and the name is not repeated
    why = "a central directory of more than 1,048,576 bytes"
    refused_early(data, why, ArchiveLimits(directory=MIB))


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
    # Then what is held of them is some 200 bytes each, findings included
    assert findings.records == 10_000
    assert peak < 2.5 * MIB
