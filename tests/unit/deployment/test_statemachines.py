"""The state machines, read as text: what AWS accepts in silence and only shows at night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.gates.deployment import ROOT, deployment
from tests.gates.machines import LAMBDA, OUR_ERRORS, findings, scopes

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSING = {"SourceUnavailableError", "DeliveryError", "CorruptDownloadError"}
"""The errors of ours that the contract's table gives a Retry; all others fail at once."""


def tasks() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, machine in deployment().machines.items():
        for where, states, _ in scopes(name, machine):
            for label, state in states.items():
                if state["Type"] == "Task":
                    yield f"{where}: {label}", state


def test_every_definition_is_deployed() -> None:
    deployed = {
        resource["Properties"]["DefinitionUri"]
        for resource in deployment().source["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }

    assert {f"statemachine/{path.name}" for path in (ROOT / "statemachine").glob("*.asl.json")} == deployed


def test_wiring_errors_timeouts_and_substitutions_hold() -> None:
    one = deployment()

    assert list(findings(one.machines, one.translated())) == []


def test_only_passing_errors_are_retried() -> None:
    for where, task in tasks():
        retried = {error for retrier in task["Retry"] for error in retrier["ErrorEquals"]}

        assert retried & OUR_ERRORS <= PASSING, where


def test_functions_are_given_the_execution_s_input_and_its_arn() -> None:
    # The state may be anything after an error; who the export is must not depend on it.
    for label, task in deployment().machines["ExportStateMachine"]["States"].items():
        if task["Type"] == "Task":
            payload = task["Parameters"]["Payload"]

            assert payload["request.$"] == "$$.Execution.Input", label
            assert payload["execution.$"] == "$$.Execution.Id", label


def test_an_export_outlives_its_job_s_deadline_and_is_never_without_end() -> None:
    one = deployment()
    longest = one.source["Parameters"]["JobDeadlineSeconds"]["MaxValue"]

    # A machine-level timeout ends the execution without running Catch: it must be the last resort.
    assert longest < one.machines["ExportStateMachine"]["TimeoutSeconds"] <= 2 * longest


def test_state_is_json_path_which_the_local_engine_runs_unpatched() -> None:
    for name, machine in deployment().machines.items():
        for where, states, _ in scopes(name, machine):
            for label, state in states.items():
                assert state.get("QueryLanguage", "JSONPath") == "JSONPath", f"{where}: {label}"


def test_no_function_s_reply_drags_lambda_s_own_metadata_along() -> None:
    for where, task in tasks():
        if task["Resource"] == LAMBDA:
            replied = task.get("OutputPath") or task.get("ResultSelector") or task.get("ResultPath")

            assert replied, where


def test_a_machine_that_the_template_does_not_name_is_found() -> None:
    one = deployment()
    one.machines["Stray"] = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}

    assert [found for found in findings(one.machines, one.translated()) if found.startswith("Stray")]
