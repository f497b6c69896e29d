"""What the state machine carries: readable by the next release, and small."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from logferry.export.state import ExportState, Step, age

# As the first release wrote it. It is never edited: executions that run while a release is deployed hold it.
OLD: dict[str, Any] = {
    "state": "RUNNING",
    "export_id": "e" * 64,
    "attempt": 1,
    "deadline": "2026-11-20T18:00:00Z",
    "job_id": "ebcbf840-df82-472a-b9d4-073f14f4320b",
    "submitted_at": "2026-11-20T12:00:00Z",
    "wait_seconds": 5,
    "progress": 33.0,
    "elapsed": 61.5,
    "polls": 4,
    "waits": 3,
    "malformed": 1,
}


def test_a_state_of_the_first_release_is_read() -> None:
    state = ExportState.from_json(OLD)
    assert state.state is Step.RUNNING
    assert {name: value for name, value in state.to_json().items() if name in OLD} == OLD


def test_a_state_of_a_later_release_is_read_too() -> None:
    # Given fields that nobody knows yet
    later = {**OLD, "checkpoint": {"part": 7}, "colour": "red"}
    assert ExportState.from_json(later) == ExportState.from_json(OLD)


def test_every_field_but_the_first_ones_has_a_default() -> None:
    # Given a state as short as it may be
    needed = ("state", "export_id", "attempt", "deadline")
    state = ExportState.from_json({name: OLD[name] for name in needed})
    # Then all the paths of the state machine resolve
    assert set(state.to_json()) == {field.name for field in fields(ExportState)}
    assert state.wait_seconds == 0


@pytest.mark.parametrize("step", Step)
def test_a_state_survives_its_json(step: Step) -> None:
    state = replace(ExportState.from_json(OLD), state=step)
    document = json.loads(json.dumps(state.to_json()))
    assert document["state"] == step.value
    assert ExportState.from_json(document) == state


def test_the_largest_state_is_small() -> None:
    state = replace(ExportState.from_json(OLD), job_id="\\" * 512, polls=10**9)
    assert len(json.dumps(state.to_json())) < 8 * 1024


def test_an_age_is_never_negative() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert age(now - timedelta(seconds=90), now) == 90
    assert age(now + timedelta(seconds=90), now) == 0
