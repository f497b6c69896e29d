"""Fetch: land the file, verified, and announce it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.export.fetch import fetch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do one step; a named error goes to the state machine."""
    return fetch(event, context.get_remaining_time_in_millis() / 1000)
