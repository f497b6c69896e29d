"""The README's pictures of the state machines are compared with the definitions, edge by edge."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.gates.deployment import ROOT, deployment
from tests.gates.machines import edges

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
    """Give the drawn edges of each diagram, by the state that it starts with."""
    pages = [ROOT / "README.md", ROOT / "statemachine/README.md"]
    diagrams = [one for page in pages if page.is_file() for one in DIAGRAM.findall(page.read_text())]
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


def test_the_readme_shows_an_export() -> None:
    assert "Submit Export" in pictures()


def test_what_is_drawn_is_what_is_deployed() -> None:
    machines = {one["StartAt"]: one for one in deployment().machines.values()}

    for start, picture in pictures().items():
        # Each edge once in the picture and once in the definition, errors included.
        assert picture == defined(machines[start]), start
