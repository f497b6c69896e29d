"""The deployment, as the gates see it, and what the contract says of its parameters."""

from __future__ import annotations

import json

import pytest

from tests.gates.deployment import ROOT, deployment, of_type, text
from tests.gates.findings import findings


def test_the_gates_find_nothing_in_this_deployment() -> None:
    assert findings(deployment()) == []


def test_the_parameters_that_tools_rely_on_have_their_names_and_defaults() -> None:
    parameters = deployment().source["Parameters"]

    assert parameters["SecretPrefix"]["Default"] == "logferry/"
    assert parameters["JobDeadlineSeconds"]["Default"] == 21600
    assert parameters["AdoptSeconds"]["Default"] == 86400
    assert parameters["SubmitUncertain"]["Default"] == "resubmit"
    assert sorted(parameters["SubmitUncertain"]["AllowedValues"]) == ["fail", "resubmit"]
    assert "LogLevel" in parameters


def test_a_stack_needs_no_parameter() -> None:
    parameters = deployment().source["Parameters"]

    assert [name for name, one in parameters.items() if "Default" not in one] == []


def test_every_parameter_is_grouped_labelled_and_described() -> None:
    source = deployment().source
    names = set(source["Parameters"])
    shown = source["Metadata"]["AWS::CloudFormation::Interface"]

    assert {one for group in shown["ParameterGroups"] for one in group["Parameters"]} == names
    assert set(shown["ParameterLabels"]) == names
    assert all(one["Description"] for one in source["Parameters"].values())


def test_free_text_parameters_have_a_pattern() -> None:
    parameters = deployment().source["Parameters"]
    free = {
        name
        for name, one in parameters.items()
        if one["Type"] == "String" and not {"AllowedValues", "AllowedPattern"} & set(one)
    }

    # Hosts past a proxy are whatever the proxy's operator writes.
    assert free <= {"NoProxy", "CollectInput"}


def test_secrets_cannot_be_read_beyond_the_prefix() -> None:
    pattern = deployment().source["Parameters"]["SecretPrefix"]["AllowedPattern"]

    # An empty prefix would let the functions read every secret of the account.
    assert "{1,256}" in pattern


@pytest.mark.parametrize(
    ("function", "seconds"),
    [("SubmitFunction", 240), ("StatusFunction", 150), ("FetchFunction", 900), ("AbandonFunction", 180)],
)
def test_functions_have_the_time_that_their_code_counts_on(function: str, seconds: int) -> None:
    assert deployment().translated()["Resources"][function]["Properties"]["Timeout"] == seconds


def test_fetch_has_a_whole_processor() -> None:
    # 1,769 MB is one vCPU: docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    assert deployment().translated()["Resources"]["FetchFunction"]["Properties"]["MemorySize"] == 1769


def test_every_function_of_the_template_is_a_folder_with_a_door_and_needs_no_build() -> None:
    for name, resource in of_type(deployment().source, "AWS::Serverless::Function"):
        assert (ROOT / resource["Properties"]["CodeUri"] / "app.py").is_file(), name
        assert resource["Metadata"] == {"SkipBuild": True}, name


def test_every_folder_of_functions_is_in_the_template() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    deployed = {
        resource["Properties"]["CodeUri"].strip("/").removeprefix("functions/")
        for _, resource in of_type(deployment().source, "AWS::Serverless::Function")
    }

    assert folders == deployed


def test_functions_are_told_what_their_code_asks_for() -> None:
    variables = deployment().translated()["Resources"]["FetchFunction"]["Properties"]["Environment"][
        "Variables"
    ]

    assert {
        "BUCKET",
        "BUCKET_OWNER",
        "TABLE",
        "TOPIC_ARN",
        "SECRET_PREFIX",
        "JOB_DEADLINE_SECONDS",
        "ADOPT_SECONDS",
        "SUBMIT_UNCERTAIN",
        "POWERTOOLS_LOG_LEVEL",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_SERVICE_NAME",
    } <= set(variables)


def test_no_version_is_pinned_by_an_alias() -> None:
    # Running executions must meet new code: the state they carry is made for that.
    assert list(of_type(deployment().translated(), "AWS::Lambda::Alias")) == []


def test_the_dashboard_is_json_once_its_references_are_filled_in() -> None:
    for name, resource in of_type(deployment().translated(), "AWS::CloudWatch::Dashboard"):
        body = json.loads(text(resource["Properties"]["DashboardBody"]))

        assert len(body["widgets"]) >= 6, name
        # The picture costs reads of the ledger, and does not run before a viewer allows it.
        [picture] = [each["properties"] for each in body["widgets"] if each["type"] == "custom"]
        assert not any(picture["updateOn"].values())
        assert "lambda:InvokeFunction" in picture["title"]


def test_outputs_name_what_the_next_tool_needs() -> None:
    assert {"BucketName", "TableName", "TopicArn", "ExportStateMachineArn", "SecretPrefix"} <= set(
        deployment().source["Outputs"]
    )
