"""Credentials at work: tokens are kept, replaced in time, and renewed once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.errors import (
    AuthenticationError,
    ConnectionConfigError,
    LogferryError,
    SourceUnavailableError,
    Throttled,
)
from logferry.sources.registry import source_named
from logferry.vendor import auth as access
from logferry.vendor.auth import Access
from logferry.vendor.transport import Reply, UnansweredError

RULES = source_named("spark-log-csv").rules
OLD, NEW = "old-client-secret", "new-client-secret"


def secret(client_secret: str) -> str:
    auth = {"type": "client_credentials", "client_id": "us", "client_secret": client_secret}
    return json.dumps({"base_url": "https://api.example.com", "tenant": "acme", "auth": auth})


@dataclass
class World:
    """A token endpoint that knows one client secret, Secrets Manager with a cache before it, and a clock."""

    accepts: str = OLD
    stored: str = OLD
    cached: str = OLD
    lifetime: Any = 300
    now: float = 1000.0
    replies: list[Reply | Exception] = field(default_factory=list)
    asked: int = 0
    fresh: int = 0
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    def send(self, _method: str, _url: str, *, body: bytes, **_: Any) -> Reply:
        self.asked += 1
        if self.replies:
            reply = self.replies.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply
        if f"client_secret={self.accepts}".encode() not in body:
            return Reply(401, {}, b'{"error": "unauthorized_client"}')
        document = {"access_token": f"token-{self.asked}", "expires_in": self.lifetime}
        return Reply(200, {}, json.dumps(document).encode())

    def secret(self, _name: str, *, fresh: bool) -> str:
        self.fresh += fresh
        self.cached = self.stored if fresh else self.cached
        return secret(self.cached)

    def access(self) -> Access:
        """As each call of a function makes one."""
        return Access("acme", RULES, self.secret, self.tokens, lambda: self.now)

    def header(self) -> str:
        return self.access().headers()["Authorization"]


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(access, "send", world.send)
    return world


# ---- keeping


def test_a_token_is_kept_from_call_to_call(world: World) -> None:
    assert [world.header() for _ in range(3)] == ["Bearer token-1"] * 3
    assert world.asked == 1


def test_a_token_is_replaced_before_it_ends(world: World) -> None:
    # Given a token of 300 seconds
    world.header()
    world.now += 239
    assert world.header() == "Bearer token-1"
    # When less than a minute of it is left, then a new one is had
    world.now += 1
    assert world.header() == "Bearer token-2"


def test_a_token_that_is_short_lived_is_used_for_half_of_its_life(world: World) -> None:
    world.lifetime = 10
    world.header()
    world.now += 4.9
    assert world.header() == "Bearer token-1"
    world.now += 0.1
    assert world.header() == "Bearer token-2"


@pytest.mark.parametrize("lifetime", [0, -5, float("nan")])
def test_a_token_without_a_life_is_used_once(world: World, lifetime: float) -> None:
    world.lifetime = lifetime
    assert [world.header(), world.header()] == ["Bearer token-1", "Bearer token-2"]


def test_tokens_of_other_connections_and_secrets_are_not_mixed(world: World) -> None:
    world.header()
    # When the secret was changed and seen, then the token of the old one is not used any more
    world.accepts = world.stored = world.cached = NEW
    assert world.header() == "Bearer token-2"
    other = Access("other", RULES, world.secret, world.tokens, lambda: world.now)
    assert other.headers()["Authorization"] == "Bearer token-3"


# ---- renewing


def test_a_token_is_renewed_once_a_call(world: World) -> None:
    used = world.access()
    used.headers()
    # When the vendor refuses the token, then a fresh secret and a fresh token are had
    assert used.renew()
    assert used.headers()["Authorization"] == "Bearer token-2"
    assert world.fresh == 1
    # And not once more
    assert not used.renew()
    assert used.headers()["Authorization"] == "Bearer token-2"
    # But the next call may again
    assert world.access().renew()


def test_a_secret_that_was_rotated_is_found_by_itself(world: World) -> None:
    # Given a new client secret that the cache does not know yet
    world.accepts = world.stored = NEW
    assert world.header() == "Bearer token-2"
    assert (world.asked, world.fresh) == (2, 1)


def test_a_secret_that_is_simply_wrong_is_tried_twice(world: World) -> None:
    world.accepts = NEW
    with pytest.raises(AuthenticationError, match="acme") as error:
        world.header()
    assert (world.asked, world.fresh) == (2, 1)
    assert OLD not in str(error.value)


def test_a_renewal_is_not_had_twice_by_another_way(world: World) -> None:
    # Given a call that has renewed its credentials already
    used = world.access()
    used.renew()
    world.accepts = NEW
    # When the token endpoint refuses them, then that is final
    with pytest.raises(AuthenticationError):
        used.headers()
    assert world.asked == 1


def test_a_secret_that_became_malformed_says_so() -> None:
    used = Access("acme", RULES, lambda _, *, fresh: "{}" if fresh else secret(OLD), {})
    with pytest.raises(ConnectionConfigError):
        used.renew()


def test_what_must_never_be_seen_is_known(world: World) -> None:
    used = world.access()
    used.headers()
    assert set(used.secrets) == {OLD, "token-1"}
    # And a new secret too, once it is loaded
    world.accepts = world.stored = NEW
    used.renew()
    used.headers()
    assert set(used.secrets) == {OLD, "token-1", NEW, "token-2"}


def test_a_bearer_token_needs_no_endpoint(world: World) -> None:
    document = json.loads(secret(OLD))
    for token in ("abc", "Bearer abc"):
        document["auth"] = {"type": "bearer", "token": token}
        used = Access("acme", RULES, lambda *_, **__: json.dumps(document), world.tokens)
        assert used.headers() == {"Authorization": "Bearer abc"}
    assert world.asked == 0


def test_an_api_key_comes_with_the_tenant_and_alone(world: World) -> None:
    document = json.loads(secret(OLD))
    document["auth"] = {"type": "api_key", "key": "abc"}
    used = Access("acme", RULES, lambda *_, **__: json.dumps(document), world.tokens)
    assert used.headers() == {"x-synthetic-key": "abc", "x-tenant-name": "acme"}


# ---- the token endpoint's troubles


def reply(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (reply(500), SourceUnavailableError),
        (reply(503), SourceUnavailableError),
        (reply(408), SourceUnavailableError),
        (UnansweredError("it did not answer in time", sent=True), SourceUnavailableError),
        (UnansweredError("its name does not resolve", sent=False), SourceUnavailableError),
        (reply(429, Retry_After="7"), Throttled),
        (reply(429), Throttled),
        (reply(503, Retry_After="7"), Throttled),
        (reply(400), AuthenticationError),
        (reply(403), AuthenticationError),
        (reply(404), AuthenticationError),
        (reply(302), AuthenticationError),
        (reply(200, b""), AuthenticationError),
        (reply(200, b"<html>"), AuthenticationError),
        (reply(200, b"[]"), AuthenticationError),
        (reply(200, b"7"), AuthenticationError),
        (reply(200, b'{"access_token": ""}'), AuthenticationError),
        (reply(200, b'{"access_token": 7}'), AuthenticationError),
        (reply(200, b'{"access_token": "a\\nb"}'), AuthenticationError),
        (reply(200, '{"access_token": "é"}'.encode()), AuthenticationError),
    ],
)
def test_troubles_of_the_token_endpoint_have_their_names(
    world: World, trouble: Any, error: type[Exception]
) -> None:
    world.replies = [trouble, trouble]
    with pytest.raises(error) as raised:
        world.header()
    assert OLD not in str(raised.value)
    # And a refusal was tried once more with what Secrets Manager holds, nothing else was
    assert world.asked == (2 if error is AuthenticationError else 1)
    # And nothing was kept
    world.replies = []
    assert world.header() == f"Bearer token-{world.asked}"


def test_a_token_endpoint_that_is_not_there_points_at_the_tenant(world: World) -> None:
    world.replies = [reply(404), reply(404)]
    with pytest.raises(AuthenticationError, match=r"404\); check tenant, base_url"):
        world.header()


def test_a_token_without_a_term_is_kept_for_five_minutes(world: World) -> None:
    world.replies = [reply(200, b'{"access_token": "a"}')]
    assert world.header() == "Bearer a"
    world.now += 239
    assert world.header() == "Bearer a"
    world.now += 1
    assert world.header() == "Bearer token-2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["access_token", "expires_in", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=20) | JSON.map(lambda each: json.dumps(each).encode()),
)
def test_any_reply_is_a_token_or_a_named_error(status: int, body: bytes) -> None:
    world = World(replies=[reply(status, body)] * 2)
    with patch.object(access, "send", world.send):
        try:
            header = world.header()
        except (LogferryError, Throttled):
            return
    assert header.startswith("Bearer ")
    assert header.isascii()


@pytest.mark.parametrize("lifetime", [None, "", "soon", [], {}, True, "1e999", 10**400])
def test_a_lifetime_that_is_none_means_the_usual_one(world: World, lifetime: Any) -> None:
    # Given a reply whose `expires_in` says nothing, then its token is kept as if it were missing
    world.lifetime = lifetime
    world.header()
    world.now += 239
    assert world.header() == "Bearer token-1"
    world.now += 1
    assert world.header() == "Bearer token-2"


def test_a_token_over_16_kib_is_refused(world: World) -> None:
    world.replies = [reply(200, json.dumps({"access_token": "a" * 16_385}).encode())] * 2
    with pytest.raises(AuthenticationError, match="16385 characters"):
        world.header()


def test_secrets_are_those_of_this_connection_alone(world: World) -> None:
    world.header()
    world.tokens["another"] = ("token-of-another", 9e9)
    assert "token-of-another" not in world.access().secrets
    assert "token-1" in world.access().secrets
