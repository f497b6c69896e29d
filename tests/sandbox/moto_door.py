"""moto over HTTP: a WSGI application that hands requests to the mock of this very process.

moto's own server would do the same through Flask, which nothing else here needs; its in-process door
(`process_request`, the one that boto3 uses under `mock_aws`) takes the request as it comes.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from moto.core.models import botocore_stubber

from tests.sandbox.proxy import headers_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sandbox.gate import Environ, StartResponse

SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serve one signed request: its signature's scope names the service and region."""
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    region, service = (scope[1], scope[2]) if scope else ("us-east-1", "s3")
    url = f"https://{service}.{region}.amazonaws.com{environ['RAW_URI']}"
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size) if size else b""
    headers: Any = HeadersDict({name: value for name, value in headers_of(environ) if name != "HOST"})
    request = AWSPreparedRequest(environ["REQUEST_METHOD"], url, headers, body, stream_output=False)
    answer = botocore_stubber.process_request(request)
    if answer is None:
        raise LookupError(f"moto knows no {service}")
    status, given, payload = answer
    payload = payload.encode() if isinstance(payload, str) else payload
    listed = [(name, str(value)) for name, value in given.items() if name.lower() != "content-length"]
    length = given.get("content-length") if environ["REQUEST_METHOD"] == "HEAD" else None
    listed.append(("Content-Length", str(length or len(payload))))
    start_response(f"{status} {HTTPStatus(status).phrase}", listed)
    return [payload]
