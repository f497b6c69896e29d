"""Landings that may not be everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from logferry.export.suspicion import LOOKED_AT, suspect
from logferry.ledger.record import ExportRecord
from logferry.models.request import ExportRequest, Window
from logferry.sources.registry import source_named

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = source_named("spark-log-csv")
EVENTS = source_named("spark-events")
DAY = datetime(2026, 11, 18, tzinfo=UTC)
ASKED = DAY + timedelta(days=1)


def window(days: int) -> Window:
    return Window(DAY + timedelta(days), DAY + timedelta(days + 1))


REQUEST = ExportRequest(LOG.name, "acme", {"folder": "a", "service": "b"}, window(0))


def row(days: int, records: int | None, *, landed: bool = True) -> ExportRecord:
    item: dict[str, Any] = {"window": window(days).key, "records": records}
    return ExportRecord({**item, "landed_at": "2026-11-20T00:00:00Z"} if landed else item)


def reasons(
    records: int | None, *series: ExportRecord, sizes: tuple[int, ...] = (10,), limits: Any = None
) -> list[str]:
    return suspect(LOG, REQUEST, limits or {}, records=records, sizes=sizes, series=series, asked=ASKED)


def test_a_usual_landing_is_not_suspect() -> None:
    assert reasons(17, row(-1, 20)) == []
    assert reasons(None, row(-1, 20)) == []


@pytest.mark.parametrize("records", [100_000, 100_001])
def test_as_many_records_as_a_download_holds_are_suspect(records: int) -> None:
    [reason] = reasons(records)
    assert f"{records} records" in reason
    assert "100000" in reason
    assert reasons(99_999) == []


@pytest.mark.parametrize("sizes", [(26_214_400,), (10, 25_953_000), (30_000_000, 10)])
def test_as_many_bytes_as_a_download_holds_are_suspect(sizes: tuple[int, ...]) -> None:
    [reason] = reasons(17, sizes=sizes)
    assert "26214400" in reason
    assert reasons(17, sizes=(25_900_000, 25_900_000)) == []


def split_files(*parts: int) -> list[str]:
    return suspect(
        LOG, REQUEST, {"records": 10}, records=sum(parts), sizes=[1], parts=parts, series=[], asked=ASKED
    )


def test_a_vendor_that_goes_on_in_another_file_has_cut_nothing() -> None:
    assert split_files(10, 10, 3) == []
    # But full files only, files that are full together, and files of any other size say nothing of the kind
    for parts in ((10, 10), (5, 5), (7, 6), (10, 0), (10, 11)):
        assert split_files(*parts), parts


def test_the_limits_of_the_connection_go_first() -> None:
    assert reasons(500, limits={"records": 500})
    assert reasons(100_000, limits={"records": 200_000}) == []
    assert reasons(5, sizes=(100,), limits={"bytes": 100})


@pytest.mark.parametrize(
    ("page_size", "records", "doubtful"), [(None, 100_000, True), (10, 10, True), (10, 9, False)]
)
def test_events_that_fill_their_page_are_suspect(
    page_size: int | None, records: int, *, doubtful: bool
) -> None:
    filters = {} if page_size is None else {"page_size": page_size}
    request = ExportRequest(EVENTS.name, "acme", {}, window(0), filters)
    assert bool(suspect(EVENTS, request, {}, records=records, sizes=[1], series=[], asked=ASKED)) is doubtful


def test_a_window_that_was_not_over_is_suspect() -> None:
    early = ASKED - timedelta(microseconds=1)
    [reason] = suspect(LOG, REQUEST, {}, records=5, sizes=[1], series=[], asked=early)
    assert "before the window was over" in reason
    # And a call has no window
    call = source_named("spark-call")
    request = ExportRequest(call.name, "acme", {"call_id": "a"}, item=call.item)
    assert suspect(call, request, {}, records=1, sizes=[1], series=[], asked=early) == []


def test_nothing_where_there_usually_is_something_is_suspect() -> None:
    [reason] = reasons(0, row(-1, 20), row(-2, 0), row(-3, 7))
    assert reason == "0 records, where this series usually has some"


@pytest.mark.parametrize(
    "series",
    [
        (),
        (row(-1, 0), row(-2, 0), row(-3, 7)),
        (row(-1, 0), row(-2, 5)),
        (row(-1, None),),
        (row(-1, 20, landed=False),),
        (row(0, 20),),
    ],
)
def test_nothing_where_that_is_usual_is_not(series: tuple[ExportRecord, ...]) -> None:
    assert reasons(0, *series) == []


def test_the_series_is_read_only_where_it_matters() -> None:
    def unread() -> Iterator[ExportRecord]:
        raise AssertionError("not asked for")
        yield

    assert suspect(LOG, REQUEST, {}, records=5, sizes=[1], series=unread(), asked=ASKED) == []


def test_a_long_series_is_not_read_to_its_end() -> None:
    read = []

    def endless() -> Iterator[ExportRecord]:
        for days in range(1, 10_000):
            read.append(days)
            yield row(days, 3)

    assert suspect(LOG, REQUEST, {}, records=0, sizes=[1], series=endless(), asked=ASKED)
    assert len(read) <= LOOKED_AT + 1


def test_a_file_that_may_lack_its_end_is_suspect() -> None:
    [reason] = suspect(
        LOG, REQUEST, {}, records=17, sizes=[10], series=[row(-1, 20)], asked=ASKED, proven=False
    )
    assert "the connection ended without a word" in reason
