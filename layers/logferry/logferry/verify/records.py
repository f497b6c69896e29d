"""Counting records while a file goes by: never a loop over characters, never more than a line held."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Protocol


class Counter(Protocol):
    """Counts the records of one content."""

    def feed(self, block: bytes) -> None:
        """Take the next block, cut anywhere."""

    def total(self) -> int | None:
        """Return the count once the content has ended; None where it cannot be told."""


class LineCounter:
    """Lines that hold something; the last needs no newline."""

    def __init__(self) -> None:
        self._lines = 0
        self._cut = b""
        """The first two bytes of the line that the last block cut: enough to see whether it is empty."""

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        # readlines finds newlines at twice the speed of bytes.count, and leaves the lines to look at.
        lines = BytesIO(block).readlines()
        if not lines:
            return
        lines[0] = self._cut + lines[0]
        self._cut = b"" if lines[-1].endswith(b"\n") else lines.pop()[:2]
        self._lines += len(lines) - empty(lines)

    def total(self) -> int:
        """Return the number of lines."""
        return self._lines + (self._cut not in (b"", b"\r"))


def empty(lines: list[bytes]) -> int:
    """Count the lines that hold nothing but their end."""
    return lines.count(b"\n") + lines.count(b"\r\n")


MAY_OPEN = frozenset(b',"\n')
"""What stands before the last quote of a line that may end inside a quoted field (its own end, where that
quote comes first); after anything else it closes a field, or means nothing. A look costs half of a count."""
LONGEST_LINE = 1024**2
"""Bytes of a line after which a CSV is taken to be none: what is held of it must stay bounded."""
BOM = b"\xef\xbb\xbf"
TEXT_SEEN_AFTER = 64 * 1024
"""Bytes without a NUL after which it is taken to be text; looking on would cost 2 % of inflating."""
READ_AT_LEAST, READ_ONE_IN = 10_000, 16
"""Lines that may be read by the pattern: so many, and one in so many bytes. More is made to waste time."""
OPEN_AT_END = re.compile(
    rb"""(?:(?: "[^"]*+(?:""[^"]*+)*+" [^,]*+  # a quoted field, and whatever follows its closing quote
          | [^",][^,]*+                      # a plain one: quotes in it mean nothing
        )?+ ,)*+
        "[^"]*+(?:""[^"]*+)*+\Z             # a quoted one that is still open""",
    re.VERBOSE,
)
"""Matches a line, from the beginning of a field, that ends inside a quoted one."""


class CsvCounter:
    """Rows below the header, as Python's csv module reads them; empty lines are no rows.

    A quoted field may hold newlines. A line whose last quote can open nothing, or with an even number of
    quotes, is taken to close what it opens; the others, which are rare, are read by a pattern, so that a
    quote inside a field that does not begin with one is a character like any other. Each row may end with LF,
    CRLF or CR. None where its first 64 KiB hold a NUL byte (UTF-16, or no text at all), where a line is over
    1 MiB, or where hardly anything but quotes comes.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._head: bytes | None = b""
        """What came so far, until it is seen whether it is a mark of byte order."""
        self._held = bytearray()
        """What there is of the line that the last block cut."""
        self._quoted = False
        """Whether the next line begins inside a quoted field."""
        self._return = False
        """Whether the last block ended with a CR, which a LF may follow."""
        self._read = 0
        self._size = 0
        self._lost = False

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        if self._size < TEXT_SEEN_AFTER:
            self._lost = self._lost or b"\0" in block[: TEXT_SEEN_AFTER - self._size]
        self._size += len(block)
        if self._lost:
            return
        if self._head is not None:
            block = self._begin(self._head + block)
        if self._return or b"\r" in block:
            block = self._one_end(block)
        if b"\n" not in block:
            self._hold(block)
            return
        lines = BytesIO(block).readlines()
        if self._held:
            self._hold(lines[0])
            lines[0] = bytes(self._held)
            self._held.clear()
        if not lines[-1].endswith(b"\n"):
            self._hold(lines.pop())
        if self._quoted or b'"' in block or b'"' in lines[0]:
            self._count_quoted(lines)
        else:
            self._rows += len(lines) - lines.count(b"\n")

    def total(self) -> int | None:
        """Return the number of rows below the header."""
        if self._lost:
            return None
        unended = self._quoted or bool(self._held)
        return max(0, self._rows + unended - 1)  # a header, or not even that

    def _begin(self, head: bytes) -> bytes:
        """Take off a mark of byte order."""
        if len(head) < len(BOM):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(BOM)

    def _one_end(self, block: bytes) -> bytes:
        """Give every line the same end; a CR at the end of the block is held back."""
        if not block:
            return block
        block = b"\r" * self._return + block
        self._return = block.endswith(b"\r")
        return block[: len(block) - self._return].replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, piece: bytes) -> None:
        self._held += piece
        self._lost = self._lost or len(self._held) > LONGEST_LINE

    def _count_quoted(self, lines: list[bytes]) -> None:
        odd = bytes(
            [
                (last := line.rfind(b'"')) >= 0 and line[last - 1] in MAY_OPEN and line.count(b'"') & 1
                for line in lines
            ]
        )
        at = 0
        while at < len(lines):
            if not self._quoted:
                even = at
                at = odd.find(1, at)
                if at < 0:
                    at = len(lines)
                self._rows += at - even - lines[even:at].count(b"\n")
            if at < len(lines) and (odd[at] or b'"' in lines[at]):
                self._read += 1
                self._quoted = bool(OPEN_AT_END.match(b'"' * self._quoted + lines[at]))
                self._rows += not self._quoted
            at += 1
        self._lost = self._lost or self._read > READ_AT_LEAST + self._size // READ_ONE_IN
