"""Counting the items of a JSON document while it goes by, strictly: by the parser of the standard library.

An array is parsed item by item, and nothing of it kept; what is one item for long is read by its grammar, at
a quarter of the speed.
"""

from __future__ import annotations

import codecs
import json
import re
from json.scanner import make_scanner
from typing import TYPE_CHECKING, Any, cast

from logferry.verify.json_grammar import JsonGrammar

if TYPE_CHECKING:
    from collections.abc import Callable

PARSED = 2 * 1024**2
"""Characters that are parsed at once: empty lists take 21 times as many bytes as in writing."""
BOM = b"\xef\xbb\xbf"
START = re.compile(rb"(?:\xef\xbb\xbf)?+[ \t\r\n]*+")
NEXT = re.compile(r"[ \t\r\n]*+,[ \t\r\n]*+")


def is_document(text: str) -> bool:
    """Check whether it is a JSON document, also one with NaN or Infinity, as parsers have it."""
    counter = JsonCounter()
    counter.feed(text.encode(errors="replace"))
    return counter.total() is not None or counter.loose


class JsonCounter:
    """Items of a top-level array, 1 for a top-level object, as RFC 8259 has it.

    None where it is broken or has NaN or Infinity, where it is several documents (JSON Lines) or one of
    neither kind, or is nested to waste time.
    """

    def __init__(self) -> None:
        self.broken = False
        """Whether no strict parser reads it; known after `total`."""
        self.loose = False
        """Whether it would be whole if NaN and Infinity were JSON; known after `total`."""
        self.whole = False
        """Whether it is one document or several, each of them whole; known after `total`."""
        self._head: bytes | None = b""
        """What came before the first significant byte."""
        self._grammar: JsonGrammar | None = None
        """What reads it where it is not parsed."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._array = False
        self._items = 0
        self._pieces: list[str] = []
        """What is not parsed yet."""
        self._length = self._enough = 0
        """How much there is of it, and how much is worth a try."""
        self._constants = False
        decoder = json.JSONDecoder(
            object_pairs_hook=lambda _: None, parse_int=len, parse_float=len, parse_constant=self._constant
        )
        self._decode: Callable[[str], Any] = decoder.decode
        self._scan: Callable[[str, int], tuple[Any, int]] = make_scanner(cast("Any", decoder))

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self._head is not None:
            block = self._begin(self._head + block)
        if self._grammar:
            self._grammar.feed(block)
        elif not self.broken:
            self._take(block)

    def total(self) -> int | None:
        """Return the number of items."""
        if self._head is not None:
            self.broken = True
            return None
        if self.broken:
            return None
        if self._grammar is None:
            count = self._rest()
            if count is not None:
                self.whole, self.loose, self.broken = not self._constants, self._constants, self._constants
                return None if self._constants else count
            self._switch()
        return self._by_grammar(self._grammar or JsonGrammar())

    def _begin(self, head: bytes) -> bytes:
        """Learn what it is from its first significant byte."""
        start = START.match(head)
        rest = head[start.end() :] if start else head
        if not rest or (rest == head and len(head) < len(BOM) and BOM.startswith(head)):
            self._head = head if rest or not head else b" "
            return b""
        self._head = None
        self._array = rest.startswith(b"[")
        if not rest.startswith((b"[", b"{")) or b"\0" in rest[:4]:
            self._grammar = JsonGrammar()
            return rest
        return rest[self._array :]

    def _take(self, block: bytes) -> None:
        try:
            text = self._utf8.decode(block)
        except UnicodeDecodeError:
            self.broken = True
            return
        self._pieces.append(text)
        self._length += len(text)
        if self._array and self._length >= self._enough:
            self._pass_items("".join(self._pieces).lstrip(" \t\r\n"))
        if self._length > PARSED:
            self._switch()

    def _pass_items(self, text: str) -> None:
        """Parse the items that are followed by a comma; keep the rest."""
        at, before = 0, self._items
        scan, following = self._scan, NEXT.match
        try:
            while found := following(text, scan(text, at)[1]):
                at = found.end()
                self._items += 1
        except (StopIteration, ValueError, RecursionError):
            pass  # cut, or broken: the end tells
        self._pieces, self._length = [text[at:]], len(text) - at
        # An item that was tried in vain is tried again when there is twice as much of it.
        self._enough = 0 if self._items > before else 2 * self._length

    def _unparsed(self) -> str:
        """Return what is left as a document: of an array that had items, its end behind one more."""
        start = ("[0," if self._items else "[") if self._array else ""
        return start + "".join(self._pieces)

    def _rest(self) -> int | None:
        """Return the count where what is left can be parsed."""
        if self._utf8.getstate()[0]:
            return None
        try:
            found = self._decode(self._unparsed())
        except (ValueError, RecursionError):
            return None
        return self._items - bool(self._items) + len(found) if self._array else 1

    def _switch(self) -> None:
        """Let the grammar go on."""
        self._grammar = JsonGrammar()
        self._grammar.feed(self._unparsed().encode() + self._utf8.getstate()[0])
        self._pieces.clear()

    def _by_grammar(self, grammar: JsonGrammar) -> int | None:
        count = grammar.total()
        loose = grammar.loose or self._constants
        self.whole, self.loose = grammar.whole and not loose, grammar.whole and loose
        self.broken = grammar.broken or loose
        return None if count is None or loose else self._items - bool(self._items) + count

    def _constant(self, _: str) -> None:
        self._constants = True
