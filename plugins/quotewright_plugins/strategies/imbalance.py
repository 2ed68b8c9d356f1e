"""Which side of the book is heavier, by depth or by distance, as a share between -1 (all offers) and +1 (all bids)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Bps
from quotewright.plugin.settings import at_least, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View


@configured
class ImbalanceReader:
    """Keys that say how much of the book the imbalance ``(Vb - Va) / (Vb + Va)`` counts."""

    imbalance_levels: int = setting(
        default=5, doc="levels a side that the imbalance counts, 0 all of them", check=at_least(0)
    )
    imbalance_band: Bps | None = setting(
        default=None, doc="count levels this near to the mid instead, in basis points", check=positive
    )

    def imbalance(self, view: View) -> float:
        """Return the imbalance of the book now; 0.0 where nothing is counted."""
        if self.imbalance_band is not None:
            return view.book.imbalance_within(float(self.imbalance_band))
        return view.book.imbalance(self.imbalance_levels or -1)
