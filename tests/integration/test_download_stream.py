"""Every byte arrives, over however many connections, or the transfer fails: short never looks whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from logferry.download import Restart, UrlExpired, open_stream
from logferry.errors import CorruptDownloadError, SourceUnavailableError, Throttled
from logferry.job import Download
from tests.integration.wire import Client, Server, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.wire import Wire

BODY = bytes(range(256)) * 1500  # 384,000 bytes: more than one read, more than one TLS record
CUTS = (0, 1, len(BODY) // 2, len(BODY) - 1)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with Server(tmp_path) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        yield Client(server)


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


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_broken_transfer_resumes_where_it_stopped(
    client: Client,
    framing: str,
    cut: int,
    reset: bool,  # noqa: FBT001 - a table
) -> None:
    # Given a file with a strong validator, whose first transfer breaks off
    file = client.server.answer = File(framing, cut=cut, reset=reset)

    # When it is read to its end
    body = client.fetch()

    # Then it is whole, and no more was asked for again than one read
    assert body == BODY
    assert len(file.asked) == 2
    assert max(0, cut - 262_144) <= file.asked[1] <= cut


def test_it_resumes_as_often_as_each_connection_brings_something(client: Client) -> None:
    file = client.server.answer = File(body=b"")
    file.body = BODY

    def answer(wire: Wire) -> None:
        file.cut, file.times = (wire.number + 1) * 100_000, 99
        file(wire)

    client.server.answer = answer

    assert client.fetch() == BODY
    assert len(file.asked) == 4
    assert all(first < then for first, then in pairwise(file.asked))


def test_a_file_whose_end_marker_alone_was_lost_is_whole(client: Client) -> None:
    file = client.server.answer = File("chunked", cut=len(BODY))

    assert client.fetch() == BODY
    assert len(file.asked) == 2


def test_a_reset_body_without_length_resumes_and_learns_its_length(client: Client) -> None:
    # Given a body that ends by closing the connection, and is reset instead
    file = client.server.answer = File("close", cut=300_000, reset=True)

    # When it resumes with a length this time
    with client.open() as stream:
        file.framing = "length"
        body = read(stream)

    # Then the length is known and kept
    assert body == BODY
    assert stream.size == len(BODY)


@pytest.mark.parametrize(
    ("tag", "ranges"), [(None, True), ('W/"v1"', True), ("v1", True), ('"v1"', False), ('"', True)]
)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_without_a_strong_validator_or_ranges_it_begins_again(
    client: Client,
    framing: str,
    tag: str | None,
    ranges: bool,  # noqa: FBT001 - a table
) -> None:
    # Given a transfer that breaks after something was given out
    file = client.server.answer = File(framing, tag, cut=300_000, ranges=ranges)
    budget = client.budget()

    # When it cannot be resumed
    with client.open(budget=budget) as stream, pytest.raises(Restart):
        read(stream)

    # Then a range is asked for only where the validator is strong, and the next stream brings the whole file
    assert [bool(wire.headers.get("range")) for wire in client.server.asked[1:]] == [True] * (not ranges)
    file.times = 0
    assert client.fetch(budget=budget) == BODY


def test_a_server_that_says_it_has_no_ranges_is_not_asked_for_one(client: Client) -> None:
    def answer(wire: Wire) -> None:
        wire.head(200, "Content-Length: 9", 'ETag: "v1"', "Accept-Ranges: none")
        wire.send(b"12345678")

    client.server.answer = answer

    with client.open() as stream, pytest.raises(Restart):
        read(stream, most=4)
    assert len(client.server.asked) == 1


def test_what_broke_before_its_first_byte_begins_again_by_itself(client: Client) -> None:
    client.server.answer = File(tag=None, cut=0, times=3)

    assert client.fetch() == BODY
    assert client.naps == [1, 2]


@pytest.mark.parametrize(
    "answer",
    [
        ("206", "Content-Range: bytes 3-9/10", "Content-Length: 7"),
        ("206", "Content-Range: bytes 5-9/10", "Content-Length: 5"),
        ("206", "Content-Range: bytes 4-9/11", "Content-Length: 6"),
        ("206", "Content-Range: bytes 4-9/10", "Content-Length: 7"),
        ("206", "Content-Range: bytes 4-9/10", "Content-Length: 6", 'ETag: "v2"'),
        ("206", "Content-Range: bytes 4-9/10", "Content-Length: 6", 'ETag: W/"v1"'),
        ("206", "Content-Type: multipart/byteranges; boundary=x", "Content-Length: 6"),
        ("206", "Content-Range: rows 4-9/10", "Content-Length: 6"),
        ("200", "Content-Length: 10", 'ETag: "v1"'),
        ("200", "Content-Length: 10", 'ETag: "v2"'),
        ("416", "Content-Range: bytes */10", "Content-Length: 0"),
        ("416", "Content-Range: bytes */4", "Content-Length: 0"),
        ("416", "Content-Length: 0"),
    ],
)
def test_anything_but_the_missing_part_of_the_same_file_begins_it_again(
    client: Client, answer: tuple[str, ...]
) -> None:
    def say(wire: Wire) -> None:
        if wire.number:
            wire.head(int(answer[0]), *answer[1:])
            wire.send(b"x" * 10)
        else:
            wire.head(200, "Content-Length: 10", 'ETag: "v1"')
            wire.send(b"0123")

    client.server.answer = say

    with client.open() as stream, pytest.raises(Restart):
        read(stream)
    assert stream.received == 4
    assert client.server.asked[1].headers["range"] == "bytes=4-"
    assert client.server.asked[1].headers["if-range"] == '"v1"'


def test_a_part_shorter_than_asked_is_followed_by_the_next(client: Client) -> None:
    def answer(wire: Wire) -> None:
        start = int(wire.headers.get("range", "bytes=0-")[6:-1])
        if wire.number:
            wire.head(206, f"Content-Range: bytes {start}-{start + 1}/10", "Content-Length: 2")
            wire.send(b"0123456789"[start : start + 2])
        else:
            wire.head(200, "Content-Length: 10", 'ETag: "v1"')
            wire.send(b"0123")

    client.server.answer = answer

    assert client.fetch() == b"0123456789"


def test_restarts_are_counted_over_all_streams_of_a_budget(client: Client) -> None:
    client.server.answer = File(tag=None, cut=300_000, times=99)
    budget = client.budget(restarts=2)

    for _ in range(2):
        with client.open(budget=budget) as stream, pytest.raises(Restart):
            read(stream)
    with (
        client.open(budget=budget) as stream,
        pytest.raises(SourceUnavailableError, match="300000 of 384000"),
    ):
        read(stream)


@pytest.mark.parametrize("cut", [0, 300_000])
def test_a_transfer_that_gets_no_further_fails_and_says_how_far_it_got(client: Client, cut: int) -> None:
    file = client.server.answer = File(cut=cut, times=99)

    with client.open() as stream, pytest.raises(SourceUnavailableError, match=f"{cut} of 384000 bytes in"):
        read(stream)
    assert len(file.asked) == 6
    assert client.naps == [1, 2, 4, 8]


def test_a_vendor_that_is_down_for_a_moment_is_asked_again(client: Client) -> None:
    file = File(cut=200_000)

    def answer(wire: Wire) -> None:
        wire.head(503, "Content-Length: 0") if wire.number in (1, 2) else file(wire)

    client.server.answer = answer

    assert client.fetch() == BODY
    assert client.naps == [1, 2]


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


def test_a_resumed_chunked_file_that_outgrows_its_length_is_corrupt(client: Client) -> None:
    def answer(wire: Wire) -> None:
        if wire.number:
            wire.head(206, "Content-Range: bytes 4-9/10", "Transfer-Encoding: chunked")
            wire.send(b"7\r\n4567890\r\n0\r\n\r\n")
        else:
            wire.head(200, "Content-Length: 10", 'ETag: "v1"')
            wire.send(b"0123")

    client.server.answer = answer

    with pytest.raises(CorruptDownloadError, match="longer than the 10 bytes"):
        client.fetch()


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

    with pytest.raises(CorruptDownloadError, match="unasked"):
        client.open()
