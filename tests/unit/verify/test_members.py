"""Members: what may stand in an archive and what may not, and where it ends."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import replace

import pytest

from logferry.verify.inflate import BLOCK
from tests.unit.verify.archives import (
    A,
    B,
    Header,
    assembled,
    deflate,
    end_record,
    listed,
    refused,
    verify,
)


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
    refused(data + b"\0" + junk.strip(b"\0") + b"!", f"ends at byte {len(data):,}, but the file goes on")
    # And two archives in one file are one too many
    refused(data + data, "but the file goes on")


@pytest.mark.parametrize("comment", [b"", b"of a hundred bytes".ljust(100)], ids=["plain", "commented"])
@pytest.mark.parametrize("filling", [b" ", b"\t", b"\r\n", b"\0", b"\0\n \0"])
def test_what_fills_a_file_up_behind_an_archive_is_suspect(filling: bytes, comment: bytes) -> None:
    # Given an archive with blanks, line ends or zeros behind its end, up to as many as readers look through
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
        archive.comment = comment
    most = 64 * 1024 - len(comment)
    for length in (len(filling), most):
        data = target.getvalue() + (filling * most)[:length]
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
        # When it is verified, Then it is whole, and the number of bytes is said
        for step in (1000, 65536):
            findings = verify(data, step=step)
            assert findings.records == 1
            [reason] = findings.suspect
            assert reason.startswith(f"{length} bytes of blanks")
    # And more of it is refused
    refused(data + filling, "but the file goes on")


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


@pytest.mark.parametrize("more", [-1, 0, 1, 100, 259, 1000, 5000])
def test_content_that_fills_the_last_block_is_read_to_its_end(more: int) -> None:
    # Given content of about as many bytes as are inflated at a time, so that its last input bytes are taken
    # in while output still waits inside of the inflater
    for zeros in (BLOCK + more, 2 * BLOCK + more):
        # When it is verified, Then all of it is seen
        findings = verify(assembled([Header.of(b"zeros.txt", bytes(zeros))]))
        assert findings.entries[0].size == zeros


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


@pytest.mark.parametrize("method", [0, 8])
def test_sizes_may_be_full_where_a_descriptor_follows(method: int) -> None:
    # Given a writer that fills the sizes it does not know yet, and has no zip64 field
    true = replace(Header.of(b"a.csv", b"id\n1\n2\n", method), flags=8)
    full, tail = 0xFFFFFFFF, struct.pack("<III", true.crc32, true.packed, true.size)
    local = replace(true, packed=full, size=full, crc32=0, body=true.body + b"PK\x07\x08" + tail)
    # When it is verified, Then it is whole
    assert verify(assembled([local], [true])).records == 2


@pytest.mark.parametrize("flags", [(0x800, 0), (0, 0x800)])
def test_the_utf8_flag_may_be_in_one_header_of_an_ascii_name(flags: tuple[int, int]) -> None:
    here, there = (replace(A, flags=each) for each in flags)
    assert verify(assembled([here], [there])).records == 2
