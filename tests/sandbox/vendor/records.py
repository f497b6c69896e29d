"""The calls that a Spark service has answered, made up: the same for the same seed and question."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor.questions import Question

USERS = (
    "amelia.hart@acme.example",
    "jörg.weiß@acme.example",
    "quote-engine@acme.example",
    "田中@acme.example",
)
SYSTEMS = ("Broker portal", "Renewals batch", "Mobile app")
PURPOSES = ("Spark - API Tester", "Quotation", "Renewal", "Single Execution")
VERSION_IDS = ("7c3a51a3-a0ae-41ec-b78a-5b8f75376b2f", "0a3e4c50-9cf3-4bd5-9f7f-6c2b0f6ac5f1")
ERRORS = (
    'Input "Driver Age" is out of range,\nallowed: 17, 99',
    '#VALUE! in Rating!D14, see "Premium"\r\nThe cell\'s inputs were: 12, N/A',
)
WARNINGS = ("Vehicle Value was rounded, down", 'Postcode "ZZ9" is unknown;\ndefault area used')
INPUTS = ("Driver Age", "Vehicle Value", "No Claims Years", "Postcode")
OUTPUTS = ("Base Premium", "Loading", "Total Premium")
BYTES_A_RECORD = 300
"""A CSV row is about that long: how a size is turned into a row count."""


@dataclass(frozen=True)
class Record:
    """One call of a service."""

    call_id: str
    logged: datetime
    version: str
    version_id: str
    user: str
    system: str
    correlation: str
    purpose: str
    calc_ms: int
    total_ms: int
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    error: str
    warning: str


def csv_time(moment: datetime, offset_hours: int) -> str:
    """Write a time as the CSV log does, `1970-12-03T04:56:56+00:00`, shifted by `timezone_offset` hours."""
    return moment.astimezone(timezone(timedelta(hours=offset_hours))).isoformat(timespec="seconds")


def json_time(moment: datetime, offset_hours: int = 0) -> str:
    """Write a time as the JSON log does, `1970-12-03T04:56:56.186Z`, shifted by `timezone_offset` hours."""
    text = moment.astimezone(timezone(timedelta(hours=offset_hours))).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def record_count(question: Question, seed: str, rows: int | None, size: int | None) -> int:
    """Tell how many records answer a question: as ordered, as the call ids say, or 50 to 300."""
    if size is not None:
        rows = max(1, size // BYTES_A_RECORD)
    if rows is None:
        rows = random.Random(f"count {seed}").randint(50, 300)  # noqa: S311 - made-up data
    if len(wanted := call_ids(question)) > 0:
        rows = min(rows, len(wanted))
    return rows if question.end > question.start else 0


def call_ids(question: Question) -> list[str]:
    """Give the call ids asked for; `call_ids` may hold one correlation id or one source system instead."""
    return [item for item in question.filters.get("call_ids", []) if is_uuid(item)]


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def records(question: Question, seed: str, first: int, last: int, count: int) -> Iterator[Record]:
    """Give records `first` to `last` (exclusive) of `count`, in time order, all inside the span."""
    step = (question.end - question.start) / max(count, 1)
    filters = question.filters
    wanted = call_ids(question)
    other = [item for item in filters.get("call_ids", []) if item not in wanted]
    for number in range(first, last):
        dice = random.Random(f"{seed} {number}")  # noqa: S311 - made-up data
        age, value, years = dice.randint(17, 90), dice.randint(1_500, 90_000), dice.randint(0, 15)
        base = round(value * 0.031 + 4_000 / age, 2)
        calc = dice.randint(4, 180)
        yield Record(
            call_id=wanted[number] if wanted else str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            logged=question.start + step * (number + dice.random() * 0.99),
            version=f"1.{dice.randint(0, 3)}.0",
            version_id=filters.get("version_id", dice.choice(VERSION_IDS)),
            user=filters.get("userName", dice.choice(USERS)),
            system=other[0] if other else dice.choice(SYSTEMS),
            correlation=other[0] if other else f"corr-{dice.getrandbits(48):012x}",
            purpose=filters.get("callpurpose", dice.choice(PURPOSES)),
            calc_ms=calc,
            total_ms=calc + dice.randint(3, 40),
            inputs=dict(zip(INPUTS, (age, value, years, f"SW{years} {age % 10}AA"), strict=True)),
            outputs=dict(zip(OUTPUTS, (base, years * -0.02, round(base * 1.12, 2)), strict=True)),
            error=detail(filters.get("has_errors"), dice.random() < 0.06, dice.choice(ERRORS)),
            warning=detail(filters.get("has_warnings"), dice.random() < 0.10, dice.choice(WARNINGS)),
        )


def detail(asked: bool | None, happens: bool, text: str) -> str:  # noqa: FBT001 - a filter and a die
    """Give the text where a filter asks for it, or by chance where none does."""
    return text if (happens if asked is None else asked) else ""
