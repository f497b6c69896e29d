"""Deploys a SAM template into the embedded AWS: AWS's own translator, then piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tests.sandbox import resources, workloads
from tests.sandbox.cloud import ACCOUNT, REGION
from tests.sandbox.resources import NOT_EMULATED, PROPERTIES_NOT_EMULATED
from tests.sandbox.template import Created, Resolver, TemplateError, parameters_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.sandbox.site import Site

CREATORS = resources.CREATORS | workloads.CREATORS
LOCAL_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


def deploy(site: Site, path: Path, given: Mapping[str, str]) -> dict[str, Created]:
    """Create every resource of the template at `path`; give them by logical id.

    TemplateError for what CloudFormation would refuse, and for a resource type that nobody here has heard of.
    """
    template: dict[str, Any] = yaml_parse(path.read_text())
    site.parameters = parameters = parameters_of(template, given)
    translated = translate(site, template, path.parent, parameters)
    pseudo = {
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": site.stack,
        "AWS::StackId": resources.arn("cloudformation", f"stack/{site.stack}/00000000"),
    }
    resolver = Resolver(translated, parameters, pseudo)
    for name in resolver.order():
        resource = translated["Resources"][name]
        kind, properties = resource["Type"], resolver.resolve(resource.get("Properties", {}))
        resolver.created[name] = create(site, name, kind, properties)
    return resolver.created


def create(site: Site, name: str, kind: str, properties: dict[str, Any]) -> Created:
    """Create one resource, or note why there is none."""
    if kind in NOT_EMULATED:
        site.not_emulated.append(f"{name} ({kind}): {NOT_EMULATED[kind]}")
        return Created(kind, site.physical_name(name))
    for (owner, key), reason in PROPERTIES_NOT_EMULATED.items():
        if owner == kind and key in properties:
            site.not_emulated.append(f"{name} ({kind}.{key}): {reason}")
    if kind not in CREATORS:
        raise TemplateError(
            f"{name}: the sandbox has not heard of {kind}; teach it or name it in NOT_EMULATED"
        )
    try:
        return CREATORS[kind](site, name, properties)
    except KeyError as error:
        raise TemplateError(f"{name} ({kind}): property {error} is missing") from error


def translate(
    site: Site, template: dict[str, Any], root: Path, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Make CloudFormation of SAM, with local folders given the S3 addresses that packaging would give."""
    for name, resource in template["Resources"].items():
        key = LOCAL_PROPERTIES.get(resource["Type"])
        if key is None or key not in resource.get("Properties", {}):
            continue
        path = (root / resource["Properties"][key]).resolve()
        if not path.exists():
            raise TemplateError(f"{name}: {key} leads to {path}, which is not there")
        resource["Properties"][key] = site.publish(path)
    try:
        translated: dict[str, Any] = transform(template, dict(parameters), _NoManagedPolicies())
    except InvalidDocumentException as error:
        raise TemplateError("; ".join([error.message, *(cause.message for cause in error.causes)])) from error
    return translated


class _NoManagedPolicies:
    """Stands in for the loader that would ask IAM for the names of AWS's own policies."""

    def load(self) -> dict[str, str]:
        """Give none: a template names them by ARN."""
        return {}
