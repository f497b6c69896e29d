"""Nothing is opened that the connection does not list, and credentials go home only."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from logferry.errors import (
    AuthenticationError,
    ConnectionConfigError,
    DownloadRefusedError,
    SourceUnavailableError,
)
from tests.integration.downloads import assert_silent, resolver, say
from tests.integration.wire import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.downloads import Client
    from tests.integration.wire import Wire


def redirect(*targets: str, status: int = 302) -> Callable[[Wire], None]:
    """Redirect to one target after another, then serve the file."""

    def answer(wire: Wire) -> None:
        if wire.number < len(targets):
            wire.head(status, f"Location: {targets[wire.number]}", "Content-Length: 0")
        else:
            say(200, body=b"file")(wire)

    return answer


def test_credentials_go_to_the_origin_of_base_url(client: Client) -> None:
    client.server.answer = say(200, body=b"file")

    assert client.fetch(client.server.url(host="api.vendor.test")) == b"file"

    sent = client.server.asked[0].headers
    assert sent["authorization"] == "Bearer SECRET-TOKEN"
    assert sent["sessionid"] == "SECRET-SESSION"
    assert sent["accept-encoding"] == "identity"
    assert sent["host"] == f"api.vendor.test:{client.server.port}"


def test_a_signed_url_on_another_host_gets_none(client: Client) -> None:
    client.server.answer = say(200, body=b"file")

    assert client.fetch() == b"file"

    assert client.server.asked[0].target == "/file?sig=SECRET-SIGNATURE"
    assert not {"authorization", "sessionid"} & client.server.asked[0].headers.keys()
    assert client.renewals == []


@pytest.mark.parametrize("host", ["api.vendor.test", "files.vendor.test"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_them_along(client: Client, host: str, status: int) -> None:
    client.server.answer = redirect(client.server.url("/next", host), status=status)

    assert client.fetch(client.server.url(host="api.vendor.test")) == b"file"

    first, second = client.server.asked
    assert "authorization" in first.headers
    assert second.target == "/next"
    assert second.headers["host"].startswith(host)
    assert not {"authorization", "sessionid"} & second.headers.keys()


def test_another_port_of_the_same_host_is_another_origin(client: Client, tmp_path: Path) -> None:
    with Server(tmp_path) as other:
        client.server.ca_file.write_bytes(client.server.ca_file.read_bytes() + other.ca_file.read_bytes())
        other.answer = say(200, body=b"file")
        policy = client.policy(f"api.vendor.test:{other.port}")

        assert client.fetch(other.url(host="api.vendor.test"), policy=policy) == b"file"

    assert "authorization" not in other.asked[0].headers


def test_a_401_at_home_renews_the_credentials_once(client: Client) -> None:
    client.server.answer = lambda wire: say(200 if wire.number else 401, body=b"file")(wire)

    assert client.fetch(client.server.url(host="api.vendor.test")) == b"file"

    assert client.renewals == [False, True]
    assert client.server.asked[1].headers["authorization"] == "Bearer SECRET-FRESH"


def test_a_401_with_fresh_credentials_is_the_end(client: Client) -> None:
    client.server.answer = say(401)

    with pytest.raises(AuthenticationError, match=r"api\.vendor\.test"):
        client.open(client.server.url(host="api.vendor.test"))
    assert client.renewals == [False, True]


def test_credentials_that_http_cannot_carry_are_not_shown(client: Client) -> None:
    client.token = "SECRET\r\nX: 1"

    with pytest.raises(AuthenticationError) as error:
        client.open(client.server.url(host="api.vendor.test"))
    assert_silent(error.value)


def test_three_redirects_are_followed_and_no_fourth(client: Client) -> None:
    client.server.answer = redirect("/2", "/3", client.server.url("/4", "other.vendor.test"))
    assert client.fetch() == b"file"

    client.server.asked.clear()
    client.server.answer = redirect("/2", "/3", "/4", "/5")
    with pytest.raises(DownloadRefusedError, match="more than 3"):
        client.open()
    assert len(client.server.asked) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://files.vendor.test:{port}/x",
        "https://evil.test:{port}/x",
        "//evil.test:{port}/x",
        "https://files.vendor.test/x",
        "https://127.0.0.2:{port}/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]:{port}/x",
        "https://user:pass@files.vendor.test:{port}/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_redirect_off_the_list_opens_nothing(client: Client, target: str) -> None:
    client.server.answer = redirect(target.format(port=client.server.port))

    with pytest.raises(DownloadRefusedError) as error:
        client.open()

    assert len(client.server.asked) == 1
    assert_silent(error.value)


def test_a_redirect_into_a_private_network_by_a_wildcard_opens_nothing(client: Client) -> None:
    # Given a wildcard, and a name below it that leads to loopback
    port = client.server.port
    policy = client.policy(f"files.vendor.test:{port}", f"*.vendor.test:{port}")
    client.server.answer = redirect(client.server.url("/x", "other.vendor.test"))

    # When the listed host redirects there, then the redirect is refused although the host is on the list
    with pytest.raises(DownloadRefusedError, match=r"127\.0\.0\.1, a private or reserved address"):
        client.open(policy=policy)
    assert len(client.server.asked) == 1


def test_the_connection_goes_to_the_address_that_was_checked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a resolver that answers once, and a system that looks no name up
    client.server.answer = say(200, body=b"file")
    real, asked = socket.getaddrinfo, []

    def numbers_only(host: str, *args: Any, **options: Any) -> Any:
        assert host == "127.0.0.1"
        return real(host, *args, **options)

    def once(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        return resolver(host, port, **options) if len(asked) == 1 else []

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)

    # When, then
    assert client.fetch(resolver=once) == b"file"
    assert asked == ["files.vendor.test"]


def test_a_name_that_turns_to_loopback_between_two_connections_is_refused(client: Client) -> None:
    # Given a name below a wildcard that is public when it is checked and loopback ever after
    policy = client.policy(f"*.vendor.test:{client.server.port}")
    answers = ["169.254.169.254", "127.0.0.1"]

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        del host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    # When it is asked twice, then no socket reaches the server
    for _ in range(2):
        with pytest.raises(DownloadRefusedError):
            client.open(policy=policy, resolver=rebinding)
    assert client.server.asked == []


@pytest.mark.parametrize("order", [1, -1])
def test_the_next_address_is_tried_when_one_does_not_connect(client: Client, order: int) -> None:
    client.server.answer = say(200, body=b"file")

    def two(host: str, port: int, **options: Any) -> list[Any]:
        nobody = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.9", port))
        return [nobody, *resolver(host, port, **options)][::order]

    assert client.fetch(resolver=two) == b"file"


def test_a_certificate_for_another_name_is_not_accepted(client: Client) -> None:
    policy = client.policy(f"wrong.vendor.test:{client.server.port}")

    with pytest.raises(SourceUnavailableError, match="certificate is not accepted"):
        client.open(
            client.server.url(host="wrong.vendor.test"),
            policy=policy,
            resolver=lambda _, port, **__: resolver("127.0.0.1", port),
        )
    assert client.server.asked == []


def test_an_unknown_authority_is_not_accepted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)

    with pytest.raises(SourceUnavailableError, match="certificate is not accepted"):
        client.open()


def test_a_missing_ca_bundle_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")

    with pytest.raises(ConnectionConfigError, match="REQUESTS_CA_BUNDLE"):
        client.open()
