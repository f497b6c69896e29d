"""The bytes of one file over as many connections as it takes: counted, resumed, never short."""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Self

from logferry.download.throughput import OutOfTimeError, TooSlowError
from logferry.errors import CorruptDownloadError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logferry.download.requester import Answer, Requester
    from logferry.download.throughput import ThroughputGuard

READ_BYTES = 256 * 1024
"""The most that one read takes: reads below 64 KiB cost up to twice the CPU, larger ones save nothing."""

PROGRESS_BYTES = 8 * 2**20
"""A connection that brought so much before it broke costs the budget no break."""

PAUSES = (0, 1, 2, 4, 8)
"""Seconds before each next try to get a broken transfer going again, as long as nothing comes."""

_STRONG = re.compile(r'"[\x21\x23-\x7e]*"')
"""A strong entity tag, RFC 9110, 8.8.3; a weak one begins with `W/`."""

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class Restart(Exception):  # noqa: N818 - no error: fetch begins the file again
    """The transfer broke and can only be begun again: open a new stream with the same budget."""


class Transfer:
    """A file that comes over HTTPS; `DownloadStream` says what it offers and raises."""

    def __init__(self, visitor: Requester, pace: ThroughputGuard, limit: int | None) -> None:
        self.size: int | None = None
        self.received = 0
        self.proven = False
        self._visitor, self._pace, self._limit = visitor, pace, limit
        self._budget = pace.budget
        self._began = self._budget.clock()
        self._answer: Answer | None = None
        self._left: int | None = None
        """What is to come of this answer's body; None where the body itself says when it ends."""
        self._since = (0, 0)
        """What had been given out, and read from sockets, when this answer began."""
        self._vain = 0
        """Tries in a row, of getting a broken transfer going again, that brought nothing."""
        self._validator: str | None = None
        self._done = False

    def open(self) -> Self:
        """Ask for the file."""
        try:
            with self._in_time():
                self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Close the connection, wherever the transfer stands."""
        if self._answer:
            self._answer.close()
            self._answer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def readinto(self, view: memoryview) -> int:
        """Fill `view` from its start and give the count; 0 at the true end only."""
        with self._in_time():
            while len(view) and not self._done:
                try:
                    count = self._read(view)
                except (OSError, HTTPException) as error:
                    count, broken = 0, type(error).__name__
                else:
                    broken = "it ended early" if not count and self._short() else ""
                if count:
                    return count
                self._done = not broken
                if broken:
                    self._mend(broken)
                else:
                    self.proven = self._told()
        return 0

    def _begin(self) -> None:
        """Ask for the whole file."""
        response = self._take(self._visitor.ask({}))
        if response.status != HTTPStatus.OK:
            raise CorruptDownloadError(f"the vendor answered {response.status} when asked for the whole file")
        self.size = self._left
        self._check_size()
        tag = (response.getheader("ETag") or "").strip()
        ranges = (response.getheader("Accept-Ranges") or "").strip().lower()
        self._validator = tag if _STRONG.fullmatch(tag) and ranges != "none" else None

    def _resume(self) -> None:
        """Ask for what is missing, of the very same file; raises Restart where that is not what comes."""
        if self._validator is None:
            raise Restart
        response = self._take(
            self._visitor.ask({"Range": f"bytes={self.received}-", "If-Range": self._validator})
        )
        told = (response.getheader("Content-Range") or "").strip()
        if (
            response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            and told == f"bytes */{self.received}"
        ):
            # If-Range held, and nothing is behind what we have: only the mark of the end was lost.
            self.size = self._size_if(self.received)
            self._done = True
            return
        part = _RANGE.fullmatch(told)
        same = (response.getheader("ETag") or self._validator).strip() == self._validator
        if response.status != HTTPStatus.PARTIAL_CONTENT or not part or not same:
            raise Restart
        first, last = int(part[1]), int(part[2])
        if first != self.received or self._left not in (None, last - first + 1):
            raise Restart
        if part[3] != "*":
            self.size = self._size_if(int(part[3]))
        self._check_size()

    def _size_if(self, total: int) -> int:
        """Return the file's size as it is told now; Restart where another one was promised."""
        if self.size not in (None, total):
            raise Restart
        return total

    def _take(self, answer: Answer) -> HTTPResponse:
        self.close()
        self._answer = answer
        self._left = _promised(answer.response)
        self._since = (self.received, self._pace.received)
        return answer.response

    def _read(self, view: memoryview) -> int:
        """Read once; 0 where the answer has ended."""
        if self._answer is None or self._left == 0:
            return 0
        response, most = self._answer.response, min(len(view), READ_BYTES)
        if self._left is not None:
            # The last byte is read alone: what is seen beside it is more than was promised.
            most = min(most, max(1, self._left - 1))
            if self._left == 1 and len(response.peek(2)) > 1:
                raise CorruptDownloadError("the file goes on behind its promised length")
        count = response.readinto(view[:most])
        self.received += count
        if self._left is not None:
            self._left -= count
        self._check_size()
        return count

    def _told(self) -> bool:
        """Check whether it was said where the file ends: by a length, by the last chunk, or by TLS."""
        if self.size is not None or self._answer is None:
            return True
        return self._answer.response.chunked or not self._answer.cut

    def _short(self) -> bool:
        return bool(self._left) or (self.size is not None and self.received < self.size)

    def _check_size(self) -> None:
        if self.size is not None and self.received > self.size:
            raise CorruptDownloadError(f"the file is longer than the {self.size} bytes that were promised")
        if self._limit is not None and max(self.size or 0, self.received) > self._limit:
            raise CorruptDownloadError(
                f"the file is larger than the {self._limit} bytes that this source may have; "
                "if it is right, raise the limit"
            )

    def _mend(self, why: str) -> None:
        """Get a broken transfer going again where it stopped; Restart where it must begin again."""
        self.close()
        brought = self.received - self._since[0]
        self._vain = 0 if brought else self._vain
        free = brought >= PROGRESS_BYTES
        while free or self._budget.spend_break():
            self._pause()
            free = False
            try:
                self._resume() if self.received else self._begin()
            except SourceUnavailableError as error:
                why = str(error)
            except Restart:
                self.close()
                if self._budget.spend_restart():
                    raise
                break
            else:
                return
        raise SourceUnavailableError(f"the transfer broke too often ({why}): {self._progress()}")

    def _pause(self) -> None:
        self._pace.patience(self._budget.clock())
        pause = PAUSES[min(self._vain, len(PAUSES) - 1)]
        self._vain += 1
        if pause:
            self._budget.sleep(min(pause, self._budget.remaining()))

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        try:
            yield
        except OutOfTimeError:
            raise SourceUnavailableError(
                f"the download stopped before the function's time was over: {self._progress()}; "
                "Logferry begins again; if that is the vendor's speed, ask for a shorter window"
            ) from None
        except TooSlowError:
            floor, window = self._budget.floor, self._budget.window
            raise SourceUnavailableError(
                f"fewer than {floor:.0f} bytes/s came for {window:.0f} s: {self._progress()}"
            ) from None

    def _progress(self) -> str:
        """Return how far and how fast: with what a read that did not finish had brought."""
        given, read = self._since
        far = max(self.received, given + self._pace.received - read)
        seconds = self._budget.clock() - self._began
        of = f" of {self.size}" if self.size is not None else ""
        return f"{far}{of} bytes in {seconds:.0f} s, {far / max(seconds, 0.001):.0f} bytes/s"


def _promised(response: HTTPResponse) -> int | None:
    """Return the length of a body that has a Content-Length."""
    text = response.getheader("Content-Length")
    if text is None or response.getheader("Transfer-Encoding"):
        return None
    lengths = {length.strip() for length in text.split(",")}
    length = lengths.pop()
    if lengths or not re.fullmatch("[0-9]{1,18}", length):
        raise CorruptDownloadError("the vendor's Content-Length is no number of bytes")
    return int(length)
