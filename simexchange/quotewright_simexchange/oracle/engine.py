"""The oracle's matching engine: commands in, events out, written from the page of rules alone."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from quotewright_simexchange.oracle import checks
from quotewright_simexchange.oracle.auction import uncross
from quotewright_simexchange.oracle.matching import Matching
from quotewright_simexchange.oracle.money import Money
from quotewright_simexchange.oracle.numbers import EXACT, ZERO, is_multiple, legal_number, plain, setting
from quotewright_simexchange.oracle.orders import Book, Order, opposite, price_of

Event = dict[str, Any]


class OracleEngine(Matching):
    """One instrument's engine. *instrument* holds every key of ``instrument_defaults``."""

    def __init__(self, instrument: Mapping[str, Any], accounts: Mapping[str, Any]) -> None:
        self.tick = Decimal(instrument["tick"])
        self.lot = Decimal(instrument["lot"])
        self.mult = Decimal(instrument["mult"])
        self.min_qty = setting(instrument["min_qty"])
        self.max_qty = setting(instrument["max_qty"])
        self.min_notional = setting(instrument["min_notional"])
        self.amend_policy: str = instrument["amend_policy"]
        self.amend_post_only_cross: str = instrument["amend_post_only_cross"]
        self.stop_if_met: str = instrument["stop_if_met"]
        self.market_protection: Mapping[str, Any] | None = instrument["market_protection"]
        self.price_band: Mapping[str, Any] | None = instrument["price_band"]
        self.exec_range: Mapping[str, Any] | None = instrument["exec_range"]
        self.max_open_orders: int | None = instrument["max_open_orders"]
        self.im_rate = setting(instrument["im_rate"])
        self.mm_rate = setting(instrument["mm_rate"])
        self.strike = setting(instrument["strike"])
        self.option_type: str | None = instrument["option_type"]
        self.money = Money(instrument, accounts)
        self.book = Book()
        self.stops: list[Order] = []
        self.elected: list[Order] = []
        self.orders: dict[str, Order] = {}
        self.references: dict[str, Decimal | None] = {"last": None, "mark": None, "index": None, "ref": None}
        self.phase = "trading"
        self.now = 0
        self.counter = 0
        self.events: list[Event] = []

    @property
    def last(self) -> Decimal | None:
        return self.references["last"]

    def run(self, cmd: Mapping[str, Any]) -> tuple[list[Event], list[list[str]]]:
        """Run one command to its end; return its events and the displayed levels it changed."""
        with decimal.localcontext(EXACT):
            before = {side: self.book.levels(side) for side in ("buy", "sell")}
            self.events = []
            getattr(self, f"on_{cmd['op']}")(cmd)
            self.run_elected()
            return self.events, self._changes(before)

    def _changes(self, before: Mapping[str, Mapping[Decimal, Decimal]]) -> list[list[str]]:
        found = []
        for side, name in (("buy", "bid"), ("sell", "ask")):
            after = self.book.levels(side)
            for price in sorted({*before[side], *after}, reverse=side == "buy"):
                qty = after.get(price, ZERO)
                if qty != before[side].get(price, ZERO):
                    found.append([name, plain(price), plain(qty)])
        return found

    def emit(self, ev: str, **fields: Any) -> None:
        self.events.append({"ev": ev} | {k: plain(v) if isinstance(v, Decimal) else v for k, v in fields.items()})

    # New orders

    def on_new(self, cmd: Mapping[str, Any]) -> None:
        reason = self._form_fault(cmd)
        if reason is None:
            order = self._order(cmd)
            reason = checks.entry_fault(self, order)
        if reason is None and not order.is_stop:
            stated = order.price
            if order.post_only and checks.crosses(self, order):
                order.price = self.behind_opposite(order)
            reason = checks.reprice_fault(order) or checks.funds_fault(self, order)
            if reason is None:
                self._accept(order)
                if order.price != stated:
                    self.emit("repriced", id=order.id, price=order.price)
                self.enforce_reduce_only(order.account, order)
                if order.is_open:
                    self.act(order)
                return
        if reason is not None:
            self.emit("rejected", id=cmd["id"], reason=reason)
            return
        self._accept(order)
        if self.is_met(order):
            self.elected.append(order)
        else:
            self.stops.append(order)

    def _form_fault(self, cmd: Mapping[str, Any]) -> str | None:
        if checks.phase_refuses(self.phase, cmd):
            return "phase"
        if cmd["id"] in self.orders:
            return "duplicate_id"
        return checks.number_fault(self, cmd) or checks.flag_fault(self, cmd)

    def _order(self, cmd: Mapping[str, Any]) -> Order:
        kind = cmd.get("type", "limit")
        post_only = cmd.get("post_only")
        qty = Decimal(cmd["qty"])
        return Order(
            id=cmd["id"],
            account=cmd["account"],
            side=cmd["side"],
            type=kind,
            qty=qty,
            open=qty,
            price=Decimal(cmd["price"]) if kind.endswith("limit") else None,
            tif=cmd.get("tif", "gtc"),
            post_only=("reprice" if post_only == "reprice" else "reject") if post_only else None,
            reduce_only=bool(cmd.get("reduce_only")),
            display=setting(cmd.get("display")),
            hidden=bool(cmd.get("hidden")),
            stp=cmd.get("stp", "none"),
            trigger=setting(cmd.get("trigger")),
            trigger_by=cmd.get("trigger_by", "last"),
            expire_at=int(cmd["expire_at"]) if cmd.get("tif") == "gtd" else None,
        )

    def _accept(self, order: Order) -> None:
        self.counter += 1
        order.accepted = self.counter
        self.orders[order.id] = order
        self.emit("accepted", id=order.id)

    def behind_opposite(self, order: Order) -> Decimal:
        """Return the price one tick behind the opposite best."""
        best = self.book.best(opposite(order.side))
        assert best is not None
        return best - self.tick if order.is_buy else best + self.tick

    # Cancels

    def _own(self, cmd: Mapping[str, Any]) -> Order | str:
        order = self.orders.get(cmd["id"])
        if order is None or order.account != cmd["account"]:
            return "unknown_order"
        return order if order.is_open else "order_closed"

    def on_cancel(self, cmd: Mapping[str, Any]) -> None:
        found = "phase" if self.phase == "halt" else self._own(cmd)
        if isinstance(found, Order):
            self.cancel(found, "user")
        else:
            self.emit("cancel_rejected", id=cmd["id"], reason=found)

    def on_cancel_all(self, cmd: Mapping[str, Any]) -> None:
        if self.phase != "halt":
            self.cancel_every(cmd["account"], "user")

    def cancel_every(self, account: str | None, reason: str) -> None:
        mine = [order for order in self.open_orders() if account in (None, order.account)]
        for order in mine:
            self.cancel(order, reason)

    def open_orders(self) -> list[Order]:
        """Return resting and untriggered orders by acceptance."""
        return sorted(self.book.orders + self.stops, key=lambda order: order.accepted)

    def cancel(self, order: Order, reason: str) -> None:
        self.close(order)
        self.emit("canceled", id=order.id, qty=order.open, reason=reason)

    def close(self, order: Order) -> None:
        order.is_open = False
        for place in (self.book.orders, self.stops, self.elected):
            if order in place:
                place.remove(order)

    # Amends

    def on_amend(self, cmd: Mapping[str, Any]) -> None:
        refused = "phase" if self.phase in ("halt", "cancel_only", "auction") else self._amend(cmd)
        if refused is not None:
            self.emit("amend_rejected", id=cmd["id"], reason=refused)

    def _amend(self, cmd: Mapping[str, Any]) -> str | None:
        order = self._own(cmd)
        if isinstance(order, str):
            return order
        qty, price = order.qty, order.price
        if "qty" in cmd:
            legal = legal_number(cmd["qty"])
            if legal is None:
                return "bad_qty"
            qty = legal
        if "price" in cmd:
            price = legal_number(cmd["price"])
            if price is None:
                return "bad_price"
            if not is_multiple(price, self.tick):
                return "tick"
        if fault := checks.grid_fault(self, qty, price if price is not None else self.last):
            return fault
        if fault := checks.band_fault(self, order.side, price):
            return fault
        is_plain_cut = price == order.price and qty <= order.qty
        if self.amend_policy == "qty_down_only" and not is_plain_cut:
            return "not_allowed"
        if qty <= order.filled:
            self.cancel(order, "amend_below_filled")
            return None
        is_resting = order in self.book.orders
        if is_resting and order.post_only and checks.crosses(self, order, price):
            if self.amend_post_only_cross == "reject":
                return "post_only"
            self.cancel(order, "post_only")
            return None
        kept = is_plain_cut and self.amend_policy != "always_requeues"
        before = (order.qty, order.open, order.price)
        order.qty, order.open, order.price = qty, qty - order.filled, price
        fault = checks.funds_fault(self, order, own=order) if is_resting else None
        if fault:
            order.qty, order.open, order.price = before
            return fault
        self.emit(
            "amended",
            id=order.id,
            price=price,
            qty=qty,
            leaves=order.open,
            priority="kept" if kept else "lost",
        )
        if not is_resting:
            return None
        if kept:
            order.shown = order.open if order.display is None else min(order.shown, order.open)
            self.enforce_reduce_only(order.account, order)
            return None
        self.book.orders.remove(order)
        self.enforce_reduce_only(order.account, order)
        if order.is_open:
            self.act(order)
        return None

    # References, clock, phases

    def on_mark(self, cmd: Mapping[str, Any]) -> None:
        self.set_reference("mark", Decimal(cmd["price"]))
        if self.mm_rate is not None:
            self._liquidate()

    def on_index(self, cmd: Mapping[str, Any]) -> None:
        self.set_reference("index", Decimal(cmd["price"]))

    def on_ref(self, cmd: Mapping[str, Any]) -> None:
        self.set_reference("ref", Decimal(cmd["price"]))

    def on_clock(self, cmd: Mapping[str, Any]) -> None:
        self.now = int(cmd["now"])
        due = [order for order in self.open_orders() if order.expire_at is not None and order.expire_at <= self.now]
        for order in sorted(due, key=lambda order: order.expire_at or 0):
            self.cancel(order, "expired")

    def on_phase(self, cmd: Mapping[str, Any]) -> None:
        self.phase = cmd["state"]
        self.emit("phase", state=self.phase)

    def on_uncross(self, _cmd: Mapping[str, Any]) -> None:
        uncross(self)
        self.phase = "trading"
        self.emit("phase", state=self.phase)

    # Derivatives

    def on_funding(self, cmd: Mapping[str, Any]) -> None:
        mark = self.references["mark"]
        if mark is None:
            return
        for name, account in sorted(self.money.accounts.items()):
            if account.position:
                amount = self.money.fund(account, mark, Decimal(cmd["rate"]))
                self.emit("funding", account=name, amount=amount)

    def on_settle(self, cmd: Mapping[str, Any]) -> None:
        self.cancel_every(None, "settled")
        for name, account in sorted(self.money.accounts.items()):
            if account.position:
                amount = self.money.settle(account, Decimal(cmd["price"]), self.strike, self.option_type)
                self.emit("settled", account=name, amount=amount)

    def _liquidate(self) -> None:
        mark = self.references["mark"]
        assert mark is not None
        assert self.mm_rate is not None
        for name, account in sorted(self.money.accounts.items()):
            if not account.has_cash or not account.position:
                continue
            equity = account.cash + self.money.unrealized(account, mark)
            if equity > self.mm_rate * self.money.value(mark, abs(account.position)):
                continue
            self.cancel_every(name, "liquidation")
            side, qty = ("sell" if account.position > 0 else "buy"), abs(account.position)
            self.emit("liquidation", account=name, side=side, qty=qty)
            self.take(Order(id=f"LIQ-{name}", account=name, side=side, type="market", qty=qty, open=qty))
            if not account.position and account.cash < 0:
                self.emit("insurance", account=name, amount=-account.cash)
                account.cash = ZERO

    # Final state

    def final(self) -> dict[str, Any]:
        """Return the state in the form of a case's ``final``."""
        with decimal.localcontext(EXACT):
            state: dict[str, Any] = {
                "bids": self._levels("buy"),
                "asks": self._levels("sell"),
                "stops": [order.id for order in self.stops],
                "last": None if self.last is None else plain(self.last),
            }
            if self.money.kind != "plain":
                state["accounts"] = self.money.final(self.book.orders)
            return state

    def _levels(self, side: str) -> list[dict[str, Any]]:
        levels: dict[Decimal, dict[str, Any]] = {}
        shown = self.book.levels(side)
        for order in self.book.side(side):
            price = price_of(order)
            level = levels.setdefault(
                price, {"price": plain(price), "qty": plain(shown.get(price, ZERO)), "orders": []}
            )
            entry: dict[str, Any] = {"id": order.id, "qty": plain(order.shown)}
            if order.display is not None:
                entry["reserve"] = plain(order.open - order.shown)
            if order.hidden:
                entry["hidden"] = True
            level["orders"].append(entry)
        return list(levels.values())
