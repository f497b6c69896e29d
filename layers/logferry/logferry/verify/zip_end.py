"""The end of a ZIP archive: its end records must describe exactly the directory that was read."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.verify.zip_headers import FULL16, FULL32

if TYPE_CHECKING:
    from logferry.verify.reader import Reader


END64, LOCATOR64, END = b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x06"
ENDS = (END64, END)
END64_FIXED = struct.Struct("<QHHIIQQQQ")
LOCATOR64_FIXED = struct.Struct("<IQI")
END_FIXED = struct.Struct("<HHHHIIH")
MOST_EXTENSION = 64 * 1024
"""Bytes of the zip64 end record's extensible part; nobody is known to use any."""


FILLING = b" \t\r\n\0"
"""What servers and tape put behind a file."""
MOST_BEHIND = 64 * 1024
"""Bytes, a comment included, from whose beginning on readers look for the end record."""


def verify_end(reader: Reader, signature: bytes, count: int, start: int) -> int:
    """Read from the signature after the central directory (already taken) to the last byte of the file.

    `count` headers were read from byte `start` on. Returns how many blanks, line ends and zeros follow the
    archive. Raises `CorruptDownloadError` where a record says otherwise, and for whatever is none.
    """
    end = reader.offset - len(signature)
    truth = (count, count, end - start, start)
    if signature == END64:
        _zip64(reader, truth, end)
        signature = reader.take(4, "its end records")
        loose = True
    else:
        loose = False
    if signature != END:
        raise CorruptDownloadError(
            f"at byte {reader.offset - 4:,} neither an entry nor a record of the archive begins"
        )
    disk, first_disk, *said, comment = END_FIXED.unpack(reader.take(END_FIXED.size, "its end record"))
    if loose:  # where the zip64 record has the number, the old field may be full
        full = (FULL16, FULL16, FULL32, FULL32)
        said = [real if value == most else value for value, most, real in zip(said, full, truth, strict=True)]
        disk, first_disk = (0 if value == FULL16 else value for value in (disk, first_disk))
    _compare(tuple(said), truth)
    _refuse_volumes(disk or first_disk)
    if END in reader.take(comment, "its comment"):
        raise CorruptDownloadError("the archive's comment holds an end record: readers would disagree on it")
    end = reader.offset
    behind = reader.upto(MOST_BEHIND - comment + 1)
    if behind.strip(FILLING) or len(behind) > MOST_BEHIND - comment:
        raise CorruptDownloadError(f"the archive ends at byte {end:,}, but the file goes on")
    return len(behind)


def _zip64(reader: Reader, truth: tuple[int, ...], end: int) -> None:
    fixed = END64_FIXED.unpack(reader.take(END64_FIXED.size, "its zip64 end record"))
    length, _, _, disk, first_disk, *said = fixed
    extension = length - (END64_FIXED.size - 8)
    if not 0 <= extension <= MOST_EXTENSION:
        raise CorruptDownloadError(f"the zip64 end record claims a length of {length:,} bytes")
    reader.take(extension, "its zip64 end record")
    _compare(tuple(said), truth)
    _refuse_volumes(disk or first_disk)
    signature = reader.take(4, "its end records")
    if signature != LOCATOR64:
        raise CorruptDownloadError("no locator follows the zip64 end record")
    disk, offset, disks = LOCATOR64_FIXED.unpack(reader.take(LOCATOR64_FIXED.size, "its end records"))
    if offset != end:
        raise CorruptDownloadError(
            f"the locator puts the zip64 end record at byte {offset:,}, it is at {end:,}"
        )
    _refuse_volumes(disk or disks > 1)


def _compare(said: tuple[int, ...], truth: tuple[int, ...]) -> None:
    if said != truth:
        count, _, size, start = truth
        raise CorruptDownloadError(
            f"the end record is wrong: it says (entries here, entries, directory size, directory offset) ="
            f" {said}, but {count:,} entries and {size:,} bytes from byte {start:,} were read"
        )


def _refuse_volumes(others: int) -> None:
    if others:
        raise CorruptDownloadError("the archive is one of several volumes, which cannot be verified")
