"""The ways to move a file from a vendor into S3, each run in a process of its own and measured there.

`python -m tests.benchmarks.ways TASK`, TASK being the JSON of a `Task`, prints the JSON of a `Cost`.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import boto3
import requests
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK: Final = 256 * 1024
MEBIBYTE: Final = 1 << 20
STACK_BYTES: Final = 512 * 1024
"""Of a thread, under a cap: the 8 MiB that are reserved by default are addresses, not memory."""
BUCKET, KEY = "landings", "benchmark.zip"


@dataclass(frozen=True)
class Task:
    """What to do: `warm_url` is a small file to begin with, `cap` the most MiB above idle (0: any)."""

    way: str
    url: str
    s3: str
    warm_url: str
    cap: int = 0


@dataclass(frozen=True)
class Cost:
    """What it took: CPU and wall in seconds, resident memory in MiB."""

    cpu: float
    wall: float
    idle: float
    peak: float
    sha256: str


Way = Callable[[Task, "S3Client"], str]
"""Moves the file; gives its SHA-256 in hex, which every way has to know."""


def logferry(task: Task, s3: S3Client, *, verify: bool = True) -> str:
    """Move it as the fetch function does."""
    from logferry.download.stream import TimeBudget, open_stream  # noqa: PLC0415
    from logferry.models.job import Download, FileKind  # noqa: PLC0415
    from logferry.storage.landing import Condition, ObjectWriter, copy  # noqa: PLC0415
    from logferry.vendor.egress import HostPolicy  # noqa: PLC0415
    from logferry.verify.verifier import verify as verify_chunks  # noqa: PLC0415 - each process imports what it needs

    address = urlsplit(task.url)
    policy = HostPolicy((address.netloc,), f"https://{address.netloc}")
    with (
        open_stream(Download(url=task.url), policy, lambda **_: {}, budget=TimeBudget(900)) as stream,
        ObjectWriter(
            s3,
            BUCKET,
            KEY,
            metadata={"export-id": "0" * 64, "attempt": "1"},
            content_type="application/zip",
            condition=Condition.absent(),
            size_hint=stream.size,
        ) as writer,
    ):
        chunks = copy(stream, writer)
        if verify:
            verify_chunks(chunks, FileKind.ZIP_CSV)
        else:
            deque(chunks, maxlen=0)
        return writer.commit().sha256


def unverified(task: Task, s3: S3Client) -> str:
    """Move it as we do, but look at nothing on the way, as the other ways do."""
    return logferry(task, s3, verify=False)


def in_memory(task: Task, s3: S3Client) -> str:
    """Move it as most scripts do: all of it in memory."""
    content = requests.get(task.url, timeout=60).content
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)
    return hashlib.sha256(content).hexdigest()


class Hashing:
    """A response's body as a file that knows its hash."""

    def __init__(self, url: str) -> None:
        self._raw = requests.get(url, stream=True, timeout=60).raw
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self._raw.read(size if size >= 0 else None)
        self.sha256.update(chunk)
        return chunk


def upload_fileobj(task: Task, s3: S3Client) -> str:
    """Stream it with boto3's own transfer manager."""
    body: Any = Hashing(task.url)
    s3.upload_fileobj(body, BUCKET, KEY)
    return str(body.sha256.hexdigest())


def upload_fileobj_tuned(task: Task, s3: S3Client) -> str:
    """Stream it with boto3's transfer manager, as tight as its settings go."""
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

    body: Any = Hashing(task.url)
    tight = TransferConfig(multipart_chunksize=16 * MEBIBYTE, max_concurrency=3, io_chunksize=CHUNK)
    s3.upload_fileobj(body, BUCKET, KEY, Config=tight)
    return str(body.sha256.hexdigest())


def smart_open(task: Task, s3: S3Client) -> str:
    """Stream it with smart_open."""
    from smart_open import open as open_anything  # noqa: PLC0415

    body = Hashing(task.url)
    with open_anything(f"s3://{BUCKET}/{KEY}", "wb", transport_params={"client": s3}) as target:
        while chunk := body.read(CHUNK):
            target.write(chunk)
    return body.sha256.hexdigest()


def vendor_sdk(task: Task, s3: S3Client) -> str:
    """Download it with Coherent's SDK, which has it in memory, and put that."""
    import cspark.sdk as spark_sdk  # noqa: PLC0415

    address = urlsplit(task.url)
    base = spark_sdk.BaseUrl(url=f"https://{address.netloc}", tenant="acme")
    with spark_sdk.Client(base_url=base, token="none", logger=False) as spark:
        content = spark.logs.request(task.url).buffer
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)
    return hashlib.sha256(content).hexdigest()


def curl_and_aws(task: Task, _: S3Client) -> str:
    """Pipe it through two programs, and a third for its hash."""
    script = 'curl -sf "$1" | tee >(sha256sum >&2) | aws s3 cp - "$2" --endpoint-url "$3"'
    target = f"s3://{BUCKET}/{KEY}"
    return run("bash", "-o", "pipefail", "-c", script, "-", task.url, target, task.s3).split()[0]


def download_only(task: Task, _: S3Client) -> str:
    """Download it with curl and drop it: a third of the limit."""
    return run("curl", "-sf", "-o", os.devnull, task.url)


def upload_only(_: Task, s3: S3Client) -> str:
    """Upload as many bytes with curl, in one request, from a file in the page cache: a third of the limit."""
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": KEY})
    return run("curl", "-sf", "-T", os.environ["BENCHMARK_FILE"], url)


def run(*command: str) -> str:
    """Run a program of the PATH; give what it says on stderr."""
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - programs named here
    return done.stderr


def hash_only(_: Task, __: S3Client) -> str:
    """Take the SHA-256 of as many bytes: a third of the limit."""
    size = Path(os.environ["BENCHMARK_FILE"]).stat().st_size
    block, sha256 = bytes(CHUNK), hashlib.sha256()
    for _at in range(0, size, CHUNK):
        sha256.update(block)
    return ""


WAYS: Final[dict[str, Way]] = {
    "Logferry": logferry,
    "Logferry, nothing verified": unverified,
    "upload_fileobj, defaults": upload_fileobj,
    "upload_fileobj, tuned": upload_fileobj_tuned,
    "smart_open": smart_open,
    "requests.content + put_object": in_memory,
    "vendor's SDK + put_object": vendor_sdk,
    "curl | aws s3 cp": curl_and_aws,
}
LIMIT: Final[dict[str, Way]] = {
    "download only": download_only,
    "upload only": upload_only,
    "hash only": hash_only,
}
TUNED: Final = frozenset({upload_fileobj_tuned})
OURS: Final = frozenset({logferry, unverified})


def runs_here(way: str) -> bool:
    """Tell whether the programs that a way needs are on the PATH, and work."""
    needed = {"download only": ["curl"], "upload only": ["curl"], "curl | aws s3 cp": ["curl", "aws", "bash"]}
    try:
        for program in needed.get(way, []):
            run(program, "--version")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def client_of(way: Way, task: Task) -> S3Client:
    """Make the client that a way would be used with."""
    from logferry.storage.landing import s3_config  # noqa: PLC0415

    config = Config()
    if way in OURS:
        config = s3_config()
    elif way in TUNED:
        config = Config(request_checksum_calculation="when_required", s3={"payload_signing_enabled": False})
    return boto3.client("s3", endpoint_url=task.s3, config=config)


def memory(field: str) -> int:
    """Read a field of this process's status, in KiB; Linux only."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0])


def cpu_seconds() -> float:
    """Give what this process and its children have used, in user space and in the kernel."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def measure(task: Task) -> Cost:
    """Run a way; what its process took before does not count, nor does it as memory."""
    way = (WAYS | LIMIT)[task.way]
    s3 = client_of(way, task)
    if task.way in WAYS:  # an idle function has imported everything, and has an open connection
        way(replace(task, url=task.warm_url), s3)
        s3.delete_object(Bucket=BUCKET, Key=KEY)
        gc.collect()
    if task.cap:
        threading.stack_size(STACK_BYTES)
        most = (memory("VmData") + task.cap * 1024) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    idle, before, began = memory("VmRSS"), cpu_seconds(), time.perf_counter()
    sha256 = way(task, s3)
    wall, cpu = time.perf_counter() - began, cpu_seconds() - before
    peak = memory("VmHWM")
    if way is curl_and_aws:
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Cost(cpu, wall, idle / 1024, peak / 1024, sha256)


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Task(**json.loads(sys.argv[1]))))))  # noqa: T201 - its answer
