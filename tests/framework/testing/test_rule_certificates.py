"""A rule's certificate says what the rule did, and a rule that does harm does not get one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from quotewright.config.units import Amount, Duration
from quotewright.kernel.codes import BUY, HALT, REDUCE_ONLY, SELL
from quotewright.kernel.rules import CheckRule, RiskRule
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright.testing.rule_stage import SECOND, RuleStage
from quotewright.testing.rules import certify
from quotewright_plugins.risk_rules.max_order_size import MaxOrderSize
from quotewright_plugins.risk_rules.position_limit import PositionLimit


@configured
class Largest(CheckRule):
    """Refuses large orders."""

    limit: Amount = setting(doc="largest quantity", check=positive)
    exempts_reducing = False

    def bind(self, context):
        self._limit = context.amount(self.limit, "limit")

    def check(self, order, view):
        lots = view.command_quantity_lots(order)
        return "too large" if lots > self._limit.lots(view) else ""


class Asleep(CheckRule):
    """Never finds anything wrong."""

    def check(self, order, view):
        return ""


class Fills(RiskRule):
    """Halts after ten fills; a subclass may forget to let go."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def on_report(self, report, view):
        self.count += type(report).__name__ == "Fill"
        if self.count >= 10:
            self.set_state(HALT, "ten fills")

    def release(self, now_ns):
        self.count = 0
        return super().release(now_ns)


class Stubborn(Fills):
    """Halts again at once."""

    def release(self, now_ns):
        return False


class Jailer(RiskRule):
    """Refuses whatever would lead out of a position, because it says that it is no position rule and then is one."""

    def verdict(self, command, view):
        return self.refuse("position", "stay") if abs(view.position_lots) > 10 else None


class Breaks(RiskRule):
    """Raises as soon as there is a position."""

    def verdict(self, command, view):
        if view.position_lots:
            raise ZeroDivisionError("no equity")
        return


class Scoped(RiskRule):
    """Reduces the strategy only, while its position is large."""

    wake_every_ns = SECOND

    def on_wake(self, view):
        self.set_state(REDUCE_ONLY if abs(view.position_lots) > 20 else 0, "large", "strategy:maker")


@configured
class Silent(CheckRule):
    """Does nothing unless it is told to; says itself with which keys it can be tried."""

    example: ClassVar = {"orders": 5}
    orders: int = setting(default=0, doc="most orders", check=at_least(0))
    window: Duration = setting(default="1s", doc="not looked at", check=positive)

    def check(self, order, view):
        return "too many" if self.orders and len(view.live) >= self.orders else ""


CERTIFICATES: dict[str, tuple[type, str, str, str, str]] = {  # trips, releases, cancel, reducing
    "size":          (Largest,       "yes", "yes", "yes", "n/a"),
    "shipped size":  (MaxOrderSize,  "yes", "yes", "yes", "n/a"),
    "position":      (PositionLimit, "yes", "yes", "yes", "yes"),
    "halting":       (Fills,         "yes", "yes", "yes", "yes"),
    "scoped":        (Scoped,        "yes", "yes", "yes", "yes"),
    "by its example": (Silent,       "yes", "yes", "yes", "yes"),
    "asleep":        (Asleep,        "no",  "n/a", "n/a", "n/a"),
    "raising":       (Breaks,        "no",  "n/a", "n/a", "n/a"),
    "stubborn":      (Stubborn,      "yes", "no",  "yes", "yes"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "trips", "releases", "cancel", "reducing"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificate(rule: Callable[[], RiskRule], trips, releases, cancel, reducing):
    found = certify(rule)
    assert (found.trips, found.releases, found.passes_cancel, found.passes_reducing) == (
        trips, releases, cancel, reducing,
    ), found.why  # fmt: skip
    assert bool(found.problems()) == ("no" in (trips, releases, cancel, reducing))


WRONG = {
    "asleep": (Asleep, "kinds of trouble made it trip"),
    "raising": (Breaks, "raised ZeroDivisionError: no equity"),
    "stubborn": (Stubborn, "after a calm day and the operator's release it still holds: rule halt: ten fills"),
}


@pytest.mark.parametrize(("rule", "why"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(rule, why):
    assert why in certify(rule).why


def test_a_rule_that_keeps_reducing_orders_back_is_no_exempting_one():
    """The gate does not ask a rule that exempts reducing orders, so a jailer only shows by what it declares."""

    class Open(Jailer):
        exempts_reducing = True

    assert certify(Open).passes_reducing == "yes"


def test_a_certificate_is_told_in_one_line():
    line = certify(Fills).line()
    assert line == "trips yes, releases yes, passes_cancel yes, passes_reducing yes"


def test_a_stage_tells_what_was_refused_and_books_what_was_filled():
    stage = RuleStage(PositionLimit(limit="20 lots"))
    assert stage.deal(BUY, 15)
    assert stage.view.position_lots == 15
    assert stage.place(BUY, 6, stage.mid) is None
    assert [(refusal.rule, refusal.reason) for refusal in stage.told.refusals] == [("rule", "position")]
    order = stage.place(SELL, 15, stage.mid + 5)
    assert order is not None
    assert stage.amend(order, stage.mid + 6, 10)
    assert (order.price_ticks, order.quantity_lots) == (stage.mid + 6, 10)
    assert stage.cancel(order)
    assert not order.is_live()
