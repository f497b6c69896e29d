"""A download stops by itself: too slow, silent, or when the function's time is nearly over."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import TYPE_CHECKING

import pytest

from logferry.download.tls import PacedSocket
from logferry.errors import SourceUnavailableError
from logferry.vendor.transport import CONNECT_SECONDS
from tests.integration.downloads import Clock, assert_silent, read, say

if TYPE_CHECKING:
    from tests.integration.downloads import Client
    from tests.integration.wire import Wire


def test_a_trickle_fails_and_says_how_far_and_how_fast_it_got(client: Client) -> None:
    clock = Clock(1.0)
    client.server.answer = clock.trickle
    budget = client.budget(clock=clock, floor=4096, window=60)

    with client.open(budget=budget) as stream, pytest.raises(SourceUnavailableError) as error:
        read(stream)

    assert re.match(
        r"fewer than 4096 bytes/s came for 60 s: [1-9]\d{3} of 1000000 bytes in 1\d\d s, \d\d bytes/s",
        str(error.value),
    )
    assert_silent(error.value)
    assert len(client.server.asked) == 1


def test_it_stops_before_the_function_does_and_says_how_far_and_how_fast_it_got(client: Client) -> None:
    clock = Clock(1.0)
    client.server.answer = clock.trickle
    budget = client.budget(clock=clock, floor=0, seconds=300, margin=30)

    with client.open(budget=budget) as stream, pytest.raises(SourceUnavailableError) as error:
        read(stream)

    assert re.match(
        r"the download stopped before the function's time was over: "
        r"[1-9]\d{3,4} of 1000000 bytes in 2\d\d s, \d\d bytes/s; ",
        str(error.value),
    )
    assert 270 <= clock.now < 300
    assert_silent(error.value)


def test_time_that_is_over_opens_nothing(client: Client) -> None:
    with pytest.raises(SourceUnavailableError, match="stopped before the function's time was over"):
        client.open(budget=client.budget(seconds=10, margin=30))
    assert client.server.asked == []


def test_time_that_the_upload_took_ends_the_download_at_the_next_read(client: Client) -> None:
    client.server.answer = say(200, body=b"x" * 1_000_000)
    clock = Clock(0.0)

    with client.open(budget=client.budget(clock=clock)) as stream:
        assert stream.readinto(memoryview(bytearray(100_000))) == 100_000
        clock.now = 871
        with pytest.raises(SourceUnavailableError, match="of 1000000 bytes in 871 s"):
            stream.readinto(memoryview(bytearray(1_000_000)))


def test_a_connection_that_falls_silent_is_given_up_and_resumed(client: Client) -> None:
    def answer(wire: Wire) -> None:
        if wire.number:
            wire.head(206, "Content-Range: bytes 4-9/10", "Content-Length: 6")
            wire.send(b"456789")
        else:
            wire.head(200, "Content-Length: 10", 'ETag: "v1"')
            wire.send(b"0123")
            wire.hang()

    client.server.answer = answer

    clock = Clock(0.0)
    with client.open(budget=client.budget(clock=clock)) as stream:
        assert stream.readinto(memoryview(bytearray(4))) == 4
        clock.blink = 869.95  # leaves 50 ms to the one read that waits in vain
        assert read(stream) == b"456789"


def test_a_silence_is_borne_as_long_as_idle_says(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a connection, which must be made faster than that
    told: list[float | None] = []

    def note(sock: PacedSocket, seconds: float | None) -> None:
        told.append(seconds)
        socket.socket.settimeout(sock, seconds)

    monkeypatch.setattr(PacedSocket, "settimeout", note, raising=False)
    client.server.answer = say(200, body=b"file")

    # When the file is asked for
    assert client.fetch(idle=60) == b"file"

    # Then the kernel is told to wait 10 s at most while it connects, and 60 s for the answer
    assert max(seconds for seconds in told[:-1] if seconds) <= CONNECT_SECONDS
    assert told[-1] == 60


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
def test_headers_that_never_end_are_cut_off(client: Client, status: bytes) -> None:
    clock = Clock(1.0)

    def answer(wire: Wire) -> None:
        with contextlib.suppress(OSError):
            while clock.ticks.acquire(timeout=20):
                wire.send(b"HTTP/1.1 " + status + b"\r\n\r\n")

    client.server.answer = answer

    with pytest.raises(SourceUnavailableError, match="stopped before"):
        client.open(budget=client.budget(clock=clock, floor=0))
