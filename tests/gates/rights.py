"""Least privilege: who may do what. Every statement of the translated template is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.gates.accepted import NAMELESS, OPEN_ENDED
from tests.gates.deployment import FUNCTION, MACHINE, as_list, branches, of_type, text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "AWS::IAM::Role"
IDENTITY_POLICIES = ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
RESOURCE_POLICIES = {
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
}
KEY_OWNER = "LetIamPoliciesDecide"
"""The one statement with a wildcard action: AWS's default for keys; without it a key can be lost for good."""

EXPECTED: dict[str, set[str]] = {
    "SubmitRole": {
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "secretsmanager:GetSecretValue",
        "states:DescribeExecution",
    },
    "StatusRole": {"dynamodb:UpdateItem", "secretsmanager:GetSecretValue"},
    "FetchRole": {
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "s3:AbortMultipartUpload",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
        "sns:Publish",
    },
    "AbandonRole": {
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "s3:AbortMultipartUpload",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "secretsmanager:GetSecretValue",
        "sns:Publish",
        "sqs:SendMessage",
        "states:DescribeExecution",
    },
    "ExportRole": {"lambda:InvokeFunction"},
    "PlanRole": {
        "dynamodb:Query",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
        "states:DescribeExecution",
    },
    "ReportRole": {
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
        "sns:Publish",
        "states:DescribeExecution",
    },
    "CoverageRole": {"dynamodb:Query"},
    "CollectRole": {
        "events:DescribeRule",
        "events:PutRule",
        "events:PutTargets",
        "lambda:InvokeFunction",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "states:DescribeExecution",
        "states:RedriveExecution",
        "states:StartExecution",
        "states:StopExecution",
    },
    "ScheduleRole": {"sqs:SendMessage", "states:StartExecution"},
    "TabulateRole": {
        "dynamodb:GetItem",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
        "sqs:SendMessage",
    },
    "UnpackRole": {
        "dynamodb:GetItem",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
        "sqs:SendMessage",
    },
}
"""What each role may do besides writing its logs and using keys: a new right is a decision, made here too."""
COMMON = {"logs:CreateLogStream", "logs:PutLogEvents"}


def findings(template: dict[str, Any]) -> Iterator[str]:
    """Say what a bank's reviewer would say of the rights in a translated template."""
    yield from _roles(template)
    yield from _granted(template)
    for where, statement in identity_statements(template):
        yield from _identity(where, statement)
    for name, resource in of_type(template, *RESOURCE_POLICIES):
        document = resource["Properties"][RESOURCE_POLICIES[resource["Type"]]]
        for statement in branches(document["Statement"]):
            yield from _resource_policy(name, statement)
    for name, resource in of_type(template, "AWS::Lambda::Permission"):
        if "SourceArn" not in resource["Properties"]:
            yield f"{name}: any rule or bucket of the principal may call; name the SourceArn"


def identity_statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the statements that roles carry: logical id and statement, both sides of conditions."""
    for name, resource in of_type(template, *IDENTITY_POLICIES):
        for statement in branches(resource["Properties"]["PolicyDocument"]["Statement"]):
            yield name, statement
    for name, resource in of_type(template, ROLE):
        for policy in branches(resource["Properties"].get("Policies", [])):
            for statement in branches(policy["PolicyDocument"]["Statement"]):
                yield name, statement


def _roles(template: dict[str, Any]) -> Iterator[str]:
    users: dict[str, str] = {}
    for name, resource in of_type(template, FUNCTION, MACHINE, "AWS::Scheduler::Schedule"):
        properties = resource["Properties"]
        role = text(properties.get("Role") or properties.get("RoleArn") or properties["Target"]["RoleArn"])
        if role in users:
            yield f"{name}: shares its role with {users[role]}"
        users[role] = name
        if role.removeprefix("${").removesuffix(".Arn}") not in EXPECTED:
            yield f"{name}: its role {role} is not among the expected ones"
    for name, resource in of_type(template, ROLE):
        yield from _role(name, resource["Properties"])


def _granted(template: dict[str, Any]) -> Iterator[str]:
    granted: dict[str, set[str]] = {name: set() for name, _ in of_type(template, ROLE)}
    for name, statement in identity_statements(template):
        if name in granted and statement["Effect"] == "Allow":
            granted[name] |= set(as_list(statement["Action"]))
    for name, actions in granted.items():
        own = {one for one in actions - COMMON if not one.startswith("kms:")}
        if own != EXPECTED.get(name, set()):
            yield f"{name}: rights differ from the expected ones: {sorted(own ^ EXPECTED.get(name, set()))}"


def _role(name: str, properties: dict[str, Any]) -> Iterator[str]:
    if "PermissionsBoundaryArn" not in text(properties.get("PermissionsBoundary")):
        yield f"{name}: takes no permissions boundary"
    for policy in branches(properties.get("ManagedPolicyArns", [])):
        if not text(policy).startswith("${"):
            yield f"{name}: {text(policy)} is not a policy of this template"
    for statement in properties["AssumeRolePolicyDocument"]["Statement"]:
        if set(statement["Principal"]) != {"Service"}:
            yield f"{name}: may be assumed by more than a service"


def _identity(name: str, statement: dict[str, Any]) -> Iterator[str]:
    where = f"{name}.{statement.get('Sid', '?')}"
    if "Sid" not in statement:
        yield f"{name}: a statement has no Sid"
    if not {"Action", "Resource", "Effect"} <= set(statement):
        yield f"{where}: has no Action, Resource or Effect"
        return
    if statement["Effect"] != "Allow":
        return
    actions = as_list(statement["Action"])
    for action in actions:
        if "*" in action or "?" in action:
            yield f"{where}: wildcard action {action}"
    for resource in map(text, branches(statement["Resource"])):
        if resource == "*":
            nameless = {one for one in actions if one not in NAMELESS}
            if nameless:
                yield f"{where}: {sorted(nameless)} on every resource, where AWS allows a name"
        elif "*" in resource and not any(re.search(pattern, resource) for pattern in OPEN_ENDED):
            yield f"{where}: wildcard resource {resource}"


def _resource_policy(name: str, statement: dict[str, Any]) -> Iterator[str]:
    where = f"{name}.{statement.get('Sid', '?')}"
    if "Sid" not in statement:
        yield f"{name}: a statement has no Sid"
    if statement["Effect"] != "Allow" or statement.get("Sid") == KEY_OWNER:
        return
    if statement["Principal"] == "*" or "*" in as_list(statement["Principal"].get("AWS", [])):
        yield f"{where}: lets everybody in"
    if any("*" in action for action in as_list(statement["Action"])):
        yield f"{where}: wildcard action"
    if "Condition" not in statement:
        yield f"{where}: lets a service in on anybody's behalf; bound it by account, source or context"
