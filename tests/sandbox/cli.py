"""`python -m tests.sandbox`: run, vendor, query, coverage."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from logferry.coverage.page import page
from logferry.coverage.widget import covered
from logferry.errors import InvalidRequestError
from logferry.ledger.repository import Ledger
from logferry.ledger.table import Table
from tests.sandbox.ending import conclude
from tests.sandbox.engine import Sandbox
from tests.sandbox.run import Settings, run
from tests.sandbox.show import ConsoleView
from tests.sandbox.tables import query_state
from tests.sandbox.vendor import serve
from tests.sandbox.wanted import UsageError, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST = Path(".sandbox/last")
"""What the last run landed, and its state, unless --out and --state say where."""

USAGE = 2
"""Exit status for what is wrong with the call itself; 1 is an execution that failed."""


def parser() -> argparse.ArgumentParser:
    """Describe the verbs."""
    top = argparse.ArgumentParser(
        prog="python -m tests.sandbox", description="Logferry on this machine alone."
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("run", help="one export or one collection through the real state machine")
    one.add_argument("input", metavar="INPUT.json", help="the execution's input")
    one.add_argument(
        "--json", action="store_true", help="print one JSON document to stdout, the rest to stderr"
    )
    one.add_argument("--out", metavar="DIR", help="copy what landed there, under its keys")
    one.add_argument(
        "--connection", metavar="FILE", help="a connection of your own instead of emulated vendors"
    )
    one.add_argument("--state", metavar="DIR", help="keep ledger and bucket there for the next run")
    one.add_argument("--speed", type=positive, default=1.0, help="divide waits and retry delays by this")
    one.add_argument(
        "--details", action="store_true", help="show manifest, notification and output as JSON as well"
    )
    one.add_argument("--verbose", action="store_true", help="show what the functions log, line by line")
    vendor = verbs.add_parser("vendor", help="the emulated vendors over HTTPS, until interrupted")
    vendor.add_argument("--port", type=int, metavar="N", help="port of the API origin (default: a free one)")
    ask = verbs.add_parser("query", help="SQL over the tables of what was landed with --state")
    ask.add_argument(
        "sql", metavar="SQL", help='such as "SELECT service, count(*) FROM calls GROUP BY service"'
    )
    ask.add_argument(
        "--state", metavar="DIR", required=True, help="the folder that the exports were run with"
    )
    cover = verbs.add_parser(
        "coverage", help="the coverage picture of a collection that was run with --state"
    )
    cover.add_argument("input", metavar="INPUT.json", help="the collection's input")
    cover.add_argument(
        "--state", metavar="DIR", required=True, help="the folder that the collection was run with"
    )
    cover.add_argument("--out", metavar="FILE.html", help="write the picture there instead of to stdout")
    return top


def positive(text: str) -> float:
    """Read a number above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; give the exit status."""
    chosen = parser().parse_args(arguments)
    try:
        if chosen.verb == "vendor":
            serve(chosen.port)
            return 0
        if chosen.verb == "query":
            print(query_state(Path(chosen.state), chosen.sql), end="")
            return 0
        return run_input(chosen) if chosen.verb == "run" else draw_coverage(chosen)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        if getattr(chosen, "json", False):
            print(json.dumps(refused(error)))
        return USAGE
    except KeyboardInterrupt:
        return 130


def refused(error: UsageError) -> dict[str, Any]:
    """Give `--json`'s document for a run that never started."""
    return {
        "status": "FAILED",
        "output": None,
        "error": error.name,
        "cause": str(error),
        "objects": [],
        "notifications": [],
        "transitions": 0,
    }


def run_input(chosen: argparse.Namespace) -> int:
    """Run an input and show it, or print its document."""
    view = ConsoleView(Console(stderr=chosen.json, highlight=False), verbose=chosen.verbose)
    wanted = Wanted.read(chosen.input)
    last = None if chosen.json else LAST
    settings = Settings(chosen.connection, chosen.state, chosen.out, chosen.speed, last)
    result = run(wanted, settings, view)
    if chosen.json:
        print(json.dumps(result.to_json()))
        if result.evidence:
            view.say(f"evidence: {result.evidence}/")
    else:
        kept = settings.kept(chosen.input, result.evidence)
        conclude(view, wanted.document, result, kept, details=chosen.details)
    return 0 if result.succeeded else 1


def draw_coverage(chosen: argparse.Namespace) -> int:
    """Draw the coverage of a collection, with what the coverage function draws it with."""
    wanted = Wanted.read(chosen.input)
    folder = Path(chosen.state)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder that a collection was run with")
    try:
        with Sandbox(state=folder) as sandbox:
            ledger = Ledger(Table(sandbox.client("dynamodb"), sandbox.resources["Table"].ref))
            picture = page(covered(ledger, wanted.document))
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
