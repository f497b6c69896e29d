"""The emulated vendors' large files: made on the fly, of any size, and honest archives."""

from __future__ import annotations

import csv
import hashlib
import io
import tracemalloc
import zipfile
import zlib
from typing import Any

import pytest

from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.big_zips import RepeatingBlob, big_zip
from tests.sandbox.vendor.blobs import BytesBlob, FileBlob, StreamBlob, read_all, spool
from tests.sandbox.vendor.client import Client

GIB = 2**30


class Reader(io.RawIOBase):
    """A blob as a file to seek in, so that zipfile can look into gigabytes that exist nowhere."""

    def __init__(self, blob: RepeatingBlob) -> None:
        self.blob = blob
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = [0, self.place, self.blob.size or 0][whence] + offset
        return self.place

    def readinto(self, buffer: Any) -> int:
        for block in self.blob.chunks(self.place):
            part = block[: len(buffer)]
            buffer[: len(part)] = part
            self.place += len(part)
            return len(part)
        return 0


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("entries", [1, 3])
def test_a_big_zip_is_an_honest_archive_of_countable_rows(entries: int, *, deflated: bool) -> None:
    blob = big_zip(2_000_000, entries=entries, deflated=deflated)
    content = read_all(blob)

    assert len(content) == blob.size
    assert 1_500_000 < len(content) <= 2_100_000
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        texts = [archive.read(name).decode() for name in archive.namelist()]
    assert len(texts) == entries
    rows = [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert len(rows) == blob.records


def test_a_big_zip_is_read_from_any_offset() -> None:
    blob = big_zip(5_000_000, entries=2)
    content = read_all(blob)

    for offset in (0, 1, 262_144, 2_500_000, len(content) - 1, len(content)):
        assert b"".join(blob.chunks(offset)) == content[offset:]


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("entries", [1, 3])
def test_ten_gib_are_made_of_a_few_blocks(entries: int, *, deflated: bool) -> None:
    tracemalloc.start()
    blob = big_zip(10 * GIB, entries=entries, deflated=deflated)
    with zipfile.ZipFile(Reader(blob)) as archive:
        infos = archive.infolist()
        with archive.open(infos[-1]) as file:
            start = file.read(12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert blob.size is not None
    assert abs(blob.size - 10 * GIB) < 10_000_000
    assert start == b"Description,"
    assert len(infos) == entries
    assert sum(info.compress_size for info in infos) > 9 * GIB
    assert peak < 32 * 2**20


def test_a_known_crc_is_that_of_the_contents() -> None:
    blob = big_zip(3_000_000)
    with zipfile.ZipFile(io.BytesIO(read_all(blob))) as archive:
        info = archive.infolist()[0]
        assert zlib.crc32(archive.read(info)) == info.CRC


def test_large_files_are_spooled_to_disk_and_small_ones_are_not() -> None:
    small, large = spool([b"a" * 100]), spool(bytes([number]) * 100_000 for number in range(50))

    assert isinstance(small, BytesBlob)
    assert isinstance(large, FileBlob)
    assert large.size == 5_000_000
    assert b"".join(large.chunks(4_899_999)) == bytes([48]) + bytes([49]) * 100_000


def test_a_stream_of_unknown_size_is_skipped_into() -> None:
    blob = StreamBlob(lambda: [b"abc", b"def", b"ghi"])

    assert blob.size is None
    assert b"".join(blob.chunks(4)) == b"efghi"


def test_a_large_log_is_served_with_little_memory() -> None:
    # Given a log of 30 MB
    with Vendors(polls=1, file=lambda _: big_zip(30_000_000)) as vendors:
        client = Client(vendors)
        url = client.url()
        digest = hashlib.sha256()
        tracemalloc.start()

        # When it is streamed
        with client.session.get(url, stream=True, timeout=30) as reply:
            for block in reply.iter_content(65536):
                digest.update(block)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    # Then server and client together stayed far below its size
    assert digest.hexdigest() == hashlib.sha256(read_all(big_zip(30_000_000))).hexdigest()
    assert peak < 16 * 2**20
