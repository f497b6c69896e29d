"""A TLS server that says byte for byte what a test tells it to, and a proxy before it."""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import ssl
import struct
import termios
import threading
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("api.vendor.test", "files.vendor.test", "other.vendor.test", "127.0.0.1")
"""What its certificate is good for."""


@dataclass
class Wire:
    """One connection: the request that came, and the way back."""

    sock: ssl.SSLSocket
    target: str
    headers: dict[str, str]
    number: int
    """Which request to the server it is, from 0."""

    def send(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(b"".join(parts))

    def head(self, status: int = 200, *headers: str) -> None:
        """Send a status line and headers."""
        self.send("\r\n".join([f"HTTP/1.1 {status} Said So", *headers, "", ""]).encode())

    def reset(self) -> None:
        """Break the connection off with a TCP reset, once the client's side has everything that was sent."""
        unsent = array("i", [1])
        while unsent[0]:
            fcntl.ioctl(self.sock, termios.TIOCOUTQ, unsent)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hang(self) -> None:
        """Say no more, until the client goes."""
        with contextlib.suppress(OSError):
            self.sock.recv(1)


@dataclass
class Server:
    """Serves on a port of its own; `answer` is called for each connection, in a thread of its own."""

    folder: Path
    answer: Callable[[Wire], None] = lambda wire: wire.head(404)
    asked: list[Wire] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        self.ca_file = self.folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*NAMES).configure_cert(self.tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def url(self, path: str = "/file?sig=SECRET-SIGNATURE", host: str = "files.vendor.test") -> str:
        """Give a URL of this server."""
        return f"https://{host}:{self.port}{path}"

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(20)
        with contextlib.suppress(OSError), self.tls.wrap_socket(raw, server_side=True) as sock:
            text = b""
            while b"\r\n\r\n" not in text:
                text += sock.recv(65536)
            lines = text.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            wire = Wire(sock, lines[0].split(" ")[1], headers, len(self.asked))
            self.asked.append(wire)
            self.answer(wire)


class Proxy:
    """An HTTP proxy that tunnels every CONNECT to one port of loopback, whatever name was asked for.

    Over TLS itself where `tls` is given. `meddle` sees what comes from the server, and gives what is passed
    on; where that is less, the client is cut off after it.
    """

    def __init__(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        meddle: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        self.port = port
        self.asked: list[str] = []
        self._tls, self._meddle = tls, meddle
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://user:PROXY-SECRET@127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            client = stack.enter_context(
                self._tls.wrap_socket(client, server_side=True) if self._tls else client
            )
            text = b""
            while b"\r\n\r\n" not in text:
                text += client.recv(65536)
            self.asked.append(text.decode("latin-1"))
            server = stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65536)
                    passed = self._meddle(data) if end is server else data
                    (client if end is server else server).sendall(passed)
                    if not data or len(passed) < len(data):
                        return
