"""How functions, state machines, rules and schedules are made: what runs, and what sets it off."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.sandbox.function import Function
from tests.sandbox.resources import arn
from tests.sandbox.site import Rule, Schedule
from tests.sandbox.template import Created, TemplateError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.resources import Creator, Properties
    from tests.sandbox.site import Site

DELIVERED_TO = {"lambda", "sqs", "sns", "states"}
"""Services that the bridge delivers events to."""


def function(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Lambda::Function: registered with the runtime, started when called."""
    own = properties.get("FunctionName") or site.physical_name(name)
    made = arn("lambda", f"function:{own}")
    code = properties["Code"]
    if "S3Bucket" not in code:
        raise TemplateError(f"{name}: the sandbox runs local folders only (CodeUri)")
    reserved = properties.get("ReservedConcurrentExecutions")
    variables = properties.get("Environment", {}).get("Variables", {})
    site.runtime.register(
        Function(
            logical_id=name,
            name=own,
            arn=made,
            code=site.local(code["S3Bucket"], code["S3Key"]),
            handler=properties["Handler"],
            timeout=float(properties.get("Timeout", 3)),
            memory=int(properties.get("MemorySize", 128)),
            environment={key: text(value) for key, value in variables.items()},
            layers=tuple(
                site.layers[layer] for layer in properties.get("Layers", []) if layer in site.layers
            ),
            reserved_concurrency=None if reserved is None else int(reserved),
            dead_letter_arn=properties.get("DeadLetterConfig", {}).get("TargetArn"),
        )
    )
    foreign = [one for one in properties.get("Layers", []) if one not in site.layers]
    site.not_emulated += [f"{name}: layer {one} (not built here)" for one in foreign]
    return Created("AWS::Lambda::Function", own, {"Arn": made})


def text(value: Any) -> str:
    """Spell an environment variable as CloudFormation does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def layer(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Lambda::LayerVersion: its folder takes /opt/python's place on the path."""
    content = properties["Content"]
    made = arn("lambda", f"layer:{properties.get('LayerName', name)}:1")
    site.layers[made] = site.local(content["S3Bucket"], content["S3Key"])
    return Created("AWS::Lambda::LayerVersion", made, {"LayerVersionArn": made})


def function_version(_: Site, __: str, properties: Properties) -> Created:
    """AWS::Lambda::Version and ::Alias: all lead to the one code there is."""
    alias = properties.get("Name", "1")
    name = properties["FunctionName"]
    made = f"{name if name.startswith('arn:') else arn('lambda', f'function:{name}')}:{alias}"
    return Created("AWS::Lambda::Version", made, {"FunctionArn": made, "Version": "1"})


def invoke_config(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Lambda::EventInvokeConfig: retries and the on-failure destination of asynchronous calls."""
    site.invoke_configs[site.runtime.function(properties["FunctionName"]).name] = properties
    return Created("AWS::Lambda::EventInvokeConfig", name)


def state_machine(site: Site, name: str, properties: Properties) -> Created:
    """AWS::StepFunctions::StateMachine from its own .asl.json file, substitutions made."""
    own = properties.get("StateMachineName") or site.physical_name(name)
    definition = definition_of(site, properties)
    check_transitions(name, json.loads(definition))
    kind = properties.get("StateMachineType", "STANDARD")
    if kind != "STANDARD":
        raise TemplateError(f"{name}: the sandbox runs standard workflows, not {kind} ones")
    made = site.client("stepfunctions").create_state_machine(
        name=own, definition=definition, roleArn=properties["RoleArn"], type=kind
    )["stateMachineArn"]
    site.state_machines[name] = made
    return Created("AWS::StepFunctions::StateMachine", made, {"Arn": made, "Name": own})


def definition_of(site: Site, properties: Properties) -> str:
    """Give the definition's text with `${Name}` replaced, which CloudFormation does blindly too."""
    where = properties.get("DefinitionS3Location")
    if where:
        path: Path = site.local(where["Bucket"], where["Key"])
        definition = path.read_text()
    else:
        definition = properties.get("DefinitionString") or json.dumps(properties["Definition"])
    for key, value in properties.get("DefinitionSubstitutions", {}).items():
        definition = definition.replace(f"${{{key}}}", text(value))
    left = re.findall(r"\$\{[\w]+\}", definition)
    if left:
        raise TemplateError(f"no DefinitionSubstitutions for {sorted(set(left))}")
    return definition


def check_transitions(name: str, part: dict[str, Any]) -> None:
    """Raise TemplateError for a StartAt, Next or Default that leads nowhere: AWS does, moto does not."""
    states: dict[str, Any] = part.get("States", {})
    targets = {part.get("StartAt")}
    for state in states.values():
        for one in (state, *state.get("Choices", []), *state.get("Catch", [])):
            targets |= {one.get("Next"), one.get("Default")}
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", [])):
            if inner:
                check_transitions(name, inner)
    missing = targets - set(states) - {None}
    if missing:
        raise TemplateError(f"{name}: MISSING_TRANSITION_TARGET {sorted(map(str, missing))}")


def rule(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Events::Rule: moto keeps it and judges its pattern, the bridge delivers."""
    own = properties.get("Name") or site.physical_name(name)
    strange = {one["Arn"].split(":")[2] for one in properties.get("Targets", [])} - DELIVERED_TO
    if strange:
        raise TemplateError(f"{name}: the bridge does not deliver to {sorted(strange)}")
    pattern = json.dumps(properties["EventPattern"]) if "EventPattern" in properties else None
    enabled = properties.get("State", "ENABLED") != "DISABLED"
    schedule = properties.get("ScheduleExpression")
    arguments = {"EventPattern": pattern, "ScheduleExpression": schedule}
    made = site.client("events").put_rule(Name=own, **{key: one for key, one in arguments.items() if one})
    site.rules.append(Rule(name, pattern, schedule, properties.get("Targets", []), enabled))
    return Created("AWS::Events::Rule", own, {"Arn": made["RuleArn"]})


def schedule(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Scheduler::Schedule: fires when a test or a person says so."""
    own = properties.get("Name") or site.physical_name(name)
    expression = properties["ScheduleExpression"]
    if not re.fullmatch(r"(rate|at)\(.+\)|cron\((\S+ ){5}\S+\)", expression):
        raise TemplateError(f"{name}: {expression!r} is no rate(…), at(…) or cron(…) of six fields")
    zone = properties.get("ScheduleExpressionTimezone", "UTC")
    enabled = properties.get("State", "ENABLED") != "DISABLED"
    site.schedules[name] = Schedule(name, expression, zone, properties["Target"], enabled)
    return Created("AWS::Scheduler::Schedule", own, {"Arn": arn("scheduler", f"schedule/default/{own}")})


def schedule_group(site: Site, name: str, properties: Properties) -> Created:
    """AWS::Scheduler::ScheduleGroup: a name."""
    own = properties.get("Name") or site.physical_name(name)
    made = arn("scheduler", f"schedule-group/{own}")
    return Created("AWS::Scheduler::ScheduleGroup", own, {"Arn": made})


CREATORS: dict[str, Creator] = {
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": layer,
    "AWS::Lambda::Version": function_version,
    "AWS::Lambda::Alias": function_version,
    "AWS::Lambda::EventInvokeConfig": invoke_config,
    "AWS::StepFunctions::StateMachine": state_machine,
    "AWS::Events::Rule": rule,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::Scheduler::ScheduleGroup": schedule_group,
}
