"""What an input file asks of the sandbox: a machine, connections, targets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor import Vendors


class UsageError(Exception):
    """What the person at the keyboard can put right; its text is all that is shown.

    `name` is the contract's name of the error, where the functions would have raised one.
    """

    def __init__(self, text: str, name: str = "UsageError") -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True)
class Wanted:
    """An input: valid JSON, and nothing else is taken for granted: what is wrong in it the functions say."""

    document: Any
    text: str

    @classmethod
    def read(cls, path: str) -> Wanted:
        """Read an input file; UsageError for one that is missing or no JSON."""
        text = read_text(path)
        return cls(parse(path, text), text)

    @property
    def machine(self) -> str:
        """Tell which state machine runs it."""
        is_collection = isinstance(self.document, dict) and "exports" in self.document
        return "CollectStateMachine" if is_collection else "ExportStateMachine"

    @property
    def exports(self) -> Iterator[dict[str, Any]]:
        """Give the exports that are objects at all."""
        document = self.document if isinstance(self.document, dict) else {}
        listed = document.get("exports", [document])
        yield from (one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else ()

    @property
    def connections(self) -> dict[str, str]:
        """Give the connections by name, each with the source that first uses it."""
        named: dict[str, str] = {}
        for export in self.exports:
            name = export.get("connection")
            if isinstance(name, str) and name:
                named.setdefault(name, str(export.get("source")))
        return named

    def emulated(self, vendors: Vendors) -> dict[str, Any]:
        """Let the vendors have what the input is about; give a secret for each connection."""
        for export in self.exports:
            target = export.get("target")
            if not isinstance(target, dict):
                continue
            folder, service, call = (target.get(key) for key in ("folder", "service", "call_id"))
            if isinstance(folder, str) and isinstance(service, str):
                vendors.services.add((folder, service))
            if isinstance(call, str):
                vendors.calls.setdefault(call, 1)
        known = vendors.connections
        return {
            name: known.get(name)
            or vendors.secret("uaa" if source.startswith("ibm") else "client_credentials")
            for name, source in self.connections.items()
        }


def read_text(path: str) -> str:
    """Read a file; UsageError says in one line why it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def parse(path: str, text: str) -> Any:
    """Parse JSON, as strictly as AWS does; UsageError says in one line what is wrong with it."""
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{path} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from error


def refuse_constant(name: str) -> Any:
    """Raise ValueError: NaN and Infinity are Python's, not JSON's."""
    raise ValueError(f"{name} is no JSON value")
