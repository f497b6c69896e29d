"""What a failed run leaves to be read the next morning: history, logs, the vendor's requests, no secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from logferry.redact import LOOKED_AT, redact
from tests.sandbox import private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.sandbox.engine import Sandbox
    from tests.sandbox.execution import Execution
    from tests.sandbox.vendor.messages import Received

SHOWN = {"type", "client_id", "token_url"}
"""What of a connection's `auth` is no secret."""
HIDDEN = {"authorization", "cookie", "x-synthetic-key", "proxy-authorization"}
"""Headers that say who asks."""


def keep(folder: Path, sandbox: Sandbox, execution: Execution, requests: Iterable[Received]) -> Path:
    """Write a failed run's evidence into a folder named after the execution, and return that."""
    secrets = secrets_of(sandbox.connections.values())
    place = folder / execution.arn.rpartition(":")[2]
    private.make_folder(place)
    _write(place / "history.json", execution.history(), secrets)
    for child in sandbox.executions():
        if child.arn != execution.arn and child.status not in {"RUNNING", "SUCCEEDED"}:
            _write(place / f"history-{child.arn.rpartition(':')[2]}.json", child.history(), secrets)
    for function in sorted({call.function for call in sandbox.invocations()}):
        lines = (redact(line, LOOKED_AT, secrets) for line in sandbox.logs(function).splitlines())
        private.write_text(place / f"{function}.log", "\n".join([*lines, ""]))
    asked = [_request(request) for request in requests]
    if asked:
        _write(place / "vendor.json", asked, secrets)
    return place


def secrets_of(connections: Iterable[Mapping[str, Any] | str]) -> tuple[str, ...]:
    """Return the values of connections that nobody may see."""
    auths = [one.get("auth") for one in connections if not isinstance(one, str)]
    named = [pair for auth in auths if isinstance(auth, dict) for pair in auth.items()]
    return tuple(value for name, value in named if name not in SHOWN and isinstance(value, str))


def _request(request: Received) -> dict[str, Any]:
    headers = {name: "***" if name in HIDDEN else value for name, value in request.headers.items()}
    body = request.json if request.json is not None else dict.fromkeys(request.form or {}, "***")
    told = {"time": request.time, "origin": request.origin, "step": request.step, "method": request.method}
    return {**told, "path": request.target, "headers": headers, "body": body, "status": request.status}


def _write(path: Path, document: Any, secrets: tuple[str, ...]) -> None:
    private.write_text(path, json.dumps(_without(document, secrets), indent=1, default=str))


def _without(document: Any, secrets: tuple[str, ...]) -> Any:
    """Redact every text of a document."""
    match document:
        case dict():
            return {key: _without(value, secrets) for key, value in document.items()}
        case list():
            return [_without(value, secrets) for value in document]
        case str():
            return redact(document, LOOKED_AT, secrets)
    return document
