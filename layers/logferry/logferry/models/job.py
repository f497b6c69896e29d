"""A job at the vendor, what the vendor says of it, and the files that it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logferry.models.request import ExportRequest


class JobState(StrEnum):
    """What any reply of a vendor comes down to."""

    RUNNING = "RUNNING"
    READY = "READY"
    FAILED = "FAILED"
    MALFORMED = "MALFORMED"
    """A reply that nobody can read; three in a row fail the export."""


class FileKind(StrEnum):
    """How a landed file is verified and its records are counted."""

    ZIP_CSV = "zip-csv"
    ZIP_JSON = "zip-json"
    XLSX = "xlsx"
    GZIP_JSONL = "gzip-jsonl"
    JSON = "json"

    @property
    def extension(self) -> str:
        """Return the end of the object's key."""
        return {"xlsx": ".xlsx", "gzip-jsonl": ".json.gz", "json": ".json"}.get(self, ".zip")

    @property
    def content_type(self) -> str:
        """Return the object's media type."""
        types = {
            "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "gzip-jsonl": "application/gzip",
            "json": "application/json",
        }
        return types.get(self, "application/zip")


@dataclass(frozen=True)
class Job:
    """A job that the vendor has accepted, or needs none of (READY at once)."""

    id: str
    request: ExportRequest
    state: JobState = JobState.RUNNING


@dataclass(frozen=True)
class JobStatus:
    """One status reply: `progress` in percent where the vendor gave one, `message` the vendor's own words."""

    state: JobState
    progress: float | None = None
    message: str | None = None
    unknown: str | None = None
    """The vendor's word for the state where nobody knows it."""


@dataclass(frozen=True)
class Download:
    """One file to fetch: a fresh URL with the headers it needs, or the bytes themselves.

    `headers` go to the connection's own origin only, together with its credentials. `file_hash` is the
    vendor's own hash of the file, in hex or base64 of MD5, SHA-1 or SHA-256. A URL is a credential: it is
    never logged, shown or kept.
    """

    url: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    file_hash: str | None = None
    gzipped: bool = False
    """Whether the file is itself gzip: `Content-Encoding: gzip` then names the file, and no coding of it."""
