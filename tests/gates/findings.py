"""One door to everything that the gates say of a deployment in this process."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from cfnlint.api import lint
from samtranslator.model.exceptions import InvalidDocumentException

from tests.gates import asked, machines, operations, parameters, protection, rights
from tests.gates.deployment import REGION, deployment

if TYPE_CHECKING:
    from tests.gates.deployment import Deployment


def findings(one: Deployment) -> list[str]:
    """Say what is wrong; an empty list is what `make test` wants.

    cfn-lint reads the translated template, where it sees more than in SAM. It takes a second, so it is asked
    only when nothing else was found.
    """
    try:
        template = one.translated()
    except InvalidDocumentException as error:
        return [error.message, *(cause.message for cause in error.causes)]
    found = [
        *rights.findings(template),
        *protection.findings(template),
        *operations.findings(template),
        *machines.findings(one.machines, template),
        *parameters.findings(template),
    ]
    return found or list(asked.findings(template)) or linted(template)


def linted(template: dict[str, Any]) -> list[str]:
    """Say what cfn-lint finds in a translated template."""
    return [
        f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}"
        for match in lint(json.dumps(template), regions=[REGION])
    ]


def main() -> int:
    """Print the findings; 0 if there are none."""
    found = findings(deployment())
    print("\n".join(found) or "no findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
