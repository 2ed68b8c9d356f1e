"""Quotes on several levels a side: what the shipped makers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Duration
from quotewright.kernel.making import LevelQuotes, inventory_ratio
from quotewright.kernel.strategy import Strategy
from quotewright.plugin.settings import at_least, between, configured, not_negative, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext

__all__ = ["MultiLevelMaker", "Target", "inventory_ratio"]

Target = tuple[float | None, float | None, float]
"""First bid and first offer in ticks, unrounded (None: nothing on that side), and the half-spread between levels."""


@configured
class MultiLevelMaker(Strategy):
    """A maker that states ``levels`` bids and offers; where the first of each stands comes from a subclass.

    Level *i* (0 first) stands ``half * level_step * i`` behind the first. Bids are rounded down to the tick, offers
    up, levels are at least a tick apart, and no quote would take: a bid stays below the best offer, an offer above the
    best bid. A size stated as a value is divided by each quote's own price and rounded down to the lot. A quote below
    the venue's least quantity is raised to it, one worth less than its least order is not stated.
    """

    size: Amount = setting(doc="quantity or value of one level", check=positive)
    levels: int = setting(default=1, doc="levels on each side", check=between(1, 100))
    level_step: float = setting(default=0.5, doc="distance between levels in half-spreads", check=not_negative)
    size_growth: float = setting(
        default=1.0, doc="each farther level's size as a multiple of the one before", check=positive
    )
    every: Duration = setting(default="100ms", doc="how often quotes are thought over", check=at_least(1))
    wake_on_fill: bool = setting(default=True, doc="whether quotes are thought over after each fill of ours, too")
    hold_within: Amount | None = setting(
        default=None, doc="largest position the quotes may lead to: what could pass it is not stated", check=positive
    )

    def bind(self, context: BindContext) -> None:
        """Tie the size to the instrument and take ``every`` as the wake-up."""
        self.wake_every_ns = int(self.every)
        self._size = context.amount(self.size, "size")
        instrument = context.instrument
        self._room = None if self.hold_within is None else context.amount(self.hold_within, "hold_within")
        self._base_per_lot = float(instrument.lot_size * instrument.contract_size)
        self._is_inverse = instrument.is_inverse
        self._quotes = LevelQuotes(context.view, self._size, self.levels, self.level_step, self.size_growth)

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the centre and the half-spread in ticks, or None to quote nothing now."""
        raise TypeError(f"{type(self).__name__} lacks centre_and_half() or target()")

    def target(self, view: View) -> Target | None:
        """Return the first quotes of both sides in ticks and the half-spread, or None to quote nothing now."""
        wanted = self.centre_and_half(view)
        if wanted is None:
            return None
        centre, half = wanted
        return centre - half, centre + half, half

    def base_position(self, view: View) -> float:
        """Return the position in base units; an inverse contract is worth its value over the mid."""
        held = view.own_position_lots * self._base_per_lot
        if not self._is_inverse:
            return held
        mid = view.mid()
        return held / mid if mid > 0 else 0.0

    def on_wake(self, view: View, quotes: Quotes) -> None:
        """State the quotes of all levels."""
        wanted = self.target(view)
        if wanted is None:
            return
        bid_at, offer_at, half = wanted
        self._quotes.state(view, quotes, bid_at, offer_at, half, self._room, view.own_position_lots)
