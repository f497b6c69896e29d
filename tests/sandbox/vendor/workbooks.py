"""XLSX files: the user events, and a service's workbook with one call's inputs."""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import xlsxwriter

from tests.sandbox.vendor.records import USERS, Record, json_time, record_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.sandbox.vendor.questions import Question

EVENT_HEADER = ("Event Type", "Date", "User name", "Folder", "Service", "Version", "Details")
EVENT_TYPES = ("PublishEngine", "DownloadEngine", "CreateFolder", "UpdatePermission", "DeleteEngine")
MADE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
READ = 256 * 1024

Sheet = tuple[str, "Iterable[Sequence[Any]]"]


def workbook(sheets: Iterable[Sheet]) -> Iterator[bytes]:
    """Give an XLSX; the same rows give the same bytes. The writer spools rows to disk."""
    with tempfile.TemporaryFile() as file:
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False})
        book.set_properties({"created": MADE})
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
        book.close()
        file.seek(0)
        while block := file.read(READ):
            yield block


def event_rows(question: Question, seed: str, first: int, last: int, count: int) -> Iterator[Sequence[Any]]:
    """Give the header, then events `first` to `last` (exclusive) of `count`, all inside the span."""
    yield EVENT_HEADER
    step = (question.end - question.start) / max(count, 1)
    filters = question.filters
    for number in range(first, last):
        dice = random.Random(f"event {seed} {number}")  # noqa: S311 - made-up data
        yield (
            dice.choice(filters.get("event_types", EVENT_TYPES)),
            json_time(question.start + step * (number + dice.random() * 0.99)),
            filters.get("user_name", dice.choice(USERS)),
            filters.get("folder_id", filters.get("folderId", "Motor")),
            filters.get("service_name", dice.choice(("Quote", "Renewal"))),
            f"1.{dice.randint(0, 3)}.0",
            dice.choice(("", "released, v2", 'renamed to "Quote\nUK"', "=not a formula")),
        )


def events_workbook(
    question: Question, seed: str, rows: int | None, part: tuple[int, int]
) -> Iterator[bytes]:
    """Give one of the events' files; `part` is (number, of how many), the events are spread over them."""
    count = record_count(question, seed, rows, None)
    number, parts = part
    first, last = count * number // parts, count * (number + 1) // parts
    return workbook([("Events", event_rows(question, seed, first, last, count))])


def call_workbook(record: Record, service: str) -> Iterator[bytes]:
    """Give the service's workbook with a call's inputs and outputs filled in."""
    inputs = [("Input", "Value"), *record.inputs.items()]
    outputs = [("Output", "Value"), *record.outputs.items()]
    info = [("Property", "Value"), ("Service", service), ("Call ID", record.call_id)]
    return workbook([("Inputs", inputs), ("Outputs", outputs), ("Info", info)])
