"""SQL over what a run has left: the verb, and the end of a run."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from logferry.tabulate.schema import TABLES
from tests.sandbox.cli import USAGE, main

if TYPE_CHECKING:
    from pathlib import Path

LOG = "statemachine/examples/spark-log-csv.json"


def ask(capsys: pytest.CaptureFixture[str], state: Path, sql: str) -> list[dict[str, str]]:
    """Ask the tables of a kept sandbox."""
    assert main(["query", sql, "--state", str(state)]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Run an export twice over one state, the second time as its refresh."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        out = io.StringIO()
        patch.setattr("sys.stdout", out)
        again = folder / "again.json"
        with open(LOG, encoding="utf-8") as file:  # noqa: PTH123 - a path as the command line has it
            again.write_text(json.dumps({**json.load(file), "refresh": True}))
        shared = ["--state", str(folder / "kept"), "--speed", "20", "--json"]
        assert main(["run", LOG, *shared]) == 0
        out.truncate(0)
        out.seek(0)
        assert main(["run", str(again), *shared, "--out", str(folder / "out")]) == 0
        return folder, json.loads(out.getvalue())


def test_the_tables_of_a_kept_sandbox_answer_sql(
    ran: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, document = ran

    (row,) = ask(capsys, folder / "kept", "SELECT service, day, count(*) AS n FROM calls GROUP BY ALL")
    assert row == {"service": "Quote", "day": "2026-11-18", "n": str(document["output"]["records"])}
    # The newest version's alone
    (row,) = ask(capsys, folder / "kept", "SELECT DISTINCT source_version FROM calls")
    assert row["source_version"] == document["output"]["objects"][0]["version_id"]
    assert ask(capsys, folder / "kept", "SELECT * FROM calls_filtered") == []


def test_tables_have_the_columns_and_types_of_the_schema(
    ran: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    types = {"TIMESTAMP WITH TIME ZONE": "timestamp", "BIGINT": "bigint", "VARCHAR": "string", "DATE": "date"}
    for name in ("calls", "activity"):
        rows = ask(capsys, ran[0] / "kept", f"DESCRIBE {name}")
        found = {row["column_name"]: types[row["column_type"]] for row in rows}
        wanted = {column: kind.replace("json", "string") for column, kind in TABLES[name].columns.items()}
        assert found == {**wanted, "day": "date"}


def test_what_a_run_tells_is_the_exports_own_and_out_holds_its_tables_too(
    ran: tuple[Path, dict[str, Any]],
) -> None:
    folder, document = ran

    assert len(document["objects"]) == 2
    assert len(document["notifications"]) == 1
    (table,) = (folder / "out").rglob("*.parquet")
    assert str(table.relative_to(folder / "out")).startswith("tables/calls/day=2026-11-18/")


def test_a_question_that_is_none_and_a_folder_that_is_none_are_said(
    ran: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", "SELECT nothing FROM calls", "--state", str(ran[0] / "kept")]) == USAGE
    assert "nothing" in capsys.readouterr().err
    assert main(["query", "SELECT 1", "--state", str(ran[0] / "gone")]) == USAGE
    assert "no folder" in capsys.readouterr().err
