"""The windows of a collection: what the calendar of a time zone cuts time into.

A boundary is the first instant at which the zone's clock shows the beginning of an hour, day, week (Monday,
ISO 8601) or month, or jumps over it. Windows reach from one boundary to the next, so they tile time without
gap or overlap: days have 23 and 25 hours where clocks change, an hour is never repeated in two windows, and a
day that a zone skipped (Apia, 30 December 2011) has no window.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from logferry.errors import InvalidRequestError
from logferry.models.nearest import suggestion
from logferry.models.request import Every, Window

if TYPE_CHECKING:
    from collections.abc import Iterator


LOOKBACK = 7
"""Windows that a collection looks back at when it is not told from when."""

_EARLIEST_YEAR = 1900
_LONGEST_SETTLE = timedelta(days=366)
_LONGEST_NUMBER = 6
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_MOMENT = timedelta(microseconds=1)
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W|(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?)",
    re.ASCII,
)


def windows(
    every: Every,
    zone: ZoneInfo,
    until: datetime,
    settle: timedelta = timedelta(0),
    *,
    start: datetime | None = None,
    lookback: int = LOOKBACK,
) -> list[Window]:
    """Return every complete window, in order: those that end at `until - settle` or before.

    They begin with the window that contains `start` (an aware time), so that nothing asked for is missed,
    or are the last `lookback` ones. Their times carry the zone's own offset at that moment.
    """
    limit = until - settle
    if start is None:
        bounds = [_floor(every, limit, zone)]
        while len(bounds) <= lookback and bounds[-1].year > _EARLIEST_YEAR:
            bounds.append(_floor(every, bounds[-1] - _MOMENT, zone))
        bounds.reverse()
    else:
        bounds = list(_boundaries(every, start, limit, zone))
    local = [_in_own_offset(bound, zone) for bound in bounds]
    return [Window(begin, end) for begin, end in pairwise(local)]


def split(window: Window, longest: timedelta) -> list[Window]:
    """Cut a window into pieces of at most `longest`, from its start on; the last one may be shorter."""
    pieces = []
    begin = window.start
    while window.end - begin > longest:
        pieces.append(Window(begin, begin + longest))
        begin += longest
    return [*pieces, Window(begin, window.end)]


def parse_zone(name: str) -> ZoneInfo:
    """Find a zone of the IANA database by its name, or raise InvalidRequestError."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise InvalidRequestError(
            "timezone: not a name of the IANA time zone database, such as Europe/London or UTC"
            + suggestion(name, sorted(available_timezones()))
        ) from error


def parse_settle(text: str) -> timedelta:
    """Read an ISO 8601 duration of weeks, or of days and a time of day, such as `PT2H` or `P1DT12H`."""
    match = _DURATION.fullmatch(text)
    # Six digits a number are plenty and keep the sum within a timedelta.
    if not match or any(len(count or "") > _LONGEST_NUMBER for count in match.groups()):
        raise InvalidRequestError(
            "settle: must be an ISO 8601 duration in whole weeks, or days, hours, minutes and seconds,"
            " such as PT2H, P1D or P1DT12H; months and years have no one length"
        )
    settle = timedelta(**{unit: int(count) for unit, count in match.groupdict("0").items()})
    if settle > _LONGEST_SETTLE:
        raise InvalidRequestError("settle: must be at most P366D")
    return settle


def parse_until(text: str) -> datetime:
    """Read the instant that a collection plans up to: ISO 8601 with an offset or `Z`."""
    if text.strip().startswith("<aws."):
        raise InvalidRequestError(
            "until: EventBridge Scheduler did not fill in its context attribute; in the schedule's input"
            ' it must read "until": "<aws.scheduler.scheduled-time>", and only a schedule may send it.'
            " Started by hand, leave until out (now) or give an instant such as 2026-11-20T02:00:00Z"
        )
    moment = _read_time(text, "until", "an instant with an offset or Z, such as 2026-11-20T02:00:00Z")
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidRequestError(
            "until: must be an instant with an offset or Z, such as 2026-11-20T02:00:00Z"
        )
    return moment.astimezone(UTC)


def parse_from(text: str, zone: ZoneInfo) -> datetime:
    """Read the day, or the time, that a collection begins with: in the zone's own time unless it says so."""
    moment = _read_time(text, "from", "a day such as 2026-01-01, or a time in the collection's zone")
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment.astimezone(UTC) if moment.tzinfo else _first(moment, zone)


def _read_time(text: str, field: str, wanted: str) -> date | datetime:
    try:
        moment = date.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise InvalidRequestError(f"{field}: must be {wanted}") from error
    if not _EARLIEST_YEAR <= moment.year < date.max.year:
        raise InvalidRequestError(f"{field}: must lie between the years {_EARLIEST_YEAR} and 9998")
    return moment


def _boundaries(every: Every, start: datetime, limit: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    bound = _floor(every, start, zone)
    while bound <= limit:
        yield bound
        bound = _next(every, bound, zone)


def _floor(every: Every, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the last boundary at or before a moment, in UTC."""
    local = moment.astimezone(zone)
    if every == "hour":
        bound = moment.astimezone(UTC) - _since_the_hour(local)
        changed = bound.astimezone(zone).utcoffset() != local.utcoffset()
        return _clock_change(bound, moment.astimezone(UTC), zone) if changed else bound
    bound = _first(_cell(every, local.replace(tzinfo=None)), zone)
    # Clocks that go back over midnight show the day before again (St. John's, 00:01 to 23:01): it is over.
    while (later := _next(every, bound, zone)) <= moment:
        bound = later
    return bound


def _next(every: Every, bound: datetime, zone: ZoneInfo) -> datetime:
    """Return the boundary after a boundary, in UTC."""
    local = bound.astimezone(zone)
    if every == "hour":
        later = bound + _HOUR - _since_the_hour(local)
        changed = later.astimezone(zone).utcoffset() != local.utcoffset()
        return _clock_change(bound, later, zone) if changed else later
    cell = _cell(every, local.replace(tzinfo=None))
    while True:
        cell = _after(every, cell)
        if (later := _first(cell, zone)) > bound:  # equal only for a cell that the zone skipped
            return later


def _since_the_hour(local: datetime) -> timedelta:
    return timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _cell(every: Every, local: datetime) -> datetime:
    """Return the clock time at which the day, week or month of a clock time begins."""
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _after(every: Every, cell: datetime) -> datetime:
    if every == "month":
        return (cell + timedelta(days=31)).replace(day=1)
    return cell + timedelta(days=7 if every == "week" else 1)


def _first(clock: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant, in UTC, at which the zone's clock shows this time or jumps over it."""
    before = clock.replace(tzinfo=zone, fold=0).astimezone(UTC)
    after = clock.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return before if before <= after else _clock_change(after, before, zone)


def _clock_change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the second in `(low, high]` from which the zone's offset is no longer that of `low`."""
    offset = low.astimezone(zone).utcoffset()
    same, changed = 0, -((low - high) // _SECOND)
    while changed - same > 1:
        middle = (same + changed) // 2
        if (low + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            same = middle
        else:
            changed = middle
    return low + changed * _SECOND


def _in_own_offset(bound: datetime, zone: ZoneInfo) -> datetime:
    # A fixed offset: two times of one ZoneInfo are compared and subtracted by their clocks, not as instants.
    offset = bound.astimezone(zone).utcoffset() or timedelta(0)
    return bound.astimezone(timezone(offset))
