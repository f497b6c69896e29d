"""JSON Schemas of the two inputs, for editors: made from what the functions check, kept beside the machines.

`python -m tests.gates.schemas` writes them; a test fails when they are out of date.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from logferry.collect.input import CollectionInput
from logferry.export.validation import STRICT, ExportInput
from logferry.sources.registry import source_named, source_names
from tests.gates.deployment import ROOT

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = ROOT / "statemachine"


def export_schema() -> dict[str, Any]:
    """Describe the input of export.asl.json: one variant for each source."""
    common = ExportInput.model_json_schema()
    return {
        "$schema": DIALECT,
        "title": "One export",
        "$defs": common["$defs"],
        "oneOf": [_variant(name, common["properties"], windowed=True) for name in source_names()],
    }


def collect_schema() -> dict[str, Any]:
    """Describe the input of collect.asl.json; its exports have no windows of their own."""
    common = ExportInput.model_json_schema()["properties"]
    collection = CollectionInput.model_json_schema()
    names = [name for name in source_names() if source_named(name).window]
    collection["properties"]["exports"]["items"] = {
        "oneOf": [_variant(name, common, windowed=False) for name in names]
    }
    return {"$schema": DIALECT, **collection, "title": "Many exports"}


def _variant(name: str, common: dict[str, Any], *, windowed: bool) -> dict[str, Any]:
    source = source_named(name)
    target, filters = _part(source.Target), _part(source.Filters)
    properties = {
        "source": {"const": name},
        "connection": common["connection"],
        "target": target,
        "filters": filters,
    }
    required = ["source", "connection", *(["target"] if target.get("required") else [])]
    if windowed:
        properties |= {"$schema": {"type": "string"}, "refresh": common["refresh"]}
        on_limit = common["on_limit"]
        if not source.window:
            on_limit = {**on_limit, "enum": [each for each in on_limit["enum"] if each != "split"]}
        properties["on_limit"] = on_limit
        if source.window:
            properties["window"] = {"$ref": "#/$defs/WindowInput"}
            required.append("window")
    return {
        "title": name,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _part(kind: type) -> dict[str, Any]:
    kind.__pydantic_config__ = STRICT  # type: ignore[attr-defined]
    return TypeAdapter(kind).json_schema()


SCHEMAS = {"export.schema.json": export_schema, "collect.schema.json": collect_schema}


def text_of(name: str) -> str:
    """Give a schema as it is kept."""
    return json.dumps(SCHEMAS[name](), indent=2) + "\n"


if __name__ == "__main__":
    for each in SCHEMAS:
        (FOLDER / each).write_text(text_of(each))
