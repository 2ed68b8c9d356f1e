"""Two planted liars of the books: each test passes for the real thing and fails for the liar beside it."""

from __future__ import annotations

import pytest

from quotewright.kernel.ladder import Ladder
from quotewright.kernel.orders import OrderManager
from quotewright.kernel.portfolio import Portfolio
from quotewright.kernel.view import View
from quotewright.model.orders import NewOrder
from quotewright.wiring import BindContext
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from tests.framework.kernel.stage import BUY, ONE, PLAIN, SELL, Market


class FeesAdded(Portfolio):
    """Adds fees to the profit instead of taking them off."""

    def equity_at(self, mid2):
        return super().equity_at(mid2) + 2 * self.fees_at(mid2)


def fees_are_taken_off(make):
    """Buy and sell one at 100 for a charge of 0.1 each: the profit is a loss of 0.2. A rebate earns as much."""
    charged, rebated = make(PLAIN), make(PLAIN)
    for side in (BUY, SELL):
        charged.book_fill(side, 100, 1, ONE // 10, "USDT", 200, True)
        rebated.book_fill(side, 100, 1, -ONE // 10, "USDT", 200, True)
    assert charged.equity_at(200) == -2 * ONE // 10
    assert rebated.equity_at(200) == 2 * ONE // 10


class InFlightForgotten(View):
    """Counts only its position and the order that is asked about: what is open, pending or unknown is left out."""

    def worst_case_lots(self, command):
        added = self.added_lots(command)
        return self.position_lots + (added if command.side == BUY else -added)


def orders_in_flight_count(make):
    """Send five orders of two lots before any is acknowledged: a limit of six lets three leave."""
    view = make(PLAIN, 0, Ladder())
    market = Market().snapshot(1, 99, 101)
    view.on_message(market.buffer, 0, market.buffer.count, 1)
    rule = PositionLimit(limit="6 lots")
    rule.bind(BindContext(name="position", where="risk.position", views=(view,)))
    manager = OrderManager()
    for number in range(1, 6):
        command = NewOrder(order_number=number, instrument=0, side=BUY, price_ticks=99, quantity_lots=2)
        if rule.verdict(command, view) is None:
            manager.register(command, view, 1, number)
    assert len(view.live) == 3
    assert view.open_buy_lots == 6


HONEST = {
    "fee sign": (fees_are_taken_off, Portfolio),
    "in-flight not counted": (orders_in_flight_count, View),
}
LIARS = {
    "fee sign": (fees_are_taken_off, FeesAdded),
    "in-flight not counted": (orders_in_flight_count, InFlightForgotten),
}


@pytest.mark.parametrize(("check", "make"), HONEST.values(), ids=HONEST)
def test_the_real_thing_passes(check, make):
    check(make)


@pytest.mark.parametrize(("check", "liar"), LIARS.values(), ids=LIARS)
def test_a_liar_is_caught(check, liar):
    with pytest.raises(AssertionError):
        check(liar)
