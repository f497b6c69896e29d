"""The schemas beside the state machines say what the functions check."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.gates.schemas import FOLDER, SCHEMAS, text_of

EXAMPLES = sorted((FOLDER / "examples").glob("*.json"))


def validator(document: dict[str, Any]) -> Draft202012Validator:
    name = "collect.schema.json" if "exports" in document else "export.schema.json"
    return Draft202012Validator(json.loads((FOLDER / name).read_text()))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_what_the_models_make(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(name), "run: make schemas"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_fits_its_schema(path: Any) -> None:
    document = json.loads(path.read_text())
    assert list(validator(document).iter_errors(document)) == []


@pytest.mark.parametrize(
    "change", [{"source": "ftp"}, {"window": None}, {"target": {}}, {"filters": {"user": 1}}, {"extra": 1}]
)
def test_a_wrong_input_does_not_fit(change: dict[str, Any]) -> None:
    document = {**json.loads((FOLDER / "examples" / "spark-log-csv.json").read_text()), **change}
    assert list(validator(document).iter_errors(document))
