"""What AWS connects and moto does not: events, by rule, to targets; schedules to what they start.

Beside each bridge stands what AWS documents. Asynchronous calls have a module of their own.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any

from jsonpath_ng.parser import parse as json_path
from moto.events.models import EventPattern
from moto.events.utils import EventTemplateParser

from tests.sandbox.asynchronous import AsynchronousCalls
from tests.sandbox.cloud import ACCOUNT, REGION
from tests.sandbox.errands import Errands

if TYPE_CHECKING:
    from tests.sandbox.gate import AwsRequest
    from tests.sandbox.site import Rule, Site

S3_CREATES = {"PutObject", "CopyObject", "CompleteMultipartUpload"}
DETAIL_LIMIT = 248 * 1024
"""Input and output together, beyond which a status-change event leaves them out."""


class Bridge:
    """Delivers, for one site; `speed` divides the pauses between tries of asynchronous calls."""

    def __init__(self, site: Site, speed: float) -> None:
        self.site = site
        self.events: list[dict[str, Any]] = []
        self.errands = Errands()
        self.calls = AsynchronousCalls(site, self.errands, speed, self._send)

    # Rules: docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html, moto judges the pattern.

    def put(self, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
        """Put an event of AWS's own on the default bus."""
        event: Any = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT,
            "time": iso(dt.datetime.now(dt.UTC)),
            "region": REGION,
            "resources": resources,
            "detail": detail,
        }
        self.events.append(event)
        for rule in self.site.rules:
            if (
                rule.enabled
                and rule.pattern
                and EventPattern(None, json.loads(rule.pattern)).matches_event(event)
            ):
                self.errands.send(self._deliver, rule, event)

    def _deliver(self, rule: Rule, event: dict[str, Any]) -> None:
        for target in rule.targets:
            text = json.dumps(shape(target, event))
            try:
                self._send(target["Arn"], text)
            except Exception as error:
                # AWS retries for a day where the target may come back, then turns to the target's own queue
                dead = target.get("DeadLetterConfig", {}).get("Arn")
                if not dead:
                    raise
                self._send(dead, text, {"ERROR_MESSAGE": str(error)[:1024]})

    def _send(self, arn: str, text: str, attributes: dict[str, str] | None = None) -> None:
        kind = arn.split(":")[2]
        given = {key: {"DataType": "String", "StringValue": one} for key, one in (attributes or {}).items()}
        if kind == "lambda":
            self.calls.enqueue(self.site.runtime.function(arn), text.encode())
        elif kind == "sqs":
            url = self.site.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            self.site.client("sqs").send_message(QueueUrl=url, MessageBody=text, MessageAttributes=given)
        elif kind == "sns":
            self.site.client("sns").publish(TopicArn=arn, Message=text, MessageAttributes=given)
        elif kind == "states":
            self.site.client("stepfunctions").start_execution(
                stateMachineArn=arn, name=str(uuid.uuid4()), input=text
            )
        else:
            raise NotImplementedError(f"the bridge does not deliver to {arn}")

    # docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html: best effort, at least once.

    def execution_changed(self, execution: Any) -> None:
        """Put a Step Functions Execution Status Change."""
        status = execution.exec_status.value
        output = json.dumps(execution.output) if status == "SUCCEEDED" else None
        fits = len(execution.execution_input.encode()) + len((output or "").encode()) <= DETAIL_LIMIT
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": status,
            "startDate": milliseconds(execution.start_date),
            "stopDate": milliseconds(execution.stop_date),
            "input": execution.execution_input if fits else None,
            "inputDetails": {"included": fits},
            "output": output if fits else None,
            "outputDetails": {"included": fits} if output else None,
            "error": execution.error,
            "cause": execution.cause,
        }
        self.put("aws.states", "Step Functions Execution Status Change", [execution.exec_arn], detail)

    # docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html; for what function processes put.

    def request_done(self, request: AwsRequest, status: int) -> None:
        """Put an Object Created event where a request to S3 made one in a bucket that sends events."""
        bucket, _, key = request.path.lstrip("/").partition("/")
        made = request.service == "s3" and request.action in S3_CREATES and status == 200
        if made and bucket in self.site.event_buckets:
            self.errands.send(self._object_created, bucket, key, request.action)

    def _object_created(self, bucket: str, key: str, reason: str) -> None:
        head = self.site.client("s3").head_object(Bucket=bucket, Key=key)
        made = {"key": key, "size": head["ContentLength"], "etag": head["ETag"].strip('"')}
        if "VersionId" in head:
            made["version-id"] = head["VersionId"]
        detail = {
            "version": "0",
            "bucket": {"name": bucket},
            "object": made,
            "requester": ACCOUNT,
            "reason": reason,
        }
        self.put("aws.s3", "Object Created", [f"arn:aws:s3:::{bucket}"], detail)

    # docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html.

    def fire(self, logical_id: str, scheduled: dt.datetime) -> str | None:
        """Fire a schedule once; give the ARN of the execution that it started, None if it started none."""
        schedule = self.site.schedules[logical_id]
        text = schedule.target.get("Input", "{}")
        for name, value in {
            "scheduled-time": iso(scheduled),
            "schedule-arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{logical_id}",
            "execution-id": str(uuid.uuid4()),
            "attempt-number": "1",
        }.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        arn = schedule.target["Arn"]
        if arn.endswith(":aws-sdk:sfn:startExecution"):
            wanted = json.loads(text)
            arn, text = wanted["StateMachineArn"], wanted.get("Input", "{}")
        if ":stateMachine:" not in arn:
            self._send(arn, text)
            return None
        started = self.site.client("stepfunctions").start_execution(
            stateMachineArn=arn, name=str(uuid.uuid4()), input=text
        )
        return str(started["executionArn"])


def shape(target: dict[str, Any], event: dict[str, Any]) -> Any:
    """Give what a target gets of an event: …/eventbridge/latest/userguide/eb-targets.html."""
    if "Input" in target:
        return json.loads(target["Input"])
    if "InputPath" in target:
        found = json_path(target["InputPath"]).find(event)
        return found[0].value if found else None
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        stamped: Any = {**event, "ingestion-time": event["time"]}
        return EventTemplateParser.parse(
            transformer["InputTemplate"], transformer.get("InputPathsMap", {}), stamped
        )
    return event


def iso(moment: dt.datetime) -> str:
    """Spell an instant as AWS's events do, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def milliseconds(moment: dt.datetime | None) -> int | None:
    """Give the milliseconds since the epoch."""
    return None if moment is None else int(moment.timestamp() * 1000)
