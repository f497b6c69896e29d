"""What verification found out about a file, and how much it may find before it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from logferry.errors import CorruptDownloadError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an archive: `size` in bytes uncompressed, `crc32` in 8 lower-case hex digits."""

    name: str
    size: int
    crc32: str | None
    records: int | None


@dataclass(frozen=True, slots=True)
class Findings:
    """A verified file: entries in the archive's order, `records` their sum; None where it cannot be told."""

    entries: Sequence[Entry]
    records: int | None
    suspect: tuple[str, ...] = ()
    """Reasons to look at it, in words."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a file may come to before it is refused."""

    entries: int = 100_000
    """Spark's limit of rows a download: even one file a call stays within it."""
    directory: int = 16 * 1024**2
    """Bytes of a ZIP's central directory: what has to be remembered of the entries until it comes."""
    inflated: int = 1024**4
    """Bytes of all contents together."""
    ratio: int = 1032
    """Inflated bytes for a compressed one. DEFLATE's best is 258 bytes for two bits; constant CSV has 496."""


class InflationBudget:
    """The inflated bytes of one file, counted against its limits."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self.limits = limits
        self._inflated = 0

    def spend(self, inflated: int) -> None:
        """Count inflated bytes; `CorruptDownloadError` when the file has had its share."""
        self._inflated += inflated
        if self._inflated > self.limits.inflated:
            raise CorruptDownloadError(f"the file inflates to more than {self.limits.inflated:,} bytes")

    def check_ratio(self, what: object, size: int, packed: int) -> None:
        """Refuse a ratio that no honest file has."""
        if size > packed * self.limits.ratio:
            raise CorruptDownloadError(
                f"{what} makes {size:,} bytes of {packed:,}: more than {self.limits.ratio:,}:1"
            )
