"""Quotes on several levels around a centre: what the shipped makers share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Duration
from quotewright.kernel.strategy import Strategy
from quotewright.plugin.settings import at_least, between, configured, not_negative, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class MultiLevelMaker(Strategy):
    """A maker that states ``levels`` bids and offers around a centre with a half-spread, both from a subclass.

    Level *i* (0 first) stands ``half * (1 + level_step * i)`` from the centre. Bids are rounded down to the tick,
    offers up, levels are at least a tick apart, and no quote would take: a bid stays below the best offer, an offer
    above the best bid. Nothing is quoted on a side where ``size`` is less than a lot or the least order of the venue.
    """

    size: Amount = setting(doc="quantity or value of one level", check=positive)
    levels: int = setting(default=1, doc="levels on each side", check=between(1, 100))
    level_step: float = setting(default=0.5, doc="distance between levels in half-spreads", check=not_negative)
    size_growth: float = setting(
        default=1.0, doc="each farther level's size as a multiple of the one before", check=positive
    )
    every: Duration = setting(default="100ms", doc="how often quotes are thought over", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Tie the size to the instrument and take ``every`` as the wake-up."""
        self.wake_every_ns = int(self.every)
        self._size = context.amount(self.size, "size")
        instrument = context.instrument
        self._least_lots = -(-instrument.min_quantity_steps // instrument.lot_steps)
        self._least_money = int(instrument.min_notional.scaleb(18))

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the centre and the half-spread in ticks, or None to quote nothing now."""
        raise TypeError(f"{type(self).__name__} lacks centre_and_half()")

    def on_wake(self, view: View, quotes: Quotes) -> None:
        """State the quotes of all levels."""
        wanted = self.centre_and_half(view)
        if wanted is None:
            return
        centre, half = wanted
        size_lots = self._size.lots(view)
        if size_lots <= 0:
            return
        bid = min(math.floor(centre - half), view.best_offer_ticks() - 1)
        offer = max(math.ceil(centre + half), view.best_bid_ticks() + 1)
        least_money = self._least_money
        factor = 1.0
        for level in range(self.levels):
            lots = int(size_lots * factor)
            if lots < self._least_lots:
                lots = self._least_lots
            if level:
                away = half * (1.0 + self.level_step * level)
                bid = min(math.floor(centre - away), bid - 1)
                offer = max(math.ceil(centre + away), offer + 1)
            if lots > 0:
                if bid > 0 and (not least_money or view.notional(bid, lots) >= least_money):
                    quotes.bid(bid, lots)
                if not least_money or view.notional(offer, lots) >= least_money:
                    quotes.offer(offer, lots)
            factor *= self.size_growth


def inventory_ratio(position_lots: int, limit_lots: int) -> float:
    """Return the position as a share of its limit, held within [-1, 1]; 0.0 without a limit."""
    if limit_lots <= 0:
        return 0.0
    return max(-1.0, min(1.0, position_lots / limit_lots))
