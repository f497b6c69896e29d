"""A throwaway certificate authority: nothing but the sandbox ever trusts it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


class Authority:
    """A certificate authority made for one run; its certificate is written to `ca_file`."""

    def __init__(self, ca_file: Path) -> None:
        self._ca = trustme.CA(organization_name="Logferry sandbox, throwaway")
        self._ca.cert_pem.write_to_path(str(ca_file))
        self.ca_file = ca_file

    def server_context(self, names: Iterable[str] = ()) -> ssl.SSLContext:
        """Give a TLS context with a certificate for loopback and for `names`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*LOOPBACK_NAMES, *names).configure_cert(context)
        return context
