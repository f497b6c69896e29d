"""The template under the parameters that people choose: nothing refers to what is then not made."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from tests.gates.deployment import deployment
from tests.gates.iam import Account
from tests.sandbox.template import Created, Resolver, TemplateError, parameters_of

KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:theirs"
BUCKET = "their-bucket"
PSEUDO = {
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "logferry",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/logferry/1",
}
EVERYTHING = {
    "ExistingBucketName": BUCKET,
    "ExistingTableName": "their-ledger",
    "ExistingTopicArn": TOPIC,
    "ExistingKeyArn": KEY,
    "SecretKeyArn": KEY,
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "AlarmTopicArn": TOPIC,
    "Schedule": "ON",
    "CollectExports": '[{"source": "spark-events", "connection": "acme"}]',
    "FetchReservedConcurrency": "5",
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupIds": "sg-1",
    "HttpsProxy": "http://proxy.example:3128",
    "NoProxy": ".amazonaws.com",
    "CaBundleLayerArn": "arn:aws:lambda:eu-west-1:123456789012:layer:ca:1",
    "CaBundlePath": "/opt/ca.pem",
    "LogLevel": "ERROR",
}
CHOICES: dict[str, dict[str, str]] = {
    "nothing": {},
    "everything": EVERYTHING,
    "their bucket": {"ExistingBucketName": BUCKET},
    "a bucket of another account": {"ExistingBucketName": BUCKET, "BucketOwnerAccountId": "999999999999"},
    "their topic": {"ExistingTopicArn": TOPIC},
    "their key": {"ExistingKeyArn": KEY},
    "keys of what is theirs": {
        "ExistingBucketName": BUCKET,
        "BucketKeyArn": KEY,
        "ExistingTopicArn": TOPIC,
        "TopicKeyArn": KEY,
    },
    "alarms to their topic": {"AlarmTopicArn": TOPIC},
    "no alarms, no dashboard": {"Alarms": "OFF", "Dashboard": "OFF"},
    "no alarms, but a topic for them": {"Alarms": "OFF", "AlarmTopicArn": TOPIC, "AlarmEmail": "a@b.example"},
    "a schedule without alarms": {"Schedule": "ON", "Alarms": "OFF", "CollectExports": '[{"source": "x"}]'},
    "mails": {"AlarmEmail": "a@b.example", "NotificationEmail": "c@d.example"},
    "locked and kept": {"ObjectLockMode": "COMPLIANCE", "TransitionDays": "30", "ExpirationDays": "3650"},
    "access logs": {"AccessLogBucketName": "their-logs", "NoncurrentDays": "90"},
    "unpacking": {"Unpack": "ON"},
    "tables": {"Tables": "ON"},
}


def made(choice: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Give the resources that are made, resolved, as far as that can be told without AWS."""
    template = deployment().translated()
    resolver = Resolver(template, parameters_of(template, choice), PSEUDO)
    found = {}
    for name in resolver.order():
        resource = template["Resources"][name]
        found[name] = resolver.resolve(resource.get("Properties", {}))
        attributes: dict[str, Any] = defaultdict(f"{name}-attribute".format)
        resolver.created[name] = Created(resource["Type"], name, attributes)
    for output in template["Outputs"].values():
        if "Condition" not in output or resolver.condition(output["Condition"]):
            resolver.resolve(output["Value"])
    return found


@pytest.mark.parametrize("choice", CHOICES)
def test_whatever_is_chosen_refers_to_what_is_made(choice: str) -> None:
    resources = made(CHOICES[choice])

    assert {"ExportStateMachine", "FetchFunction", "FetchRole"} <= set(resources)
    # No value came out empty: an empty ARN, bucket or variable would only show when it is used.
    assert '""' not in json.dumps(resources["FetchFunction"])
    assert '""' not in json.dumps(resources["FetchRole"])


def test_what_exists_is_used_and_not_made() -> None:
    resources = made(EVERYTHING)

    own = {"Bucket", "BucketPolicy", "Topic", "TopicPolicy", "Key", "AlarmTopic", "Table"}
    assert not own & set(resources)
    told = resources["FetchFunction"]["Environment"]["Variables"]
    assert (told["BUCKET"], told["BUCKET_OWNER"], told["TOPIC_ARN"]) == (BUCKET, "123456789012", TOPIC)
    assert f"arn:aws:s3:::{BUCKET}/*" in json.dumps(resources["FetchRole"])
    assert resources["ExportsFailedAlarm"]["AlarmActions"] == [TOPIC]
    assert told["TABLE"] == "their-ledger"
    assert ":table/their-ledger" in json.dumps(resources["FetchRole"])
    assert resources["AbandonDeadLetters"]["KmsMasterKeyId"] == KEY


def test_every_call_insists_on_the_owner_of_a_bucket_of_another_account() -> None:
    told = made(CHOICES["a bucket of another account"])["FetchFunction"]["Environment"]["Variables"]

    assert told["BUCKET_OWNER"] == "999999999999"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"Schedule": "ON"}, "Schedule=ON needs CollectExports"),
        (
            {"ExistingBucketName": BUCKET, "ObjectLockMode": "COMPLIANCE"},
            "Object Lock on your existing bucket",
        ),
        ({"BucketOwnerAccountId": "999999999999"}, "needs ExistingBucketName"),
        ({"AlarmEmail": "a@b.example", "AlarmTopicArn": TOPIC}, "subscribe addresses to AlarmTopicArn"),
        ({"TransitionDays": "30", "ExpirationDays": "14"}, "expire after 365 days or later"),
    ],
)
def test_what_can_never_work_is_refused_with_a_sentence(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence):
        parameters_of(deployment().translated(), given)


@pytest.mark.parametrize("choice", [{}, {"Unpack": "ON", "Tables": "ON"}, {"Tables": "ON"}])
def test_the_statement_for_an_existing_bucket_is_the_one_of_the_stack_s_own(choice: dict[str, str]) -> None:
    template = deployment().translated()
    account = Account(template, choice)
    [own] = [
        one
        for one in account.resources["BucketPolicy"][1]["PolicyDocument"]["Statement"]
        if one["Sid"] == "OnlyLogferryWrites"
    ]

    assert json.loads(account.output("BucketPolicyStatement")) == own
    theirs = Account(template, {"ExistingBucketName": BUCKET})
    assert f"arn:aws:s3:::{BUCKET}/_logferry/input/*" in theirs.output("BucketPolicyStatement")


@pytest.mark.parametrize(
    ("choice", "words"),
    [("nothing", "Nobody yet"), ("mails", "a@b.example"), ("no alarms, no dashboard", "Alarms are off")],
)
def test_outputs_say_who_hears_of_alarms(choice: str, words: str) -> None:
    template = deployment().translated()
    resolver = Resolver(template, parameters_of(template, CHOICES[choice]), PSEUDO)

    assert words in resolver.resolve(template["Outputs"]["AlarmsHeardBy"]["Value"])


def test_network_proxy_and_ca_bundle_reach_every_function_or_none() -> None:
    chosen, plain = made(EVERYTHING), made({})

    for name in ("SubmitFunction", "FetchFunction", "PlanFunction"):
        told = chosen[name]["Environment"]["Variables"]
        assert told["HTTPS_PROXY"] == "http://proxy.example:3128"
        assert told["REQUESTS_CA_BUNDLE"] == "/opt/ca.pem"
        assert chosen[name]["VpcConfig"]["SubnetIds"] == ["subnet-1", "subnet-2"]
        assert len(chosen[name]["Layers"]) == 2
        assert not {"HTTPS_PROXY", "REQUESTS_CA_BUNDLE"} & set(plain[name]["Environment"]["Variables"])
        assert "VpcConfig" not in plain[name]
    assert "ec2:CreateNetworkInterface" in json.dumps(chosen["RuntimePolicy"])
    assert "ec2:" not in json.dumps(plain["RuntimePolicy"])


def test_a_schedule_says_until_when_in_the_words_that_scheduler_replaces() -> None:
    schedule = made(EVERYTHING)["CollectSchedule"]

    collection = json.loads(schedule["Target"]["Input"])
    assert collection["until"] == "<aws.scheduler.scheduled-time>"
    assert collection["exports"] == [{"source": "spark-events", "connection": "acme"}]
    assert "CollectSchedule" not in made({})


def test_locked_buckets_lock() -> None:
    bucket = made(CHOICES["locked and kept"])["Bucket"]

    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"] == "COMPLIANCE"
    assert [rule["Id"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [
        "AbortUploads",
        "Transition",
        "Expire",
        "ExpireMarkers",
    ]
    expire = bucket["LifecycleConfiguration"]["Rules"][2]
    assert expire["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert "ObjectLockEnabled" not in made({})["Bucket"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SecretPrefix", ""),
        ("SecretPrefix", "*"),
        ("SubmitUncertain", "maybe"),
        ("LogLevel", "TRACE"),
        ("JobDeadlineSeconds", "5"),
        ("ExistingKeyArn", "alias/mine"),
        ("ExistingBucketName", "Upper"),
        ("ExistingTableName", "no"),
        ("HttpsProxy", "http://user:password@proxy.example:3128"),
        ("CollectExports", '{"source": "spark-events"}'),
    ],
)
def test_parameters_that_would_fail_later_are_refused_at_once(name: str, value: str) -> None:
    with pytest.raises(TemplateError):
        parameters_of(deployment().translated(), {name: value})
