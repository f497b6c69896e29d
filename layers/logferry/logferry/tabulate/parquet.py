"""Rows into one Parquet file, in row groups of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import write_parquet

from logferry.tabulate.schema import BIGINT, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

COMPRESSION: Final = "zstd(3)"
UTC: Final = "UTC"

Values = tuple[list[list[Any]], "Mapping[str, Any]"]


def arrow_schema(columns: Mapping[str, str]) -> Schema:
    """Return the columns as Arrow's."""
    return Schema([Field(name, _type(kind), nullable=True) for name, kind in columns.items()])


def write_table(
    path: Path,
    columns: Mapping[str, str],
    batches: Iterable[Values],
    *,
    group_rows: int,
    metadata: Mapping[str, str],
) -> None:
    """Write batches of rows: the rows' own values, column by column, and what is the same for all of them.

    Raises what `batches` raises.
    """
    schema = arrow_schema(columns)
    failure: list[BaseException] = []

    def made() -> Iterator[RecordBatch]:
        try:
            for varying, constant in batches:
                yield _batch(schema, columns, varying, constant)
        except BaseException as error:  # Arrow would pass its text on, and nothing else
            failure.append(error)
            raise

    try:
        write_parquet(
            RecordBatchReader.from_batches(schema, made()),
            path,
            compression=COMPRESSION,
            max_row_group_size=group_rows,
            key_value_metadata=dict(metadata),
        )
    except BaseException as error:
        if failure:
            raise failure[0] from error
        raise


def _batch(
    schema: Schema, columns: Mapping[str, str], varying: list[list[Any]], constant: Mapping[str, Any]
) -> RecordBatch:
    rows, at = len(varying[0]), iter(varying)
    arrays = [
        _array([constant[name]] * rows if name in constant else next(at), kind)
        for name, kind in columns.items()
    ]
    return RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: str) -> Array:
    if kind == TIMESTAMP:
        return Array(values, DataType.int64()).cast(_type(kind))
    return Array(values, _type(kind))


def _type(kind: str) -> DataType:
    if kind == TIMESTAMP:
        return DataType.timestamp("us", tz=UTC)
    return DataType.int64() if kind == BIGINT else DataType.string()
