"""A ZIP archive verified front to back while it streams past: every byte of it has to make sense.

Local headers, contents and descriptors come in sequence with nothing before, between or after them; then
the central directory must describe exactly those members, and the end records exactly that directory. So
overlapping, hidden, missing and prepended data are all refused, and nothing is trusted that was not seen.

Two members may have one name: nothing is ever extracted by name here, and each is verified and listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.findings import Budget, Entry, Limits
from logferry.zipcontent import Content
from logferry.zipend import ENDS, verify_end
from logferry.zipheaders import (
    CENTRAL,
    CENTRAL_FIXED,
    LOCAL,
    LOCAL_FIXED,
    Member,
    parse_central,
    parse_local,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from logferry.inlet import Inlet
    from logferry.records import Counter


class ZipWalk:
    """One walk over one archive; `counter_for` gives what counts the records of the entry of that name."""

    def __init__(self, inlet: Inlet, limits: Limits, counter_for: Callable[[str], Counter | None]) -> None:
        self._inlet = inlet
        self._limits = limits
        self._counter_for = counter_for
        self._budget = Budget(limits)
        self._seen: dict[int, tuple[bytes, int | None]] = {}
        self._names = 0

    def entries(self) -> Generator[None, None, tuple[Entry, ...]]:
        """Verify the whole archive; give its entries in the order of the central directory.

        Yields whenever the inlet needs more. Raises `CorruptDownloadError` as soon as anything is wrong.
        """
        while True:
            start = self._inlet.offset
            signature = yield from self._inlet.take(4, "the archive: its central directory is missing")
            if signature != LOCAL:
                break
            yield from self._member(start)
        entries = []
        while signature == CENTRAL:
            entries.append((yield from self._listed()))
            signature = yield from self._inlet.take(4, "the central directory")
        if self._seen and signature in ENDS:
            offset, (row, _) = self._seen.popitem()
            raise CorruptDownloadError(
                f"{Member.from_row(row)} at byte {offset:,} is missing from the central directory"
            )
        yield from verify_end(self._inlet, signature, len(entries), start)
        return tuple(entries)

    def _member(self, start: int) -> Generator[None, None, None]:
        what = f"the local header at byte {start:,}"
        fixed = LOCAL_FIXED.unpack((yield from self._inlet.take(LOCAL_FIXED.size, what)))
        name = yield from self._inlet.take(fixed[-2], what)
        extra = yield from self._inlet.take(fixed[-1], what)
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
        content = Content(self._inlet, promised, self._budget, self._counter_for(promised.text_name))
        found = yield from content.verify()
        self._seen[start] = (found.row(), content.records)

    def _listed(self) -> Generator[None, None, Entry]:
        """Read the next header of the central directory and hold it against what was seen."""
        what = "the central directory"
        fixed = CENTRAL_FIXED.unpack((yield from self._inlet.take(CENTRAL_FIXED.size, what)))
        name_length, extra_length, comment_length = fixed[9:12]
        name = yield from self._inlet.take(name_length, what)
        extra = yield from self._inlet.take(extra_length, what)
        yield from self._inlet.take(comment_length, what)
        listed, offset = parse_central(fixed, name, extra)
        row, records = self._seen.pop(offset, (b"", None))
        if not row:
            raise CorruptDownloadError(
                f"the central directory puts {listed} at byte {offset:,}, where no entry begins or one that"
                " it has listed before"
            )
        if row != listed.row():
            raise CorruptDownloadError(
                f"{listed} differs between the central directory and the archive itself:"
                f" {', '.join(listed.differences(Member.from_row(row)))}"
            )
        return Entry(listed.text_name, listed.size, f"{listed.crc32:08x}", records)
