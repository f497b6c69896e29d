"""The DynamoDB table under the ledger: plain items in and out, every change under a condition."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from logferry.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient


class FencedError(Exception):
    """The condition of a write does not hold: somebody else owns the row by now. Never leaves a function."""


class Table:
    """Items keyed by `series` and `window`. Raises `DeliveryError` when DynamoDB fails."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, series: str, window: str) -> dict[str, Any] | None:
        """Read one item, consistently."""
        key = _marshal({"series": series, "window": window})
        with _delivery("GetItem"):
            found = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return _unmarshal(found["Item"]) if "Item" in found else None

    def query(
        self, series: str, first: str, last: str, *, newest_first: bool = False, consistent: bool = True
    ) -> Iterator[dict[str, Any]]:
        """Read the items of a series with `first` ≤ sort key ≤ `last`, in their order.

        A read that is not `consistent` may miss the last second's writes, and costs half.
        """
        with _delivery("Query"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._name,
                ConsistentRead=consistent,
                ScanIndexForward=not newest_first,
                KeyConditionExpression="#s = :s AND #w BETWEEN :first AND :last",
                ExpressionAttributeNames={"#s": "series", "#w": "window"},
                ExpressionAttributeValues=_marshal({":s": series, ":first": first, ":last": last}),
            )
            for page in pages:
                yield from map(_unmarshal, page["Items"])

    def put(self, item: Mapping[str, Any]) -> None:
        """Write a whole item, whatever was there: only for items that are the same whoever writes them."""
        with _delivery("PutItem"):
            self._client.put_item(TableName=self._name, Item=_marshal(item))

    def create(self, item: Mapping[str, Any]) -> None:
        """Write an item that must not be there yet, else `FencedError`."""
        with suppress(_OwnWriteError), _delivery("PutItem", item):
            self._client.put_item(
                TableName=self._name,
                Item=_marshal(item),
                ConditionExpression="attribute_not_exists(series)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    def change(
        self,
        item: Mapping[str, Any],
        changes: Mapping[str, Any],
        *,
        remove: tuple[str, ...],
        same: tuple[str, ...],
        one_of: Mapping[str, tuple[str, ...]],
    ) -> dict[str, Any]:
        """Change an item in which the attributes `same` are as in `item` (or as absent), else `FencedError`.

        `one_of` gives the values that an attribute may have. Returns the item as it is afterwards.
        """
        names = {f"#{name}": name for name in {*changes, *remove, *same, *one_of}}
        values: dict[str, Any] = {f":{name}": value for name, value in changes.items()}
        condition = []
        for name in same:
            if name in item:
                condition.append(f"#{name} = :was_{name}")
                values[f":was_{name}"] = item[name]
            else:
                condition.append(f"attribute_not_exists(#{name})")
        for name, allowed in one_of.items():
            values |= {f":may_{name}_{place}": value for place, value in enumerate(allowed)}
            places = ", ".join(f":may_{name}_{place}" for place in range(len(allowed)))
            condition.append(f"#{name} IN ({places})")
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in changes)
        if remove:
            update += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        try:
            with _delivery("UpdateItem", changes):
                written = self._client.update_item(
                    TableName=self._name,
                    Key=_marshal({"series": item["series"], "window": item["window"]}),
                    UpdateExpression=update,
                    ConditionExpression=" AND ".join(condition),
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=_marshal(values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except _OwnWriteError as repeated:
            return repeated.item
        return _unmarshal(written["Attributes"])


class _OwnWriteError(Exception):
    """The condition failed because our own write, whose answer was lost, had been carried out."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__()
        self.item = item


@contextmanager
def _delivery(operation: str, changes: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Name DynamoDB's failures as ours; a lost condition is a fence, not a failure.

    The SDK repeats a write whose answer got lost; the condition then meets what we wrote ourselves. Times to
    the microsecond among the `changes` make that certain.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code != "ConditionalCheckFailedException":
            raise DeliveryError(
                f"DynamoDB {operation} failed with {code}; start again with the same input once it is mended"
            ) from error
        there = _unmarshal(cast("Mapping[str, Any]", error.response.get("Item", {})))
        if changes and all(there.get(name) == _plain(value) for name, value in changes.items()):
            raise _OwnWriteError(there) from error
        raise FencedError from error
    except BotoCoreError as error:
        raise DeliveryError(f"DynamoDB {operation} failed: {type(error).__name__}") from error


_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def _marshal(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _serialize(_plain(value)) for name, value in item.items()}


def _unmarshal(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(_deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """Turn DynamoDB's decimals, and our enumerations, into what JSON knows."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case StrEnum():
            return str(value)
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
    return value
