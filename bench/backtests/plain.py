"""The maker as somebody would write it for quotewright, in plain Python."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.backtests.maker import EVERY_NS, HALF_SHARE, MOST_LOTS, SIZE_LOTS
from quotewright.kernel.strategy import Strategy
from quotewright.plugin import configured, hookimpl

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright.kernel.view import View


@configured
class PlainMaker(Strategy):
    """Quote half a basis point around the mid."""

    wake_every_ns = EVERY_NS
    wake_on_fill = False

    def on_wake(self, view: View, quotes: Quotes) -> None:
        bid, offer = view.best_bid_ticks(), view.best_offer_ticks()
        mid = (bid + offer) / 2.0
        half = mid * HALF_SHARE
        position = view.position_lots
        buy = min(SIZE_LOTS, MOST_LOTS - position)
        sell = min(SIZE_LOTS, MOST_LOTS + position)
        if buy > 0:
            quotes.bid(min(math.floor(mid - half), offer - 1), buy)
        if sell > 0:
            quotes.offer(max(math.ceil(mid + half), bid + 1), sell)


@hookimpl
def strategies() -> dict[str, type[Strategy]]:
    return {"plain_maker": PlainMaker}
