"""What the alarms hear: metric filters read log lines, and nothing else ties the two together."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.gates.deployment import deployment

if TYPE_CHECKING:
    from tests.e2e.world import World


def logged(world: World, function: str) -> list[dict[str, Any]]:
    lines = world.sandbox.logs(function).splitlines()
    return [json.loads(line[line.index("{") :]) for line in lines if '{"level"' in line]


@pytest.mark.parametrize("metric", ["GivenUpMetric", "OldestMissingMetric"])
def test_a_collection_logs_what_its_metric_filters_read(world: World, metric: str) -> None:
    # Given a collection
    request = world.input()
    document = {
        "exports": [{key: request[key] for key in ("source", "connection", "target")}],
        "every": "day",
        "until": (world.day + timedelta(days=1)).isoformat(),
        "lookback": 1,
    }
    collected = world.sandbox.start(document, machine="CollectStateMachine").wait(120)
    assert collected.status == "SUCCEEDED"
    # When
    properties = deployment().source["Resources"][metric]["Properties"]
    [transformation] = properties["MetricTransformations"]
    lines = [line for line in logged(world, "ReportFunction") if line.get("message") == "collected"]
    # Then
    assert properties["FilterPattern"].startswith('{ $.message = "collected"')
    assert lines
    value = lines[-1][transformation["MetricValue"].removeprefix("$.")]
    assert isinstance(value, int | float)


def test_an_export_measures_what_the_dashboard_shows(world: World) -> None:
    # When
    assert world.run().status == "SUCCEEDED"
    # Then
    lines = world.sandbox.logs().splitlines()
    measured = [json.loads(line[line.index("{") :]) for line in lines if '"_aws"' in line]
    names = {
        metric["Name"]
        for line in measured
        for each in line["_aws"]["CloudWatchMetrics"]
        for metric in each["Metrics"]
    }
    expected = {"ExportsLanded", "Records", "Suspect", "Bytes", "JobSeconds", "Polls", "DetectionDelay"}
    assert expected <= names
