"""The whole product in one place: the deployed stack, the vendors, and what happened since a test began."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.knobs import Knobs

if TYPE_CHECKING:
    from tests.sandbox.engine import Sandbox
    from tests.sandbox.execution import Execution, Outcome
    from tests.sandbox.vendor.jobs import Job
    from tests.sandbox.vendor.messages import Received
    from tests.sandbox.vendor.vendors import Vendors

SPEED = 100.0
"""Waits and retries of the state machine are so much shorter; so are the delays that the vendors promise."""

_days = itertools.count()


@dataclass
class World:
    """A test's view: its own day, and only what came after it began."""

    sandbox: Sandbox
    vendors: Vendors
    day: datetime = field(default_factory=lambda: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(next(_days)))

    def __post_init__(self) -> None:
        self.vendors.clear()
        self.sandbox.faults.clear()
        self.set(**{each.name: getattr(Knobs(), each.name) for each in fields(Knobs)})
        self.set(wait_scale=1 / SPEED, rows=20, polls=2)
        for name, secret in self.vendors.connections.items():
            self.sandbox.connect(name, secret)
        self._requests = len(self.vendors.requests)
        self._jobs = len(self.vendors.jobs)
        self._notifications = len(self.sandbox.notifications())

    def set(self, **knobs: Any) -> None:
        """Turn the vendors' knobs."""
        for name, value in knobs.items():
            setattr(self.vendors.knobs, name, value)

    def input(self, source: str = "spark-log-csv", **changes: Any) -> dict[str, Any]:
        """Make an input for the test's own day, or for a call."""
        window = {"start": self.day.isoformat(), "end": (self.day + timedelta(days=1)).isoformat()}
        service = {"folder": self.vendors.folder, "service": self.vendors.service}
        call = {"call_id": self.vendors.call_id}
        inputs: dict[str, dict[str, Any]] = {
            "spark-log-csv": {"target": service, "window": window},
            "spark-log-json": {"target": service, "window": window},
            "spark-events": {"window": window},
            "spark-call": {"target": call},
            "spark-call-excel": {"target": {**service, **call}},
            "ibm-activity-tracker": {"window": window, "connection": "ibm-prod"},
        }
        return {"source": source, "connection": "acme-uat", **inputs[source], **changes}

    def start(self, document: Any = None, **changes: Any) -> Execution:
        """Start the export of a document, by default the test's own."""
        return self.sandbox.start(self.input(**changes) if document is None else document)

    def run(self, document: Any = None, **changes: Any) -> Outcome:
        """Start an export, wait for its end and for what follows it."""
        outcome = self.start(document, **changes).wait()
        self.sandbox.drain()
        return outcome

    @property
    def jobs(self) -> list[Job]:
        """The jobs that the vendor accepted since the test began."""
        return self.vendors.jobs[self._jobs :]

    def requests(self, step: str) -> list[Received]:
        """Give the vendor's requests of a step since the test began."""
        return [each for each in self.vendors.requests[self._requests :] if each.step == step]

    def notifications(self, status: str | None = None) -> list[dict[str, Any]]:
        """Give the notifications since the test began, of one status or of all."""
        since = self.sandbox.notifications()[self._notifications :]
        return [each for each in since if status in {None, each["message"]["status"]}]

    def row(self, export_id: str) -> dict[str, Any]:
        """Give the ledger's row of an export."""
        return next(each for each in self.sandbox.ledger() if each.get("export_id") == export_id)

    def rows(self) -> list[dict[str, Any]]:
        """Give the ledger's rows of the test's own day."""
        start = self.day.isoformat().replace("+00:00", "Z")
        return [each for each in self.sandbox.ledger() if str(each["window"]).startswith(start)]

    def manifest(self, outcome: Outcome) -> dict[str, Any]:
        """Give the manifest of a landing."""
        manifest: dict[str, Any] = json.loads(self.sandbox.read(outcome.output["manifest_key"]))
        return manifest

    def day_objects(self) -> list[Any]:
        """Give what lies under the keys of the test's own day."""
        return [each for each in self.sandbox.objects() if f"date={self.day:%Y-%m-%d}" in each.key]
