"""The columns of the tables: what the Parquet files hold, and what the template registers for Athena."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STRING: Final = "string"
JSON: Final = "json"
"""A string that is JSON text, the vendor's own bytes."""
BIGINT: Final = "bigint"
TIMESTAMP: Final = "timestamp"
"""Microseconds, UTC."""

ORIGIN: Final = {
    "source": STRING,
    "connection": STRING,
    "folder": STRING,
    "service": STRING,
    "window_start": TIMESTAMP,
    "window_end": TIMESTAMP,
    "export_id": STRING,
    "source_key": STRING,
    "source_version": STRING,
}
"""Where a row is from: the same for all rows of a landed object."""


@dataclass(frozen=True)
class TableSchema:
    """The columns of one table by name: `values` are a record's own, the others say where it is from."""

    values: Mapping[str, str]

    @property
    def columns(self) -> dict[str, str]:
        """Return all columns with their types, in the order of the files."""
        return {**self.values, "row_error": STRING, **ORIGIN, "entry": STRING, "row_number": BIGINT}


TABLES: Final = {
    "calls": TableSchema(
        {
            **dict.fromkeys(("call_id", "version", "version_id", "user_name", "source_system"), STRING),
            **dict.fromkeys(("correlation_id", "call_purpose", "description", "log_time_text"), STRING),
            **dict.fromkeys(("log_time", "transaction_date"), TIMESTAMP),
            **dict.fromkeys(("calc_time_ms", "total_time_ms"), BIGINT),
            **dict.fromkeys(("error_details", "warning_details"), STRING),
            **dict.fromkeys(("inputs", "outputs", "fields"), JSON),
        }
    ),
    "user_events": TableSchema(
        {
            **dict.fromkeys(("event_type", "event_time_text"), STRING),
            "event_time": TIMESTAMP,
            **dict.fromkeys(("user_name", "event_folder", "event_service", "version", "details"), STRING),
            "fields": JSON,
        }
    ),
    "activity": TableSchema(
        {
            "event_time_text": STRING,
            "event_time": TIMESTAMP,
            **dict.fromkeys(("action", "outcome", "severity"), STRING),
            **dict.fromkeys(("initiator_id", "initiator_name", "target_id", "target_name"), STRING),
            "record": JSON,
        }
    ),
}
"""By name. What was exported with filters lies in a table of the same columns, `{name}_filtered`."""
