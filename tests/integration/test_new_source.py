"""A source of the reader's own: the file that `sources/README.md` prints, alone, goes all the way."""

from __future__ import annotations

import ast
import gzip
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from logferry import sources
from logferry.errors import ConnectionConfigError, InvalidRequestError
from logferry.sources.registry import source_named
from tests.integration.steps import Steps, stage
from tests.sandbox.vendor import Reply, Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(sources.__file__).parent / "README.md"
LINES = gzip.compress(b'{"event": 1}\n{"event": 2}\n{"event": 3}\n')


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


REQUEST: dict[str, Any] = json.loads(blocks("json")[0])


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Steps]:
    # Given the one file, in a folder that counts as part of the package
    (tmp_path / "acme_audit.py").write_text(blocks("python")[0])
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "logferry.sources.acme_audit", raising=False)
    with Vendors() as vendors, stage(vendors, monkeypatch) as steps:
        auth = {"type": "api_key", "key": "hush-hush"}
        steps.put_secret("acme-audit", {"base_url": vendors.base_url, "account": "a-1", "auth": auth})
        yield steps
    monkeypatch.delitem(sys.modules, "logferry.sources.acme_audit", raising=False)


def test_a_seventh_source_is_one_file(steps: Steps) -> None:
    # Given a vendor that takes a job, works on it, and has a file
    done = Reply(200, json={"state": "done", "url": f"{steps.vendors.base_url}/v1/files/x?sig=abc"})
    running = Reply(200, json={"state": "queued"})
    steps.vendors.script("other", Reply(201, json={"id": "e~1"}), running, done, done, Reply(200, body=LINES))
    # When an export of it runs
    result = steps.run({**REQUEST, "filters": {"severity": ["high"]}})[-1]
    # Then it lands as any other does
    assert result["state"] == "LANDED"
    assert result["key"].startswith("acme-audit/acme-audit/north/date=2026-11-18/20261118T000000Z--")
    assert result["key"].endswith(".json.gz")
    assert steps.body(result["key"]) == LINES
    assert (result["records"], result["submits"], result["polls"]) == (3, 1, 2)
    assert [message["source"] for message in steps.messages] == ["acme-audit"]
    # And the vendor was asked what the file says, with its credentials
    submit, *polls, download = steps.vendors.requests
    assert submit.json == {
        "account": "a-1",
        "project": "north",
        "from": "2026-11-18T00:00:00+00:00",
        "to": "2026-11-19T00:00:00+00:00",
        "severity": ["high"],
    }
    assert {each.path for each in polls} == {"/v1/exports/e~1"}
    assert {each.headers["x-acme-key"] for each in steps.vendors.requests} == {"hush-hush"}
    assert download.target == "/v1/files/x?sig=abc"


def test_its_inputs_and_connections_are_checked_as_any_others(steps: Steps) -> None:
    with pytest.raises(InvalidRequestError, match=r"target\.project: is required"):
        steps.submit({**REQUEST, "target": {}})
    with pytest.raises(InvalidRequestError, match=r"filters\.severity\.0: input should be a valid string"):
        steps.submit({**REQUEST, "filters": {"severity": [1]}})
    with pytest.raises(InvalidRequestError, match="acme-audit"):
        source_named("no-such-source")
    steps.put_secret("acme-audit", {**steps.vendors.secret("bearer"), "account": "a-1"})
    with pytest.raises(ConnectionConfigError, match="connection acme-audit"):
        steps.submit(REQUEST)
    assert steps.vendors.requests == []


def test_the_page_names_what_is_there() -> None:
    # Given what the page prints in code
    ast.parse(blocks("python")[0])
    named = re.findall(r"`((?:tests|statemachine|logferry)/[\w./-]+)`", PAGE.read_text())
    # Then every file that it sends the reader to exists, but for the reader's own
    root = PAGE.parents[4]
    for name in named:
        if "acme" not in name:
            place = root / "layers/logferry" / name if name.startswith("logferry/") else root / name
            assert place.exists(), name
