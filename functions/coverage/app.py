"""Coverage: a CloudWatch custom widget that draws which windows are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.coverage.widget import show

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> str:
    """Answer the dashboard."""
    return show(event)
