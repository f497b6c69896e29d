"""The embedded AWS: moto's engine inside this process, and the same backends over HTTP for the functions.

How and why in this way (a stand-alone moto server would echo every Lambda payload and call it success):
https://docs.getmoto.org/en/latest/docs/services/stepfunctions.html and …/docs/configuration/index.html.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

import boto3
from botocore.config import Config
from moto import mock_aws
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sandbox import moto_door, s3server
from tests.sandbox.gate import Gate
from tests.sandbox.proxy import forward_to

if TYPE_CHECKING:
    from types import TracebackType

    from tests.sandbox.gate import Application

ACCOUNT = "123456789012"
REGION = s3server.REGION
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": s3server.ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": s3server.SECRET_KEY,
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


class Cloud:
    """AWS on loopback until the block ends. One at a time: moto's state belongs to the process."""

    _taken = threading.Lock()

    def __init__(self, *, lambda_url: str, s3: str = "moto") -> None:
        if s3 not in {"moto", "seaweedfs"}:
            raise ValueError(f"s3 is moto or seaweedfs, not {s3}")
        self.lambda_url = lambda_url
        self.s3 = s3
        self.url = ""
        self.s3_url: str | None = None
        self.gates: list[Gate] = []
        self._stack = ExitStack()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Start everything; RuntimeError if this process has a sandbox already."""
        if not self._taken.acquire(blocking=False):
            raise RuntimeError("a sandbox is running in this process already")
        self._stack.callback(self._taken.release)
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything and forget all data."""
        self._stack.close()

    def _start(self) -> None:
        keep = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        settings = {
            **keep,
            **CREDENTIALS,
            # The developer's own profiles and endpoints have no say here.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_LAMBDA": self.lambda_url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        self._stack.enter_context(patch.dict(os.environ, settings, clear=True))
        if self.s3 == "seaweedfs":
            server = self._stack.enter_context(s3server.running())
            self.s3_url = self._serve(Gate(forward_to(server.url), serial=False))
            os.environ["AWS_ENDPOINT_URL_S3"] = self.s3_url
        mock = mock_aws(
            config={
                "stepfunctions": {"execute_state_machine": True},
                "lambda": {"use_docker": False},
                "core": {"mock_credentials": False},
            }
        )
        self._stack.enter_context(mock)
        self.url = self._serve(Gate(moto_door.application))

    def _serve(self, gate: Gate) -> str:
        self.gates.append(gate)
        application: Application = gate
        server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def client(self, service: str) -> Any:
        """Give the one client of a service; it reaches moto without HTTP (an S3 server of its own: with)."""
        with self._lock:  # boto3's sessions are not to be shared between threads, clients are
            if service not in self._clients:
                config = Config(
                    max_pool_connections=64,
                    parameter_validation=False,  # Step Functions passes numbers where a service takes texts
                    retries={"total_max_attempts": 1},
                    read_timeout=99999,
                )
                make: Any = boto3.client  # the stubs want a literal name
                self._clients[service] = make(
                    service,
                    region_name=REGION,
                    aws_access_key_id=s3server.ACCESS_KEY,
                    aws_secret_access_key=s3server.SECRET_KEY,
                    config=config,
                )
            return self._clients[service]

    def environment(self) -> dict[str, str]:
        """Give what a function process needs to reach this AWS and nothing else."""
        variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "AWS_ENDPOINT_URL_LAMBDA": self.lambda_url}
        if self.s3_url:
            variables["AWS_ENDPOINT_URL_S3"] = self.s3_url
        return variables


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True

    def log(self, *_: Any) -> None:
        """Keep quiet: a line for each request is no use to anyone."""
