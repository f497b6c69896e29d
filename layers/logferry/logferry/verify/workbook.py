"""A workbook by the rules of its format (ECMA-376 part 2): which of its parts is what, wherever they lie."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote
from xml.parsers import expat

from logferry.errors import CorruptDownloadError
from logferry.redact import redact
from logferry.verify.sheet_rows import SheetCounter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logferry.verify.findings import Entry
    from logferry.verify.records import Counter

CONTENT_TYPES: Final = "[content_types].xml"
ROOT: Final = "_rels/.rels"
USUAL: Final = "xl/workbook.xml"
MAIN, SHEET = "/officeDocument", "/worksheet"
"""How the types of the relationships to the main part and to a sheet end, in both editions of the format."""
LONGEST_LIST: Final = 64 * 1024
MOST_LISTS: Final = 1024**2
"""Bytes of the lists of relationships that are kept."""


class Relationships:
    """Keeps a list of relationships while it goes by; what is over 64 KiB is none of a workbook's own."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.text = b""

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        self.text = (self.text + block)[: LONGEST_LIST + 1]

    def total(self) -> None:
        """Count nothing."""

    def targets(self, kind: str) -> list[str]:
        """Return the names of the parts that are so related; none where it is no such list."""
        found: list[str] = []

        def start(name: str, given: dict[str, str]) -> None:
            if name.rpartition(":")[2] != "Relationship" or given.get("TargetMode") == "External":
                return
            if given.get("Type", "").endswith(kind):
                target = posixpath.join("/", self.folder, unquote(given.get("Target", "")))
                found.append(part_name(posixpath.normpath(target)))

        def refuse(*_: object) -> None:
            raise ValueError

        parser = expat.ParserCreate()
        parser.StartElementHandler = start
        parser.StartDoctypeDeclHandler = refuse
        try:
            parser.Parse(self.text, True)  # noqa: FBT003 - the end, by position only
        except (expat.ExpatError, ValueError):
            return []
        return found


class Workbook:
    """Takes the parts of a workbook, one after the other."""

    def __init__(self) -> None:
        self._current: tuple[str, Counter] | None = None
        self._lists: dict[str, Relationships] = {}
        self._kept = 0
        self._mains: set[str] = set()
        """The parts whose outermost element is a workbook's."""
        self._records: list[int | None] = []
        """Of each sheet."""
        self._unknown: list[str] = []
        """Parts of which nobody can tell what they are."""

    def begin(self, name: str) -> Counter:
        """Take the next part; return what counts it."""
        self.end()
        part = part_name(name)
        folder, _, file = part.rpartition("/")
        listing = file.endswith(".rels") and posixpath.basename(folder) == "_rels"
        counter = Relationships(posixpath.dirname(folder)) if listing else SheetCounter()
        self._current = part, counter
        return counter

    def end(self) -> None:
        """Take note of what the last part was."""
        part, counter = self._current or ("", None)
        self._current = None
        if isinstance(counter, Relationships) and self._kept + len(counter.text) <= MOST_LISTS:
            self._kept += len(counter.text)
            self._lists[part] = counter
        elif isinstance(counter, SheetCounter):
            if counter.root == "workbook":
                self._mains.add(part)
            elif counter.root == "worksheet":
                self._records.append(counter.total())
            elif counter.root is None:
                self._unknown.append(part)

    def records(self, entries: Iterable[Entry]) -> int | None:
        """Return the records of all sheets; CorruptDownloadError where it is no workbook."""
        parts = {part_name(entry.name) for entry in entries}
        named = self._lists[ROOT].targets(MAIN) if ROOT in self._lists else []
        main = next((part for part in named if part in self._mains), USUAL)
        missing = ["[Content_Types].xml"] if CONTENT_TYPES not in parts else []
        if main not in parts:
            missing.append(redact(next(iter(named), USUAL), 120))
        if missing:
            raise CorruptDownloadError(f"the archive is not a workbook: no {', no '.join(missing)}")
        folder, file = posixpath.split(main)
        listing = self._lists.get(posixpath.join(folder, "_rels", f"{file}.rels"))
        sheets = set(listing.targets(SHEET) if listing else ())
        known = [count for count in self._records if count is not None]
        doubt = any(part in sheets or "/worksheets/" in f"/{part}" for part in self._unknown)
        return None if doubt or len(known) < len(self._records) else sum(known)

    def suspect(self) -> tuple[str, ...]:
        """Return the reasons to look at it: a sheet that nobody can count has null, which says it."""
        return ()


def part_name(name: str) -> str:
    """Return the name of a part as names are compared: without regard to case."""
    return name.replace("\\", "/").lstrip("/").lower()
