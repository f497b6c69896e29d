"""Every way to fail. The class names are the error names that the state machines match on.

A message says what was wrong, where, and what to do. It never holds a secret, a header or a URL's query.
"""

from __future__ import annotations


class LogferryError(Exception):
    """What all of our errors have in common; never raised itself."""


class InvalidRequestError(LogferryError):
    """The input is wrong, or the vendor refuses it (a 4xx that is not about credentials)."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ConnectionConfigError(LogferryError):
    """The connection's secret is missing or malformed, or its auth kind is not taken by the source."""


class AuthenticationError(LogferryError):
    """401 after one fresh token, or 403; the message of a 403 names the permission that is missing."""


class SourceUnavailableError(LogferryError):
    """The vendor could not be reached, timed out or answered 5xx, or a download could not be finished."""


class SubmitUncertainError(LogferryError):
    """The vendor may have accepted the job, no reply says so, and no further submit is allowed."""


class ExportFailedError(LogferryError):
    """The vendor says that the job failed, lost it, or answered three times in a row what nobody can read."""


class ExportTimedOutError(LogferryError):
    """The job was not ready before the deadline; the next run adopts it."""


class DownloadRefusedError(LogferryError):
    """A download URL, redirect or address that the connection does not allow; nothing was opened."""


class ExportCutError(LogferryError):
    """The vendor's limit for one download was reached, and `on_limit` says that nothing cut is to land."""


class CorruptDownloadError(LogferryError):
    """The file's length, structure, checksum or kind is wrong; nothing was landed."""


class DeliveryError(LogferryError):
    """S3, SNS or DynamoDB failed beyond the SDK's own retries."""


class CollectionIncompleteError(LogferryError):
    """At least one window of a collection failed, after every other one was tried."""


class Throttled(Exception):  # noqa: N818 - no error: it never leaves a function, the state machine waits
    """The vendor asks for patience: a 429, or a 503 with a delay. `seconds` is how long it asked for."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the vendor asks to wait {seconds:g} s")
        self.seconds = seconds
