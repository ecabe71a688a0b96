"""Plain values as DynamoDB writes them, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """An item of plain values; None is left out, and so are empty sets, which DynamoDB refuses."""
    return {
        name: _serialize(_written(value))
        for name, value in values.items()
        if value is not None and not (isinstance(value, (set, frozenset)) and not value)
    }


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of an item, numbers as int or float."""
    return {name: _read(_deserialize(value)) for name, value in item.items()}


def instant(at: datetime) -> str:
    """An instant as records hold it: UTC to the second, so that strings sort as time does."""
    # not strftime: it writes the year 1 as "1" on Linux
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def unprocessed(answer: Any, table: str) -> list[Any]:
    """The keys that a BatchGetItem left for another call."""
    keys: list[Any] = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    return keys


def _written(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(round(value, 3)))
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, tuple):
        return list(value)
    return value


def _read(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Binary):
        return bytes(value.value)  # type: ignore[attr-defined]  # absent from the stubs
    return value
