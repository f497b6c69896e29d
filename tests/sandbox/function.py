"""One Lambda function as the template describes it, and what one call of it gives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous request or reply: …/lambda/latest/dg/gettingstarted-limits.html."""
ASYNC_PAYLOAD_LIMIT = 1024 * 1024
"""Bytes of an asynchronous request; the same page."""


@dataclass(frozen=True)
class Function:
    """What the runtime must know; `timeout` in seconds, `memory` in MiB, `code` the folder of `CodeUri`."""

    logical_id: str
    name: str
    arn: str
    code: Path
    handler: str
    timeout: float = 3.0
    memory: int = 128
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()
    reserved_concurrency: int | None = None
    dead_letter_arn: str | None = None

    def own_environment(self) -> dict[str, str]:
        """Give what Lambda itself sets: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
        path = ":".join(str(folder) for folder in (self.code, *self.layers))
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": path,
            "LAMBDA_TASK_ROOT": str(self.code),
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "_HANDLER": self.handler,
        }


@dataclass(frozen=True)
class Reply:
    """What the Invoke API answers: `error` is the value of `X-Amz-Function-Error`, `status` the HTTP status.

    With a status of 400 and more the call itself failed (`code` is then AWS's exception name) and no function
    error is set: docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
    """

    payload: bytes
    error: str | None = None
    status: int = 200
    code: str | None = None

    @classmethod
    def function_error(cls, error_type: str, message: str) -> Reply:
        """Give the reply of a function that did not return: it died, was killed, or ran out of time."""
        document = {"errorType": error_type, "errorMessage": message}
        return cls(json.dumps(document).encode(), error="Unhandled")

    @classmethod
    def service_error(cls, status: int, code: str, message: str) -> Reply:
        """Give the reply of a call that Lambda itself refuses or fails."""
        return cls(json.dumps({"Type": "Service", "Message": message}).encode(), status=status, code=code)

    def json(self) -> Any:
        """Parse the payload."""
        return json.loads(self.payload)

    @property
    def error_type(self) -> str | None:
        """The name that Step Functions matches on: an exception's class, `Runtime.ExitError` and so on."""
        if not self.error:
            return None
        try:
            return str(json.loads(self.payload)["errorType"])
        except (ValueError, KeyError, TypeError):
            return self.error


@dataclass(frozen=True)
class Invocation:
    """One finished call, for tests and the live view; times are seconds since the epoch, `peak` is MiB."""

    function: str
    request_id: str
    started: float
    ended: float
    cold: bool
    peak: int
    reply: Reply
    process: str
