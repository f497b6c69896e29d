"""The records of a JSON document, each with the raw texts of the values that are wanted."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, Final

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LONGEST: Final = 64 * 1024**2
"""Characters of a record: what is held of an archive at once must stay bounded."""
AT_LEAST: Final = 256 * 1024
"""Characters to look at once: a record that the end of a block cuts is looked at again."""
BLANK: Final = re.compile(r"[ \t\r\n]*")
MARK: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
Malformed: Final = (ValueError, IndexError, StopIteration, RecursionError)


@dataclass
class Record:
    """One record: `values` are the raw JSON texts by column, as they came; `error` says what is wrong."""

    raw: str
    values: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    broken: frozenset[str] = frozenset()
    """Columns whose value is no JSON."""


class Paths:
    """The columns that are wanted of a record, as a tree of keys; the first of several paths wins."""

    def __init__(self, paths: Mapping[str, tuple[str, ...]]) -> None:
        self.tree: dict[str, Any] = {}
        self.whole = [column for column, ways in paths.items() if "" in ways]
        for column, ways in paths.items():
            for rank, way in enumerate(ways):
                if not way:
                    continue
                *keys, last = way.split(".")
                node = self.tree
                for key in keys:
                    node = node.setdefault(key, {})
                node.setdefault(last, []).append((rank, column))


class _Parser:
    """Reads one value at a place of a text; `strict` refuses line breaks and the like inside strings."""

    def __init__(self, paths: Paths, *, strict: bool) -> None:
        self._paths, self._strict = paths, strict
        self._odd: list[str] = []
        decoder = json.JSONDecoder(
            parse_int=len, parse_float=len, parse_constant=self._odd.append, strict=strict
        )
        self._scan = decoder.scan_once  # type: ignore[attr-defined]

    def record(self, text: str, at: int) -> tuple[Record, int]:
        """Return the record that begins at `at`, and where it ends. Raise one of `Malformed`."""
        found: dict[str, tuple[int, str]] = {}
        self._broken: set[str] = set()
        self._odd.clear()
        if text[at] != "{":
            _, end = self._scan(text, at)
            return Record(text[at:end], error="the record is no object"), end
        end = self._object(text, at + 1, self._paths.tree, found)
        values = {column: raw for column, (_, raw) in found.items() if raw != "null"}
        raw = text[at:end]
        values.update(dict.fromkeys(self._paths.whole, raw))
        if self._broken:
            self._broken.update(self._paths.whole)
        return Record(raw, values, broken=frozenset(self._broken)), end

    def _object(self, text: str, at: int, tree: Mapping[str, Any], found: dict[str, tuple[int, str]]) -> int:
        blank = BLANK.match
        at = blank(text, at).end()  # type: ignore[union-attr]
        if text[at] == "}":
            return at + 1
        while True:
            if text[at] != '"':
                raise ValueError("a key is expected")
            key, at = scanstring(text, at + 1, self._strict)
            at = blank(text, at).end()  # type: ignore[union-attr]
            if text[at] != ":":
                raise ValueError("a colon is expected")
            at = begin = blank(text, at + 1).end()  # type: ignore[union-attr]
            wanted = tree.get(key)
            if isinstance(wanted, dict) and text[at] == "{":
                at = self._object(text, at + 1, wanted, found)
            else:
                _, at = self._scan(text, at)
                if isinstance(wanted, list):
                    self._keep(wanted, text[begin:at], found)
                elif self._odd:
                    self._broken.update(self._paths.whole)
                    self._odd.clear()
            at = blank(text, at).end()  # type: ignore[union-attr]
            if text[at] == "}":
                return at + 1
            if text[at] != ",":
                raise ValueError("a comma is expected")
            at = blank(text, at + 1).end()  # type: ignore[union-attr]

    def _keep(self, wanted: list[tuple[int, str]], raw: str, found: dict[str, tuple[int, str]]) -> None:
        for rank, column in wanted:
            before = found.get(column)
            if before is None or rank <= before[0] or before[1] == "null":
                found[column] = rank, raw
                if self._odd:
                    self._broken.add(column)
        self._odd.clear()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


class JsonRecords:
    """Iterates over the items of a JSON array, or over documents one after the other, coming in blocks.

    A record that is malformed comes with what is wrong; the next one is found by brackets. Bytes that are no
    UTF-8 come as lone surrogates. Raises CorruptDownloadError for a record of more than 64 MiB.
    """

    def __init__(self, blocks: Iterable[bytes], paths: Paths) -> None:
        self._blocks = iter(blocks)
        self._decode = getincrementaldecoder("utf-8")(errors="surrogateescape").decode
        self._parser = _Parser(paths, strict=True)
        self._lenient = _Parser(paths, strict=False)
        self._strict = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_refuse)
        self._text, self._at = "", 0
        self._ended = self._cut = False

    def __iter__(self) -> Iterator[Record]:
        """Yield each record."""
        self._more()
        self._text = self._text.removeprefix("\ufeff")
        if self._peek() == "[":
            self._at += 1
            yield from self._items()
        while self._peek():
            yield self._record()
            if self._peek() == ",":
                self._at += 1

    def _items(self) -> Iterator[Record]:
        """Yield the items of an array, and what stands behind it."""
        mark = self._peek()
        while mark != "]":
            if not mark:
                if not self._cut:
                    yield Record("", error="the array is not closed: the file is cut")
                return
            yield self._record()
            mark = self._peek()
            if mark == ",":
                self._at += 1
                mark = self._peek()
                if mark == "]":
                    yield Record("", error="an empty item")
        self._at += 1
        if self._peek():
            yield self._rest("something stands behind the array")

    def _record(self) -> Record:
        while True:
            try:
                record, end = self._parser.record(self._text, self._at)
                # A number may go on in the next block.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return record
            except Malformed as error:
                found = self._end_by_brackets()
                if found is not None:
                    return self._malformed(found, error)
            if len(self._text) - self._at > LONGEST:
                raise CorruptDownloadError(
                    f"a record of a JSON document has more than {LONGEST:,} characters"
                )
            self._more(2 * (len(self._text) - self._at))

    def _malformed(self, end: int, error: BaseException) -> Record:
        text, self._at = self._text[self._at : end], end
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error) or "it is cut"
        self._cut = self._ended and end == len(self._text)
        if not text.strip():
            return Record("", error="an empty item")
        try:
            record, length = self._lenient.record(text, 0)
        except Malformed:
            return Record(text, error=f"no JSON: {reason}")
        if text[length:].strip():
            return Record(text, error=f"no JSON: {reason}")
        # Strings hold what JSON has escaped: texts are certain, but not every value is JSON as it came.
        record.error = f"no JSON: {reason}"
        record.broken |= {column for column, raw in record.values.items() if not self._is_json(raw)}
        return record

    def _is_json(self, raw: str) -> bool:
        try:
            _, end = self._strict.scan_once(raw, 0)  # type: ignore[attr-defined]
        except Malformed:
            return False
        return bool(end == len(raw))

    def _end_by_brackets(self) -> int | None:
        """Return where the record ends by its brackets; None where that is not seen yet."""
        depth = 0
        for mark in MARK.finditer(self._text, self._at):
            found = mark.group()
            if found[0] == '"':
                continue
            if found == "," and not depth:
                return mark.start()
            if found in "]}":
                if not depth:
                    return mark.start() if mark.start() > self._at else mark.end()
                depth -= 1
                if not depth:
                    return mark.end()
            elif found in "[{":
                depth += 1
        return len(self._text) if self._ended else None

    def _rest(self, reason: str) -> Record:
        while not self._ended:
            self._more(AT_LEAST)
            if len(self._text) - self._at > LONGEST:
                raise CorruptDownloadError(f"behind a JSON document stand more than {LONGEST:,} characters")
        rest, self._at = self._text[self._at :], len(self._text)
        return Record(rest, error=reason)

    def _peek(self) -> str:
        """Return the next character that is not blank, "" at the end."""
        while True:
            self._at = BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def _more(self, least: int = AT_LEAST) -> None:
        pieces = [self._text[self._at :]]
        size = len(pieces[0])
        least = max(least, size + AT_LEAST)
        while size < least and not self._ended:
            block = next(self._blocks, None)
            self._ended = block is None
            pieces.append(self._decode(block or b"", self._ended))
            size += len(pieces[-1])
        self._text, self._at = "".join(pieces), 0
