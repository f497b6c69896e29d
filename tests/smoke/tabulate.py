"""`python -m tests.smoke.tabulate STACK`: tables of everything that landed before `Tables=ON`.

It hands the manifests that lie in the bucket to the stack's function, some at once, each until it is done.
What is in its table already is left as it is, so that a run that was stopped goes on with the next.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tests.smoke.report import Broken
from tests.smoke.stack import find_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

AT_ONCE = 8
NO_LANDINGS = ("tables/", "unpacked/", "_logferry/")


def own_client(service: str) -> Any:
    """Give a client that waits as long as the function may work, and never starts it twice."""
    make: Any = boto3.client  # the stubs want a literal name
    return make(service, config=Config(read_timeout=910, retries={"total_max_attempts": 1}))


def main(
    arguments: Sequence[str] | None = None,
    *,
    client: Callable[[str], Any] = own_client,
    say: Callable[[str], None] = print,
) -> int:
    """Do all manifests; 0 where all are done, 1 where some failed, 2 where the stack is of no use."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke.tabulate", description=__doc__)
    parser.add_argument("stack", help="the CloudFormation stack")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="calls of the function at a time")
    chosen = parser.parse_args(arguments)
    try:
        stack = find_stack(client("cloudformation"), chosen.stack)
    except Broken as broken:
        say(str(broken))
        return 2
    return tabulate(
        client("s3"),
        client("lambda"),
        stack.outputs["BucketName"],
        f"{chosen.stack}-tabulate",
        chosen.at_once,
        say,
    )


def tabulate(
    s3: Any, functions: Any, bucket: str, function: str, at_once: int, say: Callable[[str], None]
) -> int:
    """Call the function for every manifest, telling each one's end; 0 where none failed."""
    keys = list(manifests(s3, bucket))
    say(f"{len(keys)} manifests in {bucket}")
    failed = 0
    with ThreadPoolExecutor(at_once) as pool:
        started = {pool.submit(call, functions, function, bucket, key): key for key in keys}
        for number, done in enumerate(as_completed(started), 1):
            problem, rows = done.result()
            failed += problem is not None
            say(f"{number}/{len(keys)} {started[done]}: {problem or f'{rows} rows'}")
    say(f"done, {failed} failed" if failed else "done")
    return 1 if failed else 0


def manifests(s3: Any, bucket: str) -> Iterator[str]:
    """List the keys of manifests."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", ()):
            key = str(each["Key"])
            if key.endswith(".manifest.json") and not key.startswith(NO_LANDINGS):
                yield key


def call(functions: Any, function: str, bucket: str, key: str) -> tuple[str | None, int]:
    """Call the function for one manifest; give what went wrong, or its rows."""
    event = {"detail": {"bucket": {"name": bucket}, "object": {"key": key}}}
    try:
        reply = functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        told = json.loads(reply["Payload"].read())
    except Exception as error:  # noqa: BLE001 - told, and the others go on
        return f"{type(error).__name__}: {error}", 0
    if "FunctionError" in reply:
        return f"{told.get('errorType')}: {told.get('errorMessage')}", 0
    return None, int(told["rows"])


if __name__ == "__main__":
    sys.exit(main())
