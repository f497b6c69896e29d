"""`spark-log-csv`: the API-call log of a Spark service, a ZIP of CSV files."""

from __future__ import annotations

from logferry.models.feed import Feed
from logferry.models.job import FileKind
from logferry.sources._spark import permission
from logferry.sources._spark_log import SparkLog


class SparkLogCsv(SparkLog):
    """POST …/log/downloadcsv."""

    name = "spark-log-csv"
    word = "downloadcsv"
    kind = FileKind.ZIP_CSV
    permission = permission("Spark.DownloadCsvLog.json")
    # The header of the vendor's SDK; the service's own columns stand before the last two.
    feed = Feed(
        "calls",
        headers={
            "call_id": ("Call ID",),
            "version": ("Version",),
            "version_id": ("Version ID",),
            "user_name": ("User name",),
            "source_system": ("Source system",),
            "correlation_id": ("Correlation ID",),
            "call_purpose": ("Call purpose",),
            "description": ("Description",),
            "log_time_text": ("Log Time",),
            "log_time": ("Log Time",),
            "transaction_date": ("Transaction date",),
            "calc_time_ms": ("Calc time (ms)",),
            "total_time_ms": ("Total time (ms)",),
            "error_details": ("Error Details",),
            "warning_details": ("Warning Details",),
        },
        key="call_id",
        behind=frozenset({"error_details", "warning_details"}),
    )


SOURCE = SparkLogCsv()
