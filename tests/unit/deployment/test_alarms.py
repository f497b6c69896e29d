"""Alarms on collections over the hours of some nights, and who gets which mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from moto.sns.utils import FilterPolicyMatcher

from tests.gates.deployment import deployment
from tests.gates.iam import Account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOURS = 26
SCHEDULED = {"Schedule": "ON", "CollectExports": '[{"source": "spark-events", "connection": "acme"}]'}
MAILS = {"NotificationEmail": "a@b.example"}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "a landing": {"status": "LANDED", "source": "spark-events"},
    "a failure": {"status": "FAILED", "source": "spark-events"},
    "a landing of a collection": {"status": "LANDED", "source": "spark-events", "collection": "true"},
    "a failure of a collection": {"status": "FAILED", "source": "spark-events", "collection": "true"},
    "a summary": {"status": "COLLECTED", "kind": "collection"},
    "a bad summary": {"status": "FAILED", "kind": "collection"},
}


def properties(resource: str, given: dict[str, str]) -> dict[str, Any]:
    return Account(deployment().translated(), given).resources[resource][1]


def uncollected(alive: Sequence[float | None], collected: Sequence[float | None]) -> Iterator[float | None]:
    """Compute the alarm's expression hour by hour, as metric math does: SUM over a list passes over gaps."""
    alarm = properties("CollectionMissingAlarm", SCHEDULED)
    said = {one["Id"]: one.get("Expression") for one in alarm["Metrics"]}
    assert said["without"] == "SUM([alive, done])"
    factor = float(str(said["done"]).removeprefix("collected * "))
    for here, done in zip(alive, collected, strict=True):
        parts = [one for one in (here, None if done is None else done * factor) if one is not None]
        yield sum(parts) if parts else None


def alarms(alive: Sequence[float | None], collected: Sequence[float | None]) -> bool:
    """Judge the last hours: missing points are as the alarm treats them."""
    alarm = properties("CollectionMissingAlarm", SCHEDULED)
    periods, missing = int(alarm["EvaluationPeriods"]), alarm["TreatMissingData"]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    last = list(uncollected(alive, collected))[-periods:]
    return all(one > 0 if one is not None else missing == "breaching" for one in last)


@pytest.mark.parametrize(
    ("alive", "collected", "alarmed"),
    [
        pytest.param([None] * HOURS, [None] * HOURS, False, id="the minute of the first deploy"),
        pytest.param([None] * 6 + [2.0] * 20, [None] * HOURS, False, id="before the first night was due"),
        pytest.param([2.0] * HOURS, [None] * HOURS, True, id="a first night that never came"),
        pytest.param([2.0] * HOURS, [None] * 10 + [1.0] + [None] * 15, False, id="a night that came"),
        pytest.param([900.0] * 12 + [2.0] * 14, [None] * 10 + [1.0] + [None] * 15, False, id="many viewers"),
        pytest.param([2.0] * 30, [None, 1.0] + [None] * 28, True, id="a second night that never came"),
    ],
)
def test_a_missing_collection_is_alarmed_after_the_promised_hours_and_not_before(
    alive: Sequence[float | None], collected: Sequence[float | None], *, alarmed: bool
) -> None:
    assert alarms(alive, collected) is alarmed


def test_the_heartbeat_beats_in_every_hour_and_reads_nothing() -> None:
    rule = properties("HeartbeatRule", SCHEDULED)

    [target] = rule["Targets"]
    assert int(re.findall(r"rate\((\d+) minutes\)", rule["ScheduleExpression"])[0]) <= 30
    assert target["Input"] == '{"describe": true}'
    assert "HeartbeatRule" not in Account(deployment().translated(), {}).resources


@pytest.mark.parametrize("name", ["GivenUpAlarm", "OldestMissingAlarm"])
def test_what_a_night_reported_bad_stays_bad_until_a_better_report(name: str) -> None:
    alarm = properties(name, {})

    # A better report about other windows on the same day does not hide it; gaps keep the state.
    assert (alarm["Period"] * alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (24 * 3600, 1)
    assert alarm["TreatMissingData"] == "ignore"


@pytest.mark.parametrize(
    ("about", "heard"),
    [
        ("failures", {"a failure", "a summary", "a bad summary"}),
        ("collections", {"a summary", "a bad summary"}),
        ("all", set(ATTRIBUTES)),
    ],
)
def test_an_address_hears_of_what_it_was_subscribed_for(about: str, heard: set[str]) -> None:
    mail = properties("NotificationMail", {**MAILS, "NotificationEmailAbout": about})

    matcher = FilterPolicyMatcher(mail.get("FilterPolicy", {}), "MessageAttributes")
    assert {name for name, one in ATTRIBUTES.items() if matcher.matches(_attributes(one), "{}")} == heard


def test_failures_are_what_an_address_hears_of_unless_said_otherwise() -> None:
    assert properties("NotificationMail", MAILS) == properties(
        "NotificationMail", {**MAILS, "NotificationEmailAbout": "failures"}
    )


def _attributes(values: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"Type": "String", "Value": value} for name, value in values.items()}
