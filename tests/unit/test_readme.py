"""The pages: pictures are what is deployed, links lead somewhere, each command is one that its tool takes."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import jmespath
import pytest
from moto import mock_aws

from logferry.collect.input import read_collection
from tests.gates.deployment import ROOT, deployment
from tests.gates.machines import edges
from tests.gates.pages import (
    HEREDOC,
    SAM_PYTHON,
    aws_findings,
    commands,
    link_findings,
    pages,
    sam_overrides,
    scripts,
)
from tests.sandbox.cli import parser

if TYPE_CHECKING:
    from pathlib import Path

MOST_WORDS = 1_400
needs_sam = pytest.mark.skipif(not SAM_PYTHON.is_file(), reason="no SAM here: make tools")

DIAGRAM = re.compile(r"```mermaid\s+stateDiagram(?:-v2)?\s+(.*?)```", re.DOTALL)
ALIAS = re.compile(r'^state\s+"([^"]+)"\s+as\s+(\S+)$')
DESCRIBED = re.compile(r"^(\w+)\s*:\s*(.+)$")
EDGE = re.compile(r"^(.+?)\s*-->\s*([^:]+?)\s*(?::.*)?$")
OUTSIDE = "[*]"


def drawn(diagram: str) -> set[tuple[str, str]]:
    """Read a stateDiagram's edges, with aliases (`state "Submit Export" as SubmitExport`) resolved."""
    lines = [line.strip() for line in diagram.splitlines() if line.strip()]
    names = {match[2]: match[1] for line in lines if (match := ALIAS.match(line))}
    names |= {
        match[1]: match[2].strip() for line in lines if "-->" not in line and (match := DESCRIBED.match(line))
    }
    found = [match for line in lines if (match := EDGE.match(line))]
    return {(names.get(one[1], one[1]), names.get(one[2], one[2])) for one in found}


def defined(machine: dict[str, Any]) -> set[tuple[str, str]]:
    """List a definition's edges, `[*]` being outside: the start, and what ends the execution."""
    states = machine["States"]
    ends = {label for label, one in states.items() if one["Type"] in {"Succeed", "Fail"} or one.get("End")}
    return {*edges(states), (OUTSIDE, machine["StartAt"]), *((label, OUTSIDE) for label in ends)}


def pictures() -> dict[str, set[tuple[str, str]]]:
    """Return the drawn edges of each diagram, by the state that it starts with."""
    diagrams = [one for page in pages() for one in DIAGRAM.findall(page.read_text())]
    return {
        there: edges_drawn
        for edges_drawn in map(drawn, diagrams)
        for here, there in edges_drawn
        if here == OUTSIDE
    }


@pytest.mark.parametrize(
    "diagram",
    [
        '[*] --> A\nstate "Submit Export" as A\nA --> B : done\nB : Export Failed\nB --> [*]',
        "[*] --> Submit Export\nSubmit Export --> Export Failed: done\nExport Failed --> [*]",
    ],
)
def test_pictures_are_read_with_or_without_aliases(diagram: str) -> None:
    assert drawn(diagram) == {
        (OUTSIDE, "Submit Export"),
        ("Submit Export", "Export Failed"),
        ("Export Failed", OUTSIDE),
    }


def test_the_pages_show_an_export() -> None:
    assert "Submit Export" in pictures()


def test_what_is_drawn_is_what_is_deployed() -> None:
    machines = {one["StartAt"]: one for one in deployment().machines.values()}

    for start, picture in pictures().items():
        # Each edge once in the picture and once in the definition, errors included.
        assert picture == defined(machines[start]), start


PAGES = pages()
CALLS = [(page, words) for page in PAGES for script in scripts(page) for words in commands(script)]


def calls(program: str) -> list[Any]:
    return [
        pytest.param(words, id=f"{page.relative_to(ROOT)}:{' '.join(words)[:60]}")
        for page, words in CALLS
        if words[0] == program
    ]


def test_the_readme_is_read_in_five_minutes() -> None:
    words = (ROOT / "README.md").read_text().split()

    assert len(words) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(link_findings(page)) == []


@pytest.mark.parametrize("words", calls("aws"))
def test_the_aws_cli_takes_what_the_pages_say(words: list[str]) -> None:
    assert list(aws_findings(words)) == []


@pytest.mark.parametrize(
    "line",
    [
        "aws stepfunctions start-executions --state-machine-arn X",
        "aws steps start-execution --state-machine-arn X",
        "aws stepfunctions start-execution --input file://x",
        "aws stepfunctions start-execution --state-machine X --state-machine-arn X",
        "aws stepfunctions list-executions --state-machine-arn X --status-filter BROKEN",
        "aws stepfunctions list-executions --state-machine-arn X --max-results many",
        "aws stepfunctions list-executions --state-machine-arn X --query 'executions[0'",
        "aws stepfunctions list-executions --state-machine-arn X --output jsn",
        "aws stepfunctions list-executions --state-machine-arn X extra",
        "aws stepfunctions start-execution --state-machine-arn X --input '{\"a\": 1'",
        "aws s3api list-object-version --bucket X",
        "x=$(aws logs start-query --start-time 1 --end-time 2) && true",
        "true | while aws s3api delete-objects --delete file://x; do :; done",
    ],
)
def test_what_the_aws_cli_refuses_is_found(line: str) -> None:
    [words] = commands(line)

    assert list(aws_findings(words))


def test_a_command_within_another_one_is_looked_at_too() -> None:
    line = "aws a b --input \\\n  \"$(aws c d --x 'e(f)' | jq)\" > out  # aws g h"

    assert list(commands(line)) == [["aws", "a", "b", "--input", "$(…)"], ["aws", "c", "d", "--x", "e(f)"]]


@needs_sam
@pytest.mark.parametrize("words", calls("sam"))
def test_sam_takes_what_the_pages_say(words: list[str], tmp_path: Path) -> None:
    # Given the files that the pages write, and SAM's own parser
    for page in PAGES:
        for name, text in HEREDOC.findall(page.read_text()):
            (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "template.yaml", tmp_path)
    # When
    given = sam_overrides(words, tmp_path)
    # Then each parameter is the template's, and its value one that CloudFormation takes
    for name, value in given.items():
        parameter = deployment().source["Parameters"][name]
        assert value in parameter.get("AllowedValues", [value]), name
        assert re.search(parameter.get("AllowedPattern", ""), value), name
    if "CollectExports" in given:
        exports = json.loads(given["CollectExports"])
        assert read_collection({"exports": exports, "every": "day"}, datetime.now(UTC)).series


@needs_sam
@pytest.mark.parametrize(
    "line", ["sam deplloy", "sam deploy --stack logferry --resolve-s4", "sam delete --yes"]
)
def test_what_sam_refuses_is_found(line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        sam_overrides(line.split(), tmp_path)


def test_the_readme_deploys_without_being_asked() -> None:
    deploys = [
        words for page, words in CALLS if page == ROOT / "README.md" and words[:2] == ["sam", "deploy"]
    ]

    assert len(deploys) == 2
    for words in deploys:
        assert {"--stack-name", "--resolve-s3", "--capabilities", "--no-confirm-changeset"} <= set(words)
        assert "--guided" not in words


@pytest.mark.parametrize("words", calls("make"))
def test_verbs_are_the_makefiles(words: list[str]) -> None:
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    inputs = [word.partition("=")[2] for word in words if word.startswith("INPUT=statemachine/")]

    assert words[1] in verbs
    assert all((ROOT / path).is_file() for path in inputs)


@pytest.mark.parametrize("words", calls(".venv/bin/python"))
def test_the_sandbox_takes_what_the_pages_say(words: list[str]) -> None:
    assert words[1] == "-m"
    assert importlib.util.find_spec(words[2])
    if words[2] == "tests.sandbox":
        parser().parse_args(words[3:])


def test_every_aws_command_is_one_that_people_are_shown_with_its_arguments() -> None:
    # A page that loses its commands, or a pattern that no longer finds them, is not a page without faults.
    assert {
        "start-execution",
        "stop-execution",
        "redrive-execution",
        "list-executions",
        "describe-stacks",
    } <= {words[2] for _, words in CALLS if words[0] == "aws"}
    assert {"build", "deploy", "delete"} <= {words[1] for _, words in CALLS if words[0] == "sam"}


def test_the_loop_that_empties_a_versioned_bucket_leaves_nothing() -> None:
    # Given a bucket with versions and markers, and the question of the page
    [query] = {
        words[words.index("--query") + 1]
        for _, words in CALLS
        if words[1:3] == ["s3api", "list-object-versions"]
    }
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="landed")
        s3.put_bucket_versioning(Bucket="landed", VersioningConfiguration={"Status": "Enabled"})
        for _ in range(2):
            s3.put_object(Bucket="landed", Key="a", Body=b"1")
        s3.delete_object(Bucket="landed", Key="a")
        # When each round deletes what it lists
        for _ in range(2):
            listed = jmespath.search(query, s3.list_object_versions(Bucket="landed"))
            if listed["Objects"]:
                s3.delete_objects(Bucket="landed", Delete=listed)
        # Then nothing is left, and the bucket can go
        assert listed == {"Objects": []}
        s3.delete_bucket(Bucket="landed")
