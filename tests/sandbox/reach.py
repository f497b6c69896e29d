"""Can the vendor be reached from this machine? Asked before a run, so that the answer comes at once.

Name, connection and TLS only: no request is sent. The functions know nothing of it.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from tests.sandbox.wanted import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENCE = 10.0
"""Seconds for each of name and connection, handshake included."""
TRUST = (
    "name its CA with REQUESTS_CA_BUNDLE=/path/ca.pem (or SSL_CERT_FILE); "
    "deployed, with the parameters CaBundleLayerArn and CaBundlePath"
)


@dataclass(frozen=True)
class Surroundings:
    """How this machine reaches the outside: a CA bundle of its own, a proxy."""

    ca_bundle: Path | None = None
    proxy: str = ""
    spared: str = ""

    @classmethod
    def of_this_machine(cls) -> Surroundings:
        """Read the environment; UsageError for a CA bundle that is not there."""
        found = [
            name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE") if os.environ.get(name)
        ]
        bundle = Path(os.environ[found[0]]).absolute() if found else None
        if bundle and not bundle.exists():
            raise UsageError(f"{found[0]} names {bundle}, which does not exist")
        proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or ""
        return cls(bundle, proxy, os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "")

    @property
    def parameters(self) -> dict[str, str]:
        """Return the template's parameters that say the same."""
        if not self.proxy:
            return {}
        names = ["127.0.0.1", "localhost", *([self.spared] if self.spared else [])]
        return {"HttpsProxy": self.proxy, "NoProxy": ",".join(names)}


def check(urls: Iterable[str], surroundings: Surroundings) -> None:
    """Check whether each URL's origin can be reached; UsageError says in one line why not."""
    context = _trust(surroundings.ca_bundle)
    for host, port in dict.fromkeys(_origin(url) for url in urls):
        _reach(host, port, context, surroundings.proxy)


def _trust(bundle: Path | None) -> ssl.SSLContext:
    place = bundle or Path(DEFAULT_CA_BUNDLE_PATH)
    context = create_urllib3_context()  # as strict as the functions are
    try:
        context.load_verify_locations(**{"capath" if place.is_dir() else "cafile": str(place)})
    except OSError as error:
        raise UsageError(f"{place} is no CA bundle that can be read: {error.strerror or error}") from error
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _origin(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def _reach(host: str, port: int, context: ssl.SSLContext, proxy: str) -> None:
    asked, at = host, f"{host}:{port}"
    way = http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    if proxy and not proxy_bypass(host):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        asked, at = parts.hostname or "", f"{at} through the proxy {parts.hostname}"
        # A proxy is spoken to in clear, and TLS begins behind it.
        way = http.client.HTTPSConnection(asked, parts.port or 3128, timeout=PATIENCE, context=context)
        way.set_tunnel(host, port)
    try:
        way.connect()
    except OSError as error:
        raise UsageError(_why(error, asked, at)) from error
    finally:
        way.close()


def _why(error: OSError, asked: str, at: str) -> str:
    """Return what is wrong and what to do about it."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"{at} shows a certificate that is not trusted here ({error.verify_message}); {TRUST}"
        case ssl.SSLError():
            return f"{at} does not speak TLS ({error.reason or error})"
        case socket.gaierror():
            told = "check base_url and token_url in the connection file"
            return f"no host is known by the name {asked} ({error.strerror}); {told}"
        case TimeoutError():
            return f"{at} does not answer within {PATIENCE:g} s; check the address, the VPN and the firewall"
        case ConnectionRefusedError():
            return f"{at} refuses the connection; check the port in the connection file"
    return f"{at} cannot be reached: {error.strerror or error}"
