"""A file arrives byte for byte, or it is refused for what is wrong with its length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from logferry.download.stream import UrlExpired, open_stream
from logferry.errors import CorruptDownloadError, Throttled
from logferry.models.job import Download
from tests.integration.downloads import BODY, File, read

if TYPE_CHECKING:
    from tests.integration.downloads import Client
    from tests.integration.wire import Wire


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", [0, 1, 2, 8191, 8192, 16_385, 262_144, len(BODY)])
def test_a_file_arrives_byte_for_byte(client: Client, framing: str, size: int) -> None:
    client.server.answer = File(framing, body=BODY[:size])

    with client.open() as stream:
        assert stream.size == (size if framing == "length" else None)
        assert read(stream, most=300_000) == BODY[:size]
        assert stream.readinto(memoryview(bytearray(1))) == 0


def test_a_file_that_came_with_the_reply_reads_like_any_other(client: Client) -> None:
    download = Download(content=b'{"a": 1}')

    with open_stream(download, client.policy(), client.credentials, budget=client.budget()) as stream:
        assert stream.size == 8
        assert read(stream, most=3) == b'{"a": 1}'
    assert client.server.asked == []


@pytest.mark.parametrize(
    ("status", "header", "error"),
    [(429, "Retry-After: 7", Throttled), (503, "x-retry-after: 7", Throttled), (403, "X: 1", UrlExpired)],
)
def test_patience_and_expiry_are_obeyed_when_resuming_too(
    client: Client, status: int, header: str, error: type[Exception]
) -> None:
    file = File(cut=200_000)

    def answer(wire: Wire) -> None:
        wire.head(status, header, "Content-Length: 0") if wire.number else file(wire)

    client.server.answer = answer

    with client.open() as stream, pytest.raises(error):
        read(stream)


def test_a_file_that_goes_on_behind_its_length_is_corrupt(client: Client) -> None:
    def answer(wire: Wire) -> None:
        wire.head(200, "Content-Length: 1000")
        wire.send(b"x" * 1001)

    client.server.answer = answer

    with pytest.raises(CorruptDownloadError, match="behind its promised length"):
        client.fetch()


def test_a_length_beside_chunks_says_nothing(client: Client) -> None:
    def answer(wire: Wire) -> None:
        wire.head(200, "Content-Length: 3", "Transfer-Encoding: chunked")
        wire.send(b"5\r\n01234\r\n0\r\n\r\n")

    client.server.answer = answer

    assert client.fetch() == b"01234"


@pytest.mark.parametrize("length", ["5, 6", "-5", "5_0", "five", "0x5", ""])
def test_a_length_that_is_no_number_is_corrupt(client: Client, length: str) -> None:
    client.server.answer = lambda wire: wire.head(200, f"Content-Length: {length}")

    with pytest.raises(CorruptDownloadError):
        client.open()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_file_over_its_limit_is_refused_as_soon_as_that_is_known(client: Client, framing: str) -> None:
    client.server.answer = File(framing)

    assert client.fetch(limit=len(BODY)) == BODY
    with pytest.raises(CorruptDownloadError, match="larger than the 383999 bytes"):
        client.fetch(limit=len(BODY) - 1)
    assert len(client.server.asked) == 2


def test_a_file_promised_too_large_is_refused_before_its_first_byte(client: Client) -> None:
    client.server.answer = File()

    with pytest.raises(CorruptDownloadError, match="larger than the 1000 bytes"):
        client.open(limit=1000)


def test_a_part_that_nobody_asked_for_is_corrupt(client: Client) -> None:
    client.server.answer = lambda wire: wire.head(206, "Content-Range: bytes 0-4/10", "Content-Length: 5")

    with pytest.raises(CorruptDownloadError, match="answered 206"):
        client.open()
