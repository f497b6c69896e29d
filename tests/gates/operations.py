"""Operations: whatever goes wrong is kept, said and alarmed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.gates.deployment import FUNCTION, MACHINE, branches, of_type, text

if TYPE_CHECKING:
    from collections.abc import Iterator

FORTNIGHT = 14 * 24 * 3600
ENDS = ["FAILED", "TIMED_OUT", "ABORTED"]
COLLECTIONS = {
    "ExecutionsSucceeded": "a schedule that promises collections and brings none is not noticed",
    "WindowsGivenUp": "a window that is planned no more is not noticed",
    "OldestMissingHours": "a window that does not land is not noticed",
}
FROM_LOGS = ("WindowsGivenUp", "OldestMissingHours")
NIGHTLY = ("WindowsGivenUp", "OldestMissingHours")
HEARTBEAT = '{"describe": true}'
"""What a target gets that is only counted: nothing is lost with it."""
SERVICE_RETENTION = {"Ref": "LogRetentionDays"}


def findings(template: dict[str, Any]) -> Iterator[str]:
    """Say what an operator would say of a translated template."""
    yield from _logs(template)
    yield from _functions(template)
    yield from _dead_letters(template)
    yield from _alarms(template)
    yield from _ended_rule(template)
    if not list(of_type(template, "AWS::CloudWatch::Dashboard")):
        yield "there is no dashboard"


def _logs(template: dict[str, Any]) -> Iterator[str]:
    groups = dict(of_type(template, "AWS::Logs::LogGroup"))
    for name, resource in groups.items():
        if resource["Properties"].get("RetentionInDays") != SERVICE_RETENTION:
            yield f"{name}: keeps its logs for ever"
        if "AWS::StackId" not in json.dumps(resource["Properties"].get("LogGroupName")):
            yield f"{name}: is in the way of the next stack of this name"
    for name, resource in of_type(template, FUNCTION):
        group = resource["Properties"].get("LoggingConfig", {}).get("LogGroup")
        if not isinstance(group, dict) or group.get("Ref") not in groups:
            yield f"{name}: logs to a group that this template does not make"
    for name, resource in of_type(template, MACHINE):
        logging = resource["Properties"].get("LoggingConfiguration", {})
        if logging.get("Level") != "ERROR" or logging.get("IncludeExecutionData") is not False:
            yield f"{name}: does not log errors, or logs execution data"
        elif not any(group in json.dumps(logging.get("Destinations")) for group in groups):
            yield f"{name}: logs to a group that this template does not make"
        if resource["Properties"].get("TracingConfiguration") != {"Enabled": True}:
            yield f"{name}: not traced"


def _functions(template: dict[str, Any]) -> Iterator[str]:
    for name, resource in of_type(template, FUNCTION):
        properties = resource["Properties"]
        if properties.get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name}: not traced"
        if properties.get("Runtime") != "python3.13" or properties.get("Architectures") != ["arm64"]:
            yield f"{name}: not python3.13 on arm64"
        if properties.get("Handler") != "app.lambda_handler":
            yield f"{name}: the handler is not app.lambda_handler"
        yield from _environment(name, properties["Environment"]["Variables"])
        if {"LogFormat", "ApplicationLogLevel"} & set(properties.get("LoggingConfig", {})):
            yield f"{name}: Lambda's own log level would be the root logger's"


def _environment(name: str, variables: dict[str, Any]) -> Iterator[str]:
    # botocore takes an empty REQUESTS_CA_BUNDLE for "verify nothing".
    for variable in ("REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY"):
        value = variables.get(variable)
        if not isinstance(value, dict) or {"Ref": "AWS::NoValue"} not in value.get("Fn::If", []):
            yield f"{name}: {variable} is set even where it is empty"
    if {"Ref": "LogLevel"} not in branches(variables.get("POWERTOOLS_LOG_LEVEL")):
        yield f"{name}: LogLevel is not its logger's level"
    for variable in ("AWS_LAMBDA_LOG_LEVEL", "LOG_LEVEL", "POWERTOOLS_DEBUG", "POWERTOOLS_DEV"):
        if variable in variables:
            yield f"{name}: {variable} reaches further than our own logger"


def _dead_letters(template: dict[str, Any]) -> Iterator[str]:
    queues = {name for name, _ in of_type(template, "AWS::SQS::Queue")}
    for name, resource in of_type(template, "AWS::SQS::Queue"):
        if resource["Properties"].get("MessageRetentionPeriod") != FORTNIGHT:
            yield f"{name}: keeps its messages for less than a fortnight"
    targets = [
        (f"{name}.{target['Id']}", target)
        for name, resource in of_type(template, "AWS::Events::Rule")
        for target in resource["Properties"]["Targets"]
        if target.get("Input") != HEARTBEAT
    ] + [(name, one["Properties"]["Target"]) for name, one in of_type(template, "AWS::Scheduler::Schedule")]
    for where, target in targets:
        queue = text(target.get("DeadLetterConfig", {}).get("Arn"))
        if queue.removeprefix("${").removesuffix(".Arn}") not in queues:
            yield f"{where}: what cannot be delivered is lost"
        if not {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} <= set(target.get("RetryPolicy", {})):
            yield f"{where}: has no retry policy"
    called = {text(target["Arn"]).removeprefix("${").removesuffix(".Arn}") for _, target in targets}
    kept = {
        text(resource["Properties"]["FunctionName"]).removeprefix("${").removesuffix("}")
        for _, resource in of_type(template, "AWS::Lambda::EventInvokeConfig")
        if "Destination" in resource["Properties"].get("DestinationConfig", {}).get("OnFailure", {})
    }
    for name, _ in of_type(template, FUNCTION):
        if name in called and name not in kept:
            yield f"{name}: what it fails on when called asynchronously is lost"


def _alarms(template: dict[str, Any]) -> Iterator[str]:
    for name, resource in of_type(template, "AWS::CloudWatch::Alarm"):
        properties = resource["Properties"]
        if not branches(properties.get("AlarmActions", [])):
            yield f"{name}: tells nobody"
        if "Condition" not in resource:
            yield f"{name}: cannot be turned off"
        if "AlarmDescription" not in properties:
            yield f"{name}: does not say what to do"
        yield from _missing_data(name, properties)
    watched = set(_watched(template))
    for metric, of in _worth_watching(template):
        if (metric, of) not in watched:
            yield f"no alarm watches {metric} of {of}"
    for metric, reason in COLLECTIONS.items():
        if metric not in {name for name, _ in watched}:
            yield f"no alarm watches {metric}: {reason}"
    written = {
        one["MetricName"]
        for _, resource in of_type(template, "AWS::Logs::MetricFilter")
        for one in resource["Properties"].get("MetricTransformations", [])
    }
    yield from (f"nobody writes the metric {one}" for one in FROM_LOGS if one not in written)


def _missing_data(name: str, properties: dict[str, Any]) -> Iterator[str]:
    if properties.get("TreatMissingData") == "breaching":
        yield f"{name}: is in ALARM right after the first deploy"
    if properties.get("MetricName") in NIGHTLY and properties.get("TreatMissingData") != "ignore":
        yield f"{name}: is OK again an hour after a night that was not"


def _watched(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for _, resource in of_type(template, "AWS::CloudWatch::Alarm"):
        properties = resource["Properties"]
        parts = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
        for metric in parts or [properties]:
            for dimension in metric.get("Dimensions", [{"Value": ""}]):
                yield metric["MetricName"], text(dimension["Value"])


def _worth_watching(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, _ in of_type(template, FUNCTION):
        yield from ((metric, f"${{{name}}}") for metric in ("Errors", "Throttles"))
    for name, _ in of_type(template, MACHINE):
        for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"):
            yield metric, f"${{{name}}}"
    for name, _ in of_type(template, "AWS::SQS::Queue"):
        yield "ApproximateNumberOfMessagesVisible", f"${{{name}.QueueName}}"


def _ended_rule(template: dict[str, Any]) -> Iterator[str]:
    for _, resource in of_type(template, "AWS::Events::Rule"):
        properties = resource["Properties"]
        pattern = properties.get("EventPattern", {})
        detail = pattern.get("detail", {})
        if (
            pattern.get("source") == ["aws.states"]
            and pattern.get("detail-type") == ["Step Functions Execution Status Change"]
            and sorted(detail.get("status", [])) == sorted(ENDS)
            and list(map(text, detail.get("stateMachineArn", []))) == ["${ExportStateMachine}"]
            and [text(target["Arn"]) for target in properties["Targets"]] == ["${AbandonFunction.Arn}"]
            and properties.get("State", "ENABLED") == "ENABLED"
        ):
            return
    yield "no rule hands executions that ended badly to the abandon function"
