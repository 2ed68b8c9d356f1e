"""States of a part of the run, orders of rules, and several strategies on one instrument."""

from __future__ import annotations

from typing import Any

import pytest

from quotewright.kernel.desk import Desk
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.rules import RiskRule
from quotewright.kernel.strategy import MultiStrategy, Strategy
from quotewright.kernel.view import View
from quotewright.model.orders import NewOrder, RiskState
from tests.framework.kernel.stage import BUY, PLAIN, SELL, Market, Notes, ObedientVenue, Told, short, touch

HALT, CANCEL_ALL, REDUCE_ONLY, WARNING = RiskState.HALT, RiskState.CANCEL_ALL, RiskState.REDUCE_ONLY, RiskState.WARNING
MAKER, OTHER, PLACE, VENUE = "strategy:maker", "strategy:other", f"instrument:{PLAIN.name}", "venue:main"


class Scoped(RiskRule):
    """A rule that a test sets, and whose orders it states."""

    def __init__(self, name="scoped"):
        super().__init__()
        self.name = name
        self.wanted: list[Any] = []

    def actions(self, view):
        wanted, self.wanted = self.wanted, []
        return wanted


class Floor:
    """Two strategies, ``maker`` and ``other``, on one instrument or one each on two, at venue ``main``."""

    def __init__(self, *rules, instruments=1, strategies=None, market=None, latency=10):
        self.rules = list(rules)
        self.venue = ObedientVenue(latency)
        if market is None:
            market = Market()
            for number in range(instruments):
                market.snapshot(1, 99, 101, instrument=number)
        self.market = market
        self.views = [View(PLAIN, number, Ladder()) for number in range(instruments)]
        self.gate = RiskGate(self.rules, self.views)
        strategies = strategies or {
            "maker": (Told(at(98, 102), best=True), 0),
            "other": (Told(at(97, 103), best=True), -1),
        }
        self.desks = [
            Desk(name, strategy, self.views[place], QuoteManager(0, 0, False), self.venue)
            for name, (strategy, place) in strategies.items()
        ]
        self.gate.know(strategies, dict.fromkeys(range(instruments), "main"))
        for view in self.views:
            view.account = self.gate
        self.notes = Notes()
        self.pipeline = Pipeline(market.source(), list(self.views), self.desks, self.gate, [self.venue], self.notes, 0)
        self.pipeline.start(0)

    def until(self, until_ns):
        self.pipeline.advance(until_ns, 1 << 60)
        return self

    def working(self):
        """Return every live order as strategy, side, price."""
        return [
            f"{order.strategy} {'buy' if order.side == BUY else 'sell'} {order.quantity_lots}@{order.price_ticks}"
            for view in self.views
            for order in view.live
        ]


def at(bid, offer, lots=2):
    def act(view, quotes):
        quotes.bid(bid, lots)
        quotes.offer(offer, lots)

    return act


BOTH = ["maker buy 2@98", "maker sell 2@102", "other buy 2@97", "other sell 2@103"]


def test_two_strategies_quote_one_instrument_beside_each_other():
    assert Floor().until(100).working() == BOTH


SCOPES = {  # scope,  whose orders stay
    "strategy":   (MAKER, ["other"]),
    "instrument": (PLACE, []),
    "venue":      (VENUE, []),
    "system":     ("", []),
    "unknown":    ("strategy:nobody", []),
}  # fmt: skip


@pytest.mark.parametrize("state", [CANCEL_ALL, HALT])
@pytest.mark.parametrize(("scope", "stay"), SCOPES.values(), ids=SCOPES)
def test_a_scoped_state_cancels_what_it_is_about_and_nothing_else(scope, stay, state):
    rule = Scoped()
    floor = Floor(rule).until(50)
    rule.set_state(state, "because", scope)
    assert floor.gate.refresh(60)
    floor.pipeline.enforce()
    floor.until(100)
    assert {order.split()[0] for order in floor.working()} == set(stay)


def test_release_of_one_scope_leaves_the_others():
    rule = Scoped()
    floor = Floor(rule)
    rule.set_state(HALT, "first", MAKER)
    rule.set_state(REDUCE_ONLY, "second", VENUE)
    floor.gate.refresh(1)
    view = floor.views[0]
    assert [floor.gate.state_for(name, view) for name in ("maker", "other")] == [HALT, REDUCE_ONLY]
    assert floor.gate.release(2, MAKER)
    assert [floor.gate.state_for(name, view) for name in ("maker", "other")] == [REDUCE_ONLY, REDUCE_ONLY]
    assert floor.gate.release(3)
    assert not floor.gate.scoped
    assert not floor.gate.is_restricting
    assert [(change[1], change[2], change[4]) for change in floor.gate.changes] == [
        (HALT, "scoped", MAKER), (REDUCE_ONLY, "scoped", VENUE), (0, "", MAKER), (0, "", VENUE),
    ]  # fmt: skip


MODES = {"enforce": HALT, "warn": WARNING, "observe": RiskState.NORMAL}


@pytest.mark.parametrize(("mode", "state"), MODES.items())
def test_the_mode_of_a_rule_holds_for_its_scopes_too(mode, state):
    rule = Scoped()
    rule.mode = mode
    floor = Floor(rule)
    rule.set_state(HALT, "because", MAKER)
    floor.gate.refresh(1)
    assert floor.gate.state_for("maker", floor.views[0]) == state


def test_a_scoped_reduce_only_cancels_what_increases_and_refuses_it_in_its_own_name():
    rule = Scoped()
    floor = Floor(rule).until(50)
    floor.views[0].portfolio.book_fill(BUY, 100, 2, 0, "USDT", 0, True)
    rule.set_state(REDUCE_ONLY, "too much", MAKER)
    floor.gate.refresh(60)
    floor.pipeline.enforce()
    floor.until(100)
    assert floor.working() == ["maker sell 2@102", "other buy 2@97", "other sell 2@103"]
    order = NewOrder(order_number=0, instrument=0, side=BUY, price_ticks=98, quantity_lots=1, strategy="maker")
    refusal = floor.gate.verdict(order, floor.views[0])
    assert (refusal.rule, refusal.reason, refusal.text) == ("scoped", "reduce_only", "too much")


def test_the_operator_halts_and_resumes_a_part_and_the_name_must_be_known():
    floor = Floor().until(50)
    floor.pipeline.operate(f"halt {MAKER}", "seen enough")
    floor.until(100)
    assert floor.working() == BOTH[2:]
    floor.pipeline.operate(f"resume {MAKER}", "well again")
    assert not floor.gate.scoped
    with pytest.raises(ValueError, match=r"'strategy:mker' should be one of instrument:.*strategy:maker"):
        floor.pipeline.operate("halt strategy:mker", "a slip")
    assert [entry[2] for entry in floor.notes.inputs if entry[0] == "operator"] == [f"halt {MAKER}", f"resume {MAKER}"]


def test_each_strategy_has_its_own_share_of_the_position():
    def buys(view, quotes):
        if view.own_position_lots == 0:
            quotes.take(BUY, 3, 101)

    def sells(view, quotes):
        if view.own_position_lots == 0:
            quotes.take(SELL, 1, 102)  # lower it would meet the other's purchase

    floor = Floor(strategies={"maker": (Told(buys, best=True), 0), "other": (Told(sells, best=True), 0)}).until(100)
    assert [desk.portfolio.position_lots for desk in floor.desks] == [3, -1]
    view = floor.views[0]
    assert (view.position_lots, view.own_position_lots) == (2, -1)
    total = sum(desk.portfolio.equity_at(200) for desk in floor.desks)
    assert total == view.portfolio.equity_at(200) != 0


def reducing(side, lots, price, **options):
    fields = {"time_in_force": 1, "reduce_only": True} | options
    return NewOrder(order_number=0, instrument=0, side=side, price_ticks=price, quantity_lots=lots, **fields)


def test_a_rule_sends_an_order_that_reduces_in_its_name():
    rule = Scoped()
    floor = Floor(rule, strategies={"maker": (Told(lambda view, quotes: quotes.keep(), best=True), 0)}).until(50)
    floor.views[0].portfolio.book_fill(BUY, 100, 5, 0, "USDT", 0, True)
    rule.wanted = [reducing(SELL, 3, 99)]
    floor.pipeline.act()
    (order,) = floor.views[0].live
    assert (order.rule, order.strategy, order.level) == ("scoped", "maker", -1)
    floor.until(100)
    assert floor.views[0].position_lots == 2
    assert [short(command) for _, command in floor.notes.commands] == ["sell 3@99"]


NOT_TAKEN = {
    "it increases":          reducing(BUY, 1, 101),
    "it flips the position": reducing(SELL, 6, 99),
}  # fmt: skip


@pytest.mark.parametrize("order", NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_an_order_of_a_rule_passes_the_gate_like_any_other(order):
    rule = Scoped()
    floor = Floor(rule, strategies={"maker": (Told(lambda view, quotes: quotes.keep(), best=True), 0)}).until(50)
    floor.views[0].portfolio.book_fill(BUY, 100, 5, 0, "USDT", 0, True)
    rule.wanted = [order]
    floor.pipeline.act()
    assert not floor.notes.commands
    assert floor.notes.refusals == [(floor.pipeline.now_ns, "gate", "reduce_only")]


@pytest.mark.parametrize(
    "wrong", [reducing(SELL, 1, 99, time_in_force=0), reducing(SELL, 1, 99, reduce_only=False), "sell"]
)
def test_a_rule_that_wants_another_kind_of_order_fails_closed(wrong):
    rule = Scoped()
    floor = Floor(rule).until(50)
    rule.wanted = [wrong]
    floor.pipeline.act()
    assert floor.gate.state == HALT
    assert "should return new immediate-or-cancel orders" in floor.gate.why()


def test_a_rule_that_only_observes_sends_nothing():
    rule = Scoped()
    rule.mode = "observe"
    floor = Floor(rule).until(50)
    floor.views[0].portfolio.book_fill(BUY, 100, 5, 0, "USDT", 0, True)
    rule.wanted = [reducing(SELL, 3, 99)]
    before = len(floor.notes.commands)
    floor.pipeline.act()
    assert len(floor.notes.commands) == before


class Pair(MultiStrategy):
    """Quotes both legs; ``seen`` holds which books were good at each wake-up."""

    def __init__(self, act=None, **wakes):
        super().__init__()
        self.act = act
        self.seen: list[tuple[int, ...]] = []
        for name, value in wakes.items():
            setattr(self, name, value)

    def on_wake_legs(self, views, quotes):
        self.seen.append((views[0].now_ns, *(int(view.is_book_good) for view in views)))
        if self.act is not None:
            self.act(views, quotes)
            return
        for view, one in zip(views, quotes, strict=True):
            if all(other.is_book_good for other in views):
                touch(view, one)


def paired(market, strategy, *rules):
    floor = Floor(*rules, instruments=2, market=market, strategies={"pair": (strategy, 0), "second": (strategy, 1)})
    first, second = floor.desks
    second = Desk("pair", strategy, floor.views[1], QuoteManager(0, 0, False), floor.venue)
    first.legs = second.legs = [first, second]
    floor.desks[:] = [first, second]
    floor.gate.know(["pair"], {0: "main", 1: "main"})
    floor.pipeline = Pipeline(
        floor.market.source(), list(floor.views), floor.desks, floor.gate, [floor.venue], floor.notes, 0
    )
    floor.pipeline.start(0)
    return floor


def test_a_strategy_with_legs_is_woken_as_a_whole_and_leaves_every_leg_when_one_book_turns_bad():
    market = Market().snapshot(1, 99, 101, instrument=0).snapshot(2, 49, 51, instrument=1)
    market.row(33, 0, 0, 15, instrument=1)  # a gap
    market.snapshot(60, 48, 52, instrument=1)
    floor = paired(market, Pair(wake_on_best=True))
    floor.until(30)
    assert floor.working() == ["pair buy 2@99", "pair sell 2@101", "pair buy 2@49", "pair sell 2@51"]
    floor.until(55)
    assert floor.working() == []
    floor.until(90)
    assert floor.working() == ["pair buy 2@99", "pair sell 2@101", "pair buy 2@48", "pair sell 2@52"]
    goods = [one[1:] for one in floor.desks[0].strategy.seen]
    assert (1, 0) in goods
    assert goods[-1] == (1, 1)


def test_one_timer_wakes_all_legs_once():
    market = Market().snapshot(1, 99, 101, instrument=0).snapshot(2, 49, 51, instrument=1)
    floor = paired(market, Pair(wake_every_ns=10, wake_on_fill=False))
    floor.until(45)
    assert [one[0] for one in floor.desks[1].strategy.seen if one[0] % 10 == 0] == [10, 20, 30, 40]


def test_a_fault_in_one_leg_stops_all_and_cancels_all():
    def act(views, quotes):
        if views[0].now_ns >= 30:
            raise RuntimeError("one leg broke")
        for view, one in zip(views, quotes, strict=True):
            if view.is_book_good:
                touch(view, one)

    market = Market().snapshot(1, 99, 101, instrument=0).snapshot(2, 49, 51, instrument=1)
    floor = paired(market, Pair(act, wake_every_ns=10))
    floor.until(80)
    assert floor.working() == []
    assert [entry[1:] for entry in floor.notes.failures] == [("pair", "RuntimeError: one leg broke")]
    assert all(desk.is_stopped for desk in floor.desks)


class Wide(Strategy):
    """Quotes ``wide`` away from the touch and remembers how often it was woken, over changes too."""

    def __init__(self, wide=0, every=10):
        super().__init__()
        self.wide, self.wake_every_ns, self.woken = wide, every, 0

    def take_over(self, before):
        self.woken = before.woken

    def on_wake(self, view, quotes):
        self.woken += 1
        quotes.bid(view.best_bid_ticks() - self.wide, 2)


def test_a_changed_strategy_takes_over_and_its_new_period_counts():
    floor = Floor(strategies={"maker": (Wide(), 0)})

    def configure(assignment):
        wide = Wide(int(assignment), 25)
        wide.take_over(floor.desks[0].strategy)
        return "maker", wide

    floor.pipeline.configure = configure
    floor.until(35)
    assert floor.working() == ["maker buy 2@99"]
    floor.pipeline.operate("set 5", "wider")
    floor.until(100)
    assert floor.working() == ["maker buy 2@94"]
    assert floor.desks[0].strategy.woken == 3 + 2  # at 10, 20, 30; changed at 35, woken at 60 and 85
    assert ("operator", 35, "set 5") in floor.notes.inputs


def test_a_strategy_that_had_no_timer_gets_one_by_a_change_and_loses_it_again():
    floor = Floor(strategies={"maker": (Wide(every=0), 0)})

    def configure(assignment):
        wide = Wide(1, int(assignment))
        wide.take_over(floor.desks[0].strategy)
        return "maker", wide

    floor.pipeline.configure = configure
    floor.until(35)
    assert floor.desks[0].strategy.woken == 0
    floor.pipeline.operate("set 20", "wake up")
    floor.until(100)
    assert floor.desks[0].strategy.woken == 3
    floor.pipeline.operate("set 0", "sleep")
    floor.until(200)
    assert floor.desks[0].strategy.woken == 3


def test_a_change_that_does_not_fit_changes_and_records_nothing():
    def configure(assignment):
        raise ValueError(f"{assignment} does not fit")

    floor = Floor(strategies={"maker": (Wide(), 0)}).until(15)
    floor.pipeline.configure = configure
    before = floor.desks[0].strategy
    with pytest.raises(ValueError, match="7 does not fit"):
        floor.pipeline.operate("set 7", "a slip")
    assert floor.desks[0].strategy is before
    assert not [entry for entry in floor.notes.inputs if entry[0] == "operator"]
