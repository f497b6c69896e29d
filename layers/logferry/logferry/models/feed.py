"""Which table the files of a source feed, and where in one of its records each column is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Feed:
    """A table, and its columns as a source's records hold them.

    In CSV and workbooks a column is found by its `headers` (one, or several in order of preference); all
    other cells of a record go into the column `fields`. In JSON it is found by its `paths`: the keys on the
    way, joined by dots, and "" for the record as a whole.
    """

    table: str
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    behind: frozenset[str] = frozenset()
    """Columns whose header stands behind those of the records' own, which may have the same name."""
    key: str = ""
    """The column that names a record: in a row of too many or too few cells it must look as in others."""
    every_cell: bool = False
    """Whether `fields` holds the cells of known headers too."""
