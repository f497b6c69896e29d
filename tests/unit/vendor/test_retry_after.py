from __future__ import annotations

from email.utils import formatdate
from time import asctime, gmtime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.vendor.retry_after import retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"RETRY-AFTER": "1.25"}, 1.25),
        ({"x-retry-after": "0.5"}, 0.5),
        ({"Retry-After": "3", "x-retry-after": "9.5"}, 9.5),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"Retry-After": asctime(gmtime(NOW + 60))}, 60.0),
        ({"Retry-After": "soon", "x-retry-after": "4"}, 4.0),
        ({"Retry-After": "0"}, 0.0),
    ],
)
def test_a_wait_is_read_from_seconds_fractions_and_dates(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1e9", "inf", "nan", "٣", "Mon, 99 Foo 2026", "1,2", "9" * 400]
)
def test_what_cannot_be_read_asks_for_nothing(value: str) -> None:
    assert retry_after({"Retry-After": value}, NOW) is None
    assert retry_after({"Date": "120"}, NOW) is None


@given(st.text(max_size=60))
def test_no_value_at_all_makes_it_fail(value: str) -> None:
    seconds = retry_after({"Retry-After": value}, NOW)
    assert seconds is None or seconds >= 0
