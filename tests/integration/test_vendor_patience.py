"""What a vendor answers while a job is awaited, through the steps of the state machine."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from logferry.errors import ExportFailedError, InvalidRequestError
from logferry.telemetry import log
from tests.integration.steps import Steps, arn, example, stage
from tests.sandbox.vendor import Reply, Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = example("spark-log-csv")


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    with Vendors(polls=2, rows=20) as vendors, stage(vendors, monkeypatch) as steps:
        yield steps


def test_three_redirects_in_a_row_fail_the_export(steps: Steps) -> None:
    # Given a job, and a page of maintenance in its place
    state = steps.submit(REQUEST)
    steps.vendors.script("status", *[Reply(301)] * 3)
    # When it is asked for, then twice it goes on, and the third time it fails
    for malformed in (1, 2):
        state = steps.check(REQUEST, state)
        assert (state["state"], state["malformed"]) == ("RUNNING", malformed)
    with pytest.raises(ExportFailedError, match=r"301.* without Location"):
        steps.check(REQUEST, state)


def test_a_window_that_lies_in_the_future_is_refused(steps: Steps) -> None:
    window = {"start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00Z"}
    with pytest.raises(InvalidRequestError, match=r"window\.start"):
        steps.submit({**REQUEST, "window": window})
    assert steps.vendors.requests == []


def test_one_export_is_followed_by_its_id_from_submit_to_landing(steps: Steps) -> None:
    # Given what the functions write
    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    handler = Keep()
    handler.setFormatter(log().registered_formatter)
    logging.getLogger("logferry").addHandler(handler)
    logging.getLogger("logferry").setLevel("INFO")
    try:
        # When an export runs, after another one in the same process
        steps.run(example("spark-call"), name="before")
        lines.clear()
        result = steps.run(REQUEST)[-1]
    finally:
        logging.getLogger("logferry").removeHandler(handler)
    # Then each line names it, and none the one before
    assert {line["message"] for line in lines} >= {"claimed", "status", "landed"}
    named = {(line["export_id"], line["execution"], line["source"], line["connection"]) for line in lines}
    assert named == {(result["export_id"], arn("one"), REQUEST["source"], REQUEST["connection"])}
