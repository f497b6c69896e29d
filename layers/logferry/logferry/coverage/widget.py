"""The coverage picture as a CloudWatch custom widget, and for whoever else asks for it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from logferry import runtime
from logferry.coverage.coverage import coverage_of, coverage_of_all
from logferry.coverage.page import SERIES_DRAWN, Theme, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from logferry.ledger.repository import Ledger
    from logferry.ledger.status import SeriesCoverage

REPLY_BYTES = 5_900_000
"""Lambda replies at most 6 MB: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
KEPT = timedelta(minutes=1)
"""How long a picture is shown again: several viewers at once, or one who clicks, read the ledger once."""

DESCRIPTION = """## Logferry coverage

A calendar of windows for each series: what landed, what is empty or suspect, in progress, missing, failed or
given up. It reads Logferry's ledger alone and changes nothing.

### Widget parameters

Param | Description
---|---
**exports**, **every**, … | *(optional)* The input of a collection, as its schedule has it: every window that it would plan is drawn, the ones that nobody ever asked for too.

Without parameters: every series that the ledger knows, the last 400 days of it.

### Example parameters

``` yaml
exports:
  - source: spark-log-csv
    connection: acme-uat
    target: {folder: Motor, service: Quote}
every: day
timezone: Europe/London
from: "2026-01-01"
```
"""  # noqa: E501 - one row of a Markdown table is one line


def show(event: Mapping[str, Any]) -> str:
    """Answer CloudWatch: Markdown to `describe`, else HTML in the dashboard's own light or dark.

    Raises InvalidRequestError for parameters that are no collection, DeliveryError.
    """
    if event.get("describe"):
        return DESCRIPTION
    parameters = {name: value for name, value in event.items() if name != "widgetContext"}
    context = event.get("widgetContext") or {}
    theme: Theme = "dark" if context.get("theme") == "dark" else "light"
    ledger, kept = runtime.ledger(), runtime.pictures()
    now, asked = ledger.now(), json.dumps([parameters, theme], sort_keys=True)
    for stale in [each for each, (_, drawn) in kept.items() if now - drawn >= KEPT]:
        del kept[stale]
    if asked not in kept:
        kept[asked] = fitting(covered(ledger, parameters), theme, now, zone_of(parameters)), now
    return kept[asked][0]


def fitting(found: Sequence[SeriesCoverage], theme: Theme, as_of: datetime, zone: str) -> str:
    """Return the picture with as many series drawn as a reply of Lambda can carry."""
    most = SERIES_DRAWN
    while len(json.dumps(drawn := render(found, theme, as_of, zone, most))) > REPLY_BYTES and most > 1:
        most //= 2
    return drawn


def zone_of(document: Mapping[str, Any]) -> str:
    """Return the zone whose calendar a collection's input follows; UTC where it names none."""
    return str(document.get("timezone") or "UTC")


def covered(ledger: Ledger, document: Mapping[str, Any]) -> list[SeriesCoverage]:
    """Return the coverage of a collection's input, or of everything where that is empty."""
    if not document:
        return coverage_of_all(ledger, ledger.now())
    # Imported here: a dashboard without parameters does without pydantic.
    from logferry.collect.input import read_collection  # noqa: PLC0415

    asked = read_collection(dict(document), ledger.now())
    return [
        coverage_of(ledger, series, asked.every, asked.windows_of(series), asked.max_attempts)
        for series in asked.series
    ]
