"""The API-call log of a Spark service as a ZIP: one job, CSV and JSON alike (v3).

Pages: https://docs.coherent.global/spark-apis/api-call-history-apis/download-log-as-csv, -as-json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from logferry.models.job import Download, Job, JobState, JobStatus
from logferry.sources import _spark as spark
from logferry.sources.base import VendorLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logferry.models.request import ExportRequest
    from logferry.vendor.client import Api
    from logferry.vendor.transport import Reply


@dataclass(frozen=True)
class Target:
    """The service whose calls were logged."""

    folder: str
    service: str


@dataclass(frozen=True)
class Filters:
    """The vendor's own filters; `call_ids` holds call ids, or one correlation id, or one source system."""

    timezone_offset: int | None = None
    call_ids: list[str] | None = None
    callpurpose: str | None = None
    userName: str | None = None  # noqa: N815 - the vendor's own name
    has_warnings: bool | None = None
    has_errors: bool | None = None
    version_id: str | None = None


class SparkLog(spark.SparkJobs):
    """A log download; the two formats differ in a word of the path and in what the ZIP holds."""

    Target = Target
    Filters = Filters
    # A tenant's limits in the sample configuration of the vendor's SDK; whether it cuts there is unknown.
    limits = VendorLimits(records=100_000, bytes=26_214_400)

    word: ClassVar[str]

    def _url(self, request: ExportRequest, api: Api, *more: str) -> str:
        folder, service = request.target["folder"], request.target["service"]
        base = (api.account, "api", "v3", "folders", folder, "services", service, "log", self.word)
        return api.url(*base, *more)

    def submit(self, request: ExportRequest, api: Api) -> Job:
        """Start the download job."""
        if request.window is None:
            raise TypeError("validated requests of this source have a window")
        filters = dict(request.filters)
        version_id = filters.pop("version_id", None)
        # Whether the vendor's end is inclusive is unknown: sent unchanged, a boundary record may come twice.
        document = {
            "request_data": {
                **filters,
                "start_date": spark.moment(request.window.start),
                "end_date": spark.moment(request.window.end, later=True),
            },
            **({"request_meta": {"version_id": version_id}} if version_id else {}),
        }
        url = self._url(request, api)
        reply = api.call("POST", url, document=document, submit=True, missing=_unknown(request))
        data = (reply.object() or {}).get("response_data")
        return spark.job_of(data.get("job_id") if isinstance(data, dict) else None, request, reply, api)

    def downloads(self, job: Job, api: Api) -> Iterator[Download]:
        """Return the one ZIP, with a fresh URL."""
        reply = self.ask(job, api)
        data = (reply.object() or {}).get("response_data") if reply else None
        url = spark.url_of(data.get("download_url")) if isinstance(data, dict) else None
        if url is None:
            raise spark.not_ready("download_url")
        yield Download(url=url)

    def status_url(self, job: Job, api: Api) -> str:
        """GET …/log/{word}/status/{jobId}."""
        return self._url(job.request, api, "status", job.id)

    def read_status(self, reply: Reply, api: Api) -> JobStatus:
        """Read progress and URL. The top-level `status` is null even on success, and means nothing."""
        document = reply.object()
        if document is None:
            return spark.malformed(api, reply)
        data = document.get("response_data")
        failure = spark.failure_of(document) or (spark.failure_of(data) if isinstance(data, dict) else None)
        if failure is not None:
            return JobStatus(JobState.FAILED, message=api.redact(failure))
        if not isinstance(data, dict) or not data.keys() & {"progress", "download_url"}:
            return spark.malformed(api, reply)
        progress = spark.progress_of(data.get("progress"))
        done = progress is None or progress >= spark.DONE
        if done and spark.url_of(data.get("download_url")):
            return JobStatus(JobState.READY, progress)
        return spark.running(api, progress, document, data)


def _unknown(request: ExportRequest) -> str:
    return (
        f"target: the vendor knows no service {request.target['service']!r} in folder "
        f"{request.target['folder']!r}; check target.folder, target.service and the connection's tenant"
    )
