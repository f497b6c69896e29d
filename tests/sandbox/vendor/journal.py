"""What the vendors have seen: every request, and those that came before a promised delay had passed."""

from __future__ import annotations

import hashlib
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.sandbox.vendor.knobs import Knobs
    from tests.sandbox.vendor.messages import Received

PATIENCE_HEADERS = ("retry-after", "x-retry-after")


def promised_seconds(headers: Mapping[str, str]) -> float | None:
    """Give the delay that an answer's headers ask for: seconds, also fractions, or an HTTP date."""
    for name, value in headers.items():
        if name.lower() in PATIENCE_HEADERS:
            try:
                return float(value)
            except ValueError:
                return parsedate_to_datetime(value).timestamp() - time.time()
    return None


def subject(received: Received) -> str:
    """Tell what a request is about: the job where there is one, else the step, path and body."""
    if received.job_id and received.step != "delete":
        return f"job {received.job_id}"
    body = hashlib.sha256(received.body).hexdigest()[:16]
    return f"{received.step} {received.origin} {received.path} {body}"


class Journal:
    """Thread safe; lists are copies."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self._requests: list[Received] = []
        self._impatient: list[Received] = []
        self._promises: dict[str, float] = {}
        self._lock = threading.Lock()
        self.downloads = 0

    def write(self, received: Received) -> None:
        """Note a request on arrival."""
        with self._lock:
            self._requests.append(received)
            promise = self._promises.get(subject(received), 0.0)
            if received.arrived < promise:
                self._impatient.append(received)

    def promise(self, received: Received, headers: Mapping[str, str]) -> None:
        """Note how long the answer asks to wait before the next request about the same thing."""
        seconds = promised_seconds(headers)
        if seconds is not None:
            with self._lock:
                self._promises[subject(received)] = time.monotonic() + seconds * self.knobs.wait_scale

    def count_download(self) -> None:
        """Count one file that is being handed over."""
        with self._lock:
            self.downloads += 1

    @property
    def requests(self) -> list[Received]:
        """All requests, oldest first."""
        with self._lock:
            return list(self._requests)

    @property
    def impatient(self) -> list[Received]:
        """The requests that came too early."""
        with self._lock:
            return list(self._impatient)
