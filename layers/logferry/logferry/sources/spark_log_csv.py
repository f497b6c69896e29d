"""`spark-log-csv`: the API-call log of a Spark service, a ZIP of CSV files."""

from __future__ import annotations

from logferry.models.job import FileKind
from logferry.sources._spark import permission
from logferry.sources._spark_log import SparkLog


class SparkLogCsv(SparkLog):
    """POST …/log/downloadcsv."""

    name = "spark-log-csv"
    word = "downloadcsv"
    kind = FileKind.ZIP_CSV
    permission = permission("Spark.DownloadCsvLog.json")


SOURCE = SparkLogCsv()
