"""A file on its way from a vendor, as a stream of bytes that fetch reads."""

from __future__ import annotations

import socket
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, Self

from logferry.download.requester import Credentials, Requester, UrlExpired
from logferry.download.route import Route
from logferry.download.throughput import ThroughputGuard, TimeBudget
from logferry.download.transfer import Restart, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logferry.models.job import Download
    from logferry.vendor.egress import HostPolicy

__all__ = ["Credentials", "DownloadStream", "Restart", "TimeBudget", "UrlExpired", "open_stream"]

IDLE_SECONDS = 60.0
"""A connection that brings nothing for so long is broken; load balancers give up after about as much."""


class DownloadStream(Protocol):
    """A file being read. `size`: bytes promised, None where none were; `received`: bytes given out.

    `proven`: whether the end that was reached is known to be the file's; else only the file itself can tell.
    """

    size: int | None
    received: int
    proven: bool

    def readinto(self, view: memoryview) -> int:
        """Fill `view` from its start and give the count, which may be less than fits; 0 at the true end only.

        What lies behind the count is scratch.
        """

    def __enter__(self) -> Self:
        """Return the stream; leaving the block closes it."""

    def __exit__(self, *_: object) -> None: ...


def open_stream(
    download: Download,
    policy: HostPolicy,
    credentials: Credentials,
    *,
    budget: TimeBudget,
    limit: int | None = None,
    idle: float = IDLE_SECONDS,
    resolver: Callable[..., Sequence[Any]] = socket.getaddrinfo,
    now: Callable[[], float] = time.time,
) -> DownloadStream:
    """Open a download; `limit` is the most bytes that it may have.

    Here and in every `readinto`: DownloadRefusedError, SourceUnavailableError (no connection, 5xx, a transfer
    that stays broken, too slow or out of time), CorruptDownloadError (encoded, longer than promised or than
    the limit), AuthenticationError, InvalidRequestError, ConnectionConfigError (a CA bundle or proxy that
    cannot be used), Throttled, UrlExpired; in `readinto` also Restart.
    """
    if download.content is not None:
        return _Content(download.content)
    pace = ThroughputGuard(budget, idle)
    visitor = Requester(download, policy, Route(policy, pace, resolver), credentials, now)
    return Transfer(visitor, pace, limit).open()


class _Content:
    """A file that came with the vendor's reply."""

    def __init__(self, content: bytes) -> None:
        self.size: int | None = len(content)
        self.received = 0
        self.proven = True
        self._file = BytesIO(content)

    def readinto(self, view: memoryview) -> int:
        count = self._file.readinto(view)
        self.received += count
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
