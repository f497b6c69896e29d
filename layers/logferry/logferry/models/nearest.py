"""The nearest valid name to one that is none: what an error suggests. Only valid names are ever repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOKED_AT = 100
"""Characters of a name that are compared; no valid one is longer."""


def suggestion(given: object, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the most similar of the known names, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - no cold start pays for it

    names = {name.lower(): name for name in known}
    text = given.strip().lower() if isinstance(given, str) else ""
    ends = [name for name in names if text and len(text) <= LOOKED_AT and name.rpartition("/")[2] == text]
    found = ends or (get_close_matches(text, names, 1) if 0 < len(text) <= LOOKED_AT else [])
    return f"; did you mean {names[found[0]]}?" if found else ""


def misspelled(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that is one edit away, or differs in case, hyphens and underscores only.

    So near a name, what was given is a name too, and no secret that got into its place.
    """
    return next((name for name in known if _plain(name) == _plain(given) or _one_edit(name, given)), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _one_edit(one: str, other: str) -> bool:
    """Check whether one character too many, too few, wrong, or two exchanged lie between two names."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    exchanged = len(one) > 1 and one[:2] == other[1::-1] and one[2:] == other[2:]
    return exchanged or one[1:] == other[1:] or one[1:] == other or one == other[1:]
