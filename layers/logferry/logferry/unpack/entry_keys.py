"""Where the entries of an archive lie once they are unpacked. Their names are the vendor's: never trusted."""

from __future__ import annotations

from typing import Final

from logferry.storage.keys import encode

ROOT: Final = "unpacked"
LINES: Final = {".csv": ".csv.gz", ".json": ".json.gz"}
"""What Athena and Spark read line by line, by the end of an entry's name; the others stay packed."""
NAMELESS: Final = "entry"


class EntryKeys:
    """The keys of one archive's entries: all in one folder, none twice, in the order of the archive.

    `unpacked/{the archive's own key, less its extension}.{entry}.csv.gz`: the partitions are the archive's,
    and all files of a partition lie right in its `date=` folder. The dot behind the window keeps an export's
    entries apart from those of the same window with filters, whose keys go on with `--`.
    """

    def __init__(self, archive_key: str) -> None:
        folder, slash, name = archive_key.rpartition("/")
        stem = name.rpartition(".")[0] or name  # a dot in a folder's name ends nothing
        self.prefix = f"{ROOT}/{folder}{slash}{stem}."
        """What all keys of this archive, and no others, begin with."""
        self.taken: set[str] = set()

    def take(self, name: str) -> str | None:
        """Return the key of the next entry; None where it is not one of lines."""
        dot = max(name.rfind("."), 0)
        extension = LINES.get(name[dot:].lower())
        if extension is None:
            return None
        safe = _safe(name[:dot])
        key, number = f"{self.prefix}{safe}{extension}", 1
        while key in self.taken:
            number += 1
            key = f"{self.prefix}{safe}-{number}{extension}"
        self.taken.add(key)
        return key


def _safe(stem: str) -> str:
    """Return one part of a key: percent-encoded, at most some 200 bytes, no two dots in a row."""
    part = encode(stem or NAMELESS).replace("..", "%2E%2E")
    return f"%2E{part[1:]}" if part.startswith(".") else part
