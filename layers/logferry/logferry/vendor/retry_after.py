"""How long a vendor asks to be left alone."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("retry-after", "x-retry-after")
"""RFC 9110, 10.2.3, and the header beside it that Coherent's own SDK reads."""

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]*)?")
"""RFC 9110 knows whole seconds only, Spark sends fractions; no sign, no exponent, no `inf`."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that a reply asks to wait, or None where it asks for nothing that can be read.

    `headers` may be in any case. `now` is the Unix time that an HTTP date is held against; a date that has
    passed gives 0. Where both headers are there, the longer wait holds: never earlier than asked.
    """
    asked = [_seconds(value, now) for name, value in headers.items() if name.lower() in NAMES]
    return max((seconds for seconds in asked if seconds is not None), default=None)


def _seconds(value: str, now: float) -> float | None:
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        # RFC 9110, 5.6.7: dates are UTC, also in the old form that names no zone.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
