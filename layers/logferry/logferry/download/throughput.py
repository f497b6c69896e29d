"""How long a download may take and how slow it may be: watched at every read of the socket."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class TimeBudget:
    """What one call of fetch may spend on its downloads; times in seconds.

    `seconds` are left of the call when the budget is made, of which `margin` is kept back for aborting the
    upload and reporting. Fewer than `floor` bytes a second over `window` seconds of waiting are too slow.
    `breaks` is how many broken connections that brought next to nothing are replaced before giving up,
    `restarts` how many files are begun again from their first byte.
    """

    seconds: float
    margin: float = 30.0
    floor: float = 4096.0
    window: float = 60.0
    breaks: int = 5
    restarts: int = 2
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = self.clock() + self.seconds - self.margin

    def remaining(self) -> float:
        """Return the seconds until a download must have stopped; negative when that is past."""
        return self.deadline - self.clock()

    def spend_break(self) -> bool:
        """Spend one break; False when none is left."""
        self.breaks -= 1
        return self.breaks >= 0

    def spend_restart(self) -> bool:
        """Spend one restart; False when none is left."""
        self.restarts -= 1
        return self.restarts >= 0


class OutOfTimeError(Exception):
    """The budget's time is over. Never leaves the download."""


class TooSlowError(Exception):
    """Too few bytes came while they were waited for. Never leaves the download."""


@dataclass
class ThroughputGuard:
    """The bytes that came and the time that was spent waiting for them, all connections of a file together.

    Only waiting counts: a slow upload between two reads is not the vendor's fault.
    """

    budget: TimeBudget
    idle: float
    """Seconds after which a silent connection counts as broken."""
    received: int = 0
    """Bytes that TLS gave out."""
    came: int = 0
    """Bytes that the network brought, with TLS around them."""
    waited: float = 0.0
    connected_by: float | None = None
    """When a connection that is being made must stand, its handshake done."""
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))
    _next_mark: float = 0.0

    @contextmanager
    def connecting(self, seconds: float) -> Iterator[None]:
        """Return all reads of the block together `seconds`: a handshake may not trickle on read by read."""
        self.connected_by = self.budget.clock() + seconds
        try:
            yield
        finally:
            self.connected_by = None

    def patience(self, now: float) -> float:
        """Return the seconds that one read may take from now on; raises OutOfTimeError, TimeoutError."""
        left = self.budget.deadline - now
        if left <= 0:
            raise OutOfTimeError
        if self.connected_by is None:
            return min(self.idle, left)
        if self.connected_by <= now:
            raise TimeoutError
        return min(self.connected_by - now, left)

    def note(self, count: int, seconds: float) -> None:
        """Add a read of the network that took `seconds`; raises TooSlowError."""
        self.came += count
        self.waited += seconds
        if self.waited >= self._next_mark:
            self._judge()

    def _judge(self) -> None:
        window, marks = self.budget.window, self._marks
        self._next_mark = self.waited + window / 32
        marks.append((self.waited, self.came))
        while len(marks) > 1 and marks[1][0] <= self.waited - window:
            marks.popleft()
        waited, came = self.waited - marks[0][0], self.came - marks[0][1]
        if waited >= window and came < self.budget.floor * waited:
            raise TooSlowError
