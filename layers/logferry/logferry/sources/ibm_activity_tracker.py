"""`ibm-activity-tracker`: the events of an IBM Cloud space or account, a gzip of JSON Lines.

A session is opened, downloaded from, and always deleted, since the vendor never deletes one.
Page: IBM Cloud docs, cloud-activity-tracker, "Downloading events" (2019). The service is retired.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from logferry.errors import InvalidRequestError, SubmitUncertainError
from logferry.models.feed import Feed
from logferry.models.job import Download, FileKind, Job, JobState, JobStatus
from logferry.models.request import ExportRequest, Window
from logferry.sources.base import Source, WindowRule, id_of
from logferry.vendor.connection import Auth, TokenRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logferry.vendor.client import Api
    from logferry.vendor.connection import Connection

LONGEST = timedelta(days=15)
"""A session covers 15 days at most."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class Target:
    """The account's events, or the space's."""

    account_level: bool = False


def _token_request(connection: Connection) -> TokenRequest:
    """Ask the UAA server of the region that the endpoint is in, `activity-tracker.{region}.bluemix.net`."""
    host = urlsplit(connection.base_url).hostname or ""
    origin = connection.base_url
    if host.startswith("activity-tracker."):
        origin = f"https://login.{host.removeprefix('activity-tracker.')}"
    url = connection.auth.get("token_url", f"{origin}/UAALoginServerWAR/oauth/token")
    form = {"grant_type": "password", "username": "apikey", "password": connection.auth["api_key"]}
    return TokenRequest(url, form, basic=("cf", ""))


UAA = Auth(
    ("api_key",),
    lambda connection, token: {
        # The page's curl writes "bearer $token", its Node.js sample a bare token; the first is sent.
        "X-Auth-Token": f"bearer {token}",
        "X-Auth-Project-Id": connection.account,
    },
    _token_request,
    takes=("token_url",),
)


class IbmActivityTracker(Source):
    """POST {endpoint}/v3/sessions, GET …/v3/events/download, DELETE …/v3/sessions/{id}."""

    name = "ibm-activity-tracker"
    kind = FileKind.GZIP_JSONL
    Target = Target
    window = WindowRule(longest=LONGEST, zone="UTC")
    auth: ClassVar = {"uaa": UAA}
    account = "space_id"
    permission = "ask for the developer role in the space"
    adoptable = False
    feed = Feed(
        "activity",
        paths={
            "event_time_text": ("eventTime",),
            "event_time": ("eventTime",),
            "action": ("action",),
            "outcome": ("outcome",),
            "severity": ("severity",),
            "initiator_id": ("initiator.id",),
            "initiator_name": ("initiator.name",),
            "target_id": ("target.id",),
            "target_name": ("target.name",),
            "record": ("",),
        },
    )

    def download_hosts(self, base_url: str) -> tuple[str, ...]:
        """Events come from the endpoint itself."""
        return (urlsplit(base_url).netloc,)

    def check_request(self, request: ExportRequest) -> None:
        """Take whole UTC days, at most 15, or one hour of a day."""
        _dates(request)

    def folder(self, request: ExportRequest) -> Sequence[str]:
        """Keep the two domains of events apart."""
        return ["account" if request.target["account_level"] else "space"]

    def submit(self, request: ExportRequest, api: Api) -> Job:
        """Open a session: ready at once."""
        start, end, hour = _dates(request)
        document = {
            "start": start,
            "end": end,
            "AtAccountLevel": request.target["account_level"],
            "SearchTime": hour,
        }
        missing = f"connection: {api.access.connection.host} has no /v3/sessions; check base_url"
        reply = api.call("POST", api.url("v3", "sessions"), document=document, submit=True, missing=missing)
        session = id_of((reply.object() or {}).get("id"))
        if session is None or api.holds_secret(session):
            raise SubmitUncertainError(f"the reply to the submit names no session: {api.redact(reply.text)}")
        return Job(session, request, JobState.READY)

    def poll(self, job: Job, api: Api) -> JobStatus | None:  # noqa: ARG002 - a session is ready once open
        """Return READY at once."""
        return JobStatus(JobState.READY)

    def downloads(self, job: Job, api: Api) -> Iterator[Download]:
        """Return the stream of the session."""
        headers = {"SESSIONID": job.id}
        url = api.url("v3", "events", "download")
        yield Download(url=url, headers=headers, gzipped=True)

    def delete(self, job: Job, api: Api) -> None:
        """Delete the session; one that is gone (404) is just as well."""
        api.call("DELETE", api.url("v3", "sessions", job.id))


def _dates(request: ExportRequest) -> tuple[str, str, str]:
    """Return the session's inclusive first and last day, and the hour or "" for whole days."""
    if request.window is None:
        raise TypeError("validated requests of this source have a window")
    window = Window(request.window.start.astimezone(UTC), request.window.end.astimezone(UTC))
    length = window.end - window.start
    if (
        length == HOUR
        and window.start.time() == window.start.replace(minute=0, second=0, microsecond=0).time()
    ):
        day = window.start.date().isoformat()
        return day, day, str(window.start.hour)
    midnight = timedelta()
    since_midnight = window.start - window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    if length % DAY != midnight or since_midnight != midnight:
        raise InvalidRequestError("window: this source takes whole UTC days, or one whole hour")
    if length > LONGEST:
        raise InvalidRequestError("window: this source takes at most 15 days; ask for several windows")
    return window.start.date().isoformat(), (window.end - DAY).date().isoformat(), ""


SOURCE = IbmActivityTracker()
