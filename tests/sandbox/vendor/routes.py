"""Which request is served by what, and the step name that scripts and hooks know it by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.sandbox.vendor.messages import Answer, Received, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (
    "token",
    "submit",
    "status",
    "download",
    "call",
    "call_excel",
    "session",
    "delete",
    "other",
)


@dataclass(frozen=True)
class Route:
    """A method and a path: `{}` takes one segment, any other segment may be a pattern of its own."""

    origin: str
    method: str
    path: str
    step: str
    serve: Callable[[Received], Answer]

    def match(self, received: Received) -> tuple[str, ...] | None:
        """Give what the wildcards and patterns took, or None."""
        methods = {self.method, "HEAD"} if self.method == "GET" else {self.method}
        wanted = self.path.split("/")[1:]
        segments = received.segments
        if received.origin != self.origin or received.method not in methods or len(wanted) != len(segments):
            return None
        found: list[str] = []
        for pattern, segment in zip(wanted, segments, strict=True):
            if pattern == "{}":
                found.append(segment)
            elif match := re.fullmatch(pattern, segment):
                found.extend(match.groups())
            else:
                return None
        return tuple(found)


class Routes:
    """All routes, first match wins."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes

    def find(self, received: Received) -> Callable[[Received], Answer]:
        """Give what serves a request, and write the step and the parameters into the request."""
        for route in self._routes:
            params = route.match(received)
            if params is not None:
                received.step, received.params = route.step, params
                return route.serve
        return not_found


def not_found(_: Received) -> Answer:
    """Answer for paths that nobody serves."""
    raise refuse(404, "NOT_FOUND", "The resource could not be found.")
