"""One or more instruments with rules, a gate and an order book of our own: a test sends, fills, rejects, cancels."""

from __future__ import annotations

from typing import Any

import attrs

from quotewright.kernel.ladder import Ladder
from quotewright.kernel.orders import OrderManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.view import View
from quotewright.model.instrument import Instrument
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
    OrderUnknown,
    Rejected,
)
from quotewright.wiring import BindContext
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SECOND, SELL, Market

__all__ = ["BUY", "ETH", "ONE", "PERP", "SECOND", "SELL", "Floor", "at_mid"]

PERP = attrs.evolve(PLAIN, name="BTC-USDT.perp@other", symbol="BTCPERP", venue="other", kind="perp")
STRATEGIES = ("mm", "one", "two")
ETH = attrs.evolve(PLAIN, name="ETH-USDT.spot@test", symbol="ETHUSDT", base="ETH")


class Floor:
    """Every view shares one clock; orders are numbered from 1, ``last`` is the newest one that left."""

    def __init__(self, *rules: Any, instruments: tuple[Instrument, ...] = (PLAIN,)) -> None:
        self.views = [View(instrument, number, Ladder()) for number, instrument in enumerate(instruments)]
        self.view = self.views[0]
        self.gate = RiskGate(list(rules), self.views)
        for view in self.views:
            view.account = self.gate
        self.gate.know(STRATEGIES, {view.instrument_id: view.instrument.venue for view in self.views})
        self.manager = OrderManager()
        self.last = 0
        self.fills = 0
        for rule in rules:
            rule.name = rule.name or type(rule).__name__
            rule.bind(BindContext(name=rule.name, where=f"risk.{rule.name}", views=tuple(self.views)))

    def at(self, now_ns: int) -> Floor:
        for view in self.views:
            view.now_ns = now_ns
        return self

    def quote(self, now_ns: int, bid: int, offer: int, which: int = 0) -> Floor:
        rows = Market().snapshot(now_ns, bid, offer).buffer
        self.views[which].on_message(rows, 0, rows.count, now_ns)
        return self.at(now_ns)

    def mid(self, now_ns: int, mid: int, which: int = 0) -> Floor:
        """Quote one either side of *mid* and let every rule look."""
        return self.quote(now_ns, mid - 1, mid + 1, which).wake()

    def show(self, now_ns: int, kind: int, price: int, which: int = 0) -> Floor:
        """Show one row of a reference price or the like."""
        rows = Market().row(now_ns, price, 1, kind, BUY).buffer
        self.views[which].on_message(rows, 0, rows.count, now_ns)
        return self.at(now_ns)

    def wake(self, now_ns: int | None = None) -> Floor:
        if now_ns is not None:
            self.at(now_ns)
        for rule in self.gate.rules:
            self.gate.wake(rule, self.view.now_ns)
        return self

    def ask(self, side: int, lots: int, price: int = 100, which: int = 0, strategy: str = "mm", **more: Any) -> str:
        """Return the reason of the refusal of such an order, an empty text if it may leave."""
        refusal = self.gate.verdict(self._order(0, side, lots, price, which, strategy, **more), self.views[which])
        return refusal.reason if refusal is not None else ""

    def send(self, side: int, lots: int, price: int = 100, which: int = 0, strategy: str = "mm", **more: Any) -> str:
        """Ask for such an order and let it leave if it may; return the reason of its refusal."""
        refused = self.ask(side, lots, price, which, strategy, **more)
        if not refused:
            view = self.views[which]
            self.last = self.manager.next_number
            self.manager.next_number += 1
            command = self._order(self.last, side, lots, price, which, strategy, **more)
            self.manager.register(command, view, view.now_ns, more.get("level", -1))
            self.gate.on_command(command, view)
        return refused

    def _order(self, number: int, side: int, lots: int, price: int, which: int, strategy: str, **more: Any) -> NewOrder:
        more.pop("level", None)
        return NewOrder(
            order_number=number, instrument=which, side=side, price_ticks=price, quantity_lots=lots,
            strategy=strategy, **more,
        )  # fmt: skip

    def amend(self, number: int, price: int, lots: int) -> str:
        order = self.manager.orders[number]
        command = AmendOrder(
            order_number=number, instrument=order.view.instrument_id, price_ticks=price, quantity_lots=lots,
            strategy=order.strategy,
        )  # fmt: skip
        refusal = self.gate.verdict(command, order.view)
        if refusal is not None:
            return refusal.reason
        self.manager.amending(order, price, lots)
        self.gate.on_command(command, order.view)
        return ""

    def cancel(self, number: int) -> str:
        """Let a cancel leave; it is not answered yet."""
        order = self.manager.orders[number]
        command = CancelOrder(order_number=number, instrument=order.view.instrument_id, strategy=order.strategy)
        refusal = self.gate.verdict(command, order.view)
        assert refusal is None, "cancels always pass"
        self.manager.cancelling(order)
        self.gate.on_command(command, order.view)
        return ""

    def tell(self, kind: type, number: int = 0, **fields: Any) -> Floor:
        """Let the venue report on an order, by default the newest."""
        number = number or self.last
        now_ns = self.view.now_ns
        report = kind(order_number=number, event_ns=now_ns, receive_ns=now_ns, **fields)
        order = self.manager.on_report(report, now_ns)
        if isinstance(report, Fill):
            order.view.portfolio.book_fill(
                order.side, report.price_ticks, report.quantity_lots, report.fee, report.fee_currency,
                order.view.known_mid2, report.is_maker,
            )  # fmt: skip
        self.gate.on_report(report, order.view)
        return self

    def accepted(self, number: int = 0) -> Floor:
        return self.tell(Accepted, number)

    def rejected(self, number: int = 0, reason: str = "venue") -> Floor:
        return self.tell(Rejected, number, reason=reason)

    def cancelled(self, number: int = 0, reason: str = "user") -> Floor:
        return self.tell(Canceled, number, reason=reason)

    def cancel_rejected(self, number: int = 0, reason: str = "order_closed") -> Floor:
        return self.tell(CancelRejected, number, reason=reason)

    def unknown(self, number: int = 0) -> Floor:
        return self.tell(OrderUnknown, number, reason="timeout")

    def amended(self, number: int, price: int, lots: int) -> Floor:
        return self.tell(
            Amended, number, price_ticks=price, quantity_lots=lots, leaves_lots=lots, keeps_priority=True
        )  # fmt: skip

    def filled(self, number: int = 0, lots: int = 0, fill_id: str = "", fee: int = 0) -> Floor:
        """Execute *lots* of an order, all that is open by default."""
        order = self.manager.orders[number or self.last]
        lots = lots or order.open_lots()
        self.fills += 1
        return self.tell(
            Fill, order.number, fill_id=fill_id or f"f{self.fills}", price_ticks=order.price_ticks, quantity_lots=lots,
            leaves_lots=order.open_lots() - lots, is_maker=True, fee=fee, fee_currency="USDT",
        )  # fmt: skip

    def trade(self, side: int, lots: int, price: int = 100, which: int = 0, strategy: str = "mm") -> Floor:
        """Send an order and have it filled at once."""
        refused = self.send(side, lots, price, which, strategy)
        assert not refused, refused
        return self.filled()

    def hold(self, side: int, lots: int, price: int = 100, which: int = 0) -> Floor:
        """Have bought or sold before; no rule was asked or told."""
        self.views[which].portfolio.book_fill(side, price, lots, 0, "USDT", 0, True)
        return self

    @property
    def state(self) -> int:
        return self.gate.state

    def of(self, scope: str) -> int:
        """Return the state that a scope has of its own."""
        claim = self.gate.scoped.get(scope)
        return claim.state if claim is not None else 0


def at_mid(*rules: Any, mid: int = 100, instruments: tuple[Instrument, ...] = (PLAIN,)) -> Floor:
    """Return a floor whose instruments all quote one either side of *mid* at one second."""
    floor = Floor(*rules, instruments=instruments)
    for which in range(len(instruments)):
        floor.quote(SECOND, mid - 1, mid + 1, which)
    return floor
