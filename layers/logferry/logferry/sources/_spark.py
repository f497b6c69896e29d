"""What Coherent Spark's export APIs have in common: hosts, credentials, the job envelope, replies.

Pages: https://docs.coherent.global/spark-apis/api-call-history-apis and …/events-apis.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from logferry.errors import SourceUnavailableError, SubmitUncertainError
from logferry.models.job import Job, JobState, JobStatus
from logferry.sources.base import Source, id_of
from logferry.vendor.connection import Auth, TokenRequest
from logferry.vendor.transport import SMALL_REPLY_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from logferry.models.request import ExportRequest
    from logferry.vendor.client import Api
    from logferry.vendor.connection import Connection
    from logferry.vendor.transport import Reply

DOMAIN = ".coherent.global"

DONE = 100
"""The progress of a job that is done."""

FAILED = {
    *("failed", "failure", "error", "errored", "cancelled", "canceled", "aborted", "rejected"),
    *("timedout", "timeout", "expired", "terminated", "faulted"),
}
"""Status words of jobs that will give nothing, as `plain_word` writes them; only "Success" is documented,
these are its siblings'."""

READY = {"success", "succeeded", "successful", "completed", "complete", "closed", "done", "finished", "ready"}

PENDING = {
    *(
        "",
        "null",
        "none",
        "ok",
        "accepted",
        "created",
        "pending",
        "queued",
        "waiting",
        "scheduled",
        "submitted",
    ),
    *("started", "running", "processing", "inprogress", "active", "open", "new", "initializing"),
    "retrying",
}
"""Status words of jobs that go on; one that is in none of the three lists is logged as unknown."""

TOO_LARGE = re.compile(
    r"(?!.*\b(?:rate|time|timeout|quota|requests?|seconds?|minutes?)\b)"
    r"(?=.*\b(?:records?|rows?|entries|items|events?|calls?|logs?|results?|files?|size|bytes|[kmg]i?b|data"
    r"|exports?|downloads?|range)\b)"
    r".*\b(?:too (?:many|large|big|long)|exceed(?:s|ed|ing)?|over the (?:limit|maximum)"
    r"|(?:more|greater|larger) than the (?:limit|maximum)|(?:limit|maximum) (?:is |was |of .*)?reached)\b",
    re.IGNORECASE | re.DOTALL,
)
"""What a failure says that is due to the size of the result. No page documents such words: these are the
usual ones, and any other failure stays one."""

NO_LETTERS = re.compile(r"[\W_]+")


def moment(time: datetime, *, later: bool = False) -> str:
    """Write a time as the pages do, `2022-10-30T18:30:00.853Z`; a finer fraction is cut, or goes up."""
    fine = time.microsecond % 1000
    if fine:
        time += timedelta(microseconds=1000 - fine if later else -fine)
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _token_request(connection: Connection) -> TokenRequest:
    """Ask Keycloak: on its own host in the vendor's cloud, on the origin of `base_url` elsewhere."""
    origin = connection.base_url
    host = urlsplit(origin).hostname or ""
    if host.startswith("excel.") and host.endswith(DOMAIN):
        origin = f"https://keycloak.{host.removeprefix('excel.')}"
    realm = quote(connection.account, safe="")
    url = connection.auth.get("token_url", f"{origin}/auth/realms/{realm}/protocol/openid-connect/token")
    form = {
        "grant_type": "client_credentials",
        "client_id": connection.auth["client_id"],
        "client_secret": connection.auth["client_secret"],
    }
    return TokenRequest(url, form)


def _bearer(_connection: Connection, token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


CLIENT_CREDENTIALS = Auth(("client_id", "client_secret"), _bearer, _token_request, takes=("token_url",))
BEARER = Auth(
    ("token",),
    lambda connection, _: {
        "Authorization": f"Bearer {connection.auth['token'].removeprefix('Bearer ')}",
    },
)
API_KEY = Auth(
    ("key",),
    # Never with Authorization beside them: Spark then answers INVALID_TOKEN.
    lambda connection, _: {"x-synthetic-key": connection.auth["key"], "x-tenant-name": connection.account},
)


class SparkSource(Source):
    """A Spark API: every auth kind, one tenant."""

    auth: ClassVar = {"client_credentials": CLIENT_CREDENTIALS, "bearer": BEARER, "api_key": API_KEY}
    account = "tenant"

    def download_hosts(self, base_url: str) -> tuple[str, ...]:  # noqa: ARG002 - wherever the tenant is
        """Files come from several labels of the vendor's domain, entitystore.… among them."""
        return (f"*{DOMAIN}",)


class SparkJobs(SparkSource):
    """An API that starts a job and is asked for it until there is a file."""

    too_large = TOO_LARGE

    @abstractmethod
    def status_url(self, job: Job, api: Api) -> str:
        """Build the URL that is asked for the job: a URL from a reply is never followed."""

    @abstractmethod
    def read_status(self, reply: Reply, api: Api) -> JobStatus:
        """Make any reply at all RUNNING, READY, FAILED or MALFORMED."""

    def poll(self, job: Job, api: Api) -> JobStatus | None:
        """Ask how the job is."""
        reply = self.ask(job, api)
        return self.read_status(reply, api) if reply else None

    def ask(self, job: Job, api: Api) -> Reply | None:
        """Ask for the job; None where the vendor does not know it."""
        reply = api.call("GET", self.status_url(job, api), limit=SMALL_REPLY_BYTES)
        return None if reply.status == HTTPStatus.NOT_FOUND else reply


def job_of(job_id: Any, request: ExportRequest, reply: Reply, api: Api) -> Job:
    """Return the job that a reply to a submit names; SubmitUncertainError where it names none."""
    named = id_of(job_id)
    if named is None or api.holds_secret(named):
        raise SubmitUncertainError(f"the reply to the submit names no job: {api.redact(reply.text)}")
    return Job(named, request)


def permission(name: str) -> str:
    """Return which feature permission lets a caller in."""
    return f"ask for the feature permission {name} or Spark.AllEncompassingProxy.json"


def progress_of(value: Any) -> float | None:
    """Read a progress in percent from whatever the vendor put there; None where it tells nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return min(max(number, 0.0), 100.0) if math.isfinite(number) else None


def failure_words(error: Any) -> str | None:
    """Find the vendor's own words in an error, or None where it is none: null, 0, empty, the text "null"."""
    match error:
        case None | False | 0 | "" | "null":
            return None
        case str():
            return error
        case dict():
            for key in ("message", "error_type", "error_category", "additional_details"):
                said = error.get(key)
                if isinstance(said, str) and said not in {"", "null"}:
                    return said
            return "an error without words" if any(value for value in error.values()) else None
        case list() if not error:
            return None
    return "an error without words"


def failure_of(document: dict[str, Any]) -> str | None:
    """Find what a reply says of a failure; None where it tells of none. A null `status` says nothing."""
    words = failure_words(document.get("error")) or failure_words(document.get("last_error_message"))
    status = document.get("status")
    if words is None and isinstance(status, str) and plain_word(status) in FAILED:
        return f"status {status.strip()}"
    return words


def plain_word(status: str) -> str:
    """Write a status word without blanks, dashes and capitals: "Timed-Out" is `timedout`."""
    return NO_LETTERS.sub("", status).lower()


def unknown_word(*documents: Any) -> str | None:
    """Return the first status word that is in none of our lists; the job counts as RUNNING all the same."""
    for document in documents:
        status = document.get("status") if isinstance(document, dict) else None
        if isinstance(status, str) and plain_word(status) not in FAILED | READY | PENDING:
            return status
    return None


def running(api: Api, progress: float | None, *documents: Any) -> JobStatus:
    """Return that the job goes on, with a status word that nobody knows."""
    unknown = unknown_word(*documents)
    return JobStatus(JobState.RUNNING, progress, unknown=None if unknown is None else api.redact(unknown))


def url_of(value: Any) -> str | None:
    """Return a URL that is one."""
    return value if isinstance(value, str) and value.strip() else None


def malformed(api: Api, reply: Reply) -> JobStatus:
    """Name a reply that nobody can read, with the beginning of it."""
    return JobStatus(JobState.MALFORMED, message=f"cannot be read: {api.redact(reply.text) or 'empty'}")


def not_ready(what: str) -> SourceUnavailableError:
    """Name a job that was ready and now gives no file: asked again later it may."""
    return SourceUnavailableError(f"the job is ready but the vendor gives no {what}; Logferry asks again")
