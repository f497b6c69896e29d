"""The headers of a ZIP archive (PKWARE APPNOTE 6.3.10, section 4.3): from bytes to members and counts."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError
from logferry.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL, CENTRAL, DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"

STORED, DEFLATED = 0, 8
METHODS = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    12: "bzip2",
    14: "lzma",
    93: "zstd",
    95: "xz",
    98: "ppmd",
}
ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
PATCH = 1 << 5
HAS_DESCRIPTOR = 1 << 3
UTF8 = 1 << 11
HINTS = 1 << 1 | 1 << 2
"""How hard the writer tried: says nothing about the bytes, and some writers give it in one header only."""

LOCAL_FIXED = struct.Struct("<HHHHHIIIHH")
CENTRAL_FIXED = struct.Struct("<HHHHHHIIIHHHHHII")

NEWEST_VERSION = 63

FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
"""A field that says: see the zip64 one."""


@dataclass(frozen=True, slots=True)
class Member:
    """What a header says of one member. In a local header before a descriptor, CRC and sizes may be 0."""

    name: bytes
    flags: int
    method: int
    crc32: int
    packed: int
    size: int

    @property
    def has_descriptor(self) -> bool:
        """Whether CRC and sizes follow the content."""
        return bool(self.flags & HAS_DESCRIPTOR)

    @property
    def sizes_follow(self) -> bool:
        """Whether the length of the content is left to the descriptor; some writers give it in both."""
        return self.has_descriptor and not self.packed

    def broken_by(self, found: Member) -> str:
        """Name the fields in which what was found is not as promised; a descriptor's may be promised as 0."""
        spared = {"crc32", "packed", "size"} if self.has_descriptor else set()
        wrong = self.differences(found)
        return ", ".join(name for name in wrong if getattr(self, name) or name not in spared)

    def check(self) -> None:
        """Raise `CorruptDownloadError` for what a local header alone gives away."""
        if self.flags & ENCRYPTED:
            raise CorruptDownloadError(f"{self} is encrypted")
        if self.flags & PATCH or self.method not in (STORED, DEFLATED):
            method = METHODS.get(self.method, "a method")
            raise CorruptDownloadError(
                f"{self} is compressed by {method} (number {self.method}): only stored and deflated entries"
                " can be verified"
            )

    def __str__(self) -> str:
        return f"entry {redact(self.text_name, 120)!r}"

    @property
    def text_name(self) -> str:
        """The name as text: UTF-8 where the header says so, else code page 437 (APPNOTE appendix D)."""
        return self.name.decode("utf-8" if self.flags & UTF8 else "cp437", "replace")

    def row(self) -> bytes:
        """Return the member as one compact value: 100,000 of them are held until the central directory."""
        return (
            _ROW.pack(_telling(self.flags, self.name), self.method, self.crc32, self.packed, self.size)
            + self.name
        )

    @classmethod
    def from_row(cls, row: bytes) -> Member:
        """Read what `row` wrote."""
        flags, method, crc32, packed, size = _ROW.unpack_from(row)
        return cls(row[_ROW.size :], flags, method, crc32, packed, size)

    def differences(self, other: Member) -> list[str]:
        """Name the fields in which two headers of one member differ."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]

    def descriptors(self) -> Iterator[bytes]:
        """Return the four ways in which writers put CRC and sizes behind the content (APPNOTE 4.3.9).

        With and without a signature, with sizes of 32 and of 64 bits; nothing in the archive says which.
        """
        long = struct.pack("<IQQ", self.crc32, self.packed, self.size)
        if max(self.packed, self.size) <= FULL32:
            short = struct.pack("<III", self.crc32, self.packed, self.size)
            yield DESCRIPTOR + short
            yield short
        yield DESCRIPTOR + long
        yield long


def _telling(flags: int, name: bytes) -> int:
    """Return the flags that two headers of one member have to agree on: ASCII is the same in UTF-8."""
    return flags & ~(HINTS | (UTF8 if name.isascii() else 0))


_ROW = struct.Struct("<HHIQQ")


def parse_local(fixed: tuple[int, ...], name: bytes, extra: bytes) -> Member:
    """Read a local header, given its fixed fields, name and extra field."""
    needed, flags, method, _, _, crc32, packed, size, _, _ = fixed
    _check_version(needed)
    if flags & HAS_DESCRIPTOR and FULL32 in (packed, size) and not _extra_field(extra, 1):
        # Some writers fill what they do not know yet, and say the rest in the descriptor.
        packed, size = (0 if value == FULL32 else value for value in (packed, size))
        crc32 = 0 if crc32 == FULL32 else crc32
    size, packed = _zip64(extra, (size, FULL32), (packed, FULL32))
    return Member(name, flags, method, crc32, packed, size)


def parse_central(fixed: tuple[int, ...], name: bytes, extra: bytes) -> tuple[Member, int]:
    """Read a header of the central directory: the member, and the offset of its local header."""
    _, needed, flags, method, _, _, crc32, packed, size, _, _, _, disk, _, _, offset = fixed
    _check_version(needed)
    _check_extra(extra)
    size, packed, offset, disk = _zip64(
        extra, (size, FULL32), (packed, FULL32), (offset, FULL32), (disk, FULL16)
    )
    if disk:
        raise CorruptDownloadError("the archive is one of several volumes, which cannot be verified")
    return Member(name, _telling(flags, name), method, crc32, packed, size), offset


def _check_version(needed: int) -> None:
    """Refuse what a later version of the format would be needed for (APPNOTE 4.4.3), as readers do."""
    if needed & 0xFF > NEWEST_VERSION:
        raise CorruptDownloadError(f"a header asks for version {needed & 0xFF} of the ZIP format")


def _zip64(extra: bytes, *values: tuple[int, int]) -> list[int]:
    """Replace each value that is full by its place in the zip64 extra field (APPNOTE 4.5.3)."""
    field = b""
    if any(value == full for value, full in values):
        field = _extra_field(extra, 1)
    real = []
    for value, full in values:
        width = 8 if full == FULL32 else 4
        if value != full:
            real.append(value)
        elif len(field) < width:
            raise CorruptDownloadError("a header promises zip64 sizes and has none")
        else:
            real.append(int.from_bytes(field[:width], "little"))
            field = field[width:]
    return real


def _check_extra(extra: bytes) -> None:
    """Refuse fields of the central directory that readers would trip over; up to 3 bytes may pad them."""
    if any(len(content) < length for _, length, content in _extra_fields(extra)):
        raise CorruptDownloadError("an extra field of the central directory is longer than all of them")


def _extra_field(extra: bytes, wanted: int) -> bytes:
    return next((content for kind, _, content in _extra_fields(extra) if kind == wanted), b"")


def _extra_fields(extra: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Return each field's id, the length that it claims, and what there is of its content."""
    while len(extra) >= 4:  # noqa: PLR2004 - id and length, two bytes each
        kind, length = struct.unpack_from("<HH", extra)
        yield kind, length, extra[4 : 4 + length]
        extra = extra[4 + length :]
