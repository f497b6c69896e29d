"""Archives for the tests: honest ones from `zipfile`, and ones put together by hand, lie by lie."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from logferry.errors import CorruptDownloadError
from logferry.models.job import FileKind
from logferry.verify.verifier import ArchiveLimits, Findings
from logferry.verify.verifier import verify as verify_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def verify(
    data: bytes, kind: FileKind = FileKind.ZIP_CSV, step: int = 65536, limits: ArchiveLimits | None = None
) -> Findings:
    """Verify `data`, read in pieces of `step` bytes from a buffer that is gone when the next is asked for."""
    return verify_chunks(pieces(data, step), kind, limits=limits)


def pieces(data: bytes, step: int) -> Iterator[memoryview]:
    for start in range(0, len(data), step):
        buffer = bytearray(data[start : start + step])
        yield memoryview(buffer)
        buffer.clear()  # BufferError if anything still looks at it


def refused_early(data: bytes, why: str, limits: ArchiveLimits | None = None) -> None:
    """Check that `data` is refused before anything behind it is asked for."""

    def chunks() -> Iterator[bytes]:
        yield data
        pytest.fail("more was asked for")

    with pytest.raises(CorruptDownloadError, match=why):
        verify_chunks(chunks(), FileKind.ZIP_CSV, limits=limits)


class Pipe(io.RawIOBase):
    """A file that cannot be sought, so that `zipfile` writes data descriptors."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


@dataclass(frozen=True)
class Wanted:
    """One entry to be written by `zipfile`."""

    name: str
    content: bytes
    deflated: bool = True
    zip64: bool = False


def zipped(entries: Iterable[Wanted], *, piped: bool = False, comment: bytes = b"") -> bytes:
    """Let `zipfile` write an archive."""
    target: Any = Pipe() if piped else io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.compress_type = zipfile.ZIP_DEFLATED if entry.deflated else zipfile.ZIP_STORED
            with archive.open(info, "w", force_zip64=entry.zip64) as member:
                member.write(entry.content)
        archive.comment = comment
    return bytes(target.written) if piped else bytes(target.getvalue())


def deflate(content: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeeze.compress(content) + squeeze.flush()


@dataclass(frozen=True)
class Header:
    """What a header of a member says, true or not; `body` is what stands behind the local one."""

    name: bytes = b"a.csv"
    body: bytes = b""
    flags: int = 0
    method: int = 8
    crc32: int = 0
    packed: int = 0
    size: int = 0
    extra: bytes = b""
    offset: int = 0
    disk: int = 0

    @classmethod
    def of(cls, name: bytes, content: bytes, method: int = 8, **others: Any) -> Header:
        """Give the true header of a content."""
        body = deflate(content) if method == 8 else content
        return cls(name, body, 0, method, zlib.crc32(content), len(body), len(content), **others)

    def local(self) -> bytes:
        fixed = struct.pack(
            "<4sHHHHHIIIHH", b"PK\x03\x04", 20, self.flags, self.method, 0, 0,
            self.crc32, self.packed, self.size, len(self.name), len(self.extra),
        )  # fmt: skip
        return fixed + self.name + self.extra + self.body

    def central(self) -> bytes:
        fixed = struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, self.flags, self.method, 0, 0, self.crc32,
            self.packed, self.size, len(self.name), len(self.extra), 0, self.disk, 0, 0, self.offset,
        )  # fmt: skip
        return fixed + self.name + self.extra


def end_record(count: int, size: int, start: int, /, **lies: int) -> bytes:
    said = {"disk": 0, "first": 0, "here": count, "count": count, "size": size, "start": start, "comment": 0}
    return struct.pack("<4sHHHHIIH", b"PK\x05\x06", *(said | lies).values())


def end_records64(count: int, size: int, start: int, /, **lies: int) -> bytes:
    """Give zip64 record, locator and an old record whose fields are full."""
    said = {
        "length": 44, "made": 45, "needed": 45, "disk": 0, "first": 0,
        "here": count, "count": count, "size": size, "start": start,
    }  # fmt: skip
    place = {"place_disk": 0, "place": start + size, "disks": 1}
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", *(lies.get(name, true) for name, true in said.items())
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", *(lies.get(name, true) for name, true in place.items()))
    return record + locator + end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def assembled(
    members: Sequence[Header], listed: Sequence[Header] | None = None, end: bytes | None = None
) -> bytes:
    """Put an archive together: local headers as they are, the central directory as `listed` or truthful."""
    data, truth = b"", []
    for member in members:
        truth.append(replace(member, offset=len(data)))
        data += member.local()
    directory = b"".join(header.central() for header in (truth if listed is None else listed))
    if end is None:
        end = end_record(len(truth if listed is None else listed), len(directory), len(data))
    return data + directory + end


A = Header.of(b"a.csv", b"id\n1\n2\n")
B = Header.of(b"b.csv", b"id\n3\n", 0)
MIB = 1024 * 1024


def refused(data: bytes, why: str, limits: ArchiveLimits | None = None) -> None:
    """Check that `data` is refused for that reason, in one piece and byte by byte."""
    for step in (len(data), 1 if len(data) < 5000 else 4096):
        with pytest.raises(CorruptDownloadError, match=why):
            verify(data, step=step, limits=limits)


def listed(*members: Header) -> list[Header]:
    """Give the true central directory of members that follow each other."""
    start, headers = 0, []
    for member in members:
        headers.append(replace(member, offset=start))
        start += len(member.local())
    return headers
