"""A vendor's API: authenticated calls, and what each status means."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from logferry.errors import (
    AuthenticationError,
    ConnectionConfigError,
    InvalidRequestError,
    SourceUnavailableError,
    SubmitUncertainError,
)
from logferry.redact import redact, without_secrets
from logferry.telemetry import log
from logferry.vendor.transport import REPLY_BYTES, SMALL_REPLY_BYTES, Reply, UnansweredError, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from logferry.vendor.auth import Access


class MalformedReplyError(Exception):
    """A reply that cannot be about the job that is awaited, such as a redirect. Never leaves the poll."""


WORDS = 300
"""How many characters of a vendor's own words an error repeats."""


@dataclass(frozen=True)
class Api:
    """The API of one connection. `permission` says what a 403 lacks."""

    access: Access
    permission: str
    clock: Callable[[], float] = time.time
    awaiting: bool = False
    """Whether a job is awaited: a redirect then leads to a page of maintenance, and is no wrong address."""

    @property
    def _usual_limit(self) -> int:
        return SMALL_REPLY_BYTES if self.awaiting else REPLY_BYTES

    @property
    def account(self) -> str:
        """Return the tenant or space."""
        return self.access.connection.account

    def url(self, *segments: str, query: Mapping[str, str] | None = None) -> str:
        """Build a URL on `base_url`, each segment percent-encoded whole.

        Dots alone cannot be encoded, and would lead elsewhere: InvalidRequestError.
        """
        if {".", ".."} & {*segments}:
            raise InvalidRequestError("no name or id may be '.' or '..'")
        path = "/".join(quote(segment, safe="") for segment in segments)
        return f"{self.access.connection.base_url}/{path}" + (f"?{urlencode(query)}" if query else "")

    def call(
        self,
        method: str,
        url: str,
        *,
        document: Any = None,
        headers: Mapping[str, str] | None = None,
        submit: bool = False,
        missing: str | None = None,
        limit: int | None = None,
    ) -> Reply:
        """Send a request with the connection's credentials, once more after a 401 with fresh ones.

        `submit`: the request starts something, so that a lost reply is SubmitUncertainError. `missing`: what
        a 404 means, said in an InvalidRequestError; without it a 404 is given back. `limit`: the most bytes
        of the reply. Raises AuthenticationError, ConnectionConfigError, InvalidRequestError,
        SourceUnavailableError, Throttled, and MalformedReplyError where a job is awaited.
        """
        reply = self._send(method, url, document, headers or {}, submit=submit, limit=limit)
        if reply.status == HTTPStatus.UNAUTHORIZED and self.access.renew():
            reply = self._send(method, url, document, headers or {}, submit=submit, limit=limit)
        if reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return reply
        reply.check_patience(self.clock())
        host = self.access.connection.host
        if reply.unavailable:
            if submit:
                raise SubmitUncertainError(
                    f"{host} answered {reply.status} to the submit: {self._words(reply)}"
                )
            raise SourceUnavailableError(f"{host} answered {reply.status}: {self._words(reply)}")
        if reply.status == HTTPStatus.NOT_FOUND:
            if missing is None:
                return reply
            raise InvalidRequestError(f"{missing} (404: {self._words(reply)})")
        raise self._refusal(reply, host)

    def _send(
        self,
        method: str,
        url: str,
        document: Any,
        headers: Mapping[str, str],
        *,
        submit: bool,
        limit: int | None,
    ) -> Reply:
        headers = {**headers, **self.access.headers()}
        body = None if document is None else json.dumps(document).encode()
        if body is not None:
            headers["Content-Type"] = "application/json"
        host = self.access.connection.host
        try:
            reply = send(
                method,
                url,
                headers=headers,
                body=body,
                limit=limit or self._usual_limit,
                seconds=self.access.seconds,
            )
        except UnansweredError as error:
            if submit and error.sent:
                raise SubmitUncertainError(f"no reply to the submit from {host}: {error}") from None
            raise error.unavailable(host) from None
        log().debug("answered", extra={"method": method, "host": host, "status": reply.status})
        return reply

    def _refusal(self, reply: Reply, host: str) -> Exception:
        name = self.access.name
        if reply.status == HTTPStatus.UNAUTHORIZED:
            # A token of the secret's own is read again, and can be no fresher than the secret.
            kept = self.access.rules.auth[self.access.connection.auth["type"]].token is None
            again = "read again from the secret" if kept else "fresh ones too"
            return AuthenticationError(
                f"{host} refuses the credentials of connection {name}, {again} (401): "
                f"{self._words(reply)}; check the connection's secret"
            )
        if reply.status == HTTPStatus.FORBIDDEN:
            return AuthenticationError(
                f"{host} forbids this to connection {name} (403): {self._words(reply)}; {self.permission}"
            )
        if reply.status < HTTPStatus.BAD_REQUEST:
            named = "" if reply.headers.get("Location") else " without Location"
            if self.awaiting:
                return MalformedReplyError(f"a redirect ({reply.status}){named}, as of a page in maintenance")
            return ConnectionConfigError(
                f"connection {name}: {host} answers with a redirect ({reply.status}){named}; check base_url"
            )
        return InvalidRequestError(f"{host} refuses the request ({reply.status}): {self._words(reply)}")

    def _words(self, reply: Reply) -> str:
        return self.redact(reply.text) or "no words"

    def redact(self, text: str) -> str:
        """Cut a vendor's words short, without secrets."""
        return redact(" ".join(text.split()), WORDS, self.access.secrets)

    def holds_secret(self, text: str) -> bool:
        """Check whether one of the connection's secrets, in any spelling, is or is in a text that is kept."""
        secrets = self.access.secrets
        return text in secrets or without_secrets(text, secrets) != text
