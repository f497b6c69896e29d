from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from logferry.collect.input import read_collection
from logferry.errors import InvalidRequestError
from logferry.export.validation import export_request

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
SERIES = {"source": "spark-log-csv", "connection": "acme", "target": {"folder": "Motor", "service": "Quote"}}
DAILY = {"exports": [SERIES], "every": "day"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exports": []}, "exports: must not be empty"),
        ({"exports": [SERIES] * 1001}, "exports: must have at most 1,000 entries"),
        (
            {"exports": [{**SERIES, "filter": {}}]},
            "exports.0.filter: is not known here; known are source, connection, target, filters; did",
        ),
        ({"exports": [{**SERIES, "source": "spark-logs-csv"}]}, "did you mean spark-log-csv?"),
        ({"exports": [{**SERIES, "filters": {"has_error": True}}]}, "did you mean has_errors?"),
        ({"every": "daily"}, "every: input should be 'hour', 'day', 'week' or 'month'; did you mean day?"),
        ({"timezone": "Europe/Londn"}, "or UTC; did you mean Europe/London?"),
        ({"exports": [{"source": "spark-log-csv"}]}, "exports.0.connection: is required"),
        ({"exports": [SERIES, SERIES]}, "exports.1: is the same as exports.0"),
        ({"exports": [{**SERIES, "window": {}}]}, "exports.0.window: is not known here"),
        ({"exports": [{**SERIES, "target": {"folder": "M"}}]}, "exports.0.target.service: is required"),
        (
            {"exports": [{"source": "spark-call", "connection": "c", "target": {"call_id": "1"}}]},
            "no windows",
        ),
        (
            {"exports": [{**SERIES, "filters": {"call_ids": ["x" * 5_000]}}]},
            "exports.0.filters: an entry is at",
        ),
        (
            {"exports": [{"source": "ibm-activity-tracker", "connection": "i"}], "timezone": "Europe/London"},
            "timezone: the days of ibm-activity-tracker are UTC's",
        ),
        ({"every": "year"}, "every: "),
        ({"timezone": "Mars/Olympus"}, "timezone: "),
        ({"until": "<aws.scheduler.scheduled-time>"}, "until: EventBridge"),
        ({"settle": "P1M"}, "settle: "),
        ({"from": "yesterday"}, "from: "),
        ({"from": "2026-11-21"}, "from: is later than now and than until"),
        ({"from": "2026-11-21", "until": "2026-11-20T23:00:00Z"}, "from: is later than now and than until"),
        ({"every": "hour", "from": "1950-01-01"}, "from: some 673,974 windows are more"),
        ({"lookback": 0}, "lookback: "),
        ({"max_concurrency": 0}, "max_concurrency: "),
        ({"max_attempts": "5"}, "max_attempts: "),
        ({"force": "yes"}, "force: "),
        ({"spare": 1}, "spare: is not known here; known are exports, every, timezone, until, from,"),
    ],
)
def test_a_wrong_input_is_refused_by_the_name_of_its_field(changes: dict[str, Any], said: str) -> None:
    # Given an input with one thing wrong
    # When it is read
    # Then the error names the field and says what would be right
    with pytest.raises(InvalidRequestError) as caught:
        read_collection({**DAILY, **changes}, NOW)
    assert said in str(caught.value)


def test_what_is_left_out_has_the_contracts_defaults() -> None:
    # Given the two fields that are required, and a schema for editors
    # When they are read
    found = read_collection({"$schema": "collect.schema.json", **DAILY}, NOW)
    # Then the rest is as the contract says, up to this moment
    assert (found.zone.key, found.until, found.lookback, found.start) == ("UTC", NOW, 7, None)
    assert (found.max_concurrency, found.max_attempts, found.force, found.dry_run) == (4, 5, False, False)


def test_a_series_is_the_same_as_that_of_a_single_export() -> None:
    # Given a source whose target has a default
    ibm = {"source": "ibm-activity-tracker", "connection": "ibm"}
    # When it is read as part of a collection, and as an export of its own
    (series,) = read_collection({"exports": [ibm], "every": "day"}, NOW).series
    window = {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"}
    # Then both are the same series of the ledger
    assert series.series_id == export_request({**ibm, "window": window}).series_id
