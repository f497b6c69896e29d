from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from logferry.storage.bucket import s3_config
from tests.integration.downloads import connected
from tests.sandbox import s3server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from tests.integration.downloads import Client


@pytest.fixture(scope="session")
def seaweed() -> Iterator[s3server.S3Server]:
    """Run a real S3 server, one for each test process; its buckets are the tests' own."""
    with s3server.running() as server:
        yield server


@pytest.fixture
def emulated_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """Give our client of an emulated S3, over HTTPS as on AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("s3", region_name="eu-west-1", config=s3_config())


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run a server of the tests' own and give what downloads from it."""
    with connected(tmp_path, monkeypatch) as client:
        yield client
