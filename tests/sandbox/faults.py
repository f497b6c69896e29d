"""Faults from outside: the product has no hooks, but every request of a function passes the gate."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.sandbox.function import Reply
from tests.sandbox.gate import Refusal

if TYPE_CHECKING:
    from tests.sandbox.function import Function
    from tests.sandbox.gate import AwsRequest, Gate
    from tests.sandbox.runtime import LambdaRuntime

ALIASES = {"stepfunctions": "states", "sfn": "states", "cloudwatch": "monitoring"}
"""Requests are signed for the names on the right."""


@dataclass
class _Planned:
    """A fault in waiting: `skip` matching requests pass before it strikes `times` times."""

    function: str | None
    service: str
    action: str
    skip: int = 0
    times: int = 1
    kill: Literal["before", "after"] | None = None
    refusal: Refusal | None = None
    fired: int = 0

    def strikes(self, request: AwsRequest) -> bool:
        """Count the request, if it is one of those meant, and tell whether it is struck."""
        process = request.process
        if process is None or (self.service, self.action) != (request.service, request.action):
            return False
        if self.function is not None and process.rpartition("-")[0] != self.function:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.fired >= self.times:
            return False
        self.fired += 1
        return True


class Faults:
    """Plans faults; a planned one strikes only requests of function processes, never the sandbox's own."""

    def __init__(self, runtime: LambdaRuntime) -> None:
        self.runtime = runtime
        self.requests: list[AwsRequest] = []
        self._planned: list[_Planned] = []
        self._reports: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        runtime.review = self._review

    def watch(self, gate: Gate) -> None:
        """Look at every request that passes a gate."""
        gate.before = self._before
        gate.after = _Both(gate.after, self._after)

    def kill(
        self,
        function: str | None,
        service: str,
        action: str,
        *,
        when: Literal["before", "after"] = "before",
        nth: int = 1,
    ) -> _Planned:
        """SIGKILL the process whose request is the nth such one, before or after it is carried out.

        `function` is a logical id (None: any), `service` and `action` are AWS's: `dynamodb`, `UpdateItem`.
        """
        return self._plan(_Planned(function, ALIASES.get(service, service), action, skip=nth - 1, kill=when))

    def fail(
        self,
        service: str,
        action: str,
        *,
        times: int = 1,
        status: int = 500,
        code: str = "InternalError",
        function: str | None = None,
        nth: int = 1,
    ) -> _Planned:
        """Answer an AWS error, `times` times from the nth such request on, instead of carrying it out."""
        refusal = Refusal(status, code)
        service = ALIASES.get(service, service)
        return self._plan(_Planned(function, service, action, skip=nth - 1, times=times, refusal=refusal))

    def report_failed(self, function: str, *, times: int = 1, error: str = "Lambda.Unknown") -> None:
        """Let the function do its work, then tell its caller that Lambda failed."""
        with self._lock:
            self._reports.setdefault(function, []).extend([error] * times)

    def clear(self) -> None:
        """Forget what is planned, and the requests seen."""
        with self._lock:
            self._planned.clear()
            self._reports.clear()
            self.requests.clear()

    def _plan(self, planned: _Planned) -> _Planned:
        with self._lock:
            self._planned.append(planned)
        return planned

    def _before(self, request: AwsRequest) -> Refusal | None:
        with self._lock:
            if request.process is not None:
                self.requests.append(request)
            struck = [one for one in self._planned if one.kill != "after" and one.strikes(request)]
        for planned in struck:
            if planned.kill:
                self.runtime.kill(request.process or "")
                return Refusal(500, "InternalError")  # nobody is there to read it
            return planned.refusal
        return None

    def _after(self, request: AwsRequest, _: int) -> None:
        with self._lock:
            struck = [one for one in self._planned if one.kill == "after" and one.strikes(request)]
        if struck:
            self.runtime.kill(request.process or "")

    def _review(self, function: Function, reply: Reply) -> Reply:
        with self._lock:
            waiting = self._reports.get(function.logical_id)
            error = waiting.pop(0) if waiting else None
        if error is None:
            return reply
        return Reply.service_error(500, error.removeprefix("Lambda."), "injected by the sandbox")


@dataclass(frozen=True)
class _Both:
    """Calls one observer, then the other."""

    first: object
    second: object

    def __call__(self, request: AwsRequest, status: int) -> None:
        for observer in (self.first, self.second):
            if callable(observer):
                observer(request, status)
