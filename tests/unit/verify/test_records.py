"""How many records a file holds."""

from __future__ import annotations

import csv
import io
import json
import time
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logferry.models.job import FileKind
from logferry.verify import json_items
from logferry.verify.json_items import JsonCounter
from logferry.verify.records import LONGEST_LINE, CsvCounter, LineCounter
from tests.unit.verify.archives import Wanted, verify, zipped

Counters = CsvCounter | JsonCounter | LineCounter


def count(counter: Counters, content: bytes, step: int = 0) -> int | None:
    """Count `content`, in one block or cut every `step` bytes."""
    for start in range(0, len(content), step or len(content) or 1):
        counter.feed(content[start : start + (step or len(content))])
    return counter.total()


def everywhere(kind: type[Counters], content: bytes) -> int | None:
    """Count `content` in one block and in many; the cuts must not matter."""
    whole = count(kind(), content)
    assert {count(kind(), content, step) for step in (1, 2, 3, 5, 7, 64)} == {whole}
    return whole


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"\xef\xbb\xbf", 0),
        (b"id,error", 0),
        (b"id,error\n", 0),
        (b"id,error\r\n\r\n", 0),
        (b"id\n1\n2", 2),
        (b"id\r\n1\r\n2\r\n", 2),
        (b"id\r1\r2\r", 2),
        (b"id\r\n1\n\n2\n", 2),
        (b"id\n1\r\n\r\n2\r\n", 2),
        (b"id\n1\r2\r3", 3),
        (b"id\r\n1\r\r2\r", 2),
        (b"id\r1\n2\r\n3\n", 3),
        (b'id,e\r\n1,"a\rb"\r2,"c\nd"\n3,x\r', 3),
        (b"id\r1\r2", 2),
        (b"id\n1\n\n2\n\n\n", 2),
        (b'id,error\n1,"a\nb\r\nc"\n2,none\n', 2),
        (b'id,error\r\n1,"a\r\n\r\nb"\r\n', 1),
        (b'"id","a\nheader"\n1,2\n', 1),
        (b'\xef\xbb\xbf"id\nnumber"\n1\n', 1),
        (b'id,error\n1,"he said ""no""\n"\n2,""\n', 2),
        (b'id,size\n1,5" pipe\n2,6" pipe\n3,x\n', 3),
        (b'id,"unended\n1\n2\n', 0),
        (b'id\n1\n"unended\n3\n', 2),
        (b'id,e\n1,"x" \n2,"y"z\n', 2),
    ],
)
def test_csv_rows_are_counted_below_the_header(content: bytes, rows: int) -> None:
    # Given a CSV with each line ending, with quoted newlines, stray quotes, empty lines and no last newline
    # When it is counted, Then its rows are those of the csv module, less the header and empty lines
    assert everywhere(CsvCounter, content) == rows
    text = content.decode("utf-8-sig")
    assert rows == max(0, sum(bool(row) for row in csv.reader(io.StringIO(text, newline=""))) - 1)


@settings(max_examples=400, deadline=None)
@given(text=st.text(st.sampled_from('a,"\n\r'), max_size=60), step=st.integers(1, 70))
def test_csv_rows_do_not_depend_on_where_blocks_are_cut(text: str, step: int) -> None:
    # Given any jumble of quotes, commas and newlines
    # When it is counted in one block and in pieces, Then the count is the same
    content = text.encode()
    assert count(CsvCounter(), content, step) == count(CsvCounter(), content)


@settings(max_examples=400, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.sampled_from(["", "1,b", '2,"x\r\ny"']), st.sampled_from(["\n", "\r", "\r\n"]))
    ),
    step=st.integers(1, 70),
)
def test_every_line_may_end_as_it_likes(lines: list[tuple[str, str]], step: int) -> None:
    # Given rows of which each ends with LF, CR or both
    text = "id,text\n" + "".join(line + end for line, end in lines)
    # When they are counted, Then they are those of the csv module
    expected = sum(bool(row) for row in csv.reader(io.StringIO(text, newline=""))) - 1
    assert count(CsvCounter(), text.encode(), step) == expected


PROPER = st.lists(
    st.text(st.sampled_from('a, "\n'), max_size=6).map(lambda text: '"' + text.replace('"', '""') + '"')
)
STRAY = st.lists(st.text(st.sampled_from('b" '), max_size=6).map(lambda text: "b" + text))


@settings(max_examples=400, deadline=None)
@given(rows=st.lists((PROPER | STRAY).filter(bool), max_size=9), step=st.integers(1, 70))
def test_stray_quotes_open_no_field(rows: list[list[str]], step: int) -> None:
    # Given rows whose fields are quoted as they should be, and rows of plain fields with quotes inside
    text = "".join(",".join(row) + "\n" for row in [["id"], *rows])
    # When they are counted, Then their number is the csv module's
    assert len(list(csv.reader(io.StringIO(text, newline="")))) == 1 + len(rows)
    assert count(CsvCounter(), text.encode(), step) == len(rows)


@pytest.mark.parametrize(
    "content",
    [
        "id\n1\n2\n".encode("utf-16"),
        b"id\n1\x00\n",
        b"id\n" + b"x" * (LONGEST_LINE + 1) + b"\n1\n",
        b"x" * (LONGEST_LINE + 2),
        b"id\n" + b'"\n' * 40_000,
    ],
    ids=["utf-16", "nul", "endless line", "endless header", "nothing but quotes"],
)
def test_what_is_no_csv_has_an_unknown_number_of_rows(content: bytes) -> None:
    # Given content that nobody can read as CSV, or that would take long and a lot of memory
    # When it is counted, Then nobody can tell
    assert count(CsvCounter(), content, 65536) is None


def test_what_begins_as_text_is_text() -> None:
    # Given a CSV with a NUL byte far behind its beginning
    rows = b"id\n" + b"some text\n" * 7_000
    # When it is counted, Then rows are rows; and one place earlier nobody could tell
    for step in (0, 1000, 65536):
        assert count(CsvCounter(), rows[:65536] + b"\0\n", step) == rows[:65536].count(b"\n")
        assert count(CsvCounter(), rows[:65535] + b"\0\n", step) is None


def test_a_long_line_is_still_a_row() -> None:
    # Given a row of a little under 1 MiB
    content = b"id\n" + b"x" * (LONGEST_LINE - 1) + b"\n2\n"
    # When it is counted, Then it counts
    assert count(CsvCounter(), content, 40_000) == 2


@pytest.mark.parametrize(
    ("content", "items"),
    [
        (b"[]", 0),
        (b" [ \n ] ", 0),
        (b"[1]", 1),
        (b"[1, 2,3]", 3),
        (b"[[],[]]", 2),
        (b'[{"a": 1, "b": [1, 2, {"c": 3}]}, {"a": 2}, 7, "x,y"]', 4),
        (b'["a", "]", "[", "\\"]", "\\\\", "\\\\\\""]', 6),
        (b'\xef\xbb\xbf[{"text": "he said \\"a, b\\" [ok"}]', 1),
        (b'{"a": [1, 2, 3], "b": {}}', 1),
        (b"{}", 1),
        (b"", None),
        (b"   ", None),
        (b"null", None),
        (b"null [1]", None),
        (b"x {}", None),
        (b'"text"', None),
        (b"[1, 2", None),
        (b"[1, 2]]", None),
        (b"[1][2]", None),
        (b'{"a": 1}\n{"a": 2}\n', None),
        (b'["unended', None),
        (b"[" * 300 + b"]" * 300, 1),
        (b'["a\nb"]', None),
        (b"[1,,2]", None),
        (b"[1,2,]", None),
        (b"[,1]", None),
        (b'[{"a":1,}]', None),
        (b"{'a': 1}", None),
        (b"[01]", None),
        (b"[1 2]", None),
        (b'[{"a" 1}]', None),
        (b"[NaN]", None),
        (b"[1, -Infinity]", None),
        (b'["\\x"]', None),
        (b'["\xed\xa0\x80"]', None),
        (b'["\\ud800"]', 1),
        (b"[nulls]", None),
        (b"[1]x", None),
        (b"\xef\xbb\xbf\xef\xbb\xbf[1]", None),
    ],
)
def test_json_items_are_counted_in_a_top_level_array(content: bytes, items: int | None) -> None:
    # Given an array, an object, or what is neither whole nor single
    # When it is counted, Then an array has its items, an object is one, and of the rest nobody can tell
    assert everywhere(JsonCounter, content) == items


def strictly(text: bytes) -> Any:
    """Parse JSON as RFC 8259 has it; ValueError where it is none."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text.decode("utf-8-sig"), parse_constant=refuse)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a\\"[]{},\n/é'), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(
    document=st.lists(JSON, max_size=5) | st.dictionaries(st.text(), JSON, max_size=4),
    indent=st.sampled_from([None, 2]),
    step=st.integers(1, 80),
)
def test_json_items_are_those_that_a_parser_finds(document: Any, indent: int | None, step: int) -> None:
    # Given any array or object, compact or indented
    content = json.dumps(document, indent=indent).encode()
    # When it is counted in blocks cut anywhere, Then it has as many items as a parser finds
    expected = len(document) if isinstance(document, list) else 1
    assert count(JsonCounter(), content, step) == count(JsonCounter(), content) == expected


@pytest.mark.parametrize("parsed", [12, json_items.PARSED], ids=["by its grammar", "by the parser"])
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.lists(JSON, max_size=5) | st.dictionaries(st.text(), JSON, max_size=4),
    place=st.integers(0, 10_000),
    new=st.sampled_from([bytes([each]) for each in b'[]{},:"\\0 1e-\n.tNI'] + [b"", b"NaN"]),
    taken=st.integers(0, 1),
    step=st.integers(1, 80),
)
def test_json_that_is_changed_anywhere_is_counted_as_a_strict_parser_does(
    parsed: int, document: Any, place: int, new: bytes, taken: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given any array or object in which a character is changed, missing or too many
    monkeypatch.setattr(json_items, "PARSED", parsed)
    content = json.dumps(document).encode()
    place %= len(content)
    content = content[:place] + new + content[place + taken :]
    try:
        found = strictly(content)
    except ValueError:
        expected = None
    else:
        expected = len(found) if isinstance(found, list) else 1 if isinstance(found, dict) else None
    # When it is counted
    counter = JsonCounter()
    assert count(counter, content, step) == expected
    # Then what no parser reads is called broken, and nothing else
    if expected is not None:
        assert counter.whole
        assert not counter.broken
    elif content.lstrip()[:1] in (b"[", b"{") and not counter.whole:
        assert counter.broken


def test_json_made_to_waste_time_takes_no_longer_than_its_length() -> None:
    # Given 4 MB of each of the shapes that a pattern or a parser may stumble over
    size = 4_000_000
    shapes = {
        "open": b"[" * size,
        "deep": b"[" * (size // 2) + b"]" * (size // 2),
        "closed": b"[]" * (size // 2),
        "escapes": b'["' + b"\\\\" * (size // 2) + b'"]',
        "half escapes": b'["' + b"\\u00" * (size // 5),
        "quotes": b"[" + b'"' * size,
        "digits": b"[" + b"1" * size,
        "commas": b"[" + b"," * size,
        "objects": b"[" + b'{"":' * (size // 4),
        "blanks": b" " * size + b"[1]",
    }
    # When they are counted, Then none takes longer than a second for each MB
    for name, content in shapes.items():
        started = time.process_time()
        count(JsonCounter(), content, 262_144)
        assert time.process_time() - started < 4, name


def test_json_full_of_escapes_is_counted_like_any_other() -> None:
    # Given documents inside strings inside strings
    document = [json.dumps(json.dumps({"a": ["\\", '"', "],["]})) for _ in range(300)]
    # When they are counted, Then each is one item
    assert everywhere(JsonCounter, json.dumps(document).encode()) == 300


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", 0),
        (b"\n\r\n\n", 0),
        (b"{}", 1),
        (b"{}\n", 1),
        (b"{}\r\n{}\r\n\r\n{}", 3),
        (b"\r", 0),
        (b"\n{}\n\n{}\n", 2),
    ],
)
def test_lines_that_hold_something_are_counted(content: bytes, lines: int) -> None:
    # Given JSON Lines, with empty lines and without a last newline
    # When they are counted, Then only lines that hold something count
    assert everywhere(LineCounter, content) == lines


def test_a_workbook_has_the_rows_of_all_its_sheets() -> None:
    # Given a workbook with two sheets of which one is empty
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        events = book.add_worksheet("events")
        book.add_worksheet("notes")
        for row in range(1001):
            events.write_row(row, 0, ["id" if row == 0 else row, "text <row> & more"])
    # When it is verified
    findings = verify(target.getvalue(), FileKind.XLSX, step=100)
    # Then its records are the rows below the header, and only sheets have any
    assert findings.records == 1000
    counted = {entry.name: entry.records for entry in findings.entries if entry.records is not None}
    assert counted == {"xl/worksheets/sheet1.xml": 1000, "xl/worksheets/sheet2.xml": 0}


def test_only_entries_of_the_kind_are_counted() -> None:
    # Given an archive of CSV with a note and a folder in it
    data = zipped([Wanted("d/", b""), Wanted("d/A.CSV", b"id\n1\n2\n"), Wanted("d/notes.txt", b"a\nb\n")])
    # When it is verified, Then the sum is that of the CSV entries
    findings = verify(data)
    assert [entry.records for entry in findings.entries] == [None, 2, None]
    assert findings.records == 2


def test_the_sum_is_unknown_where_one_entry_is() -> None:
    # Given an archive of JSON of which one entry is cut off, while its CRC is right
    data = zipped([Wanted("a.json", b"[1, 2]"), Wanted("b.json", b"[1, 2")])
    # When it is verified, Then it is what the vendor made, and nobody can tell how many records it has
    findings = verify(data, FileKind.ZIP_JSON)
    assert findings.suspect == ("no JSON parser reads 'b.json', so the records are unknown",)
    assert [entry.records for entry in findings.entries] == [2, None]
    assert findings.records is None
