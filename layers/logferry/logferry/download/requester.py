"""One request for a file: sent where it may go, redirects followed by hand, its answer named."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Protocol

from logferry.errors import (
    AuthenticationError,
    CorruptDownloadError,
    DownloadRefusedError,
    InvalidRequestError,
    SourceUnavailableError,
)
from logferry.vendor.transport import USER_AGENT, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logferry.download.route import Route
    from logferry.models.job import Download
    from logferry.vendor.egress import HostPolicy, Location

REDIRECTS = 3
"""Hops that are followed: a vendor's own, its storage's, one to spare."""

HINTS = range(102, 200)
"""Statuses that only announce the answer, RFC 9110, 15.2; nobody asked for the 101."""

REDIRECT_STATUSES = (301, 302, 303, 307, 308)

CODINGS = {
    *("aes128gcm", "br", "bzip2", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "lz4", "lzma"),
    *("pack200-gzip", "snappy", "x-bzip2", "x-compress", "x-deflate", "x-gzip", "xz", "zstd"),
}
"""The content codings that IANA lists, and those in use beside them. Any other word says nothing of the
bytes: storages hand back `utf-8`, `aws-chunked`, `binary` or `none` as they were stored."""

GZIP_CODINGS = {"gzip", "x-gzip"}

EXPIRED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)

SIGNATURE_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
"""Of the URL too where no credentials were sent: S3 answers 400 once the token of its signer has ended."""


class UrlExpired(Exception):  # noqa: N818 - no error: fetch asks the vendor for a fresh URL
    """The URL opens no more: 403, 404 or 410, kept in `status`. Never leaves fetch."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the download URL answered {status}")
        self.status = status


class Credentials(Protocol):
    """What authenticates a request at the connection's own origin."""

    def __call__(self, *, renew: bool) -> Mapping[str, str]:
        """Return the headers; fresh ones, as far as there are any, with `renew`."""


@dataclass
class Answer:
    """An open reply with status 200, 206 or 416, its body not yet read."""

    connection: HTTPConnection
    response: HTTPResponse
    transport: Any
    """What the connection reads from; `http.client` forgets it while the answer is still read."""

    @property
    def cut(self) -> bool:
        """Check whether the connection may have ended before its time: TLS did not say that it was over."""
        return getattr(self.transport, "cut", True)

    def close(self) -> None:
        """Close reply and connection."""
        self.response.close()
        self.connection.close()


@dataclass
class Requester:
    """Asks for one file, as often as that takes. `now` gives the Unix time, for dates in Retry-After."""

    download: Download
    policy: HostPolicy
    route: Route
    credentials: Credentials
    now: Callable[[], float] = time.time

    def ask(self, extra: Mapping[str, str]) -> Answer:
        """Send a GET with `extra` headers and give the answer.

        Credentials, and the headers of the download, go along when its URL is at the connection's own
        origin, and never along a redirect. Raises UrlExpired, Throttled, OutOfTimeError,
        DownloadRefusedError, SourceUnavailableError, AuthenticationError, InvalidRequestError,
        CorruptDownloadError (an encoded body).
        """
        location = self.policy.check(self.download.url or "")
        private = self._private(renew=False) if location.home else None
        answer = self._send(location, {**(private or {}), **extra})
        if answer.response.status == HTTPStatus.UNAUTHORIZED and private is not None:
            answer.close()
            private = self._private(renew=True)
            answer = self._send(location, {**private, **extra})
        for _ in range(REDIRECTS):
            if answer.response.status not in REDIRECT_STATUSES:
                break
            answer.close()
            private = None
            location = self.policy.follow(location, answer.response.getheader("Location"))
            answer = self._send(location, extra)
        try:
            self._judge(answer.response, location, known=private is not None)
        except BaseException:
            answer.close()
            raise
        return answer

    def _private(self, *, renew: bool) -> Mapping[str, str]:
        return {**self.download.headers, **self.credentials(renew=renew)}

    def _send(self, location: Location, headers: Mapping[str, str]) -> Answer:
        connection = self.route.connect(location)
        transport = connection.sock
        try:
            connection.request(
                "GET",
                location.target,
                headers={
                    "Accept": "*/*",
                    **headers,
                    "Host": location.authority,
                    "User-Agent": USER_AGENT,
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                },
            )
            # The standard library's own reply, whose readinto copies once; urllib3's copies twice, and its
            # getresponse logs the URL when a header of the reply is malformed.
            response = HTTPConnection.getresponse(connection)
            while response.status in HINTS:  # it skips 100 alone, and begins again only without headers
                response.headers = response.msg = None  # type: ignore[assignment]
                response.begin()
            return Answer(connection, response, transport)
        except (OSError, HTTPException) as error:
            connection.close()
            self.route.pace.patience(self.route.pace.budget.clock())
            # From None: the server's own words may repeat the URL.
            raise SourceUnavailableError(
                f"{location.authority} did not answer the download ({type(error).__name__}); Logferry retries"
            ) from None
        except ValueError:
            connection.close()
            raise AuthenticationError(
                "a header of the connection's credentials holds characters that HTTP does not allow; "
                "check the secret"
            ) from None
        except BaseException:
            connection.close()
            raise

    def _judge(self, response: HTTPResponse, location: Location, *, known: bool) -> None:
        """Raise what an answer means, unless it is the file, a part of it, or no such part."""
        status, host = response.status, location.authority
        reply = Reply(status, dict(response.getheaders()), b"")
        reply.check_patience(self.now())
        if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            _refuse_encoding(response, host, gzipped=self.download.gzipped)
        elif status in EXPIRED or (status in SIGNATURE_REFUSED and not known):
            raise UrlExpired(status)
        elif status == HTTPStatus.UNAUTHORIZED:
            raise AuthenticationError(
                f"{host} answered the download 401, with fresh credentials too; check the connection's secret"
            )
        elif status in REDIRECT_STATUSES:
            raise DownloadRefusedError(
                f"the download is redirected more than {REDIRECTS} times, by {host} last"
            )
        elif HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and not (
            reply.unavailable or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        ):
            raise InvalidRequestError(f"{host} answered the download {status}")
        elif status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise SourceUnavailableError(f"{host} answered the download {status}; Logferry retries")


def _refuse_encoding(response: HTTPResponse, host: str, *, gzipped: bool) -> None:
    """Refuse a body that was encoded on its way; `gzip` on a file that is itself gzip names the file."""
    words = (response.getheader("Content-Encoding") or "").lower().split(",")
    codings = [word.strip() for word in words if word.strip() in CODINGS]
    own = gzipped and len(codings) == 1 and codings[0] in GZIP_CODINGS
    transfer = response.getheader("Transfer-Encoding")
    if (codings and not own) or (transfer or "chunked").lower() != "chunked":
        # Decoded or not, its length and its end prove nothing.
        raise CorruptDownloadError(f"{host} sent an encoded body, although none was accepted")
