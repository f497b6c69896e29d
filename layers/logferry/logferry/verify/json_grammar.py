"""A JSON document read by its grammar while it goes by: strictly, in bounded memory, no byte looped over.

Strings and numbers become one letter each; then arrays and objects that hold no further ones become a letter,
again and again, until nothing is left but the items of the outermost array.
"""

from __future__ import annotations

import codecs
import re

WHITESPACE = b" \t\r\n"
OTHER_STARTS = b'"-0123456789tfn\xfe\xff'
"""What a document that is one string, number or word begins with, or one in UTF-16: it is not counted."""
VALID_ESCAPE = re.compile(rb"\\(?:[bfnrt/]|u[0-9a-fA-F]{4})")
CUT_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
NOT_CONTROL = bytes(range(32, 256))
"""What a string may hold raw; a line break is written as an escape."""
SCALAR = re.compile(
    rb"(?:-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null)(?![\w.+-])"
)
SCALAR_BYTES = b"0123456789+-.eEtrufalsnNIity"
CONSTANT = re.compile(rb"(?:NaN|-?Infinity)(?![\w.+-])")
"""What JavaScript has beside JSON, and some writers write."""
LONGEST_SCALAR = 1024**2
TOKENS = b'[]{},:"0'
"""What a document is reduced to: a quote is a string, 0 any other value."""
LEAF = re.compile(rb'\[(?:["0](?:,["0])*+)?+\]|\{(?:":["0](?:,":["0])*+)?+\}')
"""An array or object that holds no further one: a value."""
ITEMS, MEMBERS = re.compile(rb'\[(?:["0],){2,}+'), re.compile(rb'\{(?:":["0],){2,}+')
"""What is open and waits for its end: one of its items stands for all of them."""
TOP_ITEMS, TOP_END = re.compile(rb'(?:["0],)++'), re.compile(rb'(["0]?)\]')
IMPOSSIBLE = re.compile(rb'[\]}]|["0]["0\[{]|[,:][,:]|[\[{][,:]|\{[0\[{]')
"""What is never in a document that may still become one, once all that is whole has been reduced."""
LONGEST_OPEN = 64 * 1024
"""Most tokens that are held of what is open: some 20,000 levels."""
WORK_AT_LEAST, WORK_PER_BYTE = 16 * 1024**2, 8
"""Tokens that may be looked at, so many and so many for each byte; more is made to waste time."""


class JsonGrammar:
    """Items of a top-level array, 1 for a top-level object, as RFC 8259 has it.

    None where it is broken, or several documents, or begins with neither, or is nested to waste time.
    """

    def __init__(self) -> None:
        self.broken = False
        """Whether it is certain that no strict parser reads it; of what is cut off only after `total`."""
        self.loose = False
        """Whether it has NaN or Infinity, which some parsers read."""
        self.whole = False
        """Whether it is one document or several, each of them whole; known after `total`."""
        self._head: bytes | None = b""
        """What came before the first bracket."""
        self._array = False
        self._closed = False
        self._items = 0
        """What is whole: items of the array, or documents where there is none."""
        self._in_string = False
        self._escape = b""
        self._scalar = b""
        self._open = b""
        """What is left of the document, in tokens."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._size = self._work = 0
        self._lost = False

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self.broken or self._lost:
            return
        self._size += len(block)
        if self._head is not None:
            block = self._begin(self._head + block)
        if not block.isascii() or self._utf8.getstate()[0]:
            try:
                self._utf8.decode(block)
            except UnicodeDecodeError:
                self.broken = not self._lost
        if not (self.broken or self._lost):
            self._reduce(self._tokens(self._outside_strings(self._unescaped(block))))

    def total(self) -> int | None:
        """Return the number of items."""
        if self._lost or self._head is not None:
            return None
        if not self.broken:
            self._reduce(self._tokens(b" "))
        whole = self._closed if self._array else self._items and not self._open
        if self._in_string or self._escape or not whole:
            self.broken = not self._lost
        if self.broken or self._lost:
            return None
        self.whole = True
        return self._items if self._array or self._items == 1 else None

    def _begin(self, head: bytes) -> bytes:
        """Learn what it is from its first significant byte."""
        head = head.lstrip(WHITESPACE)
        if not head:
            return b""
        self._head = None
        if head[0] in OTHER_STARTS or b"\0" in head[:4]:
            self._lost = True
        elif head[:1] not in (b"[", b"{"):
            self.broken = True
        self._array = head.startswith(b"[")
        return head[self._array :]

    def _unescaped(self, block: bytes) -> bytes:
        """Take out escapes: after that every quote begins or ends a string, and no backslash is left."""
        block, self._escape = self._escape + block, b""
        if b"\\" not in block:
            return block
        block = block.replace(b"\\\\", b"_").replace(b'\\"', b"_").replace(b"\\n", b"_")
        if b"\\" in block:
            block = VALID_ESCAPE.sub(b"_", block)
            cut = CUT_ESCAPE.search(block, max(0, len(block) - 5))
            if cut:
                block, self._escape = block[: cut.start()], cut.group()
            self.broken = b"\\" in block
        return block

    def _outside_strings(self, block: bytes) -> bytes:
        """Return what is outside of strings, with a quote for each where it ends."""
        parts = (b'"' * self._in_string + block).split(b'"')
        self._in_string = len(parts) % 2 == 0
        if b"".join(parts[1::2]).translate(None, NOT_CONTROL):
            self.broken = True
        return b'"'.join(parts[::2])

    def _tokens(self, outside: bytes) -> bytes:
        """Return the tokens of what is outside of strings."""
        outside = self._scalar + outside
        whole = outside.rstrip(SCALAR_BYTES)
        self._scalar = outside[len(whole) :]  # the next block may go on with it
        self._lost = self._lost or len(self._scalar) > LONGEST_SCALAR
        if whole.translate(None, TOKENS + WHITESPACE):
            whole = SCALAR.sub(b"0", whole)
            if b"N" in whole or b"I" in whole:
                whole, constants = CONSTANT.subn(b"0", whole)
                self.loose = self.loose or bool(constants)
            if whole.translate(None, TOKENS + WHITESPACE):
                self.broken = True
        return whole.translate(None, WHITESPACE)

    def _reduce(self, tokens: bytes) -> None:
        """Reduce what is open and what has come, and count what is whole."""
        rest, reduced = self._open + tokens, 1
        while reduced and self._work <= WORK_AT_LEAST + WORK_PER_BYTE * self._size:
            self._work += len(rest)
            rest, reduced = LEAF.subn(b"0", rest)
        self._lost = self._lost or bool(reduced)
        if self._array:
            rest = self._count(rest)
        else:
            documents = len(rest) - len(rest.lstrip(b"0"))
            self._items += documents
            rest = rest[documents:]
        if IMPOSSIBLE.search(rest):
            self.broken = not self._lost
        self._open = MEMBERS.sub(b'{":0,', ITEMS.sub(b"[0,", rest))
        self._lost = self._lost or len(self._open) > LONGEST_OPEN

    def _count(self, rest: bytes) -> bytes:
        """Count the items at the beginning of what is left of the outermost array, and see its end."""
        if self._closed:
            self.broken = self.broken or bool(rest)
            return rest
        items = TOP_ITEMS.match(rest)
        if items:
            self._items += items.group().count(b",")
            rest = rest[items.end() :]
        end = TOP_END.match(rest)
        if end:
            self.broken = self.broken or not (end.group(1) or not self._items)
            self._items += len(end.group(1))
            self._closed = True
            rest = rest[end.end() :]
            self.broken = self.broken or bool(rest)
        return rest
