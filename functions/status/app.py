"""Status: ask the vendor how the job is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.export.poll import check

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Do one step; a named error goes to the state machine."""
    return check(event)
