"""The `vendor` verb: only the emulated vendors, until interrupted."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

from tests.sandbox.vendor.vendors import Vendors


def serve(port: int | None = None, **knobs: Any) -> None:
    """Serve until SIGINT or SIGTERM; the first line of stdout is JSON with what a client needs."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Vendors(port=port or 0, **knobs) as vendors:
        print(json.dumps(vendors.announcement), flush=True)
        stop.wait()
