"""The sandbox: the real template, deployed into an embedded AWS, its state machines run for real."""

from __future__ import annotations

import datetime as dt
import json
import logging
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from boto3.dynamodb.types import TypeDeserializer
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.sandbox import contents, distributed_map, interpreter, messages, nested, state
from tests.sandbox.bridge import Bridge
from tests.sandbox.cloud import ACCOUNT, REGION, Cloud
from tests.sandbox.deploy import deploy
from tests.sandbox.execution import Execution
from tests.sandbox.faults import Faults
from tests.sandbox.runtime import LambdaRuntime
from tests.sandbox.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tests.sandbox.contents import StoredObject
    from tests.sandbox.function import Function, Invocation, Reply
    from tests.sandbox.template import Created

ROOT = Path(__file__).parents[2]
NEVER_EMULATED = (
    "IAM: roles and policies exist and are not evaluated",
    "KMS: keys exist and nothing is encrypted",
    "X-Ray, CloudWatch: traces and metrics go nowhere, so no alarm fires",
)


class Sandbox:
    """A deployed stack, alive until the block ends. One at a time in a process.

    `parameters` are the template's, `connections` secrets by connection name, `speed` divides what
    Wait states and retries sleep, `s3` is `moto` or `seaweedfs`, `state` a folder where ledger and bucket
    outlive the sandbox, `ca_bundle` the functions' REQUESTS_CA_BUNDLE. `prepare` is called before anything
    is deployed.
    """

    def __init__(
        self,
        *,
        template: Path = ROOT / "template.yaml",
        parameters: Mapping[str, str] | None = None,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        speed: float = 1.0,
        s3: str = "moto",
        state: Path | None = None,
        ca_bundle: str | Path | None = None,
        prepare: Callable[[Sandbox], None] | None = None,
    ) -> None:
        self.template = template
        self.parameters = dict(parameters or {})
        self.connections = dict(connections or {})
        self.speed = speed
        self.state = state
        self.ca_bundle = ca_bundle
        self.prepare = prepare
        self.runtime = LambdaRuntime(self._environment)
        self.cloud = Cloud(lambda_url=self.runtime.url, s3=s3)
        self.site = Site(self.cloud, self.runtime)
        self.bridge = Bridge(self.site, speed)
        self.faults = Faults(self.runtime)
        self.resources: dict[str, Created] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Deploy."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _start(self) -> None:
        for name in ("moto", "samtranslator"):
            logger = logging.getLogger(name)
            self._stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)  # they print whole syntax trees on a caught error
        self.runtime.start()
        self._stack.callback(self.runtime.stop)
        self.runtime.enqueue = self.bridge.calls.enqueue
        self._stack.enter_context(self.cloud)
        self._stack.callback(self.bridge.errands.stop)
        for gate in self.cloud.gates:
            gate.after = self.bridge.request_done
            self.faults.watch(gate)
        changed = self.bridge.execution_changed
        self._stack.enter_context(interpreter.mend(self.cloud.client, self.speed, changed))
        self._stack.enter_context(distributed_map.mend())
        self._stack.enter_context(nested.mend(self.cloud.client))
        self._stack.callback(self._stop_executions)
        if self.prepare:
            self.prepare(self)
        self.resources = deploy(self.site, self.template, self.parameters)
        for name, secret in self.connections.items():
            self.connect(name, secret)
        if self.state:
            # What happened in an earlier run has been announced there.
            buckets, self.site.event_buckets = self.site.event_buckets, set()
            state.load(self, self.state)
            self.site.event_buckets = buckets

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the state, if it is to be kept, and stop everything."""
        try:
            if self.state:
                with suppress(TimeoutError):
                    self.drain()
                state.save(self, self.state)
        finally:
            self._stack.close()

    def _stop_executions(self) -> None:
        for machine in self.site.state_machines:
            for execution in self.executions(machine):
                if execution.status == "RUNNING":
                    self.stop(execution)

    def _environment(self, _: Function, process: str) -> dict[str, str]:
        bundle = {"REQUESTS_CA_BUNDLE": str(self.ca_bundle)} if self.ca_bundle else {}
        return {**self.cloud.environment(), **bundle, "AWS_SDK_UA_APP_ID": process}

    # Running

    def start(
        self, document: Any, *, machine: str = "ExportStateMachine", name: str | None = None
    ) -> Execution:
        """Start an execution with a JSON document or the raw text of one; without a name it gets one."""
        text = document if isinstance(document, str) else json.dumps(document)
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.site.state_machines[machine], name=name or str(uuid.uuid4()), input=text
        )
        return Execution(started["executionArn"], self)

    def stop(self, execution: Execution, *, error: str = "", cause: str = "") -> None:
        """Stop an execution, as a person would."""
        # not through the API: moto's drops error and cause
        found = stepfunctions_parser_backends[ACCOUNT][REGION].describe_execution(execution.arn)
        found.stop(stop_date=dt.datetime.now(dt.UTC), error=error, cause=cause)

    def executions(self, machine: str = "ExportStateMachine") -> list[Execution]:
        """List a state machine's executions, the newest first."""
        pages = self.client("stepfunctions").get_paginator("list_executions")
        found = pages.paginate(stateMachineArn=self.site.state_machines[machine])
        return [Execution(one["executionArn"], self) for page in found for one in page["executions"]]

    def invoke(self, function: str, event: Any) -> Reply:
        """Call a function and wait; `reply.error_type` tells a failure, `reply.json()` the result."""
        return self.runtime.invoke(function, json.dumps(event).encode())

    def fire_schedule(self, logical_id: str, scheduled_time: dt.datetime) -> Execution | None:
        """Fire a schedule as of a time; give the execution that it started, if it started one."""
        arn = self.bridge.fire(logical_id, scheduled_time)
        return Execution(arn, self) if arn else None

    def drain(self, timeout: float = 30.0) -> None:
        """Wait until asynchronous calls and events have been delivered: what follows an execution's end."""
        self.bridge.errands.drain(timeout)

    def kill_running(self, function: str) -> int:
        """SIGKILL every process of a function that has a call under way; give how many there were."""
        return self.runtime.kill_running(function)

    # Looking

    def client(self, service: str) -> Any:
        """Give a boto3 client of the embedded AWS."""
        return self.cloud.client(service)

    @property
    def bucket(self) -> str:
        """The bucket's name: the stack's own, or the one that it was told to use."""
        own = self.resources.get("Bucket")
        return own.ref if own else self.parameters["ExistingBucketName"]

    @property
    def not_emulated(self) -> list[str]:
        """What the template has and the sandbox has not, each with its reason."""
        return [*NEVER_EMULATED, *self.site.not_emulated]

    def objects(self, *, all_versions: bool = False, prefix: str = "") -> list[StoredObject]:
        """List the bucket's current objects by key, or all versions."""
        return contents.objects(self.client("s3"), self.bucket, all_versions=all_versions, prefix=prefix)

    def read(self, key: str, version_id: str | None = None) -> bytes:
        """Give an object's bytes."""
        return contents.read(self.client("s3"), self.bucket, key, version_id)

    def open_uploads(self) -> list[dict[str, Any]]:
        """List the multipart uploads that were neither completed nor aborted."""
        return contents.open_uploads(self.client("s3"), self.bucket)

    def ledger(self) -> list[dict[str, Any]]:
        """Give every item of the ledger's table, in Python's types (numbers are Decimal)."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.resources["Table"].ref)
        read = TypeDeserializer().deserialize
        return [{key: read(one) for key, one in item.items()} for page in pages for item in page["Items"]]

    def notifications(self, topic: str = "Topic") -> list[dict[str, Any]]:
        """Give what was published to a topic: `message` (parsed), `email`, `subject`, `attributes`."""
        return messages.published(self.resources[topic].ref)

    def queue(self, logical_id: str) -> list[dict[str, Any]]:
        """Take the messages that wait in a queue: `body` and `attributes`."""
        return messages.take(self.client("sqs"), self.resources[logical_id].ref)

    def logs(self, function: str | None = None) -> str:
        """Give what one function, or all, wrote."""
        return self.runtime.logs(function)

    def invocations(self, function: str | None = None) -> list[Invocation]:
        """List the finished calls, of one function or of all."""
        return [one for one in self.runtime.invocations if function in {None, one.function}]

    def connect(self, name: str, secret: Mapping[str, Any] | str) -> None:
        """Create a connection's secret, or put a new value into it; a text is stored as it is."""
        prefix = self.site.parameters.get("SecretPrefix", "logferry/")
        text = secret if isinstance(secret, str) else json.dumps(secret)
        client = self.client("secretsmanager")
        try:
            client.create_secret(Name=f"{prefix}{name}", SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=f"{prefix}{name}", SecretString=text)
