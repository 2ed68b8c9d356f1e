"""Join the best bid and the best offer, and leave the side that inventory is already full of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount
from quotewright.kernel.strategy import Quotes, Strategy
from quotewright.plugin import configured, hookimpl, positive, setting
from quotewright.plugin.specs import Factory

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class JoinTheTouch(Strategy):
    """One quote a side at the best prices, as long as the book can be trusted."""

    wake_on_best = True
    quantity: Amount = setting(doc="quantity of each quote", check=positive)
    max_position: Amount = setting(doc="no further buying (selling) at this position", check=positive)

    def bind(self, context: BindContext) -> None:
        """Turn amounts into lots."""
        self._quantity = context.amount(self.quantity, "quantity")
        self._limit = context.amount(self.max_position, "max_position")

    def on_wake(self, view: View, quotes: Quotes) -> None:
        """State the quotes wanted now; nothing stated means no quotes."""
        if not view.is_book_good:
            return
        lots, limit = self._quantity.lots(view), self._limit.lots(view)
        if view.position_lots + lots <= limit:
            quotes.bid(view.best_bid_ticks(), lots)
        if view.position_lots - lots >= -limit:
            quotes.offer(view.best_offer_ticks(), lots)


@hookimpl
def strategies() -> dict[str, Factory]:
    """Offer the strategy as ``plugin = "join_the_touch"`` in ``[strategies.X]``."""
    return {"join_the_touch": JoinTheTouch}
