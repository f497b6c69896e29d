"""IAM's answer to one request, bounded to the operators that the template uses.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.gates.deployment import as_list
from tests.sandbox.template import Created, Resolver, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REGION, ACCOUNT, STACK = "eu-west-1", "123456789012", "logferry"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/11111111-2222-3333-4444",
}
RESOURCE_POLICIES = {
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SQS::QueuePolicy": "Queues",
}
NAMES = {"AWS::Lambda::Function": "FunctionName", "AWS::StepFunctions::StateMachine": "Name"}
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda asked, said: asked == said,
    "StringLike": fnmatch.fnmatchcase,
    "ArnEquals": fnmatch.fnmatchcase,
    "ArnLike": fnmatch.fnmatchcase,
    "Bool": lambda asked, said: asked.lower() == said.lower(),
    "NumericLessThan": lambda asked, said: float(asked) < float(said),
}
NEGATED = {"ArnNotEquals": "ArnEquals", "StringNotEquals": "StringEquals"}


@dataclass(frozen=True)
class Request:
    """`who`: a role's ARN or a service's name; `context`: condition keys as AWS documents them.

    `anything`: whether the requester's own policies, which may be others than this stack's, allow everything.
    """

    who: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)
    anything: bool = False


class Account:
    """A stack's policies as one set of parameters makes them, every reference resolved."""

    def __init__(self, template: dict[str, Any], given: Mapping[str, str]) -> None:
        self._resolver = Resolver(template, parameters_of(template, given), PSEUDO)
        self.resources: dict[str, tuple[str, dict[str, Any]]] = {}
        for name in self._resolver.order():
            kind = template["Resources"][name]["Type"]
            properties = self._resolver.resolve(template["Resources"][name].get("Properties", {}))
            self.resources[name] = (kind, properties)
            self._resolver.created[name] = _created(name, kind, properties)

    def arn(self, name: str) -> str:
        """Return a resource's ARN by its logical id."""
        return str(self._resolver.created[name].attributes["Arn"])

    def output(self, name: str) -> str:
        """Return an output's value."""
        return str(self._resolver.resolve(self._resolver.template["Outputs"][name]["Value"]))

    def allows(self, request: Request) -> bool:
        """Check whether IAM would let a request pass; an explicit Deny is stronger than any Allow."""
        on_key = request.action.startswith("kms:")
        identity = list(self._identity(request.who))
        attached = list(self._attached(request.resource))
        if any(one["Effect"] == "Deny" and self._holds(one, request) for one in [*identity, *attached]):
            return False
        own = request.anything or any(
            one["Effect"] == "Allow" and self._holds(one, request) for one in identity
        )
        given = any(
            one["Effect"] == "Allow" and self._holds(one, request, delegated=False) for one in attached
        )
        if not on_key:
            return own or given
        # A key's policy decides alone, unless it leaves the decision to the account's own policies.
        delegated = any(one["Effect"] == "Allow" and self._holds(one, request) for one in attached)
        return given or (own and (delegated or not attached))

    def assumable(self, role: str, service: str, context: Mapping[str, str]) -> bool:
        """Check whether a service may take on a role."""
        trust = self.resources[role][1]["AssumeRolePolicyDocument"]["Statement"]
        return any(
            service in as_list(one["Principal"].get("Service", [])) and _conditions(one, context)
            for one in trust
        )

    def _identity(self, who: str) -> Iterator[dict[str, Any]]:
        for name, (kind, properties) in self.resources.items():
            if kind != "AWS::IAM::Role" or self.arn(name) != who:
                continue
            for policy in properties.get("Policies", []):
                yield from as_list(policy["PolicyDocument"]["Statement"])
            for managed, (_, held) in self.resources.items():
                if self._resolver.created[managed].ref in properties.get("ManagedPolicyArns", []):
                    yield from as_list(held["PolicyDocument"]["Statement"])

    def _attached(self, resource: str) -> Iterator[dict[str, Any]]:
        for name, (kind, properties) in self.resources.items():
            if kind == "AWS::KMS::Key" and self.arn(name) == resource:
                yield from as_list(properties["KeyPolicy"]["Statement"])
            if kind in RESOURCE_POLICIES and any(
                resource == arn or resource.startswith(f"{arn}/")
                for arn in self._arns(as_list(properties[RESOURCE_POLICIES[kind]]))
            ):
                yield from as_list(properties["PolicyDocument"]["Statement"])

    def _arns(self, refs: list[str]) -> Iterator[str]:
        return (str(one.attributes["Arn"]) for one in self._resolver.created.values() if one.ref in refs)

    @staticmethod
    def _holds(statement: dict[str, Any], request: Request, *, delegated: bool = True) -> bool:
        return (
            _principal(statement.get("Principal"), request.who, delegated=delegated)
            and any(fnmatch.fnmatchcase(request.action, said) for said in as_list(statement["Action"]))
            and _matches(request.resource, statement.get("Resource", "*"))
            and not _matches(request.resource, statement.get("NotResource", []))
            and _conditions(statement, {"aws:PrincipalArn": request.who, **request.context})
        )


def _matches(resource: str, said: Any) -> bool:
    return any(fnmatch.fnmatchcase(resource, one) for one in as_list(said))


def _principal(principal: Any, who: str, *, delegated: bool) -> bool:
    if principal in (None, "*"):
        return True
    root = f"arn:aws:iam::{ACCOUNT}:root"
    people = as_list(principal.get("AWS", []))
    if delegated and root in people and who.startswith("arn:"):
        return True
    return who in [*people, *as_list(principal.get("Service", []))]


def _conditions(statement: dict[str, Any], context: Mapping[str, str]) -> bool:
    for operator, wanted in statement.get("Condition", {}).items():
        test = OPERATORS[NEGATED.get(operator, operator)]
        for key, said in wanted.items():
            met = key in context and any(test(context[key], str(one)) for one in as_list(said))
            if met == (operator in NEGATED):
                return False
    return True


def _created(name: str, kind: str, properties: dict[str, Any]) -> Created:
    service = kind.split("::")[1].lower()
    called = str(properties.get(NAMES.get(kind, ""), name))
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{called}"
    if kind == "AWS::Lambda::Function":
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{called}"
    if kind == "AWS::IAM::Role":
        arn = f"arn:aws:iam::{ACCOUNT}:role/{called}"
    if kind == "AWS::S3::Bucket":
        called = name.lower()
        arn = f"arn:aws:s3:::{called}"
    attributes: dict[str, Any] = defaultdict(f"{name}-attribute".format, Arn=arn)
    plain = kind in (
        "AWS::S3::Bucket",
        "AWS::Lambda::Function",
        "AWS::DynamoDB::Table",
        "AWS::Logs::LogGroup",
    )
    return Created(kind, called if plain else arn, attributes)
