"""Rows of int64 fields for the kernels: objects while they are interpreted, one array of structures when compiled.

A kernel writes ``rows[index].field`` in both forms. Compiled that is one place in memory, and the fields of a row lie
side by side; the header beside the kernel declares the same fields in the same order as a ``packed struct``.
"""

from __future__ import annotations

import ctypes
from typing import Any, TypeVar, cast

import attrs


@attrs.define
class LevelRow:
    """A price level; ``tail`` links the free ones."""

    quantity: int = 0
    head: int = 0
    tail: int = 0
    rank: int = 0
    side: int = 0
    before: int = 0
    is_touched: int = 0
    is_shown: int = 0
    hidden: int = 0


@attrs.define
class SideRow:
    """One side of a book."""

    best_rank: int = 0
    best_level: int = 0
    base: int = 0
    level_count: int = 0
    window_at: int = 0
    bits_at: int = 0
    summary_at: int = 0
    open_lots: int = 0
    waiting_lots: int = 0


@attrs.define
class ChangeRow:
    """One change of a level."""

    side: int = 0
    price: int = 0
    quantity: int = 0
    sequence: int = 0


@attrs.define
class OrderRow:
    """An order; ``next`` links the free ones."""

    id: int = 0
    rank: int = 0
    open: int = 0
    total: int = 0
    next: int = 0
    previous: int = 0
    level: int = 0
    side: int = 0
    account: int = 0
    account_next: int = 0
    account_previous: int = 0
    flags: int = 0
    number: int = 0
    display: int = 0
    shown: int = 0
    expiry: int = 0
    trigger: int = 0
    slot: int = 0


@attrs.define
class OwnerRow:
    """An account's open orders: the first and the last one accepted, and how many there are."""

    first: int = 0
    last: int = 0
    count: int = 0


@attrs.define
class EventRow:
    """One event; see ``docs/matching.md``."""

    kind: int = 0
    order: int = 0
    other: int = 0
    price: int = 0
    quantity: int = 0
    leaves: int = 0
    other_leaves: int = 0
    code: int = 0
    account: int = 0
    other_account: int = 0
    number: int = 0


R = TypeVar("R")
_structures: dict[Any, Any] = {}


def _structure(kind: Any) -> Any:
    found = _structures.get(kind)
    if found is None:
        fields = [(field.name, ctypes.c_longlong) for field in attrs.fields(kind)]
        found = _structures[kind] = type(kind.__name__, (ctypes.Structure,), {"_fields_": fields})
    return found


def rows(kind: type[R], count: int, is_compiled: bool) -> list[R]:
    """Return *count* rows of zeros."""
    if is_compiled:
        return cast("list[R]", (_structure(kind) * count)())
    return [kind() for _ in range(count)]


def doubled_rows(kind: type[R], before: list[R], is_compiled: bool) -> list[R]:
    """Return the rows of *before* with as many rows of zeros behind them."""
    if not is_compiled:
        return before + rows(kind, len(before), False)
    held = memoryview(cast("Any", before)).tobytes()
    return cast("list[R]", (_structure(kind) * (2 * len(before))).from_buffer(bytearray(held + bytes(len(held)))))
