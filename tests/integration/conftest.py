from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox import s3server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def seaweed() -> Iterator[s3server.S3Server]:
    """Run a real S3 server, one for each test process; its buckets are the tests' own."""
    with s3server.running() as server:
        yield server
