"""Inputs, checked before any request leaves: what is wrong, where, and what would be right.

Only submit and plan import this: pydantic costs 50 ms of every cold start.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import datetime  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from logferry.errors import InvalidRequestError
from logferry.models.nearest import suggestion
from logferry.models.request import ExportRequest, OnLimit, canonical_json
from logferry.redact import redact
from logferry.sources.registry import source_named

LARGEST = 120 * 1024
"""Bytes of an export's input: filters with thousands of call ids fit. The first step is given it twice (once
as the state), and Step Functions passes on 256 KiB at most."""

LONGEST_TEXT = 1000
"""Bytes of one text: a call's id is part of the ledger's sort key, which takes 1,024."""

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
"""A connection's name: it becomes part of a secret's name and of object keys."""

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)
"""Nothing is guessed: no unknown keys, no "true" for true; and no value is repeated in an error."""

Model = TypeVar("Model", bound=BaseModel)


class _Input(BaseModel):
    model_config = STRICT


class WindowInput(_Input):
    """`[start, end)`, each an ISO 8601 text with an offset or `Z`."""

    start: Annotated[AwareDatetime, Field(strict=False)]
    end: Annotated[AwareDatetime, Field(strict=False)]

    @field_validator("start", "end", mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        if not isinstance(value, str) or not INSTANT.fullmatch(value):
            raise ValueError('must be a time like "2026-11-18T00:00:00Z", with an offset or Z')
        return value

    @field_validator("start", "end")
    @classmethod
    def _is_of_our_age(cls, value: datetime) -> datetime:
        if not 1970 <= value.year <= 9998:  # noqa: PLR2004 - where every offset still gives a time
            raise ValueError("must be a year from 1970 on")
        return value

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> WindowInput:
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self


class ExportInput(_Input):
    """The input of export.asl.json; what target and filters may hold is the source's business."""

    schema_: Any = Field(default=None, alias="$schema")
    source: str
    connection: Annotated[str, Field(pattern=NAME)]
    target: dict[str, Any] = Field(default_factory=dict)
    window: WindowInput | None = None
    filters: dict[str, Any] = Field(default_factory=dict)
    refresh: bool = False
    on_limit: OnLimit = "land"


def export_request(document: Any) -> ExportRequest:
    """Check one export's input and give the request. Raises InvalidRequestError."""
    given = validated(ExportInput, document)
    source = source_named(given.source)
    _part("target", source.Target, given.target)
    _part("filters", source.Filters, given.filters)
    if source.window is None and given.window is not None:
        raise InvalidRequestError(f"window: {source.name} takes none; leave it out")
    if source.window is not None and given.window is None:
        raise InvalidRequestError(
            'window: is required, like {"start": "2026-11-18T00:00:00Z", "end": "2026-11-19T00:00:00Z"}'
        )
    if source.window is None and given.on_limit == "split":
        raise InvalidRequestError(f"on_limit: {source.name} has no windows to split; leave it out")
    request = source.read(document)
    if len(canonical_json(request.identity()).encode()) > LARGEST:
        raise InvalidRequestError(f"the input is larger than {LARGEST >> 10} KiB; split its filters")
    source.check_request(request)
    return request


def validated(model: type[Model], document: Any) -> Model:
    """Check a document against a model. Raises InvalidRequestError that names every field at fault."""
    if not isinstance(document, dict):
        raise InvalidRequestError("the input must be a JSON object")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidRequestError(*_explain(error, "", _keys(model))) from None


def _part(name: str, kind: type, given: dict[str, Any]) -> None:
    kind.__pydantic_config__ = STRICT  # type: ignore[attr-defined]
    try:
        TypeAdapter(kind).validate_json(json.dumps(given))
    except ValidationError as error:
        raise InvalidRequestError(*_explain(error, name, [field.name for field in fields(kind)])) from None
    for key, value in given.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and (not text.strip() or not text.isprintable() or text in {".", ".."}):
                raise InvalidRequestError(f"{name}.{key}: must be plain text, not empty, not a path")
            if isinstance(text, str) and len(text.encode()) > LONGEST_TEXT:
                raise InvalidRequestError(f"{name}.{key}: must be at most {LONGEST_TEXT} bytes long")
            if isinstance(text, int) and abs(text) >= 2**63:
                raise InvalidRequestError(f"{name}.{key}: is too large a number")


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _explain(error: ValidationError, at: str, keys: list[str]) -> list[str]:
    """List for each field what is wrong, never repeating its value."""
    said = []
    for problem in error.errors(include_url=False):
        place = ".".join(str(part) for part in ((at, *problem["loc"]) if at else problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        match problem["type"]:
            case "extra_forbidden" | "unexpected_keyword_argument":
                known = keys if len(problem["loc"]) == 1 else _keys(WindowInput)
                known = [key for key in known if key != "$schema"]
                message = f"is not known here; known are {', '.join(known)}" if known else "takes no keys"
                message += suggestion(problem["loc"][-1], known)
            case "missing":
                message = "is required"
            case "timezone_aware":
                message = "must have an offset or Z, like 2026-11-18T00:00:00Z"
            case "string_pattern_mismatch":
                message = "must begin with a letter or digit and hold letters, digits, '_', '.' and '-' only"
            case "literal_error":
                message += suggestion(problem["input"], re.findall("'([^']*)'", message))
            case "too_short":
                message = "must not be empty"
            case "too_long":
                message = f"must have at most {problem['ctx']['max_length']:,} entries"
        # The name of an unknown key may be a secret that got into the wrong place.
        said.append(f"{redact(place, 100) or 'the input'}: {message[:1].lower()}{message[1:]}")
    return said[:10]
