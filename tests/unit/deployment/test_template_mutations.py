"""Whoever weakens the deployment is told: each mutation below must turn the gates red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.gates.deployment import branches, deployment
from tests.gates.findings import findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gates.deployment import Deployment

    Mutation = Callable[[Deployment], None]


def properties(one: Deployment, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = one.source["Resources"][resource]["Properties"]
    return found


def dropped(resource: str, *path: str) -> Mutation:
    def mutate(one: Deployment) -> None:
        inside = one.source["Resources"][resource]
        for key in path[:-1]:
            inside = inside[key]
        del inside[path[-1]]

    return mutate


def changed(resource: str, *path: str, to: Any) -> Mutation:
    def mutate(one: Deployment) -> None:
        inside = one.source["Resources"][resource]
        for key in path[:-1]:
            inside = inside[key]
        assert inside.get(path[-1]) != to
        inside[path[-1]] = to

    return mutate


def removed(resource: str) -> Mutation:
    def mutate(one: Deployment) -> None:
        del one.source["Resources"][resource]

    return mutate


def _policy(one: Deployment, resource: str) -> dict[str, Any]:
    own = properties(one, resource)
    if "Policies" in own:
        own = own["Policies"][0]
    document: dict[str, Any] = own.get("PolicyDocument") or own["KeyPolicy"]
    return document


def without_statement(resource: str, sid: str) -> Mutation:
    def mutate(one: Deployment) -> None:
        document = _policy(one, resource)
        kept = [part for part in document["Statement"] if part.get("Sid") != sid]
        assert len(kept) < len(document["Statement"])
        document["Statement"] = kept

    return mutate


def statement(resource: str, sid: str, **changes: Any) -> Mutation:
    def mutate(one: Deployment) -> None:
        [found] = [part for part in branches(_policy(one, resource)["Statement"]) if part.get("Sid") == sid]
        found.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del found[key]

    return mutate


def granted(resource: str, action: str) -> Mutation:
    def mutate(one: Deployment) -> None:
        _policy(one, resource)["Statement"].append(
            {"Sid": "More", "Effect": "Allow", "Action": action, "Resource": {"Fn::GetAtt": ["Table", "Arn"]}}
        )

    return mutate


def variable(name: str, value: Any) -> Mutation:
    def mutate(one: Deployment) -> None:
        one.source["Globals"]["Function"]["Environment"]["Variables"][name] = value

    return mutate


def state(label: str, *path: Any, to: Any = None) -> Mutation:
    def mutate(one: Deployment) -> None:
        inside = one.machines["ExportStateMachine"]["States"][label]
        for key in path[:-1]:
            inside = inside[key]
        if to is None:
            del inside[path[-1]]
        else:
            assert inside[path[-1]] != to
            inside[path[-1]] = to

    return mutate


def tracing_off(one: Deployment) -> None:
    del one.source["Globals"]["Function"]["Tracing"]


def key_of_functions_dropped(one: Deployment) -> None:
    del one.source["Globals"]["Function"]["KmsKeyArn"]


def stray_state(one: Deployment) -> None:
    one.machines["ExportStateMachine"]["States"]["Nowhere"] = {"Type": "Fail", "Error": "X", "Cause": "x"}


def unknown_error(one: Deployment) -> None:
    task = one.machines["ExportStateMachine"]["States"]["Submit Export"]
    task["Retry"][0]["ErrorEquals"].append("SourceUnavailableErorr")


def every_lambda_error(one: Deployment) -> None:
    task = one.machines["ExportStateMachine"]["States"]["Submit Export"]
    task["Retry"][0]["ErrorEquals"].append("Lambda.*")


def abandon_ends_well(one: Deployment) -> None:
    task = one.machines["ExportStateMachine"]["States"]["Abandon Export"]
    del task["Next"]
    task["End"] = True


def lost_start(one: Deployment) -> None:
    one.machines["ExportStateMachine"]["StartAt"] = "Begin"


def public_principal(one: Deployment) -> None:
    _policy(one, "BucketPolicy")["Statement"].append(
        {
            "Sid": "Everybody",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
        }
    )


def shared_role(one: Deployment) -> None:
    properties(one, "StatusFunction")["Role"] = {"Fn::GetAtt": ["SubmitRole", "Arn"]}


def foreign_policy(one: Deployment) -> None:
    properties(one, "FetchRole")["ManagedPolicyArns"].append("arn:aws:iam::aws:policy/AmazonS3FullAccess")


def assumed_by_all(one: Deployment) -> None:
    trust = properties(one, "FetchRole")["AssumeRolePolicyDocument"]["Statement"][0]
    trust["Principal"] = {"AWS": "*"}


def open_trust(one: Deployment) -> None:
    del properties(one, "ScheduleRole")["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]


def aborted_unheard(one: Deployment) -> None:
    properties(one, "ExecutionEndedRule")["EventPattern"]["detail"]["status"].remove("ABORTED")


def undeliverable_lost(one: Deployment) -> None:
    del properties(one, "ExecutionEndedRule")["Targets"][0]["DeadLetterConfig"]


def undeliverable_once(one: Deployment) -> None:
    del properties(one, "ExecutionEndedRule")["Targets"][0]["RetryPolicy"]


def forgotten_function(one: Deployment) -> None:
    metrics = properties(one, "FunctionErrorsAlarm")["Metrics"]
    metrics[:] = [metric for metric in metrics if metric["Id"] != "fetch"]


def unfinished_uploads_kept(one: Deployment) -> None:
    properties(one, "Bucket")["LifecycleConfiguration"]["Rules"].pop(0)


def versions_kept(one: Deployment) -> None:
    rules = branches(properties(one, "Bucket")["LifecycleConfiguration"]["Rules"])
    [found] = [rule for rule in rules if rule["Id"] == "Expire"]
    del found["NoncurrentVersionExpiration"]


def markers_kept(one: Deployment) -> None:
    rules = branches(properties(one, "Bucket")["LifecycleConfiguration"]["Rules"])
    [found] = [rule for rule in rules if rule["Id"] == "ExpireMarkers"]
    del found["ExpiredObjectDeleteMarker"]


def hidden_and_empty(one: Deployment) -> None:
    one.source["Parameters"]["HttpsProxy"]["NoEcho"] = True


def unattached(role: str, policy: str) -> Mutation:
    def mutate(one: Deployment) -> None:
        attached = properties(one, role)["ManagedPolicyArns"]
        kept = [part for part in attached if {"Ref": policy} not in branches(part)]
        assert len(kept) < len(attached)
        properties(one, role)["ManagedPolicyArns"] = kept

    return mutate


def rule_removed(name: str, at: int | None = None) -> Mutation:
    def mutate(one: Deployment) -> None:
        if at is None:
            del one.source["Rules"][name]
        else:
            del one.source["Rules"][name]["Assertions"][at]

    return mutate


def rule_too_strict(one: Deployment) -> None:
    del one.source["Rules"]["ScheduleCollectsSomething"]["RuleCondition"]


def any_number_of_days(one: Deployment) -> None:
    del one.source["Parameters"]["TransitionDays"]["AllowedValues"]


def full_among_others(one: Deployment) -> None:
    retriers = one.machines["ExportStateMachine"]["States"]["Fetch Export"]["Retry"]
    retriers[1]["ErrorEquals"] += retriers.pop(0)["ErrorEquals"]


def schedule_undeliverable_lost(one: Deployment) -> None:
    del properties(one, "CollectSchedule")["Target"]["DeadLetterConfig"]


def window_failure_uncaught(one: Deployment) -> None:
    connections = one.machines["CollectStateMachine"]["States"]["Collect Connections"]
    windows = connections["ItemProcessor"]["States"]["Export Windows"]["ItemProcessor"]["States"]
    del windows["Export Window"]["Catch"]


def incomplete_ends_well(one: Deployment) -> None:
    one.machines["CollectStateMachine"]["States"]["Collection Incomplete"] = {"Type": "Succeed"}


def circular(one: Deployment) -> None:
    variable("EXPORT_STATE_MACHINE_ARN", {"Ref": "ExportStateMachine"})(one)


P = "Properties"
MUTATIONS: dict[str, Mutation] = {
    # rights
    "a wildcard action": statement("SubmitRole", "KeepLedger", Action="dynamodb:*"),
    "a wildcard in an action's name": statement("FetchRole", "SeeBucket", Action="s3:List*"),
    "every secret": statement(
        "SubmitRole",
        "ReadConnections",
        Resource={"Fn::Sub": "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:*"},
    ),
    "every resource": statement("AbandonRole", "KeepLedger", Resource="*"),
    "every topic": statement("FetchRole", "Announce", Resource="*"),
    "one more right": granted("StatusRole", "dynamodb:DeleteItem"),
    "a right too few": without_statement("FetchRole", "LandObjects"),
    "a statement without a name": statement("FetchRole", "Announce", Sid=None),
    "two functions with one role": shared_role,
    "a policy of AWS's": foreign_policy,
    "a role for everybody": assumed_by_all,
    "a role without a boundary": dropped("FetchRole", P, "PermissionsBoundary"),
    "an open invocation permission": dropped("ExecutionEndedPermission", P, "SourceArn"),
    # conditions, Deny, and the policies of keys, topics, queues and the bucket
    "a schedule that cannot read its input": statement(
        "ScheduleRole",
        "ReadInput",
        Condition={"StringEquals": {"kms:ViaService": "scheduler.eu-west-1.amazonaws.com"}},
    ),
    "a schedule that reads every schedule's input": statement("ScheduleRole", "ReadInput", Condition=None),
    "a schedule whose dead letters cannot be encrypted": without_statement(
        "ScheduleRole", "EncryptDeadLetters"
    ),
    "functions that cannot read their environment": statement(
        "RuntimePolicy",
        "ReadEnvironment",
        Condition={"StringEquals": {"kms:ViaService": "lambda.eu-west-1.amazonaws.com"}},
    ),
    "functions that read every environment": statement("RuntimePolicy", "ReadEnvironment", Condition=None),
    "a key used through every service": statement("FetchRole", "UseKey", Condition=None),
    "a key used through the wrong service": statement(
        "FetchRole", "UseKey", Condition={"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    ),
    "a collection that may not encrypt": statement(
        "CollectRole", "UseKey", Action=["kms:Decrypt", "kms:GenerateDataKey"]
    ),
    "a key for logs of other names": statement(
        "Key",
        "LetLogGroupsUseIt",
        Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*:*:log-group:other-*"}},
    ),
    "a key for everybody's logs": statement(
        "Key",
        "LetLogGroupsUseIt",
        Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*"}},
    ),
    "a key that leaves nothing to IAM": without_statement("Key", "LetIamPoliciesDecide"),
    "a queue that another rule may fill": statement(
        "RuleDeadLettersPolicy",
        "KeepWhatTheRuleGivesUp",
        Condition={"ArnLike": {"aws:SourceArn": "arn:aws:events:*"}},
    ),
    "a queue that its rule may not fill": statement(
        "UnpackDeadLettersPolicy",
        "KeepWhatTheRuleGivesUp",
        Condition={"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ExecutionEndedRule", "Arn"]}}},
    ),
    "a topic for every account's alarms": statement(
        "AlarmTopicPolicy",
        "LetAlarmsSpeak",
        Condition={"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:*"}},
    ),
    "a topic that refuses TLS": statement(
        "TopicPolicy", "TlsOnly", Condition={"Bool": {"aws:SecureTransport": "true"}}
    ),
    "a bucket that takes old TLS": without_statement("BucketPolicy", "ModernTlsOnly"),
    "a bucket that refuses modern TLS": statement(
        "BucketPolicy", "ModernTlsOnly", Condition={"NumericLessThan": {"s3:TlsVersion": "1.4"}}
    ),
    "a fetch without their bucket's key": unattached("FetchRole", "BucketKeyPolicy"),
    "a report without their topic's key": unattached("ReportRole", "TopicKeyPolicy"),
    "their bucket's key through every service": statement("BucketKeyPolicy", "UseBucketKey", Condition=None),
    "their topic's key through S3": statement(
        "TopicKeyPolicy",
        "UseTopicKey",
        Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
    ),
    "a collection without their bucket's key": statement(
        "CollectRole", "UseKey", Resource={"Fn::GetAtt": ["Key", "Arn"]}
    ),
    "their secrets' key through every service": statement("SubmitRole", "DecryptConnections", Condition=None),
    "a bucket that anybody may write to": without_statement("BucketPolicy", "OnlyLogferryWrites"),
    "a bucket whose landings others may replace": statement(
        "BucketPolicy", "OnlyLogferryWrites", NotResource={"Fn::Sub": "${Bucket.Arn}/spark-*"}
    ),
    "a bucket that takes no input of people's": statement(
        "BucketPolicy", "OnlyLogferryWrites", NotResource={"Fn::Sub": "${Bucket.Arn}/none/*"}
    ),
    "a bucket that not even fetch may write to": statement(
        "BucketPolicy", "OnlyLogferryWrites", Condition=None
    ),
    "a bucket that every role may write to": statement(
        "BucketPolicy",
        "OnlyLogferryWrites",
        Condition={"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
    ),
    "a bucket that only fetch may write to": statement(
        "BucketPolicy",
        "OnlyLogferryWrites",
        Condition={"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["FetchRole", "Arn"]}}},
    ),
    "a bucket that nobody but Logferry may read": statement(
        "BucketPolicy", "OnlyLogferryWrites", Action=["s3:PutObject", "s3:GetObject"]
    ),
    "a fetch that writes lists": without_statement("FetchRole", "KeepToLandings"),
    "an abandon that deletes tables": without_statement("AbandonRole", "KeepToLandings"),
    "a plan that writes its own input": statement(
        "PlanRole", "KeepPlans", Resource={"Fn::Sub": "arn:aws:s3:::${Bucket}/_logferry/*"}
    ),
    "an unpack that writes tables": statement(
        "UnpackRole", "WriteUnpacked", Resource={"Fn::Sub": "arn:aws:s3:::${Bucket}/tables/*"}
    ),
    "code that may make network interfaces": statement(
        "RuntimePolicy", "ButNotFromTheCode", Action="ec2:DescribeSubnets"
    ),
    "a Deny that Lambda itself meets": statement("RuntimePolicy", "ButNotFromTheCode", Condition=None),
    "a role for another account's schedules": open_trust,
    # data
    "no TLS-only policy on the bucket": without_statement("BucketPolicy", "TlsOnly"),
    "no policy on the bucket": removed("BucketPolicy"),
    "no TLS-only policy on the topic": without_statement("TopicPolicy", "TlsOnly"),
    "no TLS-only policy on a queue": without_statement("RuleDeadLettersPolicy", "TlsOnly"),
    "a bucket open to everybody": public_principal,
    "no public access block": dropped("Bucket", P, "PublicAccessBlockConfiguration"),
    "half a public access block": changed(
        "Bucket", P, "PublicAccessBlockConfiguration", "BlockPublicPolicy", to=False
    ),
    "no bucket encryption": dropped("Bucket", P, "BucketEncryption"),
    "no versions": changed("Bucket", P, "VersioningConfiguration", to={"Status": "Suspended"}),
    "no owner": dropped("Bucket", P, "OwnershipControls"),
    "no bucket events": dropped("Bucket", P, "NotificationConfiguration"),
    "unfinished uploads kept": unfinished_uploads_kept,
    "a bucket lost with the stack": dropped("Bucket", "DeletionPolicy"),
    "a table lost when replaced": changed("Table", "UpdateReplacePolicy", to="Delete"),
    "a key lost with the stack": dropped("Key", "DeletionPolicy"),
    "a key never rotated": changed("Key", P, "EnableKeyRotation", to=False),
    "a key that alarms cannot use": without_statement("Key", "LetAlarmsEventsAndTopicsUseIt"),
    "a key that logs cannot use": without_statement("Key", "LetLogGroupsUseIt"),
    "a key for every account's services": statement("Key", "LetAlarmsEventsAndTopicsUseIt", Condition=None),
    "a table in clear": dropped("Table", P, "SSESpecification"),
    "no point-in-time recovery": dropped("Table", P, "PointInTimeRecoverySpecification"),
    "a table that a failed first deploy cannot take back": changed(
        "Table", P, "DeletionProtectionEnabled", to=True
    ),
    "a bucket that a failed first deploy leaves behind": changed("Bucket", "DeletionPolicy", to="Retain"),
    "an expiration that only hides": versions_kept,
    "delete markers for ever": markers_kept,
    "a hidden parameter that may be empty": hidden_and_empty,
    "a schedule of nothing": rule_removed("ScheduleCollectsSomething"),
    "a rule that refuses the defaults": rule_too_strict,
    "access logs of a bucket that exists": rule_removed("SettingsOfOwnBucket", 0),
    "a transition of a bucket that exists": rule_removed("SettingsOfOwnBucket", 1),
    "an expiry of a bucket that exists": rule_removed("SettingsOfOwnBucket", 2),
    "superseded versions of a bucket that exists": rule_removed("SettingsOfOwnBucket", 3),
    "a lock of a bucket that exists": rule_removed("SettingsOfOwnBucket", 4),
    "an owner of the stack's own bucket": rule_removed("BucketOfAnotherAccount", 0),
    "collections into another account": rule_removed("BucketOfAnotherAccount", 2),
    "unpacking in another account": rule_removed("BucketOfAnotherAccount", 3),
    "tables in another account": rule_removed("BucketOfAnotherAccount", 4),
    "a key of the stack's own bucket": rule_removed("KeysOfWhatExists", 0),
    "a key of the stack's own topic": rule_removed("KeysOfWhatExists", 1),
    "an expiry before the transition": rule_removed("ExpiryAfterTransition"),
    "an expiry before a late transition": rule_removed("ExpiryAfterLateTransition"),
    "a transition sooner than S3 takes": any_number_of_days,
    "an address for somebody else's topic": rule_removed("MailsOfOwnTopics", 0),
    "an address for somebody else's alarm topic": rule_removed("MailsOfOwnTopics", 1),
    "a CA bundle without its layer": rule_removed("CaBundleWhole"),
    "no expiry of marks": dropped("Table", P, "TimeToLiveSpecification"),
    "a topic in clear": dropped("Topic", P, "KmsMasterKeyId"),
    "a queue in clear": dropped("AbandonDeadLetters", P, "KmsMasterKeyId"),
    "a log group in clear": dropped("SubmitLogs", P, "KmsKeyId"),
    "environments in clear": key_of_functions_dropped,
    # operations
    "logs for ever": dropped("FetchLogs", P, "RetentionInDays"),
    "logs lost with the stack": dropped("FetchLogs", "DeletionPolicy"),
    "logs in the way of the next stack": changed(
        "FetchLogs", P, "LogGroupName", to={"Fn::Sub": "/aws/lambda/${AWS::StackName}-fetch"}
    ),
    "logs that the key does not know": changed(
        "FetchLogs", P, "LogGroupName", to={"Fn::Sub": "/aws/lambda/fetch-${AWS::StackId}"}
    ),
    "logs to a group of Lambda's own making": dropped("StatusFunction", P, "LoggingConfig"),
    "execution data in the logs": changed(
        "ExportStateMachine", P, "Logging", "IncludeExecutionData", to=True
    ),
    "no logs of the state machine": dropped("ExportStateMachine", P, "Logging"),
    "a state machine without traces": dropped("ExportStateMachine", P, "Tracing"),
    "functions without traces": tracing_off,
    "an empty CA bundle": variable("REQUESTS_CA_BUNDLE", {"Ref": "CaBundlePath"}),
    "the root logger at DEBUG": variable("AWS_LAMBDA_LOG_LEVEL", {"Ref": "LogLevel"}),
    "the wrong logger's level": variable("POWERTOOLS_LOG_LEVEL", "DEBUG"),
    "no dead letters of the rule": undeliverable_lost,
    "no retries of the rule": undeliverable_once,
    "no rule": removed("ExecutionEndedRule"),
    "a rule turned off": changed("ExecutionEndedRule", P, "State", to="DISABLED"),
    "stopped executions unheard": aborted_unheard,
    "no failure destination of abandon": dropped("AbandonFunction", P, "EventInvokeConfig"),
    "dead letters for a day": changed("RuleDeadLetters", P, "MessageRetentionPeriod", to=86400),
    "no alarm on failed executions": removed("ExportsFailedAlarm"),
    "no alarm on the rule's dead letters": removed("RuleDeadLettersAlarm"),
    "no alarm on abandon's dead letters": removed("AbandonDeadLettersAlarm"),
    "no alarm on throttles": removed("FunctionThrottlesAlarm"),
    "a function that no alarm watches": forgotten_function,
    "an alarm that tells nobody": dropped("FunctionErrorsAlarm", P, "AlarmActions"),
    "an alarm that cannot be turned off": dropped("ExportsFailedAlarm", "Condition"),
    "no dead letters of the schedule": schedule_undeliverable_lost,
    "a schedule that never tries again": dropped("CollectSchedule", P, "Target", "RetryPolicy"),
    "no alarm on failed collections": removed("CollectionsFailedAlarm"),
    "no alarm on collections that never come": removed("CollectionMissingAlarm"),
    "a missing collection before the first night": changed(
        "CollectionMissingAlarm", P, "TreatMissingData", to="breaching"
    ),
    "a given up window forgotten after an hour": changed(
        "GivenUpAlarm", P, "TreatMissingData", to="notBreaching"
    ),
    "no alarm on windows given up": removed("GivenUpAlarm"),
    "no alarm on old windows that are missing": removed("OldestMissingAlarm"),
    "an alarm on a metric that nobody writes": dropped("GivenUpMetric", P, "MetricTransformations"),
    "a metric that no log line feeds": removed("OldestMissingMetric"),
    "no dashboard": removed("OperationsDashboard"),
    "a circle of resources": circular,
    # state machines
    "a window whose failure ends the collection": window_failure_uncaught,
    "an incomplete collection that ends well": incomplete_ends_well,
    "a Task without Catch": state("Fetch Export", "Catch"),
    "a Task without Retry": state("Submit Export", "Retry"),
    "a Task without a timeout": state("Check Status", "TimeoutSeconds"),
    "a Task that gives up before its function": state("Fetch Export", "TimeoutSeconds", to=900),
    "a Task that calls another function's name": state(
        "Fetch Export", "Parameters", "FunctionName", to="${FetchFunction}"
    ),
    "a Next that leads nowhere": state("Wait For Export", "Next", to="Check The Status"),
    "a Choice without Default": state("Export Ready?", "Default"),
    "a start that is not there": lost_start,
    "a state that nobody reaches": stray_state,
    "an error that is nobody's": unknown_error,
    "an error that does not exist": every_lambda_error,
    "an abandoned export that ends well": abandon_ends_well,
    "a substitution too few": dropped(
        "ExportStateMachine", P, "DefinitionSubstitutions", "AbandonFunctionArn"
    ),
    "a Task that gives up when concurrency is used up": state(
        "Fetch Export", "Retry", 0, "MaxAttempts", to=6
    ),
    "a full Lambda among other troubles": full_among_others,
    "a retry that never slows down": state("Submit Export", "Retry", 0, "MaxDelaySeconds"),
    "retries in step": state("Submit Export", "Retry", 0, "JitterStrategy", to="NONE"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_weakened_deployment_is_refused(name: str) -> None:
    # Given this deployment with one thing made worse
    worse = deployment()
    MUTATIONS[name](worse)

    # Then the gates say so
    assert findings(worse) != []
