"""Lambda's Invoke API over HTTP: docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""

from __future__ import annotations

import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tests.sandbox.function import ASYNC_PAYLOAD_LIMIT, Function, Reply

if TYPE_CHECKING:
    from tests.sandbox.runtime import LambdaRuntime


class InvokeServer(ThreadingHTTPServer):
    """A thread per caller; `runtime` does the work."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, runtime: LambdaRuntime) -> None:
        self.runtime = runtime
        super().__init__(("127.0.0.1", 0), _InvokeApi)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a caller that hung up (its state timed out) is no news."""


class _InvokeApi(BaseHTTPRequestHandler):
    """Answers `POST /2015-03-31/functions/{name}/invocations`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: InvokeServer

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"
        runtime = self.server.runtime
        name = unquote(urlsplit(self.path).path).split("/functions/")[-1].removesuffix("/invocations")
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        try:
            function = runtime.function(name)
        except KeyError:
            reply = Reply.service_error(404, "ResourceNotFoundException", f"Function not found: {name}")
        else:
            reply = self._event(function, event) if kind == "Event" else runtime.invoke(name, event)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.payload)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.send_header("X-Amz-Executed-Version", "$LATEST")
        if reply.code:
            self.send_header("x-amzn-ErrorType", reply.code)
        if reply.error:
            self.send_header("X-Amz-Function-Error", reply.error)
        self.end_headers()
        self.wfile.write(reply.payload)

    def _event(self, function: Function, event: bytes) -> Reply:
        if len(event) > ASYNC_PAYLOAD_LIMIT:
            return Reply.service_error(
                413, "RequestTooLargeException", f"{len(event)} byte payload is too large"
            )
        if self.server.runtime.enqueue is not None:
            self.server.runtime.enqueue(function, event)
        return Reply(b"", status=202)

    def log_message(self, *_: Any) -> None:
        """Keep quiet: the calls are in the functions' logs."""
