"""The local exchange tells where our filled orders stood: exactly, because it is the one who queues them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.model.orders import AmendOrder, NewOrder
from quotewright_simexchange.local import START_NS, Latencies, LocalExchange

BUY, SELL = 1, 2
LOT, PRICE = 100_000, 6_000_000


@pytest.fixture
def exchange():
    """Return an exchange with a bid of another's of 5 at 60,000.00, the best there is; its agents have not begun."""
    made = LocalExchange(
        latency=Latencies(feed="0ms", entry="0ms", response="0ms"),
        maker_fee="0 bps", taker_fee="0 bps", tick=Decimal("0.01"), lot=Decimal("0.00001"),
    )  # fmt: skip
    made.open(1)
    other(made, BUY, 5)
    return made


def other(exchange, side, size, price=PRICE, account=7):
    return exchange._place(account, side, price, size * LOT, False, False)


def order(exchange, number, size, price=PRICE):
    command = NewOrder(order_number=number, instrument=0, side=BUY, price_ticks=price, quantity_lots=size * LOT)
    exchange._carry_out(command)


def places(exchange):
    return [(number, joined // LOT, ahead // LOT) for number, joined, ahead in exchange.queue_places()]


def test_what_stood_ahead_on_joining_and_when_the_taker_came(exchange):
    order(exchange, 1, 2)
    other(exchange, BUY, 4)
    order(exchange, 2, 3)
    other(exchange, SELL, 3)  # eats three of the five before us
    assert places(exchange) == []
    other(exchange, SELL, 3)
    assert places(exchange) == [(1, 5, 2)]
    other(exchange, SELL, 9)  # the rest of ours, the four behind it, and our second order
    assert places(exchange) == [(1, 5, 2), (1, 5, 0), (2, 11, 4)]


def test_an_order_that_queues_anew_joined_anew_and_a_smaller_one_keeps_its_place(exchange):
    order(exchange, 1, 2)
    other(exchange, BUY, 4)
    exchange._carry_out(AmendOrder(order_number=1, instrument=0, price_ticks=PRICE, quantity_lots=LOT))
    order(exchange, 2, 1)
    exchange._carry_out(AmendOrder(order_number=2, instrument=0, price_ticks=PRICE, quantity_lots=2 * LOT))
    other(exchange, SELL, 12)
    assert places(exchange) == [(1, 5, 5), (2, 10, 9)]


def test_a_taker_of_ours_stood_nowhere(exchange):
    command = NewOrder(
        order_number=1, instrument=0, side=SELL, price_ticks=PRICE, quantity_lots=LOT, time_in_force=1
    )  # fmt: skip
    exchange._carry_out(command)
    assert (places(exchange), exchange.now_ns) == ([], START_NS)
