"""How an order takes, rests and sets off others."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.oracle import checks
from quotewright_simexchange.oracle.money import Money, floor_to
from quotewright_simexchange.oracle.numbers import ZERO
from quotewright_simexchange.oracle.orders import Book, Order, opposite, price_of

Bounds = tuple[Decimal | None, Decimal | None]


class Matching:
    """The part of the engine that matches."""

    if TYPE_CHECKING:
        tick: Decimal
        money: Money
        book: Book
        stops: list[Order]
        elected: list[Order]
        references: dict[str, Decimal | None]
        market_protection: Mapping[str, Any] | None
        exec_range: Mapping[str, Any] | None
        phase: str
        counter: int

        def emit(self, ev: str, **fields: Any) -> None: ...
        def cancel(self, order: Order, reason: str) -> None: ...
        def close(self, order: Order) -> None: ...
        def open_orders(self) -> list[Order]: ...
        def behind_opposite(self, order: Order) -> Decimal: ...

    def bounds(self, band: Mapping[str, Any], side: str) -> Bounds:
        """Return the lowest and highest price *band* allows *side*; None where there is no bound."""
        reference = self.references[band["ref"]]
        if reference is None:
            return None, None
        found: list[Decimal | None] = []
        for edge in ("down", "up"):
            share = band.get(f"{edge}_{side}", band.get(edge))
            found.append(None if share is None else reference * Decimal(share))
        return found[0], found[1]

    def act(self, order: Order) -> None:
        """Let an accepted order take and rest."""
        if self.phase == "auction":
            # Only a triggered order can come here that may not collect.
            if order.price is None or order.tif in ("ioc", "fok"):
                self.cancel(order, "phase")
            else:
                self.rest(order)
            return
        limit = self.effective_limit(order)
        bounds = self.bounds(self.exec_range, order.side) if self.exec_range else (None, None)
        if order.tif == "fok" and self.tradable(order, limit, bounds) < order.open:
            self.cancel(order, "fok")
            return
        stopped = self.take(order, limit, bounds)
        if not order.is_open:
            return
        if stopped == "price_range":
            self.cancel(order, "price_range")
        elif order.price is not None:
            if order.tif in ("ioc", "fok"):
                self.cancel(order, order.tif)
            else:
                self.rest(order)
        elif limit is not None and limit > 0 and self.may_rest_protected(order):
            order.price = limit
            self.emit("repriced", id=order.id, price=limit)
            self.rest(order)
        else:
            left = self.book.side(opposite(order.side))
            self.cancel(order, "protection" if limit is not None and left else "no_liquidity")

    def may_rest_protected(self, order: Order) -> bool:
        """Say whether what is left of a protected market order rests at its limit."""
        protection = self.market_protection
        return protection is not None and protection["remainder"] == "rest" and order.tif not in ("ioc", "fok")

    def rest(self, order: Order) -> None:
        self.counter += 1
        order.priority = self.counter
        order.show_slice()
        self.book.orders.append(order)

    def effective_limit(self, order: Order) -> Decimal | None:
        """Return the worst price *order* may trade at: its own, or the one market protection gives."""
        protection = self.market_protection
        if order.price is not None or protection is None:
            return order.price
        is_best = protection["ref"] == "best"
        reference = self.book.best(opposite(order.side)) if is_best else self.references["last"]
        if reference is None:
            return None
        if protection.get("points") is not None:
            away = Decimal(protection["points"]) * self.tick
        else:
            away = reference * Decimal(protection["pct"])
        limit = reference + away if order.is_buy else reference - away
        return floor_to(limit, self.tick, up=not order.is_buy)

    # Taking

    def reach(self, taker: Order, maker: Order, limit: Decimal | None, bounds: Bounds) -> str | None:
        """Return why *taker* may not reach *maker*: its limit, or the price range; None if it may."""
        price = price_of(maker)
        if limit is not None and (price > limit if taker.is_buy else price < limit):
            return "limit"
        if (bounds[0] is not None and price < bounds[0]) or (bounds[1] is not None and price > bounds[1]):
            return "price_range"
        return None

    def take(self, taker: Order, limit: Decimal | None = None, bounds: Bounds = (None, None)) -> str | None:
        """Trade *taker* against the book; return what stopped it, None if it or the other side is used up."""
        while taker.is_open and taker.open > 0:
            makers = self.book.side(opposite(taker.side))
            if not makers:
                return None
            maker = makers[0]
            if stopped := self.reach(taker, maker, limit, bounds):
                return stopped
            if taker.stp != "none" and self.money.is_same_trader(taker.account, maker.account):
                self.prevent(taker, maker)
            else:
                self.trade(taker, maker)
        return None

    def trade(self, taker: Order, maker: Order) -> None:
        qty, price = min(taker.open, maker.shown), price_of(maker)
        fees = self.money.trade(maker, taker, qty, ("maker", "taker"))
        self.emit("trade", maker=maker.id, taker=taker.id, price=price, qty=qty, **({"fees": fees} if fees else {}))
        self.fill(taker, qty)
        self.fill(maker, qty)
        self.set_reference("last", price)
        self.enforce_reduce_only(maker.account, taker)
        if taker.account != maker.account:
            self.enforce_reduce_only(taker.account, taker)

    def fill(self, order: Order, qty: Decimal) -> None:
        """Take *qty* off an order; a used-up slice is shown again at the back of its level."""
        order.open -= qty
        order.filled += qty
        if order.open == 0:
            self.close(order)
        elif order in self.book.orders:
            order.shown -= qty
            if order.shown == 0:
                self.counter += 1
                order.priority = self.counter
                order.show_slice()
                self.emit("refreshed", id=order.id, qty=order.shown)

    def prevent(self, taker: Order, maker: Order) -> None:
        """Apply the taker's self-trade prevention to it and its own *maker*."""
        if taker.stp in ("cancel_maker", "cancel_both"):
            self.cancel(maker, "stp")
        if taker.stp in ("cancel_taker", "cancel_both"):
            self.cancel(taker, "stp")
        if taker.stp == "decrement":
            by = min(taker.open, maker.open)
            for order in (maker, taker):
                if order.open == by:
                    self.cancel(order, "stp")
                else:
                    order.cut(by)
                    self.emit("reduced", id=order.id, by=by, leaves=order.open, reason="stp")

    def would_trade(self, taker: Order, limit: Decimal | None, bounds: Bounds) -> Iterator[tuple[Decimal, Decimal]]:
        """Yield price and quantity of every trade *taker* would make now, without making any."""
        left = taker.open
        makers = [copy.copy(order) for order in self.book.side(opposite(taker.side))]
        while left > 0 and makers:
            maker = makers[0]
            if self.reach(taker, maker, limit, bounds):
                return
            if taker.stp != "none" and self.money.is_same_trader(taker.account, maker.account):
                if taker.stp in ("cancel_taker", "cancel_both"):
                    return
                if taker.stp == "decrement":
                    by = min(left, maker.open)
                    left -= by
                    maker.open -= by
                if taker.stp == "cancel_maker" or maker.open == 0:
                    makers.pop(0)
                continue
            qty = min(left, maker.shown)
            yield price_of(maker), qty
            left -= qty
            maker.open -= qty
            maker.shown -= qty
            if maker.shown == 0:
                makers.pop(0)
                if maker.open > 0:
                    maker.show_slice()
                    same = [one for one in makers if price_of(one) == price_of(maker) and not one.hidden]
                    makers.insert(len(same), maker)

    def tradable(self, order: Order, limit: Decimal | None, bounds: Bounds) -> Decimal:
        return sum((qty for _, qty in self.would_trade(order, limit, bounds)), ZERO)

    def market_cost(self, order: Order) -> Decimal:
        """Return what a market buy would really cost in the present book."""
        limit = self.effective_limit(order)
        bounds = self.bounds(self.exec_range, order.side) if self.exec_range else (None, None)
        if order.tif == "fok" and self.tradable(order, limit, bounds) < order.open:
            return ZERO
        cost = ZERO
        for price, qty in self.would_trade(order, limit, bounds):
            cost += self.money.value(price, qty)
            if self.money.fee_mode == "quote":
                cost += self.money.fee("taker", True, price, qty)[0]
        return cost

    # Reduce-only

    def closable(self, order: Order) -> Decimal:
        """Return the size of the position *order* would close."""
        position = self.money.account(order.account).position
        return max(-position if order.is_buy else position, ZERO)

    def enforce_reduce_only(self, account: str, active: Order) -> None:
        """Cut every resting reduce-only order of *account*, and the active one, to the position it closes."""
        if not self.money.is_derivative:
            return
        mine = [order for order in self.book.orders if order.account == account]
        if active.account == account and active.is_open and active not in mine:
            mine.append(active)
        for order in sorted(mine, key=lambda order: order.accepted):
            most = self.closable(order)
            if not order.reduce_only or order.open <= most:
                continue
            if most == 0:
                self.cancel(order, "reduce_only")
            else:
                by = order.open - most
                order.cut(by)
                self.emit("reduced", id=order.id, by=by, leaves=order.open, reason="reduce_only")

    # Stops

    def is_met(self, order: Order) -> bool:
        price = self.references[order.trigger_by]
        if price is None or order.trigger is None:
            return False
        return price >= order.trigger if order.is_upward else price <= order.trigger

    def set_reference(self, name: str, price: Decimal) -> None:
        """Set a reference price and elect the stops it meets, nearest trigger first."""
        self.references[name] = price
        met = [order for order in self.stops if order.trigger_by == name and self.is_met(order)]

        def turn(order: Order) -> tuple[bool, Decimal, int]:
            assert order.trigger is not None
            return (not order.is_upward, order.trigger if order.is_upward else -order.trigger, order.accepted)

        for order in sorted(met, key=turn):
            self.stops.remove(order)
            self.elected.append(order)

    def run_elected(self) -> None:
        """Let elected orders act, first elected first served, until no election is left."""
        while self.elected:
            order = self.elected.pop(0)
            self.emit("triggered", id=order.id)
            if order.reduce_only and self.closable(order) == 0:
                self.cancel(order, "reduce_only")
                continue
            self.enforce_reduce_only(order.account, order)
            if order.post_only and checks.crosses(self, order):  # type: ignore[arg-type]
                if order.post_only == "reject":
                    self.cancel(order, "post_only")
                    continue
                order.price = self.behind_opposite(order)
                if fault := checks.reprice_fault(order):
                    self.cancel(order, fault)
                    continue
                self.emit("repriced", id=order.id, price=order.price)
            if fault := checks.funds_fault(self, order):  # type: ignore[arg-type]
                self.cancel(order, fault)
                continue
            self.act(order)
