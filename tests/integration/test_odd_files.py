"""Files as they should not be and are: from the vendor's server to manifest and notification."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.steps import Steps, example, stage
from tests.sandbox.vendor import Vendors
from tests.sandbox.vendor.blobs import BytesBlob

if TYPE_CHECKING:
    from collections.abc import Iterator


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


@pytest.fixture(name="served", scope="module")
def _served() -> Iterator[tuple[Vendors, list[bytes]]]:
    files: list[bytes] = []
    with Vendors(polls=1, file=lambda _: BytesBlob(files[-1])) as vendors:
        yield vendors, files


@pytest.mark.parametrize(
    ("source", "body", "records", "reason"),
    [
        ("spark-log-csv", zipped(**{"a.csv": b"id\n1\n2\n"}) + b"\0\r\n", 2, "3 bytes of blanks"),
        ("spark-log-json", zipped(**{"a.json": b"[1,,2]", "b.json": b"[1]"}), None, "no JSON parser reads"),
    ],
)
def test_what_is_odd_about_a_file_is_said(
    served: tuple[Vendors, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    body: bytes,
    records: int | None,
    reason: str,
) -> None:
    # Given a file that is landed, and is not quite as it should be
    vendors, files = served
    vendors.clear()
    files.append(body)
    with stage(vendors, monkeypatch) as steps:
        # When it lands
        steps.run(example(source))
        # Then the manifest, and whoever is told, say so
        told = [*steps.messages, manifest(steps)]
    assert len(told) == 2
    for document in told:
        assert document["records"] == records
        assert any(each.startswith(reason) for each in document["suspect"])


def manifest(steps: Steps) -> dict[str, Any]:
    [key] = [key for key in steps.keys if key.endswith(".manifest.json")]
    document: dict[str, Any] = json.loads(steps.body(key))
    return document
