"""The deployment as AWS would get it: the template as AWS's own translator leaves it, and its machines.

The translator works in this process and asks nobody; local folders get S3 addresses, as packaging would give.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
PACKAGED = ("CodeUri", "ContentUri", "DefinitionUri")
FUNCTION = "AWS::Lambda::Function"
MACHINE = "AWS::StepFunctions::StateMachine"


@dataclass
class Deployment:
    """`source`: the SAM template; `machines`: the state machines' definitions by logical id."""

    source: dict[str, Any]
    machines: dict[str, dict[str, Any]]

    def copy(self) -> Deployment:
        """Give one that may be changed."""
        return copy.deepcopy(self)

    def translated(self) -> dict[str, Any]:
        """Give the CloudFormation template. Raises samtranslator's InvalidDocumentException."""
        template = copy.deepcopy(self.source)
        for name, resource in template["Resources"].items():
            for key in PACKAGED:
                if key in resource.get("Properties", {}):
                    resource["Properties"][key] = f"s3://artifacts/{name}"
        translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
        translated: dict[str, Any] = translator.translate(template, {})
        return translated


@cache
def _read() -> Deployment:
    source: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    machines = {
        name: json.loads((ROOT / resource["Properties"]["DefinitionUri"]).read_text())
        for name, resource in source["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    return Deployment(source, machines)


def deployment() -> Deployment:
    """Read this repository's deployment; the caller may change what it gets."""
    return _read().copy()


def of_type(template: dict[str, Any], *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the resources of some types: logical id and the whole resource."""
    return ((name, one) for name, one in template["Resources"].items() if one["Type"] in types)


def as_list(value: Any) -> list[Any]:
    """Give what CloudFormation and IAM let one write with or without a list."""
    return value if isinstance(value, list) else [value]


def branches(value: Any) -> list[Any]:
    """List what a value may turn out to be: both sides of every `Fn::If`, flattened, less `AWS::NoValue`."""
    if isinstance(value, dict) and "Fn::If" in value:
        return [one for side in value["Fn::If"][1:] for one in branches(side)]
    if isinstance(value, list):
        return [one for part in value for one in branches(part)]
    return [] if value in (None, {"Ref": "AWS::NoValue"}) else [value]


def text(value: Any) -> str:
    """Give one line that shows a value, `${Name.Attribute}` for references: what patterns match against."""
    if isinstance(value, dict) and len(value) == 1:
        name, argument = next(iter(value.items()))
        if name == "Ref":
            return f"${{{argument}}}"
        if name == "Fn::GetAtt":
            return "${" + (argument if isinstance(argument, str) else ".".join(argument)) + "}"
        if name == "Fn::Sub":
            return str(argument if isinstance(argument, str) else argument[0])
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
