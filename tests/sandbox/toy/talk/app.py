"""Does what its event says: the toy stack's one function."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import boto3


class StubbornError(Exception):
    """What `raise` raises."""


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    """Carry out `do`."""
    do = event.get("do")
    print(f"doing {do}")
    print("on stderr", file=sys.stderr)
    if do == "raise":
        raise StubbornError("as I was told")
    if do == "raise once" and count(event["name"]) == 1:
        raise StubbornError("the first time only")
    if do == "exit":
        os._exit(3)
    if do == "hang":
        threading.Event().wait()
    if do == "grow":
        return len(b"x" * event["mib"] * 1024 * 1024)
    if do == "environment":
        return dict(os.environ)
    if do == "reply":
        return "x" * event["size"]
    if do == "count":
        return {"n": count(event["name"]), "wait": 0}
    if do == "put":
        boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=event["key"], Body=b"content")
    return {
        "pid": os.getpid(),
        "event": event,
        "arn": context.invoked_function_arn,
        "wait": event.get("wait", 0),
    }


def count(name: str) -> int:
    """Count in the table, so that tests see what was carried out."""
    answer = boto3.client("dynamodb").update_item(
        TableName=os.environ["TABLE"],
        Key={"series": {"S": "count"}, "window": {"S": name}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    return int(answer["Attributes"]["n"]["N"])
