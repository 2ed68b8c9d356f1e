"""The role of a strategy: woken as it declared, it states the quotes it wants."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, SELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


MOST = 10**15
"""Largest price in ticks and quantity in lots of one quote: sums over thousands of orders still fit into 64 bits."""

STRATEGY_INTERFACE_VERSION = 1


class Quotes:
    """The quotes a strategy wants on one instrument, stated anew at each wake-up.

    Nothing stated means no quotes: what is working is cancelled. :meth:`keep` leaves everything as it is.
    """

    def __init__(self) -> None:
        self.bids: list[tuple[int, int]] = []
        self.offers: list[tuple[int, int]] = []
        self.takes: list[tuple[int, int, int]] = []
        self.is_kept = False

    def bid(self, price_ticks: int, quantity_lots: int) -> None:
        """Want a post-only bid; whole ticks and lots, both positive."""
        self.bids.append((_positive("bid price_ticks", price_ticks), _positive("bid quantity_lots", quantity_lots)))

    def offer(self, price_ticks: int, quantity_lots: int) -> None:
        """Want a post-only offer; whole ticks and lots, both positive."""
        self.offers.append(
            (_positive("offer price_ticks", price_ticks), _positive("offer quantity_lots", quantity_lots))
        )

    def take(self, side: int, quantity_lots: int, limit_ticks: int) -> None:
        """Want an immediate-or-cancel order, once: buy at most or sell at least at *limit_ticks*."""
        if side not in (BUY, SELL):
            raise InputError(f"take side should be {BUY} (buy) or {SELL} (sell), was {side!r}")
        self.takes.append(
            (side, _positive("take quantity_lots", quantity_lots), _positive("take limit_ticks", limit_ticks))
        )

    def keep(self) -> None:
        """Leave the working quotes as they are."""
        self.is_kept = True

    def lay_on(self, tick_grid: int, lot_grid: int) -> None:
        """Move prices away from the market and quantities down to multiples; what comes to nothing is left out."""
        self.bids = [
            (price - price % tick_grid, lots - lots % lot_grid)
            for price, lots in self.bids
            if price >= tick_grid and lots >= lot_grid
        ]
        self.offers = [
            (price + -price % tick_grid, lots - lots % lot_grid) for price, lots in self.offers if lots >= lot_grid
        ]
        self.takes = [
            (side, lots - lots % lot_grid, limit - limit % tick_grid if side == BUY else limit + -limit % tick_grid)
            for side, lots, limit in self.takes
            if lots >= lot_grid and (side != BUY or limit >= tick_grid)
        ]

    def clear(self) -> None:
        """Forget everything stated (the pipeline does so before each wake-up)."""
        self.bids.clear()
        self.offers.clear()
        if self.takes:
            self.takes.clear()
        self.is_kept = False


def _positive(what: str, value: int) -> int:
    try:
        number = value if type(value) is int else operator.index(value)
    except TypeError:
        raise InputError(f"{what} should be a whole number, was {value!r}") from None
    if number <= 0:
        raise InputError(f"{what} should be positive, was {number}")
    if number > MOST:
        raise InputError(f"{what} should be at most {MOST}, was {number}")
    return number


class Strategy:
    """Base class of all strategies: one instance quotes one instrument on one venue.

    ``wake_every_ns`` (0: never), ``wake_on_best`` (the best quotes moved), ``wake_on_trade`` and ``wake_on_fill`` say
    when :meth:`on_wake` is called. A subclass is usually an attrs class whose fields are its config keys.
    """

    interface_version = STRATEGY_INTERFACE_VERSION
    wake_every_ns = 0
    wake_on_best = False
    wake_on_trade = False
    wake_on_fill = True

    def bind(self, context: BindContext) -> None:
        """Turn settings with units into ticks and lots, and ask for signals; called once, before the first wake-up."""

    def on_wake(self, view: View, quotes: Quotes) -> None:
        """State the wanted quotes for the market in *view*."""
        raise TypeError(f"{type(self).__name__} lacks on_wake()")

    def take_over(self, before: Strategy) -> None:
        """Take from *before* what must outlive a change of parameters; called after :meth:`bind`; it may raise.

        *before* is the strategy at work until now, with the old parameters. Signals need no help: one that is
        declared again with equal parameters is the one that was kept all along.
        """


class MultiStrategy(Strategy):
    """Base class of strategies with legs: one instance quotes several instruments, each on its venue.

    The config's ``legs`` name them. It is woken as a whole: by its timer, and by what happens in any of its legs.
    """

    def on_wake(self, view: View, quotes: Quotes) -> None:
        raise TypeError(f"{type(self).__name__} has legs: it is woken by on_wake_legs()")

    def on_wake_legs(self, views: Sequence[View], quotes: Sequence[Quotes]) -> None:
        """State the wanted quotes of every leg, in the order of the config.

        A leg may be unable to trade now: its book is not good (``view.is_book_good``), or its venue cannot be
        reached (``view.is_reachable``). What is stated for it then is passed over.
        """
        raise TypeError(f"{type(self).__name__} lacks on_wake_legs()")
