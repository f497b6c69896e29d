"""The entries of a landed archive, pulled one after the other while the archive streams past its checks."""

from __future__ import annotations

import threading
from queue import Full, Queue
from typing import TYPE_CHECKING, Final

from logferry.verify.findings import ArchiveLimits
from logferry.verify.reader import Reader
from logferry.verify.zip_archive import ZipWalk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AHEAD: Final = 16
"""Blocks inflated ahead of who reads them, of 256 KiB each."""
LOOK_SECONDS: Final = 0.5


class _Abandoned(Exception):  # noqa: N818 - no failure: nobody reads on
    pass


class _Walk(threading.Thread):
    """Walks the archive beside its reader: inflating frees the interpreter, and verifies as it goes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__(daemon=True)
        self._chunks = chunks
        self._found: Queue[str | bytes | BaseException | None] = Queue(AHEAD)
        self.abandoned = threading.Event()

    def run(self) -> None:
        """Put names, blocks, and in the end None, or what went wrong."""
        try:
            ZipWalk(Reader(self._chunks), ArchiveLimits(), self._begin).entries()
            self._put(None)
        except _Abandoned:
            return
        except BaseException as error:  # noqa: BLE001 - raised again where the entries are read
            self._put(error)

    def events(self) -> Iterator[str | bytes]:
        """Yield each entry's name and its blocks."""
        while (event := self._found.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event

    def feed(self, block: bytes) -> None:
        """Take the next block of an entry, as a counter of records does."""
        self._put(bytes(block))

    def total(self) -> None:
        """Count nothing."""

    def _begin(self, name: str) -> _Walk:
        self._put(name)
        return self

    def _put(self, event: str | bytes | BaseException | None) -> None:
        while not self.abandoned.is_set():
            try:
                self._found.put(event, timeout=LOOK_SECONDS)
            except Full:
                continue
            return
        raise _Abandoned


def entries(chunks: Iterable[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name of each entry and its content in blocks, in the archive's order.

    An entry's CRC is known to be right only when the next one, or the end, has come. Raises
    CorruptDownloadError, and what `chunks` raises, which another thread iterates over.
    """
    walk = _Walk(chunks)
    events = walk.events()
    names: list[str] = []

    def blocks() -> Iterator[bytes]:
        for event in events:
            if isinstance(event, str):
                names.append(event)
                return
            yield event

    walk.start()
    try:
        for _ in blocks():
            pass
        while names:
            content = blocks()
            yield names.pop(), content
            for _ in content:
                pass
    finally:
        walk.abandoned.set()
        walk.join()
