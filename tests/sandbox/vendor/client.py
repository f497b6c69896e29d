"""A plain client of the emulated vendors, written against the pages: for tests of the emulation itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from tests.sandbox.vendor.vendors import Vendors

DAY = {"start_date": "2026-11-18T00:00:00Z", "end_date": "2026-11-19T00:00:00Z"}
TIMEOUT = 30


class Client:
    """Asks with the long-lived bearer token unless told otherwise; follows no redirects, retries nothing."""

    def __init__(self, vendors: Vendors, headers: dict[str, str] | None = None) -> None:
        self.vendors = vendors
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = vendors.ca_file
        self.headers = {"Authorization": f"Bearer {vendors.token}"} if headers is None else headers

    def send(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send one request; a path is taken as one of the API origin."""
        where = url if url.startswith("https:") else self.vendors.base_url + url
        options.setdefault("headers", self.headers)
        return self.session.request(method, where, timeout=TIMEOUT, allow_redirects=False, **options)

    def log_path(
        self, word: str = "downloadcsv", folder: str | None = None, service: str | None = None
    ) -> str:
        """Give the path of a log endpoint, each segment encoded by itself."""
        parts = (
            quote(part, safe="") for part in (folder or self.vendors.folder, service or self.vendors.service)
        )
        return "/{}/api/v3/folders/{}/services/{}/log/{}".format(self.vendors.tenant, *parts, word)

    def submit(self, word: str = "downloadcsv", **request_data: Any) -> str:
        """Submit a log job for a day, or as told; gives the job id."""
        body = {"request_data": DAY | request_data}
        reply = self.send("POST", self.log_path(word), json=body)
        reply.raise_for_status()
        return str(reply.json()["response_data"]["job_id"])

    def status(self, job_id: str, word: str = "downloadcsv") -> requests.Response:
        """Ask once how far a log job is."""
        return self.send("GET", f"{self.log_path(word)}/status/{job_id}")

    def url(self, word: str = "downloadcsv", **request_data: Any) -> str:
        """Submit, poll until there is a URL, and give it."""
        job_id = self.submit(word, **request_data)
        for _ in range(20):
            if url := self.status(job_id, word).json()["response_data"]["download_url"]:
                return str(url)
        raise AssertionError("20 polls and no URL")

    def get(self, url: str, **headers: str) -> requests.Response:
        """Fetch a file without credentials; underscores in header names stand for hyphens."""
        return self.send(
            "GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def log(self, word: str = "downloadcsv", **request_data: Any) -> bytes:
        """Give the whole file of a log."""
        return self.get(self.url(word, **request_data)).content

    def ibm_headers(self) -> dict[str, str]:
        """Get a UAA token and give the headers that IBM wants."""
        secret = self.vendors.secret("uaa")["auth"]
        form = {"grant_type": "password", "username": "apikey", "password": secret["api_key"]}
        reply = self.send("POST", secret["token_url"], headers={}, auth=("cf", ""), data=form)
        reply.raise_for_status()
        token = reply.json()["access_token"]
        return {"X-Auth-Token": f"bearer {token}", "X-Auth-Project-Id": self.vendors.space_id}
