# ruff: noqa: SLF001 - patching another's private methods is what this module is for
"""What moto's Step Functions interpreter lacks against AWS's, mended from outside while a sandbox runs.

Each mend names what AWS does. moto 5.2.5's classes are patched and put back; nothing of it is copied here.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidName
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

INPUT_LIMIT = 256 * 1024
"""Bytes of UTF-8: docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""
NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
"""docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html, parameter name."""
TERMINAL = {"States.DataLimitExceeded", "States.Runtime"}
"""States.ALL matches neither: docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html."""


def mend(client: Callable[[str], Any], speed: float, changed: Callable[[Execution], None]) -> ExitStack:
    """Mend the interpreter until the returned stack is closed.

    `client` gives a boto3 client of a service, `speed` divides what Wait states and retries sleep, `changed`
    is called with each execution that started or ended.
    """
    stack, clock = ExitStack(), _RetryClock(speed)
    for target, name, substitute in (
        (WaitFunction, "_wait_interval", waiting(speed)),
        (RetrierDecl, "_eval_body", retrying(clock)),
        (retrier_decl, "time", clock),
        (ErrorEqualsDecl, "_eval_body", matching()),
        (StepFunctionsParserBackend, "start_execution", starting()),
        (Execution, "start", announced_start(changed)),
        (Execution, "stop", stopping(changed)),
        (Execution, "get_start_execution_details", details_with_text_time()),
        (BaseExecutionWorkerCommunication, "terminated", ending(changed)),
        (ExecutionWorker, "_execution_logic", surviving()),
    ):
        stack.enter_context(patch.object(target, name, substitute))
    # boto3's default session is not for many threads at once, and a client costs 20 ms: one for each service.
    for module in [
        one for one in sys.modules.values() if getattr(one, "boto_client_for", None) is boto_client_for
    ]:
        stack.enter_context(patch.object(module, "boto_client_for", lambda service, **_: client(service)))
    return stack


def pause(env: Any, seconds: float) -> None:
    """Sleep, unless the execution is stopped or times out meanwhile."""
    until = time.monotonic() + seconds
    while env.is_running() and (left := until - time.monotonic()) > 0:
        env.program_state_event.wait(left)


def waiting(speed: float) -> Any:
    """Divide a Wait state's time; to the millisecond, where moto rounds."""

    def wait_interval(_: Any, env: Any, wait_seconds: float) -> None:
        pause(env, max(0.0, float(wait_seconds)) / speed)

    return wait_interval


class _RetryClock(threading.local):
    """What moto's retrier takes for its `time` module: a delay is divided, and a stop ends it as AWS does."""

    env: Any = None
    speed = 1.0

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def sleep(self, seconds: float) -> None:
        pause(self.env, seconds / self.speed)


def retrying(clock: _RetryClock) -> Any:
    """Tell the clock whose retry is about to sleep."""
    original = RetrierDecl._eval_body

    def eval_body(self: RetrierDecl, env: Any) -> None:
        clock.env = env
        original(self, env)

    return eval_body


def matching() -> Any:
    """Keep States.ALL from catching what AWS lets nobody catch."""
    original = ErrorEqualsDecl._eval_body

    def eval_body(self: ErrorEqualsDecl, env: Any) -> None:
        error = str(getattr(env.stack[-1], "error_name", ""))
        original(self, env)
        if error in TERMINAL and error not in {str(one.error_name) for one in self.error_names}:
            env.stack[-1] = False

    return eval_body


def starting() -> Any:
    """Name an unnamed execution, and refuse what AWS refuses: a bad name, more than 256 KiB of input."""
    original = StepFunctionsParserBackend.start_execution

    def start_execution(
        self: Any,
        state_machine_arn: str,
        name: str = "",
        execution_input: str = "{}",
        **rest: Any,
    ) -> Execution:
        name = name or str(uuid.uuid4())
        if not NAME.fullmatch(name):
            raise InvalidName(f"Invalid Name: '{name}'")
        if len(execution_input.encode()) > INPUT_LIMIT:
            raise InvalidExecutionInput(f"Invalid Input: longer than {INPUT_LIMIT} bytes")
        try:
            json.loads(execution_input)
        except ValueError as error:
            raise InvalidExecutionInput(f"Invalid Input: no JSON: {error}") from error
        return original(self, state_machine_arn, name=name, execution_input=execution_input, **rest)

    return start_execution


def announced_start(changed: Callable[[Execution], None]) -> Any:
    """Tell that an execution is RUNNING."""
    original = Execution.start

    def start(self: Execution) -> None:
        original(self)
        changed(self)

    return start


def stopping(changed: Callable[[Execution], None]) -> Any:
    """End an execution as soon as it is stopped; a function that is at work goes on behind its back.

    docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html; moto waits.
    """
    original = Execution.stop

    def stop(self: Execution, stop_date: dt.datetime, error: str | None, cause: str | None) -> None:
        while self.exec_worker is None or self.exec_worker.env is None:
            time.sleep(0.001)  # it has only just been started
        original(self, stop_date=stop_date, error=error, cause=cause)
        if self.exec_status == ExecutionStatus.RUNNING:
            self.exec_status, self.stop_date = ExecutionStatus.ABORTED, stop_date
            self.error, self.cause = error or None, cause or None
            changed(self)

    return stop


def ending(changed: Callable[[Execution], None]) -> Any:
    """Tell that an execution has ended, once."""
    original = BaseExecutionWorkerCommunication.terminated

    def terminated(self: BaseExecutionWorkerCommunication) -> None:
        if self.execution.exec_status == ExecutionStatus.RUNNING:
            original(self)
            changed(self.execution)

    return terminated


def surviving() -> Any:
    """End an execution whose interpreter broke as FAILED; in moto it would run for ever."""
    original: Any = ExecutionWorker._execution_logic

    def execution_logic(self: ExecutionWorker) -> None:
        try:
            original(self)
        except Exception as error:  # noqa: BLE001 - whatever broke, somebody waits for the end
            if self.env is not None:
                self.env.set_error({"error": "States.Runtime", "cause": f"the interpreter broke: {error!r}"})
                self._execution_communication.terminated()

    return execution_logic


def details_with_text_time() -> Any:
    """Make `$$.Execution.StartTime` the ISO 8601 text that AWS gives; moto's datetime breaks Payloads."""
    original = Execution.get_start_execution_details

    def get_start_execution_details(self: Execution) -> Any:
        details: Any = original(self)
        details.start_time = self.start_date.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return details

    return get_start_execution_details
