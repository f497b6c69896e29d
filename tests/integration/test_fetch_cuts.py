"""A transfer that breaks at any byte, in any framing, on both S3 servers: the exact object, or nothing."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from logferry import runtime
from logferry.download.stream import TimeBudget
from logferry.errors import DeliveryError, LogferryError
from logferry.export import fetch as fetch_module
from logferry.storage.bucket import s3_config
from logferry.storage.buffers import SMALLEST_PART
from tests.integration.steps import Steps, example, stage
from tests.sandbox.vendor.big_zips import big_zip
from tests.sandbox.vendor.delivery import Delivery, Framing
from tests.sandbox.vendor.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.s3server import S3Server

PART = SMALLEST_PART
REQUEST = example("spark-log-csv")
FILE = big_zip(PART + PART // 2)
BODY = b"".join(bytes(chunk) for chunk in FILE.chunks())
CUTS = [0, 1, PART - 1, PART, PART + 1, len(BODY) - 1]


@dataclass
class Landing:
    """The steps of an export, and the S3 server that it lands on."""

    steps: Steps
    s3: Any
    bucket: str

    def versions(self) -> dict[str, list[bytes]]:
        """Give every version of every object."""
        found: dict[str, list[bytes]] = {}
        for each in self.s3.list_object_versions(Bucket=self.bucket).get("Versions", []):
            got = self.s3.get_object(Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])
            found.setdefault(each["Key"], []).append(got["Body"].read())
        return found

    def uploads(self) -> list[Any]:
        """Give the multipart uploads that are open."""
        return list(self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads") or [])


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors(polls=1, file=lambda _: FILE) as vendors:
        yield vendors


@pytest.fixture(params=["moto", "seaweedfs"])
def landing(
    request: pytest.FixtureRequest, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Landing]:
    vendors.clear()
    vendors.knobs.delivery = Delivery()
    # Pauses between tries are the budget's; nothing waits for them here.
    monkeypatch.setattr(fetch_module, "TimeBudget", partial(TimeBudget, sleep=lambda _: None))
    with stage(vendors, monkeypatch) as steps:
        if request.param == "seaweedfs":
            server: S3Server = request.getfixturevalue("seaweed")
            client = server.client(s3_config())
            bucket = f"cuts-{uuid.uuid4()}"
            client.create_bucket(Bucket=bucket)
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            settings = replace(runtime.settings(), bucket=bucket, bucket_owner="")
            monkeypatch.setattr(runtime, "s3", lambda: client)
            monkeypatch.setattr(runtime, "settings", lambda: settings)
        yield Landing(steps, runtime.s3(), runtime.settings().bucket)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("cut", CUTS)
def test_a_transfer_that_breaks_once_still_lands_exactly(
    landing: Landing, cut: int, framing: Framing
) -> None:
    # Given
    landing.steps.vendors.deliver(Delivery(framing=framing, cut=cut), Delivery(framing=framing, cut=cut))
    # When: a body that ends by closing the connection shows its cut only to the structure check
    states = None
    for _ in range(3):
        try:
            states = landing.steps.run(REQUEST)
            break
        except LogferryError:
            assert landing.versions() == {}
            assert landing.uploads() == []
    # Then
    assert states is not None
    versions = landing.versions()
    assert versions[states[-1]["key"]] == [BODY]
    assert [len(found) for found in versions.values()] == [1, 1]
    assert landing.uploads() == []


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("cut", CUTS)
def test_a_transfer_that_always_breaks_leaves_nothing(landing: Landing, cut: int, framing: Framing) -> None:
    # Given a server that cannot resume
    landing.steps.vendors.knobs.delivery = Delivery(framing=framing, cut=cut, ranges=False, etag=None)
    # When
    with pytest.raises(LogferryError) as raised:
        landing.steps.run(REQUEST)
    # Then
    assert type(raised.value).__name__ in {"SourceUnavailableError", "CorruptDownloadError"}
    assert landing.versions() == {}
    assert landing.uploads() == []


@pytest.mark.parametrize("corrupt", [0, PART - 1, PART, len(BODY) - 30])
def test_a_flipped_byte_leaves_nothing(landing: Landing, corrupt: int) -> None:
    # Given
    landing.steps.vendors.knobs.delivery = Delivery(corrupt=corrupt)
    # When
    with pytest.raises(LogferryError) as raised:
        landing.steps.run(REQUEST)
    # Then
    assert type(raised.value).__name__ == "CorruptDownloadError"
    assert landing.versions() == {}
    assert landing.uploads() == []


# moto answers a part of an aborted upload with a crash of its own.
@pytest.mark.parametrize("landing", ["seaweedfs"], indirect=True)
def test_two_fetches_at_once_end_as_one_landing(landing: Landing) -> None:
    # Given a fetch whose download triggers a second one of the same execution, as after a lost connection
    state = landing.steps.ready(REQUEST)
    second: list[Any] = []

    def fetch_again() -> None:
        second.append(landing.steps.fetch(REQUEST, state))
        landing.steps.wait(seconds=1)  # no two writes bear the same time

    landing.steps.vendors.on_bytes(PART, fetch_again)
    # When: the earlier one finds its upload gone, or its row
    with suppress(DeliveryError):
        assert landing.steps.fetch(REQUEST, state)["state"] == "LOST"
    # Then the later one has landed it
    assert second[0]["state"] == "LANDED"
    assert landing.versions()[second[0]["key"]] == [BODY]
    assert len(landing.steps.messages) == 1
    assert landing.uploads() == []
