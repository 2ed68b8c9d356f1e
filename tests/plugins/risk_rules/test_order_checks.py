"""Rules that look at one order against what stands: duplicates, open orders, credit, value, self-cross, ramp."""

from __future__ import annotations

import random

import pytest

from quotewright.errors import ConfigError
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.credit_limit import CreditLimit
from quotewright_plugins.risk_rules.deployment_ramp import DeploymentRamp
from quotewright_plugins.risk_rules.duplicate_order import DuplicateOrder
from quotewright_plugins.risk_rules.max_open_orders import MaxOpenOrders
from quotewright_plugins.risk_rules.position_value import PositionValue
from quotewright_plugins.risk_rules.self_cross import SelfCross
from tests.framework.kernel.stage import PLAIN
from tests.plugins.risk_rules.floor import BUY, ETH, PERP, SECOND, SELL, Floor, at_mid

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState


# Duplicate order.


def test_the_same_order_again_is_refused_until_the_window_has_passed():
    floor = at_mid(DuplicateOrder(count=2, window="1s"))
    assert [floor.send(BUY, 1, 99) for _ in range(3)] == ["", "", "duplicate"]
    assert [floor.ask(BUY, 2, 99), floor.ask(BUY, 1, 98), floor.ask(SELL, 1, 99)] == ["", "", ""]
    assert floor.ask(BUY, 1, 99, strategy="another") == ""
    assert floor.at(2 * SECOND - 1).ask(BUY, 1, 99) == "duplicate"
    assert floor.at(2 * SECOND).ask(BUY, 1, 99) == ""


def test_an_order_counts_though_it_was_filled_and_amends_are_not_compared():
    floor = at_mid(DuplicateOrder(count=1))
    floor.send(SELL, 1, 101)
    floor.accepted().filled()
    assert floor.ask(SELL, 1, 101) == "duplicate"
    assert floor.ask(BUY, 1, 101) == "", "it only reduces"
    floor.send(SELL, 1, 102)
    assert floor.accepted().amend(floor.last, 101, 1) == ""
    floor.gate.release(SECOND)
    assert floor.ask(SELL, 1, 101) == ""


def test_what_was_sent_long_ago_is_forgotten(monkeypatch):
    monkeypatch.setattr("quotewright_plugins.risk_rules.duplicate_order.KEPT", 10)
    rule = DuplicateOrder()
    floor = at_mid(rule)
    for number in range(100):
        floor.at((number + 2) * SECOND).send(BUY, 1, 99 - number % 50)
    assert len(rule._sent) <= 10


# Open orders.

OPEN = {  #                 rule                                       orders that stand      one more       refused as
    "below":               (MaxOpenOrders(orders=3),                   [(BUY, 98), (SELL, 102)], (BUY, 97), ""),
    "one too many":        (MaxOpenOrders(orders=2),                   [(BUY, 98), (SELL, 102)], (BUY, 97), "orders"),
    "on one side":         (MaxOpenOrders(orders=9, per_side=1),       [(BUY, 98), (SELL, 102)], (BUY, 97), "per_side"),
    "the other side free": (MaxOpenOrders(orders=9, per_side=1),       [(BUY, 98)],           (SELL, 97), ""),
    "a second at a price": (MaxOpenOrders(orders=9, levels=1),         [(BUY, 98)],           (BUY, 98), ""),
    "a second price":      (MaxOpenOrders(orders=9, levels=1),         [(BUY, 98)],           (BUY, 97), "levels"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "standing", "more", "refused"), OPEN.values(), ids=OPEN)
def test_open_orders_are_held_to_their_number(rule, standing, more, refused):
    floor = at_mid(rule)
    for side, price in standing:
        assert floor.send(side, 1, price) == ""
    assert floor.ask(more[0], 1, more[1]) == refused


def test_an_order_counts_until_its_end_is_known():
    floor = at_mid(MaxOpenOrders(orders=1))
    floor.send(BUY, 1, 98)
    assert floor.ask(BUY, 1, 97) == "orders", "pending"
    floor.accepted()
    floor.cancel(1)
    assert floor.ask(BUY, 1, 97) == "orders", "being cancelled"
    floor.unknown()
    assert floor.ask(BUY, 1, 97) == "orders", "unknown"
    assert floor.cancelled().ask(BUY, 1, 97) == ""


def test_an_amended_order_moves_its_level_and_does_not_stand_at_two():
    floor = at_mid(MaxOpenOrders(orders=9, levels=2))
    for price in (98, 97):
        floor.send(BUY, 1, price)
        floor.accepted()
    assert floor.amend(1, 96, 1) == ""
    assert floor.amend(2, 95, 1) == "", "96 and 95 are two"
    assert floor.ask(BUY, 1, 98) == "levels"
    assert floor.ask(BUY, 1, 96) == ""


def test_open_orders_may_be_counted_over_all_instruments_and_warn():
    rule = MaxOpenOrders(orders=5, per="all")
    floor = at_mid(rule, instruments=(PLAIN, ETH))
    states = []
    for number in range(5):
        floor.send(BUY, 1, 98, which=number % 2)
        states.append(floor.wake().state)
    assert states == [NORMAL, NORMAL, NORMAL, WARNING, WARNING]
    assert floor.ask(BUY, 1, 98, which=1) == "orders"
    assert floor.cancelled(1).cancelled(2).wake().state == NORMAL


# Credit.


def test_credit_counts_the_larger_side_of_every_instrument_and_nets_nothing():
    floor = at_mid(CreditLimit(limit="1000 USDT"), instruments=(PLAIN, PERP))
    assert [floor.send(BUY, 4, 100), floor.send(SELL, 3, 101), floor.send(SELL, 6, 101, which=1)] == ["", "", ""]
    assert floor.ask(BUY, 1, 100) == "credit", "4 and 6 lots are in use at 100"
    assert floor.ask(SELL, 1, 101) == "", "selling 4 is no more than buying 4"
    assert floor.ask(SELL, 1, 101, which=1) == "credit"
    assert floor.cancelled(3).ask(BUY, 6, 100) == ""


def test_credit_may_be_a_share_of_capital_at_a_margin():
    floor = at_mid(CreditLimit(limit="50%", capital="1000 USDT", margin="10%"))
    assert (floor.ask(BUY, 50, 100), floor.ask(BUY, 51, 100)) == ("", "credit")
    with pytest.raises(ConfigError, match="needs the capital"):
        Floor(CreditLimit(limit="50%"))


def test_credit_warns_and_breaches_when_the_price_rises_and_ends_by_itself():
    floor = at_mid(CreditLimit(limit="1000 USDT")).hold(BUY, 8).wake()
    assert floor.state == WARNING
    assert floor.mid(2 * SECOND, 130).state == REDUCE_ONLY
    assert (floor.ask(SELL, 8), floor.ask(BUY, 1)) == ("", "reduce_only")
    assert floor.mid(3 * SECOND, 90).state == NORMAL


def test_what_cannot_be_valued_is_refused():
    floor = Floor(CreditLimit(limit="1000 USDT"), PositionValue(limit="1 USDT"), instruments=(PLAIN, ETH))
    floor.quote(SECOND, 99, 101).hold(BUY, 1, which=1)
    assert floor.gate.rules[0].verdict(floor._order(0, BUY, 1, 100, 0, "mm"), floor.view).reason == "no_price"
    both = Floor(PositionValue(limit="1000 USDT", per="all"), instruments=(PLAIN, ETH))
    both.quote(SECOND, 99, 101).hold(BUY, 1, which=1)
    assert both.ask(BUY, 1) == "no_price"


# Value of positions.

VALUES = {  #             rule                                                 positions    order           refused as
    "within":           (PositionValue(limit="500 USDT"),                      (0, 0, 0),  (0, BUY, 5),    ""),
    "beyond":           (PositionValue(limit="500 USDT"),                      (0, 0, 0),  (0, BUY, 6),    "value"),
    "beyond short":     (PositionValue(limit="500 USDT"),                      (0, 0, 0),  (0, SELL, 6),   "value"),
    "one by one":       (PositionValue(limit="500 USDT"),                      (0, 5, 5),  (0, BUY, 5),    ""),
    "an underlying":    (PositionValue(limit="500 USDT", per="underlying"),    (0, 3, 5),  (0, BUY, 3),    "value"),
    "hedged elsewhere": (PositionValue(limit="500 USDT", per="underlying"),    (0, -3, 9), (0, BUY, 8),    ""),
    "not hedged by ETH":  (PositionValue(limit="500 USDT", per="underlying"),    (0, 0, -9), (0, BUY, 6),    "value"),
    "everything":       (PositionValue(limit="500 USDT", per="all"),           (0, 3, 2),  (0, BUY, 1),    "value"),
    "only longs":       (PositionValue(limit="500 USDT", side="long"),         (0, 0, 0),  (0, SELL, 99),  ""),
    "only shorts":      (PositionValue(limit="500 USDT", side="short"),        (0, 0, 0),  (0, BUY, 99),   ""),
    "a short of shorts":  (PositionValue(limit="500 USDT", side="short"),        (0, 0, 0),  (0, SELL, 6),   "value"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "positions", "order", "refused"), VALUES.values(), ids=VALUES)
def test_positions_are_held_to_their_value(rule, positions, order, refused):
    floor = at_mid(rule, instruments=(PLAIN, PERP, ETH))
    for which, lots in enumerate(positions):
        if lots:
            floor.hold(BUY if lots > 0 else SELL, abs(lots), which=which)
    which, side, lots = order
    assert floor.ask(side, lots, which=which) == refused


def test_the_value_of_a_position_warns_breaches_with_the_price_and_comes_back():
    floor = at_mid(PositionValue(limit="1000 USDT", per="underlying"), instruments=(PLAIN, PERP))
    floor.hold(BUY, 5).hold(BUY, 3, which=1).wake()
    assert floor.state == WARNING
    assert floor.mid(2 * SECOND, 150).state == REDUCE_ONLY
    assert "BTC: position worth 1050, limit 1000" in floor.gate.why()
    assert (floor.ask(SELL, 5), floor.ask(BUY, 1)) == ("", "reduce_only")
    assert floor.hold(SELL, 4, which=1).wake().state == NORMAL


@pytest.mark.parametrize("seed", range(3))
def test_no_history_brings_the_worst_case_beyond_the_limits(seed):
    """Orders leave, fill, end in every order: what may still happen is never worth more than was allowed."""
    drawn = random.Random(seed)
    floor = at_mid(PositionValue(limit="700 USDT"), CreditLimit(limit="1200 USDT"), instruments=(PLAIN, PERP))
    refused = 0
    for _ in range(400):
        live = floor.manager.live_orders()
        choice = drawn.random()
        if choice < 0.5 or not live:
            which = drawn.randrange(2)
            refused += floor.send(drawn.choice([BUY, SELL]), drawn.randint(1, 4), 100, which=which) != ""
        elif choice < 0.8:
            order = drawn.choice(live)
            floor.filled(order.number, drawn.randint(1, order.open_lots()))
        else:
            floor.cancelled(drawn.choice(live).number)
        for view in floor.views:
            assert view.position_lots + view.open_buy_lots <= 7
            assert view.position_lots - view.open_sell_lots >= -7
        used = sum(
            max(abs(view.position_lots + view.open_buy_lots), abs(view.position_lots - view.open_sell_lots))
            for view in floor.views
        )
        assert used <= 12
    assert refused > 20


# Self-cross.

CROSSES = {  #                  own order       order             refused
    "below an own offer":  ((SELL, 102), (BUY, 101),     ""),
    "locks an own offer":  ((SELL, 102), (BUY, 102),     "self_cross"),
    "through an own offer":  ((SELL, 102), (BUY, 105),     "self_cross"),
    "above an own bid":    ((BUY, 98),   (SELL, 99),     ""),
    "locks an own bid":    ((BUY, 98),   (SELL, 98),     "self_cross"),
    "at market":           ((SELL, 150), (BUY, 0),       "self_cross"),
    "the same side":       ((BUY, 98),   (BUY, 99),      ""),
}  # fmt: skip


@pytest.mark.parametrize(("own", "order", "refused"), CROSSES.values(), ids=CROSSES)
def test_own_orders_neither_cross_nor_lock(own, order, refused):
    floor = at_mid(SelfCross())
    assert floor.send(own[0], 1, own[1], strategy="one") == ""
    assert floor.ask(order[0], 1, order[1], strategy="two") == refused


def test_self_cross_holds_for_reducing_orders_until_the_other_order_is_known_to_be_gone():
    floor = at_mid(SelfCross()).hold(SELL, 5)
    floor.send(SELL, 1, 102)
    floor.accepted()
    floor.cancel(1)
    assert floor.ask(BUY, 1, 102) == "self_cross"
    assert floor.cancelled().ask(BUY, 1, 102) == ""


def test_an_order_that_is_being_amended_stands_at_both_its_prices():
    floor = at_mid(SelfCross())
    floor.send(SELL, 1, 105)
    floor.accepted()
    floor.amend(1, 102, 1)
    assert [floor.ask(BUY, 1, price) for price in (101, 102, 105)] == ["", "self_cross", "self_cross"]
    floor.amended(1, 102, 1)
    floor.send(BUY, 1, 98)
    floor.accepted()
    assert (floor.amend(2, 102, 1), floor.amend(2, 101, 1)) == ("self_cross", "")


# Deployment.


def test_a_new_deployment_starts_small_and_grows():
    floor = at_mid(DeploymentRamp(period="100s", size="1 BTC", full_size="11 BTC")).at(1000 * SECOND)
    assert (floor.ask(BUY, 1), floor.ask(BUY, 2)) == ("", "size")
    assert (floor.at(1050 * SECOND).ask(BUY, 6), floor.ask(BUY, 7)) == ("", "size")
    assert floor.at(1100 * SECOND - 1).ask(BUY, 99) == "size"
    assert floor.at(1100 * SECOND).ask(BUY, 99) == ""


def test_a_new_deployment_is_held_in_position_pace_and_instruments():
    floor = at_mid(
        DeploymentRamp(position="5 lots", orders=2, orders_window="10s", instruments=1), instruments=(PLAIN, PERP)
    )
    assert (floor.ask(BUY, 6), floor.ask(BUY, 5)) == ("position", "")
    assert [floor.send(BUY, 1), floor.send(BUY, 1), floor.send(BUY, 1)] == ["", "", "orders"]
    assert floor.at(12 * SECOND).ask(BUY, 1, which=1) == "instruments"
    assert floor.ask(BUY, 1) == ""
    floor.filled(2)
    assert floor.ask(SELL, 1) == "", "it only reduces"
    with pytest.raises(ConfigError, match="full_size says what size grows to; size is missing"):
        Floor(DeploymentRamp(full_size="1 BTC"))


def test_a_market_order_in_flight_crosses_everything():
    floor = at_mid(SelfCross())
    assert floor.send(SELL, 1, 0, time_in_force=1) == ""
    assert floor.ask(BUY, 1, 50) == "self_cross"


@pytest.mark.parametrize(("side", "held", "state"), [("long", SELL, NORMAL), ("long", BUY, WARNING)])
def test_a_limit_of_one_side_is_warned_of_on_that_side_only(side, held, state):
    assert at_mid(PositionValue(limit="1000 USDT", side=side)).hold(held, 9).wake().state == state
    other = "short" if side == "long" else "long"
    assert at_mid(PositionValue(limit="1000 USDT", side=other)).hold(held, 9).wake().state == WARNING - state


def test_values_and_credit_may_be_held_for_each_venue():
    """BTC and ETH are traded at one venue, the perpetual at another."""
    rules = PositionValue(limit="500 USDT", per="venue"), CreditLimit(limit="800 USDT", per="venue")
    floor = at_mid(*rules, instruments=(PLAIN, ETH, PERP)).hold(BUY, 3).hold(BUY, 9, which=2)
    assert [floor.ask(BUY, lots, which=1) for lots in (2, 3)] == ["", "value"]
    floor = at_mid(rules[1], instruments=(PLAIN, ETH, PERP)).hold(SELL, 6).hold(BUY, 3, which=2)
    assert [floor.ask(BUY, lots, which=1) for lots in (2, 3)] == ["", "credit"]
    assert floor.ask(BUY, 5, which=2) == ""
    assert floor.wake().state == NORMAL
    assert floor.hold(BUY, 1, which=1).wake().state == WARNING
