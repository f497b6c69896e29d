"""What the functions tell their operators: one log, a few metrics."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

__all__ = ["MetricUnit", "follow", "log", "measure"]


@cache
def log() -> Logger:
    """Return our own logger. The root logger stays at WARNING: the SDK's DEBUG prints secrets."""
    return Logger(service="logferry")


def follow(**keys: str | None) -> None:
    """Begin a step: every line from here on carries these keys, and none of an earlier call's.

    A warm function's logger is still the one of the invocation before.
    """
    log().clear_state()
    log().append_keys(**{name: value for name, value in keys.items() if value})


def measure(source: str, unit: MetricUnit = MetricUnit.Count, **values: float) -> None:
    """Write metrics in CloudWatch's embedded format, with the source as their one dimension."""
    metrics = EphemeralMetrics(namespace="Logferry", service="logferry")
    metrics.add_dimension("source", source)
    for name, value in values.items():
        metrics.add_metric(name, unit, value)
    metrics.flush_metrics()
