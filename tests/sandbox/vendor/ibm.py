"""IBM Activity Tracker (page "Downloading events"): sessions that must be deleted, events in gzip."""

from __future__ import annotations

import json
import random
import threading
import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sandbox.vendor.messages import Answer, Received, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.vendor.access import Access
    from tests.sandbox.vendor.blobs import Blob
    from tests.sandbox.vendor.knobs import Knobs
    from tests.sandbox.vendor.store import Shelf

MAX_DAYS = 15
FIELDS = {"start", "end", "AtAccountLevel", "SearchTime"}
ACTIONS = ("iam-identity.serviceid-apikey.create", "containers-kubernetes.cluster.update", "kms.secrets.read")


def ibm_error(status: int, message: str) -> RefusedError:
    """Give a refusal in IBM's manner."""
    return RefusedError(Answer.of_json({"code": status, "message": message}, status))


@dataclass
class Session:
    """An open session: inclusive UTC days, and one hour of each where `hour` is set."""

    space: str
    start: date
    end: date
    account_level: bool
    hour: int | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Ibm:
    """Sessions, downloads and deletes; a session is never deleted by itself."""

    def __init__(self, knobs: Knobs, access: Access, shelf: Shelf) -> None:
        self.knobs = knobs
        self.access = access
        self.shelf = shelf
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self.most = 0

    def open_sessions(self) -> list[Session]:
        """Give the sessions that nobody has deleted."""
        with self._lock:
            return list(self._sessions.values())

    def create(self, received: Received) -> Answer:
        """Serve `POST /v3/sessions`."""
        self.access.check_ibm(received)
        session = self._asked(received)
        with self._lock:
            if len(self._sessions) >= self.knobs.session_limit:
                raise ibm_error(429, f"At most {self.knobs.session_limit} concurrent sessions in a space")
            self._sessions[session.id] = session
            self.most = max(self.most, len(self._sessions))
        received.job_id = session.id
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return Answer.of_json(
            {
                "id": session.id,
                "space": session.space,
                "username": "sandbox@ibm.example",
                "create-time": now,
                "access-time": now,
                "date-range": {"Start": session.start.isoformat(), "End": session.end.isoformat()},
                "types": {"Type": "ActivityTracker", "AtAccountLevel": session.account_level},
                "search-time": "" if session.hour is None else str(session.hour),
            }
        )

    def _asked(self, received: Received) -> Session:
        asked = received.json
        if not isinstance(asked, dict) or set(asked) - FIELDS or not {"start", "end"} <= set(asked):
            raise ibm_error(400, "The body has start, end, AtAccountLevel and SearchTime")
        try:
            start, end = date.fromisoformat(asked["start"]), date.fromisoformat(asked["end"])
        except (TypeError, ValueError) as error:
            raise ibm_error(400, "start and end are days, YYYY-MM-DD") from error
        if end < start or (end - start).days + 1 > MAX_DAYS:
            raise ibm_error(400, f"A session covers 1 to {MAX_DAYS} days")
        account = asked.get("AtAccountLevel", False)
        hour = str(asked.get("SearchTime", ""))
        if not isinstance(account, bool) or (hour and (not hour.isdecimal() or int(hour) > 23)):
            raise ibm_error(400, "AtAccountLevel is a boolean, SearchTime empty or an hour from 0 to 23")
        return Session(self.access.space_id, start, end, account, int(hour) if hour else None)

    def download(self, received: Received) -> Answer:
        """Serve `GET /v3/events/download`, header SESSIONID: gzip, chunked, no length."""
        self.access.check_ibm(received)
        with self._lock:
            session = self._sessions.get(received.headers.get("sessionid", ""))
        if session is None:
            raise ibm_error(404, "No such session")
        headers = {"Content-Type": "application/octet-stream"}
        make = partial(self._file, session)
        return Answer(headers=headers, file=make, framing="chunked", resumable=False)

    def delete(self, received: Received) -> Answer:
        """Serve `DELETE /v3/sessions/{id}`."""
        self.access.check_ibm(received)
        (session_id,) = received.params
        with self._lock:
            if self._sessions.pop(session_id, None) is None:
                raise ibm_error(404, "No such session")
        received.job_id = session_id
        return Answer.of_json({})

    def _file(self, session: Session, variant: int) -> Blob:
        if self.knobs.file:
            return self.knobs.file(variant)
        rows, members = self.knobs.rows, max(self.knobs.gzip_members, 1)
        days = f"{session.start} {session.end} {session.hour} {session.account_level}"
        seed = f"{self.knobs.seed} {variant} {days}"
        if rows is None:
            rows = random.Random(seed).randint(50, 300)  # noqa: S311 - made-up data
        return self.shelf.get((seed, rows, members), lambda: gzip_members(session, seed, rows, members))


def gzip_members(session: Session, seed: str, rows: int, members: int) -> Iterator[bytes]:
    """Give the events as JSON Lines in gzip, in several members one after the other."""
    for member in range(members):
        first, last = rows * member // members, rows * (member + 1) // members
        lines = (json.dumps(event(session, seed, number, rows)) + "\n" for number in range(first, last))
        yield from deflated(lines)


def deflated(lines: Iterator[str]) -> Iterator[bytes]:
    """Give one gzip member, line by line, the same bytes each time (zlib writes no time into it)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for line in lines:
        yield packer.compress(line.encode())
    yield packer.flush()


def event(session: Session, seed: str, number: int, count: int) -> dict[str, Any]:
    """Give one CADF event inside the session's days, and inside its hour where it has one."""
    dice = random.Random(f"cadf {seed} {number}")  # noqa: S311 - made-up data
    start = datetime.combine(session.start, time(), UTC)
    span = datetime.combine(session.end, time(), UTC) + timedelta(days=1) - start
    moment = start + span * ((number + dice.random() * 0.99) / max(count, 1))
    if session.hour is not None:
        moment = moment.replace(hour=session.hour)
    action = dice.choice(ACTIONS)
    return {
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-4] + "+0000",
        "eventType": "activity",
        "action": action,
        "outcome": dice.choice(("success", "success", "failure")),
        "initiator": {
            "id": f"IBMid-{dice.randint(10**6, 10**7)}",
            "name": "dana@acme.example",
            "typeURI": "service/security/account/user",
            "credential": {"type": "token"},
            "host": {"address": f"192.0.2.{dice.randint(1, 254)}"},
        },
        "target": {"id": f"crn:v1:bluemix:public:{action.split('.')[0]}", "typeURI": "resource", "name": "t"},
        "observer": {"name": "ActivityTracker"},
        "severity": dice.choice(("normal", "warning", "critical")),
        "reason": {"reasonCode": 200},
        "message": f'{action} "target" done,\nfor {"account" if session.account_level else "space"}',
    }
