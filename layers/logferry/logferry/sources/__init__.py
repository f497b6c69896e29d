"""The sources, one file each: `spark-log-csv` is `spark_log_csv.py`, and no list names them.

A file here that does not begin with an underscore is a source; its `SOURCE` is what the functions use.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from logferry.errors import InvalidRequestError

if TYPE_CHECKING:
    from logferry.source import Source


def names() -> list[str]:
    """Give the names of all sources."""
    return sorted(
        found.name.replace("_", "-") for found in iter_modules(__path__) if not found.name.startswith("_")
    )


def find(name: str) -> Source:
    """Give a source by its name; only its file is imported. Raises InvalidRequestError for any other name."""
    if name not in names():
        raise InvalidRequestError(f"source: must be one of {', '.join(names())}")
    source: Source = import_module(f"{__name__}.{name.replace('-', '_')}").SOURCE
    return source
