"""ZIPs of tens of GiB that are stored nowhere: blocks of rows, repeated; CRCs are known in advance.

Deflated ones repeat a block that was compressed up to a full flush, so that blocks may follow one another.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from isal import isal_zlib

from tests.sandbox.vendor.blobs import CHUNK
from tests.sandbox.vendor.log_files import FIXED_DATE, csv_rows
from tests.sandbox.vendor.questions import Question
from tests.sandbox.vendor.records import records

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS_A_BLOCK = 500
RUN = 1024 * 1024
"""Blocks are strung together to runs of about this length, so that writes are large."""
LIMIT = 0xFFFFFFFF
DEFLATE_END = b"\x03\x00"
"""An empty last block with fixed codes: ends a deflate stream after any full flush."""


class RepeatingBlob:
    """Pieces, each repeated; `records` are the CSV rows in all of it."""

    def __init__(self, pieces: list[tuple[bytes, int]], records: int, tag: str) -> None:
        self._pieces = pieces
        self.size: int | None = sum(len(piece) * count for piece, count in pieces)
        self.records = records
        self.tag = tag

    def chunks(self, start: int = 0) -> Iterator[bytes | memoryview]:
        """Give slices of the pieces, nothing copied."""
        for piece, count in self._pieces:
            if start >= len(piece) * count:
                start -= len(piece) * count
                continue
            view = memoryview(piece)
            skipped, offset = divmod(start, len(piece)) if piece else (0, 0)
            start = 0
            for _ in range(skipped, count):
                for place in range(offset, len(view), CHUNK):
                    yield view[place : place + CHUNK]
                offset = 0


@dataclass(frozen=True)
class Entry:
    """One file of the archive: header row once, then `count` blocks."""

    name: str
    count: int
    header: bytes
    block: bytes
    packed_header: bytes
    packed_block: bytes
    end: bytes

    @property
    def size(self) -> int:
        return len(self.header) + len(self.block) * self.count

    @property
    def packed_size(self) -> int:
        return len(self.packed_header) + len(self.packed_block) * self.count + len(self.end)

    @property
    def crc(self) -> int:
        """CRC-32 of the contents, from those of the parts."""
        crc, power = zlib.crc32(self.header), zlib.crc32(self.block)
        count, length = self.count, len(self.block)
        while count:  # double the block while halving the count
            if count & 1:
                crc = isal_zlib.crc32_combine(crc, power, length)
            power = isal_zlib.crc32_combine(power, power, length)
            length *= 2
            count >>= 1
        return int(crc)

    def info(self, *, deflated: bool) -> zipfile.ZipInfo:
        """Give what the local header says."""
        info = zipfile.ZipInfo(self.name, FIXED_DATE)
        info.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
        info.CRC, info.file_size, info.compress_size = self.crc, self.size, self.packed_size
        return info


def big_zip(size: int, *, entries: int = 1, deflated: bool = False, seed: int = 7) -> RepeatingBlob:
    """Give a ZIP of CSV files of about `size` bytes (the blob's `size` is exact), to any size."""
    header, block = rows_block(seed)
    packed_header, packed_block, end = (
        (*flushed(header, block), DEFLATE_END) if deflated else (header, block, b"")
    )
    count = max(1, size // entries // len(packed_block))
    together = max(1, RUN // len(packed_block))
    run, (runs, rest) = packed_block * together, divmod(count, together)
    pieces: list[tuple[bytes, int]] = []
    directory = b""
    offset = 0
    for number in range(entries):
        name = f"Quote_allRecords_{number + 1}.csv"
        entry = Entry(name, count, header, block, packed_header, packed_block, end)
        info = entry.info(deflated=deflated)
        local = info.FileHeader(zip64=max(entry.size, entry.packed_size) >= LIMIT)
        pieces += [(local + packed_header, 1), (run, runs), (packed_block, rest), (end, 1)]
        directory += central_header(info, offset)
        offset += len(local) + entry.packed_size
    pieces.append((directory + end_records(entries, len(directory), offset), 1))
    tag = hashlib.sha256(f"{size} {entries} {deflated} {seed}".encode()).hexdigest()[:32]
    return RepeatingBlob(pieces, ROWS_A_BLOCK * count * entries, tag)


def rows_block(seed: int) -> tuple[bytes, bytes]:
    """Give the header row, and a block of rows."""
    start = datetime(2026, 11, 18, tzinfo=UTC)
    question = Question(start, start + timedelta(days=1))
    found = records(question, f"block {seed}", 0, ROWS_A_BLOCK, ROWS_A_BLOCK)
    header, _, rows = b"".join(csv_rows(found, 0)).partition(b"\r\n")
    return header + b"\r\n", rows


def flushed(header: bytes, block: bytes) -> tuple[bytes, bytes]:
    """Deflate both, each up to a full flush: what follows depends on nothing before it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    first = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    return first, packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)


def central_header(info: zipfile.ZipInfo, offset: int) -> bytes:
    """Give an entry of the central directory (APPNOTE 4.3.12), ZIP64 fields where a number needs them."""
    numbers = (info.file_size, info.compress_size, offset)
    large = b"".join(struct.pack("<Q", number) for number in numbers if number >= LIMIT)
    extra = struct.pack("<HH", 1, len(large)) + large if large else b""
    size, packed, place = (min(number, LIMIT) for number in numbers)
    year, month, day = info.date_time[:3]
    date = (year - 1980) << 9 | month << 5 | day
    name = info.filename.encode()
    version = 45 if large else 20
    fixed = struct.pack(
        "<4s4B4HL2L5H2L",
        b"PK\x01\x02",
        *(version, 3, version, 0),
        *(0, info.compress_type, 0, date),
        info.CRC,
        *(packed, size),
        *(len(name), len(extra), 0, 0, 0),
        *(0o600 << 16, place),
    )
    return fixed + name + extra


def end_records(entries: int, length: int, offset: int) -> bytes:
    """Give the end of the central directory (APPNOTE 4.3.14 to 4.3.16)."""
    large = b""
    if offset >= LIMIT:
        large = struct.pack(
            "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, length, offset
        ) + struct.pack("<4sLQL", b"PK\x06\x07", 0, offset + length, 1)
    return large + struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, length, min(offset, LIMIT), 0
    )
