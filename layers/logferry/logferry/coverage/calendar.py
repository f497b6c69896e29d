"""Windows as calendars: where each one goes, and how it is drawn as SVG.

CloudWatch removes scripts and `<use>` from what a widget returns, so every cell is drawn in full. No outcome
is told by colour alone: each has a shape of its own.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_security.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from logferry.ledger.status import Outcome, count_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from logferry.ledger.status import WindowCoverage
    from logferry.models.request import Every

SIZE, PITCH = 15, 18
"""A cell and its distance to the next, in pixels."""
DAY_WIDTH, DAY_HEIGHT, DAY_PITCH, DAY_LINE = 18, 25, 20, 27
"""A cell that shows the number of its day above its mark, and the distances to the next ones."""
HOURS_DRAWN = 14 * 25
"""Hourly windows that get a cell each; more of them share one cell a day."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SHAPES = {
    Outcome.LANDED: "",
    Outcome.EMPTY: '<path d="M5 7.5h5"/>',
    Outcome.SUSPECT: '<path d="M7.5 3.5v5M7.5 11.2v.3"/>',
    Outcome.EARLY: '<circle cx="7.5" cy="7.5" r="4"/><path d="M7.5 5v2.5h2"/>',
    Outcome.CUT: '<path d="M7.5 3v9M3.8 7.5h1.4M9.8 7.5h1.4"/>',
    Outcome.IN_PROGRESS: '<path d="M3.8 7.5h.1M7.5 7.5h.1M11.2 7.5h.1"/>',
    Outcome.MISSING: "",
    Outcome.FAILED: '<path d="M4.5 4.5l6 6M10.5 4.5l-6 6"/>',
    Outcome.GIVEN_UP: '<circle cx="7.5" cy="7.5" r="4"/><path d="M4.8 10.2l5.4-5.4"/>',
}


OUTLINED = {Outcome.EMPTY, Outcome.CUT, Outcome.MISSING}
"""Cells that are a frame around the ground, and not filled."""


@dataclass(frozen=True)
class Place:
    """Where a window goes: in which block, under which heads, and in which of its cells."""

    block: str
    heads: Sequence[str]
    row: int
    side: str
    column: int
    cell: str
    """What the cell stands for, in words."""
    number: str = ""
    """What stands in the cell itself, for people to find it."""


@dataclass
class Block:
    """One small calendar: the heads of its columns and rows, and what is in its cells."""

    title: str
    columns: Sequence[str]
    rows: dict[int, str] = field(default_factory=dict)
    cells: dict[tuple[int, int], list[WindowCoverage]] = field(default_factory=dict)
    names: dict[tuple[int, int], str] = field(default_factory=dict)
    numbers: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def pitch(self) -> tuple[int, int]:
        """The distances from a cell to the next one in its row and in its column."""
        return (DAY_PITCH, DAY_LINE) if any(self.numbers.values()) else (PITCH, PITCH)

    def draw(self) -> str:
        """Return the block as one SVG, readable by itself."""
        left = 54 if any(self.rows.values()) else 0
        head = (18 if self.title else 0) + (18 if any(self.columns) else 0)
        last_row = max((row for row, _ in self.cells), default=0)
        across, down = self.pitch
        width, height = left + across * len(self.columns), head + down * (last_row + 1)
        box = f"0 0 {width} {height}"
        found = [window.outcome for windows in self.cells.values() for window in windows]
        summary = f"{self.title or 'Windows'}: {count_words(found)}"
        parts = [
            f'<svg class="calendar" role="img" width="{width}" height="{height}" viewBox="{box}">',
            f"<title>{escape(summary)}</title>",
        ]
        if self.title:
            parts.append(f'<text class="name" x="{left}" y="12">{escape(self.title)}</text>')
        for column, text in enumerate(self.columns):
            middle = left + across * column + (across - PITCH + SIZE) / 2
            parts.append(f'<text class="head" x="{middle:g}" y="{head - 6}">{escape(text)}</text>')
        for row, text in self.rows.items():
            parts.append(f'<text class="side" x="0" y="{head + down * row + 11}">{escape(text)}</text>')
        for (row, column), windows in sorted(self.cells.items()):
            x, y = left + across * column, head + down * row
            worst = max((window.outcome for window in windows), key=lambda outcome: outcome.gravity)
            told = _describe(self.names[row, column], windows)
            parts.append(_cell(x, y, worst, told, self.numbers[row, column]))
        return "".join([*parts, "</svg>"])


def swatch(outcome: Outcome) -> str:
    """Return one cell by itself, for a legend."""
    cell = _cell(0, 0, outcome, "")
    return f'<svg class="swatch" aria-hidden="true" width="{SIZE}" height="{SIZE}">{cell}</svg>'


def blocks(windows: Sequence[WindowCoverage], every: Every) -> list[Block]:
    """Lay the windows of a series out as calendars, in order."""
    hourly = every == "hour" and len(windows) <= HOURS_DRAWN
    place_of = _PLACES["hour" if hourly else "day" if every == "hour" else every]
    found: dict[str, Block] = {}
    for window in windows:
        place = place_of(window.window.start, windows[0].window.start)
        block = found.setdefault(place.block, Block(place.block, place.heads))
        spot = place.row, place.column
        if hourly and spot in block.cells:  # the clock's second pass through an hour, in autumn
            spot = place.row, 24
        block.rows[place.row] = place.side
        block.cells.setdefault(spot, []).append(window)
        block.names[spot] = place.cell
        block.numbers[spot] = place.number
    return list(found.values())


def _hour(start: datetime, first: datetime) -> Place:
    heads = [str(hour) if hour % 3 == 0 else "" for hour in range(25)]
    row = (start.date() - first.date()).days
    side = f"{start.day} {_MONTHS[start.month - 1]}"
    return Place("", heads, row, side, start.hour, f"{side} {start.year}, {start:%H:%M}")


def _day(start: datetime, _first: datetime) -> Place:
    row, column = divmod(start.replace(day=1).weekday() + start.day - 1, 7)
    month = f"{_MONTHS[start.month - 1]} {start.year}"
    return Place(month, "MTWTFSS", row, "", column, f"{start.day} {month}", str(start.day))


def _week(start: datetime, first: datetime) -> Place:
    year, week, _ = start.isocalendar()
    quarter = min(3, (week - 1) // 13)
    column = week - 1 - 13 * quarter
    row = 4 * (year - first.isocalendar().year) + quarter - min(3, (first.isocalendar().week - 1) // 13)
    return Place("", [""] * 14, row, f"{year} Q{quarter + 1}", column, f"week {week} of {year}")


def _month(start: datetime, first: datetime) -> Place:
    heads = [month[0] for month in _MONTHS]
    name = f"{_MONTHS[start.month - 1]} {start.year}"
    return Place("", heads, start.year - first.year, str(start.year), start.month - 1, name)


_PLACES = {"hour": _hour, "day": _day, "week": _week, "month": _month}


def _describe(name: str, windows: Sequence[WindowCoverage]) -> str:
    if len(windows) > 1:
        return f"{name}: {count_words(window.outcome for window in windows)}"
    return f"{name}: {windows[0].outcome}" + (f", {windows[0].note}" if windows[0].note else "")


def _cell(x: int, y: int, outcome: Outcome, title: str, number: str = "") -> str:
    """Draw a cell; where it has a number, that stands above the mark and outside the cell's own group."""
    name = outcome.value.replace(" ", "-")
    told = f"<title>{escape(title)}</title>" if title else ""
    if not number:
        rect = '<rect x=".75" y=".75" width="13.5" height="13.5" rx="3"/>'
        return f'<g class="{name}" transform="translate({x} {y})">{told}{rect}{_SHAPES[outcome]}</g>'
    # The mark's own 15 pixels lie in the lower part.
    x, y = x + 1, y + 11
    rect = f'<rect x="-.25" y="-10.25" width="{DAY_WIDTH - 1.5}" height="{DAY_HEIGHT - 1.5}" rx="3"/>'
    ground = "off" if outcome in OUTLINED else "on"
    lower = 0 if _SHAPES[outcome] else 5
    return (
        f'<g class="{name}" transform="translate({x} {y})">{told}{rect}{_SHAPES[outcome]}</g>'
        f'<text class="{ground}" x="{x + 8}" y="{y + lower}">{number}</text>'
    )
