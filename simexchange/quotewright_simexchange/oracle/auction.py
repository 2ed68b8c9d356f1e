"""The end of an auction: one price for everybody."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright_simexchange.oracle.numbers import ZERO
from quotewright_simexchange.oracle.orders import Order, price_of

if TYPE_CHECKING:
    from quotewright_simexchange.oracle.engine import OracleEngine


def uncross(engine: OracleEngine) -> None:
    """Find the price with the largest volume and trade everything that crosses at it."""
    price, volume = clearing_price(engine)
    engine.emit("uncrossed", price=price, qty=volume)
    if price is None:
        return
    while volume > 0:
        buys, sells = engine.book.side("buy"), engine.book.side("sell")
        # Reduce-only orders can have lost what they were counted with.
        if not buys or not sells or price_of(buys[0]) < price or price_of(sells[0]) > price:
            break
        buy, sell = buys[0], sells[0]
        qty = min(buy.shown, sell.shown, volume)
        fees = engine.money.trade_at(buy, sell, price, qty, ("buy", "sell"))
        engine.emit("trade", buy=buy.id, sell=sell.id, price=price, qty=qty, **({"fees": fees} if fees else {}))
        volume -= qty
        for order in (buy, sell):
            engine.fill(order, qty)
        engine.set_reference("last", price)
        for order in (buy, sell):
            engine.enforce_reduce_only(order.account, order)


def clearing_price(engine: OracleEngine) -> tuple[Decimal | None, Decimal]:
    """Return price and volume of the uncross, or None and zero if nothing crosses."""
    buys, sells = engine.book.side("buy"), engine.book.side("sell")
    found = []
    for price in sorted({price_of(order) for order in engine.book.orders}):
        demand = _total(order for order in buys if price_of(order) >= price)
        supply = _total(order for order in sells if price_of(order) <= price)
        found.append((price, min(demand, supply), demand - supply))
    volume = max((row[1] for row in found), default=ZERO)
    if volume == 0:
        return None, ZERO
    found = [row for row in found if row[1] == volume]
    least = min(abs(row[2]) for row in found)
    found = [row for row in found if abs(row[2]) == least]
    prices = [row[0] for row in found]
    if all(row[2] > 0 for row in found):
        return max(prices), volume
    if all(row[2] < 0 for row in found):
        return min(prices), volume
    reference = engine.references["ref"] if engine.references["ref"] is not None else engine.last
    if reference is None:
        return max(prices), volume
    return min(prices, key=lambda price: (abs(price - reference), -price)), volume


def _total(orders: object) -> Decimal:
    total = ZERO
    for order in orders:  # type: ignore[attr-defined]
        assert isinstance(order, Order)
        total += order.open
    return total
