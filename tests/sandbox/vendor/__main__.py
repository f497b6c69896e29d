"""`python -m tests.sandbox.vendor [--port N]`: the emulated vendors by themselves."""

from __future__ import annotations

import argparse

from tests.sandbox.vendor.serve import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.vendor", description=__doc__)
    parser.add_argument("--port", type=int, help="port of the API origin (default: a free one)")
    parser.add_argument("--rows", type=int, help="records in each log (default: 50 to 300)")
    parser.add_argument("--polls", type=int, default=3, help="the status reply that says done")
    arguments = parser.parse_args()
    serve(arguments.port, rows=arguments.rows, polls=arguments.polls)
