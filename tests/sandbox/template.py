"""A CloudFormation template being resolved: parameters, conditions, intrinsic functions, order of creation.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NO_VALUE = object()
VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class TemplateError(ValueError):
    """What CloudFormation would refuse, or what the sandbox does not know."""


@dataclass
class Created:
    """A resource that exists: what `Ref` and `Fn::GetAtt` of it give."""

    type: str
    ref: str
    attributes: dict[str, Any] = field(default_factory=dict)


def parameters_of(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Give every parameter's value, given or default; TemplateError for one that is refused."""
    declared: dict[str, dict[str, Any]] = template.get("Parameters", {})
    unknown = set(given) - set(declared)
    if unknown:
        raise TemplateError(f"parameters that the template does not have: {sorted(unknown)}")
    values: dict[str, Any] = {}
    for name, rules in declared.items():
        if name not in given and "Default" not in rules:
            raise TemplateError(f"parameter {name} has no default and was not given")
        text = str(given.get(name, rules.get("Default")))
        if "AllowedValues" in rules and text not in [str(one) for one in rules["AllowedValues"]]:
            raise TemplateError(f"parameter {name}: {text!r} is not one of {rules['AllowedValues']}")
        if "AllowedPattern" in rules and not re.fullmatch(rules["AllowedPattern"], text):
            raise TemplateError(f"parameter {name}: {text!r} does not match {rules['AllowedPattern']}")
        if rules["Type"] == "Number":
            low, high = rules.get("MinValue", float("-inf")), rules.get("MaxValue", float("inf"))
            if not float(low) <= float(text) <= float(high):
                raise TemplateError(f"parameter {name}: {text} is not between {low} and {high}")
        listed = rules["Type"].startswith("List<") or rules["Type"] == "CommaDelimitedList"
        values[name] = [part.strip() for part in text.split(",") if part.strip()] if listed else text
    broken = list(_rules_broken(template, values))
    if broken:
        raise TemplateError("; ".join(broken))
    return values


def _rules_broken(template: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """List what `Rules` say against parameters: the descriptions of assertions that do not hold."""
    resolver = Resolver(template, values, {})
    for rule in template.get("Rules", {}).values():
        if resolver.resolve(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
            for one in rule["Assertions"]:
                if not resolver.resolve(one["Assert"]):
                    yield one["AssertDescription"]


class Resolver:
    """Resolves a translated template's values as its resources come into being."""

    def __init__(
        self, template: Mapping[str, Any], parameters: Mapping[str, Any], pseudo: Mapping[str, str]
    ) -> None:
        self.template = template
        self.created: dict[str, Created] = {}
        self._values: dict[str, Any] = {**pseudo, **parameters, "AWS::NoValue": NO_VALUE}

    def order(self) -> list[str]:
        """List the resources whose conditions hold, each after those it refers to or depends on."""
        resources: dict[str, dict[str, Any]] = self.template["Resources"]
        wanted = {
            name: one
            for name, one in resources.items()
            if "Condition" not in one or self.condition(one["Condition"])
        }
        graph: dict[str, set[str]] = {}
        for name, one in wanted.items():
            explicit = one.get("DependsOn", [])
            needs = {explicit} if isinstance(explicit, str) else set(explicit)
            needs |= set(self._references(one.get("Properties", {})))
            graph[name] = needs & set(wanted) - {name}
        return list(TopologicalSorter(graph).static_order())

    def condition(self, name: str) -> bool:
        """Tell whether a named condition holds."""
        try:
            return bool(self.resolve(self.template["Conditions"][name]))
        except KeyError as error:
            raise TemplateError(f"no such condition: {name}") from error

    def resolve(self, value: Any) -> Any:
        """Give the value with every intrinsic function carried out; keys with no value are left out."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not NO_VALUE}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return self._ref(argument)
        if name == "Fn::GetAtt":
            return self._get_att(argument)
        if name == "Fn::Sub":
            return self._sub(argument)
        if name == "Fn::If":
            return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])
        if name == "Fn::FindInMap":
            outer, first, second = self.resolve(argument)
            return self.resolve(self.template["Mappings"][outer][first][second])
        given = self.resolve(argument)
        simple: dict[str, Callable[[], Any]] = {
            "Fn::Join": lambda: given[0].join(map(str, given[1])),
            "Fn::Equals": lambda: str(given[0]) == str(given[1]),
            "Fn::Not": lambda: not given[0],
            "Fn::And": lambda: all(given),
            "Fn::Or": lambda: any(given),
            "Fn::Contains": lambda: str(given[1]) in map(str, given[0]),
            "Fn::Select": lambda: given[1][int(given[0])],
            "Fn::Split": lambda: given[1].split(given[0]),
            "Fn::Base64": lambda: base64.b64encode(given.encode()).decode(),
        }
        if name not in simple:
            raise TemplateError(f"the sandbox does not know {name}")
        return simple[name]()

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name in self.created:
            return self.created[name].ref
        raise TemplateError(f"Ref of {name}: there is no such parameter or resource")

    def _get_att(self, argument: Any) -> Any:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        try:
            return self.created[name].attributes[attribute]
        except KeyError as error:
            raise TemplateError(
                f"Fn::GetAtt of {name}.{attribute}: the sandbox gives no such value"
            ) from error

    def _sub(self, argument: Any) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument
        own = self.resolve(extra)

        def fill(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in own:
                return str(own[name])
            return str(self._get_att(name) if "." in name else self._ref(name))

        return VARIABLE.sub(fill, text).replace("${!", "${")

    def _references(self, value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for one in value:
                yield from self._references(one)
        elif isinstance(value, dict):
            for key, one in value.items():
                if key == "Ref":
                    yield one
                elif key == "Fn::GetAtt":
                    yield one.split(".")[0] if isinstance(one, str) else one[0]
                elif key == "Fn::Sub":
                    text = one if isinstance(one, str) else one[0]
                    yield from (match.split(".")[0].strip() for match in VARIABLE.findall(text))
                yield from self._references(one)
