"""Data protection: what is kept is encrypted with the customer's key, reached over TLS, never lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.gates.deployment import FUNCTION, as_list, branches, of_type, text

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = (
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
)
RETAIN = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
"""A first deploy that fails leaves nothing behind."""
KEY_PROPERTY = {
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    FUNCTION: "KmsKeyArn",
}
BUCKET = {
    "PublicAccessBlockConfiguration": dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    ),
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "VersioningConfiguration": {"Status": "Enabled"},
    "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
}
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
}
TLS_POLICY = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket", "s3:*"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics", "sns:Publish"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues", "sqs:*"),
}


def findings(template: dict[str, Any]) -> Iterator[str]:
    """Say what a bank's reviewer would say of the data in a translated template."""
    for name, resource in of_type(template, *KEPT):
        yield from (
            f"{name}: {one} is not {wanted}" for one, wanted in RETAIN.items() if resource.get(one) != wanted
        )
    for name, resource in of_type(template, *KEY_PROPERTY):
        if not _customer_key(resource["Properties"].get(KEY_PROPERTY[resource["Type"]])):
            yield f"{name}: not encrypted with the customer's key"
    for name, resource in of_type(template, *TLS_POLICY):
        if not _tls_only(template, name, *TLS_POLICY[resource["Type"]]):
            yield f"{name}: no policy refuses requests without TLS"
    for name, resource in of_type(template, "AWS::S3::Bucket"):
        yield from _bucket(name, resource["Properties"])
    for name, resource in of_type(template, "AWS::DynamoDB::Table"):
        yield from _table(name, resource["Properties"])
    for name, resource in of_type(template, "AWS::KMS::Key"):
        yield from _key(name, resource["Properties"])


def _customer_key(value: Any) -> bool:
    return sorted(map(text, branches(value))) == ["${ExistingKeyArn}", "${Key.Arn}"]


def _tls_only(template: dict[str, Any], name: str, kind: str, attached: str, action: str) -> bool:
    for _, resource in of_type(template, kind):
        if {"Ref": name} not in as_list(resource["Properties"][attached]):
            continue
        for statement in branches(resource["Properties"]["PolicyDocument"]["Statement"]):
            if (
                statement["Effect"] == "Deny"
                and statement["Principal"] == "*"
                and statement["Action"] == action
                and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            ):
                return True
    return False


def _bucket(name: str, properties: dict[str, Any]) -> Iterator[str]:
    for key, value in BUCKET.items():
        if properties.get(key) != value:
            yield f"{name}: {key} is not {value}"
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    default = rules[0]["ServerSideEncryptionByDefault"] if rules else {}
    if default.get("SSEAlgorithm") != "aws:kms" or not _customer_key(default.get("KMSMasterKeyID")):
        yield f"{name}: not encrypted with the customer's key"
    elif rules[0].get("BucketKeyEnabled") is not True:
        yield f"{name}: no bucket key, so that every object costs a KMS call"
    lifecycle = branches(properties.get("LifecycleConfiguration", {}).get("Rules", []))
    unfinished = [rule.get("AbortIncompleteMultipartUpload") for rule in lifecycle]
    if {"DaysAfterInitiation": 1} not in unfinished:
        yield f"{name}: unfinished uploads are not aborted after a day"
    expiring = [rule for rule in lifecycle if "ExpirationInDays" in rule]
    if not expiring or any("NoncurrentVersionExpiration" not in rule for rule in expiring):
        yield f"{name}: expiration hides objects, but deletes no version"
    markers = [rule for rule in lifecycle if rule.get("ExpiredObjectDeleteMarker") is True]
    if not markers or any("ExpirationInDays" in rule for rule in markers):
        yield f"{name}: no rule of its own takes away delete markers that hide nothing"
    for option in ("LoggingConfiguration", "ObjectLockConfiguration"):
        if not branches(properties.get(option)):
            yield f"{name}: {option} cannot be had"


def _table(name: str, properties: dict[str, Any]) -> Iterator[str]:
    encryption = properties.get("SSESpecification", {})
    if encryption.get("SSEEnabled") is not True or not _customer_key(encryption.get("KMSMasterKeyId")):
        yield f"{name}: not encrypted with the customer's key"
    for key, value in TABLE.items():
        if properties.get(key) != value:
            yield f"{name}: {key} is not {value}"
    if properties.get("DeletionProtectionEnabled"):
        yield f"{name}: a first deploy that fails could not take it back"


def _key(name: str, properties: dict[str, Any]) -> Iterator[str]:
    if properties.get("EnableKeyRotation") is not True:
        yield f"{name}: never rotated"
    served: set[str] = set()
    for statement in properties["KeyPolicy"]["Statement"]:
        if {"kms:Decrypt", "kms:GenerateDataKey"} <= set(as_list(statement["Action"])):
            served |= set(map(text, as_list(statement["Principal"].get("Service", []))))
    needed = {"cloudwatch.amazonaws.com", "events.amazonaws.com", "sns.amazonaws.com"}
    for service in sorted(needed - served):
        yield f"{name}: {service} may not use it, so what it sends to an encrypted topic or queue is lost"
    if not any(service.startswith("logs.") for service in served):
        yield f"{name}: the log groups may not use it"
