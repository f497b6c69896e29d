"""`python -m tests.sandbox`: run, vendor, query, coverage."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.sandbox import beforehand
from tests.sandbox.wanted import UsageError, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        return carry_out(chosen)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        if getattr(chosen, "json", False):
            print(json.dumps(refused(error)))
        return USAGE
    except KeyboardInterrupt:
        return 130


def carry_out(chosen: argparse.Namespace) -> int:
    """Do what a verb says; what can be known to be wrong is said before the embedded AWS is even imported."""
    wanted = Wanted.read(chosen.input) if chosen.verb in {"run", "coverage"} else None
    own = None
    if wanted and chosen.verb == "run":
        if not chosen.json:  # a program gets what the state machine makes of a wrong input, announced and all
            beforehand.check_input(wanted)
        own = beforehand.read_connection(chosen.connection, wanted) if chosen.connection else None
    from tests.sandbox import verbs  # noqa: PLC0415 - moto and the template's translator take seconds

    if wanted is None:
        return verbs.serve_vendors(chosen) if chosen.verb == "vendor" else verbs.query(chosen)
    return (
        verbs.run_input(chosen, wanted, own) if chosen.verb == "run" else verbs.draw_coverage(chosen, wanted)
    )


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
