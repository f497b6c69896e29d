# ruff: noqa: SLF001 - patching another's private methods is what this module is for
"""What moto's states:startExecution.sync and .sync:2 lack against AWS's, mended from outside.

docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html; patched as `interpreter` patches.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK_SECONDS = 0.05
"""How often a task looks at its child; moto's half a second would be most of a small run."""


def mend(client: Callable[[str], Any]) -> ExitStack:
    """Mend nested executions until the returned stack is closed; `client` gives a boto3 client."""
    stack = ExitStack()
    for target, name, substitute in (
        (StateTaskServiceSfn, "_normalise_parameters", lowering_names()),
        (StateTaskServiceSfn, "_normalise_response", raise_names),
        (StateTaskServiceSfn, "_sync2_api_output_of", staticmethod(parsing_output())),
        (StateTaskServiceSfn, "_build_sync_resolver", naming_the_child("_build_sync_resolver")),
        (StateTaskServiceSfn, "_build_sync2_resolver", naming_the_child("_build_sync2_resolver")),
        (StateTaskServiceSfn, "_eval_sync", stopping_the_child(client)),
        (state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", CHECK_SECONDS),
    ):
        stack.enter_context(patch.object(target, name, substitute))
    return stack


def lowering_names() -> Any:
    """Spell parameters as the API does; moto hands `StateMachineArn` on, which the API does not know."""
    original = StateTaskServiceSfn._normalise_parameters

    def normalise(self: Any, parameters: dict[str, Any], *rest: Any, **named: Any) -> None:
        original(self, parameters, *rest, **named)
        for key in list(parameters):
            parameters[key[0].lower() + key[1:]] = parameters.pop(key)

    return normalise


def raise_names(_: Any, response: Any, *__: Any, **___: Any) -> None:
    """Spell a reply as Step Functions shows it: `ExecutionArn`, dates as milliseconds since the epoch."""
    for key in list(response) if isinstance(response, dict) else []:
        value = response.pop(key)
        if isinstance(value, dict) and key.endswith("Details"):
            raise_names(None, value)
        response[key[0].upper() + key[1:]] = (
            int(value.timestamp() * 1000) if hasattr(value, "timestamp") else value
        )


def parsing_output() -> Any:
    """Parse a succeeded child's input and output; a failed one's stay texts within the error's cause."""
    original: Any = StateTaskServiceSfn._sync2_api_output_of

    def parse(typ: type, value: dict[str, Any]) -> None:
        if value.get("status") == "SUCCEEDED":
            original(typ=typ, value=value)

    return parse


def naming_the_child(name: str) -> Any:
    """Let the function that waits for a child know which child it is."""
    original: Any = getattr(StateTaskServiceSfn, name)

    def build(self: Any, env: Any, **rest: Any) -> Any:
        child = env.stack[-1]["ExecutionArn"]
        resolver = original(self, env=env, **rest)
        resolver.child = child
        return resolver

    return build


def stopping_the_child(client: Callable[[str], Any]) -> Any:
    """Stop the child of an execution that is stopped or times out."""
    original: Any = StateTaskServiceSfn._eval_sync

    def eval_sync(self: Any, env: Any, sync_resolver: Any, **rest: Any) -> Any:
        outcome = original(self, env=env, sync_resolver=sync_resolver, **rest)
        if outcome is None and not env.is_running():
            client("stepfunctions").stop_execution(executionArn=sync_resolver.child)
        return outcome

    return eval_sync
