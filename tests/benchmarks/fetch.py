"""What a fetch costs, beside what people use today: `python -m tests.benchmarks.fetch [--quick]`.

Every way moves the same files over HTTPS on loopback, in turn, in processes of their own, into a real S3
server and into one that keeps nothing. The results are written into README.md and fetch.svg beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trustme

from tests.benchmarks.page import Result, write
from tests.benchmarks.ways import BUCKET, KEY, LIMIT, WAYS, Cost, Task, runs_here
from tests.sandbox import s3server

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).parents[2]
MEBIBYTE: Final = 1 << 20
GIBIBYTE: Final = 1 << 30
CAP_MEBIBYTES: Final = 64


@dataclass(frozen=True)
class File:
    """A file to move: what it is called, where the source has it, how often it is moved."""

    name: str
    kind: str
    size: int
    rounds: int


FILES: Final = (
    File("100 KB CSV ZIP", "deflated", 100_000, 5),
    File("250 MB CSV ZIP", "deflated", 250_000_000, 3),
    File("1 GiB stored ZIP", "noise", GIBIBYTE, 5),
)
QUICK: Final = (
    File("100 KB CSV ZIP", "deflated", 100_000, 1),
    File("64 MiB stored ZIP", "noise", 1 << 26, 1),
)
CAPPED: Final = (
    File("100 KB", "deflated", 100_000, 1),
    File("10 GiB", "noise", 10 * GIBIBYTE, 1),
    File("100,000 entries", "entries", 100_000, 1),
)


@dataclass(frozen=True)
class Stage:
    """The two ends, and what the processes between them need to know."""

    home: Path
    source: str
    sink: str

    @property
    def ca_file(self) -> str:
        return str(self.home / "ca.pem")

    def cost(self, way: str, file: File, s3: str, cap: int = 0) -> Cost:
        """Run a way in a process of its own."""
        given = self.home / str(file.size)
        if not given.exists():
            with given.open("w+b") as sparse:
                sparse.truncate(file.size)
                while sparse.read(MEBIBYTE):  # into the page cache: its first reader would pay for that
                    pass
        url, warm = (f"{self.source}/{file.kind}/{size}.zip" for size in (file.size, 1000))
        task = Task(way, url, s3, warm, cap)
        certificates = dict.fromkeys(
            ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), self.ca_file
        )
        done = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "tests.benchmarks.ways", json.dumps(asdict(task))],
            env=environment() | certificates | {"BENCHMARK_FILE": str(given)},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{way}, {file.name}: {done.stderr[-2000:]}")
        return Cost(**json.loads(done.stdout))


def environment() -> dict[str, str]:
    """Give the surroundings of every process: our code, the servers' credentials, no proxy."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "layers/logferry")]),
        "AWS_ACCESS_KEY_ID": s3server.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": s3server.SECRET_KEY,
        "AWS_DEFAULT_REGION": s3server.REGION,
        "NO_PROXY": "*",
    }


@contextmanager
def stage() -> Iterator[Stage]:
    """Start both ends."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        authority = trustme.CA(organization_name="Logferry benchmark, throwaway")
        server = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(str(home / "ca.pem"))
        server.private_key_and_cert_chain_pem.write_to_path(str(home / "both.pem"))
        server.private_key_pem.write_to_path(str(home / "key.pem"))
        server.cert_chain_pems[0].write_to_path(str(home / "certificate.pem"))
        source, sink = (stack.enter_context(end(role, home / "both.pem")) for role in ("source", "sink"))
        yield Stage(home, source, sink)


@contextmanager
def end(role: str, certificate: Path) -> Iterator[str]:
    """Run one end until the block is left; give its URL."""
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "tests.benchmarks.servers", role, str(certificate)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"https://127.0.0.1:{process.stdout.readline().strip() if process.stdout else ''}"
    finally:
        process.kill()
        process.wait()


def race(on: Stage, file: File, kind: str, rounds: int) -> list[Result]:
    """Have every way move a file, in turn, as often as there are rounds, into one kind of S3."""
    # SeaweedFS takes a single stream in small sips, which is no limit of anything.
    ways = [way for way in (*(LIMIT if kind == "discard" else ()), *WAYS) if runs_here(way)]
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for turn in range(rounds):
        for place in range(len(ways)):
            way = ways[(place + turn) % len(ways)]
            with ExitStack() as stack:
                s3 = on.sink if kind == "discard" else stack.enter_context(seaweed(on))
                costs[way].append(on.cost(way, file, s3))
            say(f"{file.name}, {kind}, round {turn + 1}: {way}: {costs[way][-1].cpu:.2f} s CPU")
    hashes = {cost.sha256 for way in WAYS for cost in costs.get(way, [])}
    if len(hashes) != 1:
        raise RuntimeError(f"{file.name} was not the same for all: {hashes}")
    return [Result(file.name, file.size, kind, way, found) for way, found in costs.items()]


@contextmanager
def seaweed(on: Stage) -> Iterator[str]:
    """Run a real S3 server, a fresh one each time: what it keeps would slow the next way down."""
    certificate, key, ca = (on.home / name for name in ("certificate.pem", "key.pem", "ca.pem"))
    with s3server.running(certificate, key, ca) as server:
        s3 = server.client()
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"warm")  # the first write makes volumes
        s3.delete_object(Bucket=BUCKET, Key=KEY)
        yield server.url


def capped(on: Stage) -> list[Result]:
    """Fetch a small, a huge and a crowded file under a limit that the kernel enforces."""
    return [
        Result(
            file.name, file.size, "capped", "Logferry", [on.cost("Logferry", file, on.sink, CAP_MEBIBYTES)]
        )
        for file in CAPPED
    ]


def say(text: str) -> None:
    """Show that something goes on."""
    print(text, file=sys.stderr)  # noqa: T201 - it runs for minutes


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the page; exit 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fetch", description=__doc__)
    parser.add_argument("--rounds", type=int, help="turns of every way, for each file")
    parser.add_argument("--quick", action="store_true", help="small files, once; nothing is written")
    options = parser.parse_args(arguments)
    with stage() as on:
        results = [
            result
            for file in (QUICK if options.quick else FILES)
            for kind in ("discard", "SeaweedFS")
            for result in race(on, file, kind, options.rounds or file.rounds)
        ]
        results += [] if options.quick else capped(on)
    text = write(results, None if options.quick else Path(__file__).parent)
    print(text)  # noqa: T201 - what was asked for
    return int("**missed**" in text and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
