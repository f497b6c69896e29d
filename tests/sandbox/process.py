"""One function process: AWS's own runtime client, and the Runtime API that it asks for work.

The API's four calls: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Each process has a listener of
its own: awslambdaric's two HTTP clients agree on nothing but `host:port` that could tell processes apart.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.sandbox.function import PAYLOAD_LIMIT, Function, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MIB = 1024 * 1024


@dataclass
class Call:
    """One event on its way through a process; `deadline` (monotonic) is set once the handler has it."""

    request_id: str
    event: bytes
    reply: Future[Reply] = field(default_factory=Future)
    deadline: float | None = None

    def settle(self, reply: Reply) -> None:
        """Answer the call, unless it is answered: a kill and a response may cross."""
        if not self.reply.done():
            try:
                self.reply.set_result(reply)
            except InvalidStateError:
                return


def exit_error(request_id: str, how: str) -> Reply:
    """Give the reply that AWS sends for a process that died under a call, by memory or by its own hand."""
    message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
    return Reply.function_error("Runtime.ExitError", message)


class FunctionProcess:
    """A running `python -m awslambdaric`; takes one call at a time and may be killed at any moment."""

    def __init__(
        self,
        function: Function,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        ready: Callable[[], None],
    ) -> None:
        self.function = function
        self.name = name
        self.log = log
        self.calls = 0
        self._ready: Callable[[], None] | None = ready
        self._work: queue.Queue[Call] = queue.Queue()
        self._call: Call | None = None
        self._cause: Reply | None = None
        self._killed = False
        self._listener = _Listener(self)
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        host, port = self._listener.server_address[:2]
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                cwd=function.code,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, not the functions'
            )
        threading.Thread(target=self._bury, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process can take another call."""
        return self._process.poll() is None and self._cause is None and not self._killed

    @property
    def pid(self) -> int:
        """The operating system's process id."""
        return self._process.pid

    def start(self, call: Call) -> None:
        """Hand over an event; the call's future gets the reply."""
        self.calls += 1
        self._call = call
        self._work.put(call)
        if not self.alive:
            call.settle(self._cause or exit_error(call.request_id, "signal: killed"))

    def kill(self, reply: Reply | None = None) -> None:
        """SIGKILL; the call under way is answered with `reply`, or with `Runtime.ExitError` as AWS does."""
        self._cause = reply or self._cause
        self._killed = True
        self._process.kill()

    def enforce_limits(self) -> None:
        """Kill the process where its time or its memory is used up."""
        call = self._call
        if call is None or call.reply.done():
            return
        function = self.function
        if call.deadline is not None and time.monotonic() > call.deadline:
            message = (
                f"RequestId: {call.request_id} Error: Task timed out after {function.timeout:.2f} seconds"
            )
            self.kill(Reply.function_error("Sandbox.Timedout", message))
        elif self.peak() > function.memory:
            self.kill(exit_error(call.request_id, "signal: killed"))

    def peak(self) -> int:
        """Give the highest resident memory of the process so far, in MiB; 0 where nobody tells."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)

    def _bury(self) -> None:
        self._process.wait()
        self._tell_ready()
        call = self._call
        if call is not None:
            code = self._process.returncode
            how = "signal: killed" if code < 0 else f"exit status {code}"
            call.settle(self._cause or exit_error(call.request_id, how))
        self._listener.shutdown()
        self._listener.server_close()

    def _tell_ready(self) -> None:
        ready, self._ready = self._ready, None
        if ready:
            ready()

    # What the Runtime API's handler calls.

    def next_call(self) -> Call:
        """Block until there is work."""
        self._tell_ready()
        call = self._work.get()
        call.deadline = time.monotonic() + self.function.timeout
        return call

    def respond(self, body: bytes, *, failed: bool) -> None:
        """Take the handler's result or its exception."""
        call = self._call
        if call is None:
            return
        if len(body) > PAYLOAD_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
            call.settle(Reply.function_error("Function.ResponseSizeTooLarge", message))
        elif self._cause is None:
            call.settle(Reply(body, error="Unhandled" if failed else None))

    def fail_init(self, body: bytes) -> None:
        """Take the error of a module that could not be imported: this call and the next get it."""
        self._cause = Reply(body, error="Unhandled")
        if self._call is not None:
            self._call.settle(self._cause)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: FunctionProcess) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _RuntimeApi)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a killed process hangs up in the middle of everything."""


class _RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for status, headers and body: each extra one costs a delayed ACK of 40 ms
    server: _Listener

    def do_GET(self) -> None:
        call = self.server.owner.next_call()
        deadline = time.time() + self.server.owner.function.timeout
        self._answer(
            200,
            call.event,
            {
                "Lambda-Runtime-Aws-Request-Id": call.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self.server.owner.function.arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        owner = self.server.owner
        body = self._body()
        if self.path.endswith("/init/error"):
            owner.fail_init(body)
        else:
            owner.respond(body, failed=self.path.endswith("/error"))
        self._answer(202, json.dumps({"status": "OK"}).encode(), {})

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            **headers,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet: the calls are in the function's log."""
