"""The credentials of a connection at work: the token, kept and renewed."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from logferry.errors import AuthenticationError, SourceUnavailableError
from logferry.models.request import digest
from logferry.vendor.connection import Connection
from logferry.vendor.transport import EXCHANGE_SECONDS, SMALL_REPLY_BYTES, NotJsonError, UnansweredError, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logferry.vendor.connection import Rules, TokenRequest
    from logferry.vendor.transport import Reply

TOKEN_MARGIN = 60
"""Seconds before its end at which a token is replaced: a request must not outlive it."""


DEFAULT_LIFETIME = 300.0
"""Seconds that a token is kept where its reply does not say how long it lasts."""

SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")

LONGEST_TOKEN = 16 * 1024
"""Characters of a token: servers take headers of 8 to 16 KiB."""


@dataclass
class Access:
    """The credentials of one connection while a function runs: loaded once, renewed at most once.

    `secret(name, fresh=…)` gives the secret's text; `tokens` keeps tokens between calls.
    """

    name: str
    rules: Rules
    secret: Callable[..., str]
    tokens: dict[str, tuple[str, float]] = field(repr=False)
    clock: Callable[[], float] = time.time
    seconds: float = EXCHANGE_SECONDS
    """How long each exchange may take."""
    renewed: bool = False
    retired: tuple[str, ...] = field(default=(), repr=False)
    """Secrets from before the renewal: the vendor may still repeat them."""

    def __post_init__(self) -> None:
        self.connection = Connection.parse(self.name, self.secret(self.name, fresh=False), self.rules)

    def headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request to the connection's own origin.

        Raises AuthenticationError where no token is given, SourceUnavailableError where the token endpoint
        does not answer, Throttled.
        """
        auth = self.rules.auth[self.connection.auth["type"]]
        return auth.headers(self.connection, self._token(auth.token) if auth.token else "")

    def renew(self) -> bool:
        """Fetch secret and token afresh; False when that was done already."""
        if self.renewed:
            return False
        self.renewed = True
        self.retired = self.secrets
        self.tokens.pop(self._cache_key, None)
        self.connection = Connection.parse(self.name, self.secret(self.name, fresh=True), self.rules)
        self.tokens.pop(self._cache_key, None)
        return True

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return every value that must never be seen, tokens included."""
        kept = self.tokens.get(self._cache_key)
        return (*self.retired, *self.connection.secrets, *(kept[:1] if kept else ()))

    @property
    def _cache_key(self) -> str:
        return digest([self.name, self.connection.base_url, dict(self.connection.auth)])

    def _token(self, how: Callable[[Connection], TokenRequest]) -> str:
        token, expires = self.tokens.get(self._cache_key, ("", 0.0))
        if token and self.clock() < expires:
            return token
        try:
            token, lifetime = self._ask(how(self.connection))
        except AuthenticationError:
            # A rotated secret looks just like this: once, with what Secrets Manager holds now.
            if not self.renew():
                raise
            token, lifetime = self._ask(how(self.connection))
        margin = min(TOKEN_MARGIN, lifetime / 2)
        self.tokens[self._cache_key] = (token, self.clock() + lifetime - margin)
        return token

    def _ask(self, request: TokenRequest) -> tuple[str, float]:
        host = urlsplit(request.url).netloc
        try:
            reply = send(
                "POST",
                request.url,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(request.form).encode(),
                basic=request.basic,
                limit=SMALL_REPLY_BYTES,
                seconds=self.seconds,
            )
        except UnansweredError as error:
            raise error.unavailable(host) from None
        return _read_token(reply, host, self.name, self.clock(), self.rules.account)


def _lifetime(value: Any) -> float:
    """Read `expires_in`: seconds as a number or its digits; all else is as if it were missing."""
    if isinstance(value, str):
        return float(value) if SECONDS.fullmatch(value.strip()) else DEFAULT_LIFETIME
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DEFAULT_LIFETIME
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:
        return DEFAULT_LIFETIME


def _read_token(reply: Reply, host: str, name: str, now: float, account: str) -> tuple[str, float]:
    reply.check_patience(now)
    if reply.unavailable:
        raise SourceUnavailableError(f"the token endpoint {host} answered {reply.status}")
    if reply.status == HTTPStatus.NOT_FOUND:
        raise AuthenticationError(
            f"connection {name}: the token endpoint {host} is not there (HTTP 404); check {account}, "
            "base_url and token_url in the connection's secret"
        )
    try:
        document = reply.json()
        token = document["access_token"]
        lifetime = _lifetime(document.get("expires_in"))
    except (NotJsonError, KeyError, TypeError):
        token, lifetime = None, 0.0
    if isinstance(token, str) and len(token) > LONGEST_TOKEN:
        raise AuthenticationError(
            f"connection {name}: the token endpoint {host} gave a token of {len(token)} characters, and no "
            f"server takes more than {LONGEST_TOKEN}; check token_url"
        )
    if not (isinstance(token, str) and token and token.isascii() and token.isprintable()):
        raise AuthenticationError(
            f"connection {name}: the token endpoint {host} gave no token (HTTP {reply.status}); "
            "check the credentials in the connection's secret"
        )
    return token, lifetime
