"""A collection: many exports of one calendar, as asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from logferry.collect.windows import split, windows
from logferry.sources.registry import source_named

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from logferry.models.request import Every, ExportRequest, Window


@dataclass(frozen=True)
class Collection:
    """What the input of collect.asl.json comes to; each of `series` is a request without its window."""

    series: tuple[ExportRequest, ...]
    every: Every
    zone: ZoneInfo
    until: datetime
    settle: timedelta
    start: datetime | None
    lookback: int
    max_concurrency: int
    max_attempts: int
    force: bool
    dry_run: bool

    @cached_property
    def calendar(self) -> list[Window]:
        """Every complete window that is asked for, in order."""
        return windows(
            self.every, self.zone, self.until, self.settle, start=self.start, lookback=self.lookback
        )

    def windows_of(self, request: ExportRequest) -> list[Window]:
        """Return the windows of one series: the calendar's, in pieces where its source takes none longer."""
        rule = source_named(request.source).window
        if rule is None or rule.longest is None:
            return self.calendar
        return [piece for window in self.calendar for piece in split(window, rule.longest)]

    def describe(self) -> dict[str, Any]:
        """Return what the reports say of it, as JSON."""
        return {
            "every": self.every,
            "timezone": self.zone.key,
            "from": self.start.isoformat() if self.start else None,
            "until": self.until.isoformat(),
            "settle_seconds": int(self.settle.total_seconds()),
            "lookback": self.lookback,
            "max_attempts": self.max_attempts,
            "force": self.force,
            "dry_run": self.dry_run,
        }


def export_of(request: ExportRequest, window: Window) -> ExportRequest:
    """Return the export of one window of a series."""
    return replace(request, window=window)


def input_of(request: ExportRequest) -> dict[str, Any]:
    """Return the input of export.asl.json; `date=` in keys comes from the offset that its times keep."""
    window = request.window
    if window is None:
        raise TypeError("a collection's exports have windows")
    document = {
        "source": request.source,
        "connection": request.connection,
        "target": request.target,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "filters": request.filters,
    }
    return {**document, "refresh": True} if request.refresh else document
