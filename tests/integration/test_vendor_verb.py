"""The `vendor` verb: a process of its own that serves until it is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
FIELDS = "base_url ca_file tenant folder service call_id api_key token client_id client_secret connection"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_line_tells_a_client_all_it_needs_and_a_signal_ends_it(number: signal.Signals) -> None:
    # Given the vendors in a process of their own
    command = [sys.executable, "-m", "tests.sandbox.vendor", "--rows", "3", "--polls", "1"]
    with subprocess.Popen(  # noqa: S603 - our own verb
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())

            # When a client uses what the first line says
            with requests.Session() as session:
                session.trust_env = False
                session.verify = told["ca_file"]
                headers = {"Authorization": f"Bearer {told['token']}"}
                path = f"/{told['tenant']}/api/v3/log/getexecutionhistorybycallid/{told['call_id']}"
                reply = session.get(told["base_url"] + path, headers=headers, timeout=30)

                # Then it is served, and a signal ends the process in good order, open connections or not
                assert json.loads(reply.json()["response_data"])["EngineCallId"] == told["call_id"]
                process.send_signal(number)
                assert process.wait(30) == 0
        finally:
            process.kill()

    assert list(told) == FIELDS.split()
    assert not Path(told["ca_file"]).exists()
