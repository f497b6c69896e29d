"""Spark's single calls: the call's record, and the workbook with its inputs (v3, answered at once)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.log_files import json_record
from tests.sandbox.vendor.messages import Answer, Received, refuse
from tests.sandbox.vendor.questions import Question, body_of, check_uuid
from tests.sandbox.vendor.records import Record, records
from tests.sandbox.vendor.spark_logs import envelope
from tests.sandbox.vendor.workbooks import call_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor.blobs import Blob
    from tests.sandbox.vendor.spark_logs import SparkLogs

PERMISSION = "Spark.DownloadAPILog.json"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CALLED = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)


class SparkCalls:
    """The two call endpoints. `calls` gives each known call's number of records; 0: its log is gone."""

    def __init__(self, logs: SparkLogs, calls: dict[str, int]) -> None:
        self.logs = logs
        self.calls = calls

    def record(self, received: Received) -> Answer:
        """Serve `GET …/log/getexecutionhistorybycallid/{callId}?index=N`, or the older `…/{index}`."""
        tenant, call_id, *rest = received.params
        self.logs.access.check_spark(received, tenant, PERMISSION)
        index = self._index(call_id, rest[0] if rest else received.query.get("index"))
        document = None
        if index is not None:
            item = self._record(call_id, index)
            document = json.dumps(json_record(item, tenant, self._folder, self._service), ensure_ascii=False)
        return Answer.of_json(envelope(document))

    def excel(self, received: Received) -> Answer:
        """Serve `POST …/download/xml/{callId}`, body empty or `{}`; the vendor's SDK sends `?index=`."""
        tenant, folder, service, call_id = received.params
        self.logs.check(received, tenant, folder, service, PERMISSION)
        if received.body and body_of(received):
            raise refuse(400, "INVALID_BODY", "The request body should be empty or {}.")
        index = self._index(call_id, received.query.get("index"))
        if index is None:
            raise refuse(404, "CALL_NOT_FOUND", "The call has no log any more.")
        number = index

        def make(variant: int) -> Blob:
            if self.logs.knobs.file:
                return self.logs.knobs.file(variant)
            key = ("excel", call_id, number, variant, self.logs.knobs.seed)
            return self.logs.shelf.get(key, lambda: self._workbook(call_id, number, service, variant))

        url = self.logs.store.offer(f"{service}_{call_id}.xlsx", XLSX_TYPE, call_id, make)
        document: Any = envelope({"download_url": url})
        if self.logs.knobs.edit_status:
            document = self.logs.knobs.edit_status(document)
        return Answer.of_json(document)

    @property
    def _folder(self) -> str:
        return min(self.logs.services)[0]

    @property
    def _service(self) -> str:
        return min(self.logs.services)[1]

    def _workbook(self, call_id: str, index: int, service: str, variant: int) -> Iterator[bytes]:
        return call_workbook(self._record(call_id, index, variant), service)

    def _index(self, call_id: str, asked: str | None) -> int | None:
        """Give the record's number, the last one by default; None where the call's log is gone."""
        check_uuid(call_id, "callId")
        if call_id not in self.calls:
            raise refuse(404, "CALL_NOT_FOUND", "The call could not be found.")
        count = self.calls[call_id]
        if asked is not None and not asked.isdecimal():
            raise refuse(400, "INVALID_INDEX", "index must be an integer from 0.")
        if count == 0:
            return None
        index = count - 1 if asked is None else int(asked)
        if index >= count:
            raise refuse(400, "INVALID_INDEX", "index is out of bounds.")
        return index

    def _record(self, call_id: str, index: int, variant: int = 0) -> Record:
        question = Question(CALLED, CALLED + timedelta(minutes=1), 0, {"call_ids": [call_id] * (index + 1)})
        seed = f"{self.logs.knobs.seed} {variant} {call_id}"
        return next(records(question, seed, index, index + 1, index + 1))
