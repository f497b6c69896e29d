"""Land: every file of a job under its key, verified, then the manifest that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from logferry import __version__, runtime
from logferry.download.stream import Restart, TimeBudget, UrlExpired, open_stream
from logferry.errors import DeliveryError, ExportCutError, SourceUnavailableError
from logferry.export._ownership import may_replace
from logferry.export._vendor import final_key
from logferry.export.suspicion import cut_words, limits_reached, suspect
from logferry.ledger.table import FencedError
from logferry.models.job import FileKind
from logferry.models.request import iso_instant
from logferry.storage.keys import manifest_key
from logferry.storage.landing import (
    AlreadyThere,
    Condition,
    Conflict,
    ObjectWriter,
    Stored,
    abort_uploads,
    copy,
    find,
    write_json,
)
from logferry.storage.manifest import SCHEMA
from logferry.vendor.egress import HostPolicy
from logferry.verify.filehash import held_against, read_hash
from logferry.verify.verifier import Findings, verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from logferry.ledger.record import ExportRecord
    from logferry.models.job import Download, Job
    from logferry.models.request import ExportRequest
    from logferry.sources.base import Source
    from logferry.vendor.client import Api
    from logferry.verify.reader import Chunks

FRESH_URLS = 2
"""Fresh URLs asked for after one has expired."""

FENCE = ("owner", "attempt", "state", "fetches")
"""What differs in the row once another call has it."""

RACES = 5
"""Tries to write a key that somebody else writes at the same moment."""


@dataclass
class Lander:
    """Lands one job. Raises what the vendor side and S3 raise; nothing is left behind then."""

    source: Source
    api: Api
    job: Job
    row: ExportRecord
    budget: TimeBudget
    landed: list[tuple[Stored, Findings]] = field(default_factory=list)
    proven: bool = True

    @property
    def request(self) -> ExportRequest:
        """Return the request that the job is for."""
        return self.job.request

    @property
    def marks(self) -> dict[str, str]:
        """Return the metadata that tells what this very call puts from all else; nobody can foresee it."""
        return {
            "export-id": self.request.export_id,
            "attempt": str(self.row.attempt),
            "nonce": self.row.nonces[-1],
        }

    @property
    def found(self) -> list[str]:
        """Return what verification found to be looked at."""
        return list(dict.fromkeys(reason for _, findings in self.landed for reason in findings.suspect))

    def land(self) -> dict[str, Any]:
        """Land every file, then the manifest; give what the ledger keeps of it.

        Raises ExportCutError where the vendor's limit was reached and the request takes nothing cut.
        """
        downloads = list(self.source.downloads(self.job, self.api))
        for place in range(len(downloads)):
            self.landed.append(self._file(place, downloads))
        self._refuse_cut()
        return self._manifest()

    def _file(self, place: int, downloads: list[Download]) -> tuple[Stored, Findings]:
        """Land one file: fresh URLs for expired ones, from the start where only that helps."""
        key = final_key(self.source, self.request, self.row, place + 1)
        if self.row.attempt > 1 or self.row.item["fetches"] > 1:
            abort_uploads(runtime.s3(), runtime.settings().bucket, key, runtime.settings().bucket_owner)
        fresh = races = 0
        while True:
            try:
                return self._try(key, downloads[place], last=place + 1 == len(downloads))
            except Restart:
                continue
            except UrlExpired as expired:
                if fresh == FRESH_URLS:
                    raise SourceUnavailableError(
                        f"the download URL answered {expired.status}, and so did {fresh} fresh ones"
                    ) from None
                fresh += 1
                again = list(self.source.downloads(self.job, self.api))
                if len(again) != len(downloads):
                    raise SourceUnavailableError(
                        f"the vendor listed {len(downloads)} files, and {len(again)} when it was asked for "
                        "fresh URLs; Logferry begins again"
                    ) from None
                downloads[:] = again
            except (AlreadyThere, Conflict) as race:
                races += 1
                if races == RACES:
                    raise DeliveryError(f"somebody else writes {key} all the time ({race})") from None

    def _try(self, key: str, download: Download, *, last: bool) -> tuple[Stored, Findings]:
        s3, settings = runtime.s3(), runtime.settings()
        condition = self._condition(key)
        connection = self.api.access.connection
        policy = HostPolicy(connection.download_hosts, connection.base_url)
        limit = connection.limits.get("largest", self.source.limits.largest)
        with (
            open_stream(download, policy, self._credentials, budget=self.budget, limit=limit) as stream,
            ObjectWriter(
                s3,
                settings.bucket,
                key,
                metadata=self.marks,
                content_type=self.source.kind.content_type,
                condition=condition,
                expected_owner=settings.bucket_owner,
                size_hint=stream.size,
                check=self._in_time,
            ) as writer,
        ):
            findings = self._verify(download, copy(stream, writer))
            # Of all kinds gzip alone does not say where it ends: another member may follow.
            self.proven &= stream.proven or self.source.kind is not FileKind.GZIP_JSONL
            if last:
                self._refuse_cut((writer.size, findings))
            return writer.commit(), findings

    def _refuse_cut(self, *coming: tuple[int, Findings]) -> None:
        """Raise ExportCutError where all files together, those `coming` included, reached a limit."""
        if self.request.on_limit == "land":
            return
        files = [*((stored.size, findings) for stored, findings in self.landed), *coming]
        limits = self.api.access.connection.limits
        for reached in limits_reached(self.source, self.request, limits, **_measures(files)):
            raise ExportCutError(cut_words(*reached))

    def _condition(self, key: str) -> Condition:
        """Return what must be true of a key when something is put there: no object, or one of this export.

        Raises DeliveryError where another's lies there, FencedError where this call has lost the row.
        """
        settings = runtime.settings()
        there = find(runtime.s3(), settings.bucket, key, settings.bucket_owner)
        if there is None:
            return Condition.absent()
        if may_replace(there, key, self.request, self.row):
            return Condition.replaces(there.etag)
        now = runtime.ledger().read(self.request)
        if now is None or any(now.item.get(name) != self.row.item.get(name) for name in FENCE):
            raise FencedError
        raise DeliveryError(
            f"s3://{settings.bucket}/{key} holds another object ({there.size} bytes, version "
            f"{there.version_id or 'none'}), which Logferry did not put there; move it away, then start again"
        )

    def _verify(self, download: Download, chunks: Chunks) -> Findings:
        known = read_hash(download.file_hash)
        if known:
            chunks = held_against(chunks, *known)
        return verify(chunks, self.source.kind, secrets=self.api.access.secrets)

    def _credentials(self, *, renew: bool) -> Mapping[str, str]:
        if renew:
            self.api.access.renew()
        return self.api.access.headers()

    def _in_time(self) -> None:
        if self.budget.remaining() < 0:
            raise SourceUnavailableError("fetch ran out of time while S3 took the file; nothing was landed")

    def _manifest(self) -> dict[str, Any]:
        settings, row = runtime.settings(), self.row
        objects = [_object(stored, findings) for stored, findings in self.landed]
        measures = _measures([(stored.size, findings) for stored, findings in self.landed])
        entries = [
            {**asdict(entry), "key": stored.key} if len(objects) > 1 else entry
            for stored, findings in self.landed
            for entry in findings.entries
        ]
        head = objects[0]
        landing = {
            "bucket": settings.bucket,
            "key": head["key"],
            "version_id": head["version_id"],
            "manifest_key": manifest_key(head["key"]),
            "size": sum(each["size"] for each in objects),
            "sha256": head["sha256"],
            "records": measures["records"],
            "objects": objects,
            "suspect": self.found
            + suspect(
                self.source,
                self.request,
                self.api.access.connection.limits,
                **measures,
                asked=row.submitted_at or row.claimed_at,
                series=runtime.ledger().rows(self.request.series_id, newest_first=True),
                proven=self.proven,
            ),
        }
        document = {
            "schema": SCHEMA,
            "export_id": self.request.export_id,
            "request": self.request.identity(),
            "source": self.source.name,
            "job_id": self.job.id,
            **{name: landing[name] for name in ("bucket", "key", "version_id", "size", "sha256")},
            "content_type": self.source.kind.content_type,
            "entries": entries,
            **{name: landing[name] for name in ("objects", "records", "suspect")},
            "requested_at": row.item.get("submitted_at", row.item["claimed_at"]),
            "landed_at": iso_instant(runtime.ledger().now()),
            "submits": row.submits,
            "attempts": row.attempt,
            "polls": row.polls,
            "logferry_version": __version__,
        }
        version_id = self._commit(landing["manifest_key"], document)
        return {**landing, "manifest_version_id": version_id, "landed_nonce": self.marks["nonce"]}

    def _commit(self, key: str, document: dict[str, Any]) -> str | None:
        """Write the manifest, which a consumer takes for the landing; give its version id."""
        settings = runtime.settings()
        try:
            return write_json(
                runtime.s3(),
                settings.bucket,
                key,
                document,
                metadata=self.marks,
                owner=settings.bucket_owner,
                condition=self._condition(key),
            )
        except AlreadyThere as there:
            # Its own, where the answer to the put was lost and the SDK put it again.
            if there.existing is None or there.existing.metadata != self.marks:
                raise DeliveryError(f"somebody else writes {key} at the same time; start again") from there
            return there.existing.version_id


def _object(stored: Stored, findings: Findings) -> dict[str, Any]:
    names = ("key", "version_id", "size", "sha256")
    return {**{name: getattr(stored, name) for name in names}, "records": findings.records}


def _measures(files: Sequence[tuple[int, Findings]]) -> dict[str, Any]:
    """Return what is held against the vendor's limits: records, those of each part, and sizes in bytes."""
    counts = [findings.records for _, findings in files]
    known = [count for count in counts if count is not None]
    entries = [entry for _, findings in files for entry in findings.entries]
    return {
        "records": sum(known) if len(known) == len(counts) else None,
        "sizes": [*(size for size, _ in files), *(entry.size for entry in entries)],
        "parts": [entry.records for entry in entries if entry.records is not None],
    }
