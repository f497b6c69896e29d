"""The floors of the house: imports go down, or sideways within a wing, and a name means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import logferry

PACKAGE = Path(logferry.__file__).parent

FLOORS = (
    ("errors", "redact", "telemetry"),
    ("models",),
    ("vendor", "verify", "ledger", "storage", "notifications"),
    ("download", "sources", "runtime"),
    ("export",),
    ("collect", "unpack", "tabulate"),
    ("coverage",),
)
"""The wings and top modules, from the ground up."""
NEIGHBOURS = {"collect", "unpack", "tabulate"}
"""Workflows of one floor that may use each other."""

FLOOR_OF = {wing: floor for floor, wings in enumerate(FLOORS) for wing in wings}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def wing_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Return the wings that a module imports, those for type checking alone included."""
    wings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wings |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("logferry.")}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "logferry":
                wings |= {alias.name for alias in node.names if not alias.name.startswith("__")}
            elif node.module.startswith("logferry."):
                wings.add(node.module.split(".")[1])
    return wings


def refused(wing: str, other: str) -> bool:
    if wing == other or {wing, other} <= NEIGHBOURS:
        return False
    return FLOOR_OF[other] >= FLOOR_OF[wing]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_or_stay_within_the_wing(path: Path) -> None:
    wing = wing_of(path)
    assert wing in FLOOR_OF, f"say in FLOORS on which floor {wing} is"
    upward = sorted(other for other in imported(ast.parse(path.read_text())) if refused(wing, other))
    assert upward == [], f"{wing} is on floor {FLOOR_OF[wing]}"


@pytest.mark.parametrize(
    ("wing", "other"),
    [("models", "vendor"), ("vendor", "storage"), ("ledger", "runtime"), ("errors", "redact")],
)
def test_an_import_of_the_same_floor_or_a_higher_one_is_seen(wing: str, other: str) -> None:
    tree = ast.parse(f"if TYPE_CHECKING:\n    from logferry.{other}.x import y\n")
    assert [each for each in imported(tree) if refused(wing, each)] == [other]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_packages_hold_no_code(path: Path) -> None:
    code = [node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.Expr)]
    version = path.parent == PACKAGE
    assert len(code) == version


def test_a_public_name_means_one_thing() -> None:
    found = defaultdict(list)
    for path in MODULES:
        if wing_of(path) == "sources" and path.stem not in {"base", "registry"}:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
