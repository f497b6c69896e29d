"""What passes over the wire: requests as received, answers as given, replies as scripted by a test."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.sandbox.vendor.blobs import Blob
    from tests.sandbox.vendor.delivery import Framing

JSON_TYPE = "application/json; charset=utf-8"


@dataclass
class Received:
    """One request, with the status that it was answered (None while open, 0 when cut without an answer).

    `time` is wall-clock seconds, `headers` have lower-case names, `form` is set for form posts, `json` where
    the body is JSON. `origin` is `api` or `download`; `step` is the name that scripts and hooks use.
    """

    origin: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    time: float
    arrived: float
    step: str = "other"
    status: int | None = None
    job_id: str | None = None
    params: tuple[str, ...] = ()
    form: dict[str, str] | None = None
    json: Any = None

    def __post_init__(self) -> None:
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            self.form = {key: values[-1] for key, values in parse_qs(self.body.decode("latin-1")).items()}
        elif self.body:
            try:
                self.json = json.loads(self.body)
            except ValueError:
                self.json = None

    @property
    def path(self) -> str:
        """The path as it came, percent-encoding and all."""
        return urlsplit(self.target).path

    @property
    def segments(self) -> list[str]:
        """The path's segments, each decoded by itself, so that `%2F` stays inside its segment."""
        return [unquote(part) for part in self.path.split("/")[1:]]

    @property
    def query(self) -> dict[str, str]:
        """The query's last values."""
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {key: values[-1] for key, values in pairs.items()}


@dataclass
class Answer:
    """What the emulation answers: a small body, or a file, made for a variant, in the usual framing.

    A file that is not `resumable` has no entity tag and no ranges, whatever its delivery says.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    file: Callable[[int], Blob] | None = None
    framing: Framing = "length"
    resumable: bool = True

    @classmethod
    def of_json(cls, document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """Answer with a JSON document."""
        return cls(status, json.dumps(document).encode(), {"Content-Type": JSON_TYPE, **(headers or {})})


class RefusedError(Exception):
    """The emulated vendor says no: raised anywhere below a route, carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


@dataclass(frozen=True)
class Reply:
    """A scripted reply to the next request of a step.

    Without a `status` the normal answer is given, after `delay` seconds and with `headers` added. With one,
    `json` or `body` is sent; the step's work is done first only where `accept` says so. `close` ends the
    connection instead of answering, `reset` does so with a TCP RST: with `accept` the job exists and the
    reply is lost.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    body: bytes | None = None
    delay: float = 0.0
    accept: bool = False
    close: bool = False
    reset: bool = False

    @classmethod
    def lost(cls, *, reset: bool = False) -> Reply:
        """Accept the request, lose the reply."""
        return cls(accept=True, close=True, reset=reset)

    @classmethod
    def dropped(cls, *, reset: bool = False) -> Reply:
        """Close the connection without reading anything into the request."""
        return cls(close=True, reset=reset)

    @classmethod
    def throttled(cls, seconds: float | str, status: int = 429, header: str = "Retry-After") -> Reply:
        """Ask for patience: `seconds`, or an HTTP date, in the header."""
        return cls(status, {header: f"{seconds:g}" if isinstance(seconds, (int, float)) else seconds})

    @property
    def ends(self) -> bool:
        """Whether the connection ends without an answer."""
        return self.close or self.reset

    def to_answer(self) -> Answer:
        """Give the scripted answer; a status without a body gets the vendor's error body from 400 on."""
        status = self.status or 200
        if self.body is not None:
            answer = Answer(status, self.body)
        elif self.json is not None:
            answer = Answer.of_json(self.json, status)
        elif status >= 400:
            answer = refusal(status, "SCRIPTED", f"scripted {status}")
        else:
            answer = Answer(status)
        answer.headers.update(self.headers)
        return answer


ERROR_CATEGORIES = {401: "AUTHENTICATION", 403: "AUTHORIZATION", 404: "NOT_FOUND", 429: "THROTTLING"}


def refusal(status: int, error_type: str, message: str) -> Answer:
    """Give Coherent's error body (its shape is known from public code that reads it)."""
    error = {
        "error_category": ERROR_CATEGORIES.get(status, "INPUT_VALIDATION" if status < 500 else "INTERNAL"),
        "error_type": error_type,
        "message": message,
        "additional_details": None,
    }
    return Answer.of_json({"status": "Error", "error": error}, status)


def refuse(status: int, error_type: str, message: str) -> RefusedError:
    """Give the exception to raise for a refusal with Coherent's error body."""
    return RefusedError(refusal(status, error_type, message))
