"""Reports may come in any order: the position is right, and what may still trade is never counted too low."""

from __future__ import annotations

from itertools import permutations

import pytest

from quotewright.kernel.orders import OrderManager
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendRejected,
    Canceled,
    CancelRejected,
    Fill,
    NewOrder,
    OrderState,
    OrderUnknown,
    Rejected,
)
from tests.framework.kernel.stage import BUY, SELL, Stage

KEPT = 4096
"""How many ended orders are remembered at the least."""


def report(text, number=1):
    """Return a report written in short: ``accepted``, ``fill a 3``, ``amended 8``, ``cancel_rejected order_closed``."""
    kind, *words = text.split()
    at = {"order_number": number, "event_ns": 0, "receive_ns": 0}
    if kind == "fill":
        return Fill(
            **at, fill_id=words[0], price_ticks=100, quantity_lots=int(words[1]), leaves_lots=0, is_maker=True,
            fee=0, fee_currency="USDT",
        )  # fmt: skip
    if kind == "amended":
        return Amended(**at, price_ticks=100, quantity_lots=int(words[0]), leaves_lots=0, keeps_priority=True)
    if kind == "accepted":
        return Accepted(**at)
    kinds = {
        "rejected": Rejected,
        "canceled": Canceled,
        "cancel_rejected": CancelRejected,
        "amend_rejected": AmendRejected,
        "unknown": OrderUnknown,
    }
    return kinds[kind](**at, reason=words[0] if words else "venue")


class Life:
    """One order of ten lots, and what is booked from the reports about it."""

    def __init__(self, side=BUY, quantity=10):
        self.view = Stage().quote(0, 99, 101).view
        self.manager = OrderManager()
        command = NewOrder(order_number=1, instrument=0, side=side, price_ticks=100, quantity_lots=quantity)
        self.order = self.manager.register(command, self.view, 0, 0)
        self.position = 0

    def tell(self, *texts):
        for text in texts:
            told = report(text)
            if self.manager.on_report(told, 0) is not None and isinstance(told, Fill):
                self.position += told.quantity_lots if self.order.side == BUY else -told.quantity_lots
            assert self.view.open_buy_lots >= 0 <= self.view.open_sell_lots
            assert self.open() == self.order.open_lots()
            assert (self.order in self.view.live) == self.order.is_live()
        return self

    def open(self):
        return self.view.open_buy_lots + self.view.open_sell_lots

    def state(self):
        return OrderState(self.order.state).name


LIVES = {  #                          told in any order                                                     position
    "filled":                     (["accepted", "fill a 4", "fill b 6"], 10),
    "part, then cancelled":       (["accepted", "fill a 4", "canceled user"], 4),
    "duplicate fill":             (["accepted", "fill a 4", "fill a 4", "fill b 6"], 10),
    "rejected":                   (["rejected post_only"], 0),
    "filled though rejected":     (["rejected venue", "fill a 3"], 3),
    "cancel lost the race":       (["accepted", "fill a 10", "cancel_rejected order_closed"], 10),
    "amended up and filled":      (["accepted", "amended 12", "fill a 7", "fill b 5"], 12),
    "amended down and cancelled": (["accepted", "amended 6", "fill a 2", "canceled user"], 2),
    "answer lost, then filled":   (["unknown timeout", "accepted", "fill a 10"], 10),
    "answer lost, then gone":     (["unknown timeout", "fill a 1", "canceled user"], 1),
    "amend refused":              (["accepted", "amend_rejected venue", "fill a 5", "fill b 5"], 10),
}  # fmt: skip


@pytest.mark.parametrize(("reports", "position"), LIVES.values(), ids=LIVES)
@pytest.mark.parametrize("side", [BUY, SELL])
def test_every_order_of_the_reports_gives_the_same_position(reports, position, side):
    """And never a negative open quantity, nor an order that is live and forgotten."""
    for order in sorted(set(permutations(reports))):
        life = Life(side).tell(*order)
        assert life.position == (position if side == BUY else -position), order


@pytest.mark.parametrize(("reports", "position"), LIVES.values(), ids=LIVES)
def test_a_life_told_twice_is_booked_once(reports, position):
    assert Life().tell(*reports, *reports).position == position


def test_an_order_counts_from_before_it_leaves_until_its_end_is_told():
    life = Life()
    assert (life.open(), life.state()) == (10, "PENDING_NEW")
    assert life.tell("unknown timeout").open() == 10
    assert life.tell("accepted").state() == "OPEN"
    life.manager.cancelling(life.order)
    assert (life.open(), life.state()) == (10, "PENDING_CANCEL")
    assert life.tell("fill a 4").open() == 6
    assert life.tell("canceled user").open() == 0


def test_an_acknowledgement_after_a_fill_changes_nothing():
    life = Life().tell("fill a 10")
    assert (life.tell("accepted").state(), life.open()) == ("FILLED", 0)


def test_an_amend_in_flight_counts_the_larger_quantity_also_while_it_is_cancelled():
    life = Life().tell("accepted")
    life.manager.amending(life.order, 100, 14)
    assert life.open() == 14
    life.manager.cancelling(life.order)
    assert life.open() == 14
    assert life.tell("cancel_rejected venue").open() == 14
    assert life.state() == "PENDING_AMEND"
    assert life.tell("amended 14").open() == 14
    assert life.state() == "OPEN"


def test_an_amend_down_counts_the_old_quantity_until_it_is_answered():
    life = Life().tell("accepted")
    life.manager.amending(life.order, 100, 4)
    assert life.open() == 10
    assert life.tell("amended 4").open() == 4


def test_an_amend_refused_leaves_a_cancel_under_way():
    life = Life().tell("accepted")
    life.manager.amending(life.order, 100, 4)
    life.manager.cancelling(life.order)
    assert life.tell("amend_rejected venue").state() == "PENDING_CANCEL"


def test_an_order_that_the_venue_calls_ended_counts_until_its_end_is_told():
    life = Life().tell("accepted")
    life.manager.cancelling(life.order)
    life.tell("cancel_rejected order_closed")
    assert (life.state(), life.open()) == ("UNKNOWN", 10)
    assert life.tell("fill a 10").open() == 0


def test_an_ended_order_ends_once():
    life = Life().tell("accepted", "canceled user")
    assert life.tell("rejected venue", "unknown timeout", "accepted").state() == "CANCELED"
    assert life.tell("fill a 2").position == 2
    assert life.manager.late_fills == 1
    assert len(life.manager.ended) == 1


def test_more_filled_than_asked_for_is_booked_and_counted():
    life = Life().tell("accepted", "fill a 8", "fill b 5")
    assert (life.position, life.open(), life.manager.overfills) == (13, 0, 1)


def test_reports_that_fit_no_order_are_counted():
    life = Life()
    assert life.manager.on_report(report("fill x 1", number=99), 0) is None
    assert (life.manager.strays, life.position) == (1, 0)


def test_ended_orders_are_forgotten_after_a_long_while_and_live_ones_never():
    view = Stage().view
    manager = OrderManager()
    for number in range(1, 2 * KEPT + 3):
        manager.register(
            NewOrder(order_number=number, instrument=0, side=BUY, price_ticks=1, quantity_lots=1), view, 0, 0
        )
        if number > 1:
            manager.on_report(report("canceled user", number), 0)
    assert [order.number for order in manager.live_orders()] == [1]
    assert len(manager.orders) <= 2 * KEPT + 1
    assert 2 not in manager.orders
    assert 2 * KEPT + 2 in manager.orders


def test_rejects_are_counted_by_reason():
    life = Life().tell("rejected post_only")
    assert life.manager.rejects == {"post_only": 1}
