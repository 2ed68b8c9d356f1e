"""Which Tardis CSV data set a header belongs to, and what is wrong with one that belongs to none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quotewright.errors import InputError

COMMON = ("exchange", "symbol", "timestamp", "local_timestamp")
PRINT = ("id", "side", "price", "amount")
COLUMNS = {
    "incremental_book_L2": ("is_snapshot", "side", "price", "amount"),
    "quotes": ("ask_amount", "ask_price", "bid_price", "bid_amount"),
    "derivative_ticker": (
        *("funding_timestamp", "funding_rate", "predicted_funding_rate", "open_interest"),
        *("last_price", "index_price", "mark_price"),
    ),
    "options_chain": (
        *("type", "strike_price", "expiration", "open_interest", "last_price"),
        *("bid_price", "bid_amount", "bid_iv", "ask_price", "ask_amount", "ask_iv", "mark_price", "mark_iv"),
        *("underlying_index", "underlying_price", "delta", "gamma", "vega", "theta", "rho"),
    ),
    "trades": PRINT,
}
"""Columns of each data set behind the common four; quotes and book_ticker, trades and liquidations share theirs."""
TELLING = {
    "incremental_book_L2": "is_snapshot",
    "options_chain": "strike_price",
    "derivative_ticker": "funding_rate",
    "quotes": "ask_amount",
    "trades": "side",
}
"""A column that no other data set has, looked for in this order."""

_LEVEL = re.compile(r"(asks|bids)\[(\d+)\]\.(price|amount)")


def columns_of(line: bytes) -> list[str]:
    """Return the names in a header line."""
    return [name.strip().strip('"') for name in line.decode("utf-8-sig", "replace").strip().split(",")]


def depth_of(columns: Iterable[str]) -> int:
    """Return how many levels a side a book snapshot's columns hold."""
    return sum(1 for name in columns if name.startswith("asks[") and name.endswith("].price"))


def needed(kind: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that a data set of *kind* has; a book snapshot's depth is that of *columns*."""
    if kind != "book_snapshot":
        return [*COMMON, *COLUMNS[kind]]
    depth = 1 + max((int(found[2]) for name in columns if (found := _LEVEL.fullmatch(name))), default=0)
    sides = [f"{side}[{level}]" for level in range(depth) for side in ("asks", "bids")]
    return [*COMMON, *(f"{side}.{what}" for side in sides for what in ("price", "amount"))]


def kind_of(columns: Sequence[str]) -> str:
    """Return which data set has columns like these, empty if none."""
    names = set(columns)
    if not names.issuperset(COMMON):
        return ""
    if "asks[0].price" in names or "bids[0].price" in names:
        return "book_snapshot"
    return next((kind for kind, column in TELLING.items() if column in names), "")


def require_columns(kind: str, columns: Sequence[str]) -> None:
    """Raise InputError unless every column of *kind* is there, and none twice."""
    if not kind:
        raise InputError("its first line should name the columns of a Tardis data set")
    missing = [name for name in needed(kind, columns) if name not in columns]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if missing or twice:
        faults = [f"lacks {', '.join(missing[:6])}"] if missing else []
        faults += [f"names {', '.join(twice[:6])} twice"] if twice else []
        raise InputError(f"its first line should name the columns of {kind}, but {' and '.join(faults)}")


def other_columns(kind: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that a data set of *kind* does not have."""
    known = set(needed(kind, columns))
    return [name for name in columns if name not in known]
