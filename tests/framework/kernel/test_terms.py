"""New ticks and lots, and states of trading, while a run goes on."""

from __future__ import annotations

import random

import pytest

from quotewright.kernel.codes import (
    AUCTION,
    CANCEL_ONLY,
    CLOSED,
    HALTED,
    INSTRUMENT_CHANGE,
    LAST_BIT,
    POST_ONLY,
    STATUS,
    TRADING,
    pack,
)
from quotewright.kernel.view import multiple
from quotewright.model.orders import CancelOrder, CancelRejected, NewOrder
from tests.framework.kernel.stage import BUY, SELL, Market, ObedientVenue, Run, Told, touch


def status(market: Market, at: int, state: int) -> Market:
    return market.row(at, 0, state, STATUS)


def change(market: Market, at: int, tick: int, lot: int) -> Market:
    return market.row(at, tick, lot, INSTRUMENT_CHANGE)


def fine(view, quotes):
    """Quote three lots, one tick inside the touch."""
    quotes.bid(view.best_bid_ticks() - 1, 3)
    quotes.offer(view.best_offer_ticks() + 1, 3)


def test_a_new_tick_cancels_what_lies_off_it_and_rounds_what_comes_after():
    market = change(Market().snapshot(1, 99, 103), 100, 5, 2).bid(140, 100, 5)
    run = Run(market, Told(fine, best=True)).until(300)
    assert run.sent() == [
        "1 buy 3@98",
        "1 sell 3@104",
        "100 cancel 1",
        "100 cancel 2",
        "120 buy 2@95",  # woken as soon as the last order off the grid was gone
        "120 sell 2@105",
    ]


def test_nobody_is_woken_while_an_order_lies_off_the_grid():
    market = change(Market().snapshot(1, 99, 103), 100, 5, 1).bid(105, 100, 5)
    strategy = Told(touch, best=True)
    run = Run(market, strategy).until(119)
    assert strategy.seen == [1]
    assert run.until(121).strategy.seen == [1, 120]


def test_orders_that_lie_on_the_new_grid_stay():
    market = change(Market().snapshot(1, 100, 105), 100, 5, 2)
    run = Run(market, Told(touch, best=True)).until(300)
    assert run.sent() == ["1 buy 2@100", "1 sell 2@105"]


def test_a_finer_tick_changes_nothing_and_one_that_fits_badly_is_met_at_the_common_multiple():
    assert [multiple(new, 10) for new in (10, 5, 1, 20, 25, 4, 3, 0)] == [1, 1, 1, 2, 5, 2, 3, 1]


@pytest.mark.parametrize("state", [CANCEL_ONLY, HALTED, AUCTION])
def test_m19_orders_are_cancelled_once_where_no_order_may_rest_and_quoted_again_on_trading(state):
    market = status(Market().snapshot(1, 99, 101), 100, state).bid(120, 100, 1).offer(130, 101, 9)
    status(market, 200, TRADING)
    strategy = Told(touch, every=10, best=True)
    run = Run(market, strategy).until(199)
    assert run.sent() == ["1 buy 2@99", "1 sell 2@101", "100 cancel 1", "100 cancel 2"]
    assert all(not 100 <= at < 200 for at in strategy.seen)
    assert run.until(201).sent()[4:] == ["200 buy 2@100", "200 sell 2@101"]


class Refusing(ObedientVenue):
    """Refuses every cancel, as a halted venue may."""

    def submit(self, command, now_ns):
        if not isinstance(command, CancelOrder):
            return super().submit(command, now_ns)
        self.commands.append((now_ns, command))
        self.now_ns = now_ns + self.latency
        self.tell(CancelRejected, order_number=command.order_number, reason="halted")
        return True


def test_m19_a_venue_that_refuses_cancels_is_not_asked_again_until_the_state_changes():
    market = status(Market().snapshot(1, 99, 101), 100, HALTED)
    for at in range(110, 400, 7):
        market.bid(at, 98, at).gap(at).snapshot(at, 99, 101)
    status(market, 500, CANCEL_ONLY)
    run = Run(market, Told(touch, every=10, best=True), venue=Refusing())
    assert run.until(499).sent()[2:] == ["100 cancel 1", "100 cancel 2"]
    assert run.until(600).sent()[4:] == ["500 cancel 1", "500 cancel 2"]


def test_m19_a_closed_market_is_sent_nothing():
    market = status(Market().snapshot(1, 99, 101), 100, CLOSED).bid(120, 100, 1)
    run = Run(market, Told(touch, every=10, best=True)).until(300)
    assert run.sent() == ["1 buy 2@99", "1 sell 2@101"]


def test_m19_post_only_lets_quotes_rest_and_holds_takes_back():
    def act(view, quotes):
        touch(view, quotes)
        quotes.take(BUY, 1, 95)

    market = status(Market(), 1, POST_ONLY).snapshot(2, 99, 101)
    run = Run(market, Told(act, best=True)).until(50)
    assert run.sent() == ["2 buy 2@99", "2 sell 2@101"]
    assert [(rule, reason) for _, rule, reason in run.notes.refusals] == [("status", "post_only")]


@pytest.mark.parametrize("seed", range(5))
def test_m18_after_changes_at_random_times_every_order_lies_on_the_grid_of_its_time(seed):
    drawn = random.Random(seed)
    market, now, terms = Market().snapshot(1, 995, 1005), 1, [(0, 1, 1, TRADING)]
    for _ in range(400):
        now += drawn.choice([1, 7, 40])
        tick, lot, state = terms[-1][1:]
        if drawn.random() < 0.1:
            tick, lot = drawn.choice([1, 2, 5, 10]), drawn.choice([1, 2, 3])
            change(market, now, tick, lot)
        elif drawn.random() < 0.1:
            state = drawn.choice([TRADING, TRADING, POST_ONLY, CANCEL_ONLY, HALTED, AUCTION])
            status(market, now, state)
        else:
            mid = 1000 + drawn.randint(-30, 30)
            market.snapshot(now, mid - drawn.randint(1, 9), mid + drawn.randint(1, 9), drawn.randint(1, 9))
        terms.append((now, tick, lot, state))

    def act(view, quotes):
        quotes.bid(view.best_bid_ticks(), drawn.randint(1, 9))
        quotes.offer(view.best_offer_ticks(), drawn.randint(1, 9))

    run = Run(market, Told(act, every=13, best=True)).until(now + 100)
    orders = [(at, command) for at, command in run.notes.commands if isinstance(command, NewOrder)]
    assert len(orders) > 50
    for at, command in orders:
        _, tick, lot, state = next(told for told in reversed(terms) if told[0] <= at)
        assert command.price_ticks % tick == 0
        assert command.quantity_lots % lot == 0
        assert state in (TRADING, POST_ONLY)
        assert command.side in (BUY, SELL)


def test_rows_of_both_kinds_are_the_ones_that_sinks_write():
    word = pack(INSTRUMENT_CHANGE, 0, 0, 0) | LAST_BIT
    market = change(Market(), 1, 5, 2)
    assert list(market.buffer.words[:6]) == [1, 1, 5, 2, 0, word]
