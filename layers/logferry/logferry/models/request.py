"""One export as asked for: what it is, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Every = Literal["hour", "day", "week", "month"]
"""How often a collection exports: the length of its windows."""

OnLimit = Literal["land", "fail", "split"]
"""What becomes of an export that reached the vendor's limit for one download."""


def canonical_json(document: Any) -> str:
    """Return the one spelling of a JSON document that hashes are taken of: sorted keys, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(document: Any) -> str:
    """Return the hex SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def iso_instant(moment: datetime) -> str:
    """Write an aware time as its UTC instant, `2026-11-18T00:00:00Z`, with a fraction where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Window:
    """A half-open span of time, `[start, end)`; both times are aware and keep the offset they came with."""

    start: datetime
    end: datetime

    @classmethod
    def from_json(cls, document: dict[str, str]) -> Window:
        """Read `{"start", "end"}`, ISO 8601 with an offset or `Z`."""
        return cls(datetime.fromisoformat(document["start"]), datetime.fromisoformat(document["end"]))

    def to_json(self) -> dict[str, str]:
        """Return the window as UTC instants."""
        return {"start": iso_instant(self.start), "end": iso_instant(self.end)}

    @property
    def key(self) -> str:
        """`start/end` as UTC instants: sorts by time, the ledger's sort key."""
        return f"{iso_instant(self.start)}/{iso_instant(self.end)}"


@dataclass(frozen=True)
class ExportRequest:
    """One export: `target` has its defaults filled in, `target` and `filters` hold no nulls.

    `item` names the keys of the target that single out one thing (a call) in a series of them; a source
    without windows has such keys.
    """

    source: str
    connection: str
    target: dict[str, Any] = field(default_factory=dict)
    window: Window | None = None
    filters: dict[str, Any] = field(default_factory=dict)
    refresh: bool = False
    on_limit: OnLimit = "land"
    item: tuple[str, ...] = ()

    @property
    def export_id(self) -> str:
        """What identifies this export: hex SHA-256 of all but `refresh` and `on_limit`."""
        return digest(self.identity())

    def identity(self) -> dict[str, Any]:
        """Return the document that is hashed; it is also how manifests and notifications name the export."""
        return {
            "source": self.source,
            "connection": self.connection,
            "target": self.target,
            "window": self.window.to_json() if self.window else None,
            "filters": self.filters,
        }

    @property
    def names(self) -> dict[str, str]:
        """Return what every line of the log names the export by."""
        return {"export_id": self.export_id, "source": self.source, "connection": self.connection}

    @property
    def series(self) -> dict[str, Any]:
        """What all windows, or all calls, of one kind have in common."""
        target = {key: value for key, value in self.target.items() if key not in self.item}
        return {
            "source": self.source,
            "connection": self.connection,
            "target": target,
            "filters": self.filters,
        }

    @property
    def series_id(self) -> str:
        """Hex SHA-256 of the series: the ledger's partition key."""
        return digest(self.series)

    @property
    def window_key(self) -> str:
        """The place in the series: `start/end`, or `call/{call_id}/{index}`; the ledger's sort key."""
        if self.window:
            return self.window.key
        return "/".join(["call", *(str(self.target.get(key, "")) for key in self.item)])

    @property
    def filters_hash(self) -> str | None:
        """The first 12 hex digits of the filters' SHA-256, or None where there are no filters."""
        return digest(self.filters)[:12] if self.filters else None
