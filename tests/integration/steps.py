"""The steps of one export as the state machine calls them: in this process, emulated AWS and vendors."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws
from moto.sns.models import sns_backends

from logferry import runtime
from logferry.errors import DeliveryError, SourceUnavailableError
from logferry.export.abandon import abandon
from logferry.export.fetch import fetch
from logferry.export.poll import check
from logferry.export.submit import submit
from logferry.sources.registry import source_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from tests.sandbox.vendor.vendors import Vendors

ROOT = Path(__file__).parents[2]
REGION, ACCOUNT = "eu-west-2", "123456789012"
BUCKET, TABLE, PREFIX = "landing", "ledger", "logferry/"
KEYS = ("series", "window")
RESULTS = ("LANDED", "DUPLICATE", "CUT")
"""States that end an execution well."""


def arn(name: str) -> str:
    """Give the ARN of an execution."""
    return f"arn:aws:states:{REGION}:{ACCOUNT}:execution:export:{name}"


def example(source: str) -> dict[str, Any]:
    """Give the example input that a source comes with."""
    path = ROOT / "statemachine" / "examples" / f"{source}.json"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@dataclass
class Steps:
    """The four functions around one bucket, ledger and topic.

    `executions` is what Step Functions knows; `clock` is the ledger's. Each step takes the name of an
    execution and the state that the state machine holds.
    """

    vendors: Vendors
    topic: str
    clock: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def wait(self, **span: float) -> None:
        """Let time pass for the ledger and the deadlines."""
        self.clock += timedelta(**span)

    def end(self, name: str, status: str = "FAILED", **known: Any) -> None:
        """End an execution."""
        self.executions[arn(name)] = {"status": status, **known}

    def _event(self, request: Any, state: Any, name: str) -> dict[str, Any]:
        self.executions.setdefault(arn(name), {"status": "RUNNING"})
        # As Step Functions hands it over: JSON, a copy.
        event = {"request": request, "execution": arn(name), "state": request if state is None else state}
        copy: dict[str, Any] = json.loads(json.dumps(event))
        return copy

    def submit(self, request: Any, state: Any = None, *, name: str = "one") -> dict[str, Any]:
        """Do the step `Submit Export`."""
        return _through_json(submit(self._event(request, state, name)))

    def check(self, request: Any, state: Any, *, name: str = "one") -> dict[str, Any]:
        """Do the step `Check Status`."""
        return _through_json(check(self._event(request, state, name)))

    def fetch(self, request: Any, state: Any, *, name: str = "one", seconds: float = 900) -> dict[str, Any]:
        """Do the step `Fetch Export`."""
        return _through_json(fetch(self._event(request, state, name), seconds))

    def abandon(self, request: Any, error: str, cause: str = "", *, name: str = "one") -> dict[str, Any]:
        """Do the step `Abandon Export`, as a Catch does."""
        event = {"request": request, "execution": arn(name), "failure": {"Error": error, "Cause": cause}}
        return self.call_abandon(event)

    def call_abandon(self, event: dict[str, Any]) -> dict[str, Any]:
        """Call abandon with an event of the test's own."""
        return _through_json(abandon(event))

    def ended(self, request: Any, status: str, *, name: str = "one", **known: Any) -> dict[str, Any]:
        """End an execution where no Catch runs, and call abandon as the rule on EventBridge does."""
        self.end(name, status, input=json.dumps(request), **known)
        return _through_json(abandon({"detail": {"executionArn": arn(name), "status": status}}))

    def ready(self, request: Any, *, name: str = "one") -> dict[str, Any]:
        """Go as far as to the state that fetch gets."""
        return self._go(request, name, until=("READY", *RESULTS))[-1]

    def run(self, request: Any, *, name: str = "one", retries: int = 0) -> list[dict[str, Any]]:
        """Go the way of `export.asl.json` without its waits, and give each state on it.

        `retries` is how often a step is repeated after one of the errors that the state machine retries.
        """
        states = self._go(request, name, until=RESULTS, retries=retries)
        self.end(name, "SUCCEEDED")
        return states

    def _go(
        self, request: Any, name: str, *, until: tuple[str, ...], retries: int = 0
    ) -> list[dict[str, Any]]:
        step: Callable[..., dict[str, Any]] = self.submit
        states = [self._try(step, request, None, name, retries)]
        while states[-1]["state"] not in until:
            assert len(states) < 50, "the export goes round in circles"
            state = states[-1]
            if state["state"] in ("RUNNING", "THROTTLED"):
                self.wait(seconds=state["wait_seconds"])
            if state["state"] != "THROTTLED":
                step = {"RUNNING": self.check, "READY": self.fetch, "LOST": self.submit}[state["state"]]
            states.append(self._try(step, request, state, name, retries))
        return states

    def _try(
        self, step: Callable[..., dict[str, Any]], request: Any, state: Any, name: str, retries: int
    ) -> dict[str, Any]:
        for _ in range(retries):
            try:
                return dict(step(request, state, name=name))
            except (SourceUnavailableError, DeliveryError):
                continue
        return dict(step(request, state, name=name))

    def row(self, request: Any) -> dict[str, Any]:
        """Give the ledger's row of an export."""
        found = runtime.ledger().read(source_named(request["source"]).read(request))
        assert found is not None
        return dict(found.item)

    @property
    def keys(self) -> list[str]:
        """The keys of all current objects."""
        found = _client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [each["Key"] for each in found]

    def body(self, key: str) -> bytes:
        """Give an object's bytes."""
        content: bytes = _client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def versions(self) -> list[tuple[str, str]]:
        """Give every version of every object by key and version id."""
        found = _client("s3").list_object_versions(Bucket=BUCKET).get("Versions", [])
        return [(each["Key"], each["VersionId"]) for each in found]

    @property
    def uploads(self) -> list[Any]:
        """The multipart uploads that are open."""
        return list(_client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was published, as programs get it."""
        sent = sns_backends[ACCOUNT][REGION].topics[self.topic].sent_notifications
        return [json.loads(json.loads(message)["default"]) for _, message, *_ in sent]

    def put_secret(self, name: str, document: Any) -> None:
        """Write a connection's secret."""
        text = document if isinstance(document, str) else json.dumps(document)
        client = _client("secretsmanager")
        if PREFIX + name in {each["Name"] for each in client.list_secrets()["SecretList"]}:
            client.put_secret_value(SecretId=PREFIX + name, SecretString=text)
        else:
            client.create_secret(Name=PREFIX + name, SecretString=text)

    def forget(self) -> None:
        """Begin as a new process does: without settings, secrets and tokens."""
        _forget()
        runtime.ledger().now = lambda: self.clock


@contextmanager
def stage(vendors: Vendors, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Set up AWS and the connections of the emulated vendors."""
    environment = {
        "AWS_DEFAULT_REGION": REGION,
        "BUCKET": BUCKET,
        "BUCKET_OWNER": ACCOUNT,
        "TABLE": TABLE,
        "SECRET_PREFIX": PREFIX,
        "JOB_DEADLINE_SECONDS": "21600",
        "ADOPT_SECONDS": "86400",
        "SUBMIT_UNCERTAIN": "resubmit",
        "POWERTOOLS_SERVICE_NAME": "logferry",
        "POWERTOOLS_METRICS_NAMESPACE": "Logferry",
        "REQUESTS_CA_BUNDLE": vendors.ca_file,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3 = _client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        _client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
            KeySchema=[
                {"AttributeName": "series", "KeyType": "HASH"},
                {"AttributeName": "window", "KeyType": "RANGE"},
            ],
        )
        topic = _client("sns").create_topic(Name="exports")["TopicArn"]
        monkeypatch.setenv("TOPIC_ARN", topic)
        steps = Steps(vendors, topic)
        for name, document in vendors.connections.items():
            steps.put_secret(name, document)
        steps.forget()
        monkeypatch.setattr(runtime, "describe_execution", lambda found: steps.executions.get(found, {}))
        yield steps
        _forget()


@cache
def _client(service: str) -> Any:
    """Give a client of the test's own; moto serves clients that were made before it starts, too."""
    return boto3.client(service)  # type: ignore[call-overload]


def _forget() -> None:
    for name, function in vars(runtime).items():
        # Clients are made once: each costs as much as a test.
        if hasattr(function, "cache_clear") and name not in ("client", "s3"):
            function.cache_clear()


def _through_json(document: dict[str, Any]) -> dict[str, Any]:
    """Give what Lambda gives: only JSON leaves a function."""
    text = json.dumps(document)
    assert len(text) < 8 * 1024, "a state stays below 8 KiB"
    copy: dict[str, Any] = json.loads(text)
    return copy
