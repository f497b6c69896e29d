"""What can be known to be wrong before anything is deployed: the input, and a connection of one's own."""

from __future__ import annotations

import datetime as dt
import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logferry.collect.input import read_collection
from logferry.errors import ConnectionConfigError, InvalidRequestError
from logferry.export.validation import export_request
from logferry.sources.registry import source_named
from logferry.vendor.connection import Connection
from tests.sandbox import private, reach
from tests.sandbox.reach import Surroundings
from tests.sandbox.wanted import UsageError, parse, read_text

if TYPE_CHECKING:
    from tests.sandbox.wanted import Wanted


def check_input(wanted: Wanted) -> None:
    """Check an input as submit and plan will; UsageError with their words."""
    document = wanted.document
    try:
        if wanted.machine == "ExportStateMachine":
            export_request(document)
        elif isinstance(document["exports"], list):  # a list in the bucket is the plan's to read
            read_collection(document, dt.datetime.now(dt.UTC))
    except InvalidRequestError as error:
        raise UsageError(str(error), "InvalidRequestError") from error


@dataclass(frozen=True)
class Own:
    """A connection of the user's own: its secret, and how this machine reaches it."""

    secret: Any = field(repr=False)
    surroundings: Surroundings


def read_connection(path: str, wanted: Wanted) -> Own:
    """Return a connection file's content, if it is one and its hosts can be reached; UsageError otherwise."""
    surroundings = Surroundings.of_this_machine()
    text = read_text(path)
    if stat.S_IMODE(Path(path).stat().st_mode) & private.OTHERS:
        raise UsageError(f"{path} can be read by others and holds a secret; chmod 600 {path}")
    secret = parse(path, text)
    urls: list[str] = []
    for name, source in wanted.connections.items():
        rules = source_named(source).rules
        try:
            connection = Connection.parse(name, json.dumps(secret), rules)
        except ConnectionConfigError as error:
            raise UsageError(f"{path}: {error}", "ConnectionConfigError") from error
        token = rules.auth[connection.auth["type"]].token
        urls += [connection.base_url, *([token(connection).url] if token else [])]
    reach.check(urls, surroundings)
    return Own(secret, surroundings)
