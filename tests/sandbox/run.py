"""One input through the real state machine: what `run` does, whatever is shown of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from tests.sandbox import evidence, private, state, tables
from tests.sandbox.engine import Sandbox
from tests.sandbox.vendor import Vendors
from tests.sandbox.wanted import UsageError

if TYPE_CHECKING:
    from tests.sandbox.beforehand import Own
    from tests.sandbox.contents import StoredObject
    from tests.sandbox.execution import Execution, Outcome
    from tests.sandbox.wanted import Wanted

ENDED_OTHERWISE = {"TIMED_OUT": "States.Timeout", "ABORTED": "Aborted"}
"""Ends that Step Functions gives no error name, told as FAILED."""


FAILED = Path(".sandbox/failed")
"""Where the evidence of failed runs is kept, one folder each."""


class View(Protocol):
    """Shows a run as it happens."""

    def say(self, text: str) -> None:
        """Show one line."""

    def follow(self, sandbox: Sandbox, execution: Execution) -> Outcome:
        """Show an execution until it ends."""


@dataclass(frozen=True)
class Result:
    """A finished run: the bucket's current objects, what was published, JSON bodies by key."""

    outcome: Outcome
    objects: list[StoredObject]
    notifications: list[dict[str, Any]]
    not_emulated: list[str]
    bodies: dict[str, bytes] = field(repr=False, default_factory=dict)
    table: str = ""
    """The table that the landings fed, if they fed one."""
    rows: str = ""
    """What a query over it gives, as CSV."""
    evidence: Path | None = None
    """The folder that a failed run leaves."""

    @property
    def succeeded(self) -> bool:
        """Whether the execution did what it was asked."""
        return self.outcome.status == "SUCCEEDED"

    def report(self) -> dict[str, Any] | None:
        """Give a collection's report; a collection that failed names it in its cause."""
        summary = self.outcome.output
        if summary is None:
            try:
                summary = json.loads(self.outcome.cause or "null")
            except ValueError:
                return None
        key = summary.get("report_key") if isinstance(summary, dict) else None
        report: dict[str, Any] | None = json.loads(self.bodies[key]) if key in self.bodies else None
        return report

    def to_json(self) -> dict[str, Any]:
        """Give the document that `--json` prints."""
        outcome = self.outcome
        return {
            "status": "SUCCEEDED" if self.succeeded else "FAILED",
            "output": outcome.output,
            "error": outcome.error or ENDED_OTHERWISE.get(outcome.status),
            "cause": outcome.cause,
            "objects": [{"key": one.key, "size": one.size, "sha256": one.sha256} for one in self.objects],
            "notifications": [one["message"] for one in self.notifications],
            "transitions": outcome.transitions,
        }


@dataclass(frozen=True)
class Settings:
    """How a run is set up; the paths are the user's."""

    own: Own | None = None
    """A connection that takes the emulated vendors' place."""
    state: str | None = None
    out: str | None = None
    speed: float = 1.0
    last: Path | None = None
    """A folder that holds what the last run landed and its state, where the user named none."""
    failed: Path = FAILED

    def kept(self, named: str, evidence: Path | None = None) -> Kept:
        """Return where things are when a run of the input `named` is over."""
        out, kept = self.out, self.state
        if self.last:
            out, kept = out or str(self.last / "landed"), kept or str(self.last / "state")
        return Kept(named, Path(out) if out else None, Path(kept) if kept else None, evidence)


@dataclass(frozen=True)
class Kept:
    """Where a run's things lie on this disk."""

    input: str
    out: Path | None = None
    state: Path | None = None
    evidence: Path | None = None


def run(wanted: Wanted, settings: Settings, view: View) -> Result:
    """Run an input; UsageError for a state folder that is of no use."""
    vendors: Vendors | None = None
    with ExitStack() as stack:
        given: dict[str, Any] = {"speed": settings.speed, "parameters": {"Tables": "ON"}}
        if settings.own:
            given["connections"] = dict.fromkeys(wanted.connections, settings.own.secret)
            given["parameters"] |= settings.own.surroundings.parameters
            given["ca_bundle"] = settings.own.surroundings.ca_bundle
        else:
            view.say("starting the emulated vendors")
            vendors = stack.enter_context(Vendors())
            given |= {"connections": wanted.emulated(vendors), "ca_bundle": vendors.ca_file}
        view.say("deploying template.yaml into the sandbox")
        try:
            sandbox = stack.enter_context(
                Sandbox(**given, state=Path(settings.state) if settings.state else None)
            )
        except (OSError, ValueError) as error:
            raise UsageError(str(error)) from error
        if wanted.machine not in sandbox.site.state_machines:
            raise UsageError(f"template.yaml has no {wanted.machine}")
        try:
            execution = sandbox.start(wanted.text, machine=wanted.machine)
        except ClientError as error:
            raise UsageError(error.response["Error"]["Message"]) from error
        try:
            outcome = view.follow(sandbox, execution)
        except KeyboardInterrupt:
            sandbox.stop(execution, error="Interrupted", cause="the person at the keyboard pressed Ctrl-C")
            outcome = execution.wait()
        sandbox.drain(120)
        everything = sandbox.objects()
        objects = [one for one in everything if not one.key.startswith(f"{tables.ROOT}/")]
        bodies = {one.key: sandbox.read(one.key) for one in objects if one.key.endswith(".json")}
        keep(sandbox, settings, everything)
        return Result(
            outcome,
            objects,
            sandbox.notifications(),
            sandbox.not_emulated,
            bodies,
            *landed_rows(sandbox, everything),
            None
            if outcome.status == "SUCCEEDED"
            else evidence.keep(settings.failed, sandbox, execution, vendors.requests if vendors else []),
        )


def keep(sandbox: Sandbox, settings: Settings, objects: list[StoredObject]) -> None:
    """Copy what landed to where the user wants it, else to the place of the last run, with its state."""
    if settings.out:
        copy(sandbox, objects, Path(settings.out))
    if settings.last:
        shutil.rmtree(settings.last, ignore_errors=True)
        if not settings.out:
            copy(sandbox, objects, settings.last / "landed")
        if not settings.state:
            state.save(sandbox, settings.last / "state")


def landed_rows(sandbox: Sandbox, objects: list[StoredObject]) -> tuple[str, str]:
    """Ask the first table what landed: its name, and its rows by service as CSV."""
    made = [one for one in objects if one.key.startswith(f"{tables.ROOT}/")]
    if not made:
        return "", ""
    with tempfile.TemporaryDirectory() as folder:
        copy(sandbox, made, Path(folder))
        named = made[0].key.split("/")[1]
        return named, tables.query(Path(folder), tables.EXAMPLE.format(table=named))


def copy(sandbox: Sandbox, objects: list[StoredObject], folder: Path) -> None:
    """Copy the objects into a folder, under their keys; UsageError where the folder takes none."""
    for one in objects:
        path = (folder / one.key).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise UsageError(f"{one.key} would leave {folder}")
        try:
            private.make_folder(path.parent)
            private.write_bytes(path, sandbox.read(one.key))
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
