from __future__ import annotations

import pytest

from logferry.download.throughput import OutOfTimeError, ThroughputGuard, TimeBudget, TooSlowError


class Clock:
    """Stands still until it is told otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def pace(*, idle: float = 60, **options: float) -> tuple[ThroughputGuard, Clock]:
    clock = Clock()
    return ThroughputGuard(TimeBudget(900, clock=clock, **options), idle), clock  # type: ignore[arg-type]


def seconds_until_too_slow(watched: ThroughputGuard, rate: int) -> int:
    for second in range(600):
        try:
            watched.note(rate, 1.0)
        except TooSlowError:
            return second + 1
    pytest.fail("never too slow")


def test_the_margin_is_kept_back() -> None:
    clock = Clock()
    budget = TimeBudget(900, margin=40, clock=clock)

    assert budget.remaining() == 860
    clock.now += 900
    assert budget.remaining() == -40


def test_breaks_and_restarts_are_spent_one_by_one() -> None:
    budget = TimeBudget(900, breaks=2, restarts=1)

    assert [budget.spend_break() for _ in range(3)] == [True, True, False]
    assert [budget.spend_restart() for _ in range(2)] == [True, False]


def test_no_read_waits_beyond_the_deadline() -> None:
    watched, clock = pace(idle=60, margin=30)

    assert watched.patience(clock.now) == 60
    assert watched.patience(clock.now + 860) == 10
    with pytest.raises(OutOfTimeError):
        watched.patience(clock.now + 870)


def test_a_trickle_is_too_slow_once_the_window_is_full() -> None:
    watched, _ = pace(floor=1000, window=60)

    assert 60 <= seconds_until_too_slow(watched, 999) <= 62


def test_enough_is_enough_however_unevenly_it_comes() -> None:
    watched, _ = pace(floor=1000, window=60)

    for second in range(600):
        watched.note(0 if second % 30 else 31_000, 1.0)


def test_a_fast_start_does_not_excuse_a_slow_end() -> None:
    watched, _ = pace(floor=1000, window=60)
    watched.note(10**9, 1.0)

    assert 59 <= seconds_until_too_slow(watched, 1) <= 62


def test_only_the_time_spent_waiting_counts() -> None:
    watched, clock = pace(floor=1000, window=60)

    for _ in range(100):
        clock.now += 8
        watched.note(10, 0.001)
