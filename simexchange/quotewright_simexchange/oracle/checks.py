"""The checks an order or an amend goes through, in the documented order; each answers with a reason or None."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.oracle.numbers import ZERO, is_multiple, legal_number
from quotewright_simexchange.oracle.orders import LIMIT_TYPES, STOP_TYPES, Order, opposite, price_of

if TYPE_CHECKING:
    from quotewright_simexchange.oracle.engine import OracleEngine


def phase_refuses(phase: str, cmd: Mapping[str, Any]) -> bool:
    """Say whether a new order is refused in *phase*."""
    kind, tif = cmd.get("type", "limit"), cmd.get("tif", "gtc")
    if phase == "trading":
        return False
    if phase == "post_only":
        return kind != "limit" or not cmd.get("post_only")
    if phase == "auction":
        return kind != "limit" or tif in ("ioc", "fok") or bool(cmd.get("post_only"))
    return True


def prices_of(cmd: Mapping[str, Any]) -> list[Any]:
    """Return the texts of every price a new order must state."""
    kind = cmd.get("type", "limit")
    prices = [cmd.get("price")] if kind in LIMIT_TYPES else []
    return prices + ([cmd.get("trigger")] if kind in STOP_TYPES else [])


def number_fault(engine: OracleEngine, cmd: Mapping[str, Any]) -> str | None:
    """Check the numbers of a new order: legal, on the grid, within the limits, inside the band."""
    kind = cmd.get("type", "limit")
    qty = legal_number(cmd.get("qty"))
    if qty is None:
        return "bad_qty"
    prices = [legal_number(text) for text in prices_of(cmd)]
    if None in prices:
        return "bad_price"
    if any(price is not None and not is_multiple(price, engine.tick) for price in prices):
        return "tick"
    limit = legal_number(cmd.get("price")) if kind in LIMIT_TYPES else None
    return grid_fault(engine, qty, limit if limit is not None else engine.last) or band_fault(
        engine, cmd["side"], limit
    )


def grid_fault(engine: OracleEngine, qty: Decimal, price: Decimal | None) -> str | None:
    """Check a quantity and its value at *price* (None: no value known)."""
    if not is_multiple(qty, engine.lot):
        return "lot"
    if engine.min_qty is not None and qty < engine.min_qty:
        return "min_qty"
    if engine.max_qty is not None and qty > engine.max_qty:
        return "max_qty"
    if engine.min_notional is not None and price is not None and price * qty * engine.mult < engine.min_notional:
        return "min_notional"
    return None


def band_fault(engine: OracleEngine, side: str, price: Decimal | None) -> str | None:
    """Check a limit price against the price band."""
    if price is None or engine.price_band is None:
        return None
    low, high = engine.bounds(engine.price_band, side)
    is_outside = (low is not None and price < low) or (high is not None and price > high)
    return "price_band" if is_outside else None


def flag_fault(engine: OracleEngine, cmd: Mapping[str, Any]) -> str | None:
    """Check that the flags of a new order go together."""
    kind, tif = cmd.get("type", "limit"), cmd.get("tif", "gtc")
    if cmd.get("post_only") and (kind not in LIMIT_TYPES or tif in ("ioc", "fok")):
        return "bad_flags"
    if cmd.get("display") is not None:
        display, qty = legal_number(cmd["display"]), legal_number(cmd["qty"])
        assert qty is not None
        if display is None or display > qty or not is_multiple(display, engine.lot) or cmd.get("hidden"):
            return "bad_flags"
    if cmd.get("reduce_only") and not engine.money.is_derivative:
        return "bad_flags"
    if tif == "gtd" and int(cmd.get("expire_at", 0)) <= engine.now:
        return "bad_flags"
    return None


def entry_fault(engine: OracleEngine, order: Order) -> str | None:
    """Check a well-formed new order against the account and the market."""
    if engine.max_open_orders is not None:
        mine = [one for one in engine.book.orders + engine.stops if one.account == order.account]
        if len(mine) >= engine.max_open_orders:
            return "max_open_orders"
    if order.is_stop:
        return "trigger_met" if engine.stop_if_met == "reject" and engine.is_met(order) else None
    if order.reduce_only and engine.closable(order) == 0:
        return "reduce_only"
    if order.post_only == "reject" and crosses(engine, order):
        return "post_only"
    return None


def reprice_fault(order: Order) -> str | None:
    """Check that there is a price one tick behind the opposite best: zero and below are no prices."""
    return "post_only" if order.post_only and order.price is not None and order.price <= ZERO else None


def crosses(engine: OracleEngine, order: Order, price: Decimal | None = None) -> bool:
    """Say whether *order* at *price* (its own without one) would take; equal prices do."""
    if price is None:
        price = order.price
    best = engine.book.best(opposite(order.side))
    if best is None or price is None or engine.phase == "auction":
        return False
    return price >= best if order.is_buy else price <= best


def funds_fault(engine: OracleEngine, order: Order, own: Order | None = None) -> str | None:
    """Check spot funds or margin of *order*; *own* is the resting order it replaces."""
    money = engine.money
    others = [one for one in engine.book.orders if one is not own]
    if money.kind == "spot":
        if not money.account(order.account).is_listed:
            return None
        if order.price is None and order.is_buy:
            currency, needed = money.quote, engine.market_cost(order)
        else:
            currency, needed = money.lock(order, order.open)
        return "insufficient_funds" if needed > money.free(order.account, currency, others) else None
    if engine.im_rate is None or not money.account(order.account).has_cash:
        return None
    account = money.account(order.account)
    needed = account.entry_value
    for one in [*(other for other in others if other.account == order.account), order]:
        against = max(-account.position if one.is_buy else account.position, ZERO)
        price = price_of(one) if one.price is not None else (engine.book.best(opposite(one.side)) or engine.last)
        if price is not None:
            needed += money.value(price, max(one.open - against, ZERO))
    equity = account.cash + money.unrealized(account, engine.references["mark"])
    return "insufficient_margin" if engine.im_rate * needed > equity else None
