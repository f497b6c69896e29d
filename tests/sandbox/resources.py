"""How each type of storage, messaging and monitoring resource is made in the embedded AWS.

One function a type: properties as CloudFormation spells them in, what `Ref` and `Fn::GetAtt` give out
(docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-template-resource-type-ref.html).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.sandbox.cloud import ACCOUNT, REGION
from tests.sandbox.template import Created

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.site import Site

    Properties = dict[str, Any]
    Creator = Callable[[Site, str, Properties], Created]

NOT_EMULATED = {
    "AWS::S3::BucketPolicy": "policies are not evaluated",
    "AWS::SNS::TopicPolicy": "policies are not evaluated",
    "AWS::SQS::QueuePolicy": "policies are not evaluated",
    "AWS::Lambda::Permission": "policies are not evaluated",
    "AWS::EC2::VPCEndpoint": "there is no network to speak of",
    "AWS::Athena::NamedQuery": "there is no Athena",
    "AWS::Athena::WorkGroup": "there is no Athena",
    "AWS::Glue::Database": "there is no Athena to read it",
    "AWS::Glue::Table": "there is no Athena to read it",
    "AWS::CloudWatch::Dashboard": "nobody looks at it",
    "AWS::CloudWatch::CompositeAlarm": "no metrics arrive, so no alarm fires",
    "AWS::Logs::SubscriptionFilter": "function logs stay in the sandbox",
    "AWS::Logs::MetricFilter": "function logs stay in the sandbox",
    "AWS::CloudTrail::Trail": "there is no audit trail",
    "AWS::Budgets::Budget": "nothing costs anything",
}
"""Types that are left out, with the reason; `Sandbox.not_emulated` shows those that the template has."""

PROPERTIES_NOT_EMULATED = {
    ("AWS::S3::Bucket", "LifecycleConfiguration"): "nothing expires",
    ("AWS::S3::Bucket", "BucketEncryption"): "objects are kept as they come",
    ("AWS::S3::Bucket", "LoggingConfiguration"): "there are no access logs",
    ("AWS::S3::Bucket", "ReplicationConfiguration"): "nothing is replicated",
    ("AWS::S3::Bucket", "ObjectLockConfiguration"): "nothing is locked",
    ("AWS::DynamoDB::Table", "TimeToLiveSpecification"): "nothing expires",
    ("AWS::CloudWatch::Alarm", "MetricName"): "no metrics arrive, so no alarm fires",
}
"""Properties that have no effect here, with the reason; shown in the same way."""


def arn(service: str, resource: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """Spell an ARN of the sandbox's account."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def bucket(site: Site, name: str, properties: Properties) -> Created:
    """AWS::S3::Bucket."""
    s3 = site.client("s3")
    bucket_name = properties.get("BucketName") or site.physical_name(name).lower()
    s3.create_bucket(Bucket=bucket_name, CreateBucketConfiguration={"LocationConstraint": REGION})
    versioning = properties.get("VersioningConfiguration")
    if versioning:
        s3.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration=versioning)
    notification = properties.get("NotificationConfiguration", {})
    unknown = set(notification) - {"EventBridgeConfiguration"}
    if unknown:
        raise NotImplementedError(f"{name}: the sandbox has no {sorted(unknown)}")
    events = notification.get("EventBridgeConfiguration")
    if events is not None and str(events.get("EventBridgeEnabled", True)).lower() == "true":
        site.event_buckets.add(bucket_name)
    host = f"{bucket_name}.s3.{REGION}.amazonaws.com"
    where = {
        "Arn": arn("s3", bucket_name, region="", account=""),
        "DomainName": host,
        "RegionalDomainName": host,
    }
    return Created("AWS::S3::Bucket", bucket_name, where)


def table(site: Site, name: str, properties: Properties) -> Created:
    """AWS::DynamoDB::Table."""
    known = (
        "AttributeDefinitions",
        "KeySchema",
        "BillingMode",
        "GlobalSecondaryIndexes",
        "ProvisionedThroughput",
    )
    table_name = properties.get("TableName") or site.physical_name(name)
    arguments = {key: properties[key] for key in known if key in properties}
    made = site.client("dynamodb").create_table(TableName=table_name, **arguments)["TableDescription"]
    return Created("AWS::DynamoDB::Table", table_name, {"Arn": made["TableArn"]})


def topic(site: Site, name: str, properties: Properties) -> Created:
    """AWS::SNS::Topic, with subscriptions written into it."""
    topic_name = properties.get("TopicName") or site.physical_name(name)
    made = site.client("sns").create_topic(Name=topic_name)["TopicArn"]
    for one in properties.get("Subscription", []):
        subscription(site, name, {**one, "TopicArn": made})
    return Created("AWS::SNS::Topic", made, {"TopicName": topic_name, "TopicArn": made})


def subscription(site: Site, _: str, properties: Properties) -> Created:
    """AWS::SNS::Subscription; nobody is asked to confirm."""
    attributes = {
        key: json.dumps(value) if isinstance(value, dict) else str(value)
        for key, value in properties.items()
        if key in {"FilterPolicy", "RawMessageDelivery", "FilterPolicyScope", "RedrivePolicy"}
    }
    made = site.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties.get("Endpoint", ""),
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Created("AWS::SNS::Subscription", made, {"Arn": made})


def queue(site: Site, name: str, properties: Properties) -> Created:
    """AWS::SQS::Queue."""
    queue_name = properties.get("QueueName") or site.physical_name(name)
    plain = ("DelaySeconds", "MessageRetentionPeriod", "VisibilityTimeout", "ReceiveMessageWaitTimeSeconds")
    attributes = {key: str(properties[key]) for key in plain if key in properties}
    if "RedrivePolicy" in properties:
        attributes["RedrivePolicy"] = json.dumps(properties["RedrivePolicy"])
    url = site.client("sqs").create_queue(QueueName=queue_name, Attributes=attributes)["QueueUrl"]
    made = {"Arn": arn("sqs", queue_name), "QueueName": queue_name, "QueueUrl": url}
    return Created("AWS::SQS::Queue", url, made)


def key(site: Site, _: str, properties: Properties) -> Created:
    """AWS::KMS::Key; its policy is kept and not evaluated."""
    made = site.client("kms").create_key(Description=properties.get("Description", ""))["KeyMetadata"]
    return Created("AWS::KMS::Key", made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


def key_alias(site: Site, _: str, properties: Properties) -> Created:
    """AWS::KMS::Alias."""
    site.client("kms").create_alias(AliasName=properties["AliasName"], TargetKeyId=properties["TargetKeyId"])
    return Created("AWS::KMS::Alias", properties["AliasName"])


def secret(site: Site, name: str, properties: Properties) -> Created:
    """AWS::SecretsManager::Secret; a generated one is a fixed text here."""
    secret_name = properties.get("Name") or site.physical_name(name)
    text = properties.get("SecretString", "generated-by-the-sandbox")
    made = site.client("secretsmanager").create_secret(Name=secret_name, SecretString=text)["ARN"]
    return Created("AWS::SecretsManager::Secret", made, {"Id": made})


def parameter(site: Site, name: str, properties: Properties) -> Created:
    """AWS::SSM::Parameter."""
    own = properties.get("Name") or site.physical_name(name)
    site.client("ssm").put_parameter(
        Name=own, Value=properties["Value"], Type=properties.get("Type", "String")
    )
    return Created("AWS::SSM::Parameter", own, {"Value": properties["Value"], "Type": properties.get("Type")})


def role(site: Site, name: str, properties: Properties) -> Created:
    """AWS::IAM::Role; moto refuses a malformed policy, and evaluates none."""
    iam, role_name = site.client("iam"), properties.get("RoleName") or site.physical_name(name)
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    made = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=trust)["Role"]
    for one in properties.get("Policies", []):
        document = policy_text(one["PolicyDocument"])
        iam.put_role_policy(RoleName=role_name, PolicyName=one["PolicyName"], PolicyDocument=document)
    return Created("AWS::IAM::Role", role_name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def policy_text(document: Properties) -> str:
    """Spell a policy; moto insists on the version that AWS takes to be 2008-10-17 where it is missing."""
    return json.dumps({"Version": "2012-10-17", **document}, default=str)


def policy(site: Site, name: str, properties: Properties) -> Created:
    """AWS::IAM::Policy and AWS::IAM::ManagedPolicy."""
    document = policy_text(properties["PolicyDocument"])
    policy_name = (
        properties.get("PolicyName") or properties.get("ManagedPolicyName") or site.physical_name(name)
    )
    for role_name in properties.get("Roles", []):
        site.client("iam").put_role_policy(
            RoleName=role_name, PolicyName=policy_name, PolicyDocument=document
        )
    made = arn("iam", f"policy/{policy_name}", region="")
    return Created("AWS::IAM::ManagedPolicy", made, {"PolicyArn": made, "Id": policy_name})


def log_group(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Logs::LogGroup; the functions' logs go to files, not here."""
    group = properties.get("LogGroupName") or f"/{site.physical_name(name)}"
    site.client("logs").create_log_group(logGroupName=group)
    return Created("AWS::Logs::LogGroup", group, {"Arn": arn("logs", f"log-group:{group}:*")})


def alarm(site: Site, name: str, properties: Properties) -> Created:
    """AWS::CloudWatch::Alarm; CloudFormation's properties are the API's parameters."""
    alarm_name = properties.get("AlarmName") or site.physical_name(name)
    arguments = {key: value for key, value in properties.items() if key not in {"AlarmName", "Tags"}}
    site.client("cloudwatch").put_metric_alarm(AlarmName=alarm_name, **typed(arguments))
    return Created("AWS::CloudWatch::Alarm", alarm_name, {"Arn": arn("cloudwatch", f"alarm:{alarm_name}")})


def typed(arguments: Properties) -> Properties:
    """Turn the numbers that a template's parameters made texts of back into numbers."""
    whole = {"Period", "EvaluationPeriods", "DatapointsToAlarm"}
    given = {name: int(value) if name in whole else value for name, value in arguments.items()}
    return given | ({"Threshold": float(given["Threshold"])} if "Threshold" in given else {})


CREATORS: dict[str, Creator] = {
    "AWS::S3::Bucket": bucket,
    "AWS::DynamoDB::Table": table,
    "AWS::SNS::Topic": topic,
    "AWS::SNS::Subscription": subscription,
    "AWS::SQS::Queue": queue,
    "AWS::KMS::Key": key,
    "AWS::KMS::Alias": key_alias,
    "AWS::SecretsManager::Secret": secret,
    "AWS::SSM::Parameter": parameter,
    "AWS::IAM::Role": role,
    "AWS::IAM::Policy": policy,
    "AWS::IAM::ManagedPolicy": policy,
    "AWS::Logs::LogGroup": log_group,
    "AWS::CloudWatch::Alarm": alarm,
}
