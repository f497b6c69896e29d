"""The door in front of the embedded AWS: sees which process asks for what, in turn, and lets faults in.

A WSGI application around moto's (or around a proxy to the S3 server). Function processes sign their requests'
User-Agent with their own name (botocore's `AWS_SDK_UA_APP_ID`), which is how a fault finds its process.
"""

from __future__ import annotations

import io
import re
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Environ = dict[str, Any]
    StartResponse = Callable[..., Any]
    Application = Callable[[Environ, StartResponse], Iterable[bytes]]

APP_ID = re.compile(r"app/([\w.-]+)")
BUFFERED = 64 * 1024 * 1024
"""Bytes of a body that is read before moto is called: a slow sender must not hold the lock."""


@dataclass(frozen=True)
class AwsRequest:
    """One request to AWS: `process` is the function process that sent it, None for the sandbox itself."""

    process: str | None
    service: str
    action: str
    path: str = "/"


@dataclass(frozen=True)
class Refusal:
    """What a fault answers instead of carrying the request out."""

    status: int
    code: str


class Gate:
    """Takes requests one at a time for each service, as the real services' conditional writes do.

    `before` may refuse a request, `after` is told of each one that was carried out, with its status.
    """

    def __init__(self, application: Application, *, serial: bool = True) -> None:
        self.application = application
        self.serial = serial
        self.before: Callable[[AwsRequest], Refusal | None] = lambda _: None
        self.after: Callable[[AwsRequest, int], None] = lambda _, __: None
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if self.serial and 0 < size <= BUFFERED:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(size))
        request = identify(environ)
        refusal = self.before(request)
        if refusal is not None:
            return refuse(request, refusal, start_response)
        seen: list[int] = []

        def watch(status: str, headers: Any, exc_info: Any = None) -> Any:
            seen.append(int(status[:3]))
            return start_response(status, headers, exc_info)

        if not self.serial:
            answer = self.application(environ, watch)
        else:
            # moto checks a condition and writes in two steps: without the lock two threads pass one condition
            with self._locks[request.service]:
                answer = list(self.application(environ, watch))
        self.after(request, seen[-1] if seen else 200)
        return answer


def identify(environ: Environ) -> AwsRequest:
    """Tell the process, the service and the operation's name of a request."""
    agent = APP_ID.search(environ.get("HTTP_USER_AGENT", ""))
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else "s3"
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        action = target.rpartition(".")[2]
    elif service == "s3":
        action = s3_action(environ)
    else:
        action = form_action(environ)
    path = unquote(urlsplit(environ.get("RAW_URI", "/")).path)  # PATH_INFO is UTF-8 read as Latin-1
    return AwsRequest(agent[1] if agent else None, service, action, path)


def form_action(environ: Environ) -> str:
    """Read `Action=` of the query protocol (SNS, IAM, STS); the method and path where there is none."""
    stream = environ["wsgi.input"]
    if isinstance(stream, io.BytesIO) and "form" in environ.get("CONTENT_TYPE", ""):
        action = parse_qs(stream.getvalue().decode(errors="replace")).get("Action")
        if action:
            return action[0]
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"


def s3_action(environ: Environ) -> str:
    """Name an S3 request as docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html does."""
    method = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    on_object = "/" in environ.get("PATH_INFO", "/").strip("/")
    copies = "HTTP_X_AMZ_COPY_SOURCE" in environ
    if not on_object:
        for key, name in {"uploads": "ListMultipartUploads", "versions": "ListObjectVersions"}.items():
            if key in query:
                return name
        plain = {"GET": "ListObjectsV2" if "list-type" in query else "ListObjects", "HEAD": "HeadBucket"}
        return plain.get(method, f"{method} bucket") if "delete" not in query else "DeleteObjects"
    if "uploadId" in query:
        part = "UploadPartCopy" if copies else "UploadPart"
        multipart = {"PUT": part, "POST": "CompleteMultipartUpload", "GET": "ListParts"}
        return multipart.get(method, "AbortMultipartUpload")
    if "uploads" in query:
        return "CreateMultipartUpload"
    put = "CopyObject" if copies else "PutObject"
    single = {"PUT": put, "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
    return single.get(method, f"{method} object")


def refuse(request: AwsRequest, refusal: Refusal, start_response: StartResponse) -> list[bytes]:
    """Answer an error in the words of the service's own protocol."""
    code, message = refusal.code, "injected by the sandbox"
    if request.service in {"s3", "sns", "iam", "sts"}:
        inner = f"<Code>{code}</Code><Message>{message}</Message>"
        body = inner if request.service == "s3" else f"<Error>{inner}</Error><RequestId>0</RequestId>"
        tag = "Error" if request.service == "s3" else "ErrorResponse"
        payload, kind = f"<{tag}>{body}</{tag}>".encode(), "text/xml"
    else:
        payload, kind = (
            f'{{"__type": "{code}", "message": "{message}"}}'.encode(),
            "application/x-amz-json-1.1",
        )
    headers = [("Content-Type", kind), ("Content-Length", str(len(payload))), ("x-amzn-ErrorType", code)]
    start_response(f"{refusal.status} {code}", headers)
    return [payload]
