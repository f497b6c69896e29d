"""A download's TLS: read in bulk, and no byte given out that the server did not send."""

from __future__ import annotations

import contextlib
import gc
import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from logferry.download.throughput import ThroughputGuard, TimeBudget
from logferry.download.tls import Transport
from logferry.errors import SourceUnavailableError
from tests.integration.downloads import BODY, Clock, File, assert_silent, read
from tests.integration.wire import Proxy

if TYPE_CHECKING:
    from tests.integration.downloads import Client
    from tests.integration.wire import Wire


class Meddler:
    """Meddles once, with the byte at an offset of what comes from the server: a bit is turned, or it ends."""

    def __init__(self, offset: int, *, turn: bool) -> None:
        self.left, self.turn = offset, turn

    def __call__(self, data: bytes) -> bytes:
        at, self.left = self.left, self.left - len(data)
        if at >= len(data) or at < 0:
            return data
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if self.turn else data[:at]


@pytest.mark.parametrize(
    ("framing", "turn"),
    [("length", True), ("length", False), ("chunked", True), ("chunked", False), ("close", True)],
)
@pytest.mark.parametrize("offset", [5000, 16_384, 50_000, 200_000, 300_001])
@pytest.mark.parametrize("most", [8192, 1 << 20])  # half a record, all that came
def test_what_is_tampered_with_or_cut_on_its_way_is_asked_for_again(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    framing: str,
    turn: bool,  # noqa: FBT001 - a table
    offset: int,
    most: int,
) -> None:
    # Given a way on which one byte turns, or the connection ends, within a TLS record
    file = client.server.answer = File(framing)
    with Proxy(client.server.port, meddle=Meddler(offset, turn=turn)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        # When the file is read, then it is whole
        with client.open() as stream:
            assert read(stream, most) == BODY

    # And what came before was kept
    assert len(file.asked) == 2
    assert 0 <= offset - file.asked[1] < 300_000


@pytest.mark.parametrize("offset", [0, 3, 700])
@pytest.mark.parametrize("turn", [True, False])
def test_a_broken_handshake_is_no_connection(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    offset: int,
    turn: bool,  # noqa: FBT001 - a table
) -> None:
    with Proxy(client.server.port, meddle=Meddler(offset, turn=turn)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)

        with pytest.raises(SourceUnavailableError, match="no connection to files") as error:
            client.open()
    assert_silent(error.value)
    assert client.server.asked == []


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_proxy_over_tls_is_verified_and_so_is_the_host_behind_it(
    client: Client, monkeypatch: pytest.MonkeyPatch, framing: str
) -> None:
    client.server.answer = File(framing)

    with Proxy(client.server.port, tls=client.server.tls) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert client.fetch() == BODY
        assert proxy.asked[0].startswith(f"CONNECT files.vendor.test:{client.server.port} ")

        # A proxy whose certificate is for another name
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("127.0.0.1", "localhost"))
        with pytest.raises(SourceUnavailableError, match="no connection"):
            client.open()

        # A host, behind a good proxy, whose certificate is for another name
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        port = client.server.port
        with pytest.raises(SourceUnavailableError, match="certificate is not accepted"):
            client.open(f"https://stranger.test:{port}/", client.policy(f"stranger.test:{port}"))
    assert len(client.server.asked) == 1


def test_what_tls_itself_asks_is_answered_while_the_file_is_waited_for(client: Client) -> None:
    # Given a server that asks for a certificate in the midst of the file, and waits for the answer
    client.server.tls.post_handshake_auth = True
    client.server.tls.verify_mode = ssl.CERT_OPTIONAL
    answered = []

    def answer(wire: Wire) -> None:
        wire.head(200, "Content-Length: 4")
        wire.sock.verify_client_post_handshake()
        wire.send(b"12")
        answered.extend(select.select([wire.sock], [], [], 20)[0])
        wire.send(b"34")

    client.server.answer = answer

    # When the file is read, then the answer (we have no certificate) has gone out
    assert client.fetch() == b"1234"
    assert answered


def test_an_early_end_of_the_connection_alone_ends_a_body_without_length(client: Client) -> None:
    # Given a server that closes TCP, and says nothing of it in TLS
    def answer(wire: Wire) -> None:
        wire.head(200)
        wire.send(BODY)
        wire.sock.shutdown(socket.SHUT_WR)

    client.server.answer = answer

    with client.open() as stream:
        assert read(stream) == BODY
        assert stream.readinto(memoryview(bytearray(1))) == 0

    # Then the file itself must tell whether that was all
    assert not stream.proven


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_end_that_was_told_is_the_end(client: Client, framing: str) -> None:
    # Given a server that ends TLS as it should
    file = File(framing)

    def answer(wire: Wire) -> None:
        file(wire)
        wire.sock.unwrap()

    client.server.answer = answer

    with client.open() as stream:
        assert not stream.proven
        assert read(stream) == BODY
    assert stream.proven


def test_a_handshake_that_trickles_is_given_up(client: Client) -> None:
    # Given a host that sends its handshake byte by byte
    clock = Clock(1.0)

    def host(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"\x16\x03\x03\x40\x00")
                while clock.ticks.acquire(timeout=20):
                    sock.sendall(b"\x02")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=host, args=(listener,), daemon=True).start()
        there = f"files.vendor.test:{listener.getsockname()[1]}"
        budget = client.budget(clock=clock)

        # When it is asked for the file, then that ends after the 10 s that all of a connection may take
        with pytest.raises(SourceUnavailableError, match=r"no connection to .* \(timed out\)"):
            client.open(f"https://{there}/", client.policy(there), budget=budget)
    assert clock.now < 20


def test_a_read_brings_all_that_has_come(client: Client) -> None:
    # Given a file whose records are small
    clock = Clock(0.0)

    def answer(wire: Wire) -> None:
        wire.head(200, f"Content-Length: {len(BODY)}")
        for at in range(0, len(BODY), 1000):
            wire.send(BODY[at : at + 1000])

    client.server.answer = answer

    # When it is read
    assert client.fetch(budget=client.budget(clock=clock)) == BODY

    # Then the network was asked (the clock is looked at twice each time) less often than there are records
    looks = 0
    while clock.ticks.acquire(blocking=False):
        looks += 1
    assert looks / 2 < len(BODY) / 1000


def test_a_way_without_a_name_to_verify_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        with sock, pytest.raises(ValueError, match="name of the server"):
            Transport(sock, ssl.create_default_context(), "", ThroughputGuard(TimeBudget(900), 60))


def test_nothing_of_a_download_outlives_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a download that breaks after a record that was good
    client.server.answer = File("length")
    gc.collect()
    gc.disable()
    try:
        with Proxy(client.server.port, meddle=Meddler(200_000, turn=True)) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            assert client.fetch() == BODY

        # When it is done, then its connections, and the CA certificates with them, are gone at once
        assert not [thing for thing in gc.get_objects() if isinstance(thing, Transport)]
    finally:
        gc.enable()
