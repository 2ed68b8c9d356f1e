"""What strategies and rules see of an instrument: market, worst case, and how fills turned out."""

from __future__ import annotations

import math

import attrs
import pytest

from quotewright.kernel.codes import CONNECTION, FUNDING, INDEX, MARK
from quotewright.kernel.markouts import Markouts
from quotewright.kernel.orders import OrderManager
from quotewright.model.orders import AmendOrder, NewOrder
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SECOND, SELL, Market, Stage, order


def test_prices_of_the_book_are_told_in_ticks_that_never_improve_on_it():
    coarse = attrs.evolve(PLAIN, price_decimals=2, tick_steps=25)
    view = Stage(instrument=coarse).quote(7, 10_010, 10_040).view
    assert (view.best_bid_ticks(), view.best_offer_ticks()) == (400, 402)
    assert (view.mid2, view.mid(), view.mid_ticks()) == (20_050, 100.25, 401.0)
    assert (view.book_age_ns, view.is_book_good) == (0, True)


def test_there_is_no_mid_without_a_good_book_but_the_last_one_is_remembered():
    stage = Stage()
    assert (stage.view.mid2, stage.view.mid(), stage.view.known_mid2) == (0, 0.0, 0)
    stage.quote(1, 99, 101).show(Market().gap(2))
    assert (stage.view.mid2, stage.view.known_mid2, stage.view.is_book_good) == (0, 200, False)


def test_the_age_of_a_book_grows_with_other_messages_and_is_reset_by_its_own():
    stage = Stage().quote(10, 99, 101).show(Market().trade(50, BUY, 101, 3))
    assert (stage.view.book_age_ns, stage.view.last_trade_steps, stage.view.trades) == (40, 101, 1)
    assert (stage.view.traded, stage.view.best_moved) == (True, False)
    stage.show(Market().bid(60, 100, 1))
    assert (stage.view.book_age_ns, stage.view.best_moved) == (0, True)


def test_mark_index_and_funding_are_kept_and_a_lost_connection_makes_the_book_bad():
    stage = Stage().quote(1, 99, 101)
    stage.show(Market().row(2, 5, 0, MARK)).show(Market().row(3, 6, 0, INDEX)).show(Market().row(4, -7, 0, FUNDING))
    assert (stage.view.mark_price, stage.view.index_price, stage.view.funding_rate) == (5, 6, -7)
    stage.show(Market().row(5, 0, 1, CONNECTION))
    assert stage.view.is_book_good
    stage.show(Market().row(6, 0, 0, CONNECTION))
    assert (stage.view.is_book_good, stage.view.goodness_changed) == (False, True)


def live(stage, *orders):
    """Register orders written as (side, lots, price) and return their manager."""
    manager = OrderManager()
    for number, (side, lots, price) in enumerate(orders, start=1):
        command = NewOrder(order_number=number, instrument=0, side=side, price_ticks=price, quantity_lots=lots)
        manager.register(command, stage.view, 0, number)
    return manager


WORST = {  #                     position  live                                    order          worst  reduces
    "flat":                      (0,   [],                                       (BUY, 3),        3, False),
    "buys add up":               (2,   [(BUY, 4, 99)],                           (BUY, 3),        9, False),
    "sells do not help a buy":   (2,   [(SELL, 9, 101)],                         (BUY, 3),        5, False),
    "a sell of a long":          (5,   [],                                       (SELL, 5),       0, True),
    "a sell through zero":       (5,   [],                                       (SELL, 6),      -1, False),
    "another sell before it":    (5,   [(SELL, 3, 101)],                         (SELL, 3),      -1, False),
    "room left by another sell": (5,   [(SELL, 3, 101)],                         (SELL, 2),       0, True),
    "covering a short":          (-5,  [(BUY, 1, 99)],                           (BUY, 4),        0, True),
}  # fmt: skip


@pytest.mark.parametrize(("position", "orders", "asked", "worst", "reduces"), WORST.values(), ids=WORST)
def test_the_worst_case_is_everything_of_one_side_filled(position, orders, asked, worst, reduces):
    stage = Stage().quote(1, 99, 101)
    if position:
        stage.trade(BUY if position > 0 else SELL, abs(position), 100)
    live(stage, *orders)
    command = order(*asked)
    assert stage.view.worst_case_lots(command) == worst
    assert stage.view.is_reduced_by(command) is reduces


AMENDS = {  #        to total  filled  added  open quantity then
    "more":         (9,        0,      4,     9),
    "less":         (2,        0,      0,     2),
    "partly filled": (9,       3,      4,     6),
    "below filled": (2,        3,      0,     0),
}  # fmt: skip


@pytest.mark.parametrize(("total", "filled", "added", "quantity"), AMENDS.values(), ids=AMENDS)
def test_an_amend_counts_once_at_the_larger_quantity(total, filled, added, quantity):
    stage = Stage().quote(1, 99, 101)
    manager = live(stage, (BUY, 5, 99))
    working = manager.orders[1]
    working.filled_lots = filled
    stage.view.open_buy_lots = working.open_lots()
    command = AmendOrder(order_number=1, instrument=0, price_ticks=99, quantity_lots=total)
    assert stage.view.command_side(command) == BUY
    assert stage.view.command_quantity_lots(command) == quantity
    assert stage.view.worst_case_lots(command) == 5 - filled + added
    assert not stage.view.is_reduced_by(command)


def test_a_market_order_counts_at_the_opposite_best():
    view = Stage().quote(1, 99, 103).view
    assert view.command_price_ticks(order(BUY, 1, 0)) == 103
    assert view.command_price_ticks(order(SELL, 1, 0)) == 99
    assert view.notional(103, 2) == 206 * ONE


def test_equity_is_marked_at_the_last_known_mid_with_fees_off():
    stage = Stage().quote(1, 99, 101)
    stage.view.portfolio.book_fill(BUY, 99, 2, ONE, "USDT", 200, True)
    assert (stage.view.equity, stage.view.fees, stage.view.realised) == (ONE, ONE, 0)
    stage.show(Market().gap(2))
    assert stage.view.equity == ONE
    assert stage.view.account_equity == ONE


MARKOUTS = {  # side  mids at 0, 1, 5, 30, 60 s          bps
    "bought, then up":    (BUY,  [100, 101, 102, 100, 100], [100.0, 200.0, 0.0, 0.0]),
    "sold, then up":      (SELL, [100, 101, 102, 100, 99],  [-100.0, -200.0, 0.0, 100.0]),
}  # fmt: skip


@pytest.mark.parametrize(("side", "mids", "bps"), MARKOUTS.values(), ids=MARKOUTS)
def test_markouts_are_the_move_in_favour_of_the_fill(side, mids, bps):
    markouts = Markouts()
    markouts.on_fill(0, side, 2 * mids[0])
    for seconds, mid in zip((1, 5, 30, 60), mids[1:], strict=True):
        assert markouts.next_ns == seconds * SECOND
        markouts.catch_up(seconds * SECOND, 2 * mid)
    assert markouts.table() == [(s, 1, move) for s, move in zip((1, 5, 30, 60), bps, strict=True)]


def test_a_fill_without_a_mid_and_a_horizon_never_reached_are_not_counted():
    markouts = Markouts()
    markouts.on_fill(0, BUY, 0)
    markouts.on_fill(0, BUY, 200)
    markouts.catch_up(SECOND, 0)
    markouts.catch_up(5 * SECOND, 202)
    counts = [count for _, count, _ in markouts.table()]
    assert counts == [0, 1, 0, 0]
    assert math.isnan(markouts.table()[0][2])


def test_a_markout_is_settled_with_the_mid_known_before_the_message_that_passes_it():
    stage = Stage().quote(0, 99, 101)
    stage.view.markouts.on_fill(0, BUY, 200)
    stage.view.next_check_ns = stage.view.markouts.next_ns
    stage.quote(SECOND + 1, 149, 151)
    assert stage.view.markouts.table()[0] == (1, 1, 0.0)


def test_thousands_of_fills_are_settled_in_order_and_forgotten():
    markouts = Markouts()
    for number in range(5_000):
        markouts.on_fill(number, BUY, 200)
        if number % 1000 == 999:
            markouts.catch_up(number + SECOND, 202)
    markouts.catch_up(100 * SECOND, 202)
    assert [count for _, count, _ in markouts.table()] == [5_000] * 4
    assert all(abs(mean - 100.0) < 1e-9 for _, _, mean in markouts.table())
