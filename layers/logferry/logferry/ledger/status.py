"""What became of windows: the one word for each that coverage, reports and plans share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from logferry.ledger.record import RecordState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from logferry.ledger.record import ExportRecord
    from logferry.models.request import Every, Window


class Outcome(StrEnum):
    """Where a window stands, the gravest last."""

    LANDED = "landed"
    EMPTY = "empty"
    """Landed, and the vendor had nothing in it."""
    SUSPECT = "suspect"
    """Landed, but something says that it may not be everything: the manifest names it under `suspect`."""
    EARLY = "early"
    """Landed, but asked for before the window was over: the next collection asks again."""
    CUT = "cut"
    """The vendor's limit was reached: it is there once its parts have landed."""
    IN_PROGRESS = "in progress"
    MISSING = "missing"
    """The ledger knows nothing of it: nobody ever asked for it."""
    FAILED = "failed"
    """The next collection tries again."""
    GIVEN_UP = "given up"
    """It failed as often as it may; only `force` tries again."""

    @property
    def there(self) -> bool:
        """Check whether the window's object is in the bucket."""
        return self in {Outcome.LANDED, Outcome.EMPTY, Outcome.SUSPECT}

    @property
    def gravity(self) -> int:
        """Return the place in the order of gravity, for the worst of several."""
        return _ORDER[self]


_WORDS = {"ExecutionAborted": "stopped by a person", "States.Timeout": "stopped at its time limit"}
"""What people call the ends of an execution that are no errors of a step."""

_ORDER = {outcome: place for place, outcome in enumerate(Outcome)}


@dataclass(frozen=True)
class WindowCoverage:
    """One window and what became of it; `note` says more, for people."""

    window: Window
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True)
class SeriesCoverage:
    """A series (`{source, connection, target, filters}`) and its windows in order."""

    series: Mapping[str, Any]
    every: Every
    windows: Sequence[WindowCoverage]


def count_words(outcomes: Iterable[Outcome]) -> str:
    """Return the numbers of a set of outcomes in words: `28 landed, 1 failed`."""
    counts = Counter(outcomes)
    return ", ".join(f"{counts[each]:,} {each}" for each in Outcome if counts[each]) or "no windows"


def note_of(row: ExportRecord | None) -> str:
    """Return what a row adds to its outcome: what is suspect, what went wrong, how much there is."""
    if row is None:
        return ""
    if row.state is RecordState.FAILED:
        times = "once" if row.failures == 1 else f"{row.failures} times"
        failed = f"failed {times}" if row.failures else ""
        error = str(row.item.get("error"))
        if error in _WORDS:
            return ", then ".join(filter(None, [failed, _WORDS[error]]))
        last = f"last with {error}: {row.item.get('cause', '')}"
        return f"{failed}, {last}" if failed else last
    if row.state is RecordState.CUT:
        return str(row.item.get("cut", ""))
    if not row.landed:
        return f"attempt {row.attempt}"
    records = row.item.get("records")
    told = [] if records is None else [f"{records:,} records"]
    return "; ".join([*map(str, row.item.get("suspect") or ()), *told])


def outcome_of(row: ExportRecord | None, window: Window, max_attempts: int) -> Outcome:
    """Return what became of a window from its row; an earlier landing outlives a refresh that failed."""
    if row is None:
        return Outcome.MISSING
    if row.state is RecordState.FAILED:
        return Outcome.GIVEN_UP if row.failures >= max_attempts else Outcome.FAILED
    if row.state is RecordState.CUT or not row.landed:
        return Outcome.CUT if row.state is RecordState.CUT else Outcome.IN_PROGRESS
    if row.early(window):
        return Outcome.EARLY
    if row.item.get("suspect"):
        return Outcome.SUSPECT
    return Outcome.EMPTY if row.item.get("records") == 0 else Outcome.LANDED
