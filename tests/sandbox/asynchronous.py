"""Asynchronous calls of functions: tried three times, then kept where the template says.

Two more tries after a function error, one and two minutes later
(docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html); then the on-failure destination
gets a record, and the dead-letter queue the event (…/dg/invocation-async-retain-records.html).
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.errands import Errands
    from tests.sandbox.function import Function, Reply
    from tests.sandbox.site import Site

RETRY_SECONDS = (60.0, 120.0)
"""Pauses before the second and third try."""


class AsynchronousCalls:
    """Takes calls; `send` delivers to an ARN, `speed` divides the pauses between tries."""

    def __init__(self, site: Site, errands: Errands, speed: float, send: Callable[..., None]) -> None:
        self.site = site
        self.errands = errands
        self.speed = speed
        self.send = send

    def enqueue(self, function: Function, event: bytes) -> None:
        """Take a call."""
        self.errands.send(self._invoke, function, event)

    def _invoke(self, function: Function, event: bytes) -> None:
        config = self.site.invoke_configs.get(function.name, {})
        tries = 1 + int(config.get("MaximumRetryAttempts", len(RETRY_SECONDS)))
        for attempt in range(tries):
            if attempt and not self.errands.pause(RETRY_SECONDS[attempt - 1] / self.speed):
                return
            reply = self.site.runtime.invoke(function.name, event)
            if not reply.error and reply.status < 400:
                return
        self._keep(function, event, reply, tries)

    def _keep(self, function: Function, event: bytes, reply: Reply, tries: int) -> None:
        request_id = str(uuid.uuid4())
        config = self.site.invoke_configs.get(function.name, {})
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination:
            self.send(destination, json.dumps(record(function, event, reply, tries, request_id)))
        if function.dead_letter_arn:
            text = reply.payload.decode(errors="replace")[:1024]
            attributes = {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": text}
            self.send(function.dead_letter_arn, event.decode(), attributes)


def record(function: Function, event: bytes, reply: Reply, tries: int, request_id: str) -> dict[str, Any]:
    """Give what an on-failure destination is sent."""
    return {
        "version": "1.0",
        "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": tries,
        },
        "requestPayload": json.loads(event),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": reply.error},
        "responsePayload": json.loads(reply.payload or b"null"),
    }
