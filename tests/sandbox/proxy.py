"""A WSGI application that passes requests on to another HTTP server, byte for byte."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.sandbox.gate import Application, Environ, StartResponse

CHUNK = 256 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}


def forward_to(url: str) -> Application:
    """Forward everything to the server at `url`, with the caller's Host header: the signature covers it."""
    address = urlsplit(url).netloc

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        upstream = http.client.HTTPConnection(address, timeout=300)
        upstream.putrequest(
            environ["REQUEST_METHOD"], environ["RAW_URI"], skip_host=True, skip_accept_encoding=True
        )
        for name, value in headers_of(environ):
            upstream.putheader(name, value)
        upstream.endheaders()
        left = int(environ.get("CONTENT_LENGTH") or 0)
        while left and (block := environ["wsgi.input"].read(min(left, CHUNK))):
            upstream.send(block)
            left -= len(block)
        response = upstream.getresponse()
        kept = [pair for pair in response.getheaders() if pair[0].lower() not in HOP_BY_HOP]
        start_response(f"{response.status} {response.reason}", kept)
        return blocks(response, upstream)

    return application


def headers_of(environ: Environ) -> Iterator[tuple[str, str]]:
    """Give the request's headers back from WSGI's spelling of them."""
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:].replace("_", "-")
        elif key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = key.replace("_", "-")
        else:
            continue
        if name.lower() not in HOP_BY_HOP and value != "":
            yield name, str(value)


def blocks(response: http.client.HTTPResponse, upstream: Any) -> Iterator[bytes]:
    """Stream the reply's body; closes the connection at its end."""
    try:
        while block := response.read(CHUNK):
            yield block
    finally:
        upstream.close()
