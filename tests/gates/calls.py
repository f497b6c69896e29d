"""What the functions really ask of AWS, held against their roles: the sandbox evaluates no policy."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Any

from tests.gates.deployment import FUNCTION, as_list, branches, of_type, text
from tests.gates.rights import identity_statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sandbox.gate import AwsRequest

S3_PERMISSIONS = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
}
"""S3's operations whose permission is called otherwise."""

ALTERNATIVES = {
    "s3:DeleteObject": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "s3:GetObject": {"s3:GetObject", "s3:GetObjectVersion"},
}
"""Which of the two it is depends on whether a version was named, which a request's path does not tell."""

Right = tuple[str, str]
"""An action, and the keys that it is allowed on (`*` where the resource is no object)."""


def rights(template: dict[str, Any]) -> dict[str, set[Right]]:
    """Give what each function may do, by logical id, from a translated template."""
    granted: dict[str, set[Right]] = {}
    for name, statement in identity_statements(template):
        if statement["Effect"] == "Allow":
            keys = {_keys(text(resource)) for resource in branches(statement["Resource"])}
            granted.setdefault(name, set()).update(
                (action, key) for action in as_list(statement["Action"]) for key in keys
            )
    return {
        name: granted[resource["Properties"]["Role"]["Fn::GetAtt"][0]]
        for name, resource in of_type(template, FUNCTION)
    }


def made(request: AwsRequest) -> tuple[str, Right]:
    """Give who asked for what: the function's logical id, the IAM action and the object's key."""
    function = str(request.process).rpartition("-")[0]
    action = S3_PERMISSIONS.get(request.action, request.action) if request.service == "s3" else request.action
    key = request.path.strip("/").partition("/")[2] if request.service == "s3" else ""
    return function, (f"{request.service}:{action}", key)


def denied(requests: Iterable[AwsRequest], template: dict[str, Any]) -> list[str]:
    """Say which requests IAM would refuse."""
    granted = rights(template)
    asked = sorted({made(request) for request in requests})
    return [
        f"{function} may not {action} {key}"
        for function, (action, key) in asked
        if not any(
            allowed in ALTERNATIVES.get(action, {action}) and fnmatch.fnmatch(key, keys)
            for allowed, keys in granted[function]
        )
    ]


def _keys(resource: str) -> str:
    found = re.search(r":s3:::[^/]+/(.+)$", resource)
    return found[1] if found else "*"
