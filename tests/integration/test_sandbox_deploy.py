from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.sandbox.engine import Sandbox
from tests.sandbox.template import Resolver, TemplateError, parameters_of

TOY = Path(__file__).parents[1] / "sandbox" / "toy"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(TOY, tmp_path / "toy")
    return tmp_path / "toy" / "template.yaml"


def test_a_function_gets_the_templates_variables_resolved() -> None:
    # Given
    with Sandbox(template=TOY / "template.yaml", parameters={"Greeting": "goodbye"}) as sandbox:
        # When
        seen = sandbox.invoke("TalkFunction", {"do": "environment"}).json()

        # Then
        assert seen["GREETING"] == "goodbye from logferry"
        assert seen["BUCKET"] == sandbox.bucket
        assert seen["VOLUME"] == "low"
        assert "SHOUT" not in seen
        assert "OnlyWhenLoud" not in sandbox.resources


def test_conditions_decide_what_is_made() -> None:
    # Given
    with Sandbox(template=TOY / "template.yaml", parameters={"Loud": "yes"}) as sandbox:
        # When
        seen = sandbox.invoke("TalkFunction", {"do": "environment"}).json()

        # Then
        assert (seen["VOLUME"], seen["SHOUT"]) == ("high", "yes")
        assert "OnlyWhenLoud" in sandbox.resources


def test_what_is_left_out_is_named_with_its_reason() -> None:
    # Given
    with Sandbox(template=TOY / "template.yaml") as sandbox:
        # When, Then
        assert "Bucket (AWS::S3::Bucket.LifecycleConfiguration): nothing expires" in sandbox.not_emulated


@pytest.mark.parametrize(
    ("before", "after", "refusal"),
    [
        (
            "Topic: {Type: AWS::SNS::Topic}",
            "Topic: {Type: AWS::Bogus::Thing}",
            "not heard of AWS::Bogus::Thing",
        ),
        ("CodeUri: talk/", "CodeUri: walk/", "CodeUri leads to .*walk, which is not there"),
        ("cron(0 2 * * ? *)", "cron(0 2 * *)", "no rate"),
        (
            "DefinitionSubstitutions: {Talk:",
            "DefinitionSubstitutions: {Tall:",
            "no DefinitionSubstitutions for",
        ),
        ("Handler: app", "Hundler: app", "Hundler"),
    ],
)
def test_what_cloudformation_would_refuse_is_refused(
    copy: Path, before: str, after: str, refusal: str
) -> None:
    # Given
    text = copy.read_text()
    assert before in text
    copy.write_text(text.replace(before, after))

    # When, Then
    with pytest.raises(TemplateError, match=refusal), Sandbox(template=copy):
        pass


@pytest.mark.parametrize("field", ["StartAt", "Next", "Default"])
def test_a_transition_to_nowhere_is_refused(copy: Path, field: str) -> None:
    # Given
    machine = copy.parent / "single.asl.json"
    definition = json.loads(machine.read_text())
    places = {
        "StartAt": definition,
        "Next": definition["States"]["Talk"]["Catch"][0],
        "Default": definition["States"]["Talked?"],
    }
    places[field][field] = "Nowhere"
    machine.write_text(json.dumps(definition))

    # When, Then
    with pytest.raises(TemplateError, match=r"MISSING_TRANSITION_TARGET.*Nowhere"), Sandbox(template=copy):
        pass


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"Greeting": "shut up"}, "not one of"),
        ({"Bogus": "1"}, "does not have"),
        ({"Name": "UPPER"}, "does not match"),
        ({"Size": "11"}, "not between"),
        ({}, "no default"),
    ],
)
def test_parameters_are_held_to_their_rules(given: dict[str, str], refusal: str) -> None:
    # Given
    template = {
        "Parameters": {
            "Greeting": {"Type": "String", "Default": "hello", "AllowedValues": ["hello"]},
            "Name": {"Type": "String", "AllowedPattern": "[a-z]+"}
            | ({} if not given else {"Default": "name"}),
            "Size": {"Type": "Number", "Default": 3, "MaxValue": 10},
        }
    }

    # When, Then
    with pytest.raises(TemplateError, match=refusal):
        parameters_of(template, given)


def test_intrinsic_functions_give_what_cloudformation_gives() -> None:
    # Given
    template = {
        "Resources": {},
        "Conditions": {"Yes": {"Fn::Equals": ["1", 1]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}},
        "Mappings": {"Outer": {"first": {"second": "found"}}},
    }
    resolver = Resolver(template, {"Given": "value", "Listed": ["a", "b"]}, {"AWS::Region": "eu-west-1"})

    # When
    resolved = resolver.resolve(
        {
            "sub": {"Fn::Sub": "${Given} in ${AWS::Region}, not ${!Literal}"},
            "own": {"Fn::Sub": ["${Mine}", {"Mine": {"Ref": "Given"}}]},
            "join": {"Fn::Join": ["-", {"Ref": "Listed"}]},
            "if": {"Fn::If": ["No", "no", "yes"]},
            "gone": {"Fn::If": ["No", "no", {"Ref": "AWS::NoValue"}]},
            "map": {"Fn::FindInMap": ["Outer", "first", "second"]},
            "select": {"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]},
            "base64": {"Fn::Base64": "hi"},
        }
    )

    # Then
    assert resolved == {
        "sub": "value in eu-west-1, not ${Literal}",
        "own": "value",
        "join": "a-b",
        "if": "yes",
        "map": "found",
        "select": "b",
        "base64": "aGk=",
    }


def test_a_bucket_on_the_real_s3_server_takes_what_a_function_puts() -> None:
    # Given
    with Sandbox(template=TOY / "template.yaml", s3="seaweedfs") as sandbox:
        # When
        reply = sandbox.invoke("TalkFunction", {"do": "put", "key": "a folder/ä.txt"})
        sandbox.invoke("TalkFunction", {"do": "put", "key": "a folder/ä.txt"})

        # Then
        assert reply.error is None
        first, second = sandbox.objects(all_versions=True)
        assert (first.key, first.latest, second.latest) == ("a folder/ä.txt", True, False)
        assert sandbox.read("a folder/ä.txt") == b"content"


def test_what_a_stack_finds_in_place_can_be_prepared() -> None:
    # Given
    def prepare(sandbox: Sandbox) -> None:
        where = {"LocationConstraint": "eu-west-1"}
        sandbox.client("s3").create_bucket(Bucket="in-place", CreateBucketConfiguration=where)

    # When
    with Sandbox(parameters={"ExistingBucketName": "in-place"}, prepare=prepare) as sandbox:
        # Then
        assert "Bucket" not in sandbox.resources
        assert sandbox.bucket == "in-place"
        assert sandbox.runtime.function("FetchFunction").environment["BUCKET"] == "in-place"
