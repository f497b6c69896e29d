"""One deadline for a whole exchange: handshake, headers, the hints before them, and the body.

A socket's timeout bounds one read, and a vendor that trickles may be read for hours. requests and urllib3
have no timeout for all of them; here each read has what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

HINTS = range(102, 200)
"""Statuses that only announce the answer, RFC 9110, 15.2; `http.client` passes over 100 alone."""

LEAST_SECONDS = 0.001
"""A timeout of 0 would mean not to wait at all."""


@dataclass(frozen=True)
class Deadline:
    """The moment at which an exchange must be over."""

    at: float
    clock: Callable[[], float]

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError."""
        left = self.at - self.clock()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return max(left, LEAST_SECONDS)


class _TimedReader(RawIOBase):
    """What a reply is read from: each read of the socket has what is left of the exchange."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._deadline.left())
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """A reply that is read in time, and whose hints are passed over."""

    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp.close()
        self.fp = BufferedReader(_TimedReader(sock, deadline))

    def begin(self) -> None:
        super().begin()
        while self.status in HINTS:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


class TimedAdapter(HTTPAdapter):
    """Sends over connections that keep a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make pools of such connections."""
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = _pools(self._deadline)

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        """Make pools of such connections, through a proxy."""
        manager = super().proxy_manager_for(*args, **more)
        manager.pool_classes_by_scheme = _pools(self._deadline)
        return manager


def _pools(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def response_class(self, *args: Any, **more: Any) -> HTTPResponse:  # type: ignore[override]
            return _Response(deadline, *args, **more)

    class Secure(HTTPSConnection):
        def response_class(self, *args: Any, **more: Any) -> HTTPResponse:  # type: ignore[override]
            return _Response(deadline, *args, **more)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
