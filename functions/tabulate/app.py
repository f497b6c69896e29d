"""Tabulate: a landed export as rows of a typed table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.tabulate.tabulate import tabulate

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do one event; what it fails on, Lambda tries twice more."""
    return tabulate(event, context.get_remaining_time_in_millis() / 1000)
