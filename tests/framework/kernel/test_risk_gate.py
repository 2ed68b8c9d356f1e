"""The gate stands between every command and every venue: what passes it, in which state, and who lets go again."""

from __future__ import annotations

import pytest

from quotewright.kernel.rules import CheckRule, Refusal, RiskRule
from quotewright.model.orders import AmendOrder, CancelOrder, RiskState
from quotewright_plugins.risk_rules.max_order_size import MaxOrderSize
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from quotewright_plugins.risk_rules.price_collar import PriceCollar
from quotewright_plugins.risk_rules.stale_book import StaleBook
from tests.framework.kernel.stage import BUY, SECOND, SELL, Market, ObedientVenue, Run, Stage, Told, order, touch


class Switch(RiskRule):
    """A rule whose state and verdict a test sets."""

    def __init__(self, name="switch", exempts_reducing=True):
        super().__init__()
        self.name = name
        self.exempts_reducing = exempts_reducing
        self.answer = None
        self.fault = ""

    def on_wake(self, view):
        if self.fault == "wake":
            raise ValueError("cannot read")

    def on_report(self, report, view):
        if self.fault == "report":
            raise ValueError("cannot count")

    def verdict(self, command, view):
        if self.fault == "verdict":
            raise ValueError("cannot judge")
        return self.answer

    def release(self, now_ns):
        if self.fault == "release":
            raise ValueError("cannot let go")
        return super().release(now_ns)


def staged(*rules):
    """Return a stage that is long ten lots, with a good book around 100."""
    return Stage(*rules).quote(SECOND, 99, 101).trade(BUY, 10, 100)


STATES = {  #      state                   buying       selling ten of ten  selling eleven
    "normal":      (RiskState.NORMAL,      "",            "",      ""),
    "warning":     (RiskState.WARNING,     "",            "",      ""),
    "reduce only": (RiskState.REDUCE_ONLY, "reduce_only", "",      "reduce_only"),
    "cancel all":  (RiskState.CANCEL_ALL,  "cancel_all",  "",      "cancel_all"),
    "halt":        (RiskState.HALT,        "halt",        "halt",  "halt"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "buying", "reducing", "flipping"), STATES.values(), ids=STATES)
def test_what_passes_in_each_state(state, buying, reducing, flipping):
    rule = Switch()
    stage = staged(rule)
    rule.set_state(state, "because")
    stage.gate.refresh(SECOND)
    assert stage.ask(BUY, 1) == buying
    assert stage.ask(SELL, 10) == reducing
    assert stage.ask(SELL, 11) == flipping
    assert stage.gate.verdict(CancelOrder(order_number=1, instrument=0), stage.view) is None


def test_a_cancel_passes_every_rule_and_every_fault():
    rule = Switch()
    stage = Stage(rule)
    rule.fault = "verdict"
    rule.set_state(RiskState.HALT, "because")
    stage.gate.refresh(0)
    assert stage.gate.verdict(CancelOrder(order_number=1, instrument=0), stage.view) is None
    assert stage.told == []


REDUCING = {  #                      rule that an increasing order fails        passes reducing
    "position limit":      (PositionLimit(limit="5 lots"),                 True),
    "an exempting rule":   (Switch("exempting", True),                     True),
    "price collar":        (PriceCollar(away="10 bps"),                    False),
    "order size":          (MaxOrderSize(limit="3 lots"),                  False),
    "stale book":          (StaleBook(max_age="1ns"),                      False),
    "a strict rule":       (Switch("strict", False),                       False),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "passes"), REDUCING.values(), ids=REDUCING)
def test_a_reducing_order_passes_position_rules_and_never_price_size_or_age(rule, passes):
    stage = staged(rule).at(2 * SECOND)
    if isinstance(rule, Switch):
        rule.answer = Refusal(rule.name, "limit", "too much")
    assert stage.ask(BUY, 10, price=90) != ""
    assert (stage.ask(SELL, 10, price=110) == "") is passes


def test_an_order_reduces_only_as_far_as_others_of_its_side_leave_room():
    rule = Switch()
    stage = staged(rule)
    rule.set_state(RiskState.REDUCE_ONLY, "because")
    stage.gate.refresh(SECOND)
    stage.view.open_sell_lots = 6
    assert stage.ask(SELL, 4) == ""
    assert stage.ask(SELL, 5) == "reduce_only"


def test_a_reduce_only_order_that_would_do_more_is_refused_in_every_state():
    stage = staged()
    assert stage.ask(SELL, 10, reduce_only=True) == ""
    assert stage.ask(SELL, 11, reduce_only=True) == "reduce_only"
    assert stage.ask(BUY, 1, reduce_only=True) == "reduce_only"


def test_a_book_that_is_not_good_refuses_even_a_reducing_order():
    stage = staged()
    stage.show(Market().gap(2 * SECOND))
    assert (stage.ask(BUY, 1), stage.ask(SELL, 1)) == ("stale_book", "stale_book")
    stage.quote(3 * SECOND, 99, 101)
    assert stage.ask(SELL, 1) == ""


def test_the_most_severe_state_wins_and_its_holder_is_named():
    mild, severe = Switch("mild"), Switch("severe")
    stage = staged(mild, severe)
    mild.set_state(RiskState.REDUCE_ONLY, "near the limit")
    severe.set_state(RiskState.HALT, "too late")
    stage.gate.refresh(1)
    assert (stage.gate.state, stage.gate.holder(), stage.gate.why()) == (RiskState.HALT, "severe", "too late")
    severe.set_state(RiskState.NORMAL, "")
    stage.gate.refresh(2)
    assert (stage.gate.state, stage.gate.holder(), stage.gate.why()) == (
        RiskState.REDUCE_ONLY,
        "mild",
        "near the limit",
    )
    assert stage.view.risk_state == RiskState.REDUCE_ONLY


def test_the_holder_changes_hands_though_the_state_stays():
    first, second = Switch("first"), Switch("second")
    stage = staged(first, second)
    first.set_state(RiskState.CANCEL_ALL, "one")
    second.set_state(RiskState.CANCEL_ALL, "two")
    stage.gate.refresh(1)
    first.set_state(RiskState.NORMAL, "")
    assert not stage.gate.refresh(2)
    assert (stage.gate.holder(), stage.gate.why()) == ("second", "two")


MODES = {  #    mode        refusal of an order  state of the system      counted under
    "enforce": ("enforce",  "limit",             RiskState.CANCEL_ALL,    "switch"),
    "warn":    ("warn",     "",                  RiskState.WARNING,       "switch (warn)"),
    "observe": ("observe",  "",                  RiskState.NORMAL,        "switch (observe)"),
}  # fmt: skip


@pytest.mark.parametrize(("mode", "refused", "state", "counted"), MODES.values(), ids=MODES)
def test_the_mode_says_whether_a_rule_acts_warns_or_only_counts(mode, refused, state, counted):
    rule = Switch()
    rule.mode = mode
    stage = staged(rule)
    rule.answer = Refusal("switch", "limit", "too much")
    assert stage.ask(BUY, 1) == refused
    assert stage.gate.refusals == {counted: {"limit": 1}}
    rule.set_state(RiskState.CANCEL_ALL, "because")
    stage.gate.refresh(2)
    assert stage.gate.state == state


@pytest.mark.parametrize("mode", ["enforce", "warn", "observe"])
@pytest.mark.parametrize("fault", ["verdict", "wake", "report"])
def test_a_rule_that_raises_fails_closed_and_is_told_once(fault, mode):
    rule = Switch()
    rule.mode = mode
    stage = staged(rule)
    rule.fault = fault
    for _ in range(3):
        stage.ask(BUY, 1)
        stage.wake()
        stage.gate.on_report(None, stage.view)
    assert stage.gate.state == RiskState.HALT
    assert len(stage.told) == 1
    assert stage.ask(BUY, 1) == "halt"
    assert "the rule itself failed: ValueError: cannot" in stage.gate.why()
    rule.fault = ""
    rule.set_state(RiskState.NORMAL, "all is well")
    stage.wake()
    assert stage.gate.state == RiskState.HALT, "only the operator releases it"
    stage.gate.release(5)
    assert (stage.gate.state, stage.ask(BUY, 1)) == (RiskState.NORMAL, "")


def test_an_answer_that_is_no_refusal_fails_closed():
    rule = Switch()
    stage = staged(rule)
    rule.answer = "no"
    assert stage.ask(BUY, 1) == "rule_failed"
    assert stage.told == ["switch: verdict() should return a Refusal or None, was 'no'"]


def test_a_release_that_raises_keeps_the_halt():
    rule = Switch()
    stage = staged(rule)
    rule.fault = "release"
    stage.gate.release(1)
    assert stage.gate.state == RiskState.HALT


def test_the_operator_holds_and_releases():
    stage = staged(Switch())
    stage.gate.operate(RiskState.REDUCE_ONLY, "going home", 1)
    assert (stage.gate.holder(), stage.ask(BUY, 1), stage.ask(SELL, 1)) == ("operator", "reduce_only", "")
    stage.gate.operate(RiskState.HALT, "enough", 2)
    assert stage.ask(SELL, 1) == "halt"
    stage.gate.release(3)
    assert stage.ask(BUY, 1) == ""
    assert [change[:3] for change in stage.gate.changes] == [(1, 2, "operator"), (2, 4, "operator"), (3, 0, "")]


def test_broken_books_of_ours_halt_until_released():
    stage = staged()
    stage.gate.break_integrity("the venue filled what is not ours", 1)
    assert (stage.gate.holder(), stage.ask(SELL, 1)) == ("integrity", "halt")
    stage.gate.release(2)
    assert stage.ask(SELL, 1) == ""


def test_an_amend_is_asked_about_like_an_order():
    stage = staged(MaxOrderSize(limit="3 lots"))
    amend = AmendOrder(order_number=7, instrument=0, price_ticks=100, quantity_lots=4)
    assert stage.gate.verdict(amend, stage.view).reason == "limit"


def test_a_check_rule_takes_one_method():
    class Odd(CheckRule):
        def check(self, order, view):
            return "" if order.quantity_lots % 2 else f"{order.quantity_lots} lots is even"

    stage = staged(Odd())
    refusal = stage.gate.verdict(order(BUY, 2), stage.view)
    assert (refusal.rule, refusal.reason, refusal.text) == ("Odd", "limit", "2 lots is even")
    assert stage.ask(BUY, 3) == ""
    with pytest.raises(TypeError, match=r"CheckRule lacks check\(\)"):
        CheckRule().check(order(BUY, 1), stage.view)


# What a change of state does to orders that are working.


def working(state, position=0):
    """Return a run with a bid and two offers of two lots, with this position, after the rules went to *state*."""
    rule = Switch()

    def act(view, quotes):
        quotes.bid(99, 2)
        quotes.offer(101, 2)
        quotes.offer(102, 2)

    run = Run(Market().snapshot(1, 99, 101), Told(act, every=100), rule)
    if position:
        run.stage.trade(BUY if position > 0 else SELL, abs(position), 100)
    run.until(150)
    before = len(run.notes.commands)
    assert before == 3
    rule.set_state(state, "because")
    run.gate.refresh(run.pipeline.now_ns)
    run.pipeline.enforce()
    return run, run.sent()[before:]


ENFORCED = {  #                     state                  position  cancelled
    "warning leaves all":           (RiskState.WARNING,     2,       []),
    "reduce-only, flat":            (RiskState.REDUCE_ONLY, 0,       [1, 2, 3]),
    "reduce-only, long two":        (RiskState.REDUCE_ONLY, 2,       [1, 3]),
    "reduce-only, long four":       (RiskState.REDUCE_ONLY, 4,       [1]),
    "reduce-only, long one":        (RiskState.REDUCE_ONLY, 1,       [1, 2, 3]),
    "reduce-only, short two":       (RiskState.REDUCE_ONLY, -2,      [2, 3]),
    "cancel all":                   (RiskState.CANCEL_ALL,  4,       [1, 2, 3]),
    "halt":                         (RiskState.HALT,        4,       [1, 2, 3]),
}  # fmt: skip


@pytest.mark.parametrize(("state", "position", "cancelled"), ENFORCED.values(), ids=ENFORCED)
def test_a_state_cancels_what_it_must_and_keeps_what_reduces(state, position, cancelled):
    _, sent = working(state, position)
    assert sent == [f"150 cancel {number}" for number in cancelled]


def test_reduce_only_is_checked_again_after_every_fill():
    """Long four, both offers of two may stay; long two, only the nearer one."""
    run, sent = working(RiskState.REDUCE_ONLY, 4)
    assert sent == ["150 cancel 1"]
    run.stage.trade(SELL, 2, 100)  # a late fill
    run.venue.now_ns = 175
    run.until(185)
    assert run.sent()[4:] == ["170 cancel 3"]


def test_quotes_that_only_reduce_are_still_placed_under_reduce_only():
    run, _ = working(RiskState.REDUCE_ONLY, 2)
    run.until(450)
    assert sorted(resting[:3] for resting in run.venue.resting.values()) == [[SELL, 101, 2]]
    assert {reason for _, _, reason in run.notes.refusals} == {"reduce_only"}


def test_a_halt_wakes_no_strategy_and_flatten_alone_trades():
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100), venue=ObedientVenue(latency=10))
    run.stage.trade(BUY, 5, 100)
    run.until(150)
    run.pipeline.operate("halt", "enough")
    woken = len(run.strategy.seen)
    run.until(1000)
    assert len(run.strategy.seen) == woken
    assert run.venue.resting == {}
    run.pipeline.operate("flatten", "")
    assert run.sent()[-1] == "1000 sell 5@99"
    run.until(1100)
    assert (run.view.position_lots, run.gate.state) == (0, RiskState.HALT)
    run.pipeline.operate("resume", "")
    run.until(1300)
    assert len(run.venue.resting) == 2


def test_flatten_obeys_rules_on_price_and_size():
    run = Run(Market().snapshot(1, 99, 101), Told(touch), MaxOrderSize(limit="3 lots"))
    run.stage.trade(SELL, 5, 100)
    run.until(10)
    run.pipeline.operate("flatten", "")
    assert run.sent() == []
    assert run.notes.refusals == [(10, "MaxOrderSize", "limit")]


def test_an_unknown_operator_command_is_named():
    run = Run(Market().snapshot(1, 99, 101), Told(touch))
    with pytest.raises(ValueError, match="should be halt, reduce_only, resume, flatten or set, was 'stop'"):
        run.pipeline.operate("stop", "")
