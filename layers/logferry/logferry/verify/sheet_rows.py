"""Counting the rows of a worksheet while it goes by: its tags tell, nothing of it is parsed or held."""

from __future__ import annotations

import codecs
import re

NAME = rb"(?:[\w.\x80-\xff-]++:)?+"
"""The prefix of a namespace."""
ATTRIBUTES = rb"""(?:\s(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)?+"""
ROOT = re.compile(rb"(?:<\?.*?\?>|<!--.*?-->|\s++)*+<" + NAME + rb"(\w++)(?=[\s/>])", re.DOTALL)
DECLARED = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
DATA_END = re.compile(
    rb"</" + NAME + rb"sheetData\s*+>|<" + NAME + rb"sheetData(?:/|" + ATTRIBUTES + rb"(?<=/))>"
)
ROW_END = re.compile(rb"</" + NAME + rb"row\s*+>")
VALUE = re.compile(rb"<" + NAME + rb"(?:[vt]" + ATTRIBUTES + rb"(?<!/)>[^<]|f" + ATTRIBUTES + rb">)")
"""A cell's value or text that is not empty, or a formula."""
SHEET_END = re.compile(rb"</" + NAME + rb"worksheet\s*+>(?:\s++|<!--.*?-->)*+\Z", re.DOTALL)
COMMENT, CDATA = b"<!--", b"<![CDATA["
ENDS = {COMMENT: b"-->", CDATA: b"]]>"}
LONGEST_TAG = 64 * 1024
"""Bytes of a tag, or of what stands before the first one, that are held."""
LAST = 4096
BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    b"<\0\0\0": "utf-32-le",
    b"\0\0\0<": "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
"""What text of two or four bytes a character begins with (XML 1.0, appendix F)."""
EBCDIC = b"\x4c\x6f\xa7\x94"
ASCII = bytes(range(32, 127))


class SheetCounter:
    """Rows of a worksheet that have a value, less the first one; None for any other part of a workbook.

    None too where it is cut off, in an encoding whose tags cannot be told, or has what no workbook needs: a
    document type, or processing instructions among its cells.
    """

    def __init__(self) -> None:
        self.root: str | None = None
        """The name of its outermost element, empty where it is no XML; None where nobody can tell."""
        self._head: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rows = 0
        self._valued = False
        """Whether the current row has a value."""
        self._cut = self._raw = b""
        """What the last block cut: of the tags, and of what may be a comment."""
        self._until = b""
        """What ends the comment or the text that it is in."""
        self._ended = False
        self._last = b""
        self._lost = False

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self._lost or self.root not in {None, "worksheet"}:
            return
        if self._head is not None:
            block = self._begin(self._head + block)
        elif self._decoder:
            block = self._decoded(self._decoder, block)
        if self.root == "worksheet" and block:
            self._take(block)

    def total(self) -> int | None:
        """Return the number of rows below the first."""
        if self._head is not None and not self._head.lstrip(b"\xef\xbb\xbf \t\r\n"):
            self.root = ""
        if self._lost or self._until or not (self._ended and SHEET_END.search(self._last)):
            return None
        return max(0, self._rows - 1)

    def _begin(self, head: bytes) -> bytes:
        """Learn its encoding and its outermost element; until then hold back everything."""
        self._head = head
        if len(head) < len(EBCDIC):
            return b""
        coding = next((name for mark, name in BOMS.items() if head.startswith(mark)), None)
        decoder = codecs.getincrementaldecoder(coding)() if coding else None
        text = self._decoded(decoder, head) if decoder else head.removeprefix(codecs.BOM_UTF8)
        root = ROOT.match(text)
        if head.startswith(EBCDIC) or self._lost:
            self._lost = True
        elif not text.lstrip().startswith(b"<"):
            self.root = ""
        elif root:
            self._head, self._decoder = None, decoder
            self.root = root[1].decode("latin-1")
            declared = DECLARED.match(text)
            if declared and not coding:
                self._lost = not _keeps_ascii(declared[1].decode())
            return text[root.end() :]
        else:
            self._lost = len(head) > LONGEST_TAG
        return b""

    def _decoded(self, decoder: codecs.IncrementalDecoder, block: bytes) -> bytes:
        try:
            return decoder.decode(block).encode()
        except UnicodeError:
            self._lost = True
            return b""

    def _take(self, text: bytes) -> None:
        """Count the rows that end here."""
        if self._ended:
            self._last = (self._last + text)[-LAST:]
            return
        text, self._raw = self._raw + text, b""
        if self._until or b"<!" in text or text.endswith(b"<"):
            text = self._without_comments(text)
        text, self._cut = self._cut + text, b""
        end = DATA_END.search(text) if b"sheetData" in text else None
        if end:
            self._ended = True
            comment = COMMENT if self._until == ENDS[COMMENT] else b""
            self._last = (text[end.end() :] + comment + self._raw)[-LAST:]
            self._until = b""
            text = text[: end.start()]
        self._lost = self._lost or b"<?" in text
        *rows, rest = ROW_END.split(text)
        for row in rows:
            self._rows += self._valued or VALUE.search(row) is not None
            self._valued = False
        self._valued = self._valued or VALUE.search(rest) is not None
        if not end:
            self._hold(rest)

    def _hold(self, rest: bytes) -> None:
        """Keep the tag that the block has cut; after it, one character tells whether there is a value."""
        last = rest.rfind(b"<")
        held = rest[last:] if last >= 0 else b""
        if len(held) <= LONGEST_TAG:
            self._cut = held
        else:
            self._lost = self._lost or b">" not in held

    def _without_comments(self, text: bytes) -> bytes:
        """Take out comments; of text that is marked as such, a letter stands for all."""
        parts: list[bytes] = []
        at = 0
        while at < len(text):
            if self._until:
                end = text.find(self._until, at)
                self._raw = text[max(at, len(text) - 2) :] if end < 0 else b""
                inside = (len(text) - len(self._raw) if end < 0 else end) - at
                if self._until == ENDS[CDATA] and inside:
                    parts.append(b"x")
                if end < 0:
                    break
                at, self._until = end + len(self._until), b""
            start = text.find(b"<!", at)
            if start < 0:
                start = len(text) - text.endswith(b"<", at)
                parts.append(text[at:start])
                self._raw = text[start:]
                break
            parts.append(text[at:start])
            mark = next((each for each in ENDS if text.startswith(each, start)), b"")
            if not mark:
                self._raw = text[start:]
                self._lost = self._lost or not any(each.startswith(self._raw) for each in ENDS)
                break
            at, self._until = start + len(mark), ENDS[mark]
        return b"".join(parts)


def _keeps_ascii(coding: str) -> bool:
    """Check whether tags look the same in an encoding."""
    try:
        return ASCII.decode(coding) == ASCII.decode("ascii")
    except (LookupError, ValueError):
        return False
