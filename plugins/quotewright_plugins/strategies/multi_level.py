"""Several levels a side, leaned against inventory, wider when the market moves more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Bps
from quotewright.plugin.settings import between, configured, positive, setting
from quotewright_plugins.strategies.leaning import LeaningMaker
from quotewright_plugins.strategies.volatility import VolatilityReader

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


def widening(sigma: float, doubles: float, most: float) -> float:
    """Return by what the spread is multiplied at volatility *sigma*: 1 at none, 2 at *doubles*, never above *most*."""
    return min(most, 1.0 + sigma / doubles)


@configured
class MultiLevel(VolatilityReader, LeaningMaker):
    """Quote ``levels`` a side around the mid; the position moves all of them, volatility spreads them.

    ``half = mid * spread / 2 * min(max_widening, 1 + sigma / volatility_doubles)``, the centre is ``mid - half *
    lean``, level *i* stands ``half * (1 + level_step * i)`` from it. *sigma* is in basis points per square root of a
    second; without ``volatility_doubles`` the spread stays as it is.
    """

    spread: Bps = setting(doc="full spread of the first level in basis points of the mid", check=positive)
    levels: int = setting(default=3, doc="levels on each side", check=between(1, 100))
    max_position: Amount = setting(doc="position at which the skew is full", check=positive)
    volatility_doubles: float | None = setting(
        default=None, doc="volatility that doubles the spread, basis points per root second", check=positive
    )
    max_widening: float = setting(
        default=3.0, doc="most by which volatility may multiply the spread", check=between(1, 100)
    )

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instrument and ask for the volatility if the spread answers to it."""
        super().bind(context)
        self._half_fraction = float(self.spread.fraction) / 2.0
        self._volatility = None if self.volatility_doubles is None else self.measured(context)

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the skewed centre and half the widened spread, in ticks; None until the volatility is known."""
        mid = view.mid_ticks()
        half = mid * self._half_fraction
        if self._volatility is not None and self.volatility_doubles is not None:
            sigma = self._volatility.bps(view)
            if sigma is None:
                return None
            half *= widening(sigma, self.volatility_doubles, self.max_widening)
        return mid - half * self.lean(view), half
