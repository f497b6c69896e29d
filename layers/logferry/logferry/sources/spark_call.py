"""`spark-call`: the record of one API call, decoded from the text that the vendor wraps it in.

Page: https://docs.coherent.global/spark-apis/spark-openapi-specification/api-call-history-apis#get-call-id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from logferry.errors import InvalidRequestError
from logferry.models.job import Download, FileKind
from logferry.sources import _spark as spark
from logferry.sources._spark_call import SparkCall
from logferry.verify.json_items import is_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logferry.models.job import Job
    from logferry.vendor.client import Api


@dataclass(frozen=True)
class Target:
    """The call, and the place of one record where a v4 call held several."""

    call_id: str
    index: int | None = None


class SparkCallRecord(SparkCall):
    """GET …/log/getexecutionhistorybycallid/{callId}."""

    name = "spark-call"
    kind = FileKind.JSON
    Target = Target

    def downloads(self, job: Job, api: Api) -> Iterator[Download]:
        """Return the record; its absence is an InvalidRequestError, and no empty file."""
        index = job.request.target.get("index")
        query = None if index is None else {"index": str(index)}
        url = api.url(api.account, "api", "v3", "log", "getexecutionhistorybycallid", job.id, query=query)
        reply = api.call("GET", url)
        document = reply.object()
        if document is None and reply.status != HTTPStatus.NOT_FOUND:
            raise spark.not_ready("record")
        text = _decoded((document or {}).get("response_data"))
        if reply.status == HTTPStatus.NOT_FOUND or text is None:
            raise InvalidRequestError(
                f"target.call_id: the vendor keeps no record of call {job.id!r}"
                f"{'' if index is None else f' at index {index}'}; "
                "check the id, and how long the tenant keeps logs"
            )
        # Half a surrogate pair, which UTF-8 does not know, becomes the escape that JSON has for it.
        yield Download(content=f"{text}\n".encode(errors="backslashreplace"))


def _decoded(data: Any) -> str | None:
    """Return the JSON document that stands inside a string, as it was written there: no digit of it changes.

    What is no JSON document becomes one; None where there is nothing.
    """
    if isinstance(data, str):
        if data.strip() in {"", "null"}:
            return None
        if is_document(data):
            return data
    return json.dumps(data, ensure_ascii=False) if data else None


SOURCE = SparkCallRecord()
