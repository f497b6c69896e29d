"""The house rules that a machine can read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from logferry.collect.input import read_collection
from logferry.export.validation import export_request
from logferry.sources.registry import source_names
from tests.gates.deployment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTRACT = {
    "template.yaml",
    "README.md",
    "functions",
    "layers",
    "statemachine",
    "tests",
    "Makefile",
    "pyproject.toml",
    ".python-version",
    ".ci",
    ".gitignore",
    "LICENSE",
}
EXAMPLES = sorted((ROOT / "statemachine/examples").glob("*.json"))
MODULE_LINES = 280
HANDLER_LINES = 40
# Put together from halves, so that this file names none of them.
REGISTRIES = [("py", "pi.org"), ("python", "hosted.org"), ("npm", "js.org")]
MACHINE_PATHS = [("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"), ("/wo", "rk/"), ("/fa", "rm/")]


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - git is where PATH says
    if done.returncode != 0:
        pytest.skip("not a git checkout: what is tracked cannot be told")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_nothing_lies_at_the_top_but_what_the_contract_names(tracked: list[Path]) -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked} <= CONTRACT


@pytest.mark.parametrize("halves", [*REGISTRIES, *MACHINE_PATHS])
def test_no_file_names_a_package_registry_or_a_path_of_somebody_s_machine(
    tracked: list[Path], halves: tuple[str, str]
) -> None:
    # A path begins where no name goes on: a folder of a repository may well be called so.
    pattern = re.compile(r"(?<![\w.*-])" + re.escape("".join(halves)))

    assert [str(path) for path in tracked if pattern.search(path.read_text(errors="replace"))] == []


def test_a_handler_is_a_door_not_a_room() -> None:
    for path in modules("functions"):
        assert lines(path) < HANDLER_LINES, path
        assert "def lambda_handler(event" in path.read_text(), path
        assert not re.search(r"^\s*(try|except)\b", path.read_text(), re.MULTILINE), f"{path} catches"


def test_a_module_is_one_noun() -> None:
    long = {
        str(path.relative_to(ROOT)): lines(path) for path in modules("layers", "functions", "tests/sandbox")
    }

    assert {name: count for name, count in long.items() if count > MODULE_LINES} == {}


def test_a_new_source_is_one_new_file_since_nobody_asks_which_it_is() -> None:
    asks = re.compile(r"""if .*\bsource(\.name)?\s*(==|!=|in)\s*[\["'({]""")
    outside = [path for path in modules("layers", "functions") if path.parent.name != "sources"]

    assert [str(path) for path in outside if asks.search(path.read_text())] == []


def test_no_code_edits_the_import_path() -> None:
    edits = re.compile(r"sys\.path\.(?:insert|append|extend)\(")

    assert [
        str(path) for path in modules("layers", "functions", "tests") if edits.search(path.read_text())
    ] == []


def test_every_source_has_an_example() -> None:
    assert set(source_names()) <= {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_valid_input(path: Path) -> None:
    document = json.loads(path.read_text())

    if "exports" in document:
        assert read_collection(document, datetime(2026, 11, 20, tzinfo=UTC)).series
    else:
        assert export_request(document).source == path.stem


@pytest.mark.parametrize("step", ["poll", "fetch"])
def test_status_and_fetch_start_without_pydantic(step: str) -> None:
    # pydantic costs 52 ms of every cold start, the X-Ray SDK 131.
    program = (
        f"import sys, logferry.export.{step}; "
        "print([name for name in ('pydantic', 'aws_xray_sdk', 'awscrt') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - our own

    assert done.stdout.strip() == "[]"


def test_the_pinned_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = {
        "layers/logferry/requirements.txt": project["project"]["dependencies"],
        "tests/requirements.txt": [*project["project"]["dependencies"], *groups["test"]],
        "tests/requirements-uv.txt": groups["uv"],
        "tests/requirements-sam.txt": groups["sam"],
        "tests/requirements-checkov.txt": groups["checkov"],
    }
    for name, pins in wanted.items():
        compiled = (ROOT / name).read_text()
        for pin in pins:
            package, _, version = re.sub(r"\[.*?\]", "", pin).partition("==")
            assert re.search(rf"^{re.escape(package)}=={re.escape(version)}", compiled, re.MULTILINE), (
                f"{pin} is not in {name}: make lock"
            )


def test_tests_run_on_the_very_packages_that_the_layer_carries() -> None:
    pin = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    layer = dict(pin.findall((ROOT / "layers/logferry/requirements.txt").read_text()))
    tests = dict(pin.findall((ROOT / "tests/requirements.txt").read_text()))

    assert {name: version for name, version in layer.items() if tests.get(name) != version} == {}


def test_every_requirement_is_hashed_and_none_names_where_it_came_from() -> None:
    for path in [*ROOT.glob("tests/requirements*.txt"), ROOT / "layers/logferry/requirements.txt"]:
        requirements = re.split(r"\n(?=\S)", path.read_text())
        pinned = [one for one in requirements if not one.startswith("#")]

        assert pinned
        assert all("--hash=sha256:" in one for one in pinned), path
        assert "://" not in path.read_text(), path
