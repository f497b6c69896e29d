"""A vendor's API: what is sent, once more after a 401, and what each status means."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from logferry.errors import (
    AuthenticationError,
    ConnectionConfigError,
    InvalidRequestError,
    SourceUnavailableError,
    SubmitUncertainError,
    Throttled,
)
from logferry.sources.registry import source_named
from logferry.vendor import client as api
from logferry.vendor.auth import Access
from logferry.vendor.client import Api
from logferry.vendor.transport import Reply, UnansweredError

RULES = source_named("spark-log-csv").rules
HUSH = "hush-7f3a9c1e"
URL = "https://api.example.com:8443/x"


@dataclass
class World:
    """A vendor that answers as written, and a connection whose bearer token may be renewed."""

    replies: list[Reply | Exception] = field(default_factory=list)
    sent: list[tuple[str, str, dict[str, str], bytes | None]] = field(default_factory=list)
    token: str = HUSH

    def send(
        self, method: str, url: str, *, headers: dict[str, str], body: bytes | None = None, **_: int
    ) -> Reply:
        self.sent.append((method, url, headers, body))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def secret(self, _name: str, *, fresh: bool) -> str:
        token = f"{self.token}-fresh" if fresh else self.token
        auth = {"type": "bearer", "token": token}
        return json.dumps({"base_url": "https://api.example.com:8443", "tenant": "ac me", "auth": auth})

    def api(self) -> Api:
        return Api(Access("acme-uat", RULES, self.secret, {}), "ask for the permission x", lambda: 0.0)


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(api, "send", world.send)
    return world


def reply(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, CaseInsensitiveDict(named), body)


# ---- what is sent


def test_a_document_goes_as_json_with_credentials(world: World) -> None:
    world.replies = [reply(200)]
    world.api().call("POST", URL, document={"a": "ä"}, headers={"SESSIONID": "1"})
    [(method, url, headers, body)] = world.sent
    assert (method, url) == ("POST", URL)
    assert headers == {
        "SESSIONID": "1",
        "Authorization": f"Bearer {HUSH}",
        "Content-Type": "application/json",
    }
    assert json.loads(body or b"") == {"a": "ä"}


def test_no_document_is_no_body(world: World) -> None:
    world.replies = [reply(200)]
    world.api().call("GET", URL)
    [(_, _, headers, body)] = world.sent
    assert body is None
    assert "Content-Type" not in headers


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4))
def test_every_segment_stays_in_its_place(segments: list[str]) -> None:
    line = World().api()
    if {".", ".."} & {*segments}:
        with pytest.raises(InvalidRequestError):
            line.url(*segments)
        return
    url = line.url(*segments)
    assert url.isascii()
    assert url.startswith("https://api.example.com:8443/")
    assert [unquote(part) for part in urlsplit(url).path.split("/")[1:]] == segments
    assert (urlsplit(url).query, urlsplit(url).fragment) == ("", "")


def test_a_query_is_encoded(world: World) -> None:
    assert world.api().url("a", query={"index": "1&b=2"}) == "https://api.example.com:8443/a?index=1%26b%3D2"


# ---- 401


def test_a_401_is_tried_once_more_with_fresh_credentials(world: World) -> None:
    # Given a vendor that takes only the secret's new token
    world.replies = [reply(401), reply(200, b'{"ok": 1}')]
    assert world.api().call("POST", URL, document={"a": 1}).object() == {"ok": 1}
    first, second = world.sent
    assert first[2]["Authorization"] == f"Bearer {HUSH}"
    assert second[2]["Authorization"] == f"Bearer {HUSH}-fresh"
    # And all else is the same
    assert (first[0], first[1], first[3]) == (second[0], second[1], second[3])


def test_a_second_401_is_final(world: World) -> None:
    world.replies = [reply(401), reply(401, f'{{"message": "not {HUSH}-fresh"}}'.encode()), reply(200)]
    with pytest.raises(AuthenticationError, match=r"acme-uat.*401") as error:
        world.api().call("GET", URL)
    assert len(world.sent) == 2
    assert HUSH not in str(error.value)
    # And a bearer token is called no fresher than its secret
    assert "read again from the secret" in str(error.value)
    assert "fresh ones" not in str(error.value)


def test_credentials_are_renewed_once_for_all_requests_of_a_call(world: World) -> None:
    line = world.api()
    world.replies = [reply(401), reply(200), reply(401), reply(200)]
    line.call("GET", URL)
    with pytest.raises(AuthenticationError):
        line.call("GET", URL)
    assert len(world.sent) == 3


# ---- statuses

TABLE: list[tuple[int, type[Exception], type[Exception]]] = [
    (302, ConnectionConfigError, ConnectionConfigError),
    (304, ConnectionConfigError, ConnectionConfigError),
    (400, InvalidRequestError, InvalidRequestError),
    (401, AuthenticationError, AuthenticationError),
    (403, AuthenticationError, AuthenticationError),
    (405, InvalidRequestError, InvalidRequestError),
    (408, SourceUnavailableError, SubmitUncertainError),
    (409, InvalidRequestError, InvalidRequestError),
    (422, InvalidRequestError, InvalidRequestError),
    (429, Throttled, Throttled),
    (500, SourceUnavailableError, SubmitUncertainError),
    (502, SourceUnavailableError, SubmitUncertainError),
    (503, SourceUnavailableError, SubmitUncertainError),
    (504, SourceUnavailableError, SubmitUncertainError),
    (599, SourceUnavailableError, SubmitUncertainError),
]


@pytest.mark.parametrize(("status", "error", "submitting"), TABLE)
@pytest.mark.parametrize("submit", [False, True])
def test_each_status_has_its_error(
    world: World, status: int, error: type[Exception], submitting: type[Exception], *, submit: bool
) -> None:
    words = f'{{"error": {{"message": "no {HUSH} at https://x.example.com/y?sig=SECRET"}}}}'.encode()
    world.replies = [reply(status, words)] * 2
    with pytest.raises(submitting if submit else error) as raised:
        world.api().call("POST", URL, document={}, submit=submit, missing="nothing is there")
    # Then it holds neither a secret nor a URL, and does not lead to one either
    assert HUSH not in str(raised.value)
    assert "SECRET" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_given_as_it_is(world: World, status: int) -> None:
    world.replies = [reply(status, b"x")]
    assert world.api().call("GET", URL) == reply(status, b"x")


def test_a_404_is_given_or_named(world: World) -> None:
    world.replies = [reply(404), reply(404)]
    assert world.api().call("GET", URL).status == 404
    with pytest.raises(InvalidRequestError, match="target: no such folder"):
        world.api().call("GET", URL, missing="target: no such folder")


def test_a_403_says_what_to_ask_for(world: World) -> None:
    world.replies = [reply(403)]
    with pytest.raises(AuthenticationError, match="ask for the permission x"):
        world.api().call("GET", URL)


@pytest.mark.parametrize("status", [429, 503])
def test_a_delay_is_the_vendors_own(world: World, status: int) -> None:
    world.replies = [reply(status, Retry_After="Thu, 01 Jan 1970 00:02:00 GMT")]
    with pytest.raises(Throttled) as throttled:
        world.api().call("POST", URL, document={}, submit=True)
    assert throttled.value.seconds == 120


@pytest.mark.parametrize(
    ("sent", "submit", "error"),
    [
        (True, True, SubmitUncertainError),
        (False, True, SourceUnavailableError),
        (True, False, SourceUnavailableError),
        (False, False, SourceUnavailableError),
    ],
)
def test_no_reply_is_in_doubt_only_where_a_submit_was_sent(
    world: World, *, sent: bool, submit: bool, error: type[Exception]
) -> None:
    world.replies = [UnansweredError("it did not answer in time", sent=sent)]
    with pytest.raises(error, match=r"api\.example\.com:8443"):
        world.api().call("POST", URL, document={}, submit=submit)


def test_words_are_short_and_on_one_line(world: World) -> None:
    world.replies = [reply(400, b"a\r\nb\0 " + b"word " * 5000)]
    with pytest.raises(InvalidRequestError) as error:
        world.api().call("GET", URL)
    assert len(str(error.value)) < 500
    assert str(error.value).isprintable()
