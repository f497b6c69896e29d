"""Parameters: what `sam deploy --guided` asks can be answered, and what can never work is refused at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def findings(template: dict[str, Any]) -> Iterator[str]:
    """Say what a platform team would stumble over when it deploys a translated template."""
    for name, rules in template["Parameters"].items():
        if rules.get("NoEcho") and rules.get("Default", "") == "":
            yield f"{name}: SAM asks for a hidden parameter again and again until something is typed"
        if "Default" not in rules:
            yield f"{name}: has no default, so that Enter alone is no answer"
