"""Download URLs: a token in the path is the credential; limited in time and uses."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.sandbox.vendor.blobs import Blob, spool
from tests.sandbox.vendor.messages import Answer, Received, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from tests.sandbox.vendor.access import Access
    from tests.sandbox.vendor.knobs import Knobs

DOCUMENTS = "/docstore/api/v1/documents/versions/tokens"
"""The path of Spark's file host, as the SDK's pages show it."""
EXPIRED = (
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
)


KEPT_FILES = 64


class Shelf:
    """Files that were made lately: many clients, resumed downloads and repeated polls want the same one."""

    def __init__(self) -> None:
        self._files: OrderedDict[Hashable, Blob] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Iterable[bytes]]) -> Blob:
        """Give the file of that key, made now if it is not at hand."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:  # one maker a file; other files need not wait for it
            with self._lock:
                found = self._files.get(key)
            blob = found or spool(make())
        with self._lock:
            self._files[key] = blob
            self._files.move_to_end(key)
            if len(self._files) > KEPT_FILES:
                oldest, _ = self._files.popitem(last=False)
                self._making.pop(oldest, None)
        return blob


@dataclass
class Offer:
    """A file on offer under one URL; `make` gives the file, or another variant of it."""

    name: str
    content_type: str
    make: Callable[[int], Blob]
    job_id: str
    until: float
    uses: int = 0


class Store:
    """Offers by token. `bases` are the origins' URLs by name, set once the servers listen."""

    def __init__(self, knobs: Knobs, access: Access) -> None:
        self.knobs = knobs
        self.access = access
        self.bases: dict[str, str] = {}
        self._offers: dict[str, Offer] = {}
        self._lock = threading.Lock()

    def offer(self, name: str, content_type: str, job_id: str, make: Callable[[int], Blob]) -> str:
        """Give a fresh URL for a file."""
        token = uuid.uuid4().hex + uuid.uuid4().hex
        until = self.knobs.clock() + self.knobs.url_seconds
        with self._lock:
            self._offers[token] = Offer(name, content_type, make, job_id, until)
        origin = self.knobs.download_origin
        prefix = DOCUMENTS if origin == "download" else f"/{quote(self.access.tenant)}/api/v3/files"
        return f"{self.bases[origin]}{prefix}/{token}/{quote(name)}"

    def renewed(self, received: Received) -> str:
        """Give another URL for the file that a request names."""
        offer = self._offers[received.params[0]]
        return self.offer(offer.name, offer.content_type, offer.job_id, offer.make)

    def expire(self) -> None:
        """Make every URL that was given so far invalid."""
        with self._lock:
            for offer in self._offers.values():
                offer.until = 0.0

    def owner(self, token: str) -> str | None:
        """Give the id of the job whose file a token is for."""
        offer = self._offers.get(token)
        return offer.job_id if offer else None

    def answer(self, received: Received) -> Answer:
        """Serve `…/tokens/{token}/{name}` of the second origin: no credentials wanted."""
        token = received.params[0]
        limit = self.knobs.url_uses
        with self._lock:
            offer = self._offers.get(token)
            if offer is None or received.params[1] != offer.name:
                raise RefusedError(Answer(404, b"", {"Content-Type": "application/xml"}))
            offer.uses += 1
            late = self.knobs.clock() >= offer.until or (limit is not None and offer.uses > limit)
        if late:
            raise RefusedError(Answer(403, EXPIRED, {"Content-Type": "application/xml"}))
        headers = {
            "Content-Type": offer.content_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(offer.name)}",
        }
        return Answer(headers=headers, file=offer.make)

    def answer_with_credentials(self, received: Received) -> Answer:
        """Serve the same on the API origin, to the caller's credentials only."""
        tenant, *rest = received.params
        self.access.check_spark(received, tenant)
        received.params = tuple(rest)
        return self.answer(received)
