"""All emulated endpoints, wired together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.vendor.access import Access
from tests.sandbox.vendor.ibm import Ibm
from tests.sandbox.vendor.jobs import Jobs
from tests.sandbox.vendor.journal import Journal
from tests.sandbox.vendor.routes import Route, Routes
from tests.sandbox.vendor.script import Script
from tests.sandbox.vendor.spark_calls import SparkCalls
from tests.sandbox.vendor.spark_events import SparkEvents
from tests.sandbox.vendor.spark_logs import SparkLogs
from tests.sandbox.vendor.stage import Stage
from tests.sandbox.vendor.store import DOCUMENTS, Shelf, Store
from tests.sandbox.vendor.tokens import TokenEndpoints

if TYPE_CHECKING:
    from tests.sandbox.vendor.knobs import Knobs

REALM = "/auth/realms/{}/protocol/openid-connect/token"
SERVICE = "/{}/api/v3/folders/{}/services/{}"
LOG = SERVICE + "/log/download(csv|json|JSON)"
CALL = "/{}/api/v3/log/getexecutionhistorybycallid/{}"
EVENTS = "/{}/api/v4/events/download"


class Emulation:
    """The vendors without their sockets: state, endpoints, and the stage that serves requests."""

    def __init__(
        self, knobs: Knobs, tenant: str, services: set[tuple[str, str]], calls: dict[str, int]
    ) -> None:
        self.access = Access(tenant, knobs)
        self.jobs = Jobs(knobs)
        self.journal = Journal(knobs)
        self.script = Script()
        self.store = Store(knobs, self.access)
        shelf = Shelf()
        self.ibm = Ibm(knobs, self.access, shelf)
        self.logs = SparkLogs(knobs, self.access, self.jobs, self.store, shelf, services)
        self.calls = SparkCalls(self.logs, calls)
        self.events = SparkEvents(self.logs)
        self.stage = Stage(self._routes(), self.script, self.journal, knobs, self.store)

    def _routes(self) -> Routes:
        tokens, store = TokenEndpoints(self.access), self.store
        return Routes(
            [
                Route("download", "GET", DOCUMENTS + "/{}/{}", "download", store.answer),
                Route("api", "POST", REALM, "token", tokens.keycloak),
                Route("api", "POST", "/UAALoginServerWAR/oauth/token", "token", tokens.uaa),
                Route("api", "POST", LOG, "submit", self.logs.submit),
                Route("api", "GET", LOG + "/status/{}", "status", self.logs.status),
                Route("api", "POST", EVENTS, "submit", self.events.submit),
                Route("api", "GET", EVENTS + "/{}/status", "status", self.events.status),
                Route("api", "GET", CALL, "call", self.calls.record),
                Route("api", "GET", CALL + "/{}", "call", self.calls.record),
                Route("api", "POST", SERVICE + "/download/xml/{}", "call_excel", self.calls.excel),
                Route("api", "GET", "/{}/api/v3/files/{}/{}", "download", store.answer_with_credentials),
                Route("api", "POST", "/v3/sessions", "session", self.ibm.create),
                Route("api", "GET", "/v3/events/download", "download", self.ibm.download),
                Route("api", "DELETE", "/v3/sessions/{}", "delete", self.ibm.delete),
            ]
        )
