"""Orders and the book of the oracle: one list of resting orders, sorted whenever someone asks."""

from __future__ import annotations

from decimal import Decimal

import attrs

from quotewright_simexchange.oracle.numbers import ZERO

LIMIT_TYPES = ("limit", "stop_limit", "take_profit_limit")
STOP_TYPES = ("stop", "take_profit", "stop_limit", "take_profit_limit")


@attrs.define(eq=False)
class Order:
    """One order. *open* is what may still trade; *shown* is the slice that can be hit now."""

    id: str
    account: str
    side: str
    type: str
    qty: Decimal
    open: Decimal
    price: Decimal | None = None
    tif: str = "gtc"
    post_only: str | None = None
    reduce_only: bool = False
    display: Decimal | None = None
    hidden: bool = False
    stp: str = "none"
    trigger: Decimal | None = None
    trigger_by: str = "last"
    expire_at: int | None = None
    accepted: int = 0
    priority: int = 0
    filled: Decimal = ZERO
    shown: Decimal = ZERO
    is_open: bool = True

    @property
    def is_buy(self) -> bool:
        return self.side == "buy"

    @property
    def is_stop(self) -> bool:
        return self.type in STOP_TYPES

    @property
    def has_limit(self) -> bool:
        return self.type in LIMIT_TYPES

    @property
    def is_upward(self) -> bool:
        """Whether its condition is a price at or above the trigger."""
        return self.is_buy == self.type.startswith("stop")

    def show_slice(self) -> None:
        self.shown = self.open if self.display is None else min(self.display, self.open)

    def cut(self, by: Decimal) -> None:
        """Lose *by* of the open quantity without a trade; the place and as much of the slice as fits stay."""
        self.open -= by
        self.qty = self.filled + self.open
        self.shown = self.open if self.display is None else min(self.shown, self.open)


class Book:
    """Resting orders in one plain list."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def side(self, side: str) -> list[Order]:
        """Return the orders of *side* in match order: price, displayed before hidden, time."""
        sign = -1 if side == "buy" else 1
        mine = [order for order in self.orders if order.side == side]
        return sorted(mine, key=lambda order: (sign * price_of(order), order.hidden, order.priority))

    def best(self, side: str) -> Decimal | None:
        """Return the best price of *side*, hidden orders included, or None."""
        prices = [price_of(order) for order in self.orders if order.side == side]
        if not prices:
            return None
        return max(prices) if side == "buy" else min(prices)

    def levels(self, side: str) -> dict[Decimal, Decimal]:
        """Return displayed quantity by price, best first."""
        shown: dict[Decimal, Decimal] = {}
        for order in self.side(side):
            if not order.hidden:
                price = price_of(order)
                shown[price] = shown.get(price, ZERO) + order.shown
        return shown


def price_of(order: Order) -> Decimal:
    """Return the limit price of an order that has one."""
    assert order.price is not None
    return order.price


def opposite(side: str) -> str:
    """Return the other side."""
    return "sell" if side == "buy" else "buy"
