from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import product
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import boto3
import pytest
from moto import mock_aws

from logferry.collect.windows import windows
from logferry.coverage.coverage import coverage_of, coverage_of_all
from logferry.coverage.page import MEANINGS, page, render
from logferry.coverage.widget import fitting
from logferry.ledger.repository import Ledger
from logferry.ledger.status import Outcome, SeriesCoverage, WindowCoverage
from logferry.ledger.table import Table
from logferry.models.request import Every, ExportRequest, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
LANDING = {"key": "k", "records": 12}


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        keys = {"series": "HASH", "window": "RANGE"}
        client.create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Ledger(Table(client, "ledger"), lambda: NOW)


def request(window: Window | None = None) -> ExportRequest:
    return ExportRequest("spark-log-csv", "acme", {"folder": "Motor", "service": "Quote"}, window)


def land(ledger: Ledger, window: Window, **landing: object) -> None:
    row = ledger.submitted(ledger.create(request(window), "arn:one"), "job-1", ready=False)
    ledger.landed(row, {**LANDING, **landing})


def fail(ledger: Ledger, window: Window, times: int = 1) -> None:
    row = ledger.create(request(window), "arn:one")
    for attempt in range(times):
        row = ledger.failed(row, "SourceUnavailableError", "503", keep_job=False)
        if attempt < times - 1:
            row = ledger.take(row, "arn:one", state=row.state.CLAIMED, refresh=False)


def days(count: int, zone: str = "UTC") -> list[Window]:
    return windows("day", ZoneInfo(zone), NOW, lookback=count)


def series(every: Every, found: list[Window], outcomes: list[Outcome], note: str = "") -> SeriesCoverage:
    told = [WindowCoverage(window, outcome, note) for window, outcome in zip(found, outcomes, strict=True)]
    return SeriesCoverage(request().series, every, told)


def test_every_window_of_the_plan_has_an_outcome(ledger: Ledger) -> None:
    # Given a week of which each day went another way
    week = days(7)
    land(ledger, week[0])
    land(ledger, week[1], records=0)
    land(ledger, week[2], suspect=["100,000 records, the tenant's limit"])
    fail(ledger, week[3])
    fail(ledger, week[4], times=5)
    ledger.create(request(week[5]), "arn:one")
    # When its coverage is read
    coverage = coverage_of(ledger, request(), "day", week)
    # Then each day says how it went, the one that nobody asked for too
    assert [window.outcome for window in coverage.windows] == [
        Outcome.LANDED,
        Outcome.EMPTY,
        Outcome.SUSPECT,
        Outcome.FAILED,
        Outcome.GIVEN_UP,
        Outcome.IN_PROGRESS,
        Outcome.MISSING,
    ]
    # And says more where there is more to say
    assert coverage.windows[2].note == "100,000 records, the tenant's limit; 12 records"
    assert coverage.windows[4].note == "failed 5 times, last with SourceUnavailableError: 503"


def test_a_refresh_that_failed_leaves_the_earlier_landing_in_the_picture(ledger: Ledger) -> None:
    # Given a day that landed, and whose refresh is under way
    day = days(1)[0]
    land(ledger, day)
    row = ledger.read(request(day))
    assert row
    taken = ledger.take(row, "arn:two", state=row.state.CLAIMED, refresh=True)
    # When the coverage is read then, and after the refresh failed
    during = coverage_of(ledger, request(), "day", [day]).windows[0].outcome
    ledger.failed(taken, "ExportFailedError", "no", keep_job=False)
    after = coverage_of(ledger, request(), "day", [day]).windows[0].outcome
    # Then the day is there, both times
    assert (during, after) == (Outcome.LANDED, Outcome.LANDED)


@pytest.mark.parametrize(
    ("error", "counts", "told"),
    [
        ("ExecutionAborted", False, "stopped by a person"),
        ("ExecutionAborted", True, "failed once, then stopped by a person"),
        ("States.Timeout", True, "failed once, then stopped at its time limit"),
    ],
)
def test_a_stopped_export_is_told_as_people_say_it(
    ledger: Ledger, error: str, *, counts: bool, told: str
) -> None:
    # Given a day whose export was stopped
    day = days(1)[0]
    ledger.failed(ledger.create(request(day), "arn:one"), error, "it ended", keep_job=True, counts=counts)
    # When its coverage is read
    # Then no word of ours stands in it
    assert coverage_of(ledger, request(), "day", [day]).windows[0].note == told


def test_without_a_plan_the_ledger_tells_what_is_missing(ledger: Ledger) -> None:
    # Given days of London's summer of which two were never asked for
    found = windows("day", ZoneInfo("Europe/London"), datetime(2026, 7, 9, tzinfo=UTC), lookback=6)
    for day in (found[0], found[1], found[4], found[5]):
        land(ledger, day)
    # When the coverage of everything is read
    (coverage,) = coverage_of_all(ledger, NOW)
    # Then the two are missing, and the days are London's
    assert coverage.every == "day"
    assert [window.outcome for window in coverage.windows] == [
        *[Outcome.LANDED] * 2,
        *[Outcome.MISSING] * 2,
        *[Outcome.LANDED] * 2,
    ]
    assert [window.window for window in coverage.windows] == found
    assert {window.window.start.hour for window in coverage.windows} == {0}


def test_single_calls_have_no_calendar(ledger: Ledger) -> None:
    # Given an export of one call, which has no window
    call = ExportRequest("spark-call", "acme", {"call_id": "c1"}, item=("call_id", "index"))
    ledger.create(call, "arn:one")
    # When the coverage of everything is read
    # Then it is not in it
    assert coverage_of_all(ledger, NOW) == []


def test_the_picture_of_everything_reads_cheaply_and_only_what_it_draws(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a day, and calls of the same series
    land(ledger, days(1)[0])
    asked: list[dict[str, Any]] = []
    client = ledger._table._client  # noqa: SLF001 - what DynamoDB is asked for is what it costs
    paginator = client.get_paginator("query")

    class Paginator:
        def paginate(self, **arguments: Any) -> Any:
            asked.append(arguments)
            return paginator.paginate(**arguments)

    monkeypatch.setattr(client, "get_paginator", lambda _: Paginator())
    # When
    assert len(coverage_of_all(ledger, NOW)) == 1
    coverage_of(ledger, request(), "day", days(2))
    # Then each read costs half, and ends before the calls
    assert [each["ConsistentRead"] for each in asked] == [False] * 3
    assert all(each["ExpressionAttributeValues"][":last"]["S"] < "call/" for each in asked[1:])


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_the_picture_holds_nothing_that_a_dashboard_strips(theme: str) -> None:
    # Given series of every kind, with every outcome
    everything = [
        series(every, found, [o for o, _ in zip(list(Outcome) * 99, found, strict=False)])
        for every in ("hour", "day", "week", "month")
        for found in [windows(every, ZoneInfo("UTC"), NOW, lookback=40)]
    ]
    # When they are drawn
    html = render(everything, theme)  # type: ignore[arg-type]
    # Then there is no script, no <use>, no frame, nothing from elsewhere and no handler
    assert not re.search(r"<(script|use|iframe|object|embed|link|img)\b|url\(|https?:|\son\w+=", html)
    # And the picture is well formed
    style, body = html.split("</style>")
    assert ET.fromstring(body).tag == "div"  # noqa: S314 - our own output
    assert "{" not in body
    assert style.count("{") == style.count("}")


def test_each_outcome_has_a_shape_of_its_own() -> None:
    # Given one window of each outcome
    found = days(len(Outcome))
    # When they are drawn and all colours are taken away
    html = render([series("day", found, list(Outcome))], "light")
    cells = re.findall(r'<g class="([a-z-]+)" transform="[^"]*"><title>[^<]*</title>(.*?)</g>', html)
    shapes = dict(cells)
    # Then no two look the same: only `landed` and `missing` have no mark, and of them one is a dashed frame
    assert len(shapes) == len(Outcome)
    assert len(set(shapes.values())) == len(Outcome) - 1
    assert re.search(r"\.missing rect\{fill:none;[^}]*stroke-dasharray", html)


def test_every_window_can_be_read_without_seeing_it() -> None:
    # Given a day that failed among days that landed
    found = days(10)
    outcomes = [Outcome.LANDED] * 6 + [Outcome.FAILED] + [Outcome.LANDED] * 3
    # When they are drawn
    html = render([series("day", found, outcomes, "503")], "light")
    # Then the cell says it, the calendar says how many, and a table row says what is known
    assert "<title>16 Nov 2026: failed, 503</title>" in html
    assert "<title>Nov 2026: 9 landed, 1 failed</title>" in html
    assert re.search(r"2026-11-16</th><td[^>]*>failed</td><td[^>]*>503</td>", html)


def test_neighbours_that_share_an_outcome_share_a_row() -> None:
    # Given four days that nobody asked for
    # When they are drawn
    html = render([series("day", days(4), [Outcome.MISSING] * 4)], "light")
    # Then one row tells it
    assert html.count('scope="row"') == 1
    assert "2026-11-16 to 2026-11-19" in html
    assert "never asked for" in html


def test_words_from_outside_stay_words() -> None:
    # Given a service and a vendor's message that hold markup
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    told = [WindowCoverage(days(1)[0], Outcome.FAILED, evil)]
    named = {"source": "s", "connection": evil, "target": {"service": evil}, "filters": {evil: evil}}
    # When they are drawn
    html = render([SeriesCoverage(named, "day", told)], "light")
    # Then none of it is markup
    assert "<script" not in html
    assert "<img" not in html


def test_a_year_of_hours_is_drawn_as_days() -> None:
    # Given 8,760 hours of which one failed
    found = windows("hour", ZoneInfo("UTC"), NOW, lookback=8_760)
    outcomes = [Outcome.LANDED] * 8_760
    outcomes[-30] = Outcome.FAILED
    # When they are drawn
    html = render([series("hour", found, outcomes)], "light")
    # Then each day is one cell that shows its gravest hour and counts the rest
    assert html.count("<g class=") - len(Outcome) == 366
    assert "<title>19 Nov 2026: 23 landed, 1 failed</title>" in html
    # And a dashboard can take it: Lambda replies at most 6 MB
    assert len(html) < 200_000


def test_what_does_not_fit_is_counted() -> None:
    # Given seven years of days, and sixty series
    many = series("day", days(2_557), [Outcome.LANDED] * 2_557)
    # When they are drawn
    html = render([many] * 60, "light")
    # Then two years and fifty series are drawn, the rest is counted
    assert "10 more series are counted above and not drawn" in html
    assert html.count("earlier windows are counted and not drawn") == 50
    assert html.count('class="calendar"') == 50 * 24
    assert "153,420 landed" in html


def test_a_dashboard_gets_as_much_as_a_reply_can_carry() -> None:
    # Given fifty series of two years, each day with a long note
    many = series(
        "day", days(700), [Outcome.LANDED] * 700, "a note that is as long as notes are at times " * 3
    )
    # When they are drawn for a dashboard
    html = fitting([many] * 50, "light", NOW, "UTC")
    # Then it is below Lambda's 6 MB, and what is left out is counted
    assert 1_000_000 < len(json.dumps(html)) < 6_000_000
    assert "more series are counted above and not drawn" in html
    assert "35,000 landed" in html


def test_an_hour_that_comes_twice_has_two_cells() -> None:
    # Given the night in which New York's clocks go back
    found = windows("hour", ZoneInfo("America/New_York"), datetime(2026, 11, 2, 5, tzinfo=UTC), lookback=25)
    # When it is drawn
    html = render([series("hour", found, [Outcome.LANDED] * 25)], "light")
    # Then the day has 25 cells in 25 places
    places = re.findall(r'<g class="landed" transform="translate\((\d+ \d+)\)"><title>', html)
    assert len(set(places)) == 25


def test_hundred_percent_means_all() -> None:
    # Given 999 windows of 1,000
    found = days(1_000)
    outcomes = [Outcome.LANDED] * 1_000
    # When one of them is missing, and when none is
    some = render([series("day", found, [*outcomes[:-1], Outcome.MISSING])], "light")
    # Then only the second is complete
    assert ">99 %<" in some
    assert ">100 %<" in render([series("day", found, outcomes)], "light")


@pytest.mark.parametrize("doubt", [Outcome.SUSPECT, Outcome.EARLY, Outcome.CUT])
def test_nothing_in_doubt_counts_as_whole(doubt: Outcome) -> None:
    # Given a year of which one day may not be everything
    html = render([series("day", days(365), [*[Outcome.LANDED] * 364, doubt])], "light")
    # Then the share beside the name is below a hundred
    assert '<h2>Motor / Quote<span class="share">99 %</span></h2>' in html


@pytest.mark.parametrize(
    ("zone", "told"),
    [("UTC", "As of 20 Nov 2026, 06:00 UTC."), ("Asia/Tokyo", "As of 20 Nov 2026, 15:00 Asia/Tokyo.")],
)
def test_the_picture_says_as_of_when_and_in_which_zone(zone: str, told: str) -> None:
    found = series("day", days(3), [Outcome.LANDED] * 3)

    assert told in render([found], "light", NOW, zone)
    assert told in page([found], NOW, zone)


def test_each_day_shows_its_number() -> None:
    # Given one day of each outcome
    html = render([series("day", days(len(Outcome)), list(Outcome))], "light")
    # Then each has its number, dark on what is only framed and light on what is filled
    numbers = re.findall(r'</g><text class="(on|off)" [^>]*>(\d+)</text>', html)
    assert [number for _, number in sorted(numbers, key=lambda one: int(one[1]))] == [
        str(day.start.day) for day in days(len(Outcome))
    ]
    assert sum(ground == "off" for ground, _ in numbers) == 3


def test_each_word_of_the_legend_is_explained() -> None:
    assert set(MEANINGS) == set(Outcome)
    assert all(f'title="{escape(meaning)}"' in render([]) for meaning in MEANINGS.values())


def test_a_year_fits_a_row_of_a_wide_screen() -> None:
    # Given a year of days
    html = render([series("day", days(365)[-324:], [Outcome.LANDED] * 324)], "light")
    # When its months stand side by side
    widths = [int(width) for width in re.findall(r'class="calendar" role="img" width="(\d+)"', html)]
    gaps = re.search(r"\.calendars\{[^}]*gap:(\d+)px", html)
    # Then they fit 1,920 pixels, less the page's own frame
    assert gaps
    assert len(widths) == 12
    assert sum(widths) + 11 * int(gaps[1]) <= 1_920 - 50


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colours_can_be_told_from_their_ground(theme: str) -> None:
    # Given the style of a theme
    html = render([], theme)  # type: ignore[arg-type]

    def colour(rule: str) -> str:
        found = re.search(rule, html)
        assert found
        return found[1]

    card = colour(r"section\{background:(#\w{6})")
    # When its colours are compared, as WCAG 2.2 does
    words = [colour(r"h2\{[^}]*color:(#\w{6})"), colour(r"logferry p\{[^}]*color:(#\w{6})")]
    names = ("landed", "suspect", "in-progress", "failed", "given-up")
    cells = [colour(rf"\.{name} rect\{{fill:(#\w{{6}})") for name in names]
    mark = colour(r"g circle\{fill:none;stroke:(#\w{6})")
    # Then text has 4.5:1, cells have 3:1 to their ground; what is written in them is text as well
    assert all(_contrast(cell, mark) >= 4.5 for cell in cells)
    assert all(_contrast(word, card) >= 4.5 for word in words)
    assert all(_contrast(cell, ground) >= 3 for cell, ground in product(cells, (card, mark)))


def test_the_page_stands_alone() -> None:
    # Given a series
    # When it is written as a page
    html = page([series("day", days(3), [Outcome.LANDED] * 3)])
    # Then it is a whole document that fits narrow screens and follows the reader's light or dark
    assert html.startswith("<!doctype html>")
    assert 'name="viewport"' in html
    assert "prefers-color-scheme:dark" in html


def test_times_far_back_are_left_out_of_everything(ledger: Ledger) -> None:
    # Given a day two years ago
    day = days(1)[0]
    old = Window(day.start - timedelta(days=730), day.end - timedelta(days=730))
    land(ledger, old)
    # When the coverage of everything is read
    # Then it shows the last 400 days
    assert coverage_of_all(ledger, NOW) == []
