"""The content of one ZIP member, verified against its headers while it streams past."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.verify.inflate import SLICE, Inflater, crc32
from logferry.verify.zip_headers import CENTRAL, DEFLATED, LOCAL, Member

if TYPE_CHECKING:
    from logferry.verify.findings import InflationBudget
    from logferry.verify.reader import Reader
    from logferry.verify.records import Counter


FIRST_SLICE = 2 * 1024
"""Where nothing says how long a member is: what the inflater did not use is copied, and most are short."""
LONGEST_DESCRIPTOR = 24
FORGED_AT_MOST = 100
"""Descriptors with the right size and the wrong CRC: chance makes one in four GiB of headers."""
NEXT_HEADER = re.compile(re.escape(LOCAL) + b"|" + re.escape(CENTRAL))


class Content:
    """Reads one member's content: `promised` is its local header."""

    def __init__(
        self, reader: Reader, promised: Member, budget: InflationBudget, counter: Counter | None
    ) -> None:
        self._reader = reader
        self._promised = promised
        self._budget = budget
        self._counter = counter
        self._crc = 0
        self._size = 0
        self._packed = 0
        self._forged = 0

    @property
    def records(self) -> int | None:
        """How many records it held, None where that cannot be told."""
        return self._counter.total() if self._counter else None

    def verify(self) -> Member:
        """Read it to its end, descriptor included; give the member as it was found to be."""
        if self._promised.method == DEFLATED:
            self._deflated()
        elif self._promised.sizes_follow:
            self._stored_until_descriptor()
        else:
            self._stored()
        found = replace(self._promised, crc32=self._crc, packed=self._packed, size=self._size)
        if self._promised.has_descriptor:
            self._descriptor(found)
        broken = self._promised.broken_by(found)
        if broken:
            raise CorruptDownloadError(f"{found} is damaged: its header promises another {broken}")
        return found

    def _deflated(self) -> None:
        known = None if self._promised.sizes_follow else self._promised.packed
        if known == 0:
            return  # some writers call an empty entry deflated and store nothing for it
        inflater = Inflater(self._promised)
        while not inflater.ended:
            most = max(FIRST_SLICE, self._packed) if known is None else known - self._packed
            if not most:
                raise CorruptDownloadError(f"{self._promised} is damaged: its compressed data goes on")
            with self._reader.some(min(most, SLICE)) as piece:
                self._got(piece)
                for block in inflater.blocks(piece):
                    self._add(block)
        self._reader.unread(inflater.unused)
        self._packed -= len(inflater.unused)

    def _stored(self) -> None:
        while self._packed < self._promised.packed:
            with self._reader.some(self._promised.packed - self._packed) as piece:
                self._got(piece)
                self._add(piece)

    def _stored_until_descriptor(self) -> None:
        """Find the end of a stored member whose sizes follow it: nothing says where, so it is looked for.

        It is where a header follows a descriptor that has the right CRC and sizes. A forged one inside the
        content would leave members that the central directory does not describe.
        """
        held = b""
        while True:
            with self._reader.some(SLICE) as piece:
                held += piece
                self._got(piece)
            for header in NEXT_HEADER.finditer(held):
                end = self._end_before(held, header.start())
                if end is not None:
                    self._reader.unread(held[end:])
                    self._add(held[:end])
                    self._packed = self._size
                    return
            sure = max(0, len(held) - LONGEST_DESCRIPTOR - len(LOCAL) + 1)
            self._add(held[:sure])
            held = held[sure:]

    def _end_before(self, held: bytes, header: int) -> int | None:
        """Return where in `held` the content ends, if what stands before `header` is its descriptor."""
        for length in (16, 12, 24, 20):
            end = header - length
            size = self._size + end
            wide = 8 if length > 16 else 4  # noqa: PLR2004 - two sizes of 64 bits, or of 32
            if end >= 0 and held[header - wide : header] == size.to_bytes(8, "little")[:wide]:
                crc = crc32(held[:end], self._crc)
                found = replace(self._promised, crc32=crc, packed=size, size=size)
                if held[end:header] in found.descriptors():
                    return end
                self._forged += 1
        if self._forged > FORGED_AT_MOST:
            raise CorruptDownloadError(f"{self._promised} is full of forged ends, each with the wrong CRC")
        return None

    def _descriptor(self, found: Member) -> None:
        ahead = self._reader.upto(LONGEST_DESCRIPTOR + len(LOCAL))
        for descriptor in found.descriptors():
            after = ahead[len(descriptor) :]
            if ahead.startswith(descriptor) and after.startswith((LOCAL, CENTRAL)):
                self._reader.unread(after)
                return
        raise CorruptDownloadError(
            f"{found} is damaged: no descriptor with its CRC and sizes follows at byte"
            f" {self._reader.offset:,}"
        )

    def _got(self, piece: memoryview) -> None:
        if not piece:
            raise CorruptDownloadError(
                f"the file ends at byte {self._reader.offset:,}, in the middle of {self._promised}"
            )
        self._packed += len(piece)

    def _add(self, block: bytes | memoryview) -> None:
        """Take the next bytes of the content itself."""
        self._size += len(block)
        self._budget.spend(len(block))
        self._budget.check_ratio(self._promised, self._size, self._packed)
        if self._size > self._promised.size and not self._promised.sizes_follow:
            raise CorruptDownloadError(
                f"{self._promised} is damaged: it holds more than the {self._promised.size:,} bytes it claims"
            )
        self._crc = crc32(block, self._crc)
        if self._counter:
            self._counter.feed(bytes(block))  # copies only what was stored
