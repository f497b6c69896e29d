"""checkov on the translated template: what is not accepted with a reason, in `accepted.py`, fails.

On the translated template it sees more than on SAM: 19 findings where it had 12, an admin role among them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.gates.accepted import CHECKOV
from tests.gates.deployment import deployment

CHECKOV_BIN = Path(sys.executable).parent.parent / "checkov/bin/checkov"


def scan(template: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Give checkov's failed checks: id, resource, and what it says."""
    with tempfile.TemporaryDirectory(prefix="logferry-checkov-") as folder:
        (Path(folder) / "template.json").write_text(json.dumps(template, indent=1))
        command = [str(CHECKOV_BIN), "--directory", folder, "--framework", "cloudformation"]
        command += ["--output", "json", "--quiet", "--compact", "--skip-download", "--soft-fail"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
        results, checked = report["results"]["failed_checks"], report["summary"]["passed"]
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"checkov gave no report: {done.stdout[-500:]} {done.stderr[-500:]}") from error
    if not checked:
        raise RuntimeError("checkov checked nothing")
    return [(one["check_id"], one["resource"], one["check_name"]) for one in results]


def main() -> int:
    """Print what is not accepted, and what is accepted for no reason any more; 0 if there is neither."""
    found = scan(deployment().translated())
    unaccepted = [f"{check} {resource}: {name}" for check, resource, name in found if check not in CHECKOV]
    stale = sorted(set(CHECKOV) - {check for check, _, _ in found})
    unaccepted += [f"{check} is accepted, but no longer found: take it off the list" for check in stale]
    print(
        "\n".join(unaccepted) or f"nothing beyond {', '.join(sorted(CHECKOV))}, accepted with their reasons"
    )
    return 1 if unaccepted else 0


if __name__ == "__main__":
    sys.exit(main())
