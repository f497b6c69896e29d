"""What the tests of downloads share: a connection that downloads from the wire, and what it gets."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logferry.download.stream import TimeBudget, open_stream
from logferry.models.job import Download
from logferry.vendor.egress import HostPolicy
from tests.integration.wire import NAMES, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from logferry.download.stream import DownloadStream
    from tests.integration.wire import Wire

BODY = bytes(range(256)) * 1500  # 384,000 bytes: more than one read, more than one TLS record


@dataclass
class File:
    """Serves BODY, and breaks off where it is told to, the first `times`."""

    framing: str = "length"
    tag: str | None = '"v1"'
    cut: int | None = None
    reset: bool = False
    times: int = 1
    ranges: bool = True
    body: bytes = BODY
    asked: list[int] = field(default_factory=list)

    def __call__(self, wire: Wire) -> None:
        headers = [f"ETag: {self.tag}"] if self.tag else []
        wanted = re.fullmatch(r"bytes=(\d+)-", wire.headers.get("range", ""))
        whole = not (wanted and self.ranges and wire.headers.get("if-range") == self.tag)
        start = 0 if whole or not wanted else int(wanted[1])
        self.asked.append(start)
        if start >= len(self.body) > 0:
            wire.head(416, f"Content-Range: bytes */{len(self.body)}", "Content-Length: 0")
            return
        if not whole:
            headers.append(f"Content-Range: bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        if self.framing == "length":
            headers.append(f"Content-Length: {len(self.body) - start}")
        elif self.framing == "chunked":
            headers.append("Transfer-Encoding: chunked")
        cut = self.cut if wire.number < self.times else None
        wire.head(200 if whole else 206, *headers)
        self.send(wire, self.body[start : cut if cut is None else max(cut, start)], finished=cut is None)
        if cut is not None and self.reset:
            wire.reset()

    def send(self, wire: Wire, part: bytes, *, finished: bool) -> None:
        if self.framing != "chunked":
            wire.send(part)
            return
        for at in range(0, len(part), 100_000):
            piece = part[at : at + 100_000]
            wire.send(b"%x;name=value\r\n" % len(piece), piece, b"\r\n")
        if finished:
            wire.send(b"0\r\nTrailer: 1\r\n\r\n")


class Clock:
    """Advances by `tick` whenever it is looked at: each read seems to wait for that long."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick
        self.ticks = threading.Semaphore(0)
        self.blink: float | None = None
        """What it shows once, before it goes on as if nothing had been."""

    def __call__(self) -> float:
        if self.blink:
            shown, self.blink = self.blink, None
            return shown
        self.now += self.tick
        self.ticks.release()
        return self.now

    def trickle(self, wire: Wire) -> None:
        """Send 50 bytes each time that the clock is looked at."""
        wire.head(200, "Content-Length: 1000000")
        with contextlib.suppress(OSError):
            while self.ticks.acquire(timeout=20):
                wire.send(b"x" * 50)


def resolver(host: str, port: int, **_: Any) -> list[Any]:
    """Answer as `socket.getaddrinfo` would if every name of the tests were loopback."""
    assert host in NAMES
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@dataclass
class Client:
    """A connection whose exact download hosts are the server's names; `home` is the host of its base_url."""

    server: Server
    home: str = "api.vendor.test"
    token: str = "SECRET-TOKEN"
    renewals: list[bool] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)

    def credentials(self, *, renew: bool) -> Mapping[str, str]:
        """Count how often credentials are asked for."""
        self.renewals.append(renew)
        return {"Authorization": f"Bearer {'SECRET-FRESH' if renew else self.token}"}

    def budget(self, **options: Any) -> TimeBudget:
        """Give a budget that never sleeps."""
        return TimeBudget(**{"seconds": 900, "sleep": self.naps.append, **options})

    def policy(self, *entries: str) -> HostPolicy:
        """Give the policy; `entries` instead of the server's names."""
        port = self.server.port
        entries = entries or tuple(f"{name}:{port}" for name in NAMES)
        return HostPolicy(entries, f"https://{self.home}:{port}")

    def open(
        self, url: str | None = None, policy: HostPolicy | None = None, **options: Any
    ) -> DownloadStream:
        """Open a download from the server."""
        headers = {"SESSIONID": "SECRET-SESSION"}
        download = Download(url=url or self.server.url(), headers=headers)
        options = {"budget": self.budget(), "resolver": resolver, **options}
        return open_stream(download, policy or self.policy(), self.credentials, **options)

    def fetch(self, url: str | None = None, **options: Any) -> bytes:
        """Read a download to its end."""
        with self.open(url, **options) as stream:
            return read(stream)


def read(stream: DownloadStream, most: int = 1 << 20) -> bytes:
    """Read a stream to its end by buffers of `most` bytes."""
    buffer, body, before = bytearray(most), b"", stream.received
    while count := stream.readinto(memoryview(buffer)):
        body += buffer[:count]
    assert stream.received - before == len(body)
    return body


@contextlib.contextmanager
def connected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run a server and give a client that trusts it, with no proxy around."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Server(folder) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        yield Client(server)


def say(status: int, *headers: str, body: bytes = b"") -> Callable[[Wire], None]:
    """Make an answer with a length."""

    def answer(wire: Wire) -> None:
        wire.head(status, *headers, f"Content-Length: {len(body)}")
        wire.send(body)

    return answer


def assert_silent(error: BaseException) -> None:
    """Assert that the traceback, as Lambda prints it, says nothing secret besides our own source lines."""
    shown = "".join(traceback.format_exception(error))
    said = "\n".join(line for line in shown.splitlines() if not line.startswith("    "))
    assert "SECRET" not in said
    assert "sig=" not in said
