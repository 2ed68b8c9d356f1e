"""Avellaneda and Stoikov (2008), *High-frequency trading in a limit order book*, Quantitative Finance 8(3).

Reservation price ``r = s - q g v^2 T`` and total spread ``g v^2 T + (2/g) ln(1 + g/k)``, with *v* the volatility per
square root of the time unit of *T* and *k* the decay of the fill intensity ``A exp(-k d)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Bps, Duration
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.strategies.model import ModelMaker, liquidity_premium

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Strategy
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


def reservation_price(mid: float, position: float, gamma: float, sigma: float, remaining: float) -> float:
    """Return the price at which one more unit is worth as much as one less; *sigma* per root of *remaining*'s unit."""
    return mid - position * gamma * sigma * sigma * remaining


def optimal_spread(gamma: float, sigma: float, remaining: float, k: float) -> float:
    """Return the total spread, in the unit of *sigma*."""
    return gamma * sigma * sigma * remaining + 2.0 * liquidity_premium(gamma, k)


@configured
class AvellanedaStoikov(ModelMaker):
    """Quote the optimal spread around the reservation price.

    ``horizon`` is *T*: it rolls, so that it never runs out, or with ``horizon_rolls = false`` it counts down once from
    the start of the run and then stays at a hundredth.
    """

    horizon: Duration = setting(default="60s", doc="time over which inventory is carried", check=at_least(1))
    horizon_rolls: bool = setting(default=True, doc="whether the horizon stays ahead or counts down once")
    max_spread: Bps = setting(default="200 bps", doc="widest spread in basis points of the mid", check=positive)

    def bind(self, context: BindContext) -> None:
        """Turn the horizon into seconds."""
        super().bind(context)
        self._horizon = int(self.horizon) * 1e-9
        self._begun_ns = 0
        self._most = float(self.max_spread.fraction)

    def take_over(self, before: Strategy) -> None:
        """Let a horizon that counts down count from when it first did."""
        if isinstance(before, AvellanedaStoikov):
            self._begun_ns = before._begun_ns

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the reservation price and half the optimal spread, in ticks; None until all is measured."""
        mid = view.mid_ticks()
        unit = self.unit_ticks(view)
        sigma = self.volatility(view, unit)
        held = self.units_held(view)
        k = self.decay(view, unit)
        if sigma is None or held is None or k is None:
            return None
        remaining = self._horizon if self.horizon_rolls else self._remaining(view.now_ns)
        shift = reservation_price(0.0, held, self.gamma, sigma, remaining)
        half = optimal_spread(self.gamma, sigma, remaining, k) * unit / 2.0
        half = max(mid * self._least / 2.0, min(mid * self._most / 2.0, half))
        return mid + shift * unit, half

    def _remaining(self, now_ns: int) -> float:
        if self._begun_ns == 0:
            self._begun_ns = now_ns
        return max((self._begun_ns + int(self.horizon) - now_ns) * 1e-9, self._horizon / 100.0)
