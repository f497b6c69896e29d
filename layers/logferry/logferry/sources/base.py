"""What a source is: one export API of one vendor. "Add a source" in sources/README.md walks through it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from logferry.models.request import ExportRequest, Window
from logferry.vendor.connection import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from logferry.models.feed import Feed
    from logferry.models.job import Download, FileKind, Job, JobStatus
    from logferry.vendor.client import Api
    from logferry.vendor.connection import Auth

LONGEST_ID = 512
"""Characters of a job's id, which travels in the state machine's state: they are UUIDs."""


LONGEST_NUMBER = 40
"""Digits of a job's id that is a number: no vendor counts further."""

ID = re.compile(rf"[A-Za-z0-9._~-]{{1,{LONGEST_ID}}}")


@dataclass(frozen=True)
class NoFields:
    """A target or filters without keys."""


@dataclass(frozen=True)
class WindowRule:
    """What windows a source takes: the longest, and the only time zone whose days it knows."""

    longest: timedelta | None = None
    zone: str | None = None


@dataclass(frozen=True)
class VendorLimits:
    """What one download of the vendor holds at most; a result this large may have been cut in silence."""

    records: int | None = None
    bytes: int | None = None
    largest: int = 64 * 2**30
    """The largest file that is fetched at all, in bytes."""


class Source(ABC):
    """One export API: what it asks for, and the four things that Logferry does with a job.

    `Target` and `Filters` are dataclasses whose fields are the keys of the input; a field without a default
    is required. `item` names the target's keys that single out one thing where there are no windows.
    """

    name: ClassVar[str]
    kind: ClassVar[FileKind]
    """What its files are."""
    Target: ClassVar[type] = NoFields
    Filters: ClassVar[type] = NoFields
    window: ClassVar[WindowRule | None] = WindowRule()
    item: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[VendorLimits] = VendorLimits()
    too_large: ClassVar[re.Pattern[str] | None] = None
    """The vendor's words for a job that failed because its result would be larger than the limit."""

    feed: ClassVar[Feed | None] = None
    """Which table its files feed, and how their records are read; None where they feed none."""

    auth: ClassVar[Mapping[str, Auth]]
    account: ClassVar[str]
    """The key of the secret that names the account."""
    permission: ClassVar[str]
    """What to ask the vendor's administrator for after a 403."""

    adoptable: ClassVar[bool] = True
    """Whether a job outlives the execution that asked for it; if not, delete() ends it."""
    visible_within: ClassVar[float] = 60
    """Seconds after the submit in which a 404 for the job means only that it is not visible yet."""

    @property
    def rules(self) -> Rules:
        """Return what this source asks of a connection."""
        return Rules(self.name, self.auth, self.account, self.download_hosts)

    def read(self, document: Mapping[str, Any]) -> ExportRequest:
        """Return the request of an input that was validated, defaults filled in and nulls left out."""
        window = document.get("window")
        return ExportRequest(
            source=self.name,
            connection=document["connection"],
            target=_given(self.Target(**(document.get("target") or {}))),
            window=Window.from_json(window) if window else None,
            filters=_given(self.Filters(**(document.get("filters") or {}))),
            refresh=bool(document.get("refresh")),
            on_limit=document.get("on_limit", "land"),
            item=self.item,
        )

    @abstractmethod
    def download_hosts(self, base_url: str) -> tuple[str, ...]:
        """Return the hosts that files may come from where the secret does not say."""

    def record_limit(self, request: ExportRequest) -> int | None:  # noqa: ARG002 - some depend on a filter
        """Return the number of records at which a result may have been cut."""
        return self.limits.records

    def check_request(self, request: ExportRequest) -> None:  # noqa: B027 - most sources have no further rule
        """Raise InvalidRequestError for what the vendor would refuse; before any request is sent."""

    def folder(self, request: ExportRequest) -> Sequence[str]:
        """Return the parts of the object key between the connection and the date."""
        return [str(request.target[key]) for key in request.target if key not in self.item]

    @abstractmethod
    def submit(self, request: ExportRequest, api: Api) -> Job:
        """Start a job: RUNNING, or READY where the vendor answers at once.

        Raises SubmitUncertainError where it may have been accepted, and what `Api.call` raises.
        """

    @abstractmethod
    def poll(self, job: Job, api: Api) -> JobStatus | None:
        """Ask how the job is; None where the vendor does not know it. Raises what `Api.call` raises."""

    @abstractmethod
    def downloads(self, job: Job, api: Api) -> Iterator[Download]:
        """Return each file of a job that is ready, with a fresh URL; called again when a URL has expired."""

    def delete(self, job: Job, api: Api) -> None:  # noqa: B027 - most vendors keep nothing to release
        """Free what the vendor holds for the job. Called after success and failure, perhaps twice."""


def id_of(value: Any) -> str | None:
    """Return what a reply's value names a job by: in a URL, a header and the state; None where it cannot.

    A number is its digits. Unreserved characters of URLs only, RFC 3986, 2.3.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**LONGEST_NUMBER:
        value = str(value)
    named = isinstance(value, str) and ID.fullmatch(value) and value not in {".", ".."}
    return value if named else None


def _given(values: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(values).items() if value is not None}
