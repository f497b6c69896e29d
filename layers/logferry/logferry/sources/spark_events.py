"""`spark-events`: the user events of a Spark tenant, one or several XLSX (v4).

Page: https://docs.coherent.global/spark-apis/events-apis. Where its table and its sample disagree
(`pageSize`, `folderId`, the type of `event_types`), the sample's form is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from logferry.errors import InvalidRequestError
from logferry.models.feed import Feed
from logferry.models.job import Download, FileKind, Job, JobState, JobStatus
from logferry.sources import _spark as spark
from logferry.sources.base import VendorLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logferry.models.request import ExportRequest
    from logferry.vendor.client import Api
    from logferry.vendor.transport import Reply

PAGE_SIZE = 100_000
"""Whether the file is cut at `page_size` rows is unknown: the largest page seen in a tenant's limits is
asked for, and a file of just that many rows is called suspect."""

MOST_FILES = 100
"""Files of one job: each is as large as the vendor makes any, and all are named in the export's output."""


@dataclass(frozen=True)
class Filters:
    """Columns to search, and the page."""

    folder_id: str | None = None
    service_name: str | None = None
    user_name: str | None = None
    event_types: list[str] | None = None
    sort_column: str | None = None
    sort_order: Literal["asc", "desc"] | None = None
    page_no: int | None = None
    page_size: int | None = None


class SparkEvents(spark.SparkJobs):
    """POST …/api/v4/events/download."""

    name = "spark-events"
    kind = FileKind.XLSX
    Filters = Filters
    # The page documents bearer tokens only, no API key.
    auth: ClassVar = {"client_credentials": spark.CLIENT_CREDENTIALS, "bearer": spark.BEARER}
    permission = "ask for the permission to download events (Options, Event viewer)"
    limits = VendorLimits(bytes=262_144_000)
    # The workbook's columns are documented nowhere: those that are known are typed, all are in `fields`.
    feed = Feed(
        "user_events",
        headers={
            "event_type": ("Event Type", "Event type"),
            "event_time_text": ("Date", "Event Date", "Timestamp"),
            "event_time": ("Date", "Event Date", "Timestamp"),
            "user_name": ("User name", "User Name"),
            "event_folder": ("Folder", "Folder name"),
            "event_service": ("Service", "Service name"),
            "version": ("Version",),
            "details": ("Details",),
        },
        every_cell=True,
    )

    def check_request(self, request: ExportRequest) -> None:
        """Refuse pages that cannot be."""
        for key in ("page_no", "page_size"):
            if request.filters.get(key, 1) < 1:
                raise InvalidRequestError(f"filters.{key}: must be 1 or more")

    def record_limit(self, request: ExportRequest) -> int | None:
        """Return the page size: a file that full may have been cut."""
        return int(request.filters.get("page_size", PAGE_SIZE))

    def submit(self, request: ExportRequest, api: Api) -> Job:
        """Start the download job; the `status_url` of the reply is never followed."""
        if request.window is None:
            raise TypeError("validated requests of this source have a window")
        filters: dict[str, Any] = request.filters
        columns: dict[str, Any] = {
            key: filters[key] for key in ("folder_id", "service_name", "user_name") if key in filters
        }
        columns["event_start_date"] = spark.moment(request.window.start)
        columns["event_end_date"] = spark.moment(request.window.end, later=True)
        if "event_types" in filters:
            columns["event_types"] = json.dumps(filters["event_types"], separators=(",", ":"))
        page = ("page_size", "page_no", "sort_column", "sort_order")
        document = {
            "page_size": PAGE_SIZE,
            "page_no": 1,
            **{key: filters[key] for key in page if key in filters},
            "search": [{"column": column, "value": value} for column, value in columns.items()],
        }
        url = api.url(api.account, "api", "v4", "events", "download")
        missing = f"connection: the vendor knows no tenant {api.account!r} or no events there"
        reply = api.call("POST", url, document=document, submit=True, missing=missing)
        return spark.job_of((reply.object() or {}).get("id"), request, reply, api)

    def downloads(self, job: Job, api: Api) -> Iterator[Download]:
        """Return each file under `outputs.files`, with a fresh URL and the vendor's hash if any."""
        reply = self.ask(job, api)
        files = _files(reply.object() or {}) if reply else ()
        if not files:
            raise spark.not_ready("files")
        for url, file_hash in files:
            yield Download(url=url, file_hash=file_hash)

    def status_url(self, job: Job, api: Api) -> str:
        """GET …/events/download/{jobId}/status: built from the id, never the reply's own `status_url`."""
        return api.url(api.account, "api", "v4", "events", "download", job.id, "status")

    def read_status(self, reply: Reply, api: Api) -> JobStatus:
        """Read status and files; documented is only "Success"."""
        document = reply.object()
        if document is None:
            return spark.malformed(api, reply)
        failure = spark.failure_of(document)
        if failure is not None:
            return JobStatus(JobState.FAILED, message=api.redact(failure))
        progress = spark.progress_of(document.get("progress"))
        status = document.get("status")
        ready = isinstance(status, str) and spark.plain_word(status) in spark.READY
        if ready and _files(document):
            return JobStatus(JobState.READY, progress)
        if not document.keys() & {"status", "outputs", "progress"}:
            return spark.malformed(api, reply)
        return spark.running(api, progress, document)


def _files(document: dict[str, Any]) -> Sequence[tuple[str, str | None]]:
    """Read the files of a reply, in whatever of the two documented places they are."""
    outputs = document.get("outputs")
    found = []
    if isinstance(outputs, dict) and isinstance(outputs.get("files"), list):
        if len(outputs["files"]) > MOST_FILES:
            raise InvalidRequestError(
                f"the vendor gives {len(outputs['files'])} files for this window, and {MOST_FILES} at most "
                "are taken; ask for a shorter window"
            )
        for file in outputs["files"]:
            url = spark.url_of(file.get("file")) if isinstance(file, dict) else None
            if url:
                given = file.get("file_hash")
                found.append((url, given if isinstance(given, str) and given else None))
    # The prose of the page names a `download_url` where its sample has `outputs.files`.
    single = spark.url_of(document.get("download_url"))
    return found or ([(single, None)] if single else [])


SOURCE = SparkEvents()
