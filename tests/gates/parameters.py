"""Parameters: what `sam deploy --guided` asks can be answered, and what can never work is refused at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sandbox.template import TemplateError, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET, OWNER = {"ExistingBucketName": "their-bucket"}, {"BucketOwnerAccountId": "999999999999"}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:theirs"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:ca:1"
EXPORTS = {"CollectExports": '[{"source": "spark-events", "connection": "acme"}]'}
NEVER_WORK: tuple[dict[str, str], ...] = (
    {"Schedule": "ON"},
    {"CollectExports": "[ ]"},
    {**BUCKET, "AccessLogBucketName": "their-logs"},
    {**BUCKET, "TransitionDays": "30"},
    {**BUCKET, "ExpirationDays": "365"},
    {**BUCKET, "NoncurrentDays": "30"},
    {**BUCKET, "ObjectLockMode": "GOVERNANCE"},
    OWNER,
    {"BucketKeyArn": KEY},
    {"TopicKeyArn": KEY},
    {**BUCKET, **OWNER, **EXPORTS},
    {**BUCKET, **OWNER, **EXPORTS, "Schedule": "ON"},
    {**BUCKET, **OWNER, "Unpack": "ON"},
    {**BUCKET, **OWNER, "Tables": "ON"},
    {"TransitionDays": "7", "TransitionStorageClass": "STANDARD_IA"},
    {"TransitionDays": "30", "ExpirationDays": "30"},
    {"TransitionDays": "90", "ExpirationDays": "180"},
    {"TransitionDays": "365", "ExpirationDays": "365"},
    {"NotificationEmail": "a@b.example", "ExistingTopicArn": TOPIC},
    {"AlarmEmail": "a@b.example", "AlarmTopicArn": TOPIC},
    {"CaBundlePath": "/opt/ca.pem"},
    {"CaBundleLayerArn": LAYER},
)
WORK: tuple[dict[str, str], ...] = (
    {},
    {**EXPORTS, "Schedule": "ON"},
    EXPORTS,
    {**BUCKET, **OWNER},
    {**BUCKET, "BucketKeyArn": KEY, "ExistingTopicArn": TOPIC, "TopicKeyArn": KEY},
    {**BUCKET, **EXPORTS, "Schedule": "ON", "Unpack": "ON", "Tables": "ON"},
    {"TransitionDays": "30", "TransitionStorageClass": "STANDARD_IA", "ExpirationDays": "365"},
    {"TransitionDays": "365", "ExpirationDays": "0"},
    {"ExpirationDays": "30", "NoncurrentDays": "7", "ObjectLockMode": "COMPLIANCE"},
    {"Alarms": "OFF", "AlarmEmail": "a@b.example", "AlarmTopicArn": TOPIC},
    {"AlarmEmail": "a@b.example", "NotificationEmail": "a@b.example"},
    {"CaBundlePath": "/opt/ca.pem", "CaBundleLayerArn": LAYER},
)


def findings(template: dict[str, Any]) -> Iterator[str]:
    """Say what a platform team would stumble over when it deploys a translated template."""
    for name, rules in template["Parameters"].items():
        if rules.get("NoEcho") and rules.get("Default", "") == "":
            yield f"{name}: SAM asks for a hidden parameter again and again until something is typed"
        if "Default" not in rules:
            yield f"{name}: has no default, so that Enter alone is no answer"
    for given in NEVER_WORK:
        if not refusal(template, given):
            yield f"{given} can never work, and is not refused"
    for given in WORK:
        said = refusal(template, given)
        if said:
            yield f"{given} works, and is refused: {said}"


def refusal(template: dict[str, Any], given: dict[str, str]) -> str | None:
    """Return why CloudFormation would refuse these parameters, None where it would not."""
    try:
        parameters_of(template, given)
    except TemplateError as error:
        return str(error)
    return None
