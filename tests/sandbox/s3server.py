"""A real S3 server for tests and benchmarks: SeaweedFS, from its wheel, on loopback.

moto accepts wrong checksums and ignores `If-Match` on completion; this server does neither.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.config import Config
    from mypy_boto3_s3 import S3Client

ACCESS_KEY: Final = "sandbox"
SECRET_KEY: Final = "sandbox-secret"
REGION: Final = "eu-west-1"
START_SECONDS: Final = 20.0
"""`weed mini` is up within a second on an idle machine; tests share theirs."""

SERVICES: Final = ("master", "volume", "filer", "s3", "admin")


@dataclass(frozen=True)
class S3Server:
    """A running server: where it listens, and a client for it."""

    url: str
    ca_file: str | None = None

    def client(self, config: Config | None = None) -> S3Client:
        """Give a client that has the server's credentials."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=REGION,
            verify=self.ca_file,
            config=config,
        )


@contextmanager
def running(
    certificate: Path | None = None, key: Path | None = None, ca: Path | None = None
) -> Iterator[S3Server]:
    """Run a server until the block ends: over HTTPS where a certificate is given, else over HTTP."""
    home = Path(tempfile.mkdtemp(prefix="s3-"))
    process, ports = None, list[int]()
    try:
        for _ in range(3):  # a free port may be taken by another before the server binds it
            ports = free_ports(2 * len(SERVICES) + 1)
            with (home / "weed.log").open("wb") as log:
                process = subprocess.Popen(
                    command(home, ports, certificate, key),
                    cwd=home,
                    stdout=log,
                    stderr=log,
                )
            scheme, port = ("https", ports[-1]) if certificate else ("http", ports[SERVICES.index("s3")])
            if came_up(process, f"http://127.0.0.1:{ports[SERVICES.index('s3')]}"):
                break
            process.kill()
            process.wait()
        else:
            raise RuntimeError(f"SeaweedFS did not start: {(home / 'weed.log').read_text()[-2000:]}")
        yield S3Server(f"{scheme}://127.0.0.1:{port}", str(ca) if ca else None)
    finally:
        if process:
            process.kill()  # it takes ten seconds over a polite stop
            process.wait()
        shutil.rmtree(home, ignore_errors=True)
        for service, port in zip(SERVICES, ports[len(SERVICES) :], strict=False):
            Path(f"/tmp/seaweedfs-{service}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - its own choice


def command(home: Path, ports: list[int], certificate: Path | None, key: Path | None) -> list[str]:
    """Spell out every port: the defaults are fixed ones, and bound to all addresses."""
    identity = {
        "name": "sandbox",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (home / "s3.json").write_text(json.dumps({"identities": [identity]}))
    options: dict[str, Any] = {
        "dir": home,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "webdav": "false",
        "admin.ui": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": home / "s3.json",
        "s3.localSocket": home / "s3.sock",
        "filer.localSocket": home / "filer.sock",
        "s3.autoCreateBucket": "false",
    }
    for index, service in enumerate(SERVICES):
        options[f"{service}.port"] = ports[index]
        options[f"{service}.port.grpc"] = ports[len(SERVICES) + index]
    if certificate:
        options |= {"s3.port.https": ports[-1], "s3.cert.file": certificate, "s3.key.file": key}
    weed = Path(sys.executable).with_name("weed")
    return [str(weed), "mini", *(f"-{name}={value}" for name, value in options.items())]


def free_ports(count: int) -> list[int]:
    """Ask the system for ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def came_up(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the S3 side answers; false where the process has ended or the time is over."""
    give_up = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        try:
            if requests.get(f"{url}/status", timeout=1).ok:
                return True
        except requests.RequestException:
            time.sleep(0.05)
    return False
