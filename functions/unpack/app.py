"""Unpack: a landed archive's entries, as Athena and Spark read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logferry.unpack.unpack import unpack

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do one event; what it fails on, Lambda tries twice more."""
    return unpack(event, context.get_remaining_time_in_millis() / 1000)
