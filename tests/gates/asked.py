"""Requests that AWS's services make for the stack, each with the context that AWS documents."""

from __future__ import annotations

from graphlib import CycleError
from typing import TYPE_CHECKING, Any

from tests.gates.deployment import FUNCTION, of_type
from tests.gates.iam import ACCOUNT, REGION, STACK, Account, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = {
    "Schedule": "ON",
    "CollectExports": '[{"source": "spark-events", "connection": "acme"}]',
    "Unpack": "ON",
    "Tables": "ON",
    "AlarmEmail": "a@b.example",
    "SubnetIds": "subnet-1",
    "SecurityGroupIds": "sg-1",
}
BUCKET_KEY, TOPIC_KEY, SECRET_KEY = (
    f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("bucket", "topic", "secret")
)
WITH_THEIRS = {
    **GIVEN,
    "ExistingBucketName": "their-bucket",
    "BucketKeyArn": BUCKET_KEY,
    "ExistingTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs",
    "TopicKeyArn": TOPIC_KEY,
    "SecretKeyArn": SECRET_KEY,
}
HERE = {"aws:SourceAccount": ACCOUNT}
ELSEWHERE = {"aws:SourceAccount": "999999999999"}
TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
CLEAR = {"aws:SecureTransport": "false", "s3:TlsVersion": "1.3"}
OLD_TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}
SCHEDULE = "kms:EncryptionContext:aws:scheduler:schedule:arn"
ENVIRONMENT = "kms:EncryptionContext:aws:lambda:FunctionArn"
LOG_GROUP = "kms:EncryptionContext:aws:logs:arn"
DEAD_LETTERS = {
    "RuleDeadLetters": "ExecutionEndedRule",
    "UnpackDeadLetters": "ManifestWrittenRule",
}
WRITERS = {
    "FetchRole": {"spark-log-csv/acme/2026-01-01.zip", "another-source/acme/2026-01-01.zip.manifest.json"},
    "PlanRole": {"_logferry/collections/one/plan.jsonl"},
    "ReportRole": {"_logferry/collections/one/plan.jsonl"},
    "CollectRole": {"_logferry/collections/one/plan.jsonl"},
    "UnpackRole": {"unpacked/spark-log-csv/acme/2026-01-01/one.csv.gz"},
    "TabulateRole": {"tables/calls/day=2026-01-01/one.parquet"},
}
"""Who writes where: each below a prefix of its own."""
PEOPLE_WRITE = "_logferry/input/collection.json"
Case = tuple[bool, Request]


def findings(template: dict[str, Any]) -> Iterator[str]:
    """Say which service's request IAM would answer otherwise than the stack needs."""
    try:
        account, theirs = Account(template, GIVEN), Account(template, WITH_THEIRS)
    except CycleError as error:
        yield f"resources refer to each other in a circle: {error.args[1]}"
        return
    cases = [*_keys(account), *_services(account), *_data(account), *_writes(account)]
    cases += _functions(template, account)
    answers = [(account.allows(request), wanted, request) for wanted, request in cases]
    answers += [(theirs.allows(request), wanted, request) for wanted, request in _their_keys(theirs)]
    for answer, wanted, request in answers:
        if answer is not wanted:
            verb = "may not" if wanted else "may, and should not,"
            yield f"{request.who} {verb} {request.action} on {request.resource} with {dict(request.context)}"
    for role, service in (
        ("ExportRole", "states.amazonaws.com"),
        ("CollectRole", "states.amazonaws.com"),
        ("ScheduleRole", "scheduler.amazonaws.com"),
    ):
        if not account.assumable(role, service, HERE):
            yield f"{role}: {service} may not assume it"
        if account.assumable(role, service, ELSEWHERE):
            yield f"{role}: {service} may assume it for another account"


def via(service: str) -> dict[str, str]:
    """Return the context of a request that a service passes on to KMS."""
    return {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}


def _keys(account: Account) -> Iterator[Case]:
    key, nightly = account.arn("Key"), account.arn("ScheduleRole")
    schedules = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/"
    # docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html: as the role itself
    yield True, Request(nightly, "kms:Decrypt", key, {SCHEDULE: f"{schedules}{STACK}-collect"})
    yield False, Request(nightly, "kms:Decrypt", key, {SCHEDULE: f"{schedules}other"})
    yield True, Request(nightly, "kms:GenerateDataKey", key, via("sqs"))
    yield True, Request(nightly, "kms:Decrypt", key, via("sqs"))
    for action in ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"):
        yield True, Request(account.arn("CollectRole"), action, key, via("s3"))
        yield False, Request(account.arn("CollectRole"), action, key, via("ec2"))
    for role, services in {
        "SubmitRole": ("dynamodb", "secretsmanager"),
        "FetchRole": ("dynamodb", "secretsmanager", "s3", "sns"),
        "AbandonRole": ("dynamodb", "secretsmanager", "s3", "sns", "sqs"),
        "PlanRole": ("dynamodb", "s3"),
        "ReportRole": ("dynamodb", "s3", "sns"),
        "CoverageRole": ("dynamodb",),
        "UnpackRole": ("dynamodb", "s3", "sqs"),
    }.items():
        for service in services:
            yield True, Request(account.arn(role), "kms:Decrypt", key, via(service))
            yield True, Request(account.arn(role), "kms:GenerateDataKey", key, via(service))
        yield False, Request(account.arn(role), "kms:Decrypt", key, via("ec2"))
        yield False, Request(account.arn(role), "kms:Decrypt", key)


def _their_keys(account: Account) -> Iterator[Case]:
    s3 = ("FetchRole", "AbandonRole", "PlanRole", "ReportRole", "CollectRole", "UnpackRole", "TabulateRole")
    users = {
        BUCKET_KEY: ("s3", s3),
        TOPIC_KEY: ("sns", ("FetchRole", "AbandonRole", "ReportRole")),
    }
    for key, (service, roles) in users.items():
        for role in roles:
            for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                yield True, Request(account.arn(role), action, key, via(service))
                yield False, Request(account.arn(role), action, key, via("ec2"))
                yield False, Request(account.arn(role), action, key)
    yield True, Request(account.arn("CollectRole"), "kms:Encrypt", BUCKET_KEY, via("s3"))
    yield False, Request(account.arn("SubmitRole"), "kms:Decrypt", BUCKET_KEY, via("s3"))
    yield False, Request(account.arn("PlanRole"), "kms:Decrypt", TOPIC_KEY, via("sns"))
    for role in ("SubmitRole", "StatusRole", "FetchRole", "AbandonRole"):
        yield True, Request(account.arn(role), "kms:Decrypt", SECRET_KEY, via("secretsmanager"))
        yield False, Request(account.arn(role), "kms:Decrypt", SECRET_KEY, via("ec2"))


def _services(account: Account) -> Iterator[Case]:
    key = account.arn("Key")
    logs = f"logs.{REGION}.amazonaws.com"
    for _, properties in account.resources.values():
        if "LogGroupName" in properties and "RetentionInDays" in properties:
            group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{properties['LogGroupName']}"
            for action in ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"):
                yield True, Request(logs, action, key, {LOG_GROUP: group})
    yield False, Request(logs, "kms:Decrypt", key, {LOG_GROUP: "arn:aws:logs:eu-west-1:1:log-group:theirs"})
    for service in ("cloudwatch", "events", "sns"):
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            yield True, Request(f"{service}.amazonaws.com", action, key, HERE)
            yield False, Request(f"{service}.amazonaws.com", action, key, ELSEWHERE)
    for queue, rule in DEAD_LETTERS.items():
        by_rule = {**TLS, "aws:SourceArn": account.arn(rule)}
        yield True, Request("events.amazonaws.com", "sqs:SendMessage", account.arn(queue), by_rule)
        clear = {**by_rule, **CLEAR}
        yield False, Request("events.amazonaws.com", "sqs:SendMessage", account.arn(queue), clear)
        other = {**TLS, "aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/other"}
        yield False, Request("events.amazonaws.com", "sqs:SendMessage", account.arn(queue), other)
    alarms = account.arn("AlarmTopic")
    yield True, Request("cloudwatch.amazonaws.com", "sns:Publish", alarms, {**TLS, **HERE})
    yield False, Request("cloudwatch.amazonaws.com", "sns:Publish", alarms, {**TLS, **ELSEWHERE})
    yield False, Request("cloudwatch.amazonaws.com", "sns:Publish", alarms, {**CLEAR, **HERE})


def _data(account: Account) -> Iterator[Case]:
    fetch, bucket = account.arn("FetchRole"), account.arn("Bucket")
    landed = f"{bucket}/spark/acme/2026-01-01.zip"
    yield True, Request(fetch, "s3:PutObject", landed, TLS)
    yield False, Request(fetch, "s3:PutObject", landed, CLEAR)
    yield False, Request(fetch, "s3:PutObject", landed, OLD_TLS)
    yield True, Request(fetch, "s3:ListBucket", bucket, TLS)
    yield False, Request(fetch, "s3:ListBucket", bucket, CLEAR)
    yield True, Request(fetch, "sns:Publish", account.arn("Topic"), TLS)
    yield False, Request(fetch, "sns:Publish", account.arn("Topic"), CLEAR)
    for role, queue in (
        ("AbandonRole", "AbandonDeadLetters"),
        ("ScheduleRole", "ScheduleDeadLetters"),
        ("UnpackRole", "UnpackDeadLetters"),
    ):
        yield True, Request(account.arn(role), "sqs:SendMessage", account.arn(queue), TLS)
        yield False, Request(account.arn(role), "sqs:SendMessage", account.arn(queue), CLEAR)


def _writes(account: Account) -> Iterator[Case]:
    bucket, person = account.arn("Bucket"), f"arn:aws:iam::{ACCOUNT}:role/people"
    everywhere = {key for keys in WRITERS.values() for key in keys}
    for key in (*sorted(everywhere), PEOPLE_WRITE):
        for role, own in WRITERS.items():
            yield key in own, Request(account.arn(role), "s3:PutObject", f"{bucket}/{key}", TLS)
        # Whatever others may do by their own policies, they do not write what could pass for Logferry's.
        for who in (person, account.arn("SubmitRole"), "logging.s3.amazonaws.com"):
            of_input = key == PEOPLE_WRITE
            yield of_input, Request(who, "s3:PutObject", f"{bucket}/{key}", TLS, anything=True)
        for action in ("s3:GetObject", "s3:DeleteObject"):
            yield True, Request(person, action, f"{bucket}/{key}", TLS, anything=True)
    for role in ("FetchRole", "AbandonRole"):
        for key in sorted(everywhere - WRITERS["FetchRole"]):
            yield False, Request(account.arn(role), "s3:DeleteObjectVersion", f"{bucket}/{key}", TLS)


def _functions(template: dict[str, Any], account: Account) -> Iterator[Case]:
    key = account.arn("Key")
    for name, resource in of_type(template, FUNCTION):
        if name not in account.resources:
            continue
        role = account.arn(resource["Properties"]["Role"]["Fn::GetAtt"][0])
        # docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        yield True, Request(role, "kms:Decrypt", key, {ENVIRONMENT: account.arn(name)})
        theirs = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:theirs"
        yield False, Request(role, "kms:Decrypt", key, {ENVIRONMENT: theirs})
        # docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html: Lambda itself may, the code may not
        yield True, Request(role, "ec2:CreateNetworkInterface", "*")
        code = {"lambda:SourceFunctionArn": account.arn(name)}
        yield False, Request(role, "ec2:CreateNetworkInterface", "*", code)
