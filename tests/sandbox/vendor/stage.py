"""Plays one request: script and hooks first, then the emulated vendor's own answer, then the wire."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from tests.sandbox.vendor.messages import Answer, Received, RefusedError, Reply, refusal
from tests.sandbox.vendor.sending import Sender, head, send_small

if TYPE_CHECKING:
    from tests.sandbox.vendor.delivery import Delivery
    from tests.sandbox.vendor.journal import Journal
    from tests.sandbox.vendor.knobs import Knobs
    from tests.sandbox.vendor.routes import Routes
    from tests.sandbox.vendor.script import Script
    from tests.sandbox.vendor.server import Connection
    from tests.sandbox.vendor.store import Store


class Stage:
    """Serves both origins' requests."""

    def __init__(self, routes: Routes, script: Script, journal: Journal, knobs: Knobs, store: Store) -> None:
        self.routes = routes
        self.script = script
        self.journal = journal
        self.knobs = knobs
        self.store = store
        self.stopping = threading.Event()

    def serve(self, received: Received, connection: Connection) -> None:
        """Serve one request to its end."""
        serve = self.routes.find(received)
        if received.step == "download":
            received.job_id = received.job_id or self._job_of(received)
        elif received.step == "status":
            received.job_id = received.params[-1]
        self.journal.write(received)
        self.script.call_back("before", received)
        reply = self.script.next_reply(received.step) or Reply()
        if reply.delay and self.stopping.wait(reply.delay):
            connection.end(reset=True)
            return
        answer = Answer()
        if reply.accept or (reply.status is None and not reply.ends):
            try:
                answer = serve(received)
            except RefusedError as error:
                answer = error.answer
            except Exception as error:  # noqa: BLE001 - a mistake here must show in the client, not hang it
                answer = refusal(500, "EMULATION_BROKEN", repr(error))
        if reply.ends:
            received.status = 0
            connection.end(reset=reply.reset)
        elif reply.status is not None:
            self._send(connection, received, reply.to_answer())
        else:
            answer.headers.update(reply.headers)
            self._send(connection, received, answer)
        self.script.call_back("after", received)

    def _job_of(self, received: Received) -> str | None:
        session = received.headers.get("sessionid")
        return session or next(filter(None, map(self.store.owner, received.params)), None)

    def _send(self, connection: Connection, received: Received, answer: Answer) -> None:
        self.journal.promise(received, answer.headers)
        if answer.file is None:
            received.status = answer.status
            send_small(connection, received, answer)
            return
        delivery = self.script.next_delivery() or self.knobs.delivery
        if delivery.redirect:
            self._redirect(connection, received, delivery)
            return
        sender = Sender(connection, received, answer, delivery, self.stopping, self.script.bytes_sent)
        received.status = sender.status
        self.journal.count_download()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sender.send()

    def _redirect(self, connection: Connection, received: Received, delivery: Delivery) -> None:
        location = delivery.redirect or ""
        if location == "self":
            location = self.store.renewed(received)
        received.status = delivery.redirect_status
        headers = {"Location": location, "Content-Length": "0", **delivery.headers}
        connection.write(head(delivery.redirect_status, headers))
