"""Makers whose model knows a largest inventory: at it, the side that would add to it is not quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Bps
from quotewright.plugin.settings import configured, positive, setting
from quotewright_plugins.strategies.model import ModelMaker

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext
    from quotewright_plugins.strategies.maker import Target


@configured
class BoundedMaker(ModelMaker):
    """A model maker with ``max_position``: its quotes never lead beyond it.

    A subclass gives the distances of the two quotes from the mid. ``farthest`` bounds how far a quote may stand from
    the mid on its own side, ``min_spread`` how near to each other the two may stand.
    """

    max_position: Amount = setting(doc="largest inventory, either way", check=positive)
    farthest: Bps = setting(
        default="100 bps", doc="farthest that a quote stands from the mid on its own side", check=positive
    )

    def bind(self, context: BindContext) -> None:
        """Tie the largest inventory to the instrument."""
        super().bind(context)
        self._limit = context.amount(self.max_position, "max_position")
        if self._room is None:
            self._room = self._limit
        self._farthest = float(self.farthest.fraction)

    def distances(
        self, held: float, bound: float, sigma: float, k: float, rate: float
    ) -> tuple[float | None, float | None]:
        """Return how far below the mid the bid and above it the offer stand, in units of price; None for no quote.

        Args:
            held: Inventory in units of the model, within ``[-bound, bound]``.
            bound: Largest inventory in the same units.
            sigma: Volatility in units of price per square root of a second.
            k: Decay of the fill intensity per unit of price.
            rate: Measured fills per second of a quote at the mid, 0 where they are not measured.
        """
        raise TypeError(f"{type(self).__name__} lacks distances()")

    def target(self, view: View) -> Target | None:
        """Return the two quotes in ticks; None until all is measured."""
        unit = self.unit_ticks(view)
        sigma = self.volatility(view, unit)
        held = self.units_held(view)
        limit_lots = self._limit.lots(view)
        k = self.decay(view, unit)
        fitted = self.fitted(view, unit)
        if sigma is None or held is None or k is None or fitted is None or limit_lots <= 0:
            return None
        if self._is_bps:
            bound = limit_lots / self._size.lots(view)
        else:
            bound = limit_lots * self._base_per_lot
            if self._is_inverse:
                bound /= view.mid()
        below, above = self.distances(max(-bound, min(bound, held)), bound, sigma, k, fitted[1])
        mid = view.mid_ticks()
        reach = mid * self._farthest
        least = mid * self._least
        if below is not None and above is not None:
            missing = (least - (below + above) * unit) / 2.0
            if missing > 0.0:
                below += missing / unit
                above += missing / unit
        bid = None if below is None or held >= bound else mid - min(reach, below * unit)
        offer = None if above is None or held <= -bound else mid + min(reach, above * unit)
        if bid is not None and offer is not None:
            return bid, offer, (offer - bid) / 2.0
        near = above if bid is None else below
        return bid, offer, abs(near or 0.0) * unit
