"""Awkward JSON logs: every item is a row, and inputs and outputs are the vendor's own bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from logferry.tabulate.rows import UNPLACED
from tests.unit.tabulate.tables import TIME, tabulated

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = [
    "0.1000000000000000055511",
    "1.10",
    "1E+05",
    "12345678901234567890123",
    "-0",
    "-0.0",
    "1e400",
    "9" * 5000,
]


def item(inputs: str = "{}", outputs: str = "{}", **changes: str) -> str:
    """Write an item of a log; values are given as JSON."""
    known = {"EngineCallId": '"id"', "LogTime": f'"{TIME}"', "UserName": '"u"', "Purpose": "null", **changes}
    details = (
        f'{{"request_data": {{"inputs": {inputs}}}, "request_meta": {{"version_id": "v"}},'
        f' "response_data": {{"outputs": {outputs}, "errors": null, "warnings": [{{"message": "w"}}]}},'
        ' "response_meta": {"version": "1.10", "process_time": 12}}'
    )
    return (
        "{"
        + ", ".join(f'"{key}": {value}' for key, value in known.items())
        + f', "EngineDetails": {details}}}'
    )


@pytest.mark.parametrize("step", [1, 13, 1 << 20])
def test_the_values_of_an_item_are_found(tmp_path: Path, step: int) -> None:
    second = item(EngineCallId='"b"')
    text = f"\ufeff [ {item()} ,\n{second}\r\n] "

    rows = tabulated(tmp_path, text.encode(), source="spark-log-json", step=step).rows

    assert [row["call_id"] for row in rows] == ["id", "b"]
    row = rows[0]
    assert (row["version"], row["version_id"], row["user_name"]) == ("1.10", "v", "u")
    assert (row["log_time_text"], row["total_time_ms"], row["calc_time_ms"]) == (TIME, 12, None)
    assert (row["call_purpose"], row["error_details"], row["fields"]) == (None, None, None)
    assert row["warning_details"] == '[{"message": "w"}]'
    assert (row["row_error"], row["entry"], row["row_number"]) == (None, "0.json", 1)


@pytest.mark.parametrize("number", NUMBERS)
def test_no_number_loses_a_digit(tmp_path: Path, number: str) -> None:
    inputs, outputs = f'{{"a":  {number} }}', f'[{{"b":[{number}, "{number}"]}}]'

    (row,) = tabulated(tmp_path, f"[{item(inputs, outputs)}]".encode(), source="spark-log-json").rows

    assert (row["inputs"], row["outputs"], row["row_error"]) == (inputs, outputs, None)


@pytest.mark.parametrize(
    "inputs",
    [
        '{"a": "\\"quoted\\" \\\\ \\u00e9 \\n"}',
        '{ "age" : 1,\n\t"Age" : 2, "AGE": null }',
        '{"a": {"b": {"c": {"d": {"e": {"f": [[[[{}]]]]}}}}}}',
        '"a text"',
        "17",
        '{"ä 田中": "🚢", "b": "\\ud83d"}',
        '{"a": "' + "x" * 20_000_000 + '"}',
        '{"a": "]}, {["}',
        '{"a": 1, "a": 2}',
        '{"inputs": {"inputs": 1}}',
    ],
)
def test_inputs_are_the_vendors_own_bytes(tmp_path: Path, inputs: str) -> None:
    body = f"[{item(inputs)},{item(inputs)}]".encode()

    rows = tabulated(tmp_path, body, source="spark-log-json").rows

    assert [row["inputs"] for row in rows] == [inputs] * 2
    assert [row["row_error"] for row in rows] == [None] * 2


def test_missing_and_null_are_null(tmp_path: Path) -> None:
    rows = tabulated(tmp_path, f"[{{}}, {item('null', 'null')}]".encode(), source="spark-log-json").rows

    assert {rows[0][name] for name in ("call_id", "log_time", "inputs", "fields", "row_error")} == {None}
    assert (rows[1]["inputs"], rows[1]["outputs"], rows[1]["row_error"]) == (None, None, None)


@pytest.mark.parametrize(
    ("between", "errors"),
    [
        ("", ["an empty item"]),
        ("17", ["the record is no object"]),
        ('{"EngineCallId": "x",}', ["no JSON"]),
        ("{'EngineCallId': 1}", ["no JSON"]),
        ('{"EngineCallId": tru}', ["no JSON"]),
        ('{"EngineCallId": "x"} {"EngineCallId": "y"}', [None, None]),
        ("[" * 500 + "]" * 500, ["the record is no object"]),
    ],
)
def test_what_is_no_json_is_a_row_of_its_own_and_costs_no_other(
    tmp_path: Path, between: str, errors: list[str | None]
) -> None:
    body = f"[{item()},{between},{item()}]".encode()

    rows = tabulated(tmp_path, body, source="spark-log-json").rows

    assert [rows[0]["call_id"], rows[-1]["call_id"]] == ["id", "id"]
    assert [rows[0]["row_error"], rows[-1]["row_error"]] == [None, None]
    assert len(rows) == 2 + len(errors)
    for row, error in zip(rows[1:-1], errors, strict=True):
        assert (row["row_error"] or "").startswith(error or "")
        if error and between:
            assert json.loads(row["fields"]) == {UNPLACED: [between]}


def test_a_raw_line_break_in_a_string_is_said_and_what_is_certain_lands(tmp_path: Path) -> None:
    broken = item('{"a": "1\n2"}', '{"b": 1}', UserName='"line\nbreak"')

    rows = tabulated(tmp_path, f"[{broken},{item()}]".encode(), source="spark-log-json").rows

    row = rows[0]
    assert "Invalid control character" in row["row_error"]
    assert (row["call_id"], row["user_name"]) == ("id", "line\nbreak")
    assert (row["inputs"], row["outputs"]) == (None, '{"b": 1}')
    assert json.loads(row["fields"]) == {UNPLACED: [broken]}
    assert rows[1]["row_error"] is None


def test_nan_is_no_json(tmp_path: Path) -> None:
    body = item('{"a": NaN}', '{"b": 1}').encode()

    (row,) = tabulated(tmp_path, body, source="spark-log-json").rows

    assert (row["inputs"], row["outputs"], row["call_id"]) == (None, '{"b": 1}', "id")
    assert row["row_error"] == "inputs: no JSON"


@pytest.mark.parametrize("cut", ['{"EngineCallId": "x', '{"EngineCallId": "x", "EngineDetails": {', "{"])
def test_a_file_that_is_cut_is_said_in_its_last_row(tmp_path: Path, cut: str) -> None:
    rows = tabulated(tmp_path, f"[{item()},{cut}".encode(), source="spark-log-json").rows

    assert [row["call_id"] for row in rows] == ["id", None]
    assert rows[0]["row_error"] is None
    assert rows[1]["row_error"].startswith("no JSON")


def test_an_array_that_is_not_closed_is_said(tmp_path: Path) -> None:
    rows = tabulated(tmp_path, f"[{item()}".encode(), source="spark-log-json").rows

    assert [row["row_error"] for row in rows] == [None, "the array is not closed: the file is cut"]


@pytest.mark.parametrize("body", ["", " ", "[]", " [ ] ", "\ufeff"])
def test_nothing_is_no_row(tmp_path: Path, body: str) -> None:
    assert tabulated(tmp_path, body.encode(), source="spark-log-json").rows == []


def test_what_stands_behind_the_array_is_a_row(tmp_path: Path) -> None:
    rows = tabulated(tmp_path, f"[{item()}] x".encode(), source="spark-log-json").rows

    assert [row["row_error"] for row in rows] == [None, "something stands behind the array"]


def test_invalid_utf_8_is_null_and_said(tmp_path: Path) -> None:
    body = item('{"a": 1}', UserName='"@"').encode().replace(b"@", b"\xff")

    (row,) = tabulated(tmp_path, body, source="spark-log-json").rows

    assert (row["user_name"], row["call_id"], row["inputs"]) == (None, "id", '{"a": 1}')
    assert row["row_error"] == "user_name: invalid UTF-8"


@pytest.mark.parametrize("step", [100, 1 << 20])
def test_many_items_in_blocks_of_any_size_are_all_there(tmp_path: Path, step: int) -> None:
    items = [item(f'{{"a": "{"x" * 500}", "n": {number}}}') for number in range(3000)]
    body = f"[{','.join(items)}]".encode()

    rows = tabulated(tmp_path, body, source="spark-log-json", step=step).rows

    assert [json.loads(row["inputs"])["n"] for row in rows] == list(range(3000))
