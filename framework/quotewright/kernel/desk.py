"""One strategy at work on one instrument, and what falls due for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import NEVER
from quotewright.kernel.portfolio import Portfolio
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.strategy import MultiStrategy, Quotes, Strategy
from quotewright.kernel.venue import Venue
from quotewright.kernel.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewright.kernel.orders import Order


RULE = 0
SAMPLE = 1
STRATEGY = 2
"""What a timer is for."""


class Timer:
    """Something that falls due every ``period_ns``: a rule, the sample, or a strategy."""

    def __init__(self, kind: int, index: int, period_ns: int) -> None:
        self.kind = kind
        self.index = index
        self.period_ns = period_ns
        self.next_ns = NEVER


class Desk:
    """One strategy at work: its instrument, its quotes, and how they become orders.

    A strategy with legs has a desk for each leg; ``legs`` holds them all, in the strategy's order, at every one of
    them. ``portfolio`` is what this strategy's fills on the instrument add up to: the instrument's own portfolio
    unless other strategies trade it too.
    """

    def __init__(self, name: str, strategy: Strategy, view: View, manager: QuoteManager, venue: Venue) -> None:
        self.name = name
        self.strategy = strategy
        self.view = view
        self.manager = manager
        self.venue = venue
        self.portfolio = view.portfolio
        self.quotes = Quotes()
        self.legs: list[Desk] = [self]
        self.is_stopped = False
        self.is_waiting = False
        self.is_cut_off = False
        """Whether orders cannot be entered or followed at the venue now."""
        self.wakes = 0
        self.has_legs = isinstance(strategy, MultiStrategy)
        """Whether the strategy is woken with all its legs at once."""
        self.on_best = bool(strategy.wake_on_best)
        self.on_trade = bool(strategy.wake_on_trade)
        self.on_fill = bool(strategy.wake_on_fill)

    def owns(self, order: Order) -> bool:
        """Return whether *order* is one of this strategy's on this instrument."""
        return order.view is self.view and order.strategy == self.name

    def change(self, strategy: Strategy) -> bool:
        """Put *strategy* in the place of the one at work here, in every leg."""
        for leg in self.legs:
            leg.strategy = strategy
            leg.has_legs = isinstance(strategy, MultiStrategy)
            leg.on_best = bool(strategy.wake_on_best)
            leg.on_trade = bool(strategy.wake_on_trade)
            leg.on_fill = bool(strategy.wake_on_fill)
        return True


def share_instruments(desks: Sequence[Desk]) -> None:
    """Give every strategy a portfolio of its own on an instrument that several of them trade."""
    for desk in desks:
        if any(other.view is desk.view and other is not desk for other in desks):
            desk.portfolio = Portfolio(desk.view.instrument)
            desk.view.portfolios.append(desk.portfolio)
