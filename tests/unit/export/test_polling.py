from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.export.polling import (
    FIRST_POLL_SECONDS,
    LONGEST_SECONDS,
    MAX_POLLS,
    wait_seconds,
    whole_seconds,
)

AGES = st.floats(min_value=0.001, max_value=4_000) | st.floats(min_value=0.001, max_value=1e6)
PROGRESS = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def test_the_first_poll_comes_after_five_seconds() -> None:
    # Given a job that was accepted this moment
    # When nothing was polled yet, even where the clocks of two functions disagree
    # Then the first poll comes after 5 s
    assert wait_seconds(0) == wait_seconds(-3) == FIRST_POLL_SECONDS == 5


@given(elapsed=AGES, now=PROGRESS, last=PROGRESS, then=st.none() | AGES)
def test_no_progress_bar_can_make_a_landing_late(
    elapsed: float, now: float | None, last: float | None, then: float | None
) -> None:
    # Given any job age and any progress, honest, stuck, lying or no number at all
    # When it is asked how long to wait
    wait = wait_seconds(elapsed, now, last, then)
    # Then a job that ends the moment after this poll is found at most max(2 s, 9 % of its age) later
    assert 1 <= wait <= min(LONGEST_SECONDS, max(2.0, 0.09 * elapsed))
    # And Step Functions takes the number: SecondsPath wants an integer
    assert isinstance(wait, int)


@given(elapsed=AGES, now=PROGRESS, last=PROGRESS, then=st.none() | AGES)
def test_no_progress_bar_can_make_polling_costly(
    elapsed: float, now: float | None, last: float | None, then: float | None
) -> None:
    # Given any job age and any progress, even one that promises the end in a moment, again and again
    # When it is asked how long to wait
    # Then the wait is never under 2 s nor under 2 % of the age
    assert wait_seconds(elapsed, now, last, then) >= min(LONGEST_SECONDS, max(2.0, 0.02 * elapsed))


def test_a_silent_job_is_asked_as_seldom_as_the_bound_allows() -> None:
    # Given a job without progress, at every tenth of a second of its first hour
    for tenths in range(1, 36_000):
        age = tenths / 10
        # When it is asked how long to wait
        wait = wait_seconds(age)
        # Then it is the last whole second within the bound
        bound = min(LONGEST_SECONDS, max(2.0, 0.09 * age))
        assert wait <= bound < wait + 1 or wait == LONGEST_SECONDS


def test_a_rising_progress_brings_the_poll_to_the_expected_end() -> None:
    # Given a job of 1,000 s that went from 94 % to 97 % in the last 30 s
    # When the expected end is nearer than 9 % of its age
    # Then the next poll comes exactly there
    assert wait_seconds(970, 97, 94, 940) == 30


@pytest.mark.parametrize("now", [None, 0, 94, 93, 100, 140, -5, math.nan, math.inf])
def test_a_progress_that_did_not_rise_below_100_tells_nothing(now: float | None) -> None:
    # Given a job of 1,000 s that stood at 94 % one poll ago
    # When its progress is absent, unchanged, backwards, complete without a file, or no number
    # Then the wait is 9 % of the age
    assert wait_seconds(1_000, now, 94, 970) == 90


def test_the_first_progress_counts_from_the_jobs_start() -> None:
    # Given a job of 200 s whose first progress is 95 %
    # When there is no earlier progress to compare with
    # Then the pace since the start tells the end: 10.5 s, found in whole seconds after it
    assert wait_seconds(200, 95) == 11


def test_the_vendors_word_is_never_undercut() -> None:
    # Given a young job, whose next poll would come after 2 s
    # When the vendor asks for more, in fractions
    # Then the wait is the vendor's, rounded up
    assert wait_seconds(10, retry_after=12.2) == 13
    # And a shorter word does not hasten the polls of an old job
    assert wait_seconds(1_000, retry_after=1) == 90


def test_a_delay_becomes_whole_seconds_that_are_not_early() -> None:
    # Given delays as vendors send them
    # When they go into a Wait state
    # Then they are rounded up, and never 0
    assert [whole_seconds(delay) for delay in (0, 0.1, 1, 7.01)] == [1, 1, 1, 8]


def test_the_polls_of_one_execution_fit_its_history() -> None:
    # Given 9 history events a poll and the quota of 25,000 events
    # When an execution polls as often as it may
    # Then 5,000 events and more are left, under the 20,000 that we allow ourselves
    assert MAX_POLLS * 9 <= 20_000


def test_a_silent_job_of_six_hours_costs_at_most_130_polls() -> None:
    # Given a job of 6 h without any progress
    age, polls = 0.0, 0
    # When it is polled until its end, each poll taking a quarter of a second itself
    while age < 6 * 3600:
        age += wait_seconds(age) + 0.25
        polls += 1
    # Then that took at most 130 polls
    assert polls <= 130
