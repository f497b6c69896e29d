"""A connection: where a vendor is and who we are there, as its secret says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from logferry.errors import ConnectionConfigError
from logferry.models.nearest import misspelled, suggestion
from logferry.vendor.egress import HostPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class TokenRequest:
    """How a token is asked for: a form POST whose JSON reply holds `access_token` and `expires_in`."""

    url: str
    form: Mapping[str, str] = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Auth:
    """One kind of credentials: the keys it needs beside `type`, and the headers it makes.

    `headers` is given the connection and, where `token` says how to get one, the access token.
    """

    needs: tuple[str, ...]
    headers: Callable[[Connection, str], Mapping[str, str]]
    token: Callable[[Connection], TokenRequest] | None = None
    takes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What a source asks of a connection: the auth kinds it takes, and the key that names the account."""

    source: str
    auth: Mapping[str, Auth]
    account: str
    download_hosts: Callable[[str], tuple[str, ...]]


@dataclass(frozen=True)
class Connection:
    """A connection's secret, checked. `account` is the tenant or the space."""

    name: str
    base_url: str
    account: str
    auth: Mapping[str, str] = field(repr=False)
    download_hosts: tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Return the host and port of `base_url`, for messages."""
        return urlsplit(self.base_url).netloc

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return every value that must never be seen."""
        shown = ("type", "client_id", "token_url")
        hidden = (value for name, value in self.auth.items() if name not in shown)
        return tuple(value.removeprefix("Bearer ") for value in hidden)

    @classmethod
    def parse(cls, name: str, text: str, rules: Rules) -> Connection:
        """Read a secret as `rules` ask; ConnectionConfigError names the key at fault, never its value."""
        at = _Reader(name)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise at.error("the secret is not JSON; store one JSON object in it") from None
        at.known(document, {"base_url", rules.account, "auth", "download_hosts", "limits"})
        base_url = at.text(document, "base_url").rstrip("/")
        at.https(base_url, "base_url")
        if base_url.lower() != f"https://{urlsplit(base_url).netloc}".lower():
            raise at.error("base_url: give the origin only, like https://excel.example.com")
        auth = document.get("auth")
        if not isinstance(auth, dict):
            raise at.error('auth: must be an object like {"type": "client_credentials", …}')
        kind = at.text(auth, "type", "auth.")
        if kind not in rules.auth:
            kinds = ", ".join(rules.auth)
            raise at.error(f"auth.type: {rules.source} takes {kinds}{suggestion(kind, rules.auth)}")
        wanted = rules.auth[kind]
        at.known(auth, {"type", *wanted.needs, *wanted.takes}, "auth.")
        given = {key: at.text(auth, key, "auth.") for key in ("type", *wanted.needs)}
        given |= {key: at.text(auth, key, "auth.") for key in wanted.takes if key in auth}
        if "token_url" in given:
            at.https(given["token_url"], "auth.token_url")
        hosts = document.get("download_hosts", list(rules.download_hosts(base_url)))
        if not isinstance(hosts, list) or not all(isinstance(host, str) and host for host in hosts):
            raise at.error('download_hosts: must be a list of host names like ["*.example.com"]')
        try:
            HostPolicy(tuple(hosts), base_url)
        except ConnectionConfigError as error:
            raise at.error(str(error)) from None
        limits = document.get("limits", {})
        numbers = limits.values() if isinstance(limits, dict) else [None]
        if not all(type(number) is int and number > 0 for number in numbers):
            raise at.error('limits: must be an object of whole numbers like {"records": 100000}')
        at.known(limits, {"records", "bytes", "largest"}, "limits.")
        return cls(name, base_url, at.text(document, rules.account), given, tuple(hosts), limits)


@dataclass(frozen=True)
class _Reader:
    """Reads a secret's keys and names the one that is wrong."""

    name: str

    def error(self, what: str) -> ConnectionConfigError:
        return ConnectionConfigError(f"connection {self.name}: {what}")

    def known(self, document: Any, keys: set[str], at: str = "") -> None:
        if not isinstance(document, dict):
            raise self.error("the secret must be one JSON object")
        for key in sorted(document.keys() - keys):
            meant = misspelled(key, sorted(keys))
            if meant and key.isprintable():
                raise self.error(f"{at}{key}: is not known here; did you mean {meant}?")
        if len(document.keys() - keys):
            # Its name is not repeated: what stands in the wrong place may be a secret.
            place = at.removesuffix(".") or "the secret"
            raise self.error(f"{place} has a key besides {', '.join(sorted(keys))}; remove it")

    def text(self, document: Mapping[str, Any], key: str, at: str = "") -> str:
        value = document.get(key)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self.error(f"{at}{key}: is missing, or not a plain non-empty string")
        return value

    def https(self, url: str, key: str) -> None:
        try:
            parts = urlsplit(url)
            fine = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc and parts.port != 0
        except ValueError:
            fine = False
        if not fine:
            raise self.error(f"{key}: must be an https:// URL of a host, without user name")
