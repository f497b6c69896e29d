"""Spark's user events as XLSX: submit and status, v4 (page "Events APIs"); bearer tokens only."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.blobs import read_all
from tests.sandbox.vendor.jobs import Job
from tests.sandbox.vendor.messages import Answer, Received
from tests.sandbox.vendor.questions import events_question
from tests.sandbox.vendor.spark_calls import XLSX_TYPE
from tests.sandbox.vendor.spark_logs import failure_of
from tests.sandbox.vendor.workbooks import events_workbook

if TYPE_CHECKING:
    from tests.sandbox.vendor.blobs import Blob
    from tests.sandbox.vendor.spark_logs import SparkLogs

STATUS_HOST = "https://sandbox.coherent.global"
"""Another host than the API's, as in the page's own sample: a client must build the URL from the id."""
SUCCESS_WORDS = {"success", "completed", "closed"}


class SparkEvents:
    """The events endpoints."""

    def __init__(self, logs: SparkLogs) -> None:
        self.logs = logs

    def submit(self, received: Received) -> Answer:
        """Serve `POST /{tenant}/api/v4/events/download`."""
        (tenant,) = received.params
        self.logs.access.check_spark(received, tenant, bearer_only=True)
        question = events_question(received)
        now = self.logs.knobs.clock()
        job = self.logs.jobs.accept(Job("events", tenant, "", "", received.json, question, now))
        received.job_id = job.id
        return Answer.of_json({"object": "events", "id": job.id, "status_url": self._status_url(job)})

    def status(self, received: Received) -> Answer:
        """Serve `GET /{tenant}/api/v4/events/download/{jobId}/status`."""
        tenant, job_id = received.params
        self.logs.access.check_spark(received, tenant, bearer_only=True)
        job = self.logs.jobs.find(job_id, "events")
        stage = self.logs.jobs.poll(job)
        knobs = self.logs.knobs
        failure = failure_of(knobs) if stage.done else None
        word = knobs.event_status if stage.done else knobs.event_running
        if failure is not None and word and word.lower() in SUCCESS_WORDS:
            word = "failed"
        files = stage.has_url and failure is None and word is not None and word.lower() in SUCCESS_WORDS
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        document: Any = {
            "object": "events",
            "id": job.id,
            "status_url": self._status_url(job),
            "response_timestamp": now,
            "status": word,
            "process_time": int(1000 * (knobs.clock() - job.accepted)),
            "outputs": {"files": self._files(job)} if files else None,
            "error": failure,
            "source_system": "SPARK",
            "correlation_id": "",
        }
        if knobs.edit_status:
            document = knobs.edit_status(document)
        return Answer.of_json(document)

    def _status_url(self, job: Job) -> str:
        return f"{STATUS_HOST}/{job.tenant}/api/v4/events/download/{job.id}/status"

    def _files(self, job: Job) -> list[dict[str, Any]]:
        count = self.logs.knobs.event_files
        stem = f"coherent_events_{datetime.now(UTC):%Y_%m_%d_T_%H_%M_%S}"
        found = []
        for number in range(count):
            name = f"{stem}_{number + 1}.xlsx" if count > 1 else f"{stem}.xlsx"
            url = self.logs.store.offer(name, XLSX_TYPE, job.id, partial(self._file, job, number))
            found.append({"file": url, "file_hash": self._hash(job, number)})
        return found

    def _file(self, job: Job, number: int, variant: int) -> Blob:
        knobs = self.logs.knobs
        if knobs.file:
            return knobs.file(variant)
        rows, part = knobs.rows, (number, knobs.event_files)
        if knobs.page_cut and job.question.page_size is not None:
            rows = min(rows if rows is not None else job.question.page_size, job.question.page_size)
        seed = f"{knobs.seed} {variant} {job.question.start.isoformat()}"
        key = (job.id, part, variant, rows, knobs.seed)
        return self.logs.shelf.get(key, lambda: events_workbook(job.question, seed, rows, part))

    def _hash(self, job: Job, number: int) -> str | None:
        wanted = self.logs.knobs.file_hash
        name, _, form = (wanted or "").partition(":")
        if name not in {"md5", "sha1", "sha256"}:
            return wanted
        digest = hashlib.new(name, read_all(self._file(job, number, 0)))
        return base64.b64encode(digest.digest()).decode() if form == "base64" else digest.hexdigest()
