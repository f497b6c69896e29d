"""Spark's API-call log as ZIP of CSV or JSON: submit and status, v3 (pages "Download Log as CSV/JSON")."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.jobs import Job
from tests.sandbox.vendor.log_files import csv_rows, json_record, json_rows, log_zip
from tests.sandbox.vendor.messages import Answer, Received, refuse
from tests.sandbox.vendor.questions import log_question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.sandbox.vendor.access import Access
    from tests.sandbox.vendor.blobs import Blob
    from tests.sandbox.vendor.jobs import Jobs
    from tests.sandbox.vendor.knobs import Knobs
    from tests.sandbox.vendor.records import Record
    from tests.sandbox.vendor.store import Shelf, Store

PERMISSIONS = {"csv": "Spark.DownloadCsvLog.json", "json": "Spark.DownloadJSONLog.json"}
USUAL_FAILURE = {
    "error_category": "EXTERNAL_SERVICE",
    "error_type": "DOWNLOAD_LOG_FAILED",
    "message": "The log could not be exported.",
    "additional_details": "Timeout while reading partition 3",
}


def envelope(response_data: Any, error: Any = None) -> dict[str, Any]:
    """Give the v3 envelope as the pages print it: `status` is null, on success too."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta: dict[str, Any] = {
        "service_id": None,
        "version_id": None,
        "version": None,
        "process_time": 0,
        "call_id": None,
        "compiler_version": None,
        "source_hash": None,
        "engine_id": None,
        "correlation_id": None,
        "parameterset_version_id": None,
        "system": "SPARK",
        "request_timestamp": now,
    }
    return {"status": None, "response_data": response_data, "response_meta": meta, "error": error}


def failure_of(knobs: Knobs) -> Any:
    """Give the error to show: the usual one for True."""
    return USUAL_FAILURE if knobs.failure is True else knobs.failure


class SparkLogs:
    """The two log endpoints; `services` holds the known (folder, service) pairs."""

    def __init__(
        self,
        knobs: Knobs,
        access: Access,
        jobs: Jobs,
        store: Store,
        shelf: Shelf,
        services: set[tuple[str, str]],
    ) -> None:
        self.knobs = knobs
        self.access = access
        self.jobs = jobs
        self.store = store
        self.shelf = shelf
        self.services = services

    def check(self, received: Received, tenant: str, folder: str, service: str, permission: str) -> None:
        """Refuse wrong credentials first, then unknown names."""
        self.access.check_spark(received, tenant, permission)
        if (folder, service) not in self.services:
            raise refuse(404, "SERVICE_NOT_FOUND", "The service could not be found.")

    def submit(self, received: Received) -> Answer:
        """Serve `POST …/log/downloadcsv` and `…/log/downloadJSON`."""
        tenant, folder, service, word = received.params
        kind = word.lower()
        self.check(received, tenant, folder, service, PERMISSIONS[kind])
        question = log_question(received)
        now = self.knobs.clock()
        job = self.jobs.accept(Job(kind, tenant, folder, service, received.json, question, now))
        received.job_id = job.id
        return Answer.of_json(envelope({"job_id": job.id}))

    def status(self, received: Received) -> Answer:
        """Serve `GET …/log/download{csv,JSON}/status/{jobId}`; every reply that has a URL has a fresh one."""
        tenant, folder, service, word, job_id = received.params
        kind = word.lower()
        self.check(received, tenant, folder, service, PERMISSIONS[kind])
        job = self.jobs.find(job_id, kind)
        if (job.folder, job.service) != (folder, service):
            raise refuse(404, "JOB_NOT_FOUND", "The job could not be found.")
        stage = self.jobs.poll(job)
        failure = failure_of(self.knobs) if stage.done else None
        url = self.url(job) if stage.has_url and failure is None else None
        document: Any = envelope({"progress": stage.progress, "download_url": url}, failure)
        if self.knobs.edit_status:
            document = self.knobs.edit_status(document)
        return Answer.of_json(document)

    def url(self, job: Job) -> str:
        """Give a fresh URL of the job's file, named as the pages' sample."""
        name = f"SparkService_allRecords_{datetime.now(UTC):%Y_%m_%d_T_%H_%M_%S}.zip"
        return self.store.offer(name, "application/zip", job.id, lambda variant: self.file(job, variant))

    def file(self, job: Job, variant: int) -> Blob:
        """Give the job's ZIP."""
        if self.knobs.file:
            return self.knobs.file(variant)
        shape = (self.knobs.rows, self.knobs.size, self.knobs.files)
        seed = f"{self.knobs.seed} {variant} {job.folder}/{job.service} {job.question.start.isoformat()}"

        def write(found: Iterable[Record]) -> Iterator[bytes]:
            offset = job.question.offset_hours
            if job.kind == "csv":
                return csv_rows(found, offset)
            return json_rows(json_record(item, job.tenant, job.folder, job.service, offset) for item in found)

        safe = re.sub(r"[^\w-]+", "_", job.service)
        return self.shelf.get(
            (job.id, variant, shape, self.knobs.seed),
            lambda: log_zip(job.question, seed, shape, f"{safe}_allRecords", job.kind, write),
        )
