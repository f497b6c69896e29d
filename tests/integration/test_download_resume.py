"""A transfer that breaks resumes, begins again or fails: short never looks whole."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from logferry.download.stream import Restart
from logferry.errors import CorruptDownloadError, SourceUnavailableError
from tests.integration.downloads import BODY, File, read

if TYPE_CHECKING:
    from tests.integration.downloads import Client
    from tests.integration.wire import Wire

CUTS = (0, 1, len(BODY) // 2, len(BODY) - 1)


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


@pytest.mark.parametrize("header", ["Content-Range: bytes */10", "X: 1"])
def test_no_such_part_ends_only_a_file_of_just_that_length(client: Client, header: str) -> None:
    def answer(wire: Wire) -> None:
        if wire.number:
            wire.head(416, header, "Content-Length: 0")
        else:
            wire.head(200, "Transfer-Encoding: chunked", 'ETag: "v1"')
            wire.send(b"4\r\n0123\r\n")

    client.server.answer = answer

    with client.open() as stream, pytest.raises(Restart):
        read(stream, most=4)


def test_a_part_of_a_file_of_unknown_length_is_resumed_too(client: Client) -> None:
    def answer(wire: Wire) -> None:
        start = int(wire.headers.get("range", "bytes=0-")[6:-1])
        if wire.number:
            wire.head(206, f"Content-Range: bytes {start}-9/*", f"Content-Length: {10 - start}")
            wire.send(b"0123456789"[start : 7 if wire.number == 1 else 10])
        else:
            wire.head(200, "Transfer-Encoding: chunked", 'ETag: "v1"')
            wire.send(b"4\r\n0123\r\n")

    client.server.answer = answer

    with client.open() as stream:
        assert read(stream, most=4) == b"0123456789"
    assert len(client.server.asked) == 3
