"""The rows of a table, made of the records of one file: every record is a row, right or with its error."""

from __future__ import annotations

from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any, Final

from logferry.tabulate.csv_records import Broken, CsvRecords
from logferry.tabulate.json_records import JsonRecords, Paths
from logferry.tabulate.schema import JSON, STRING, TIMESTAMP
from logferry.tabulate.values import WHOLE, Unreadable, storable, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from logferry.models.feed import Feed
    from logferry.tabulate.json_records import Record

UNPLACED: Final = "(unplaced)"
"""The key in `fields` under which stands what no column can be told for: a list of texts, as they came."""
ERRORS_SHOWN: Final = 5
BATCH_ROWS: Final = 4096
BATCH_SIZE: Final = 8 * 1024**2
"""Characters of records: what is held as Python's own texts before it becomes Arrow's."""


@dataclass
class Counts:
    """What came of the records so far."""

    rows: int = 0
    row_errors: int = 0
    unreadable: int = 0
    """Values that are NULL because their column cannot hold what came."""
    entries: int = 0
    skipped: int = 0
    """Entries of an archive that hold no records."""


@dataclass
class Row:
    """The values of a record's own columns, in their order; `size` in characters of what it was made of."""

    values: list[Any]
    error: str | None
    number: int
    size: int


@dataclass
class _Errors:
    counts: Counts
    found: list[str] = field(default_factory=list)

    def read(self, column: str, column_type: str, text: str | None) -> Any:
        """Return what the column holds, None where it cannot."""
        try:
            return typed(column_type, text)
        except Unreadable as unreadable:
            self.unreadable(column, str(unreadable))
            return None

    def unreadable(self, column: str, reason: str) -> None:
        self.counts.unreadable += 1
        self.found.append(f"{column}: {reason}")

    def take(self) -> str | None:
        """Return what was found since the last row."""
        if not self.found:
            return None
        self.counts.row_errors += 1
        more = len(self.found) - ERRORS_SHOWN
        text = "; ".join(self.found[:ERRORS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        self.found = []
        return text


def csv_rows(
    blocks: Iterable[bytes], feed: Feed, columns: Mapping[str, str], counts: Counts
) -> Iterator[Row]:
    """Yield the rows of a CSV. Raises CorruptDownloadError."""
    yield from cell_rows(CsvRecords(blocks), feed, columns, counts)


def cell_rows(
    records: Iterable[list[str] | Broken], feed: Feed, columns: Mapping[str, str], counts: Counts
) -> Iterator[Row]:
    """Yield the rows of records that are cells below a header."""
    header: _Header | None = None
    number = 0
    for record in records:
        if header is None:
            if isinstance(record, Broken):
                header = _Header([], feed, columns, counts)
            else:
                header = _Header(record, feed, columns, counts)
                continue
        number += 1
        counts.rows += 1
        yield header.row(record, number)


class _Header:
    """The header of one file: where each column is, and what the others are called."""

    def __init__(self, names: list[str], feed: Feed, columns: Mapping[str, str], counts: Counts) -> None:
        self._errors = _Errors(counts)
        self._width = len(names)
        self._columns = list(columns.items())
        places = {
            column: _place(names, headers, last=column in feed.behind)
            for column, headers in feed.headers.items()
        }
        self._places = [places.get(column) for column in columns]
        self._key = places.get(feed.key)
        self._anchors = sorted(
            (place, kind)
            for (_, kind), place in zip(self._columns, self._places, strict=True)
            if place is not None and (kind not in (STRING, JSON) or place == self._key)
        )
        self._last = ""
        """The key of the last row of as many cells as there are headers."""
        self._behind = [column for column in columns if column in feed.behind]
        taken = set() if feed.every_cell else {place for place in self._places if place is not None}
        own = [place for place in range(len(names)) if place not in taken]
        labels = _numbered([names[place] or f"column {place + 1}" for place in own])
        self._fields = [
            (place, f"{quoted(storable(label))}:") for place, label in zip(own, labels, strict=True)
        ]

    def row(self, record: list[str] | Broken, number: int) -> Row:
        """Return the row of a record."""
        unplaced: list[str] = []
        certain = self._width
        if isinstance(record, Broken):
            cells, certain, unplaced = record.cells, min(len(record.cells), self._width), [record.rest]
            unplaced[:0] = cells[self._width :]
            self._errors.found.append(record.reason)
        else:
            cells = record
            if len(cells) != self._width:
                certain, unplaced = self._uneven(cells)
            elif self._key is not None:
                self._last = cells[self._key]
        values = [
            self._errors.read(column, kind, cells[place]) if place is not None and place < certain else None
            for (column, kind), place in zip(self._columns, self._places, strict=True)
        ]
        if len(cells) > self._width and self._width:
            # Nobody knows which cell is one too many; those at the end may be another column's.
            for at, (column, _) in enumerate(self._columns):
                if column in self._behind:
                    place = self._places[at]
                    if values[at] is not None and place is not None:
                        unplaced.insert(0, cells[place])
                    values[at] = None
        values[-1] = self._own(cells, certain, unplaced)
        return Row(values, self._errors.take(), number, sum(map(len, cells)) + sum(map(len, unplaced)))

    def _uneven(self, cells: list[str]) -> tuple[int, list[str]]:
        """Return how many cells are certain, and the others.

        Cells are in their columns up to the last time before the first cell that contradicts its column: a
        number where none can be read, or a key that is a number where the row before had none. A number
        proves nothing, since many columns hold one.
        """
        which = "long" if len(cells) > self._width else "short"
        self._errors.found.append(f"too {which}: {len(cells)} cells below {self._width} headers")
        sure = 0
        for place, kind in self._anchors:
            if place >= len(cells):
                break
            if not self._fits(place, kind, cells[place]):
                return sure, cells[sure:]
            if kind == TIMESTAMP and cells[place]:
                sure = place + 1
        certain = min(len(cells), self._width)
        return certain, cells[certain:]

    def _fits(self, place: int, kind: str, cell: str) -> bool:
        if place == self._key:
            return not self._last or bool(WHOLE.fullmatch(cell)) == bool(WHOLE.fullmatch(self._last))
        try:
            typed(kind, cell)
        except Unreadable:
            return False
        return True

    def _own(self, cells: list[str], certain: int, unplaced: list[str]) -> str:
        parts = []
        for place, label in self._fields:
            if place >= certain:
                break
            cell = cells[place]
            if not cell.isascii() and self._errors.read(label[:-1], STRING, cell) is None:
                parts.append(label + "null")
            else:
                parts.append(label + quoted(cell))
        if unplaced:
            parts.append(f"{quoted(UNPLACED)}:[{','.join(storable(quoted(text)) for text in unplaced)}]")
        return "{" + ",".join(parts) + "}"


def _place(names: list[str], headers: tuple[str, ...], *, last: bool) -> int | None:
    for header in headers:
        if header in names:
            return len(names) - 1 - names[::-1].index(header) if last else names.index(header)
    return None


def _numbered(names: list[str]) -> list[str]:
    """Return the names, each once: those that come again get a number that no other has."""
    taken, seen, labels = set(names), set(), []
    for name in names:
        label, number = name, 1
        while label in seen or (number > 1 and label in taken):
            number += 1
            label = f"{name}_{number}"
        seen.add(label)
        labels.append(label)
    return labels


def json_rows(
    blocks: Iterable[bytes], feed: Feed, columns: Mapping[str, str], counts: Counts
) -> Iterator[Row]:
    """Yield the rows of a JSON document. Raises CorruptDownloadError."""
    errors = _Errors(counts)
    for number, record in enumerate(JsonRecords(blocks, Paths(feed.paths)), 1):
        counts.rows += 1
        if record.error:
            errors.found.append(record.error)
        values = {column: _read(record, column, kind, errors) for column, kind in columns.items()}
        error = errors.take()
        lost = record.broken or not record.values
        if error and lost and record.raw and "fields" in columns:
            values["fields"] = f"{{{quoted(UNPLACED)}:[{storable(quoted(record.raw))}]}}"
        yield Row(list(values.values()), error, number, len(record.raw))


def _read(record: Record, column: str, kind: str, errors: _Errors) -> Any:
    raw = record.values.get(column)
    if raw is None:
        return None
    if column in record.broken and (kind == JSON or not raw.startswith('"')):
        errors.unreadable(column, "no JSON")
        return None
    if kind == JSON:
        return errors.read(column, STRING, raw)
    text = raw
    if raw.startswith('"'):
        text, _ = scanstring(raw, 1, False)  # noqa: FBT003 - C's own, without keywords
    elif kind == TIMESTAMP:
        errors.unreadable(column, "no time")
        return None
    return errors.read(column, kind, text)


def batched(
    rows: Iterable[Row], constant: Mapping[str, Any]
) -> Iterator[tuple[list[list[Any]], Mapping[str, Any]]]:
    """Yield rows in batches of bounded size, column by column, with what is the same for all of them."""
    batch: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        batch.append((*row.values, row.error, row.number))
        size += row.size
        if len(batch) == BATCH_ROWS or size > BATCH_SIZE:
            yield [list(column) for column in zip(*batch, strict=True)], constant
            batch, size = [], 0
    if batch:
        yield [list(column) for column in zip(*batch, strict=True)], constant
