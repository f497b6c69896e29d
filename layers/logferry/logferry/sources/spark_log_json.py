"""`spark-log-json`: the API-call log of a Spark service, a ZIP of JSON files."""

from __future__ import annotations

from logferry.models.job import FileKind
from logferry.sources._spark import permission
from logferry.sources._spark_log import SparkLog


class SparkLogJson(SparkLog):
    """POST …/log/downloadJSON: the spelling of the vendor's pages; its SDKs write downloadjson."""

    name = "spark-log-json"
    word = "downloadJSON"
    kind = FileKind.ZIP_JSON
    permission = permission("Spark.DownloadJSONLog.json")


SOURCE = SparkLogJson()
