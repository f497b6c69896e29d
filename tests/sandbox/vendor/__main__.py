"""`python -m tests.sandbox.vendor [--port N]`: the emulated vendors by themselves."""

from __future__ import annotations

import argparse
from typing import Any

from tests.sandbox.vendor.big_zips import big_zip
from tests.sandbox.vendor.serve import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.vendor", description=__doc__)
    parser.add_argument("--port", type=int, help="port of the API origin (default: a free one)")
    parser.add_argument("--rows", type=int, help="records in each log (default: 50 to 300)")
    parser.add_argument("--polls", type=int, default=3, help="the status reply that says done")
    parser.add_argument("--big-zip", type=int, metavar="BYTES", help="serve a made-up ZIP of that size")
    parser.add_argument("--deflated", action="store_true", help="the big ZIP's entries are compressed")
    arguments = parser.parse_args()
    knobs: dict[str, Any] = {"rows": arguments.rows, "polls": arguments.polls}
    if arguments.big_zip:
        blob = big_zip(arguments.big_zip, deflated=arguments.deflated)
        knobs["file"] = lambda _: blob
    serve(arguments.port, **knobs)
