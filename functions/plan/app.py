"""Plan: the windows of a collection, less what has landed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.collect.plan import plan

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Do one step; a named error goes to the state machine."""
    return plan(event)
