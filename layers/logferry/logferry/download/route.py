"""The way to a download's host: straight to an address that was checked, or through the operator's proxy."""

from __future__ import annotations

import os
import socket
import weakref
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, get_environ_proxies, select_proxy
from urllib3.connection import HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, make_headers, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from logferry.download.tls import Transport
from logferry.errors import ConnectionConfigError, SourceUnavailableError
from logferry.vendor.transport import CONNECT_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from logferry.download.throughput import ThroughputGuard
    from logferry.vendor.egress import HostPolicy, Location


@dataclass
class Route:
    """Opens connections to the locations that a policy allows.

    Straight: the name is resolved once and the connection goes to that very address; TLS still verifies the
    name. Where HTTPS_PROXY, ALL_PROXY and NO_PROXY, with requests' own meaning, name a proxy, that one
    resolves the name: the host list holds, the address is the proxy's affair.
    """

    policy: HostPolicy
    pace: ThroughputGuard
    resolver: Callable[..., Sequence[Any]] = socket.getaddrinfo

    def __post_init__(self) -> None:
        self._tls = _tls(self.pace)

    def connect(self, location: Location) -> HTTPSConnection:
        """Connect, TLS included. Raises DownloadRefusedError, SourceUnavailableError, OutOfTimeError."""
        proxy = _proxy(location)
        if proxy:
            return self._open(self._through(proxy, location), location)
        addresses = self.policy.addresses(location, self.resolver)
        for address in addresses[:-1]:
            try:
                return self._open(self._straight(address, location), location)
            except SourceUnavailableError:
                continue
        return self._open(self._straight(addresses[-1], location), location)

    def _open(self, connection: HTTPSConnection, location: Location) -> HTTPSConnection:
        try:
            with self.pace.connecting(CONNECT_SECONDS):
                connection.connect()
        except (OSError, HTTPError, HTTPException) as error:
            connection.close()
            self._patience(0)
            # From None: what a proxy or a server has to say may hold anything.
            raise SourceUnavailableError(
                f"no connection to {location.authority} ({_kind(error)}); Logferry retries"
            ) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _patience(self, most: float) -> float:
        return min(most, self.pace.patience(self.pace.budget.clock()))

    def _straight(self, address: str, location: Location) -> HTTPSConnection:
        return HTTPSConnection(
            address,
            location.port,
            server_hostname=location.host,
            ssl_context=self._tls,
            timeout=self._patience(CONNECT_SECONDS),
        )

    def _through(self, proxy: str, location: Location) -> HTTPSConnection:
        try:
            url = parse_url(proxy if "://" in proxy else f"http://{proxy}")
            user, password = get_auth_from_url(proxy)
            headers = make_headers(proxy_basic_auth=f"{user}:{password}") if user else {}
        except (LocationParseError, UnicodeError):
            url, headers = Url(), {}
        if url.scheme not in ("http", "https") or not url.host:
            raise ConnectionConfigError("HTTPS_PROXY: name an http:// or https:// proxy")
        connection = HTTPSConnection(
            url.host,
            url.port or (443 if url.scheme == "https" else 80),
            ssl_context=self._tls,
            timeout=self._patience(CONNECT_SECONDS),
            proxy=url,
            proxy_config=ProxyConfig(self._tls, False, None, None),  # noqa: FBT003 - urllib3's tuple
        )
        connection.set_tunnel(location.host, location.port, headers=headers, scheme=url.scheme)
        return connection


def _proxy(location: Location) -> str | None:
    origin = f"https://{location.authority}/"
    return select_proxy(origin, get_environ_proxies(origin))


def _tls(pace: ThroughputGuard) -> ssl.SSLContext:
    """Make the TLS settings that requests would use: REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, or certifi."""
    bundle = (
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    )
    context = create_urllib3_context()
    # Weak: a circle would keep it, and the CA certificates that it holds, after the download.
    context.wrap_socket = partial(Transport, context=weakref.proxy(context), pace=pace)  # type: ignore[assignment]
    try:
        context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    except OSError as error:
        raise ConnectionConfigError("REQUESTS_CA_BUNDLE: names no readable CA bundle or directory") from error
    return context


def _kind(error: Exception) -> str:
    """Return what went wrong, by its class."""
    root = error.__cause__ or error
    if isinstance(root, TimeoutError):
        return "timed out"
    return "its certificate is not accepted" if "Cert" in type(root).__name__ else type(root).__name__
