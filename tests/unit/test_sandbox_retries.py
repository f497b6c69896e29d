"""What a person reads of a failed try: its words, its number, and when the next one is."""

from __future__ import annotations

from tests.sandbox.retries import Retries

RETRY = {
    "ErrorEquals": ["Busy"],
    "IntervalSeconds": 2,
    "MaxAttempts": 2,
    "BackoffRate": 3.0,
    "MaxDelaySeconds": 5,
}
STATES = {
    "Ask": {"Retry": [RETRY]},
    "Draw": {"Retry": [{**RETRY, "JitterStrategy": "FULL"}]},
    "Once": {},
}


def test_each_try_says_what_comes_next() -> None:
    retries = Retries(STATES)
    retries.enter("Ask")

    told = [retries.tell("Busy", "come back") for _ in range(3)]

    assert told == [
        "try 1 of 3: Busy: come back; next in 2 s",
        "try 2 of 3: Busy: come back; next in 5 s",
        "try 3 of 3: Busy: come back; that was the last",
    ]


def test_a_delay_that_is_drawn_is_an_upper_bound_and_speed_divides_it() -> None:
    retries = Retries(STATES, speed=4)
    retries.enter("Draw")

    assert retries.tell("Busy", "no") == "try 1 of 3: Busy: no; next within 0.5 s"


def test_an_error_that_nobody_retries_says_so_and_a_new_state_counts_anew() -> None:
    retries = Retries(STATES)
    retries.enter("Ask")
    retries.tell("Busy", "no")

    retries.enter("Once")
    assert retries.tell("Busy", "no") == "Busy: no; no retry"
    retries.enter("Ask")
    assert retries.tell("Other", "no") == "Other: no; no retry"
    assert retries.tell("Busy", "no").startswith("try 1 of 3")
