"""The deployed stack, as CloudFormation knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.smoke.report import Broken

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUTS = ("BucketName", "TableName", "KeyArn", "ExportStateMachineArn", "CollectStateMachineArn")


@dataclass(frozen=True)
class Stack:
    """A stack's outputs, and the logical ids of what it has."""

    name: str
    outputs: Mapping[str, str]
    resources: frozenset[str]


def find_stack(cloudformation: Any, name: str) -> Stack:
    """Ask CloudFormation for a stack. Raises Broken where there is none of ours, or it is not whole."""
    try:
        [found] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise Broken(
            f"there is no stack {name}", "see its name and your region (AWS_DEFAULT_REGION)"
        ) from error
    status = found["StackStatus"]
    if not status.endswith("_COMPLETE") or status.startswith(("ROLLBACK", "DELETE")):
        raise Broken(f"the stack {name} is {status}", "see its events in CloudFormation and deploy it again")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}
    missing = [each for each in OUTPUTS if each not in outputs]
    if missing:
        raise Broken(
            f"the stack {name} has no output {', '.join(missing)}", "is it Logferry's, and of this release?"
        )
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = frozenset(
        each["LogicalResourceId"] for page in pages for each in page["StackResourceSummaries"]
    )
    return Stack(name, outputs, resources)
