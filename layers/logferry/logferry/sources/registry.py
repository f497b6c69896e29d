"""The sources, one file each: `spark-log-csv` is `spark_log_csv.py`, and no list names them.

A file of this folder that does not begin with an underscore is a source, `base` and this file excepted; its
`SOURCE` is what the functions use.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from logferry import sources
from logferry.errors import InvalidRequestError
from logferry.models.nearest import suggestion

if TYPE_CHECKING:
    from logferry.sources.base import Source

NOT_SOURCES = {"base", "registry"}


def source_names() -> list[str]:
    """Return the names of all sources, sorted."""
    modules = [found.name for found in iter_modules(sources.__path__) if found.name not in NOT_SOURCES]
    return sorted(module.replace("_", "-") for module in modules if not module.startswith("_"))


def source_named(name: str) -> Source:
    """Return a source by its name, importing its file alone. Raise InvalidRequestError for any other name."""
    if name not in source_names():
        names = source_names()
        raise InvalidRequestError(f"source: must be one of {', '.join(names)}{suggestion(name, names)}")
    source: Source = import_module(f"{sources.__name__}.{name.replace('-', '_')}").SOURCE
    return source
