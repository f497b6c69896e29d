"""One HTTP exchange with a vendor: what came back, or whether anything was sent at all."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import check_header_validity
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError

from logferry import __version__
from logferry.errors import ConnectionConfigError, SourceUnavailableError, Throttled
from logferry.vendor.deadline import Deadline, TimedAdapter
from logferry.vendor.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_SECONDS = 10
"""How long an address of the vendor's may take to answer at all."""

EXCHANGE_SECONDS = 60
"""How long a whole exchange may take: connecting, headers, hints before them, body. A token and a call may
each take so long, and submit posts twice at most: the functions' own timeouts leave room, so that a vendor
that is silent, or trickles, is an error of ours and not a kill."""

REPLY_BYTES = 16 * 2**20
"""The largest reply that is read: call records are the largest, a few MiB; files are streamed elsewhere."""

SMALL_REPLY_BYTES = 2**20
"""The largest reply to a question for a token or for a job's state."""

MOST_VALUES = 2**20
"""Values in a JSON reply: each may take 64 bytes of memory, however short it is."""

TEXT_BYTES = 16 * 2**10
"""How much of a reply is ever quoted from."""

UNNAMED_DELAY = 30
"""Seconds to wait after a 429 that does not say how long."""

JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)

USER_AGENT = f"logferry/{__version__}"


class NotJsonError(ValueError):
    """A reply that is not JSON."""


@dataclass(frozen=True)
class Reply:
    """A vendor's reply, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, or raise `NotJsonError`."""
        if len(self.body) > SMALL_REPLY_BYTES and _values(self.body) > MOST_VALUES:
            raise NotJsonError
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise NotJsonError from error

    def object(self) -> dict[str, Any] | None:
        """Return the body's JSON object, or None where it is no such thing."""
        try:
            document = self.json()
        except NotJsonError:
            return None
        return document if isinstance(document, dict) else None

    @property
    def text(self) -> str:
        """Return the beginning of the body as text, whatever it is."""
        return self.body[:TEXT_BYTES].decode("utf-8", "replace")

    @property
    def unavailable(self) -> bool:
        """Check whether the vendor is in trouble: 408 and the server errors."""
        return self.status == HTTPStatus.REQUEST_TIMEOUT or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def check_patience(self, now: float) -> None:
        """Raise Throttled on a 429, and on a 503 that names a delay; `now` is the Unix time."""
        delay = retry_after(self.headers, now)
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Throttled(UNNAMED_DELAY if delay is None else delay)
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE and delay is not None:
            raise Throttled(delay)


class UnansweredError(Exception):
    """No reply. `sent` tells whether the vendor may have had the request all the same. Never leaves."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent

    def unavailable(self, host: str) -> SourceUnavailableError:
        """Name it as the error that the state machine retries."""
        return SourceUnavailableError(f"no answer from {host}: {self}; Logferry retries, then start it again")


class _Body(io.BytesIO):
    """A request body that knows whether any of it was asked for: only then can the vendor have acted."""

    sent = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.sent = True
        return super().read(size)


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    basic: tuple[str, str] | None = None,
    limit: int | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Reply:
    """Send one request, on a connection of its own, following no redirect, within `seconds`.

    A connection of its own, since a pooled one that the vendor had closed would look like a lost reply.
    `limit` is the most bytes of a reply; `seconds` are EXCHANGE_SECONDS if not given. Raises
    `UnansweredError`, and ConnectionConfigError for headers that HTTP does not allow.
    """
    headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}
    _check_headers(headers, basic)
    limit = limit or REPLY_BYTES
    watched = _Body(body) if body is not None else None
    seconds = seconds or EXCHANGE_SECONDS
    deadline = Deadline(clock() + seconds, clock)
    try:
        with (
            _Session(deadline) as session,
            session.request(
                method,
                url,
                headers=headers,
                data=watched,
                auth=HTTPBasicAuth(*basic) if basic else _no_auth,
                timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            content = response.raw.read(limit + 1, decode_content=True)
            if len(content) > limit:
                raise UnansweredError(f"its reply is over {limit >> 20} MiB", sent=True)
            return Reply(response.status_code, response.headers, content)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        # Their texts hold the URL: only what kind of failure it was goes on.
        raise UnansweredError(_reason(error), sent=watched.sent if watched else True) from None


def _check_headers(headers: Mapping[str, str], basic: tuple[str, str] | None) -> None:
    """Refuse headers that HTTP does not allow, before anything is sent: later on it is the reply's fault."""
    try:
        for name, value in headers.items():
            check_header_validity((name, value))
            value.encode("latin-1")
        ":".join(basic or ()).encode("latin-1")
    except (requests.exceptions.InvalidHeader, UnicodeError):
        # Only credentials can be wrong in such a way: all else in a header is ours, or was checked.
        raise ConnectionConfigError(
            "connection: its credentials hold characters that no HTTP header can; check the secret"
        ) from None


def _values(body: bytes) -> int:
    """Count the values of a JSON document by what stands between them, texts left out; in linear time."""
    bare = JSON_TEXT.sub(b"", body)
    return bare.count(b",") + bare.count(b"[") + bare.count(b"{")


class _Session(requests.Session):
    """A session of one exchange, that looks at no redirect: requests would read all of its body, and trip."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, TimedAdapter(deadline))

    def get_redirect_target(self, _: requests.Response) -> str | None:
        return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from looking for credentials in a .netrc file."""
    return request


def _reason(error: BaseException) -> str:
    root = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    if isinstance(root, MaxRetryError) and root.reason:
        root = root.reason
    if isinstance(root, NameResolutionError):
        return "its name does not resolve"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate or handshake is not accepted"
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    return f"the connection failed ({type(root).__name__})"
