"""What the smoke test says: a line for each fact that was proved, and what nobody could prove."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Broken(Exception):  # noqa: N818 - a finding of the smoke test, not an error in it
    """A promise that the stack does not keep, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass
class Report:
    """Says each fact at once; keeps what is left open for the end."""

    say: Callable[[str], None]
    proved: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def proves(self, fact: str) -> None:
        """Say a fact that was seen."""
        self.proved.append(fact)
        self.say(f"✓ {fact}")

    def leaves_open(self, fact: str) -> None:
        """Keep a fact that could not be seen."""
        self.open.append(fact)

    def close(self) -> None:
        """Say what remains."""
        self.say(f"{len(self.proved)} facts proved. Not proved here:")
        for fact in self.open:
            self.say(f"· {fact}")
