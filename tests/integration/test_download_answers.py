"""Every answer of a vendor has one name, proxies carry what they should, and no failure shows a secret."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from logferry.download.stream import Restart, UrlExpired
from logferry.errors import (
    ConnectionConfigError,
    CorruptDownloadError,
    DownloadRefusedError,
    InvalidRequestError,
    SourceUnavailableError,
    Throttled,
)
from tests.integration.downloads import assert_silent, say
from tests.integration.wire import Proxy, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.downloads import Client
    from tests.integration.wire import Wire


@pytest.mark.parametrize(
    ("status", "header", "error"),
    [
        (400, "X: 1", UrlExpired),
        (401, "X: 1", UrlExpired),
        (403, "X: 1", UrlExpired),
        (404, "X: 1", UrlExpired),
        (410, "X: 1", UrlExpired),
        (405, "X: 1", InvalidRequestError),
        (408, "X: 1", SourceUnavailableError),
        (416, "X: 1", CorruptDownloadError),
        (429, "X: 1", Throttled),
        (429, "Retry-After: 1.5", Throttled),
        (500, "Retry-After: 5", SourceUnavailableError),
        (503, "Retry-After: 5", Throttled),
        (503, "X: 1", SourceUnavailableError),
        (204, "X: 1", SourceUnavailableError),
        (304, "X: 1", SourceUnavailableError),
        (200, "Content-Encoding: gzip", CorruptDownloadError),
        (200, "Content-Encoding: aws-chunked, zstd", CorruptDownloadError),
        (200, "Content-Encoding: identity, br", CorruptDownloadError),
        (200, "Transfer-Encoding: gzip, chunked", CorruptDownloadError),
    ],
)
def test_every_answer_has_one_name(client: Client, status: int, header: str, error: type[Exception]) -> None:
    client.server.answer = say(status, header)

    with pytest.raises(error) as raised:
        client.open()
    assert_silent(raised.value)


def test_patience_is_as_long_as_the_vendor_asked(client: Client) -> None:
    client.server.answer = say(503, "Retry-After: Thu, 19 Nov 2026 10:00:30 GMT")

    with pytest.raises(Throttled) as throttled:
        client.open(now=lambda: 1_795_082_400.0)
    assert throttled.value.seconds == 30


def test_an_identity_encoding_is_none(client: Client) -> None:
    client.server.answer = say(200, "Content-Encoding: Identity", body=b"file")

    assert client.fetch() == b"file"


def test_a_401_behind_a_redirect_speaks_of_the_url(client: Client) -> None:
    def answer(wire: Wire) -> None:
        say(401)(wire) if wire.number else say(302, f"Location: {client.server.url('/next')}")(wire)

    client.server.answer = answer

    with pytest.raises(UrlExpired):
        client.open(client.server.url(host="api.vendor.test"))
    assert client.renewals == [False]


def test_bad_credentials_at_home_are_not_taken_for_an_expired_url(client: Client) -> None:
    client.server.answer = say(400)

    with pytest.raises(InvalidRequestError):
        client.open(client.server.url(host="api.vendor.test"))


def echo(wire: Wire) -> None:
    wire.send(f"HTTP/1.1 {wire.target} {wire.headers}\r\n\r\n".encode())


def malformed_header(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 4\r\n\r\nfile")


def broken(wire: Wire) -> None:
    wire.head(200, "Content-Length: 100", "ETag: W/1")
    wire.send(b"x" * 10)


@pytest.mark.parametrize("answer", [echo, malformed_header, broken, Server.answer, say(500), lambda _: None])
@pytest.mark.parametrize("host", ["api.vendor.test", "files.vendor.test"])
def test_no_failure_and_no_log_shows_url_headers_or_credentials(
    client: Client, caplog: pytest.LogCaptureFixture, answer: Callable[[Wire], None], host: str
) -> None:
    caplog.set_level(logging.DEBUG)
    client.server.answer = answer

    try:
        client.fetch(client.server.url(host=host))
    except (SourceUnavailableError, UrlExpired, Restart, InvalidRequestError) as error:
        assert_silent(error)
    assert "SECRET" not in caplog.text
    assert "sig=" not in caplog.text


def test_a_proxy_resolves_the_names_and_the_host_list_still_holds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.server.answer = say(200, body=b"file")

    def nobody(*_: Any, **__: Any) -> list[Any]:
        pytest.fail("a name was looked up")

    with Proxy(client.server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert client.fetch(resolver=nobody) == b"file"
        with pytest.raises(DownloadRefusedError):
            client.open("https://evil.test/x", resolver=nobody)

        assert len(proxy.asked) == 1
        assert proxy.asked[0].startswith(f"CONNECT files.vendor.test:{client.server.port} ")
        assert "proxy-authorization: basic" in proxy.asked[0].lower()
        assert "proxy-authorization" not in client.server.asked[0].headers

        monkeypatch.setenv("NO_PROXY", ".vendor.test")
        assert client.fetch() == b"file"
        assert len(proxy.asked) == 1


def test_a_proxy_that_nobody_runs_is_worth_another_try(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(client.server.port) as proxy:
        pass
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    with pytest.raises(SourceUnavailableError) as error:
        client.open()
    assert_silent(error.value)


def test_what_comes_before_the_answer_is_not_it(client: Client) -> None:
    def answer(wire: Wire) -> None:
        for status in (100, 103, 102, 103):
            wire.head(status, "Link: </style.css>; rel=preload")
        wire.head(200, "Content-Length: 4")
        wire.send(b"file")

    client.server.answer = answer

    assert client.fetch() == b"file"
    assert len(client.server.asked) == 1


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "https://x:99999", "https://user%FF:p€@127.0.0.1:1", "http://"]
)
def test_a_proxy_that_cannot_be_is_a_configuration_error(
    client: Client, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(ConnectionConfigError, match="HTTPS_PROXY"):
        client.open()


@pytest.mark.parametrize("word", ["utf-8", "aws-chunked", "binary", "none", "identity", "UTF-8, aws-chunked"])
def test_a_content_encoding_that_is_no_coding_is_the_file(client: Client, word: str) -> None:
    def answer(wire: Wire) -> None:
        wire.head(200, f"Content-Encoding: {word}", "Content-Length: 4")
        wire.send(b"file")

    client.server.answer = answer
    assert client.fetch() == b"file"
