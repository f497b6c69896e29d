"""One exchange: what came back, and whether anything was sent where nothing did."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import ConnectionConfigError, SourceUnavailableError, Throttled
from logferry.vendor import transport as http
from logferry.vendor.transport import NotJsonError, Reply, UnansweredError, send
from tests.sandbox.vendor import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET_URL = "/a/b?token=SECRET"


@contextmanager
def raw(answer: bytes | None, *, reset: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection: read the request, send these bytes as they are; None keeps silent."""
    received: list[bytes] = []
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                received.append(connection.recv(65536))
                if answer is None:
                    done.wait(5)
                    return
                connection.sendall(answer)
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}{SECRET_URL}", received
        done.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def unanswered(url: str, body: bytes | None = b"{}") -> UnansweredError:
    with pytest.raises(UnansweredError) as error:
        send("POST", url, headers={}, body=body)
    assert "SECRET" not in str(error.value)
    assert error.value.__cause__ is None
    return error.value


# ---- nothing was sent


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not unanswered(f"http://127.0.0.1:{port}{SECRET_URL}").sent


def test_a_name_that_does_not_resolve_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    error = unanswered(f"https://no-such-host.example{SECRET_URL}")
    assert (error.sent, str(error)) == (False, "its name does not resolve")


def test_a_certificate_that_is_not_accepted_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Vendors() as vendors:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", vendors.ca_file)
        with vendors.untrusted():
            error = unanswered(vendors.base_url + SECRET_URL)
        assert vendors.requests == []
    assert (error.sent, "TLS" in str(error)) == (False, True)


@pytest.mark.parametrize("url", ["https://", "https://a b", "https://[::1", "https://x.example.com:99999"])
def test_a_url_that_is_none_was_not_sent(url: str) -> None:
    assert not unanswered(url).sent


@pytest.mark.parametrize("value", [" leading", "a\nb: c", "a\r\nb", "漢字"])
def test_a_header_that_http_does_not_allow_is_the_secrets_fault(value: str) -> None:
    with raw(b"") as (url, _), pytest.raises(ConnectionConfigError) as error:
        send("POST", url, headers={"Authorization": value}, body=b"{}")
    assert value.strip() not in str(error.value)


# ---- it may have been sent


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_ends_without_a_reply_was_sent(reset: bool) -> None:  # noqa: FBT001 - a parameter
    with raw(b"", reset=reset) as (url, received):
        assert unanswered(url).sent
    assert received[0].startswith(b"POST /a/b?token=SECRET HTTP/1.1")


def test_a_reply_that_never_comes_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "EXCHANGE_SECONDS", 0.05)
    with raw(None) as (url, _):
        error = unanswered(url)
    assert (error.sent, str(error)) == (True, "it did not answer in time")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 70000,
    ],
)
def test_a_reply_that_is_broken_was_sent(answer: bytes) -> None:
    with raw(answer) as (url, _):
        assert unanswered(url).sent


def test_a_reply_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REPLY_BYTES", 1000)
    bomb = gzip.compress(b"\0" * 100_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with raw(head + bomb) as (url, _):
        assert unanswered(url).sent


def test_a_lost_reply_is_the_vendors_unavailability() -> None:
    error = UnansweredError("it did not answer in time", sent=True).unavailable("api.example.com")
    assert isinstance(error, SourceUnavailableError)
    assert "api.example.com" in str(error)


# ---- an answer


def test_what_came_back_is_given_whatever_its_status() -> None:
    with raw(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 3\r\n\r\nno.") as (
        url,
        _,
    ):
        reply = send("GET", url, headers={})
    # Then it is given as it is, and no redirect was followed
    assert (reply.status, reply.body, reply.headers["location"]) == (302, b"no.", "http://127.0.0.1:1/")


@pytest.mark.parametrize("location", [b"https://[::1", b"\xff\xfe", b"http://a b/", b"//"])
def test_a_redirect_to_nowhere_is_a_reply_as_any_other(location: bytes) -> None:
    with raw(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n") as (url, _):
        assert send("GET", url, headers={}).status == 302


def test_a_compressed_reply_is_read() -> None:
    body = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with raw(head + body) as (url, _):
        assert send("GET", url, headers={}).json() == {"a": 1}


def test_no_credentials_of_the_machine_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Given credentials for the vendor's host in a .netrc file
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (url, received):
        send("GET", url, headers={})
    assert b"Authorization" not in received[0]
    assert b"User-Agent: logferry/" in received[0]


@given(st.binary(max_size=200))
def test_any_body_is_json_or_not(body: bytes) -> None:
    reply = Reply(200, {}, body)
    assert reply.object() is None or isinstance(reply.object(), dict)
    reply.text.encode()
    try:
        expected = json.loads(body)
    except ValueError:
        with pytest.raises(NotJsonError):
            reply.json()
    else:
        assert reply.json() == expected or reply.json() != reply.json()


@pytest.mark.parametrize("body", [b"[" * 200_000, b"9" * 5000, b"", b"\xff\xfe", b"\xef\xbb\xbf"])
def test_a_body_that_breaks_the_parser_is_not_json(body: bytes) -> None:
    assert Reply(200, {}, body).object() is None


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "120"}, 120),
        (429, {"retry-after": "1.5"}, 1.5),
        (429, {"X-Retry-After": "7"}, 7),
        (429, {}, 30),
        (429, {"Retry-After": "soon"}, 30),
        (429, {"Retry-After": "0"}, 0),
        (503, {"Retry-After": "9"}, 9),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, 50),
    ],
)
def test_patience_is_asked_for(status: int, headers: dict[str, str], seconds: float) -> None:
    with pytest.raises(Throttled) as throttled:
        Reply(status, headers, b"").check_patience(10)
    assert throttled.value.seconds == seconds


@pytest.mark.parametrize(
    ("status", "headers"), [(503, {}), (500, {"Retry-After": "5"}), (200, {"Retry-After": "5"})]
)
def test_other_replies_ask_for_none(status: int, headers: dict[str, str]) -> None:
    Reply(status, headers, b"").check_patience(10)


@pytest.mark.parametrize(
    ("status", "trouble"), [(408, True), (500, True), (599, True), (409, False), (429, False)]
)
def test_trouble_is_told_from_refusal(*, status: int, trouble: bool) -> None:
    assert Reply(status, {}, b"").unavailable is trouble


# ---- hints, lengths, time


@pytest.mark.parametrize(
    "hint", [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 199 X\r\n\r\n"]
)
def test_hints_before_the_answer_are_passed_over(hint: bytes) -> None:
    with raw(
        b"HTTP/1.1 100 Continue\r\n\r\n" + hint * 3 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    ) as (url, _):
        answer = send("POST", url, headers={}, body=b"{}")
    assert (answer.status, answer.body) == (200, b"{}")


def test_two_lengths_are_the_replys_fault_and_the_post_was_sent() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n{}   ") as (url, _):
        assert unanswered(url).sent


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_an_exchange_has_one_deadline_however_it_trickles(head: bytes) -> None:
    # Given a vendor that sends on and on, and a clock that goes on by 20 seconds a look
    moments = iter(range(0, 10**6, 20))
    with raw(head + b"X: 1\r\n" * 4) as (url, _), pytest.raises(UnansweredError) as error:
        send("POST", url, headers={}, body=b"{}", clock=lambda: float(next(moments)))
    # Then it is given up as one that was sent
    assert error.value.sent


def test_continue_without_end_ends_at_the_deadline() -> None:
    moments = iter(range(0, 10**6, 20))
    answer = b"HTTP/1.1 100 Continue\r\n\r\n" * 4000
    with raw(answer) as (url, _), pytest.raises(UnansweredError, match="in time"):
        send("POST", url, headers={}, body=b"{}", clock=lambda: float(next(moments)))


def test_a_small_reply_is_enough_for_a_state() -> None:
    with (
        raw(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1_048_577) as (url, _),
        pytest.raises(UnansweredError, match="1 MiB"),
    ):
        send("GET", url, headers={}, limit=http.SMALL_REPLY_BYTES)


def test_millions_of_values_are_not_read() -> None:
    with pytest.raises(NotJsonError):
        Reply(200, {}, b"[" + b"[]," * 1_500_000 + b"1]").json()
    # And one long text with as many commas is
    text = "," * 1_500_000
    assert Reply(200, {}, json.dumps([text]).encode()).json() == [text]
