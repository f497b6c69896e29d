"""The template registers just what the files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from logferry.tabulate.parquet import arrow_schema
from logferry.tabulate.schema import TABLES

ROOT = Path(__file__).parents[3]
RESOURCES: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
GLUE = {
    found["Properties"]["TableInput"]["Name"]: found["Properties"]["TableInput"]
    for found in RESOURCES.values()
    if found["Type"] == "AWS::Glue::Table"
}


@pytest.mark.parametrize("name", GLUE)
def test_a_table_is_registered_as_it_is_written(name: str) -> None:
    table = GLUE[name]
    columns = {each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}
    wanted = TABLES[name.removesuffix("_filtered")].columns
    assert columns == {column: kind.replace("json", "string") for column, kind in wanted.items()}
    assert list(columns) == arrow_schema(wanted).names
    assert table["Parameters"]["projection.day.range"] == "2020-01-01,NOW+1DAYS"
    location = table["Parameters"]["storage.location.template"]["Fn::Sub"][0]
    assert location == f"s3://${{Name}}/tables/{name}/day=${{!day}}/"


def test_every_table_is_registered() -> None:
    assert set(TABLES) <= set(GLUE)
    assert "calls_filtered" in GLUE
