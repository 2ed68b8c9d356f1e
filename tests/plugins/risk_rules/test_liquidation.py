"""A position beyond its limit is brought back: one order at a time, reduce-only, capped in price (D-09)."""

from __future__ import annotations

import pytest

from quotewright.errors import ConfigError
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from quotewright_plugins.risk_rules.self_cross import SelfCross
from tests.framework.kernel.stage import Market, Run, Told
from tests.plugins.risk_rules.floor import BUY, ONE, PERP, PLAIN, SECOND, SELL, Floor, at_mid

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState


def beyond(position, *rules, **keys):
    rule = PositionLimit(limit="10 lots", liquidate=True, **keys)
    floor = at_mid(rule, *rules).hold(BUY if position > 0 else SELL, abs(position)).wake()
    return floor, rule


CASES = {  #                    position   keys                       side    lots   price
    "the excess of a long":    (13,        {},                        SELL,   3,     99),
    "the excess of a short":   (-13,       {},                        BUY,    3,     101),
    "a wider collar":          (13,        {"collar": "500 bps"},     SELL,   3,     95),
    "no more than a slice":    (30,        {"slice": "4 lots"},       SELL,   4,     99),
    "a slice by value":        (30,        {"slice": "250 USDT"},     SELL,   2,     99),
}  # fmt: skip


@pytest.mark.parametrize(("position", "keys", "side", "lots", "price"), CASES.values(), ids=CASES)
def test_what_is_beyond_the_limit_is_closed_within_the_collar(position, keys, side, lots, price):
    floor, rule = beyond(position, **keys)
    (order,) = floor.gate.actions(rule, floor.view)
    assert (order.side, order.quantity_lots, order.price_ticks) == (side, lots, price)
    assert (order.reduce_only, order.time_in_force) == (True, 1)
    assert floor.gate.verdict(order, floor.view) is None


def test_there_is_one_order_in_flight_and_the_next_one_waits():
    floor, rule = beyond(13, retry="2s")
    (order,) = floor.gate.actions(rule, floor.view)
    floor.send(order.side, 1, order.price_ticks, time_in_force=1, reduce_only=True)
    floor.manager.orders[floor.last].rule = rule.name
    assert floor.gate.actions(rule, floor.at(9 * SECOND).view) == [], "the first is in flight"
    floor.at(2 * SECOND).filled()
    assert floor.gate.actions(rule, floor.view) == [], "two seconds have not passed"
    (order,) = floor.gate.actions(rule, floor.at(3 * SECOND).view)
    assert order.quantity_lots == 2


NONE = {
    "at the limit": lambda floor: floor.hold(SELL, 3).wake(),
    "a book that is not good": lambda floor: floor.views[0].on_message(Market().gap(SECOND).buffer, 0, 1, SECOND),
    "a venue out of reach": lambda floor: setattr(floor.view, "is_reachable", False),
    "quotes that close it already": lambda floor: floor.send(SELL, 13, 101),
}


@pytest.mark.parametrize("happens", NONE.values(), ids=NONE)
def test_there_is_no_order_when_there_is_nothing_to_do_or_no_way_to_do_it(happens):
    floor, rule = beyond(13)
    happens(floor)
    assert floor.gate.actions(rule, floor.view) == []


def test_the_state_pulls_the_quotes_and_ends_at_the_limit():
    floor, _ = beyond(13)
    assert (floor.state, floor.ask(SELL, 13), floor.ask(BUY, 1)) == (CANCEL_ALL, "", "cancel_all")
    assert floor.hold(SELL, 3).wake().state == WARNING
    with pytest.raises(ConfigError, match="liquidate: does not go with a halt, in which no order leaves"):
        Floor(PositionLimit(limit="1 lots", liquidate=True, on_breach="halt"))


def test_one_instrument_may_be_stopped_alone():
    rule = PositionLimit(limit="10 lots", scope="instrument", on_breach="halt")
    floor = at_mid(rule, instruments=(PLAIN, PERP)).hold(BUY, 13).wake()
    assert (floor.state, floor.ask(SELL, 1), floor.ask(SELL, 1, which=1)) == (NORMAL, "halt", "")
    assert floor.hold(SELL, 13).wake().ask(SELL, 1) == "halt"
    floor.gate.release(0, "instrument:BTC-USDT.spot@test")
    assert floor.wake().ask(SELL, 1) == ""


def test_the_most_severe_of_several_instruments_holds():
    floor = at_mid(PositionLimit(limit="10 lots"), instruments=(PLAIN, PERP)).hold(BUY, 9).hold(BUY, 12, which=1)
    assert floor.wake().state == REDUCE_ONLY
    assert "BTC-USDT.perp@other: position 12 lots" in floor.gate.why()
    assert floor.hold(SELL, 12, which=1).wake().state == WARNING
    assert floor.hold(SELL, 9).wake().state == NORMAL


def test_in_a_run_the_quotes_go_and_the_excess_follows_in_slices():
    """The article sends a market order each cycle while the first is in flight; here each waits for the one before."""
    market = Market().snapshot(1, 99, 101)
    for number in range(1, 40):
        market.bid(number * 100_000_000, 98, number)
    rules = PositionLimit(limit="10 lots", liquidate=True, slice="4 lots", retry="1s"), SelfCross()
    run = Run(market, Told(lambda view, quotes: quotes.bid(view.best_bid_ticks(), 2), every=100_000_000), *rules)
    run.until(150_000_000)
    assert run.sent() == ["100000000 buy 2@99"]
    run.view.portfolio.book_fill(BUY, 100, 17, 0, "USDT", 0, True)
    run.until(4 * SECOND)
    orders = [command for command in run.sent() if "sell" in command]
    assert [command.partition(" ")[2] for command in orders] == ["sell 4@99", "sell 3@99"]
    times = [int(command.split()[0]) for command in orders]
    assert times[1] - times[0] >= SECOND
    assert run.view.position_lots == 10
    assert run.gate.state == WARNING


def test_late_fees_do_not_matter_to_a_position():
    floor, _ = beyond(13)
    floor.send(SELL, 13)
    assert floor.filled(fee=ONE).state == NORMAL


def test_releasing_one_instrument_leaves_the_halt_of_another():
    rule = PositionLimit(limit="10 lots", scope="instrument", on_breach="halt")
    floor = at_mid(rule, instruments=(PLAIN, PERP)).hold(BUY, 13).hold(BUY, 13, which=1).wake()
    floor.hold(SELL, 13).hold(SELL, 13, which=1)
    floor.gate.release(0, "instrument:BTC-USDT.spot@test")
    assert (floor.wake().ask(SELL, 1), floor.ask(SELL, 1, which=1)) == ("", "halt")
