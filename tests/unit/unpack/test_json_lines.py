from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logferry.errors import CorruptDownloadError
from logferry.unpack.json_lines import JsonLines

# Characters that end strings, lines and items come often.
TEXTS = st.text(alphabet=st.sampled_from('"\\[]{},:\n\r\t é') | st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)
DOCUMENTS = st.lists(VALUES, max_size=5) | st.dictionaries(TEXTS, VALUES, max_size=5)


def lines(text: bytes, *sizes: int) -> bytes:
    """Feed `text` in pieces of these sizes, the last of them as often as it takes."""
    reader, out, at, left = JsonLines(), b"", 0, list(sizes)
    while at < len(text):
        size = left.pop(0) if len(left) > 1 else left[0]
        out += reader.feed(text[at : at + size])
        at += size
    return out + reader.finish()


def read(out: bytes) -> list[Any]:
    assert not out or out.endswith(b"\n")
    return [json.loads(line) for line in out.split(b"\n")[:-1]]


@settings(deadline=None)
@given(
    document=DOCUMENTS,
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ascii_only=st.booleans(),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20),
)
def test_every_item_is_a_line_however_it_is_written_and_cut(
    *, document: Any, indent: Any, ascii_only: bool, sizes: list[int]
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()

    assert read(lines(text, *sizes)) == (document if isinstance(document, list) else [document])


def test_bytes_pass_as_they_are() -> None:
    text = b'\xef\xbb\xbf [ {"a": 1.10, "a": 12345678901234567890.0},\r\n\t"\\u00e9" , [ 1 , 2 ] ]\n'

    assert lines(text, 7) == b'{"a": 1.10, "a": 12345678901234567890.0}\n"\\u00e9" \n[ 1 , 2 ] \n'


@pytest.mark.parametrize("text", [b"", b"  \n", b"[]", b"[ \r\n ]"])
def test_nothing_gives_no_line(text: bytes) -> None:
    assert lines(text, 1) == b""


def test_json_lines_stay_json_lines() -> None:
    text = b'{"a": 1}\n{"b": {"c": [2]}}\r\n\n[3]\n'

    assert read(lines(text, 5)) == [{"a": 1}, {"b": {"c": [2]}}, [3]]


@pytest.mark.parametrize(
    "text",
    [
        b'[{"a": 1}',
        b'[{"a": "1',
        b'[{"a": "\\',
        b'{"a": [1',
        b"[1] [2]",
        b"[1]]",
        b'{"a": 1}, {"b": 2}',
        b'{"a": 1}}',
        b'{"a": 1} x',
        b"a;b\n1;2\n",
        '[{"a": 1}]'.encode("utf-16"),
        b"<html>",
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_what_is_no_json_is_refused(text: bytes, size: int) -> None:
    with pytest.raises(CorruptDownloadError, match="JSON"):
        lines(text, size)


def test_an_item_is_never_held_however_long_it_is() -> None:
    # Given an array of one item, whose text of 8 MiB has no end for a long time
    reader = JsonLines()
    out = len(reader.feed(b'[{"a": [{"b": "'))
    block = b"x" * 65536

    # When it comes in blocks, each is given out at once
    for _ in range(128):
        out += len(reader.feed(block))
        assert out >= len(block)
        out = 0


def test_depth_is_no_limit() -> None:
    reader, depth = JsonLines(), 200_000

    out = reader.feed(b"[" * depth) + reader.feed(b"]" * depth) + reader.finish()

    assert len(out) == 2 * (depth - 1) + 1
