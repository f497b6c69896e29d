"""JSON made into JSON Lines while it goes by: an item of the outermost array a line, nothing of it parsed.

Bytes pass as they are, so that no number loses a digit; only line breaks between tokens, the outermost
brackets and commas, and what is blank around items are taken out. Nothing is held, however long an item is.
"""

from __future__ import annotations

import re

from logferry.errors import CorruptDownloadError

BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r\n"
LINE_BREAKS = b"\r\n"
"""Never part of a valid string: they are escaped there."""

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
PLAIN = rb'[^"\[\]{}]++|' + STRING
NESTED = rb"[\[{](?:" + PLAIN + rb")*+[\]}]"
"""An array or object, down to a depth: a call's record is five deep, and such are passed over in one step."""
for _ in range(4):
    NESTED = rb"[\[{](?:" + PLAIN + rb"|" + NESTED + rb")*+[\]}]"
REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
DEEPER = re.compile(rb"(?:" + PLAIN + rb"|" + NESTED + rb")*+", re.DOTALL)
"""Inside an item: everything up to a bracket whose other end is far, or to a string that is cut."""
ITEMS = re.compile(rb'(?:[^"\[\]{},]++|' + STRING + rb"|" + NESTED + rb")*+", re.DOTALL)
"""Between the items of an array: up to a comma too."""
DOCUMENTS = re.compile(rb"[ \t]*+")
"""Between documents that are in no array: nothing may stand there."""
QUOTE, COMMA, OPEN, CLOSE = b'"', b",", (b"[", b"{"), (b"]", b"}")


class JsonLines:
    """Takes one JSON text in blocks, cut anywhere, and gives its lines.

    An array gives a line an item; a document that is no array, or several of them (JSON Lines already), a
    line each. Brackets and strings are followed, nothing else is checked. Both methods raise
    CorruptDownloadError where they do not balance, or where the text begins with neither.
    """

    def __init__(self) -> None:
        self._head: bytes | None = b""
        """What came before the first bracket."""
        self._array = False
        self._depth = 1
        """1 is where items are, in the outermost array; 0 is behind it."""
        self._in_string = False
        self._cut = b""
        """A backslash that ended the last block."""
        self._fresh = True
        """Whether the current line has nothing yet."""
        self._out: list[bytes] = []

    def feed(self, block: bytes) -> bytes:
        """Take the next block; give what is known of the lines by now."""
        block = self._cut + block.translate(None, LINE_BREAKS)
        self._cut = b""
        if self._head is not None:
            block = self._begin(self._head + block)
        at = self._string(block, 0) if self._in_string else 0
        while at < len(block):
            at = self._step(block, at)
        lines, self._out = b"".join(self._out), []
        return lines

    def finish(self) -> bytes:
        """Take note that this was all; give what is left."""
        if self._head is None and (self._depth != (0 if self._array else 1) or self._in_string):
            raise CorruptDownloadError("the JSON ends in the middle of an array, object or string")
        return b"" if self._fresh else b"\n"

    def _begin(self, head: bytes) -> bytes:
        head = head.lstrip(BOM + BLANK)
        self._head = None if head else b""
        if head and not head.startswith(OPEN):
            raise CorruptDownloadError("the JSON begins with neither an array nor an object")
        self._array = head.startswith(b"[")
        return head[1:] if self._array else head

    def _step(self, block: bytes, at: int) -> int:
        """Pass on to the next bracket, comma or string that matters, and see what it means."""
        if self._depth > 1:
            between = DEEPER
        elif self._depth == 1:
            between = ITEMS if self._array else DOCUMENTS
        else:
            between = DOCUMENTS
        found = between.match(block, at)
        end = found.end() if found else at
        self._write(block[at:end])
        mark = block[end : end + 1]
        if not mark:
            return end
        if self._depth == 0 or (not self._array and self._depth == 1 and mark not in OPEN):
            raise CorruptDownloadError("the JSON goes on behind its end")
        if mark == QUOTE:
            self._write(mark)
            return self._string(block, end + 1)
        if mark == COMMA:
            self._end_line()
        elif mark in OPEN:
            self._open(mark)
        else:
            self._close(mark)
        return end + 1

    def _string(self, block: bytes, at: int) -> int:
        """Pass over what is left of a string; its end may be in a later block."""
        found = REST_OF_STRING.match(block, at)
        end = found.end() if found else at
        self._in_string = block[end : end + 1] != QUOTE
        if self._in_string:
            self._cut = block[end:]
            self._write(block[at:end])
            return len(block)
        self._write(block[at : end + 1])
        return end + 1

    def _open(self, bracket: bytes) -> None:
        if self._depth == 1 and not self._array:
            self._end_line()
        self._depth += 1
        self._write(bracket)

    def _close(self, bracket: bytes) -> None:
        self._depth -= 1
        if self._depth:
            self._write(bracket)
        else:
            self._end_line()

    def _write(self, piece: bytes) -> None:
        if self._fresh:
            piece = piece.lstrip(b" \t")
        if piece:
            self._out.append(piece)
            self._fresh = False

    def _end_line(self) -> None:
        if not self._fresh:
            self._out.append(b"\n")
        self._fresh = True
