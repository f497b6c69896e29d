"""A dry run of a collection on the deployed stack, and what the schedule has done so far."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.smoke.report import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from logferry.models.request import ExportRequest
    from tests.smoke.executions import Executions
    from tests.smoke.report import Report
    from tests.smoke.stack import Stack

LOOKBACK = 3
SCHEDULED = frozenset(
    {"exports", "every", "timezone", "until", "lookback", "settle", "max_concurrency", "max_attempts"}
)
"""The keys of the input that the template's schedule gives."""


@dataclass
class Collecting:
    """The checks of collections; they start no export."""

    stack: Stack
    client: Callable[[str], Any]
    executions: Executions
    request: ExportRequest
    report: Report

    def plans(self) -> None:
        """Plan the last days of the export's series."""
        if self.request.window is None:
            self.report.leaves_open(f"collections: {self.request.source} has no windows to plan")
            return
        series = self.request.series
        document = {"exports": [series], "every": "day", "lookback": LOOKBACK, "dry_run": True}
        ended = self.executions.run(document)
        if ended.status != "SUCCEEDED":
            raise Broken(
                f"a dry run ended {ended.status} with {ended.error}: {ended.cause}",
                "see plan's log; may it query the table and write under _logferry/?",
            )
        key = ended.output["report_key"]
        reply = self.client("s3").get_object(Bucket=self.stack.outputs["BucketName"], Key=key)
        report = json.loads(reply["Body"].read())
        windows = [window for each in report["series"] for window in each["windows"]]
        if len(windows) != LOOKBACK or report["summary"] != ended.output:
            raise Broken(f"the report {key} is not of this plan", "who else writes under _logferry/?")
        if any(kind.startswith("MapRun") for kind in self.executions.event_types(ended.arn)):
            raise Broken("a dry run started exports", "which release is deployed?")
        self.report.proves(
            f"a dry run planned {ended.output['planned']} of {LOOKBACK} days, reported on it, started nothing"
        )
        self.report.leaves_open("a Distributed Map at size: only a real collection has one")

    def is_scheduled(self) -> None:
        """Look for a collection that the schedule has started."""
        if "CollectSchedule" not in self.stack.resources:
            self.report.leaves_open("the schedule: it is off")
            return
        started = [each for each in self.executions.latest_inputs() if set(each) == SCHEDULED]
        if any("<aws.scheduler" in str(each["until"]) for each in started):
            raise Broken(
                "the scheduled time was not filled in", "the schedule must be EventBridge Scheduler's own"
            )
        if started:
            self.report.proves(
                f"Scheduler filled in its time: the last collection went until {started[0]['until']}"
            )
        else:
            self.report.leaves_open("the schedule: it has not fired among the last 20 collections")
