"""A ZIP archive verified front to back while it streams past: every byte of it has to make sense.

Local headers, contents and descriptors come in sequence with nothing before, between or after them; then
the central directory must describe exactly those members, and the end records exactly that directory. So
overlapping, hidden, missing and prepended data are all refused, and nothing is trusted that was not seen.

Two members may have one name: nothing is ever extracted by name here, and each is verified and listed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from logferry.errors import CorruptDownloadError
from logferry.verify.findings import ArchiveLimits, Entry, InflationBudget
from logferry.verify.zip_content import Content
from logferry.verify.zip_end import ENDS, verify_end
from logferry.verify.zip_headers import (
    CENTRAL,
    CENTRAL_FIXED,
    LOCAL,
    LOCAL_FIXED,
    Member,
    parse_central,
    parse_local,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from logferry.verify.reader import Reader
    from logferry.verify.records import Counter


_RECORDS = struct.Struct("<q")
_UNCOUNTED = -1


class Entries(Sequence[Entry]):
    """The entries of an archive in its order, each made of its row when it is looked at.

    100,000 rows take 15 MiB, as many entries twice that.
    """

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        return Entries(self._rows[at]) if isinstance(at, slice) else _entry_of(self._rows[at])


def _row_of(member: Member, records: int | None) -> bytes:
    return _RECORDS.pack(_UNCOUNTED if records is None else records) + member.row()


def _member_of(row: bytes) -> Member:
    return Member.from_row(row[_RECORDS.size :])


def _entry_of(row: bytes) -> Entry:
    member, (records,) = _member_of(row), _RECORDS.unpack_from(row)
    return Entry(
        member.text_name, member.size, f"{member.crc32:08x}", None if records == _UNCOUNTED else records
    )


class ZipWalk:
    """One walk over one archive; `counter_for` gives what counts the records of the entry of that name."""

    def __init__(
        self, reader: Reader, limits: ArchiveLimits, counter_for: Callable[[str], Counter | None]
    ) -> None:
        self._reader = reader
        self._limits = limits
        self._counter_for = counter_for
        self._budget = InflationBudget(limits)
        self._seen: dict[int, bytes] = {}
        """The rows of what was verified, by the offsets of their local headers."""
        self._names = 0
        self.behind = 0
        """How many blanks, line ends and zeros follow the archive; known after `entries`."""

    def entries(self) -> Entries:
        """Verify the whole archive; give its entries in the order of the central directory.

        Raises `CorruptDownloadError` as soon as anything is wrong.
        """
        while True:
            start = self._reader.offset
            signature = self._reader.take(4, "the archive: its central directory is missing")
            if signature != LOCAL:
                break
            self._member(start)
        rows = []
        while signature == CENTRAL:
            rows.append(self._listed())
            signature = self._reader.take(4, "the central directory")
        if self._seen and signature in ENDS:
            offset, row = self._seen.popitem()
            raise CorruptDownloadError(
                f"{_member_of(row)} at byte {offset:,} is missing from the central directory"
            )
        self.behind = verify_end(self._reader, signature, len(rows), start)
        return Entries(rows)

    def _member(self, start: int) -> None:
        what = f"the local header at byte {start:,}"
        fixed = LOCAL_FIXED.unpack(self._reader.take(LOCAL_FIXED.size, what))
        name = self._reader.take(fixed[-2], what)
        extra = self._reader.take(fixed[-1], what)
        promised = parse_local(fixed, name, extra)
        promised.check()
        if not promised.sizes_follow:
            self._budget.check_ratio(promised, promised.size, promised.packed)
        self._names += CENTRAL_FIXED.size + len(name)
        if len(self._seen) >= self._limits.entries or self._names > self._limits.directory:
            raise CorruptDownloadError(
                f"the archive has more than {self._limits.entries:,} entries, or a central directory of more"
                f" than {self._limits.directory:,} bytes"
            )
        content = Content(self._reader, promised, self._budget, self._counter_for(promised.text_name))
        found = content.verify()
        self._seen[start] = _row_of(found, content.records)

    def _listed(self) -> bytes:
        """Read the next header of the central directory, hold it against what was seen and give its row."""
        what = "the central directory"
        fixed = CENTRAL_FIXED.unpack(self._reader.take(CENTRAL_FIXED.size, what))
        name_length, extra_length, comment_length = fixed[9:12]
        name = self._reader.take(name_length, what)
        extra = self._reader.take(extra_length, what)
        self._reader.take(comment_length, what)
        listed, offset = parse_central(fixed, name, extra)
        row = self._seen.pop(offset, b"")
        if not row:
            raise CorruptDownloadError(
                f"the central directory puts {listed} at byte {offset:,}, where no entry begins or one that"
                " it has listed before"
            )
        seen = _member_of(row)
        if seen != listed:
            raise CorruptDownloadError(
                f"{listed} differs between the central directory and the archive itself:"
                f" {', '.join(listed.differences(seen))}"
            )
        return row
