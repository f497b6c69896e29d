"""The files of an API-call log: ZIPs of CSV, ZIPs of JSON, and one call's record."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.records import INPUTS, OUTPUTS, Record, csv_time, json_time, record_count, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.sandbox.vendor.questions import Question

HEADER = (
    "Description",
    "Log Time",
    "Transaction date",
    "Version",
    "Version ID",
    "User name",
    "Source system",
    "Correlation ID",
    "Call purpose",
    "Call ID",
    "Calc time (ms)",
    "Total time (ms)",
)
FIXED_DATE = (2026, 1, 1, 0, 0, 0)
FLUSH_ROWS = 256


class Sink(io.RawIOBase):
    """What a ZipFile writes into without seeking; `take` gives what has come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Take writes; there is no seeking, so ZipFile uses data descriptors, as streaming servers do."""
        return True

    def write(self, data: Any) -> int:
        """Keep the bytes until they are taken."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Give and forget what has come."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zip_stream(entries: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """Give a deflated ZIP piece by piece; with no entries it is the empty archive, 22 bytes."""
    sink = Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, FIXED_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=False) as member:
                for block in content:
                    member.write(block)
                    yield sink.take()
    yield sink.take()


def csv_rows(found: Iterable[Record], offset_hours: int) -> Iterator[bytes]:
    """Give a CSV with the documented header; inputs and outputs are columns of the service's own."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*HEADER, *INPUTS, *OUTPUTS, "Error Details", "Warning Details"])
    for number, item in enumerate(found, 1):
        logged = csv_time(item.logged, offset_hours)
        writer.writerow(
            [
                "",
                logged,
                logged,
                item.version,
                item.version_id,
                item.user,
                item.system,
                item.correlation,
                item.purpose,
                item.call_id,
                item.calc_ms,
                item.total_ms,
                *item.inputs.values(),
                *item.outputs.values(),
                item.error,
                item.warning,
            ]
        )
        if number % FLUSH_ROWS == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def json_record(
    item: Record, tenant: str, folder: str, service: str, offset_hours: int = 0
) -> dict[str, Any]:
    """Give one call as the JSON log holds it."""
    logged = json_time(item.logged, offset_hours)
    errors = [{"error_category": "CALC", "message": item.error}] if item.error else None
    warnings = [{"message": item.warning}] if item.warning else None
    return {
        "EngineCallId": item.call_id,
        "LogTime": logged,
        "TransactionDate": logged,
        "SourceSystem": item.system,
        "Purpose": item.purpose,
        "UserName": item.user,
        "HostName": "excel.sandbox.coherent.global",
        "Tenant": tenant,
        "Service": service,
        "Product": folder,
        "EngineDetails": {
            "request_data": {"inputs": item.inputs},
            "request_meta": {
                "version_id": item.version_id,
                "call_purpose": item.purpose,
                "source_system": item.system,
                "correlation_id": item.correlation,
            },
            "response_data": {"outputs": item.outputs, "errors": errors, "warnings": warnings},
            "response_meta": {
                "version": item.version,
                "process_time": item.total_ms,
                "call_id": item.call_id,
            },
        },
    }


def json_rows(found: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Give a JSON array, an item a line."""
    yield b"["
    for number, item in enumerate(found):
        yield (b",\n" if number else b"\n") + json.dumps(item, ensure_ascii=False).encode()
    yield b"\n]"


def log_zip(
    question: Question,
    seed: str,
    shape: tuple[int | None, int | None, int],
    name: str,
    extension: str,
    write: Callable[[Iterable[Record]], Iterator[bytes]],
) -> Iterator[bytes]:
    """Give a log's ZIP; `shape` is (rows, size, files), the rows are spread over the files in time order."""
    rows, size, files = shape
    count = record_count(question, seed, rows, size)
    files = min(files, count)
    edges = [count * number // files for number in range(files + 1)] if files else []
    return zip_stream(
        (f"{name}_{number + 1}.{extension}", write(records(question, seed, first, last, count)))
        for number, (first, last) in enumerate(pairwise(edges))
    )
