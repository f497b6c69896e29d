"""`python -m tests.smoke STACK [--input FILE]`: one export and one dry run on a deployed stack.

With the caller's own AWS credentials and region. It exports for real, under a connection of the caller's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from logferry.errors import InvalidRequestError
from logferry.export.validation import export_request
from tests.smoke.collecting import Collecting
from tests.smoke.executions import Executions
from tests.smoke.exporting import Exporting
from tests.smoke.report import Broken, Report
from tests.smoke.stack import find_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.smoke.stack import Stack

WARNING = (
    "This exports for real, as a refresh. Two failures that are no export's will be announced to the"
    " topic's subscribers, and the alarm on failed exports goes off: that is part of the test."
)
ALWAYS_OPEN = (
    "that no function may do more than it needs: read the template, where each right has its reason",
    "that alarms reach you: set one off, or subscribe and wait",
)


def own_client(service: str) -> Any:
    """Give a client with the caller's own credentials and region."""
    make: Any = boto3.client  # the stubs want a literal name
    return make(service)


def main(
    arguments: Sequence[str] | None = None,
    *,
    client: Callable[[str], Any] = own_client,
    find: Callable[[Any, str], Stack] = find_stack,
    say: Callable[[str], None] = print,
    ask: Callable[[str], str] = input,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Say what was proved; 0 if everything held, 1 at the first thing that did not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke", description=__doc__)
    parser.add_argument("stack", help="the CloudFormation stack")
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="an export's input; asked for if not given"
    )
    given = parser.parse_args(arguments)
    try:
        path = given.input or Path(
            ask("A file with an export's input, naming a connection of yours: ").strip()
        )
        document = json.loads(path.read_text())
        request = export_request(document)
    except (OSError, EOFError, ValueError, InvalidRequestError) as error:
        say(f"✗ no export to start: {str(error) or 'give --input FILE'}")
        return 2
    report = Report(say)
    say(WARNING)
    try:
        stack = find(client("cloudformation"), given.stack)
        report.proves(f"the stack {stack.name} is deployed whole")
        stepfunctions = client("stepfunctions")
        exports, collections = (
            Executions(stepfunctions, stack.outputs[name], pause)
            for name in ("ExportStateMachineArn", "CollectStateMachineArn")
        )
        exporting = Exporting(stack, client, exports, request, document, report, pause)
        landed = exporting.lands()
        exporting.is_whole(landed.output)
        exporting.is_announced(landed)
        exporting.is_not_repeated(landed)
        exporting.is_unpacked(landed.output)
        exporting.fails_aloud()
        exporting.stops_aloud()
        collecting = Collecting(stack, client, collections, request, report)
        collecting.plans()
        collecting.is_scheduled()
    except Broken as broken:
        say(f"✗ {broken}\n  → {broken.remedy}")
        return 1
    except (ClientError, BotoCoreError) as error:
        say(f"✗ {error}\n  → see your own credentials, their rights, and your region (AWS_DEFAULT_REGION)")
        return 1
    for fact in ALWAYS_OPEN:
        report.leaves_open(fact)
    report.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
