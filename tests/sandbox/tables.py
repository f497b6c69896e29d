"""SQL over the tables of a sandbox, with DuckDB: names and types as Athena has them."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from logferry.tabulate.schema import TABLES
from tests.sandbox.state import INDEX
from tests.sandbox.wanted import UsageError

ROOT = "tables"
EXAMPLE = """SELECT source, service, day, count(*) AS rows, count(row_error) AS errors
FROM {table} GROUP BY ALL ORDER BY ALL"""
TYPES = {"bigint": "BIGINT", "timestamp": "TIMESTAMPTZ", "string": "VARCHAR", "json": "VARCHAR"}


def query_state(state: Path, sql: str) -> str:
    """Query the tables that a run with `--state` has left; give the rows as CSV. Raise UsageError."""
    try:
        index: list[dict[str, Any]] = json.loads((state / INDEX).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{state} is no folder that exports were run with: {error}") from error
    newest = {entry["key"]: entry["blob"] for entry in index if entry["key"].startswith(f"{ROOT}/")}
    with tempfile.TemporaryDirectory() as folder:
        for key, blob in newest.items():
            if blob:
                path = Path(folder, key)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to((state / blob).resolve())
        return query(Path(folder), sql)


def query(folder: Path, sql: str) -> str:
    """Query the tables below `folder`; give the rows as CSV, the names first. Raise UsageError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in [*TABLES, *(f"{name}_filtered" for name in TABLES)]:
            connection.execute(_view(folder, name))
        try:
            # As texts: DuckDB wants one more package for times with a zone.
            found = connection.sql(sql)
            if found is not None:
                writer.writerow(found.columns)
                writer.writerows(found.project("COLUMNS(*)::VARCHAR").fetchall())
        except duckdb.Error as error:
            raise UsageError(str(error)) from error
    return text.getvalue()


def _view(folder: Path, name: str) -> str:
    columns = TABLES[name.removesuffix("_filtered")].columns
    if any((folder / ROOT / name).rglob("*.parquet")):
        files = str(folder / ROOT / name / "day=*" / "*.parquet").replace("'", "''")
        options = "hive_partitioning = true, hive_types = {'day': DATE}"
        return f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}', {options})"  # noqa: S608 - our own
    listed = ", ".join(f'"{column}" {TYPES[kind]}' for column, kind in columns.items())
    return f"CREATE TABLE {name} ({listed}, day DATE)"
