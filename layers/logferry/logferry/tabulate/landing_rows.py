"""The rows of one landed object, read as its source says: archives, gzip and workbooks alike."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Final

from isal import isal_zlib

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.tabulate.archive import entries
from logferry.tabulate.rows import cell_rows, csv_rows, json_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from logferry.models.feed import Feed
    from logferry.tabulate.rows import Counts, Row

READERS: Final = {FileKind.ZIP_CSV: (".csv", csv_rows), FileKind.ZIP_JSON: (".json", json_rows)}
INFLATED: Final = 1024**2
GZIP: Final = 31


def landing_rows(
    chunks: Iterable[bytes], kind: FileKind, feed: Feed, columns: Mapping[str, str], counts: Counts
) -> Iterator[tuple[str | None, Iterator[Row]]]:
    """Yield the rows of each entry with its name (None in a file that is no archive), to be read in turn.

    Raises CorruptDownloadError.
    """
    if kind in READERS:
        extension, rows = READERS[kind]
        for name, blocks in entries(chunks):
            if name.lower().endswith(extension):
                counts.entries += 1
                yield name, rows(blocks, feed, columns, counts)
            else:
                counts.skipped += not name.endswith("/")
    elif kind is FileKind.GZIP_JSONL:
        counts.entries += 1
        yield None, json_rows(_inflated(chunks), feed, columns, counts)
    elif kind is FileKind.XLSX:
        yield from _workbook(chunks, feed, columns, counts)
    else:
        raise CorruptDownloadError(f"no table is made of {kind.value}")


def _workbook(
    chunks: Iterable[bytes], feed: Feed, columns: Mapping[str, str], counts: Counts
) -> Iterator[tuple[str | None, Iterator[Row]]]:
    from logferry.tabulate.workbook import sheets  # noqa: PLC0415 - other landings need no reader of XLSX

    with NamedTemporaryFile(suffix=".xlsx") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        for name, cells in sheets(Path(file.name)):
            counts.entries += 1
            yield name, cell_rows(cells, feed, columns, counts)


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate gzip of one member or several, a bounded piece at a time."""
    inflater: Any = isal_zlib.decompressobj(GZIP)
    for chunk in chain(chunks, [b""]):
        left = chunk
        while left:
            if inflater.eof:
                inflater = isal_zlib.decompressobj(GZIP)
            try:
                block = inflater.decompress(left, INFLATED)
            except isal_zlib.error as error:  # type: ignore[misc]
                raise CorruptDownloadError(f"the gzip file is damaged: {error}") from error
            left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            yield block
    if not inflater.eof:
        raise CorruptDownloadError("the gzip file is cut")
