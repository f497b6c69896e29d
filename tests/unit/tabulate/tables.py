"""Tables of the tests: entries made into a Parquet file as a landing is, read back with two engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq

from logferry.sources.registry import source_named
from logferry.tabulate.landing_rows import landing_rows
from logferry.tabulate.parquet import write_table
from logferry.tabulate.rows import Counts, batched
from logferry.tabulate.schema import ORIGIN, TABLES
from tests.unit.verify.archives import Wanted, zipped

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "Description,Log Time,Transaction date,Version,Version ID,User name,Source system,Correlation ID,"
    "Call purpose,Call ID,Calc time (ms),Total time (ms)"
)
TIME = "2026-11-18T04:56:56+00:00"


@dataclass
class Table:
    """A table that was read back, its rows as dictionaries."""

    rows: list[dict[str, Any]]
    counts: Counts


def tabulated(path: Path, *contents: bytes, source: str = "spark-log-csv", step: int = 1 << 20) -> Table:
    """Tabulate an archive of such entries; both engines must read the same from it."""
    end = ".csv" if source == "spark-log-csv" else ".json"
    body = zipped([Wanted(f"{place}{end}", content) for place, content in enumerate(contents)])
    return tabulated_file(path, body, source=source, step=step)


def tabulated_file(path: Path, body: bytes, *, source: str, step: int = 1 << 20) -> Table:
    """Tabulate a landed file."""
    found = source_named(source)
    assert found.feed
    schema = TABLES[found.feed.table]
    counts = Counts()
    chunks = [body[at : at + step] for at in range(0, len(body), step)]
    entries = landing_rows(chunks, found.kind, found.feed, schema.values, counts)
    origin = dict.fromkeys(ORIGIN)
    batches = (batch for name, rows in entries for batch in batched(rows, {**origin, "entry": name}))
    file = path / "table.parquet"
    write_table(file, schema.columns, batches, group_rows=1000, metadata={})
    rows = pq.read_table(file).to_pylist()
    times = [name for name, kind in schema.columns.items() if kind == "timestamp"]
    with duckdb.connect() as connection:
        # As microseconds: DuckDB needs another package for times with a zone in Python.
        wanted = ", ".join(
            f"epoch_us({name}) AS {name}" if name in times else name for name in schema.columns
        )
        cursor = connection.execute(f"SELECT {wanted} FROM read_parquet('{file}')")  # noqa: S608 - our own
        names = [each[0] for each in cursor.description or ()]
        again = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for one, other in zip(rows, again, strict=True):
        assert {**one, **dict.fromkeys(times)} == {**other, **dict.fromkeys(times)}
        for name in times:
            assert (one[name] is None) == (other[name] is None)
            assert one[name] is None or round(one[name].timestamp() * 10**6) == other[name]
    return Table(rows, counts)


def line(call_id: str, *cells: str, **changes: str) -> str:
    """Write a row below `HEADER` and more; cells are written as they are given."""
    known = {
        "description": "",
        "log_time": TIME,
        "transaction_date": TIME,
        "version": "1.0.0",
        "version_id": "v",
        "user": "u",
        "system": "s",
        "correlation": "c",
        "purpose": "p",
        "call_id": call_id,
        "calc": "1",
        "total": "2",
        **changes,
    }
    return ",".join([*known.values(), *cells])
