from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logferry.collect.windows import parse_from, parse_settle, parse_until, parse_zone, split, windows
from logferry.errors import InvalidRequestError
from logferry.models.request import Every, Window

NONE = timedelta(0)
MOMENT = timedelta(microseconds=1)
EVERY: tuple[Every, ...] = get_args(Every)
CELL = {"hour": "%Y-%m-%d %H %z", "day": "%Y-%m-%d", "week": "%G-%V", "month": "%Y-%m"}
"""How `strftime` names the cell of the calendar that a time is in."""

ZONES = st.timezone_keys(allow_prefix=False).map(ZoneInfo)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spans(found: list[Window]) -> list[tuple[str, str]]:
    return [(window.start.isoformat(), window.end.isoformat()) for window in found]


def hours(window: Window) -> float:
    return (window.end - window.start) / timedelta(hours=1)


@given(every=st.sampled_from(EVERY), zone=ZONES, moment=MOMENTS, days=st.integers(0, 90))
def test_windows_tile_time_whatever_the_zone(
    every: Every, zone: ZoneInfo, moment: datetime, days: int
) -> None:
    # Given any zone, and any span of time that ends at any moment
    start = moment - timedelta(days=days if every != "hour" else days // 30)
    # When it is cut into windows
    found = windows(every, zone, moment, NONE, start=start)
    # Then they follow each other without gap or overlap, and none is empty
    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    assert all(window.start < window.end for window in found)
    # And they contain the start, end at the moment or before, and no window is missing at the end
    following = windows(every, zone, moment + timedelta(days=33), NONE, start=start)
    assert following[: len(found)] == found
    assert following[0].start <= start
    assert following[len(found)].start <= moment < following[len(found)].end
    # And every boundary is where the zone's calendar turns the page
    for window in found:
        before = (window.start - MOMENT).astimezone(zone).strftime(CELL[every])
        assert window.start.astimezone(zone).strftime(CELL[every]) != before


@given(every=st.sampled_from(EVERY), zone=ZONES, moment=MOMENTS, count=st.integers(1, 30))
def test_the_lookback_is_the_end_of_the_same_calendar(
    every: Every, zone: ZoneInfo, moment: datetime, count: int
) -> None:
    # Given any zone and moment
    # When the last windows are asked for by their number
    found = windows(every, zone, moment, NONE, lookback=count)
    # Then there are as many, and they are those that a start would have given
    assert len(found) == count
    assert found == windows(every, zone, moment, NONE, start=found[0].start)


@given(zone=ZONES, moment=MOMENTS)
def test_an_hour_is_never_longer_than_an_hour(zone: ZoneInfo, moment: datetime) -> None:
    # Given any zone, whatever its clock changes are
    # When time is cut into hours
    found = windows("hour", zone, moment, NONE, lookback=30)
    # Then a clock that goes back repeats no hour inside a window
    assert all(0 < hours(window) <= 1 for window in found)


@pytest.mark.parametrize(
    ("every", "zone", "until", "expected"),
    [
        pytest.param(
            "day",
            "Europe/London",
            "2026-03-30T12:00:00Z",
            [
                ("2026-03-28T00:00:00+00:00", "2026-03-29T00:00:00+00:00"),
                ("2026-03-29T00:00:00+00:00", "2026-03-30T00:00:00+01:00"),
            ],
            id="a day of 23 hours",
        ),
        pytest.param(
            "day",
            "America/New_York",
            "2026-11-02T05:00:00Z",
            [
                ("2026-10-31T00:00:00-04:00", "2026-11-01T00:00:00-04:00"),
                ("2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"),
            ],
            id="a day of 25 hours",
        ),
        pytest.param(
            "day",
            "UTC",
            "2028-03-01T00:00:00Z",
            [
                ("2028-02-28T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
                ("2028-02-29T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
            ],
            id="a leap day",
        ),
        pytest.param(
            "day",
            "America/Sao_Paulo",
            "2018-11-05T12:00:00Z",
            [
                ("2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00"),
                ("2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"),
            ],
            id="a midnight that the clock skips",
        ),
        pytest.param(
            "day",
            "America/Toronto",
            "1919-04-01T12:00:00Z",
            [
                ("1919-03-30T00:00:00-05:00", "1919-03-31T00:30:00-04:00"),
                ("1919-03-31T00:30:00-04:00", "1919-04-01T00:00:00-04:00"),
            ],
            id="a clock that jumps from 23:30 to 00:30",
        ),
        pytest.param(
            "day",
            "Pacific/Apia",
            "2011-12-31T12:00:00Z",
            [
                ("2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"),
                ("2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"),
            ],
            id="a day that the zone skipped",
        ),
        pytest.param(
            "day",
            "America/St_Johns",
            "2010-11-08T03:30:00Z",
            [
                ("2010-11-06T00:00:00-02:30", "2010-11-07T00:00:00-02:30"),
                ("2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"),
            ],
            id="a clock that goes back over midnight",
        ),
        pytest.param(
            "day",
            "America/St_Johns",
            "2010-11-07T03:00:00Z",
            [
                ("2010-11-05T00:00:00-02:30", "2010-11-06T00:00:00-02:30"),
                ("2010-11-06T00:00:00-02:30", "2010-11-07T00:00:00-02:30"),
            ],
            id="the last hour of a day that is over already",
        ),
        pytest.param(
            "hour",
            "America/New_York",
            "2026-11-01T07:00:00Z",
            [
                ("2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00"),
                ("2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"),
            ],
            id="an hour that comes twice",
        ),
        pytest.param(
            "hour",
            "Australia/Lord_Howe",
            "2026-10-03T16:00:00Z",
            [
                ("2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00"),
                ("2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"),
            ],
            id="a clock that changes by half an hour",
        ),
        pytest.param(
            "hour",
            "Asia/Kathmandu",
            "2026-11-20T02:14:00Z",
            [
                ("2026-11-20T05:00:00+05:45", "2026-11-20T06:00:00+05:45"),
                ("2026-11-20T06:00:00+05:45", "2026-11-20T07:00:00+05:45"),
            ],
            id="hours of a clock 45 minutes off",
        ),
        pytest.param(
            "week",
            "Europe/Paris",
            "2026-11-20T02:00:00Z",
            [
                ("2026-11-02T00:00:00+01:00", "2026-11-09T00:00:00+01:00"),
                ("2026-11-09T00:00:00+01:00", "2026-11-16T00:00:00+01:00"),
            ],
            id="weeks from Monday",
        ),
        pytest.param(
            "month",
            "UTC",
            "2026-01-31T23:00:00Z",
            [
                ("2025-11-01T00:00:00+00:00", "2025-12-01T00:00:00+00:00"),
                ("2025-12-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
            ],
            id="months over a year's end",
        ),
    ],
)
def test_windows_follow_the_calendar_of_the_zone(
    every: Every, zone: str, until: str, expected: list[tuple[str, str]]
) -> None:
    # Given a zone with something unusual near the moment
    # When the last two windows are asked for
    found = windows(every, ZoneInfo(zone), at(until), NONE, lookback=2)
    # Then they are the calendar's, in the zone's own offsets
    assert spans(found) == expected


def test_a_window_is_complete_only_when_it_has_settled() -> None:
    # Given windows of a day and two hours to settle
    settle = timedelta(hours=2)
    # When the plan is made just before, and exactly two hours after midnight
    early = windows("day", ZoneInfo("UTC"), at("2026-11-20T01:59:59Z"), settle, lookback=1)
    late = windows("day", ZoneInfo("UTC"), at("2026-11-20T02:00:00Z"), settle, lookback=1)
    # Then yesterday is complete only in the second one
    assert early[0].end == at("2026-11-19T00:00:00Z")
    assert late[0].end == at("2026-11-20T00:00:00Z")


def test_a_start_inside_a_window_takes_the_whole_window() -> None:
    # Given months, and a start in the middle of one
    start = parse_from("2026-09-15", ZoneInfo("UTC"))
    # When they are planned
    found = windows("month", ZoneInfo("UTC"), at("2026-11-20T00:00:00Z"), NONE, start=start)
    # Then the window that contains the start is the first
    assert [window.start.month for window in found] == [9, 10]


def test_a_start_after_the_end_plans_nothing() -> None:
    # Given a collection that is to begin next year
    # When it is planned this year
    # Then there is nothing to do yet
    assert windows("day", ZoneInfo("UTC"), at("2026-11-20T00:00:00Z"), start=at("2027-01-01T00:00:00Z")) == []


def test_a_start_is_read_in_the_collections_zone() -> None:
    # Given a zone five hours behind UTC
    zone = ZoneInfo("America/New_York")
    # When a start is a day, a clock time, or an instant
    # Then the first two are the zone's own, the last is what it says
    assert parse_from("2026-01-01", zone) == at("2026-01-01T05:00:00Z")
    assert parse_from("2026-01-01T06:00:00", zone) == at("2026-01-01T11:00:00Z")
    assert parse_from("2026-01-01T06:00:00Z", zone) == at("2026-01-01T06:00:00Z")


def test_a_window_longer_than_a_source_takes_is_cut_into_whole_days() -> None:
    # Given a month of 31 days, and a source that takes 15
    month = Window(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"))
    # When it is split
    pieces = split(month, timedelta(days=15))
    # Then the pieces are 15, 15 and 1 days and together the month
    assert [hours(piece) / 24 for piece in pieces] == [15, 15, 1]
    assert (pieces[0].start, pieces[-1].end) == (month.start, month.end)
    assert all(earlier.end == later.start for earlier, later in pairwise(pieces))
    # And a window that fits stays as it is
    assert split(pieces[0], timedelta(days=15)) == [pieces[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT2H", timedelta(hours=2)),
        ("P1D", timedelta(days=1)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("PT1H30M5S", timedelta(hours=1, minutes=30, seconds=5)),
        ("P2W", timedelta(weeks=2)),
        ("PT0S", timedelta(0)),
    ],
)
def test_a_settling_time_is_an_iso_duration(text: str, expected: timedelta) -> None:
    # Given a duration of a definite length
    # When it is read
    # Then that is its length
    assert parse_settle(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "2H", "P1M", "P1Y", "-PT2H", "PT2.5H", "pt2h", "P1W2D", "PT2H ", "PT٢H", "P367D"],
)
def test_a_settling_time_without_one_length_is_refused(text: str) -> None:
    # Given months, years, fractions, nonsense, or more than a year
    # When it is read
    # Then the error names the field
    with pytest.raises(InvalidRequestError, match=r"^settle: "):
        parse_settle(text)


def test_a_settling_time_of_a_thousand_digits_is_refused() -> None:
    # Given a number that no calendar can hold
    # When it is read
    # Then the error names the field
    with pytest.raises(InvalidRequestError, match=r"^settle: "):
        parse_settle("P" + "9" * 1_000 + "D")


def test_an_unsubstituted_schedule_attribute_is_refused_with_the_remedy() -> None:
    # Given the literal that EventBridge Scheduler replaces, sent by somebody else
    # When it is read
    # Then the error says what would be right
    with pytest.raises(InvalidRequestError, match=r"^until: .*leave until out"):
        parse_until("<aws.scheduler.scheduled-time>")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-20", "2026-11-20T02:00:00", "0001-01-01T00:00:00Z"]
)
def test_an_end_that_is_no_instant_is_refused(text: str) -> None:
    # Given a day, a clock time without an offset, or nonsense
    # When it is read as the end of a plan
    # Then the error names the field
    with pytest.raises(InvalidRequestError, match=r"^until: "):
        parse_until(text)


@pytest.mark.parametrize("text", ["", "last week", "0001-01-01", "2026-13-01"])
def test_a_start_that_is_no_day_is_refused(text: str) -> None:
    # Given what is no day
    # When it is read as the start of a plan
    # Then the error names the field
    with pytest.raises(InvalidRequestError, match=r"^from: "):
        parse_from(text, ZoneInfo("UTC"))


@pytest.mark.parametrize("name", ["", "America", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    # Given what is no zone: unknown, a folder, a path
    # When it is looked up
    # Then the error names the field and repeats nothing
    with pytest.raises(InvalidRequestError, match=r"^timezone: .*Europe/London"):
        parse_zone(name)


def test_an_endless_lookback_ends_with_the_calendar() -> None:
    # Given a lookback further than anyone's logs
    # When windows are planned
    found = windows("month", ZoneInfo("UTC"), at("2026-11-20T00:00:00Z"), NONE, lookback=10**9)
    # Then the plan stops in 1900
    assert found[0].start.year == 1900
