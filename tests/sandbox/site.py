"""A stack being deployed: its names, clients and local files, and what the resource types leave behind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sandbox.template import TemplateError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.cloud import Cloud
    from tests.sandbox.runtime import LambdaRuntime

ARTEFACTS = "s3://logferry-sandbox-artefacts/"
"""Where `sam package` would have uploaded the local folders; here only a name for them."""


@dataclass(frozen=True)
class Rule:
    """An EventBridge rule with the targets that the bridge delivers to."""

    logical_id: str
    pattern: str | None
    schedule: str | None
    targets: list[dict[str, Any]]
    enabled: bool = True


@dataclass(frozen=True)
class Schedule:
    """An EventBridge Scheduler schedule; `target` as the template has it, resolved."""

    logical_id: str
    expression: str
    timezone: str
    target: dict[str, Any]
    enabled: bool = True


@dataclass
class Site:
    """One stack in one cloud."""

    cloud: Cloud
    runtime: LambdaRuntime
    stack: str = "logferry"
    parameters: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    layers: dict[str, Path] = field(default_factory=dict)
    event_buckets: set[str] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    state_machines: dict[str, str] = field(default_factory=dict)
    invoke_configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    not_emulated: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """Give a client of the embedded AWS."""
        return self.cloud.client(service)

    def physical_name(self, logical_id: str) -> str:
        """Name a resource as CloudFormation does: stack, logical id, twelve letters and digits."""
        suffix = hashlib.sha256(f"{self.stack}/{logical_id}".encode()).hexdigest()[:12].upper()
        return f"{self.stack}-{logical_id}-{suffix}"

    def publish(self, path: Path) -> str:
        """Give a local file or folder an S3 address, as packaging would."""
        address = f"{ARTEFACTS}{len(self.files)}/{path.name}"
        self.files[address] = path
        return address

    def local(self, bucket: str, key: str) -> Path:
        """Find the local file behind such an address."""
        try:
            return self.files[f"s3://{bucket}/{key}"]
        except KeyError as error:
            raise TemplateError(f"s3://{bucket}/{key} is not one of this template's local files") from error
