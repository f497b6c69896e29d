from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.world import SPEED, World
from tests.gates.calls import denied
from tests.gates.deployment import deployment
from tests.sandbox.engine import Sandbox
from tests.sandbox.vendor.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        yield vendors


@pytest.fixture(scope="module")
def sandbox(vendors: Vendors) -> Iterator[Sandbox]:
    """Deploy the real template, once for each file of tests; our logger at DEBUG, to see all it says."""
    parameters = {"LogLevel": "DEBUG"}
    with Sandbox(parameters=parameters, speed=SPEED, ca_bundle=vendors.ca_file) as sandbox:
        yield sandbox


@pytest.fixture
def world(sandbox: Sandbox, vendors: Vendors) -> Iterator[World]:
    """Give a test its world, and hold whatever its functions asked of AWS to what their roles allow."""
    yield World(sandbox, vendors)
    assert denied(sandbox.faults.requests, deployment().translated()) == []
