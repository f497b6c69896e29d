"""AWS Lambda: keeps the functions' processes, answers the Invoke API, writes the logs."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sandbox.function import PAYLOAD_LIMIT, Function, Invocation, Reply
from tests.sandbox.invoke_api import InvokeServer
from tests.sandbox.process import Call, FunctionProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WATCH_SECONDS = 0.025
"""How often time and memory of busy processes are looked at."""
INIT_SECONDS = 60.0
"""AWS gives an init 10 s of a processor of its own; here several share one."""
STARTING = 2 * (os.cpu_count() or 1)
"""Processes that start at once. Further calls wait for one of them, or for an idle process: fifty executions
then need a dozen processes of a function, where fifty would start for a tenth of a second's work each."""


@dataclass
class _Pool:
    function: Function
    idle: list[FunctionProcess] = field(default_factory=list)
    busy: set[FunctionProcess] = field(default_factory=set)


class LambdaRuntime:
    """Runs functions: a process per concurrent call, kept warm for the next.

    `environment` is what every function gets besides its own variables. `enqueue` takes asynchronous calls
    (function, event). `review` sees each reply before the caller does and may change it: a fault's door.
    """

    def __init__(self, environment: Callable[[Function, str], Mapping[str, str]]) -> None:
        self.environment = environment
        self.enqueue: Callable[[Function, bytes], None] | None = None
        self.review: Callable[[Function, Reply], Reply] = lambda _, reply: reply
        self.invocations: list[Invocation] = []
        self._folder = Path(tempfile.mkdtemp(prefix="logferry-lambda-"))
        self._pools: dict[str, _Pool] = {}
        self._names: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._starting = 0
        self._stopped = threading.Event()
        self._server = InvokeServer(self)

    # Life

    def start(self) -> None:
        """Listen, and watch time and memory."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """Kill every process, close the door, drop the logs."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        with self._change:
            self._change.notify_all()
            processes = [one for pool in self._pools.values() for one in (*pool.idle, *pool.busy)]
        for process in processes:
            process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Where the Invoke API is served."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def home(self) -> Path:
        """A folder that the functions may call home: it has no netrc, no AWS configuration."""
        return self._folder

    def register(self, function: Function) -> None:
        """Make a function callable by its name, ARN or logical id; an earlier one of that name goes."""
        with self._lock:
            self._pools[function.name] = _Pool(function)
            self._names.update(
                dict.fromkeys((function.name, function.arn, function.logical_id), function.name)
            )

    def function(self, name: str) -> Function:
        """Find a function by name, ARN (a qualifier may follow) or logical id; KeyError if there is none."""
        if name not in self._names and name.startswith("arn:"):
            name = ":".join(name.split(":")[:7])
        elif name not in self._names:
            name = name.split(":")[0]
        return self._pools[self._names[name]].function

    # Calls

    def invoke(self, name: str, event: bytes) -> Reply:
        """Call a function and wait for its reply; KeyError if there is no such function."""
        function = self.function(name)
        if len(event) > PAYLOAD_LIMIT:
            return Reply.service_error(
                413, "RequestTooLargeException", f"{len(event)} byte payload is too large"
            )
        process = self._take(function)
        if process is None:
            return Reply.service_error(429, "TooManyRequestsException", "Rate Exceeded.")
        call = Call(str(uuid.uuid4()), event)
        cold, started = process.calls == 0, time.time()
        self._note(process, f"START RequestId: {call.request_id} Version: $LATEST")
        process.start(call)
        try:
            reply = call.reply.result(timeout=INIT_SECONDS + function.timeout)
        except FutureTimeoutError:
            reply = Reply.function_error("Runtime.Unknown", "the sandbox lost sight of this call")
            process.kill(reply)
        ended, peak = time.time(), process.peak()
        if reply.error_type in {"Sandbox.Timedout", "Runtime.ExitError"}:
            self._note(process, reply.payload.decode())
        self._note(
            process,
            f"END RequestId: {call.request_id}\nREPORT RequestId: {call.request_id}"
            f"\tDuration: {(ended - started) * 1000:.2f} ms\tMemory Size: {function.memory} MB"
            f"\tMax Memory Used: {peak} MB",
        )
        self.invocations.append(
            Invocation(function.logical_id, call.request_id, started, ended, cold, peak, reply, process.name)
        )
        self._give_back(process)
        return self.review(function, reply)

    def _take(self, function: Function) -> FunctionProcess | None:
        pool = self._pools[function.name]
        with self._lock:
            if function.reserved_concurrency is not None and len(pool.busy) >= function.reserved_concurrency:
                return None
            process = self._idle(pool)
            while process is None and self._starting >= STARTING and not self._stopped.is_set():
                self._change.wait()
                process = self._idle(pool)
            if self._stopped.is_set():
                return None
            if process is not None:
                return process
            self._starting += 1
            name = f"{function.logical_id}-{next(self._numbers)}"
        environment = {
            **function.own_environment(),
            "HOME": str(self.home),
            "AWS_LAMBDA_LOG_STREAM_NAME": name,
            **self.environment(function, name),
            **function.environment,
        }
        command = (sys.executable, "-m", "awslambdaric", function.handler)
        log = self._folder / f"{name}.log"
        try:
            process = FunctionProcess(function, name, command, environment, log, self._started)
        except BaseException:
            self._started()
            raise
        with self._lock:
            pool.busy.add(process)
        return process

    def _idle(self, pool: _Pool) -> FunctionProcess | None:
        while pool.idle:
            process = pool.idle.pop()
            if process.alive:
                pool.busy.add(process)
                return process
        return None

    def _started(self) -> None:
        with self._change:
            self._starting -= 1
            self._change.notify_all()

    def _give_back(self, process: FunctionProcess) -> None:
        pool = self._pools[process.function.name]
        with self._lock:
            pool.busy.discard(process)
            if process.alive:
                pool.idle.append(process)
            self._change.notify_all()

    def _watch(self) -> None:
        while not self._stopped.wait(WATCH_SECONDS):
            with self._lock:
                busy = [process for pool in self._pools.values() for process in pool.busy]
            for process in busy:
                process.enforce_limits()

    # Faults and logs

    def kill(self, process_name: str) -> bool:
        """SIGKILL one process by the name that its requests carry; false if it is gone."""
        with self._lock:
            found = [one for pool in self._pools.values() for one in pool.busy if one.name == process_name]
        for process in found:
            process.kill()
        return bool(found)

    def busy(self, name: str) -> int:
        """Tell how many calls of a function are under way."""
        with self._lock:
            return len(self._pools[self._names[name]].busy)

    def kill_running(self, name: str) -> int:
        """SIGKILL every process of a function that has a call under way; give how many there were."""
        with self._lock:
            found = [process for process in self._pools[self._names[name]].busy if process.alive]
        for process in found:
            process.kill()
        return len(found)

    def logs(self, name: str | None = None) -> str:
        """Give what one function, or all, wrote to stdout and stderr, with Lambda's own lines between."""
        prefix = f"{self.function(name).logical_id}-" if name else ""
        files = sorted(self._folder.glob(f"{prefix}*.log"), key=lambda file: file.stat().st_ctime)
        return "".join(file.read_text(errors="replace") for file in files)

    def _note(self, process: FunctionProcess, line: str) -> None:
        try:
            with process.log.open("a") as stream:
                stream.write(line + "\n")
        except FileNotFoundError:  # the sandbox stopped while this call was under way
            return
