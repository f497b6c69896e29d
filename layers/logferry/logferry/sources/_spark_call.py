"""One API call of a Spark service: answered at once, so that a job is just the call's id (v3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logferry.errors import InvalidRequestError
from logferry.models.job import Job, JobState, JobStatus
from logferry.sources import _spark as spark

if TYPE_CHECKING:
    from logferry.models.request import ExportRequest
    from logferry.vendor.client import Api


UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class SparkCall(spark.SparkSource):
    """A call's record: no window, no job at the vendor, nothing to wait for."""

    window = None
    item = ("call_id", "index")
    permission = spark.permission("Spark.DownloadAPILog.json")

    def check_request(self, request: ExportRequest) -> None:
        """Refuse a call id that is no UUID, and an index that is none."""
        if not UUID.fullmatch(str(request.target["call_id"])):
            raise InvalidRequestError(
                'target.call_id: must be a UUID like "329700e6-0850-40cf-b61e-310c2f756b73"'
            )
        if request.target.get("index", 0) < 0:
            raise InvalidRequestError("target.index: must be 0 or more: the place of the record in its call")

    def submit(self, request: ExportRequest, api: Api) -> Job:  # noqa: ARG002 - there is nothing to start
        """Return the call itself as a job that is ready."""
        return Job(str(request.target["call_id"]), request, JobState.READY)

    def poll(self, job: Job, api: Api) -> JobStatus | None:  # noqa: ARG002
        """Return READY at once."""
        return JobStatus(JobState.READY)
