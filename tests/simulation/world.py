"""The product in its simulated world: AWS and one vendor in memory, one clock, a fault at any point."""

from __future__ import annotations

import io
import json
import os
import zipfile
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

from botocore.exceptions import ReadTimeoutError

from logferry import runtime
from logferry.download.stream import _Content
from logferry.errors import SourceUnavailableError
from logferry.export import abandon as abandon_module
from logferry.export import fetch as fetch_module
from logferry.export import land, poll
from logferry.export import submit as submit_module
from logferry.storage import multipart
from logferry.storage.writer import ObjectWriter
from logferry.vendor import auth, client
from logferry.vendor.transport import Reply, UnansweredError
from tests.simulation.aws import Bucket, Client, Items, refusal
from tests.simulation.machine import StepError, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]
REQUEST: dict[str, Any] = json.loads((ROOT / "statemachine/examples/spark-log-json.json").read_text())
API = "https://excel.uat.coherent.global"
KEY = "planted-key-7f3a9c"
SECRET = {"base_url": API, "tenant": "acme", "auth": {"type": "api_key", "key": KEY}}
ENVIRONMENT = {
    "BUCKET": "landing",
    "BUCKET_OWNER": "123456789012",
    "TABLE": "ledger",
    "TOPIC_ARN": "arn:aws:sns:eu-west-2:123456789012:exports",
    "SECRET_PREFIX": "logferry/",
    "JOB_DEADLINE_SECONDS": "21600",
    "ADOPT_SECONDS": "86400",
    "SUBMIT_UNCERTAIN": "resubmit",
}
STEPS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Submit Export": submit_module.submit,
    "Check Status": poll.check,
    "Fetch Export": lambda event: fetch_module.fetch(event, 900),
    "Abandon Export": abandon_module.abandon,
}


@cache
def definition() -> dict[str, Any]:
    """Return the state machine of one export."""
    document: dict[str, Any] = json.loads((ROOT / "statemachine/export.asl.json").read_text())
    return document


class Killed(BaseException):
    """The function is gone: nothing that it still tries has an effect."""


@dataclass
class Call:
    """One call of a step by one execution."""

    name: str
    place: str
    event: Any
    points: int = 0
    dead: bool = False


@dataclass
class World:
    """One run: `plan` says which fault comes at which point."""

    plan: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=definition)
    now: datetime = datetime(2026, 11, 19, 23, 55, tzinfo=UTC)
    trace: list[str] = field(default_factory=list)
    executions: dict[str, Walk] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    out: io.StringIO = field(default_factory=io.StringIO)
    hit: list[str] = field(default_factory=list)
    _calls: list[Call] = field(default_factory=list)
    _count: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bucket, self.table = Bucket(seen=self.look), Items()

    # ---- points

    def point(self, service: str, operation: str, effect: Callable[[], Any]) -> Any:  # noqa: C901 - one branch a fault
        """Carry out a call to AWS or the vendor, or the return of a step, with the fault planned for it."""
        call = self._calls[-1]
        if call.dead:
            raise Killed
        call.points += 1
        name = f"{call.name}.{call.points}.{service}.{operation}"
        self.trace.append(name)
        self.now += timedelta(milliseconds=10)
        fault = self.plan.get(name, "")
        if fault:
            self.hit.append(f"{name}:{fault}")
        if fault in {"fail", "throttle", "deny"}:
            raise _failure(service, operation, fault, done=False)
        if fault == "kill":
            call.dead = True
            raise Killed
        if fault == "twice":
            self._again(call)
        if fault == "stop":
            self.stop(call.event["execution"].rpartition(":")[2])
        if fault == "second":
            self.run("second")
        if fault == "midnight":
            self.now += timedelta(minutes=10)
        result = effect()
        if fault == "lost":
            raise _failure(service, operation, fault, done=True)
        if fault == "kill-after":
            call.dead = True
            raise Killed
        return result

    # ---- executions

    def run(self, name: str) -> Walk:
        """Run an execution to its end, and what the rule on executions that ended badly does."""
        arn = f"arn:aws:states:eu-west-2:123456789012:execution:export:{name}"
        context = {"Execution": {"Input": REQUEST, "Id": arn}}
        walk = Walk(
            self.machine,
            context,
            lambda place, event: self.invoke(name, place, event),
            self.sleep,
            lambda: self.now.timestamp(),  # noqa: PLW0108 - as it is then
        )
        self.executions[arn] = walk
        walk.run()
        if walk.status in {"FAILED", "TIMED_OUT"}:
            self._rule(name, arn)
        return walk

    def stop(self, name: str) -> None:
        """Stop an execution by hand."""
        arn = next(each for each in self.executions if each.endswith(f":{name}"))
        if self.executions[arn].status == "RUNNING":
            self.executions[arn].end("ABORTED")
            self._rule(name, arn)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def _rule(self, name: str, arn: str) -> None:
        detail = {"executionArn": arn, "status": self.executions[arn].status}
        for _ in range(3):  # Lambda tries an event three times
            try:
                self.invoke(name, "Abandon Export", {"detail": detail, "execution": arn})
            except StepError:
                continue
            return

    def _again(self, call: Call) -> None:
        try:
            self.invoke(call.name.split(".")[0], call.place, call.event)
        except StepError:
            return

    def invoke(self, name: str, place: str, event: Any) -> dict[str, Any]:
        """Call a step as Lambda does: cold, JSON in and out, errors by name."""
        step = f"{name}.{place.split(maxsplit=1)[0].lower()}"
        self._count[step] = self._count.get(step, 0) + 1
        call = Call(f"{step}#{self._count[step]}", place, event)
        self._calls.append(call)
        runtime._secrets.cache_clear()  # noqa: SLF001 - a new process holds no secret
        try:
            result = STEPS[place](json.loads(json.dumps(event)))
            self.point("step", "return", lambda: None)
            text = json.dumps(result)
            if len(text) > 8 * 1024:
                self.wrong.append("9: a state over 8 KiB")
            copied: dict[str, Any] = json.loads(text)
        except Killed:
            raise StepError("Runtime.ExitError", "the function was killed") from None
        except Exception as error:
            if call.dead:
                raise StepError("Runtime.ExitError", "the function was killed") from None
            if isinstance(error, StepError):
                raise
            cause = json.dumps({"errorMessage": str(error)})
            raise StepError(type(error).__name__, cause) from error
        else:
            return copied
        finally:
            self._calls.pop()

    # ---- what AWS and the vendor do

    def publish(self, **asked: Any) -> dict[str, Any]:
        """Take a notification, and look whether what it says is so already."""
        document = json.loads(json.loads(asked["Message"])["default"])
        self.messages.append(document)
        row = self.row()
        if document["status"] == "LANDED" and (
            row.get("state") != {"S": "LANDED"} or row["version_id"]["S"] != document["version_id"]
        ):
            self.wrong.append("2: a landing announced before the ledger holds it")
        if (
            document["status"] == "FAILED"
            and row.get("owner") == {"S": document["execution"]}
            and row["state"]["S"] in {"CLAIMED", "SUBMITTED"}
            and not any("abandon" in each for each in self.hit)
        ):
            self.wrong.append("13: a failure announced before the ledger holds it")
        return {}

    def row(self) -> dict[str, Any]:
        """Return the export's row as DynamoDB holds it."""
        return next((item for item in self.table.items.values() if "owner" in item), {})

    def get_secret_value(self, **_: Any) -> dict[str, Any]:
        """Return the connection's secret."""
        return {"SecretString": json.dumps(SECRET)}

    def describe_execution(self, **asked: Any) -> dict[str, Any]:
        """Return what Step Functions knows of an execution."""
        walk = self.executions.get(asked["executionArn"])
        if walk is None:
            raise refusal("DescribeExecution", "ExecutionDoesNotExist", 400)
        known = {"status": walk.status, "input": json.dumps(REQUEST)}
        return {**known, **({"error": walk.error, "cause": walk.cause} if walk.error else {})}

    def send(self, method: str, url: str, **_: Any) -> Reply:
        """Answer a request to the vendor's API."""
        if not url.startswith(API + "/"):
            self.wrong.append("6: a request to another host")
        operation = "submit" if method == "POST" else "status"
        reply: Reply = self.point("vendor", operation, lambda: self._answer(method, url))
        return reply

    def _answer(self, method: str, url: str) -> Reply:
        if method == "POST":
            row, quiet = self.row(), not self.hit
            if quiet and "intended_at" not in row:
                self.wrong.append("4: a submit that the ledger does not know of")
            job = f"job-{len(self.jobs) + 1}"
            self.jobs[job] = content(job)
            data: dict[str, Any] = {"job_id": job}
        else:
            data = {
                "progress": 100,
                "download_url": f"https://files.uat.coherent.global/{url.rsplit('/', maxsplit=1)[-1]}",
            }
        return Reply(200, {}, json.dumps({"status": None, "response_data": data}).encode())

    def open_stream(self, download: Any, *_: Any, **__: Any) -> Any:
        """Open a download."""
        job = str(download.url).rpartition("/")[2]
        return self.point("vendor", "download", lambda: _Content(self.jobs[job]))

    def look(self) -> None:
        """See what a reader of the bucket sees right now."""
        for key in self.bucket.versions:
            there = self.bucket.current(key)
            if there and not key.endswith(".manifest.json") and there.body not in self.jobs.values():
                self.wrong.append("2: an object that the vendor never served")
            if there and key.endswith(".manifest.json"):
                said = json.loads(there.body)
                held = self.bucket.version(said["key"], said["version_id"])
                # Known: a fetch behind a stopped execution may put its manifest after the clean-up, and takes
                # it back at its next write to the ledger; only what stays is held against it.
                stopped = any(hit.endswith(":stop") for hit in self.hit) and self._calls
                if not stopped and (held is None or held.sha256 != said["sha256"]):
                    self.wrong.append("2: a manifest whose object is not there")

    def __enter__(self) -> Self:
        """Put the product into this world."""
        clients = {
            "dynamodb": Client("dynamodb", self.table, self.point),
            "sns": Client("sns", self, self.point),
            "secretsmanager": Client("secretsmanager", self, self.point),
            "stepfunctions": Client("states", self, self.point),
        }
        s3 = Client("s3", self.bucket, self.point)
        small = partial(ObjectWriter, smallest_part=4096, memory=3 * 4096)
        self._stack = ExitStack()
        enter = self._stack.enter_context
        enter(redirect_stdout(self.out))
        enter(patch.dict(os.environ, ENVIRONMENT))
        for module, attribute, substitute in (
            (runtime, "client", clients.__getitem__),
            (runtime, "s3", lambda: s3),
            (client, "send", self.send),
            (auth, "send", self.send),
            (land, "open_stream", self.open_stream),
            (land, "ObjectWriter", small),
            (multipart, "ThreadPoolExecutor", _Inline),
            (multipart, "ABORT_SECONDS", 0.0),
        ):
            enter(patch.object(module, attribute, substitute))
        for each in (runtime.settings, runtime.ledger, runtime.tokens):
            each.cache_clear()
        runtime.ledger().now = lambda: self.now
        return self

    def __exit__(self, *_: object) -> None:
        """Take the product out again."""
        self._stack.close()
        for each in (runtime.settings, runtime.ledger, runtime.tokens, runtime._secrets):  # noqa: SLF001
            each.cache_clear()


class _Inline:
    """Threads without threads: each part goes up at once, so that a run is the same every time."""

    def __init__(self, *_: Any) -> None: ...

    def submit(self, function: Callable[..., Any], *given: Any) -> None:
        function(*given)

    def shutdown(self, **_: Any) -> None: ...


def _failure(service: str, operation: str, fault: str, *, done: bool) -> Exception:
    if service == "vendor":
        if operation == "download":
            return SourceUnavailableError("simulated")
        return UnansweredError("simulated", sent=done)
    if service == "step":
        return StepError("Lambda.Unknown", "the answer was lost")
    if fault == "lost":
        return ReadTimeoutError(endpoint_url="https://simulated")
    if fault == "deny":
        return refusal(operation, "AccessDenied", 403)
    busy = "SlowDown" if service == "s3" else "ThrottlingException"
    return refusal(operation, busy if fault == "throttle" else "InternalServiceError", 503)


@cache
def content(job: str) -> bytes:
    """Return the file of a job: large enough for three parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo("log.json", (2026, 11, 19, 0, 0, 0))
        archive.writestr(entry, json.dumps([{"job": job, "call": number} for number in range(350)]))
    return file.getvalue()
