"""Files that are no ZIP: gzip, JSON, and bodies that are not what was asked for."""

from __future__ import annotations

import builtins
import gzip
import importlib
import io
import json
import sys
import tracemalloc
import zlib
from typing import Any

import pytest
import xlsxwriter

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.verify import inflate
from logferry.verify.json_items import PARSED
from logferry.verify.sniff import LOOKED_AT
from logferry.verify.verifier import ArchiveLimits, Findings
from logferry.verify.verifier import verify as verify_chunks
from tests.unit.verify.archives import Wanted, verify, zipped

LINES = b'{"event": 1}\n{"event": 2}\n{"event": 3}'
ARCHIVE = zipped([Wanted("a.csv", b"id\n1\n")])


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "an empty body, not"),
        (
            b"<!DOCTYPE html><html><title>Sign in</title>",
            "an HTML page, not .*: <!DOCTYPE html><html><title>Sign",
        ),
        (b"\n  <html><body>503", "an HTML page, not .*: <html><body>503"),
        (
            b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
            "an XML document, not .*AccessDenied",
        ),
        (b"Not found", "plain text, not .*: Not found"),
        (b"\xff\xfe<\0h\0", "data of an unknown kind, not .*: ff fe 3c 00 68 00"),
        (b"PK\x07\x08" + ARCHIVE, "a ZIP archive, not"),
        (b"PK", "plain text, not"),
    ],
)
@pytest.mark.parametrize("kind", FileKind)
def test_a_body_of_another_kind_is_named_and_quoted(body: bytes, name: str, kind: FileKind) -> None:
    # Given a body that the vendor served with status 200 in place of the file
    # When it is verified, Then the error says what it is, what it should be, and shows its beginning
    for step in (1, 4096):
        with pytest.raises(CorruptDownloadError, match=f"the vendor served {name}"):
            verify(body, kind, step)


@pytest.mark.parametrize(
    ("body", "kind", "name"),
    [
        (b'{"error": "expired"}', FileKind.ZIP_CSV, 'a JSON document, not a ZIP: {"error": "expired"}'),
        (b"[1]", FileKind.XLSX, "a JSON document, not an XLSX workbook"),
        (gzip.compress(b"x", mtime=0), FileKind.ZIP_JSON, "gzip data, not a ZIP"),
        (gzip.compress(b"x", mtime=0), FileKind.JSON, "gzip data, not JSON"),
        (ARCHIVE, FileKind.GZIP_JSONL, "a ZIP archive, not a gzip file"),
        (ARCHIVE, FileKind.JSON, "a ZIP archive, not JSON"),
    ],
)
def test_one_kind_is_not_mistaken_for_another(body: bytes, kind: FileKind, name: str) -> None:
    # Given a sound file of a kind that was not asked for
    # When it is verified, Then the error says which it is
    with pytest.raises(CorruptDownloadError) as refusal:
        verify(body, kind)
    assert name in str(refusal.value)


def test_what_is_quoted_holds_no_secret() -> None:
    # Given a page that repeats the request's credentials, and one that we know of and nobody would guess
    page = b"<html>Bearer abc.def https://h.example/t0ken?sig=1 swordfish " + b"x" * 300
    # When it is quoted
    with pytest.raises(CorruptDownloadError) as refusal:
        verify_chunks([page], FileKind.ZIP_CSV, secrets=["swordfish"])
    # Then it is redacted and cut to 200 characters
    message = str(refusal.value)
    assert not [secret for secret in ("abc.def", "t0ken", "sig=1", "swordfish") if secret in message]
    assert len(message.partition(": ")[2].encode()) <= 200


def test_no_half_of_a_secret_is_quoted() -> None:
    # Given a page so full of long URLs that they shrink to little, and a key cut in half where reading ends
    page = b"<html>" + b" ".join([b"https://h.example/" + b"x" * 500] * 8)
    page = page[: LOOKED_AT - 20] + b" 0123456789abcdefghijABCDEFGHIJ0123456789"
    # When it is quoted
    with pytest.raises(CorruptDownloadError) as refusal:
        verify(page)
    # Then the half that was read is not shown
    assert "0123456789" not in str(refusal.value)


def test_a_gzip_file_is_counted_in_lines() -> None:
    # Given JSON Lines, gzipped in one member, in several, or with zeros behind them
    halves = gzip.compress(LINES[:20]) + gzip.compress(b"", mtime=0) + gzip.compress(LINES[20:])
    for data in (gzip.compress(LINES), halves, halves + bytes(512)):
        # When they are verified, Then every line counts and there are no entries
        assert verify(data, FileKind.GZIP_JSONL) == verify(data, FileKind.GZIP_JSONL, 1) == Findings((), 3)


def test_an_empty_gzip_file_is_an_empty_result() -> None:
    # Given a session without events: a gzip file of nothing
    # When it is verified, Then it has 0 records
    assert verify(gzip.compress(b"", mtime=0), FileKind.GZIP_JSONL) == Findings((), 0)


@pytest.mark.parametrize("tail", [b"x", b"\0\0x", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"<html>"])
def test_nothing_may_follow_a_gzip_file(tail: bytes) -> None:
    # Given a gzip file with something behind it that is neither a member nor zeros
    # When it is verified, Then it is refused
    for step in (1, 4096):
        with pytest.raises(CorruptDownloadError):
            verify(gzip.compress(LINES) + tail, FileKind.GZIP_JSONL, step)


@pytest.mark.parametrize("tail", [b"x", b"\0\0x", b"<html>"])
def test_it_is_said_where_a_gzip_file_should_have_ended(tail: bytes) -> None:
    data = gzip.compress(LINES)
    with pytest.raises(CorruptDownloadError, match=f"ends at byte {len(data)}, but the file goes on"):
        verify(data + tail, FileKind.GZIP_JSONL)


def test_a_damaged_gzip_file_is_refused() -> None:
    # Given two members
    data = gzip.compress(LINES, mtime=0) + gzip.compress(LINES * 9, mtime=0)
    # When the file is cut off anywhere but between them, Then it is refused
    first = len(gzip.compress(LINES, mtime=0))
    for length in set(range(len(data))) - {first}:
        with pytest.raises(CorruptDownloadError):
            verify(data[:length], FileKind.GZIP_JSONL)
    # And so it is when any byte of the contents, CRCs and lengths is changed
    for place in {*range(10, first - 9), *range(first - 8, first), *range(len(data) - 8, len(data))}:
        wrong = bytearray(data)
        wrong[place] ^= 0x41
        with pytest.raises(CorruptDownloadError):
            verify(bytes(wrong), FileKind.GZIP_JSONL)


def member(flags: int, *fields: bytes) -> bytes:
    """Make a gzip member with all that RFC 1952 lets a header have."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + b"".join(fields)
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") if flags & 2 else b""
    return head + gzip.compress(LINES, mtime=0)[10:]


EXTRA, NAME, COMMENT = b"\x05\0abc\0e", b"log.json\0", b"all of it\0"


def test_a_gzip_header_may_have_every_field() -> None:
    # Given members whose headers have an extra field, a name, a comment and a CRC, or some of them
    for flags in range(32):
        fields = [field for bit, field in ((4, EXTRA), (8, NAME), (16, COMMENT)) if flags & bit]
        data = gzip.compress(b"") + member(flags, *fields)
        assert zlib.decompress(data[-len(member(flags, *fields)) :], wbits=31) == LINES
        # When they are verified, in pieces cut anywhere, Then every line counts
        for step in (1, 7, 4096):
            assert verify(data, FileKind.GZIP_JSONL, step) == Findings((), 3)
        # And cut off in its header, it is refused
        with pytest.raises(CorruptDownloadError, match="in the middle of a gzip header"):
            verify(member(flags, *fields)[: 9 + len(b"".join(fields))], FileKind.GZIP_JSONL)


@pytest.mark.parametrize(
    "data",
    [
        member(0x20),
        member(0x80),
        member(0)[:2] + b"\x07" + member(0)[3:],
        member(2, b"?"),
        member(8, b"n" * 70_000 + b"\0"),
    ],
    ids=["reserved bit", "another", "method", "header CRC", "endless name"],
)
def test_a_gzip_header_that_nobody_reads_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptDownloadError, match="gzip header"):
        verify(data, FileKind.GZIP_JSONL)


def test_a_gzip_bomb_is_refused() -> None:
    # Given a gzip file that inflates to 64 MiB
    data = gzip.compress(bytes(64 * 1024**2))
    # When 1 MiB is the limit, Then it is refused
    with pytest.raises(CorruptDownloadError, match="inflates to more than 1,048,576 bytes"):
        verify(data, FileKind.GZIP_JSONL, limits=ArchiveLimits(inflated=1024**2))


@pytest.mark.parametrize(
    ("text", "records"), [("[]", 0), ("[1, 2]", 2), ('{"a": [1, 2]}', 1), ("\ufeff[1]", 1), ("\n\t {}", 1)]
)
def test_a_json_document_is_counted_in_items(text: str, records: int) -> None:
    # Given a JSON document; a mark of byte order or blanks may come first
    # When it is verified, Then an array has its items and an object is one
    for step in (1, 4096):
        assert verify(text.encode(), FileKind.JSON, step) == Findings((), records)


def test_a_number_of_any_length_is_a_number() -> None:
    # Given a number of more digits than Python converts
    body = b'[{"n": ' + b"9" * 5000 + b"}, 1.5e9, []]"
    # When it is verified, Then it is no damage
    assert verify(body, FileKind.JSON).records == 3


@pytest.mark.parametrize("body", [b"[1, NaN]", b'{"a": [-Infinity]}', b"[NaN," + b"[]," * PARSED + b"1]"])
def test_what_is_no_number_in_json_is_landed_and_not_counted(body: bytes) -> None:
    # Given a record with what Python and JavaScript write for what is no number, short or long
    # When it is verified, Then it is no damage, and nobody counts it without a word
    findings = verify(body, FileKind.JSON)
    assert findings.records is None
    assert len(findings.suspect) == 1


@pytest.mark.parametrize("piece", [b"[]", b"{}", b'{"a":1}', b'{"x":1.5,"y":2.25}', b'"ab"', b"1234567"])
def test_a_json_document_takes_little_memory(piece: bytes) -> None:
    # Given as long a document as is parsed
    body = b"[" + b",".join([piece] * (PARSED // (len(piece) + 1) - 1)) + b"]"
    assert PARSED - 1000 < len(body) <= PARSED
    # When it is verified
    tracemalloc.start()
    verify(body, FileKind.JSON)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Then that leaves room for it, and the part that it is in, below 64 MiB
    assert peak < 52 * 1024**2


@pytest.mark.parametrize("body", [b"[1, 2", b'{"a": }', b"[1] [2]", b'{"a": "\xff"}', b"{", b"[1,]"])
def test_a_json_document_that_no_parser_reads_is_refused(body: bytes) -> None:
    # Given JSON that is cut off, damaged, or more than one document
    # When it is verified, Then it is refused
    with pytest.raises(CorruptDownloadError, match="damaged or cut off"):
        verify(body, FileKind.JSON)


def test_a_long_json_document_is_verified_by_its_structure() -> None:
    # Given a document that is too long to be parsed in little memory
    items = [{"text": "x, [" * 50} for _ in range(PARSED // 150)]
    body = json.dumps(items).encode()
    assert len(body) > PARSED
    # When it is verified, Then its items are counted all the same
    assert verify(body, FileKind.JSON).records == len(items)
    # And a cut-off one is refused
    with pytest.raises(CorruptDownloadError, match="damaged or cut off"):
        verify(body[:-1], FileKind.JSON)


def test_json_too_deep_for_the_parser_is_no_crash() -> None:
    # Given a document nested deeper than the parser goes
    body = b"[" * 100_000 + b"]" * 100_000
    # When it is verified, Then it is refused and not a RecursionError
    with pytest.raises(CorruptDownloadError):
        verify(body, FileKind.JSON)


def workbook() -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        book.add_worksheet().write_row(0, 0, ["id", "event"])
    return target.getvalue()


def test_a_workbook_with_only_a_header_is_an_empty_result() -> None:
    # Given a workbook of one header row
    # When it is verified, Then it has 0 records
    assert verify(workbook(), FileKind.XLSX).records == 0


@pytest.mark.parametrize("data", [ARCHIVE, b"PK\x05\x06" + bytes(18)], ids=["ZIP of CSV", "empty ZIP"])
def test_an_archive_that_is_no_workbook_is_refused(data: bytes) -> None:
    # Given an archive without a workbook's parts
    # When it is verified as one, Then the missing parts are named
    with pytest.raises(
        CorruptDownloadError, match=r"not a workbook: no \[Content_Types\].xml, no xl/workbook.xml"
    ):
        verify(data, FileKind.XLSX)


def test_without_isal_zlib_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a platform for which isal has no wheel
    real_import = builtins.__import__

    def no_isal(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("isal"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    deflated = zlib.compress(LINES, wbits=-15)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(builtins, "__import__", no_isal)
            patched.delitem(sys.modules, "isal", raising=False)
            plain = importlib.reload(inflate)
        # When a stream is inflated and its CRC taken
        assert plain.crc32 is zlib.crc32
        stream = plain.Inflater("it")
        # Then it is read, and a damaged one refused by the same error
        assert b"".join(stream.blocks(memoryview(deflated))) == LINES
        assert stream.ended
        with pytest.raises(CorruptDownloadError, match="it is damaged"):
            list(plain.Inflater("it").blocks(memoryview(b"\xff" * 9)))
    finally:
        importlib.reload(inflate)
