"""What each verb of the sandbox does, once its input is known to be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from logferry.coverage.page import page
from logferry.coverage.widget import covered, zone_of
from logferry.errors import InvalidRequestError
from logferry.ledger.repository import Ledger
from logferry.ledger.table import Table
from tests.sandbox.ending import conclude
from tests.sandbox.engine import Sandbox
from tests.sandbox.run import Settings, run
from tests.sandbox.show import ConsoleView
from tests.sandbox.tables import query_state
from tests.sandbox.vendor import serve
from tests.sandbox.wanted import UsageError

if TYPE_CHECKING:
    import argparse

    from tests.sandbox.beforehand import Own
    from tests.sandbox.wanted import Wanted

LAST = Path(".sandbox/last")
"""What the last run landed, and its state, unless --out and --state say where."""


def serve_vendors(chosen: argparse.Namespace) -> int:
    """Serve the emulated vendors until interrupted."""
    serve(chosen.port)
    return 0


def query(chosen: argparse.Namespace) -> int:
    """Print what a question to the tables of a kept state gives, as CSV."""
    print(query_state(Path(chosen.state), chosen.sql), end="")
    return 0


def run_input(chosen: argparse.Namespace, wanted: Wanted, own: Own | None) -> int:
    """Run an input and show it, or print its document."""
    view = ConsoleView(Console(stderr=chosen.json, highlight=False), verbose=chosen.verbose)
    last = None if chosen.json else LAST
    settings = Settings(own, chosen.state, chosen.out, chosen.speed, last)
    result = run(wanted, settings, view)
    if chosen.json:
        print(json.dumps(result.to_json()))
        if result.evidence:
            view.say(f"evidence: {result.evidence}/")
    else:
        kept = settings.kept(chosen.input, result.evidence)
        conclude(view, wanted.document, result, kept, details=chosen.details)
    return 0 if result.succeeded else 1


def draw_coverage(chosen: argparse.Namespace, wanted: Wanted) -> int:
    """Draw the coverage of a collection, with what the coverage function draws it with."""
    folder = Path(chosen.state)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder that a collection was run with")
    try:
        with Sandbox(state=folder) as sandbox:
            ledger = Ledger(Table(sandbox.client("dynamodb"), sandbox.resources["Table"].ref))
            picture = page(covered(ledger, wanted.document), ledger.now(), zone_of(wanted.document))
    except (OSError, ValueError, InvalidRequestError) as error:
        raise UsageError(str(error)) from error
    if chosen.out:
        write(Path(chosen.out), picture)
    else:
        print(picture)
    return 0


def write(path: Path, text: str) -> None:
    """Write a file; UsageError where that cannot be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
