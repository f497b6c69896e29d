"""One value: from what the vendor wrote to what a column holds, or to nothing and the reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from logferry.tabulate.schema import BIGINT, TIMESTAMP

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
WHOLE: Final = re.compile(r"[+-]?[0-9]{1,19}")
LARGEST: Final = 2**63 - 1
SHOWN: Final = 60
"""Characters of an unreadable value that its row's `row_error` shows."""
SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""What no UTF-8 holds: what a byte that was none has been read as, or half of an escaped pair."""


class Unreadable(Exception):  # noqa: N818 - no failure: the cell is NULL and the row says why
    """A value that its column cannot hold; the text says why."""


def typed(column_type: str, text: str | None) -> Any:
    """Return a text as its column holds it; timestamps in microseconds since 1970. Raise Unreadable."""
    if text is None:
        return None
    if column_type == TIMESTAMP:
        return instant(text) if text else None
    if column_type == BIGINT:
        return whole(text) if text else None
    if not text.isascii() and SURROGATE.search(text):
        raise Unreadable("invalid UTF-8")
    return text


@lru_cache(maxsize=1024)
def instant(text: str) -> int:
    """Return the microseconds since 1970 of an ISO 8601 time with an offset. Raise Unreadable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"no time: {shown(text)}") from None
    if moment.tzinfo is None:
        raise Unreadable(f"a time without an offset: {shown(text)}")
    return microseconds(moment)


def microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware time."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def whole(text: str) -> int:
    """Return a whole number of 64 bits. Raise Unreadable."""
    if not WHOLE.fullmatch(text) or not -LARGEST <= (number := int(text)) <= LARGEST:
        raise Unreadable(f"no whole number: {shown(text)}")
    return number


def shown(text: str) -> str:
    """Return the beginning of a text as it can be read and stored."""
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return repr(shown).encode(errors="backslashreplace").decode()


def storable(text: str) -> str:
    r"""Return JSON text with what no UTF-8 holds escaped, `\udcff`: as JSON writes it."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
