"""The emulated vendors as tests hold them: start, look, script, stop."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tests.sandbox.vendor.certificates import Authority
from tests.sandbox.vendor.emulation import Emulation
from tests.sandbox.vendor.knobs import Knobs
from tests.sandbox.vendor.server import HttpsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.sandbox.vendor.delivery import Delivery
    from tests.sandbox.vendor.ibm import Session
    from tests.sandbox.vendor.jobs import Job
    from tests.sandbox.vendor.messages import Received, Reply
    from tests.sandbox.vendor.script import When

Origin = Literal["api", "download"]
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
        self.calls = {CALL_ID: 1}
        self._emulation = Emulation(self.knobs, tenant, self.services, self.calls)
        self.access = self._emulation.access
        self._folder = tempfile.TemporaryDirectory(prefix="vendor-ca-")
        authority = Authority(Path(self._folder.name) / "ca.pem")
        self._context = authority.server_context(names)
        self._servers: dict[Origin, HttpsServer] = {}
        self._listen("api", port)
        self._listen("download")
        self.base_url: str = self._servers["api"].url
        """The API origin, `https://127.0.0.1:PORT`."""
        self.download_url: str = self._servers["download"].url
        """The second origin, which serves the files."""
        self._emulation.store.bases.update(api=self.base_url, download=self.download_url)
        self.ca_file = str(authority.ca_file)

    def _listen(self, origin: Origin, port: int = 0) -> None:
        self._servers[origin] = HttpsServer(origin, self._context, self._emulation.stage.serve, port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving: open connections are cut, the CA file is removed."""
        self._emulation.stage.stopping.set()
        for server in self._servers.values():
            server.close()
        self._folder.cleanup()

    @contextmanager
    def down(self, origin: Origin = "api") -> Iterator[None]:
        """Refuse connections to an origin for a while."""
        port = self._servers[origin].port
        self._servers.pop(origin).close()
        try:
            yield
        finally:
            self._listen(origin, port)

    @contextmanager
    def untrusted(self, origin: Origin = "api") -> Iterator[None]:
        """Show a certificate of another authority for a while."""
        server = self._servers[origin]
        with tempfile.TemporaryDirectory() as folder:
            server.context = Authority(Path(folder) / "ca.pem").server_context()
        server.cut()
        try:
            yield
        finally:
            server.context = self._context
            server.cut()

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
    def announcement(self) -> dict[str, Any]:
        """What the `vendor` verb prints on its first line; `connection` is a connection file's content."""
        names = ("base_url", "ca_file", "tenant", "folder", "service", "call_id", "api_key", "token")
        told = {name: getattr(self, name) for name in (*names, "client_id", "client_secret")}
        return {**told, "connection": self.secret("client_credentials")}

    def script(self, step: str, *replies: Reply | None) -> None:
        """Write what the next requests of a step are answered, one each; None is the normal answer."""
        self._emulation.script.add_replies(step, replies)

    def deliver(self, *deliveries: Delivery | None) -> None:
        """Write how the next files are handed over, one each; None is as the knob `delivery` says."""
        self._emulation.script.add_deliveries(deliveries)

    def on(self, step: str, callback: Callable[[Received], None], when: When = "after") -> None:
        """Call back at each request of a step: before anything is done for it, or after the reply."""
        self._emulation.script.add_hook(step, when, callback)

    def on_bytes(self, count: int, callback: Callable[[], None]) -> None:
        """Call back once, when `count` bytes of some file's body have gone out."""
        self._emulation.script.add_byte_hook(count, callback)

    def clear(self) -> None:
        """Forget scripts, deliveries and hooks that were not consumed."""
        self._emulation.script.clear()

    @property
    def requests(self) -> list[Received]:
        """Every request so far."""
        return self._emulation.journal.requests

    def seen(self, step: str) -> list[Received]:
        """Give the requests of one step so far."""
        return [request for request in self.requests if request.step == step]

    @property
    def impatient(self) -> list[Received]:
        """Requests that came before a promised delay had passed."""
        return self._emulation.journal.impatient

    @property
    def downloads(self) -> int:
        """How many files were handed over, whole or not."""
        return self._emulation.journal.downloads

    @property
    def jobs(self) -> list[Job]:
        """Every job that was accepted."""
        return self._emulation.jobs.all()

    def forget_job(self, job_id: str) -> None:
        """Lose a job: its status is 404 from now on."""
        self._emulation.jobs.forget(job_id)

    def expire_urls(self) -> None:
        """Make every download URL that was given so far invalid."""
        self._emulation.store.expire()

    @property
    def sessions(self) -> list[Session]:
        """IBM's sessions that nobody has deleted."""
        return self._emulation.ibm.open_sessions()

    @property
    def max_concurrent_sessions(self) -> int:
        """The most IBM sessions that were open at once."""
        return self._emulation.ibm.most

    @property
    def max_concurrent_jobs(self) -> int:
        """The most jobs that ran at once: accepted, and no status had said yet that they were done."""
        return self._emulation.jobs.most
