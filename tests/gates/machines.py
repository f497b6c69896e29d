"""State machines: what `statelint` says, and what it cannot know: our errors, functions and template.

docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

from statelint.linter import Linter

from logferry import errors
from tests.gates.accepted import STATELINT
from tests.gates.deployment import MACHINE, of_type, text

if TYPE_CHECKING:
    from collections.abc import Iterator

States = dict[str, dict[str, Any]]

TRANSIENTS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "States.Timeout",
}
"""What Lambda's and Step Functions' own troubles are called; there is no `Lambda.*`."""
PREDEFINED = re.compile(r"^(States\.[A-Za-z]+|StepFunctions\.[A-Za-z]+Exception|Runtime\.ExitError)$")
"""Step Functions' own, those of its API that `startExecution` passes on, and a function that was killed."""
OUR_ERRORS = {
    name
    for name, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, errors.LogferryError) and one is not errors.LogferryError
}
LAMBDA = "arn:aws:states:::lambda:invoke"
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def findings(machines: dict[str, dict[str, Any]], template: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with the definitions, by logical id, of a translated template's state machines."""
    declared = dict(of_type(template, MACHINE))
    for name in sorted(set(declared) ^ set(machines)):
        yield f"{name}: template and definitions do not agree that it exists"
    for name, machine in machines.items():
        for problem in Linter.validate(machine):
            if not any(re.search(pattern, problem) for pattern in STATELINT):
                yield f"{name}: {problem}"
        substitutions = declared.get(name, {}).get("Properties", {}).get("DefinitionSubstitutions", {})
        for one in sorted(set(PLACEHOLDER.findall(json.dumps(machine))) ^ set(substitutions)):
            yield f"{name}: ${{{one}}} is not both used and substituted"
        yield from _failing(name, machine["States"])
        for where, states, start in scopes(name, machine):
            yield from _wiring(where, states, start)
            for label, state in states.items():
                if state["Type"] == "Task":
                    yield from _task(f"{where}: {label}", state)
                if state.get("Resource") == LAMBDA:
                    yield from _call(f"{where}: {label}", state, substitutions, template)


def scopes(name: str, machine: dict[str, Any]) -> Iterator[tuple[str, States, str | None]]:
    """List a machine's sets of states: its own, then those in Maps and Parallels; each with its start."""
    yield name, machine["States"], machine.get("StartAt")
    for label, state in machine["States"].items():
        inner = [*state.get("Branches", []), *(one for key, one in state.items() if key == "ItemProcessor")]
        for one in inner:
            yield from scopes(f"{name}: {label}", one)


def edges(states: States) -> Iterator[tuple[str, str]]:
    """List the ways from state to state, by success, choice and error."""
    for label, state in states.items():
        for one in [state, *state.get("Choices", []), *state.get("Catch", [])]:
            for key in ("Next", "Default"):
                if key in one:
                    yield label, one[key]


def _reached(states: States, start: str) -> set[str]:
    ways = list(edges(states))
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        here = ahead.pop()
        if here not in seen and here in states:
            seen.add(here)
            ahead += [there for origin, there in ways if origin == here]
    return seen


def _wiring(where: str, states: States, start: str | None) -> Iterator[str]:
    if start not in states:
        yield f"{where}: StartAt leads nowhere"
        return
    for origin, there in edges(states):
        if there not in states:
            yield f"{where}: {origin} leads to {there}, which is not there"
    for label in sorted(set(states) - _reached(states, start)):
        yield f"{where}: {label} is never reached"
    for label, state in states.items():
        if state["Type"] == "Choice" and "Default" not in state:
            yield f"{where}: {label} has no Default"


def _failing(where: str, states: States) -> Iterator[str]:
    """Look at the outermost states: a window that fails inside a Map is noted, and the others are tried."""
    for label, state in states.items():
        for catcher in state.get("Catch", []):
            for last in sorted(_reached(states, catcher["Next"])):
                if states[last]["Type"] == "Succeed" or states[last].get("End") is True:
                    yield f"{where}: after an error, {label} leads to {last}, which does not fail"


def _task(where: str, state: dict[str, Any]) -> Iterator[str]:
    retriers, catchers = state.get("Retry", []), state.get("Catch", [])
    retried = {name for retrier in retriers for name in retrier["ErrorEquals"]}
    caught = {name for catcher in catchers for name in catcher["ErrorEquals"]}
    if "States.ALL" not in caught:
        yield f"{where}: does not catch States.ALL"
    if "TimeoutSeconds" not in state:
        yield f"{where}: has no TimeoutSeconds"
    if not retriers or (state["Resource"] == LAMBDA and not retried >= TRANSIENTS):
        yield f"{where}: does not retry {sorted(TRANSIENTS - retried)}"
    if state["Resource"] == LAMBDA and not _queues(retriers):
        yield f"{where}: its first retrier does not queue for hours where Lambda's concurrency is used up"
    if {"States.ALL", "States.TaskFailed"} & retried:
        yield f"{where}: retries every error, those of ours that cannot get better too"
    if any("MaxDelaySeconds" not in one or one.get("JitterStrategy") != "FULL" for one in retriers):
        yield f"{where}: retries without an upper delay or without full jitter"
    for name in sorted(retried | caught):
        if name not in TRANSIENTS | OUR_ERRORS and not PREDEFINED.match(name):
            yield f"{where}: {name} is nobody's error"


def _queues(retriers: list[dict[str, Any]]) -> bool:
    first = retriers[0] if retriers else {}
    return (
        first.get("ErrorEquals") == ["Lambda.TooManyRequestsException"]
        and first.get("MaxAttempts", 0) >= 200
        and first.get("MaxDelaySeconds") == 120
    )


def _call(
    where: str, state: dict[str, Any], substitutions: dict[str, Any], template: dict[str, Any]
) -> Iterator[str]:
    placeholder = PLACEHOLDER.fullmatch(str(state["Parameters"].get("FunctionName", "")))
    function = text(substitutions.get(placeholder[1])) if placeholder else ""
    resource = template["Resources"].get(function.removeprefix("${").removesuffix(".Arn}"), {})
    if resource.get("Type") != "AWS::Lambda::Function":
        yield f"{where}: calls no function of the template"
    elif state.get("TimeoutSeconds", 0) <= resource["Properties"]["Timeout"]:
        yield f"{where}: gives up before its function does"
