"""An HTTPS server with its hands on the socket: keep-alive, 256 KiB writes, and cuts at any byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from tests.sandbox.vendor.messages import Received

if TYPE_CHECKING:
    from collections.abc import Callable

HANDSHAKE_SECONDS = 30
MAX_BODY = 16 * 1024 * 1024


class Connection(BaseHTTPRequestHandler):
    """One client's connection: reads requests, hands them to the server's `serve`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 64 * 1024
    server: HttpsServer

    def setup(self) -> None:
        """Shake hands here and not in the accepting thread: a slow client must not hold up the others."""
        raw = cast("socket.socket", self.request)
        raw.settimeout(HANDSHAKE_SECONDS)
        self.request = self.server.context.wrap_socket(raw, server_side=True)
        self.request.settimeout(None)
        self.server.swap(raw, self.request)
        super().setup()

    def handle(self) -> None:
        """Serve until the client or a fault ends the connection."""
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            super().handle()

    def finish(self) -> None:
        """Forget the connection."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Serve every method alike; the router knows which exist."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        received = Received(
            origin=self.server.origin,
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
            time=time.time(),
            arrived=time.monotonic(),
        )
        self.server.serve(received, self)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY))

    def write(self, data: bytes | memoryview) -> None:
        """Send all of `data` now."""
        self.connection.sendall(data)

    def end(self, *, reset: bool = False) -> None:
        """End the connection now: a TCP RST, or an orderly close as a server does after its last byte."""
        self.close_connection = True
        tls = cast("ssl.SSLSocket", self.connection)
        if not reset:
            tls.settimeout(0)
            with contextlib.suppress(OSError, ValueError):
                tls.unwrap()  # sends close_notify; the client's own is not waited for
        with contextlib.suppress(OSError, ValueError):
            bare = socket.socket(fileno=tls.detach())
            if reset:
                bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            bare.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing; requests are recorded."""


class HttpsServer(ThreadingHTTPServer):
    """One origin on loopback; a thread for each connection, all gone after `close`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        origin: str,
        context: ssl.SSLContext,
        serve: Callable[[Received, Connection], None],
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.origin = origin
        self.context = context
        self.serve = serve
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True, name=f"vendor-{origin}"
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The origin as clients write it."""
        return f"https://127.0.0.1:{self.port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        """Keep account of open connections."""
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def swap(self, raw: socket.socket, tls: socket.socket) -> None:
        """Know the connection by its TLS socket from now on."""
        with self._lock:
            self._open.discard(raw)
            self._open.add(tls)

    def shutdown_request(self, request: Any) -> None:
        """Close one connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up or mistrusts the certificate is part of the play."""

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self.shutdown()
        self.server_close()
        self.cut()
        self._thread.join(timeout=2)

    def cut(self) -> None:
        """Cut every open connection."""
        with self._lock:
            left = list(self._open)
            self._open.clear()
        for connection in left:
            with contextlib.suppress(OSError, ValueError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
