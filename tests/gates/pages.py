"""The pages: commands in them are held against the tools' own models, links against the tree."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import jmespath
from botocore import xform_name

from tests.gates.deployment import REGION, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ANY_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:aws|sam) [a-z0-9][^`]*)`")
HEREDOC = re.compile(r"cat > (\S+) <<'EOF'\n(.*?)^EOF$", re.DOTALL | re.MULTILINE)
BEGINS = re.compile(
    r"(?:^|\$\(|&&|\|\||[;|{]|\b(?:do|while|if)\b)\s*((?:aws|sam|make|\.venv/bin/python) )", re.MULTILINE
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

SERVICES = {"s3api": "s3"}
"""What the AWS CLI calls otherwise than botocore."""
POSITIONAL = {("lambda", "invoke"): 1}
"""Arguments without a name: the file that a function's answer goes to."""
GLOBAL: dict[str, set[str] | None] = {
    "--output": {"json", "text", "table", "yaml"},
    "--query": None,
    "--region": None,
    "--profile": None,
    "--cli-binary-format": {"base64", "raw-in-base64-out"},
}
GLOBAL_FLAGS = {"--no-paginate", "--no-cli-pager"}
PAGING = {"--max-items", "--page-size", "--starting-token"}

SAM_PYTHON = Path(sys.executable).parent.parent / "sam/bin/python"
READ_SAM = """
import importlib, json, sys
name, *arguments = json.loads(sys.argv[1])
command = importlib.import_module(f"samcli.commands.{name}.command").cli
chosen = command.make_context(name, arguments)
print(json.dumps(dict(chosen.params.get("parameter_overrides") or {})))
"""
"""SAM's own parser, types and all; nothing is carried out."""


def pages() -> list[Path]:
    """List the pages of the repository."""
    folders = ("functions", "layers", "statemachine", "tests")
    return [ROOT / "README.md", *sorted(page for each in folders for page in (ROOT / each).rglob("*.md"))]


def scripts(page: Path) -> list[str]:
    """List what a page shows to be typed: its shell blocks, and commands within sentences."""
    text = page.read_text()
    return [*FENCE.findall(text), *INLINE.findall(ANY_FENCE.sub("", text))]


def commands(script: str) -> Iterator[list[str]]:
    """Cut a shell script into its calls of aws, sam, make and python, each as the words that it gets.

    A command within another one (`$(…)`) comes by itself, and stands as `$(…)` in the outer one.
    """
    joined = HEREDOC.sub("", script).replace("\\\n", " ")
    for found in BEGINS.finditer(joined):
        yield shlex.split(_until_end(joined[found.start(1) :]), comments=True)


def _until_end(text: str) -> str:
    """Return a text up to where its first command ends, with what is substituted in it left out."""
    told: list[str] = []
    quote, depth = "", 0
    for place, sign in enumerate(text):
        if text.startswith("$(", place) and quote != "'":
            depth += 1
            told.append("$(…)" if depth == 1 else "")
        elif depth:
            depth += (sign == "(" and text[place - 1] != "$") - (sign == ")")
        elif quote:
            quote = "" if sign == quote else quote
            told.append(sign)
        elif sign in "\n;|&>)":
            break
        else:
            quote = sign if sign in "'\"" else ""
            told.append(sign)
    return "".join(told)


def aws_findings(words: Sequence[str]) -> Iterator[str]:
    """Say what the AWS CLI would refuse of a call, from botocore's models, which are the CLI's own."""
    service, operation, *rest = words[1:]
    try:
        members, required, paged = _operation(SERVICES.get(service, service), operation)
    except LookupError:
        yield f"aws {service} {operation}: there is no such command"
        return
    given, free = _given(rest, members)
    if len(free) != POSITIONAL.get((service, operation), 0):
        yield f"aws {service} {operation}: has {len(free)} arguments without a name"
    for name in sorted(required - set(given)):
        yield f"aws {service} {operation}: needs {name}"
    for name, value in given.items():
        if name in GLOBAL:
            yield from _global(name, value)
        elif name in members:
            yield from _value(f"aws {service} {operation} {name}", members[name], value)
        elif name not in GLOBAL_FLAGS and not (paged and name in PAGING):
            yield f"aws {service} {operation}: knows no {name}"


def _given(rest: Sequence[str], members: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Sort words into options with their values, and words without a name."""
    given: dict[str, str] = {}
    free = []
    left = iter(rest)
    for word in left:
        if not word.startswith("--"):
            free.append(word)
        elif word in GLOBAL_FLAGS or getattr(members.get(word), "type_name", "") == "boolean":
            given[word] = "true"
        else:
            given[word] = next(left, "")
    return given, free


@cache
def _operation(service: str, operation: str) -> tuple[dict[str, Any], set[str], bool]:
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        raise LookupError(service)
    model = session.get_service_model(service)
    name = {xform_name(each, "-"): each for each in model.operation_names}[operation]
    shape = model.operation_model(name).input_shape
    members = {f"--{xform_name(each, '-')}": kind for each, kind in (shape.members if shape else {}).items()}
    flags = {f"--no-{name[2:]}": kind for name, kind in members.items() if kind.type_name == "boolean"}
    required = {f"--{xform_name(each, '-')}" for each in (shape.required_members if shape else ())}
    paged = (
        botocore.session.get_session()
        .create_client(service, region_name=REGION)
        .can_paginate(xform_name(name))
    )
    return members | flags, required, paged


def _global(name: str, value: str) -> Iterator[str]:
    allowed = GLOBAL[name]
    if allowed is not None and value not in allowed:
        yield f"{name} is not {value}"
    if name == "--query":
        try:
            jmespath.compile(value)
        except jmespath.exceptions.ParseError as error:
            yield f"--query {value}: {error}"


def _value(name: str, shape: Any, value: str) -> Iterator[str]:
    if not value:
        yield f"{name}: has no value"
    elif "$" in value or value.startswith("file://"):
        return
    elif shape.type_name in {"integer", "long"} and not value.isdigit():
        yield f"{name}: {value} is no number"
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{name}: {value} is none of {', '.join(shape.enum)}"
    elif value.startswith(("{", "[")):
        try:
            json.loads(value)
        except ValueError as error:
            yield f"{name}: {error}"


def sam_overrides(words: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the parameters that a call of SAM sets, read by SAM itself. Raises ValueError."""
    done = subprocess.run(
        [str(SAM_PYTHON), "-c", READ_SAM, json.dumps(list(words[1:]))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError((done.stderr.strip() or "refused").splitlines()[-1])
    overrides: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return overrides


def link_findings(page: Path) -> Iterator[str]:
    """Say which links of a page lead nowhere in this repository."""
    for target in LINK.findall(ANY_FENCE.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            yield f"{page.relative_to(ROOT)}: {target} is not there"
        elif anchor and anchor not in anchors(there):
            yield f"{page.relative_to(ROOT)}: {target} has no such heading"


def anchors(page: Path) -> set[str]:
    """List the anchors of a page's headings, as they are made where the page is read."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(ANY_FENCE.sub("", page.read_text()))
    }
