"""What the readings found, one case each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import Accepted, Fill, OrderUnknown, Rejected, RiskState
from quotewright.testing.rule_stage import SECOND, RuleStage
from tests.plugins.risk_reading.beside import rule_of, run
from tests.plugins.risk_reading.floor import Floor
from tests.plugins.risk_reading.markets import PriceMove
from tests.plugins.risk_reading.world import BUY, MS, SELL, START

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState


def floor_of(*named, layout=1, mids=(20_000, 40_000)):
    """Return a floor of rules, each a name and its keys, with both books shown."""
    floor = Floor([rule_of(name, keys) for name, keys in named], layout)
    for which, mid in enumerate(mids):
        floor.book(which, mid - 1, mid + 1)
    return floor


def sent(floor, side, lots, price=20_000, which=0, strategy="mm"):
    """Send an order and return its number."""
    assert floor.send(floor.order(which, strategy, side, price, lots))
    return floor.pipeline.manager.next_number - 1


def fill(floor, number, lots, fee=0):
    """Let the venue execute all of an order at its price."""
    floor.report(
        Fill, number, fill_id=f"of {number}", price_ticks=floor.world.orders[number].price, quantity_lots=lots,
        leaves_lots=0, is_maker=True, fee=fee * 10**18, fee_currency="USDT",
    )  # fmt: skip


def filled(floor, side, lots, price=20_000, which=0, strategy="mm", fee=0):
    """Send an order and have all of it filled."""
    fill(floor, sent(floor, side, lots, price, which, strategy), lots, fee)


class Clock(RiskRule):
    """Notes what time commands carry."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def verdict(self, command, view):
        self.seen.append(view.now_ns)

    def on_command(self, command, view):
        self.seen.append(view.now_ns)


def test_a_command_is_judged_and_counted_at_the_time_at_which_it_leaves():
    rule = Clock()
    floor = Floor([rule])
    floor.book(0, 19_999, 20_001)
    floor.go(START + SECOND)
    number = sent(floor, BUY, 1)
    floor.go(START + 2 * SECOND)
    floor.cancel(number)
    assert rule.seen == [START + SECOND, START + SECOND, START + 2 * SECOND]


def test_a_reference_of_the_very_age_is_none_any_more():
    stage = RuleStage(rule_of("price_collar", {"away": "1%", "max_age": "2s"}))
    stage.wait(2 * SECOND - 1)
    assert stage.place(BUY, 1, stage.mid) is not None
    stage.wait(1)
    assert stage.place(BUY, 1, stage.mid) is None


LOOKS = {
    "daily_loss": {"limit": "5 quote"},
    "strategy_loss": {"limit": "5 quote"},
    "drawdown": {"limit": "5 quote"},
    "equity_sanity": {"jump": "5 quote"},
    "position_value": {"limit": "410 quote", "side": "short"},
    "credit_limit": {"limit": "410 quote"},
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_turn_of_any_book_is_looked_at_at_once(name):
    floor = floor_of((name, {"every": "1h", **LOOKS[name]}))
    filled(floor, SELL, 1, 40_000, 1)
    floor.book(1, 49_999, 50_001)
    assert floor.state("mm", 1) == NORMAL
    floor.gap(1)
    assert floor.state("mm", 1) > WARNING


def test_a_halt_outlasts_every_freeze():
    keys = {"limit": 1, "freeze": "1s", "on_breach": "halt"}
    floor = floor_of(("reject_throttle", keys))
    floor.report(Rejected, sent(floor, BUY, 1), reason="venue")
    floor.go(START + 60 * SECOND)
    assert floor.state("mm", 0) == HALT
    floor.operate("resume")
    assert floor.state("mm", 0) == NORMAL


def test_a_halt_outlasts_closed_hours():
    floor = floor_of(
        ("restricted", {"instruments": ["*"], "opens": "12:01 UTC", "closes": "11:00 UTC", "on_breach": "halt"})
    )
    floor.go(START + 300 * SECOND)
    assert floor.state("mm", 0) == HALT


def test_a_halt_outlasts_the_silence_of_a_venue():
    floor = floor_of(("stale_private", {"max_age": "1s", "on_breach": "halt"}))
    number = sent(floor, BUY, 1)
    floor.go(START + 2 * SECOND)
    floor.report(Accepted, number)
    floor.go(START + 3 * SECOND)
    assert floor.state("mm", 0) == HALT


def test_an_order_whose_outcome_turns_unknown_waits_for_an_answer():
    floor = floor_of(("stale_private", {"max_age": "1s"}))
    number = sent(floor, BUY, 1)
    floor.report(Accepted, number)
    floor.report(OrderUnknown, number, reason="timeout")
    floor.go(START + SECOND - 100 * MS)
    assert floor.state("mm", 0) == NORMAL
    floor.go(START + SECOND)
    assert floor.state("mm", 0) == CANCEL_ALL


def test_a_limit_of_less_than_one_lot_is_exceeded_by_one():
    floor = floor_of(("position_limit", {"limit": "110 quote"}))
    filled(floor, BUY, 1)
    assert floor.state("mm", 0) == WARNING
    floor.book(0, 29_999, 30_001)
    floor.go(START + SECOND)
    assert floor.state("mm", 0) == REDUCE_ONLY


def test_readings_of_a_strategys_loss_that_are_close_are_one():
    floor = floor_of(("strategy_loss", {"limit": "5 quote", "confirm": 2, "every": "10s"}))
    filled(floor, BUY, 1)
    floor.book(0, 9_999, 10_001)
    for _ in range(4):
        floor.gap(0)
        floor.book(0, 9_999, 10_001)
    assert floor.state("mm", 0) == WARNING
    floor.go(START + 10 * SECOND)
    assert floor.state("mm", 0) == CANCEL_ALL


def test_a_market_order_that_is_being_amended_still_takes_any_price():
    floor = floor_of(("self_cross", {}))
    number = sent(floor, BUY, 2, 0)
    floor.report(Accepted, number)
    assert floor.send(floor.amendment(number, 19_000, 1))
    assert not floor.send(floor.order(0, "alt", SELL, 19_500, 1))


def test_market_orders_take_no_level():
    floor = floor_of(("max_open_orders", {"orders": 9, "levels": 1}))
    sent(floor, BUY, 1, 0)
    sent(floor, BUY, 1, 19_990)
    sent(floor, BUY, 1, 0)
    assert not floor.send(floor.order(0, "mm", BUY, 19_991, 1))


def test_a_side_counts_once_a_moment_even_if_the_other_came_between():
    rule = rule_of("one_sided_fills", {"false_alarms": "10%", "fills": 10, "on_breach": "halt"})
    floor = Floor([rule])
    floor.book(0, 19_999, 20_001)
    for side in (BUY, SELL, BUY):
        filled(floor, side, 1)
    needed = rule.threshold  # with these keys a fill raises its side's sum by 1
    for number in range(1, needed):
        floor.go(START + number * SECOND)
        filled(floor, BUY, 1)
    assert floor.state("mm", 0) < HALT
    floor.go(START + needed * SECOND)
    filled(floor, BUY, 1)
    assert floor.state("mm", 0) == HALT


ANEW = {
    "daily_loss": {"limit": "80 quote"},
    "session_loss": {"limit": "80 quote"},
    "rolling_loss": {"limit": "80 quote"},
    "drawdown": {"limit": "80 quote"},
}


@pytest.mark.parametrize("name", ANEW)
def test_a_resume_for_another_rule_counts_nothing_anew(name):
    floor = floor_of((name, {"warn_at": "50%", **ANEW[name]}))
    filled(floor, BUY, 1)
    floor.book(0, 10_999, 11_001)
    floor.go(START + SECOND)
    assert floor.state("mm", 0) == WARNING
    floor.operate("resume")
    floor.book(0, 3_999, 4_001)
    floor.go(START + 2 * SECOND)
    assert floor.state("mm", 0) == HALT
    assert floor.world.equity() == Decimal(-80)


def test_a_warning_that_the_operator_took_back_is_given_again_on_a_new_reading_of_its_instrument_only():
    assert run(PriceMove, 10072) > 0
