"""The oracle's replay machine: fills of our orders against recorded market data, by the page of rules alone."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from quotewright_simexchange.oracle.numbers import ZERO, plain

Event = dict[str, Any]
Input = Mapping[str, Any]

WIDE = decimal.Context(prec=120, rounding=decimal.ROUND_HALF_EVEN)
"""Shares of a decrease do not terminate; 120 digits leave the sixth decimal beyond doubt."""
QUEUE_UNIT = Decimal("1E-6")
NOISE = Decimal("1E-12")
"""What is smaller comes from cutting shares that do not terminate."""
SIDE = {"buy": "bid", "sell": "ask"}
HIT_BY = {"sell": "bid", "buy": "ask"}


@attrs.define(eq=False)
class Own:
    """One of our orders. *ahead* is the quantity that trades before it."""

    id: str
    side: str
    price: Decimal
    open: Decimal
    arrived: int
    ahead: Decimal = ZERO


@attrs.define(eq=False)
class MarketOrder:
    """One order of order-by-order data."""

    id: str
    side: str
    price: Decimal
    open: Decimal
    arrived: int


class OracleReplay:
    """Our orders against a recorded market. *model* is the ``model`` of a replay case."""

    def __init__(self, model: Mapping[str, Any]) -> None:
        self.queue_model: str = model["queue"]
        self.prob: Mapping[str, Any] = model.get("prob", {})
        self.latency: Mapping[str, Any] | None = model.get("latency")
        self.levels: dict[str, dict[Decimal, Decimal]] = {"bid": {}, "ask": {}}
        self.printed: dict[tuple[str, Decimal], Decimal] = {}
        self.taken: dict[tuple[str, Decimal], Decimal] = {}
        self.market: list[MarketOrder] = []
        self.own: list[Own] = []
        self.used_ids: set[str] = set()
        self.counter = 0
        self.events: list[Event] = []

    def step(self, given: Input) -> list[Event]:
        """Take one ``feed`` or ``cmd`` and return its events."""
        with decimal.localcontext(WIDE):
            self.events = []
            if "feed" in given:
                getattr(self, f"on_{given['feed']['op']}")(given["feed"])
            else:
                getattr(self, f"do_{given['cmd']['op']}")(given["cmd"])
            return self.events

    def queue(self) -> dict[str, str]:
        """Return the quantity ahead of every resting order, half-even at 1e-6."""
        with decimal.localcontext(WIDE):
            return {order.id: plain(self.ahead(order).quantize(QUEUE_UNIT)) for order in self.own}

    def ahead(self, order: Own) -> Decimal:
        if self.queue_model != "l3":
            return order.ahead
        level = [one for one in self.market if one.side == order.side and one.price == order.price]
        return sum((one.open for one in level if one.arrived < order.arrived), ZERO)

    def displayed(self, side: str, price: Decimal) -> Decimal:
        if self.queue_model == "l3":
            return sum((one.open for one in self.market if one.side == side and one.price == price), ZERO)
        return self.levels[side].get(price, ZERO)

    # Market data

    def on_level(self, feed: Mapping[str, Any]) -> None:
        side, price, new = feed["side"], Decimal(feed["price"]), Decimal(feed["qty"])
        was = self.levels[side].get(price, ZERO) - self.printed.pop((side, price), ZERO)
        self.levels[side][price] = new
        self.taken.pop((side, price), None)
        for order in self.own:
            if order.side == side and order.price == price:
                order.ahead = self.ahead_after(order.ahead, was, new)
        self.arrive(side, price, new)

    def ahead_after(self, ahead: Decimal, was: Decimal, new: Decimal) -> Decimal:
        """Return what is ahead after a level went from *was* to *new*."""
        gone = was - new
        if gone <= 0 or self.queue_model != "prob":
            return min(ahead, new)
        back = max(was - ahead, ZERO)
        behind = self.share_behind(back, ahead)
        return max(ZERO, min(new, ahead - (1 - behind) * gone + min(back - behind * gone, ZERO)))

    def share_behind(self, back: Decimal, ahead: Decimal) -> Decimal:
        """Return the share of a decrease that happened behind us."""
        f, form = self.weight(), int(self.prob.get("form", 1))
        if form == 1:
            whole = f(back) + f(ahead)
            return f(back) / whole if whole else ZERO
        if back + ahead == 0:
            return ZERO
        if form == 2:
            return f(back) / f(back + ahead)
        return 1 - f(ahead / (ahead + back))

    def weight(self) -> Callable[[Decimal], Decimal]:
        if self.prob["f"] == "log":
            return lambda x: (1 + x).ln()
        exponent = Decimal(self.prob["n"])
        return lambda x: x**exponent if x else ZERO

    def arrive(self, side: str, price: Decimal, qty: Decimal) -> None:
        """Fill our orders of the other side that quantity at *price* reaches."""
        if qty <= 0:
            return
        hit = "ask" if side == "bid" else "bid"
        for order in self.best_first(hit):
            if order.price >= price if hit == "bid" else order.price <= price:
                self.fill(order, order.open, "maker")

    def on_trade(self, feed: Mapping[str, Any]) -> None:
        side = HIT_BY.get(feed.get("aggressor", ""))
        if side is None:
            return
        price, qty = Decimal(feed["price"]), Decimal(feed["qty"])
        self.printed[side, price] = self.printed.get((side, price), ZERO) + qty
        shared = ZERO
        for order in self.best_first(side):
            if order.price > price if side == "bid" else order.price < price:
                self.fill(order, order.open, "maker")
            elif order.price == price:
                excess = qty - self.whole_ahead(order) - shared
                order.ahead = max(order.ahead - qty, ZERO)
                if excess > 0:
                    shared += self.fill(order, min(excess, order.open), "maker")

    def whole_ahead(self, order: Own) -> Decimal:
        """Return what is ahead in whole units of 1e-6, rounded up: a fill is a legal quantity and never too early."""
        return order.ahead.quantize(NOISE).quantize(QUEUE_UNIT, decimal.ROUND_CEILING)

    def best_first(self, side: str) -> list[Own]:
        sign = -1 if side == "bid" else 1
        mine = [order for order in self.own if order.side == side]
        return sorted(mine, key=lambda order: (sign * order.price, order.arrived))

    def fill(self, order: Own, qty: Decimal, liquidity: str, price: Decimal | None = None) -> Decimal:
        order.open -= qty
        at = order.price if price is None else price
        self.events.append(
            {"ev": "fill", "id": order.id, "price": plain(at), "qty": plain(qty), "liquidity": liquidity}
        )
        if order.open == 0 and order in self.own:
            self.own.remove(order)
        return qty

    def on_mbo_add(self, feed: Mapping[str, Any]) -> None:
        self.counter += 1
        side, price, qty = feed["side"], Decimal(feed["price"]), Decimal(feed["qty"])
        self.market.append(MarketOrder(feed["id"], side, price, qty, self.counter))
        self.taken.pop((side, price), None)
        self.arrive(side, price, qty)

    def on_mbo_cancel(self, feed: Mapping[str, Any]) -> None:
        order = self.known(feed["id"])
        self.shrink(order, Decimal(feed["qty"]) if "qty" in feed else order.open)

    def on_mbo_fill(self, feed: Mapping[str, Any]) -> None:
        order = self.known(feed["id"])
        qty = min(Decimal(feed["qty"]), order.open) if "qty" in feed else order.open
        sign = 1 if order.side == "bid" else -1
        left = qty
        for own in self.best_first(order.side):
            edge = sign * (own.price - order.price)
            if left > 0 and (edge > 0 or (edge == 0 and own.arrived < order.arrived)):
                left -= self.fill(own, min(left, own.open), "maker")
        self.shrink(order, qty)

    def known(self, order_id: str) -> MarketOrder:
        return next(order for order in self.market if order.id == order_id)

    def shrink(self, order: MarketOrder, qty: Decimal) -> None:
        order.open -= qty
        self.taken.pop((order.side, order.price), None)
        if order.open <= 0:
            self.market.remove(order)

    # Commands

    def do_new(self, cmd: Mapping[str, Any]) -> None:
        side, price, qty = SIDE[cmd["side"]], Decimal(cmd["price"]), Decimal(cmd["qty"])
        reachable = self.reachable("ask" if side == "bid" else "bid", price)
        reason = "duplicate_id" if cmd["id"] in self.used_ids else None
        if reason is None and cmd.get("post_only") and reachable:
            reason = "post_only"
        if reason:
            self.events.append({"ev": "rejected", "id": cmd["id"], "reason": reason})
            return
        self.used_ids.add(cmd["id"])
        self.counter += 1
        order = Own(cmd["id"], side, price, qty, self.counter)
        self.events.append({"ev": "accepted", "id": order.id})
        tif = cmd.get("tif", "gtc")
        if tif != "fok" or sum((row[1] for row in reachable), ZERO) >= qty:
            self.take(order, reachable)
        if order.open == 0:
            return
        if tif in ("ioc", "fok"):
            self.events.append({"ev": "canceled", "id": order.id, "qty": plain(order.open), "reason": tif})
            return
        order.ahead = self.displayed(side, price)
        self.own.append(order)

    def reachable(self, side: str, limit: Decimal) -> list[tuple[Decimal, Decimal]]:
        """Return price and quantity of what may be taken from *side* within *limit*, best first."""
        prices = self.levels[side] if self.queue_model != "l3" else {o.price for o in self.market if o.side == side}
        inside = [price for price in prices if (price <= limit if side == "ask" else price >= limit)]
        rows = []
        for price in sorted(inside, reverse=side == "bid"):
            left = self.displayed(side, price) - self.taken.get((side, price), ZERO)
            if left > 0:
                rows.append((price, left))
        return rows

    def take(self, order: Own, reachable: Sequence[tuple[Decimal, Decimal]]) -> None:
        other = "ask" if order.side == "bid" else "bid"
        for price, left in reachable:
            qty = min(left, order.open)
            if qty > 0:
                self.taken[other, price] = self.taken.get((other, price), ZERO) + qty
                self.fill(order, qty, "taker", price)

    def do_cancel(self, cmd: Mapping[str, Any]) -> None:
        for order in self.own:
            if order.id == cmd["id"]:
                self.own.remove(order)
                self.events.append({"ev": "canceled", "id": order.id, "qty": plain(order.open), "reason": "user"})
                return
        reason = "order_closed" if cmd["id"] in self.used_ids else "unknown_order"
        self.events.append({"ev": "cancel_rejected", "id": cmd["id"], "reason": reason})

    # Time

    def run_timed(self, inputs: Sequence[Input]) -> list[Event]:
        """Run inputs with times through the latency model; return events by the time they are known locally."""
        due: list[tuple[int, int, int, Input]] = []
        found: list[Event] = []
        for number, given in enumerate(inputs):
            at = int(given["at"])
            if "feed" in given:
                due.append((at, 0, number, given))
            elif self.is_refused(at):
                ev = "rejected" if given["cmd"]["op"] == "new" else "cancel_rejected"
                known = at + self.between(at, 0, 0, 2)
                found.append(
                    {"ev": ev, "id": given["cmd"]["id"], "reason": "overload", "exch_ts": None, "local_ts": known}
                )
            else:
                due.append((at + self.entry(at), 1, number, given))
        for at, _, _, given in sorted(due, key=lambda row: row[:3]):
            found.extend(event | {"exch_ts": at, "local_ts": at + self.response(at)} for event in self.step(given))
        return sorted(found, key=lambda event: event["local_ts"])

    def rows(self) -> list[list[int]]:
        assert self.latency is not None
        return [[int(text) for text in row] for row in self.latency["rows"]]

    @property
    def is_interpolated(self) -> bool:
        return self.latency is not None and self.latency["model"] == "interpolated"

    def entry(self, at: int) -> int:
        if self.latency is None:
            return 0
        return self.between(at, 0, 0, 1) if self.is_interpolated else int(self.latency["entry"])

    def response(self, at: int) -> int:
        if self.latency is None:
            return 0
        return self.between(at, 1, 1, 2) if self.is_interpolated else int(self.latency["response"])

    def neighbours(self, at: int, key: int) -> tuple[list[int], list[int]]:
        """Return the rows before and after *at* in column *key*; the end row twice outside the table."""
        rows = self.rows() if key == 0 else [row for row in self.rows() if row[1] != 0]
        before = [row for row in rows if row[key] <= at]
        after = [row for row in rows if row[key] > at]
        low = before[-1] if before else after[0]
        return low, (after[0] if after and before else low)

    def is_refused(self, at: int) -> bool:
        return self.is_interpolated and any(row[1] == 0 for row in self.neighbours(at, 0))

    def between(self, at: int, key: int, start: int, end: int) -> int:
        """Interpolate the time from column *start* to column *end* over column *key*."""
        low, high = self.neighbours(at, key)
        first, second = low[end] - low[start], high[end] - high[start]
        if low is high:
            return first
        return first + (second - first) * (at - low[key]) // (high[key] - low[key])
