"""The emulated vendors as tests hold them: start, look, script, stop."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tests.sandbox.vendor.access import Access
from tests.sandbox.vendor.certificates import Authority
from tests.sandbox.vendor.jobs import Job, Jobs
from tests.sandbox.vendor.journal import Journal
from tests.sandbox.vendor.knobs import Knobs
from tests.sandbox.vendor.routes import Route, Routes
from tests.sandbox.vendor.script import Script, When
from tests.sandbox.vendor.server import HttpsServer
from tests.sandbox.vendor.spark_logs import SparkLogs
from tests.sandbox.vendor.stage import Stage
from tests.sandbox.vendor.store import Shelf, Store
from tests.sandbox.vendor.tokens import TokenEndpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.sandbox.vendor.delivery import Delivery
    from tests.sandbox.vendor.messages import Received, Reply

SecretKind = Literal["client_credentials", "bearer", "api_key", "uaa"]
CALL_ID = "329700e6-0850-40cf-b61e-310c2f756b73"
"""The pages' own example of a call id: the example inputs name it too."""


class Vendors:
    """Coherent Spark and IBM Activity Tracker on loopback, until closed.

    Settings are those of `Knobs`, by keyword here and at any time through `knobs`.
    """

    def __init__(
        self,
        *,
        tenant: str = "acme",
        folder: str = "Motor",
        service: str = "Quote",
        port: int = 0,
        names: Iterable[str] = (),
        **knobs: Any,
    ) -> None:
        self.knobs = replace(Knobs(), **knobs)
        self.tenant, self.folder, self.service, self.call_id = tenant, folder, service, CALL_ID
        self.services = {(folder, service)}
        self.access = Access(tenant, self.knobs)
        self._jobs = Jobs(self.knobs)
        self._journal = Journal(self.knobs)
        self._script = Script()
        self._store = Store(self.knobs, self.access)
        shelf = Shelf()
        self._logs = SparkLogs(self.knobs, self.access, self._jobs, self._store, shelf, self.services)
        self._stage = Stage(self._routes(), self._script, self._journal, self.knobs, self._store)
        self._folder = tempfile.TemporaryDirectory(prefix="vendor-ca-")
        authority = Authority(Path(self._folder.name) / "ca.pem")
        context = authority.server_context(names)
        self._api = HttpsServer("api", context, self._stage.serve, port)
        self._download = HttpsServer("download", context, self._stage.serve)
        self._store.bases.update(api=self._api.url, download=self._download.url)
        self.ca_file = str(authority.ca_file)

    def _routes(self) -> Routes:
        tokens, logs = TokenEndpoints(self.access), self._logs
        log = "/{}/api/v3/folders/{}/services/{}/log/download(csv|json|JSON)"
        return Routes(
            [
                Route("download", "GET", "/{}/{}", "download", self._store.answer),
                Route(
                    "api", "POST", "/auth/realms/{}/protocol/openid-connect/token", "token", tokens.keycloak
                ),
                Route("api", "POST", "/UAALoginServerWAR/oauth/token", "token", tokens.uaa),
                Route("api", "POST", log, "submit", logs.submit),
                Route("api", "GET", log + "/status/{}", "status", logs.status),
                Route(
                    "api", "GET", "/{}/api/v3/files/{}/{}", "download", self._store.answer_with_credentials
                ),
            ]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving: open connections are cut, the CA file is removed."""
        self._stage.stopping.set()
        self._api.close()
        self._download.close()
        self._folder.cleanup()

    @property
    def base_url(self) -> str:
        """The API origin, `https://127.0.0.1:PORT`."""
        return self._api.url

    @property
    def download_url(self) -> str:
        """The second origin, which serves the files."""
        return self._download.url

    @property
    def api_key(self) -> str:
        return self.access.api_key

    @property
    def token(self) -> str:
        """The long-lived bearer token."""
        return self.access.token

    @property
    def client_id(self) -> str:
        return self.access.client_id

    @property
    def client_secret(self) -> str:
        return self.access.client_secret

    @property
    def space_id(self) -> str:
        return self.access.space_id

    def secret(self, kind: SecretKind) -> dict[str, Any]:
        """Give the connection's secret document for a kind of credential, with what is in force now."""
        api, download = (url.removeprefix("https://") for url in (self.base_url, self.download_url))
        auth: dict[str, Any] = {"type": kind}
        if kind == "uaa":
            token_url = f"{self.base_url}/UAALoginServerWAR/oauth/token"
            auth |= {"api_key": self.access.uaa_key, "token_url": token_url}
            return {
                "base_url": self.base_url,
                "space_id": self.space_id,
                "auth": auth,
                "download_hosts": [api],
            }
        if kind == "client_credentials":
            auth |= {"client_id": self.client_id, "client_secret": self.client_secret}
        elif kind == "bearer":
            auth |= {"token": self.token}
        else:
            auth |= {"key": self.api_key}
        hosts = [download, api]
        return {"base_url": self.base_url, "tenant": self.tenant, "auth": auth, "download_hosts": hosts}

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """The usual connections by name."""
        return {
            "acme-uat": self.secret("client_credentials"),
            "acme-bearer": self.secret("bearer"),
            "acme-key": self.secret("api_key"),
            "ibm-prod": self.secret("uaa"),
        }

    @property
    def announcement(self) -> dict[str, str]:
        """What the `vendor` verb prints on its first line."""
        names = ("base_url", "ca_file", "tenant", "folder", "service", "call_id", "api_key", "token")
        return {name: getattr(self, name) for name in (*names, "client_id", "client_secret")}

    def script(self, step: str, *replies: Reply | None) -> None:
        """Write what the next requests of a step are answered, one each; None is the normal answer."""
        self._script.add_replies(step, replies)

    def deliver(self, *deliveries: Delivery | None) -> None:
        """Write how the next files are handed over, one each; None is as the knob `delivery` says."""
        self._script.add_deliveries(deliveries)

    def on(self, step: str, callback: Callable[[Received], None], when: When = "after") -> None:
        """Call back at each request of a step: before anything is done for it, or after the reply."""
        self._script.add_hook(step, when, callback)

    def on_bytes(self, count: int, callback: Callable[[], None]) -> None:
        """Call back once, when `count` bytes of some file's body have gone out."""
        self._script.add_byte_hook(count, callback)

    def clear(self) -> None:
        """Forget scripts, deliveries and hooks that were not consumed."""
        self._script.clear()

    @property
    def requests(self) -> list[Received]:
        """Every request so far."""
        return self._journal.requests

    def seen(self, step: str) -> list[Received]:
        """Give the requests of one step so far."""
        return [request for request in self.requests if request.step == step]

    @property
    def impatient(self) -> list[Received]:
        """Requests that came before a promised delay had passed."""
        return self._journal.impatient

    @property
    def downloads(self) -> int:
        """How many files were handed over, whole or not."""
        return self._journal.downloads

    @property
    def jobs(self) -> list[Job]:
        """Every job that was accepted."""
        return self._jobs.all()

    @property
    def max_concurrent_jobs(self) -> int:
        """The most jobs that ran at once: accepted, and no status had said yet that they were done."""
        return self._jobs.most
