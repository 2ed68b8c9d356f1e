"""Rules that stop a strategy, an instrument, a venue or everything, and rules on messages, hours and references."""

from __future__ import annotations

import pytest

from quotewright.errors import ConfigError
from quotewright.kernel.codes import BEST_QUOTE, INDEX, MARK, TRADE
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.fill_rate import FillRate
from quotewright_plugins.risk_rules.kill_switch import KillSwitch
from quotewright_plugins.risk_rules.market_maker_protection import MarketMakerProtection
from quotewright_plugins.risk_rules.message_limit import MessageLimit
from quotewright_plugins.risk_rules.price_collar import PriceCollar
from quotewright_plugins.risk_rules.price_move import PriceMove
from quotewright_plugins.risk_rules.price_shock import PriceShock
from quotewright_plugins.risk_rules.reduce_near_limit import ReduceNearLimit
from quotewright_plugins.risk_rules.reject_throttle import RejectThrottle
from quotewright_plugins.risk_rules.repeated_execution import RepeatedExecution
from quotewright_plugins.risk_rules.restricted import DAY_NS, Restricted
from quotewright_plugins.risk_rules.self_trade_prevention import SelfTradePrevention
from quotewright_plugins.risk_rules.stale_book import StaleBook
from quotewright_plugins.risk_rules.stale_private import StalePrivate
from quotewright_plugins.risk_rules.strategy_loss import StrategyLoss
from quotewright_plugins.risk_rules.stream_disagreement import StreamDisagreement
from tests.framework.kernel.stage import PLAIN
from tests.plugins.risk_rules.floor import BUY, ETH, ONE, PERP, SECOND, SELL, Floor, at_mid

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState
SPOT, OTHER = "instrument:BTC-USDT.spot@test", "instrument:BTC-USDT.perp@other"


# Messages.


def test_orders_stop_at_the_reserve_and_cancels_go_on():
    floor = at_mid(MessageLimit(limit=10, window="1s", reserve="20%"))
    sent = [floor.send(BUY, 1, 90 - number) for number in range(9)]
    assert sent == [""] * 8 + ["messages"]
    for number in range(1, 9):
        floor.accepted(number)
        floor.cancel(number)
    assert floor.ask(BUY, 1) == "messages"
    assert floor.at(2 * SECOND - 1).ask(BUY, 1) == "messages"
    assert floor.at(2 * SECOND).ask(BUY, 1) == ""


def test_cancels_and_amends_count_and_reducing_orders_pass():
    floor = at_mid(MessageLimit(limit=4, reserve="0%")).hold(BUY, 5)
    floor.send(BUY, 1, 98)
    floor.accepted()
    assert floor.amend(1, 97, 1) == ""
    floor.amended(1, 97, 1)
    floor.cancel(1)
    floor.send(BUY, 1, 96)
    assert (floor.ask(BUY, 1), floor.amend(2, 95, 1), floor.ask(SELL, 1)) == ("messages", "messages", "")


def test_a_burst_is_a_limit_of_its_own_and_the_warning_goes_when_the_window_empties():
    floor = at_mid(MessageLimit(limit=20, reserve="50%", burst=4, burst_window="100ms", warn_at="40%"))
    assert [floor.send(BUY, 1, 98) for _ in range(3)] == ["", "", "burst"]
    floor.at(SECOND + 100_000_000)
    assert [floor.send(BUY, 1, 97) for _ in range(3)] == ["", "", "burst"]
    assert floor.state == WARNING, "four of the ten that orders may use"
    assert floor.wake(2 * SECOND + 100_000_000).state == NORMAL


def test_messages_are_counted_for_each_venue_strategy_or_together():
    for per, refused in {"venue": ("messages", ""), "strategy": ("", "messages"), "all": ("messages",) * 2}.items():
        floor = at_mid(MessageLimit(limit=1, reserve="0%", per=per), instruments=(PLAIN, PERP))
        floor.send(BUY, 1, 98, strategy="one")
        asked = floor.ask(BUY, 1, 98, strategy="two"), floor.ask(BUY, 1, 98, which=1, strategy="one")
        assert asked == refused, per


def test_a_reserve_that_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match="20% of the limit leaves no message for orders"):
        Floor(MessageLimit(limit=1))


# Repeated executions.


def test_a_strategy_that_is_executed_too_often_is_stopped_alone_until_enabled():
    rule = RepeatedExecution(limit=5, window="10s")
    floor = at_mid(rule)
    states = []
    for _ in range(5):
        floor.trade(BUY, 1, strategy="one")
        states.append(floor.of("strategy:one"))
    assert states == [NORMAL, NORMAL, NORMAL, WARNING, CANCEL_ALL]
    assert (floor.ask(BUY, 1, strategy="one"), floor.ask(BUY, 1, strategy="two")) == ("cancel_all", "")
    assert floor.ask(SELL, 5, strategy="one") == "", "it only reduces"
    assert floor.wake(10**6 * SECOND).of("strategy:one") == CANCEL_ALL
    floor.gate.release(0, "strategy:two")
    assert floor.of("strategy:one") == CANCEL_ALL
    floor.gate.release(0, "strategy:one")
    assert floor.of("strategy:one") == NORMAL
    floor.quote(10**6 * SECOND, 99, 101)
    assert floor.trade(SELL, 1, strategy="one").of("strategy:one") == NORMAL, "counted anew"


def test_executions_spread_over_time_do_not_count_and_a_warning_ends():
    floor = at_mid(RepeatedExecution(limit=2, window="10s", warn_at="50%"))
    for number in range(5):
        floor.quote((10 * number + 1) * SECOND, 99, 101).trade(BUY, 1)
        assert floor.of("strategy:mm") == WARNING
    assert floor.wake(51 * SECOND).of("strategy:mm") == NORMAL


def test_orders_may_be_counted_instead_of_executions():
    floor = at_mid(RepeatedExecution(limit=2, counts="orders", scope="instrument", on_breach="halt"))
    floor.send(BUY, 1)
    assert floor.send(BUY, 1, strategy="two") == ""
    assert (floor.of(SPOT), floor.ask(SELL, 1)) == (HALT, "halt")


# Rejects.


def test_rejects_stop_their_strategy_for_a_while():
    floor = at_mid(RejectThrottle(limit=3, window="10s", freeze="1m"))
    for reason in ("price_band", "post_only", "post_only", "tick"):
        floor.send(BUY, 1, strategy="one")
        floor.rejected(reason=reason)
    assert floor.of("strategy:one") == NORMAL, "two of them count"
    floor.send(BUY, 1, strategy="two")
    floor.rejected(reason="tick")
    floor.send(BUY, 1, strategy="one")
    floor.rejected(reason="tick")
    assert (floor.of("strategy:one"), floor.of("strategy:two")) == (CANCEL_ALL, NORMAL)
    assert "3 rejects within 10s, limit 3; the last for tick" in floor.gate.scoped["strategy:one"].why
    assert floor.wake(61 * SECOND - 1).of("strategy:one") == CANCEL_ALL
    assert floor.wake(61 * SECOND).of("strategy:one") == NORMAL


def test_a_freeze_of_nothing_waits_for_the_operator():
    floor = at_mid(RejectThrottle(limit=1, scope="all"))
    floor.send(BUY, 1)
    floor.rejected()
    assert floor.wake(10**6 * SECOND).state == CANCEL_ALL
    floor.gate.release(0)
    assert floor.wake().state == NORMAL


# Kill switch.

SCOPES = {  #        stopped             the strategy, another one there, the strategy elsewhere
    "strategy":     ("strategy:one",     ("halt", "", "halt")),
    "instrument":   (SPOT,               ("halt", "halt", "")),
    "venue":        ("venue:test",       ("halt", "halt", "")),
    "all":          ("",                 ("halt", "halt", "halt")),
}  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
def test_the_kill_switch_has_four_levels(scope):
    stopped, asked = SCOPES[scope]
    floor = at_mid(KillSwitch(rejects=2, scope=scope), instruments=(PLAIN, PERP))
    for _ in range(2):
        floor.send(BUY, 1, strategy="one")
        floor.rejected()
    assert (floor.of(stopped) if stopped else floor.state) == HALT
    told = floor.ask(BUY, 1, strategy="one"), floor.ask(BUY, 1, strategy="two"), floor.ask(BUY, 1, 100, 1, "one")
    assert told == asked
    assert floor.cancel(floor.last) == "" if floor.manager.live_orders() else True
    floor.wake(10**6 * SECOND)
    assert (floor.of(stopped) if stopped else floor.state) == HALT
    floor.gate.release(0, stopped)
    assert (floor.of(stopped) if stopped else floor.state) == NORMAL
    floor.quote(10**6 * SECOND, 99, 101).send(BUY, 1, strategy="one")
    floor.rejected()
    assert (floor.of(stopped) if stopped else floor.state) == NORMAL, "counted anew"


def test_orders_of_unknown_outcome_can_pull_the_switch():
    floor = at_mid(KillSwitch(unknown=2))
    for state in (NORMAL, HALT):
        floor.send(BUY, 1)
        assert floor.unknown().state == state


def test_flatten_closes_every_position_and_then_halts():
    rule = KillSwitch(rejects=1, flatten=True, collar="200 bps")
    floor = at_mid(rule, instruments=(PLAIN, PERP)).hold(BUY, 3).hold(SELL, 2, which=1)
    floor.send(BUY, 1)
    floor.rejected()
    assert floor.state == CANCEL_ALL
    (sell,), (buy,) = floor.gate.actions(rule, floor.views[0]), floor.gate.actions(rule, floor.views[1])
    assert (sell.side, sell.quantity_lots, sell.price_ticks) == (SELL, 3, 98)
    assert (buy.side, buy.quantity_lots, buy.price_ticks) == (BUY, 2, 102)
    assert floor.gate.actions(rule, floor.view) == [], "not twice at one moment"
    assert floor.hold(SELL, 3).wake().state == CANCEL_ALL
    assert floor.hold(BUY, 2, which=1).wake().state == HALT
    with pytest.raises(ConfigError, match="flatten: should go with scope all, venue or instrument"):
        Floor(KillSwitch(flatten=True, scope="strategy"))


# Loss of a strategy.


def test_a_losing_strategy_is_stopped_and_another_goes_on():
    floor = at_mid(StrategyLoss(limit="100 USDT"), instruments=(PLAIN, PERP))
    floor.trade(BUY, 10, strategy="one").trade(SELL, 10, strategy="two").trade(BUY, 2, which=1, strategy="one")
    states = []
    for at, mid in [(2, 93), (3, 92), (4, 90), (5, 100)]:
        floor.mid(at * SECOND, mid)
        states.append((floor.of("strategy:one"), floor.of("strategy:two")))
    assert states == [(NORMAL, NORMAL), (WARNING, NORMAL), (CANCEL_ALL, NORMAL), (CANCEL_ALL, NORMAL)]
    assert (floor.ask(BUY, 1, strategy="one"), floor.ask(BUY, 1, strategy="two")) == ("cancel_all", "")
    floor.gate.release(0, "strategy:one")
    floor.mid(6 * SECOND, 91)
    assert floor.of("strategy:one") == NORMAL, "counted from the 100 at the release, read at the next wake-up"
    assert floor.mid(7 * SECOND, 81).of("strategy:one") == CANCEL_ALL


def test_a_strategys_loss_holds_fees_and_asks_for_confirmation():
    floor = at_mid(StrategyLoss(limit="10%", capital="1000 USDT", confirm=2))
    floor.send(BUY, 1)
    floor.filled(fee=99 * ONE)
    assert floor.wake().of("strategy:mm") == WARNING
    states = [floor.mid(at * SECOND, mid).of("strategy:mm") for at, mid in [(2, 98), (3, 101), (4, 98), (5, 98)]]
    assert states == [WARNING, WARNING, WARNING, CANCEL_ALL]


# Market-maker protection.

PROTECTIONS = {  #    limits                            fills as (side, lots)                       the one that trips
    "count":         ({"fills": 3},                     [(BUY, 1), (SELL, 1), (BUY, 1)],            2),
    "quantity":      ({"quantity": "5 BTC"},            [(BUY, 2), (SELL, 2), (BUY, 1)],            2),
    "lots":          ({"quantity": "5 lots"},           [(BUY, 2), (SELL, 2), (BUY, 1)],            2),
    "net, balanced": ({"delta": "3 BTC"},               [(BUY, 2), (SELL, 2), (BUY, 2), (SELL, 2)], None),
    "net":           ({"delta": "3 BTC"},               [(SELL, 2), (SELL, 1)],                     1),
    "value":         ({"value": "500 USDT"},            [(BUY, 4), (SELL, 1)],                      1),
}  # fmt: skip


@pytest.mark.parametrize(("limits", "fills", "trips"), PROTECTIONS.values(), ids=PROTECTIONS)
def test_quotes_are_pulled_when_too_much_was_taken_at_once(limits, fills, trips):
    floor = at_mid(MarketMakerProtection(window="5s", freeze="10s", **limits))
    for number, (side, lots) in enumerate(fills):
        floor.trade(side, lots)
        assert floor.of(SPOT) == (CANCEL_ALL if number == trips else NORMAL)
    if trips is not None:
        assert floor.wake(11 * SECOND - 1).of(SPOT) == CANCEL_ALL
        assert floor.wake(11 * SECOND).of(SPOT) == NORMAL


def test_fills_that_are_spread_out_do_not_trip_it_and_a_freeze_of_nothing_stays():
    floor = at_mid(MarketMakerProtection(window="5s", fills=2))
    for number in range(4):
        floor.at((1 + 5 * number) * SECOND).trade(BUY, 1)
    assert floor.of(SPOT) == NORMAL
    floor.trade(BUY, 1)
    assert floor.wake(10**6 * SECOND).of(SPOT) == CANCEL_ALL
    floor.gate.release(0)
    assert floor.trade(SELL, 1).of(SPOT) == NORMAL


def test_an_underlying_is_frozen_wherever_it_is_quoted():
    floor = at_mid(MarketMakerProtection(quantity="3 BTC", group="underlying"), instruments=(PLAIN, PERP, ETH))
    floor.trade(BUY, 2).trade(BUY, 9, which=2)
    assert floor.gate.scoped == {}
    floor.trade(SELL, 1, which=1)
    assert sorted(floor.gate.scoped) == [OTHER, SPOT]
    floor.gate.release(0, SPOT)
    assert floor.trade(BUY, 2).of(SPOT) == NORMAL, "counted anew"
    with pytest.raises(ConfigError, match="should limit fills, quantity, delta or value; none is given"):
        Floor(MarketMakerProtection())
    with pytest.raises(ConfigError, match=r"quantity: should be a quantity such as '0.5 BTC' or '5 lots', was 5 USDT"):
        Floor(MarketMakerProtection(quantity="5 USDT"))


# Fill rate.


def test_a_fill_rate_warns_stops_for_its_cooldown_and_comes_back():
    floor = at_mid(FillRate(limit=5, window="10s", cooldown="30s"))
    states = []
    for _ in range(5):
        floor.trade(BUY, 1)
        states.append(floor.of(SPOT))
    assert states == [NORMAL, NORMAL, NORMAL, WARNING, CANCEL_ALL]
    assert floor.wake(31 * SECOND - 1).of(SPOT) == CANCEL_ALL
    assert floor.wake(31 * SECOND).of(SPOT) == NORMAL


def test_a_fill_rate_far_above_the_usual_one_stops_and_a_steady_one_never():
    floor = at_mid(FillRate(times=5.0, window="10s", baseline="100s", least=5))
    for number in range(100):
        floor.at((1 + 2 * number) * SECOND).trade(BUY, 1)
    assert floor.of(SPOT) == NORMAL, "five in each ten seconds, always"
    for _ in range(19):
        floor.trade(BUY, 1)
    assert floor.of(SPOT) == NORMAL
    floor.trade(BUY, 1)
    assert floor.of(SPOT) == CANCEL_ALL
    with pytest.raises(ConfigError, match="should state limit or times"):
        Floor(FillRate())


# Private stream.


def test_an_unanswered_command_stops_the_venue_until_it_is_answered():
    floor = at_mid(StalePrivate(max_age="5s"), instruments=(PLAIN, PERP)).hold(BUY, 5)
    floor.send(BUY, 1, 98)
    assert floor.wake(6 * SECOND - 1).of("venue:test") == NORMAL
    assert floor.wake(6 * SECOND).of("venue:test") == CANCEL_ALL
    rule = floor.gate.rules[0]
    refused = rule.verdict(floor._order(0, SELL, 1, 100, 0, "mm"), floor.view)
    assert refused.text == "BTC-USDT.spot@test: order 1 not answered for 5.000 s, limit 5s"
    assert rule.verdict(floor._order(0, SELL, 1, 100, 1, "mm"), floor.views[1]) is None
    assert floor.unknown().wake().of("venue:test") == CANCEL_ALL, "an unknown outcome is no answer"
    assert floor.accepted().wake().of("venue:test") == NORMAL
    floor.cancel(1)
    assert floor.wake(12 * SECOND).of("venue:test") == CANCEL_ALL
    assert floor.cancelled().wake().of("venue:test") == NORMAL


def test_a_venue_that_cannot_be_reached_is_not_traded_at():
    floor = at_mid(StalePrivate(), instruments=(PLAIN, PERP))
    floor.view.is_reachable = False
    assert floor.wake().of("venue:test") == CANCEL_ALL
    assert (floor.ask(BUY, 1), floor.ask(BUY, 1, which=1)) == ("cancel_all", "")
    floor.view.is_reachable = True
    assert floor.wake().of("venue:test") == NORMAL


# Self-trades.


def test_orders_ended_by_prevention_stop_and_a_self_trade_stops_at_once():
    floor = at_mid(SelfTradePrevention(limit=2, window="10s", freeze="1m"))
    for state in (NORMAL, CANCEL_ALL):
        floor.send(BUY, 1)
        floor.cancelled(reason="user")
        floor.send(BUY, 1)
        assert floor.cancelled(reason="stp").of(SPOT) == state
    assert floor.wake(61 * SECOND).of(SPOT) == NORMAL
    floor.trade(BUY, 1)
    floor.send(SELL, 2)
    floor.filled(lots=1, fill_id="x")
    assert floor.filled(lots=1, fill_id="y").of(SPOT) == NORMAL
    floor.send(BUY, 1)
    assert floor.filled(fill_id="y").of(SPOT) == CANCEL_ALL
    assert "execution y filled orders 6 and 7, both ours" in floor.gate.scoped[SPOT].why


# What, where and when.

LISTS = {  #                rule                                                         refused
    "an empty list":       (Restricted(),                                                "not_allowed"),
    "the instrument":      (Restricted(instruments=("BTC-USDT.spot@test",)),             ""),
    "a pattern":           (Restricted(instruments=("ETH-*", "*@test")),                 ""),
    "another instrument":  (Restricted(instruments=("ETH-*",)),                          "not_allowed"),
    "the venue":           (Restricted(instruments=("*",), venues=("test",)),            ""),
    "another venue":       (Restricted(instruments=("*",), venues=("other",)),           "not_allowed"),
    "another strategy":    (Restricted(instruments=("*",), strategies=("one", "two")),   "not_allowed"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "refused"), LISTS.values(), ids=LISTS)
def test_only_what_is_on_the_lists_is_traded(rule, refused):
    floor = at_mid(rule).hold(BUY, 2)
    assert (floor.ask(BUY, 1), floor.ask(SELL, 2)) == (refused, "")


HOURS = {  #                 opens         closes        days             at             open
    "in hours":             ("08:00 UTC",  "16:00 UTC",  (),              "thu 08:00",   True),
    "before":               ("08:00 UTC",  "16:00 UTC",  (),              "thu 07:59",   False),
    "at the end":           ("08:00 UTC",  "16:00 UTC",  (),              "thu 16:00",   False),
    "over midnight, late":  ("22:00 UTC",  "02:00 UTC",  (),              "thu 23:00",   True),
    "over midnight, early": ("22:00 UTC",  "02:00 UTC",  (),              "fri 01:59",   True),
    "over midnight, out":   ("22:00 UTC",  "02:00 UTC",  (),              "fri 12:00",   False),
    "on a day":             (None,         None,         ("thu", "fri"),  "fri 23:59",   True),
    "on another":           (None,         None,         ("thu", "fri"),  "sat 00:00",   False),
}  # fmt: skip


@pytest.mark.parametrize(("opens", "closes", "days", "at", "is_open"), HOURS.values(), ids=HOURS)
def test_out_of_hours_nothing_is_quoted(opens, closes, days, at, is_open):
    day, time = at.split()
    hours, minutes = time.split(":")
    now = ("thu", "fri", "sat").index(day) * DAY_NS + (int(hours) * 60 + int(minutes)) * 60 * SECOND
    floor = at_mid(Restricted(instruments=("*",), opens=opens, closes=closes, days=days))
    assert floor.quote(now, 99, 101).ask(BUY, 1) == ("" if is_open else "hours")
    assert floor.wake().state == (NORMAL if is_open else CANCEL_ALL)


def test_hours_must_make_sense():
    for keys, text in [
        ({"opens": "08:00 UTC"}, "opens and closes go together"),
        ({"opens": "08:00 UTC", "closes": "08:00 UTC"}, "leaves no hours"),
        ({"days": ("monday",)}, "should be some of mon, tue, wed, thu, fri, sat, sun, was 'monday'"),
    ]:
        with pytest.raises(ConfigError, match=text):
            Floor(Restricted(**keys))


# Reference prices.


def test_a_move_of_the_mark_stops_for_its_cooldown():
    floor = at_mid(PriceMove(move="100 bps", window="10s", cooldown="30s"))
    assert floor.ask(BUY, 1) == "no_reference"
    states = []
    for at, mark in [(1, 10_000), (5, 10_070), (9, 10_080), (10, 10_100), (12, 10_000), (40, 10_000)]:
        states.append(floor.show(at * SECOND, MARK, mark).wake().state)
    assert states == [NORMAL, NORMAL, WARNING, CANCEL_ALL, CANCEL_ALL, NORMAL]
    assert floor.ask(BUY, 1) == ""
    assert floor.show(45 * SECOND, MARK, 9_899).wake().state == CANCEL_ALL, "down counts too"


@pytest.mark.parametrize(("reference", "kind"), {"index": INDEX, "last": TRADE}.items())
def test_other_references_and_one_instrument_alone(reference, kind):
    floor = at_mid(PriceMove(move="1%", reference=reference, scope="instrument"), instruments=(PLAIN, PERP))
    for which, prices in enumerate([(1000, 1010), (1000, 1009)]):
        for at, price in enumerate(prices):
            floor.show((2 + at) * SECOND, kind, price, which).wake()
    assert (floor.of(SPOT), floor.of(OTHER)) == (CANCEL_ALL, WARNING)
    assert floor.wake(40 * SECOND).of(SPOT) == NORMAL


def test_a_slow_drift_of_the_reference_is_no_move():
    floor = at_mid(PriceMove(move="2%", window="30s", reference="mid"))
    for number in range(0, 36_001, 150):
        assert floor.mid((number + 2) * SECOND, 1_000_000 - 30_000 * number // 36_000).state == NORMAL


def test_a_collar_may_take_the_mark_the_index_or_the_last_trade():
    for reference, kind, scale in [("mark", MARK, 10**9), ("index", INDEX, 10**9), ("last", TRADE, 1)]:
        floor = at_mid(PriceCollar(away="10%", reference=reference, max_age="5s"))
        assert floor.ask(BUY, 1) == "no_reference"
        floor.show(2 * SECOND, kind, 200 * scale).wake()
        asked = [floor.ask(BUY, 1, price) for price in (179, 180, 220, 221)]
        assert asked == ["price", "", "", "price"], reference
        assert floor.quote(7 * SECOND - 1, 99, 101).ask(BUY, 1, 200) == ""
        assert floor.at(7 * SECOND).ask(BUY, 1, 200) == "old_reference"


# Near the limit.


def test_near_the_limit_only_reducing_orders_pass_until_it_is_well_below():
    floor = at_mid(ReduceNearLimit(limit="10 lots"), instruments=(PLAIN, PERP))
    states = []
    for side, lots in [(BUY, 8), (BUY, 1), (SELL, 1), (SELL, 1)]:
        states.append(floor.trade(side, lots).of(SPOT))
    assert states == [NORMAL, REDUCE_ONLY, REDUCE_ONLY, NORMAL]
    floor.trade(BUY, 2)
    assert (floor.ask(BUY, 1), floor.ask(SELL, 9), floor.ask(BUY, 1, which=1)) == ("reduce_only", "", "")
    with pytest.raises(ConfigError, match="until: should be at most soft, 90%, was 95%"):
        Floor(ReduceNearLimit(limit="1 lots", until="95%"))


def test_a_market_that_shocks_is_silent_or_quarrels_may_be_stopped_alone():
    for rule in (
        PriceShock(move="5%", scope="instrument"),
        StaleBook(max_age="2s", scope="instrument"),
        StreamDisagreement(on_breach="cancel_all", lasting="1s", scope="instrument"),
    ):
        floor = at_mid(rule, instruments=(PLAIN, PERP)).wake()
        for at in (2, 3, 4):
            floor.mid(at * SECOND, 100, which=1)
            if isinstance(rule, PriceShock):
                floor.mid(at * SECOND, 110)
            elif isinstance(rule, StreamDisagreement):
                floor.mid(at * SECOND, 100).show(at * SECOND, BEST_QUOTE, 90).wake()
        assert (floor.of(SPOT), floor.of(OTHER), floor.state) == (CANCEL_ALL, NORMAL, NORMAL), rule
        floor.gate.release(4 * SECOND, SPOT)
        assert floor.of(SPOT) == NORMAL
        floor.mid(5 * SECOND, 90 if isinstance(rule, StreamDisagreement) else 110)
        assert floor.of(SPOT) == NORMAL


def test_what_was_taken_exactly_one_window_ago_has_left():
    floor = at_mid(MarketMakerProtection(window="5s", quantity="3 lots", delta="9 lots"))
    floor.trade(BUY, 2).at(6 * SECOND).trade(SELL, 2)
    assert floor.of(SPOT) == NORMAL
    assert floor.at(11 * SECOND - 1).trade(BUY, 1).of(SPOT) == CANCEL_ALL


def test_fills_of_another_underlying_are_no_part_of_a_delta():
    floor = at_mid(MarketMakerProtection(delta="3 BTC", group="all"), instruments=(PLAIN, ETH))
    assert floor.trade(BUY, 9, which=1).trade(BUY, 2).state == NORMAL
    assert floor.trade(BUY, 1).state == CANCEL_ALL


def test_a_burst_of_one_message_can_be_kept():
    floor = at_mid(MessageLimit(limit=10, reserve="0%", burst=1))
    assert [floor.send(BUY, 1, 98), floor.send(BUY, 1, 97)] == ["", "burst"]
    with pytest.raises(ConfigError, match="baseline: should be longer than the window, 10s"):
        Floor(FillRate(times=2.0, window="10s", baseline="10s"))


def test_a_warning_of_the_fill_rate_stays_as_long_as_there_are_as_many():
    floor = at_mid(FillRate(limit=5, window="10s"))
    for at in (1, 2, 3, 3):
        floor.at(at * SECOND).trade(BUY, 1)
    assert floor.wake(11 * SECOND - 1).of(SPOT) == WARNING
    assert floor.wake(11 * SECOND).of(SPOT) == NORMAL
