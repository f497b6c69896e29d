"""Awkward rows of CSV: each is a row of the table, and every value is what was written."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from logferry.tabulate.rows import UNPLACED
from tests.unit.tabulate.tables import HEADER, TIME, line, tabulated

if TYPE_CHECKING:
    from pathlib import Path

WIDE = f"{HEADER},Age,Postcode,Error Details,Warning Details\r\n"
"""A header with two columns of the service's own."""

VALUES = {
    "plain": "plain",
    "empty": "",
    "quotes in quotes": 'say "so", and ""so""',
    "only a quote": '"',
    "a backslash at the end": "C:\\temp\\",
    "a backslash before a quote": 'a \\"b\\" c',
    "Hive's null": "\\N",
    "a line feed": "a\nb",
    "CRLF inside": "a\r\nb\r\n",
    "a carriage return inside quotes": "a\rb",
    "commas": "a,b,,c",
    "NA": "NA",
    "null": "null",
    "NULL": "NULL",
    "None": "None",
    "#N/A": "#N/A",
    "NaN": "NaN",
    "leading zeros": "007",
    "a thousands separator": "1,234,567.50",
    "many digits": "0.1000000000000000055511",
    "a trailing zero": "1.10",
    "an exponent": "1E+05",
    "a long number": "12345678901234567890123",
    "blanks around": "  a  ",
    "a blank": " ",
    "a tab": "a\tb",
    "umlauts and more": "jörg 田中 🚢",
    "a formula": "=1+1",
    "an apostrophe": "it's",
    "a semicolon": "a;b",
    "a NUL": "a\0b",
    "a line separator": "a\u2028b\x85c\x0bd\x1ce",
    "a BOM inside": "\ufeffa",
    "braces": '{"a": [1, "b"]}',
    "20 MB": "x" * 20_000_000,
    "a date that is none": "2026-02-30",
    "true": "true",
    "a replacement character": "\ufffd",
}


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_value_is_what_was_written(tmp_path: Path, text: str, ending: str) -> None:
    # Given the value in a column of ours, in one of the service's own and in the last, between plain rows
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=ending)
    writer.writerow([*HEADER.split(","), "Age", "Error Details", "Warning Details"])
    for call_id in ("before", "it", "behind"):
        value = text if call_id == "it" else "-"
        known = ["", TIME, TIME, "1", "v", value, "s", "c", "p", call_id, "1", "2"]
        writer.writerow([*known, value, "e", value])
    # When
    table = tabulated(tmp_path, file.getvalue().encode())
    # Then
    assert [row["call_id"] for row in table.rows] == ["before", "it", "behind"]
    row = table.rows[1]
    assert (row["user_name"], row["warning_details"]) == (text, text)
    assert json.loads(row["fields"]) == {"Age": text}
    assert [row["row_error"] for row in table.rows] == [None] * 3
    assert [row["row_number"] for row in table.rows] == [1, 2, 3]


def test_times_and_numbers_are_typed_beside_the_time_as_it_landed(tmp_path: Path) -> None:
    rows = tabulated(
        tmp_path, (WIDE + line("1", "", "", "", "", log_time="2026-11-18T05:00:00.123456+01:00")).encode()
    ).rows

    assert rows[0]["log_time"] == datetime(2026, 11, 18, 4, 0, 0, 123456, tzinfo=UTC)
    assert rows[0]["log_time_text"] == "2026-11-18T05:00:00.123456+01:00"
    assert (rows[0]["calc_time_ms"], rows[0]["total_time_ms"]) == (1, 2)
    assert rows[0]["inputs"] is None


@pytest.mark.parametrize(
    ("change", "column", "said"),
    [
        ({"calc": '"1,234"'}, "calc_time_ms", "calc_time_ms: no whole number: '1,234'"),
        ({"total": "12.5"}, "total_time_ms", "total_time_ms: no whole number: '12.5'"),
        ({"total": "9" * 30}, "total_time_ms", "total_time_ms: no whole number"),
        ({"log_time": "yesterday"}, "log_time", "log_time: no time: 'yesterday'"),
        ({"log_time": "2026-11-18T00:00:00"}, "log_time", "log_time: a time without an offset"),
        ({"transaction_date": "18/11/2026"}, "transaction_date", "transaction_date: no time"),
    ],
)
def test_what_a_type_cannot_hold_is_null_said_and_counted(
    tmp_path: Path, change: dict[str, str], column: str, said: str
) -> None:
    table = tabulated(tmp_path, (WIDE + line("1", "a", "b", "", "", **change)).encode())

    (row,) = table.rows
    assert row[column] is None
    assert row["row_error"].startswith(said)
    assert (row["call_id"], table.counts.unreadable, table.counts.row_errors) == ("1", 1, 1)


def test_empty_numbers_and_times_are_null_and_no_error(tmp_path: Path) -> None:
    (row,) = tabulated(tmp_path, (WIDE + line("1", "", "", "", "", calc="", log_time="")).encode()).rows

    assert (row["calc_time_ms"], row["log_time"], row["log_time_text"], row["row_error"]) == (
        None,
        None,
        "",
        None,
    )
    assert row["error_details"] == ""


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""], ids=["with a BOM", "without"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_lines_end_as_the_first_one_does(
    tmp_path: Path,
    start: bytes,
    ending: bytes,
    last: bool,  # noqa: FBT001
    step: int,
) -> None:
    text = "\n".join([WIDE.strip(), line("1", "a", "b", "", ""), line("2", "c", "d", "", "")])
    body = start + text.encode().replace(b"\n", ending) + ending * last

    rows = tabulated(tmp_path, body, step=step).rows

    assert [(row["call_id"], row["description"], row["row_error"]) for row in rows] == [
        ("1", "", None),
        ("2", "", None),
    ]


def test_a_bare_carriage_return_is_a_character_where_lines_end_otherwise(tmp_path: Path) -> None:
    rows = tabulated(tmp_path, (WIDE + line("1", "a\rb", "c", "", "")).encode()).rows

    assert json.loads(rows[0]["fields"]) == {"Age": "a\rb", "Postcode": "c"}
    assert rows[0]["row_error"] is None


def test_entries_of_nothing_or_of_a_header_have_no_rows(tmp_path: Path) -> None:
    table = tabulated(tmp_path, b"", WIDE.encode(), WIDE.strip().encode(), b"\r\n\r\n", b"\xef\xbb\xbf")

    assert table.rows == []
    assert table.counts.entries == 5


def test_columns_may_be_others_in_every_entry(tmp_path: Path) -> None:
    # Given inputs that were renamed, dropped, moved, and that differ in case alone
    contents = [
        f"{HEADER},Age,Error Details,Warning Details\n{line('1', '17', 'e', 'w')}\n",
        f"{HEADER},Driver Age,Error Details,Warning Details\n{line('2', '18', 'e', 'w')}\n",
        f"{HEADER},Error Details,Warning Details\n{line('3', 'e', 'w')}\n",
        f"{HEADER},age,Age,AGE,Error Details,Warning Details\n{line('4', '1', '2', '3', 'e', 'w')}\n",
        f"Call ID,Log Time,Age\n5,{TIME},19\n",
    ]
    # When
    rows = tabulated(tmp_path, *(each.encode() for each in contents)).rows
    # Then
    assert [json.loads(row["fields"]) for row in rows] == [
        {"Age": "17"},
        {"Driver Age": "18"},
        {},
        {"age": "1", "Age": "2", "AGE": "3"},
        {"Age": "19"},
    ]
    assert [row["error_details"] for row in rows] == ["e", "e", "e", "e", None]
    assert [row["call_id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["row_error"] for row in rows] == [None] * 5
    assert [row["entry"] for row in rows] == ["0.csv", "1.csv", "2.csv", "3.csv", "4.csv"]


def test_equal_headers_are_numbered_and_ours_are_told_from_the_services(tmp_path: Path) -> None:
    # Given inputs that are called as columns of the vendor are, and as each other
    header = f"{HEADER},Age,Age,Age_2,Version,Error Details,,Error Details,Warning Details\n"
    body = header + line("1", "a", "b", "c", "d", "e", "f", "real", "w") + "\n"
    # When
    (row,) = tabulated(tmp_path, body.encode()).rows
    # Then
    assert json.loads(row["fields"]) == {
        "Age": "a",
        "Age_3": "b",
        "Age_2": "c",
        "Version": "d",
        "Error Details": "e",
        "column 18": "f",
    }
    assert (row["version"], row["error_details"], row["row_error"]) == ("1.0.0", "real", None)


def one(path: Path, text: str | bytes) -> dict[str, Any]:
    """Tabulate a malformed row between two right ones, which stay right."""
    raw = text if isinstance(text, bytes) else text.encode()
    plain = line("-", "-", "-", "", "").encode()
    rows = tabulated(path, b"".join([WIDE.encode(), plain, b"\r\n", raw, b"\r\n", plain])).rows
    assert [row["call_id"] for row in (rows[0], rows[-1])] == ["-", "-"]
    assert [row["row_error"] for row in (rows[0], rows[-1])] == [None, None]
    (row,) = rows[1:-1]
    assert row["row_error"]
    return row


def test_a_row_with_a_cell_too_many_lands_what_is_certain(tmp_path: Path) -> None:
    row = one(tmp_path, line("id", "a", "b", "e", "w", "more"))

    assert row["row_error"] == "too long: 17 cells below 16 headers"
    assert (row["call_id"], row["total_time_ms"]) == ("id", 2)
    # Which cell is too many is unknown: the last columns may be shifted
    assert (row["error_details"], row["warning_details"]) == (None, None)
    assert json.loads(row["fields"]) == {"Age": "a", "Postcode": "b", UNPLACED: ["w", "e", "more"]}


def test_a_comma_that_nobody_quoted_shifts_nothing(tmp_path: Path) -> None:
    row = one(tmp_path, line("id", "a", "b", "e", "w", user="Smith, John"))

    assert row["row_error"].startswith("too long")
    assert (row["call_id"], row["user_name"], row["calc_time_ms"]) == (None, None, None)
    assert row["log_time_text"] == TIME
    unplaced = json.loads(row["fields"])[UNPLACED]
    assert unplaced[2:5] == ["Smith", " John", "s"]
    assert unplaced[-2:] == ["e", "w"]


def test_a_row_that_is_too_short_lands_what_it_has(tmp_path: Path) -> None:
    row = one(tmp_path, line("id", "a"))

    assert row["row_error"] == "too short: 13 cells below 16 headers"
    assert (row["call_id"], row["error_details"]) == ("id", None)
    assert json.loads(row["fields"]) == {"Age": "a"}


def test_a_row_that_lacks_a_cell_in_the_middle_shifts_nothing(tmp_path: Path) -> None:
    # Even where numbers stand beside each other
    row = one(tmp_path, line("id", "17", "b", "e", "w").replace(",u,", ","))

    assert (row["call_id"], row["user_name"], row["calc_time_ms"]) == (None, None, None)
    assert "id" in json.loads(row["fields"])[UNPLACED]


def test_a_quoted_field_that_goes_on_behind_its_quote_is_said(tmp_path: Path) -> None:
    row = one(tmp_path, line("1", '"a" b', "c", "e", "w"))

    assert row["call_id"] == "1"
    assert json.loads(row["fields"]) == {UNPLACED: ['"a" b,c,e,w']}


def test_invalid_utf_8_is_null_and_said(tmp_path: Path) -> None:
    row = one(tmp_path, line("1", "a", "b", "e", "w").encode().replace(b",u,", b",\xff\xe9,"))

    assert (row["call_id"], row["user_name"], row["warning_details"]) == ("1", None, "w")
    assert row["row_error"] == "user_name: invalid UTF-8"


def test_invalid_utf_8_in_a_column_of_the_services_own_is_null_and_said(tmp_path: Path) -> None:
    row = one(tmp_path, line("1", "@", "b", "e", "w").encode().replace(b"@", b"\xff"))

    assert json.loads(row["fields"]) == {"Age": None, "Postcode": "b"}
    assert "Age" in row["row_error"]


def test_a_row_that_is_cut_inside_a_quoted_field_lands_what_is_certain(tmp_path: Path) -> None:
    body = WIDE + line("1", "a", "b", "e", "w") + "\r\n" + line("2", "c", "d", '"cut, here\r\nand')

    rows = tabulated(tmp_path, body.encode()).rows

    assert [row["call_id"] for row in rows] == ["1", "2"]
    assert rows[1]["row_error"] == "cut inside a quoted field"
    assert rows[1]["error_details"] is None
    assert json.loads(rows[1]["fields"]) == {"Age": "c", "Postcode": "d", UNPLACED: ['"cut, here\r\nand']}


def test_many_rows_in_blocks_of_any_size_are_all_there(tmp_path: Path) -> None:
    lines = [line(str(number), f'"a\n{number}"', "ä", "", "") for number in range(10_000)]
    body = (WIDE + "\r\n".join(lines)).encode()

    rows = tabulated(tmp_path, body, body, step=333).rows

    assert [row["call_id"] for row in rows] == [str(number) for number in range(10_000)] * 2
    assert json.loads(rows[-1]["fields"]) == {"Age": "a\n9999", "Postcode": "ä"}
