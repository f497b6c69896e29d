"""The hosts that a connection downloads from: which URL is allowed, and at which addresses."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from logferry.errors import ConnectionConfigError, DownloadRefusedError, SourceUnavailableError
from logferry.vendor.addresses import plain, refusal, tunnelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HTTPS_PORT, LAST_PORT = 443, 65535

SAFE = "!#$%&'()*+,/:;=?@[]~"
"""What stays as it is in a path and query; `%` too, since escapes are part of a signature."""

ADDRESSES_TRIED = 4
"""Of a host that has many: each may cost a connect timeout."""

_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Location:
    """Where an allowed URL leads.

    `home`: it is at the origin of `base_url`. `public`: a wildcard alone allows it, so its addresses must be
    public.
    """

    host: str
    port: int
    target: str = field(repr=False)
    home: bool
    public: bool

    @property
    def authority(self) -> str:
        """Return the host as a Host header names it, with its port unless that is 443."""
        return _authority(self.host, self.port)

    @property
    def literal(self) -> IPv4Address | IPv6Address | None:
        """Return the address that the host spells out, if it does; no resolver is asked for it."""
        try:
            return plain(self.host)
        except ValueError:
            return None

    @property
    def url(self) -> str:
        """Return the URL that a relative redirect is relative to; a credential like any download URL."""
        return f"https://{self.authority}{self.target}"


@dataclass(frozen=True)
class HostPolicy:
    """What `download_hosts` and `base_url` of a connection allow.

    An entry is a host, an IP address (IPv6 in brackets), or `*.` and a domain of two labels or more: it
    stands for every host below that domain, at any depth, and not for the domain itself. `:port` may follow,
    otherwise 443 is meant. Entries that nobody can read raise ConnectionConfigError at once.
    """

    hosts: tuple[str, ...]
    base_url: str

    def __post_init__(self) -> None:
        _ = self._entries, self._home

    def check(self, url: str) -> Location:
        """Decide on a URL without opening a socket or asking for an address.

        Raises DownloadRefusedError, which names the host and what to do, never the path or the query.
        """
        host, port, target = _split(url)
        if (host, port) not in self._entries and not _below(host, port, self._entries):
            raise DownloadRefusedError(
                f"downloads from {_authority(host, port)} are not allowed by this connection; "
                f'if it is the vendor\'s, add "{_authority(host, port)}" to download_hosts in its secret'
            )
        public = (host, port) not in self._entries
        location = Location(host, port, target, home=(host, port) == self._home, public=public)
        if location.literal:
            _usable(location, [location.literal])
        return location

    def follow(self, location: Location, target: str | None) -> Location:
        """Decide on where a redirect leads, `target` being its Location header as `http.client` gives it."""
        # Bytes by way of Latin-1; where they are not ASCII, they are UTF-8.
        target = (target or "").encode("latin-1", "replace").decode("utf-8", "replace")
        try:
            url = urljoin(location.url, target) if target and not _odd(target) else ""
        except ValueError:
            url = ""
        return self.check(url)

    def addresses(
        self, location: Location, resolver: Callable[..., Sequence[Any]] = socket.getaddrinfo
    ) -> list[str]:
        """Resolve a location once and give the addresses to connect to, best first, none other being allowed.

        One forbidden address among them refuses them all. `resolver` is called as `socket.getaddrinfo` is.
        Raises DownloadRefusedError, and SourceUnavailableError where the name does not resolve.
        """
        found = [location.literal] if location.literal else _resolve(location, resolver)
        return _usable(location, found)[:ADDRESSES_TRIED]

    @cached_property
    def _home(self) -> tuple[str, int]:
        try:
            host, port, _ = _split(self.base_url)
        except DownloadRefusedError as error:
            raise ConnectionConfigError(
                "base_url: must be an https:// URL of a host, without user name"
            ) from error
        return host, port

    @cached_property
    def _entries(self) -> frozenset[tuple[str, int]]:
        return frozenset(_entry(position, entry) for position, entry in enumerate(self.hosts))


_REMEDY = "nothing was opened; see whose host it is before you change download_hosts"


def _usable(location: Location, found: Sequence[IPv4Address | IPv6Address]) -> list[str]:
    for address in found:
        reason = refusal(address, public=location.public)
        if reason:
            raise DownloadRefusedError(f"{location.host} has the address {address}, {reason}; {_REMEDY}")
    usable = dict.fromkeys(str(address) for address in found if not tunnelled(address))
    if not usable:
        raise DownloadRefusedError(f"{location.host} has no address but of NAT64, 6to4 or Teredo; {_REMEDY}")
    return list(usable)


def _below(host: str, port: int, entries: frozenset[tuple[str, int]]) -> bool:
    """Check whether a wildcard covers a host; an IP address has no domain above it."""
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit():
        return False
    return any(("*." + ".".join(labels[at:]), port) in entries for at in range(1, len(labels)))


def _entry(position: int, entry: str) -> tuple[str, int]:
    wildcard = entry.startswith("*.")
    try:
        host, port = _authority_of(entry.removeprefix("*."))
    except ValueError:
        host, port = "", 0
    if not host or (wildcard and (":" in host or host.count(".") < 1 or host.split(".")[-1].isdigit())):
        # Not repeated: what stands in the wrong place may be a secret.
        raise ConnectionConfigError(
            f"download_hosts[{position}]: must be a host like files.example.com, an IP address, "
            "or a wildcard like *.example.com, each with :port where it is not 443"
        )
    return ("*." if wildcard else "") + host, port


def _odd(url: str) -> bool:
    # Python's own parser drops control characters; browsers take a backslash for a slash.
    return bool(_CONTROL.search(url)) or url != url.strip() or "\\" in url.split("?", 1)[0]


def _split(url: str) -> tuple[str, int, str]:
    """Return host, port and request target of an absolute HTTPS URL; or raise DownloadRefusedError."""
    try:
        parts = urlsplit("" if _odd(url) else url)
        host, port = _authority_of(parts.netloc)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=SAFE)
    except ValueError:
        # Its own text would show the URL.
        raise DownloadRefusedError(
            "a download URL names no plain host (user name, odd port, odd spelling of an address, or none); "
            "nothing was opened, ask the vendor why"
        ) from None
    if parts.scheme != "https":
        raise DownloadRefusedError(
            f"a download from {host} is not HTTPS; nothing was opened, ask the vendor why"
        )
    return host, port, target


def _authority_of(text: str) -> tuple[str, int]:
    """Read `host[:port]`, strictly; ValueError for all else."""
    match = _AUTHORITY.fullmatch(text)
    if not match:
        raise ValueError
    port = int(match["port"] or HTTPS_PORT)
    if not 0 < port <= LAST_PORT:
        raise ValueError
    if match["v6"]:
        return str(IPv6Address(match["v6"])), port
    host = match["name"].lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise ValueError
    if _NUMBER.fullmatch(labels[-1]):
        # Decimal, octal, hexadecimal and short forms of an address: only the plain one is read.
        return str(IPv4Address(host)), port
    return host, port


def _authority(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == HTTPS_PORT else f"{name}:{port}"


def _resolve(location: Location, resolver: Callable[..., Sequence[Any]]) -> list[IPv4Address | IPv6Address]:
    try:
        answers = resolver(location.host, location.port, type=socket.SOCK_STREAM)
        return [plain(answer[4][0]) for answer in answers]
    except OSError as error:
        raise SourceUnavailableError(
            f"the name {location.host} does not resolve; Logferry retries, then start it again"
        ) from error
