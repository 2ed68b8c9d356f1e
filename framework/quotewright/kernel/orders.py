"""Our orders and what the venue said of them: states, open quantities, the worst case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import (
    BUY,
    CANCELED,
    FILLED,
    OPEN,
    PENDING_AMEND,
    PENDING_CANCEL,
    PENDING_NEW,
    REJECTED,
    UNKNOWN,
)
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    Fill,
    NewOrder,
    OrderUnknown,
    Rejected,
)

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Report

REFUSED = (CancelRejected, AmendRejected)
ANSWERS = (Accepted, Canceled)
"""What most commands are answered by, and nothing follows from it but the order's state."""
KEPT_ENDED = 4096
"""How many ended orders are remembered, so that a late fill finds its order."""


class Order:
    """One order of ours; prices in ticks, quantities in lots.

    ``level`` is its place among the strategy's quotes, -1 none; ``rule`` is the risk rule that sent it, if one did.
    """

    def __init__(self, command: NewOrder, view: View, now_ns: int, level: int) -> None:
        self.number = command.order_number
        self.view = view
        self.side = command.side
        self.price_ticks = command.price_ticks
        self.quantity_lots = command.quantity_lots
        self.filled_lots = 0
        self.amend_price_ticks = 0
        self.amend_quantity_lots = 0
        self.state = PENDING_NEW
        self.cancel_refused_ns = -1
        self.level = level
        self.sent_ns = now_ns
        self.strategy = command.strategy
        self.rule = ""
        self.fill_ids: set[str] | None = None

    def is_live(self) -> bool:
        """Return whether the order may still trade: open, pending or unknown."""
        return self.state <= UNKNOWN

    def open_lots(self) -> int:
        """Return the most that may still trade: the larger of both quantities until an amend is answered."""
        if self.state > UNKNOWN:
            return 0
        quantity = self.quantity_lots
        if self.amend_quantity_lots > quantity:
            quantity = self.amend_quantity_lots
        leaves = quantity - self.filled_lots
        return leaves if leaves > 0 else 0

    def is_overfilled(self) -> bool:
        """Return whether more was filled than we ever asked for."""
        return self.filled_lots > self.quantity_lots and self.filled_lots > self.amend_quantity_lots

    def leaves_lots(self) -> int:
        """Return what is open of the quantity that the venue last confirmed."""
        leaves = self.quantity_lots - self.filled_lots
        return leaves if leaves > 0 else 0


class OrderManager:
    """Every order of a run by number, and each view's open quantities kept in step.

    Tolerates reports in any order: a fill before its acknowledgement, after a cancel, twice (counted once by its id).
    What cannot be matched is counted in ``strays``, never dropped silently.
    """

    def __init__(self) -> None:
        self.next_number = 1
        self.orders: dict[int, Order] = {}
        self.ended: list[int] = []
        self.strays = 0
        self.duplicate_fills = 0
        self.overfills = 0
        self.late_fills = 0
        self.sent = 0
        self.rejects: dict[str, int] = {}

    def register(self, command: NewOrder, view: View, now_ns: int, level: int) -> Order:
        """Count *command* as live from now on, before it leaves."""
        order = Order(command, view, now_ns, level)
        self.orders[order.number] = order
        view.live.append(order)
        self.sent += 1
        self.count(order, order.open_lots())
        return order

    def cancelling(self, order: Order) -> bool:
        """Note that a cancel of *order* leaves."""
        before = order.open_lots()
        order.state = PENDING_CANCEL
        self.count(order, order.open_lots() - before)
        return True

    def amending(self, order: Order, price_ticks: int, quantity_lots: int) -> bool:
        """Note that an amend of *order* to this price and total quantity leaves."""
        before = order.open_lots()
        order.amend_price_ticks = price_ticks
        order.amend_quantity_lots = quantity_lots
        order.state = PENDING_AMEND
        self.count(order, order.open_lots() - before)
        return True

    def count(self, order: Order, change: int) -> bool:
        """Add *change* lots to the open quantity of the order's side."""
        if change:
            if order.side == BUY:
                order.view.open_buy_lots += change
            else:
                order.view.open_sell_lots += change
        return True

    def on_report(self, report: Report, now_ns: int) -> Order | None:
        """Book *report* and return its order; None if it belongs to none, or is a fill that was booked before."""
        order = self.orders.get(report.order_number)
        if order is None:
            self.strays += 1
            return None
        before = order.open_lots()
        was_live = order.is_live()
        if isinstance(report, Accepted):
            if order.state == PENDING_NEW or order.state == UNKNOWN:
                order.state = OPEN
        elif isinstance(report, Canceled):
            if was_live:
                order.state = CANCELED
        elif isinstance(report, Fill):
            if order.fill_ids is None:
                order.fill_ids = {report.fill_id}
            elif report.fill_id in order.fill_ids:
                self.duplicate_fills += 1
                return None
            else:
                order.fill_ids.add(report.fill_id)
            order.filled_lots += report.quantity_lots
            if not was_live:
                self.late_fills += 1
            if order.is_overfilled():
                self.overfills += 1
            if order.filled_lots >= max(order.quantity_lots, order.amend_quantity_lots):
                order.state = FILLED
        elif isinstance(report, Rejected):
            if was_live:
                order.state = REJECTED
            self.rejects[report.reason] = self.rejects.get(report.reason, 0) + 1
        elif isinstance(report, Amended):
            order.price_ticks = report.price_ticks
            order.quantity_lots = report.quantity_lots
            order.amend_quantity_lots = 0
            if order.state == PENDING_AMEND or order.state == UNKNOWN:
                order.state = OPEN
            if was_live and order.filled_lots >= order.quantity_lots:
                order.state = FILLED
        elif isinstance(report, REFUSED):
            is_amend = isinstance(report, AmendRejected)
            if is_amend:
                order.amend_quantity_lots = 0
            else:
                order.cancel_refused_ns = now_ns
            if was_live:
                if report.reason in ("order_closed", "unknown_order"):
                    # The venue says the order has ended but its end has not been told: it counts until it is.
                    order.state = UNKNOWN
                elif not is_amend:
                    order.state = PENDING_AMEND if order.amend_quantity_lots else OPEN
                elif order.state != PENDING_CANCEL:
                    order.state = OPEN
                if order.filled_lots >= max(order.quantity_lots, order.amend_quantity_lots):
                    order.state = FILLED
            self.rejects[report.reason] = self.rejects.get(report.reason, 0) + 1
        elif isinstance(report, OrderUnknown) and was_live:
            order.state = UNKNOWN
        self.count(order, order.open_lots() - before)
        if was_live and not order.is_live():
            order.view.live.remove(order)
            self.retire(order)
        return order

    def retire(self, order: Order) -> bool:
        """Keep an ended order for late reports, and forget the oldest ended one beyond the bound."""
        self.ended.append(order.number)
        if len(self.ended) > 2 * KEPT_ENDED:
            for number in self.ended[:KEPT_ENDED]:
                del self.orders[number]
            del self.ended[:KEPT_ENDED]
        return True

    def live_orders(self) -> list[Order]:
        """Return every live order by number."""
        return [order for order in self.orders.values() if order.is_live()]


def cancel_of(order: Order) -> CancelOrder:
    """Return the command that cancels *order*."""
    return CancelOrder(order_number=order.number, instrument=order.view.instrument_id, strategy=order.strategy)


def amend_of(order: Order, price_ticks: int, quantity_lots: int) -> AmendOrder:
    """Return the command that changes *order* to this price and total quantity."""
    return AmendOrder(
        order_number=order.number,
        instrument=order.view.instrument_id,
        price_ticks=price_ticks,
        quantity_lots=quantity_lots,
        strategy=order.strategy,
    )
