"""Records of the local exchange as rows of what JSON can hold, and back, exactly: every digit, every type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import attrs

from quotewright_simexchange.exchange.accounts import Account, ApiKey
from quotewright_simexchange.exchange.records import (
    FillRecord,
    Listing,
    OrderRecord,
    OrderRequest,
    ReferenceEvent,
    TradeEvent,
)

Record = TypeVar("Record")

RECORDS = (OrderRequest, OrderRecord, FillRecord, TradeEvent, ReferenceEvent, Listing, Account, ApiKey)
DECIMAL = "decimal"
REQUEST = "request"
TUPLE = "tuple"


class Field(NamedTuple):
    """One field of a record and how its values are written and read; None: as they are."""

    name: str
    write: Callable[[Any], Any] | None
    read: Callable[[Any], Any] | None


def row_of(record: Any) -> list[Any]:
    """Return the fields of *record* in their order."""
    return [
        getattr(record, name) if write is None else write(getattr(record, name))
        for name, write, _ in FIELDS[type(record)]
    ]


def record_of(kind: type[Record], row: list[Any]) -> Record:
    """Return the record that ``row_of`` wrote."""
    fields = zip(FIELDS[kind], row, strict=True)
    return kind(**{field.name: value if field.read is None else field.read(value) for field, value in fields})


def text_of(number: Decimal | None) -> str | None:
    """Return a number as text that keeps every digit."""
    return None if number is None else str(number)


def number_of(text: str | None) -> Decimal | None:
    """Return the number that ``text_of`` wrote."""
    return None if text is None else Decimal(text)


def written(value: object) -> Any:
    """Return a value of no fixed type as JSON holds it: what JSON does not know is an object of one named entry."""
    if isinstance(value, Decimal):
        return {DECIMAL: str(value)}
    if isinstance(value, OrderRequest):
        return {REQUEST: row_of(value)}
    if isinstance(value, tuple):
        return {TUPLE: [written(one) for one in value]}
    if isinstance(value, list):
        return [written(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): written(one) for key, one in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a snapshot holds no {type(value).__name__}, was given {value!r}")


def read(value: Any) -> Any:
    """Return what ``written`` was given."""
    if isinstance(value, list):
        return [read(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, one),) = value.items()
        if key == DECIMAL:
            return Decimal(one)
        if key == REQUEST:
            return record_of(OrderRequest, one)
        if key == TUPLE:
            return tuple(read(part) for part in one)
    return {key: read(one) for key, one in value.items()}


def field_of(name: str, kind: object) -> Field:
    """Return how a field declared as *kind* is written and read."""
    if kind in ("Decimal", "Decimal | None"):
        return Field(name, text_of, number_of)
    if kind == "OrderRequest":
        return Field(name, row_of, lambda row: record_of(OrderRequest, row))
    if kind == "tuple[str, ...]":
        return Field(name, list, tuple)
    if kind in ("Mapping[str, object]", "Mapping[str, str]"):
        return Field(name, written, read)
    if kind in ("str", "int", "bool", "Side", "Status") or str(kind).startswith("Literal["):
        return Field(name, None, None)
    raise TypeError(f"field {name}: a snapshot cannot hold a {kind}")


FIELDS: dict[type, tuple[Field, ...]] = {
    kind: tuple(field_of(field.name, field.type) for field in attrs.fields(kind)) for kind in RECORDS
}


def shapes() -> dict[str, list[str]]:
    """Return the fields of every kind of record: what is read must have been written with the same ones."""
    return {kind.__name__: [field.name for field in fields] for kind, fields in FIELDS.items()}
