"""What an honest archive is found to be, and that a damaged one never passes."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from operator import attrgetter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.verify.verifier import Entry
from tests.unit.verify.archives import Wanted, refused_early, verify, zipped

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
CONTENTS = (
    st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | st.just(b"PK\x01\x02PK\x03\x04" * 9)
)
COMMENTS = st.binary(max_size=40).filter(lambda comment: b"PK" not in comment)
WANTED = st.lists(
    st.builds(Wanted, NAMES, CONTENTS, st.booleans(), st.booleans()), max_size=6, unique_by=attrgetter("name")
)
ARCHIVES = st.builds(zipped, WANTED, piped=st.booleans(), comment=COMMENTS)


STARTS = st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"{", b"["])


def zipfile_view(data: bytes) -> list[tuple[str, int, str]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return [(info.orig_filename, info.file_size, f"{info.CRC:08x}") for info in archive.infolist()]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=ARCHIVES, step=st.integers(1, 400))
def test_every_archive_that_zipfile_writes_is_found_to_be_what_zipfile_reads(data: bytes, step: int) -> None:
    # Given any archive: stored or deflated, with descriptors or without, zip64 or not, with a comment
    # When it is verified in pieces, cut anywhere
    findings = verify(data, step=step)
    # Then its entries are those that zipfile sees
    assert [(entry.name, entry.size, entry.crc32) for entry in findings.entries] == zipfile_view(data)


ROWS = st.lists(st.lists(st.text(st.sampled_from("ab,\"\n\r' ;é"), max_size=8), min_size=2, max_size=4))


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, ends=st.sampled_from(["\n", "\r\n"]), piped=st.booleans(), step=st.integers(1, 100))
def test_records_are_the_rows_that_the_csv_module_reads_below_the_header(
    rows: list[list[str]],
    ends: str,
    piped: bool,  # noqa: FBT001 - hypothesis draws it
    step: int,
) -> None:
    # Given a CSV whose fields hold quotes, commas and newlines
    text = io.StringIO()
    csv.writer(text, lineterminator=ends).writerows([["Call ID", "Error Details"], *rows])
    # … that the module reads back: before Python 3.13 it left a lone carriage return unquoted
    read_back = len(list(csv.reader(io.StringIO(text.getvalue(), newline="")))) - 1
    assume(read_back == len(rows))
    # When its archive is verified
    findings = verify(zipped([Wanted("log.csv", text.getvalue().encode())], piped=piped), step=step)
    # Then its records are the rows below the header
    assert findings.records == len(rows)


def meaningful(data: bytes) -> list[int]:
    """Give the places whose byte means something: not times, versions, attributes and comments."""
    ignored = set()
    archive = zipfile.ZipFile(io.BytesIO(data))
    for info in archive.infolist():
        start = info.header_offset
        ignored |= {start + at for at in (4, 5, 10, 11, 12, 13)}
        content = start + 30 + len(info.orig_filename.encode())
        ignored.add(content + info.compress_size - 1)  # the last bits of a DEFLATE stream are padding
    at = archive.start_dir
    for info in archive.infolist():
        ignored |= {at + unused for unused in (4, 5, 6, 7, 12, 13, 14, 15, 36, 37, 38, 39, 40, 41)}
        at += 46 + len(info.orig_filename.encode()) + len(info.extra)
    return [place for place in range(len(data)) if place not in ignored]


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("deflated", [False, True])
def test_no_damaged_byte_passes(deflated: bool, piped: bool) -> None:  # noqa: FBT001 - pytest's
    # Given an archive
    entries = [
        Wanted("log.csv", b"Call ID,Error\n1,none\n" * 5, deflated),
        Wanted("b.csv", b"four", deflated),
    ]
    data = zipped(entries, piped=piped)
    for place in meaningful(data):
        for bit in (0x01, 0x02, 0x10, 0x80, 0xFF):
            flags = place - data.rfind(b"PK", 0, place + 1) in (6, 8)
            if flags and bit == 0x02:
                continue  # the hint bits of the flags say nothing about the bytes
            # When one byte of it is changed
            wrong = bytearray(data)
            wrong[place] ^= bit
            # Then it is refused
            with pytest.raises(CorruptDownloadError):
                verify(bytes(wrong))


@settings(max_examples=60, deadline=None)
@given(data=ARCHIVES)
def test_no_archive_that_is_cut_off_passes(data: bytes) -> None:
    # Given an archive
    # When it ends too early, wherever
    for length in range(0, len(data), max(1, len(data) // 150)):
        # Then it is refused
        with pytest.raises(CorruptDownloadError):
            verify(data[:length])


@settings(max_examples=200, deadline=None)
@given(
    data=ARCHIVES,
    place=st.integers(0),
    bits=st.integers(1, 255),
    kind=st.sampled_from(FileKind),
)
def test_damage_passes_only_where_it_changes_nothing(
    data: bytes, place: int, bits: int, kind: FileKind
) -> None:
    # Given any archive with any one byte changed
    wrong = bytearray(data)
    wrong[place % len(data)] ^= bits
    # When it is verified as any kind of file
    try:
        findings = verify(bytes(wrong), kind)
    except CorruptDownloadError:
        return
    # Then it is refused, or every entry still holds what it held: a time, an attribute or a comment was hit
    before, after = zipfile.ZipFile(io.BytesIO(data)), zipfile.ZipFile(io.BytesIO(wrong))
    assert [i.CRC for i in before.infolist()] == [i.CRC for i in after.infolist()]
    assert [entry.size for entry in findings.entries] == [info.file_size for info in before.infolist()]


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), start=STARTS, kind=st.sampled_from(FileKind), step=st.integers(1, 50))
def test_random_bytes_are_refused_by_name(data: bytes, start: bytes, kind: FileKind, step: int) -> None:
    # Given bytes that nobody wrote on purpose
    # When they are verified as any kind of file
    try:
        findings = verify(start + data, kind, step)
    except CorruptDownloadError:
        return
    # Then nothing but CorruptDownloadError comes, or a short JSON document was hit by chance
    assert kind is FileKind.JSON
    assert not findings.entries


def test_an_empty_archive_is_an_empty_result() -> None:
    # Given the 22 bytes of an empty ZIP
    empty = b"PK\x05\x06" + bytes(18)
    # When they are verified, Then it is a result without entries and with 0 records
    for findings in (verify(empty, FileKind.ZIP_CSV), verify(empty, FileKind.ZIP_JSON, 1)):
        assert (list(findings.entries), findings.records) == ([], 0)


def test_entries_without_a_counted_name_leave_the_sum_unknown() -> None:
    # Given an archive that holds no CSV
    content = b"a\nb\n"
    findings = verify(zipped([Wanted("readme.txt", content)]))
    # When it is verified as an archive of CSV, Then nobody can tell how many records there are
    assert list(findings.entries) == [Entry("readme.txt", 4, f"{zlib.crc32(content):08x}", None)]
    assert findings.records is None


def test_two_entries_of_one_name_are_both_listed() -> None:
    # Given an archive in which a name comes twice
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped([Wanted("log.csv", b"a\n1\n"), Wanted("log.csv", b"a\n1\n2\n")])
    # When it is verified, Then both count
    assert [entry.records for entry in verify(data).entries] == [1, 2]
    assert verify(data).records == 3


def test_damage_is_known_before_the_file_ends() -> None:
    # Given an archive whose first entry is damaged and whose second is long
    data = bytearray(
        zipped([Wanted("a.csv", bytes(range(100))), Wanted("b.csv", bytes(10**6), deflated=False)])
    )
    data[50] ^= 0xFF
    # When no more than its beginning has come, Then it is refused already
    refused_early(bytes(data[:4096]), r"a\.csv")
