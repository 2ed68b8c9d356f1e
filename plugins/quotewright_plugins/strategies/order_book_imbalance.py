"""Quotes that follow the heavier side of the book: moved towards where the price is likely to go, or widened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Bps
from quotewright.plugin.settings import between, configured, not_negative, positive, setting
from quotewright_plugins.strategies.imbalance import ImbalanceReader
from quotewright_plugins.strategies.leaning import LeaningMaker

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


def shifted(spread: float, imbalance: float, factor: float, threshold: float) -> float:
    """Return how far both quotes move towards the lighter side: ``spread * factor * imbalance`` from *threshold* on."""
    return spread * factor * imbalance if abs(imbalance) >= threshold else 0.0


def widened(spread: float, imbalance: float, factor: float) -> float:
    """Return ``spread * (1 + factor * |imbalance|)``."""
    return spread * (1.0 + factor * abs(imbalance))


@configured
class OrderBookImbalance(ImbalanceReader, LeaningMaker):
    """Quote around the mid, moved by ``spread * imbalance_skew * imbalance`` where that is ``threshold`` or more.

    A book heavy in bids (positive imbalance) moves both quotes up. ``spread`` is in basis points of the mid, or the
    market's own where it is not given; ``widen`` makes it ``1 + widen * |imbalance|`` times as wide. With
    ``max_position`` the quotes lean against inventory as well.
    """

    spread: Bps | None = setting(
        default=None, doc="full spread in basis points of the mid; the market's own if it is not given", check=positive
    )
    threshold: float = setting(default=0.1, doc="imbalance below which nothing moves", check=between(0, 1))
    imbalance_skew: float = setting(
        default=0.3, doc="shift of both quotes at imbalance 1, as a share of the spread", check=not_negative
    )
    widen: float = setting(default=0.0, doc="widening at imbalance 1, as a share of the spread", check=not_negative)

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instrument."""
        super().bind(context)
        self._fraction = None if self.spread is None else float(self.spread.fraction)

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the moved centre and half the spread, in ticks."""
        mid = view.mid_ticks()
        spread = (
            (view.book.best_offer - view.book.best_bid) / view.tick_steps
            if self._fraction is None
            else mid * self._fraction
        )
        imbalance = self.imbalance(view)
        half = widened(spread, imbalance, self.widen) / 2.0
        centre = mid + shifted(spread, imbalance, self.imbalance_skew, self.threshold)
        return centre - half * self.lean(view), half
