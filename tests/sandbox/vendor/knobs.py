"""What a test, or a person at the demo, can turn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.sandbox.vendor.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.sandbox.vendor.blobs import Blob

LOG_PERMISSIONS = ("Spark.DownloadCsvLog.json", "Spark.DownloadJSONLog.json", "Spark.DownloadAPILog.json")
ALL_PERMISSIONS = frozenset({*LOG_PERMISSIONS, "Spark.AllEncompassingProxy.json"})


@dataclass
class Knobs:
    """Settings of the emulated vendors; all may be changed while they serve.

    Data: rows (None: 50 to 300, told by the seed and the window), files (in a log's ZIP), event_files, size
    (bytes of uncompressed data in place of a row count), seed, gzip_members.
    file: a function of the variant that gives the blob to serve in place of every generated file.

    Jobs: polls (the status reply that says done; 0 and 1 are the same), job_seconds (done by clock),
    progress (values for successive polls, whatever they are; the job is done after them), stuck (never done),
    late_url (polls that say 100 without a URL), unknown_polls (status replies 404 right after the submit),
    failure (an error document, shown when the job would be done: True for a usual one), event_running and
    event_status (v4's words; a word like `failed` goes without files), file_hash (of event files: `md5`,
    `sha1`, `sha256`, with `:base64` after it, or any other text as it is), page_cut (events end at
    page_size), edit_status (changes any status document before it is sent).

    Access: token_seconds, permissions (of the API key), url_seconds and url_uses (of a download URL),
    download_origin (`download`: the second origin, token in the path; `api`: needs the caller's credentials),
    session_limit.

    Handing over: delivery (for every file), wait_scale (promised delays are that much shorter: for tests that
    scale the state machine's waits), clock (seconds, monotonic).
    """

    rows: int | None = None
    files: int = 2
    event_files: int = 1
    size: int | None = None
    seed: int = 7
    gzip_members: int = 2
    file: Callable[[int], Blob] | None = None

    polls: int = 3
    job_seconds: float | None = None
    progress: Sequence[Any] | None = None
    stuck: bool = False
    late_url: int = 0
    unknown_polls: int = 0
    failure: Any = None
    event_running: str | None = "InProgress"
    event_status: str = "Success"
    file_hash: str | None = None
    page_cut: bool = False
    edit_status: Callable[[Any], Any] | None = None

    token_seconds: float = 300.0
    permissions: frozenset[str] = ALL_PERMISSIONS
    url_seconds: float = 300.0
    url_uses: int | None = None
    download_origin: Literal["download", "api"] = "download"
    session_limit: int = 30

    delivery: Delivery = field(default_factory=Delivery)
    wait_scale: float = 1.0
    clock: Callable[[], float] = time.monotonic
