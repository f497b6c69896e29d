"""Jobs that the emulated vendor has accepted, and how far they are."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.messages import refuse

if TYPE_CHECKING:
    from tests.sandbox.vendor.knobs import Knobs
    from tests.sandbox.vendor.questions import Question


@dataclass
class Job:
    """One accepted job: `kind` is csv, json or events; `body` is the submit's JSON."""

    kind: str
    tenant: str
    folder: str
    service: str
    body: Any
    question: Question
    accepted: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    polls: int = 0
    done: bool = False


@dataclass(frozen=True)
class Stage:
    """What one status reply says: `progress` (any value), whether the job is done and has its URL."""

    progress: Any
    done: bool
    has_url: bool


class Jobs:
    """All jobs; counts how many ran at the same time."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self._jobs: dict[str, Job] = {}
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self.most = 0

    def all(self) -> list[Job]:
        """Give the accepted jobs, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def accept(self, job: Job) -> Job:
        """Take in a job."""
        with self._lock:
            self._jobs[job.id] = job
            self._running.add(job.id)
            self.most = max(self.most, len(self._running))
        return job

    def find(self, job_id: str, *kinds: str) -> Job:
        """Give a job of one of these kinds, or refuse with 404."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.kind not in kinds:
            raise refuse(404, "JOB_NOT_FOUND", "The job could not be found.")
        return job

    def forget(self, job_id: str) -> None:
        """Lose a job, as a vendor that was restarted: its status is 404 from now on."""
        with self._lock:
            self._jobs.pop(job_id, None)
            self._running.discard(job_id)

    def poll(self, job: Job) -> Stage:
        """Count a poll and tell where the job is; 404 where the knobs say that it is not known yet."""
        with self._lock:
            job.polls += 1
            number = job.polls - self.knobs.unknown_polls
        if number <= 0:
            raise refuse(404, "JOB_NOT_FOUND", "The job could not be found.")
        stage = self._stage(job, number)
        if stage.done:
            with self._lock:
                job.done = True
                self._running.discard(job.id)
        return stage

    def _stage(self, job: Job, number: int) -> Stage:
        knobs = self.knobs
        needed = max(knobs.polls, 1)
        if knobs.progress is not None:
            values = list(knobs.progress)
            needed = len(values) + 1
            if number <= len(values) or (knobs.stuck and values):
                return Stage(values[min(number, len(values)) - 1], done=False, has_url=False)
        if knobs.stuck:
            return Stage(
                min(99, 100 * number // (number + 2)) if number < 3 else 40, done=False, has_url=False
            )
        if knobs.job_seconds is not None:
            elapsed = knobs.clock() - job.accepted
            done = elapsed >= knobs.job_seconds
            progress = 100 if done else int(100 * elapsed / knobs.job_seconds)
            return Stage(progress, done=done, has_url=done)
        done = number >= needed
        has_url = number >= needed + knobs.late_url
        return Stage(100 if done else 100 * number // needed, done=done, has_url=has_url)
