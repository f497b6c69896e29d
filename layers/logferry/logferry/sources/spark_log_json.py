"""`spark-log-json`: the API-call log of a Spark service, a ZIP of JSON files."""

from __future__ import annotations

from logferry.models.feed import Feed
from logferry.models.job import FileKind
from logferry.sources._spark import permission
from logferry.sources._spark_log import SparkLog


class SparkLogJson(SparkLog):
    """POST …/log/downloadJSON: the spelling of the vendor's pages; its SDKs write downloadjson."""

    name = "spark-log-json"
    word = "downloadJSON"
    kind = FileKind.ZIP_JSON
    permission = permission("Spark.DownloadJSONLog.json")
    # The page's sample; what takes the time of a calculation alone is not in it.
    feed = Feed(
        "calls",
        paths={
            "call_id": ("EngineCallId", "EngineDetails.response_meta.call_id"),
            "version": ("EngineDetails.response_meta.version",),
            "version_id": (
                "EngineDetails.request_meta.version_id",
                "EngineDetails.response_meta.version_id",
            ),
            "user_name": ("UserName",),
            "source_system": ("SourceSystem", "EngineDetails.request_meta.source_system"),
            "correlation_id": (
                "EngineDetails.request_meta.correlation_id",
                "EngineDetails.response_meta.correlation_id",
            ),
            "call_purpose": ("Purpose", "EngineDetails.request_meta.call_purpose"),
            "log_time_text": ("LogTime",),
            "log_time": ("LogTime",),
            "transaction_date": ("TransactionDate",),
            "total_time_ms": ("EngineDetails.response_meta.process_time",),
            "error_details": ("EngineDetails.response_data.errors",),
            "warning_details": ("EngineDetails.response_data.warnings",),
            "inputs": ("EngineDetails.request_data.inputs",),
            "outputs": ("EngineDetails.response_data.outputs",),
        },
    )


SOURCE = SparkLogJson()
