"""A ledger of the tests' own: a table in an emulated DynamoDB, a clock that stands until it is moved."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from logferry.ledger.claims import Claim
from logferry.ledger.repository import Ledger
from logferry.ledger.table import Table
from logferry.models.request import ExportRequest, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from logferry.ledger.claims import ClaimResult
    from logferry.ledger.record import ExportRecord

KEYS = ("series", "window")
_WRITING = threading.Lock()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = Window(datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC))
LANDING = {
    "bucket": "landing",
    "key": "a/b.zip",
    "version_id": "v1",
    "manifest_key": "a/b.zip.manifest.json",
    "size": 3,
    "sha256": "ab",
    "records": 1,
    "objects": [{"key": "a/b.zip", "version_id": "v1", "size": 3, "sha256": "ab", "records": 1}],
    "suspect": [],
}


@cache
def _client() -> Any:
    client = boto3.client("dynamodb", region_name="eu-west-2")
    for name in ("put_item", "update_item"):
        setattr(client, name, _one_by_one(getattr(client, name)))
    return client


def _one_by_one(call: Callable[..., Any]) -> Callable[..., Any]:
    """Make a conditional write one step, as DynamoDB does: moto looks first and writes then."""

    def write(**arguments: Any) -> Any:
        with _WRITING:
            return call(**arguments)

    return write


@dataclass
class World:
    """A table, a clock, and the executions that still run."""

    table: Table
    now: datetime = NOON
    alive: set[str] = field(default_factory=set)

    @property
    def ledger(self) -> Ledger:
        """A ledger of its own for each use, as each function has one."""
        return Ledger(self.table, lambda: self.now)

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def request(self, **changes: Any) -> ExportRequest:
        usual = {"source": "a-source", "connection": "acme", "target": {"folder": "x"}, "window": DAY}
        return ExportRequest(**{**usual, **changes})

    def claim(
        self, name: str, *, alive: Callable[[str], bool] | None = None, adopt: float = 24, **changes: Any
    ) -> tuple[ClaimResult, ExportRecord]:
        """Settle an execution's claim, which runs from now on."""
        self.alive.add(name)
        runs = alive or self.alive.__contains__
        return Claim(self.ledger, self.request(**changes), name, runs, timedelta(hours=adopt)).settle()

    def die(self, name: str) -> None:
        self.alive.discard(name)

    def row(self) -> ExportRecord:
        found = self.ledger.read(self.request())
        assert found is not None
        return found

    def submitted(self, name: str, job_id: str = "job-1", **changes: Any) -> ExportRecord:
        """Claim, intend, submit."""
        _, row = self.claim(name, **changes)
        return self.ledger.submitted(self.ledger.intend(row), job_id, ready=False)

    def landed(self, name: str, landing: Mapping[str, Any] = LANDING, **changes: Any) -> ExportRecord:
        """Go all the way but for the announcement."""
        row = self.submitted(name, **changes)
        return self.ledger.landed(self.ledger.fetching(row), landing)


class OneAtATime:
    """A DynamoDB client whose calls come one after another: moto checks a condition, and then writes."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def alone(*arguments: Any, **more: Any) -> Any:
            with self._lock:
                return call(*arguments, **more)

        return alone


@contextmanager
def world() -> Iterator[World]:
    with mock_aws():
        _client().create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
            KeySchema=[
                {"AttributeName": "series", "KeyType": "HASH"},
                {"AttributeName": "window", "KeyType": "RANGE"},
            ],
        )
        yield World(Table(OneAtATime(_client()), "ledger"))  # type: ignore[arg-type]
