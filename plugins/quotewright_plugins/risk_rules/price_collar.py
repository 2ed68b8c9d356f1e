"""Refuse an order too far from where the market is."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright.config.units import Bps, Duration, Percent
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder


@configured
class PriceCollar(RiskRule):
    """Refuse an order priced farther than ``away`` from the mid on either side, or while the mid is missing or old.

    Holds for reducing orders too. A market order counts at the opposite best.
    """

    exempts_reducing = False
    away: Percent | Bps = setting(doc="largest distance from the mid", check=positive)
    max_age: Duration = setting(
        default="10s", doc="age of the book at which its mid is no reference any more", check=at_least(1)
    )

    def __attrs_post_init__(self) -> None:
        fraction = self.away.fraction if isinstance(self.away, Bps) else self.away
        self._share = fraction.as_integer_ratio()

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Compare twice the order's price with twice the mid, in steps."""
        mid2 = view.mid2
        if mid2 <= 0:
            return self.refuse("no_reference", "there is no mid")
        if view.book_age_ns > self.max_age:
            return self.refuse("old_reference", f"the book is {view.book_age_ns / 1e9:.3f} s old, limit {self.max_age}")
        share, whole = self._share
        distance2 = abs(2 * view.command_price_ticks(command) * view.tick_steps - mid2)
        if distance2 * whole <= share * mid2:
            return None
        return self.refuse("price", f"{Decimal(distance2) / mid2 * 100:.3f} % from the mid, limit {self.away!s}")
