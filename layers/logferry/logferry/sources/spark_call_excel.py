"""`spark-call-excel`: the original workbook of a service with the inputs of one call.

Page: https://docs.coherent.global/spark-apis/spark-openapi-specification/api-call-history-apis#download-as-excel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from logferry.models.job import Download, FileKind
from logferry.sources import _spark as spark
from logferry.sources._spark_call import SparkCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from logferry.models.job import Job
    from logferry.models.request import ExportRequest
    from logferry.vendor.client import Api


@dataclass(frozen=True)
class Target:
    """The call and the service that it called."""

    folder: str
    service: str
    call_id: str
    index: int | None = None


class SparkCallExcel(SparkCall):
    """POST …/download/xml/{callId}: answers at once with a download URL."""

    name = "spark-call-excel"
    kind = FileKind.XLSX
    Target = Target

    def folder(self, request: ExportRequest) -> Sequence[str]:  # noqa: ARG002
        """Keep calls by their id alone, as `spark-call` does."""
        return []

    def downloads(self, job: Job, api: Api) -> Iterator[Download]:
        """Ask for the workbook; each asking gives a fresh URL."""
        target = job.request.target
        base = (api.account, "api", "v3", "folders", target["folder"], "services", target["service"])
        query = {"index": str(target["index"])} if "index" in target else None
        url = api.url(*base, "download", "xml", job.id, query=query)
        missing = (
            f"target: the vendor knows no call {job.id!r} of service {target['service']!r} in folder "
            f"{target['folder']!r}; check all three, and how long the tenant keeps logs"
        )
        reply = api.call("POST", url, document={}, missing=missing)
        data = (reply.object() or {}).get("response_data")
        link = spark.url_of(data.get("download_url")) if isinstance(data, dict) else None
        if link is None:
            raise spark.not_ready("download_url")
        yield Download(url=link)


SOURCE = SparkCallExcel()
