"""Counting the items of a JSON document while it goes by: its brackets tell, no character is looped over."""

from __future__ import annotations

import json
import re
from array import array
from itertools import accumulate, compress
from typing import Any

PARSED = 2 * 1024**2
"""Bytes of a JSON document up to which it is parsed: empty lists take 21 times as many as in writing."""
BOM = b"\xef\xbb\xbf"
WHITESPACE = b" \t\r\n"
OPENS, CLOSES, COMMA = 1, 255, 0
MARKS = bytes.maketrans(b"[{]},", bytes((OPENS, OPENS, CLOSES, CLOSES, COMMA)))
NO_MARKS = bytes(set(range(256)) - set(b'[{]},"'))
LEAF = re.compile(b"(?<=[\0\1])\1\0*+\xff")
"""An array or object inside of another that holds no further one: more than half of all marks."""
ESCAPE = re.compile(rb"\\.", re.DOTALL)
FEW_ESCAPES = 100
COMMAS = bytes(mark == COMMA for mark in range(256))


def skim(document: str | bytes) -> Any:
    """Parse a JSON document and keep its lists alone, to be counted. Raises ValueError, RecursionError."""
    return json.loads(document, object_pairs_hook=lambda _: None, parse_int=len, parse_float=len)


def is_document(text: str) -> bool:
    """Check whether it is a JSON document; beyond `PARSED` characters by its brackets and quotes alone."""
    if len(text) > PARSED:
        counter = JsonCounter()
        counter.feed(text.encode(errors="replace"))
        return counter.total() is not None
    try:
        skim(text)
    except (ValueError, RecursionError):
        return False
    return True


class JsonCounter:
    """Items of a top-level array, 1 for a top-level object; read by its brackets and commas alone.

    None where the brackets do not balance, nest deeper than 254, or where it is no single array or object.
    """

    def __init__(self) -> None:
        self._head: bytes | None = b""
        """The first significant bytes, until it is seen whether an array is empty."""
        self._array = False
        self._empty = False
        self._commas = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._closed = False
        self._lost = False

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self._lost:
            return
        if self._head is not None:
            block = self._begin(self._head + block)
        self._walk(self._outside_strings(self._unescaped(block)))

    def total(self) -> int | None:
        """Return the number of items."""
        if self._lost or not self._closed:
            return None
        return self._commas + 1 if self._array and not self._empty else int(not self._array)

    def _begin(self, head: bytes) -> bytes:
        """Learn what it is from its first significant byte; of an array, from the next one too."""
        head = head.lstrip(BOM + WHITESPACE)
        self._lost = head[:1] not in (b"", b"[", b"{")
        self._array = head.startswith(b"[")
        if self._array:
            first = head[1:].lstrip(WHITESPACE)
            head = b"[" + first
            self._empty = first.startswith(b"]")
        if len(head) > 1:
            self._head = None
            return head
        self._head = head
        return b""

    def _unescaped(self, block: bytes) -> bytes:
        """Take out escaped quotes: after that every quote begins or ends a string."""
        if self._escaped:
            block, self._escaped = block[1:], not block
        if b"\\" not in block:
            return block
        self._escaped = bool((len(block) - len(block.rstrip(b"\\"))) % 2)
        if block.count(b"\\", 0, 4096) < FEW_ESCAPES:
            return ESCAPE.sub(b"", block)
        # The same, at a cost that does not depend on how many there are.
        return block.replace(b"\\\\", b"").replace(b'\\"', b"")

    def _outside_strings(self, block: bytes) -> bytes:
        """Return what is left of brackets and commas outside of strings: +1, -1 and 0."""
        marks = (b'"' * self._in_string + block.translate(MARKS, NO_MARKS)).replace(b'""', b"")
        if b'"' not in marks:
            self._in_string = False
            return marks
        parts = marks.split(b'"')
        self._in_string = len(parts) % 2 == 0
        return b"".join(parts[::2])

    def _walk(self, marks: bytes) -> None:
        """Follow the depth; count commas at depth 1."""
        marks = LEAF.sub(b"", marks)
        if not marks:
            return
        try:
            depths = bytes(accumulate(array("b", marks), initial=self._depth))[1:]
        except ValueError:  # below 0, or over 255
            self._lost = True
            return
        self._depth = depths[-1]
        self._commas += bytes(compress(depths, marks.translate(COMMAS))).count(1)
        self._lost = self._lost or self._closed or 0 in depths[:-1]
        self._closed = self._depth == 0
