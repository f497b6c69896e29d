"""The rows of a workbook's sheets, as cells of text."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineWorkbook

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST: Final = 512 * 1024**2
"""Bytes of all parts of a workbook: a sheet is held as a whole. 100,000 events come to some 60 MiB."""


def sheets(path: Path) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """Yield each sheet's name and its rows, the header first. Raise CorruptDownloadError."""
    try:
        with ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > LARGEST:
            raise CorruptDownloadError(f"the workbook inflates to {size:,} bytes, more than {LARGEST:,}")
        with CalamineWorkbook.from_path(path) as book:
            for name in book.sheet_names:
                yield name, (list(map(_text, row)) for row in book.get_sheet_by_name(name).iter_rows())
    except (BadZipFile, CalamineError, ValueError) as error:
        raise CorruptDownloadError(f"the workbook cannot be read: {error}") from error


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, (date, time)) else str(cell)
