"""Avellaneda and Stoikov (2008), *High-frequency trading in a limit order book*, Quantitative Finance 8(3).

Reservation price ``r = s - q g v^2 T`` and total spread ``g v^2 T + (2/g) ln(1 + g/k)``, with *v* the volatility per
square root of the time unit of *T* and *k* the decay of the fill intensity ``A exp(-k d)``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Bps, Duration
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.strategies.multi_level import MultiLevelMaker

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


def reservation_price(mid: float, position: float, gamma: float, sigma: float, remaining: float) -> float:
    """Return the price at which one more unit is worth as much as one less; *sigma* per root of *remaining*'s unit."""
    return mid - position * gamma * sigma * sigma * remaining


def optimal_spread(gamma: float, sigma: float, remaining: float, k: float) -> float:
    """Return the total spread, in the unit of *sigma*."""
    return gamma * sigma * sigma * remaining + 2.0 / gamma * math.log1p(gamma / k)


@configured
class AvellanedaStoikov(MultiLevelMaker):
    """Quote the optimal spread around the reservation price.

    ``units = "bps"`` (default): *gamma* and *k* are per basis point of the mid and per level size, so that one config
    fits every instrument. ``units = "price"``: they are per unit of quote currency and the position counts in base
    units, as in the paper. Volatility is measured over ``volatility_window`` unless ``sigma`` states it (basis points,
    or quote currency, per square root of a second). ``horizon`` is *T*: it rolls, so that it never runs out, or with
    ``horizon_rolls = false`` it counts down once from the start of the run and then stays at a hundredth.
    """

    gamma: float = setting(doc="risk aversion", check=positive)
    k: float = setting(doc="decay of the fill intensity with the distance from the mid", check=positive)
    horizon: Duration = setting(default="60s", doc="time over which inventory is carried", check=at_least(1))
    horizon_rolls: bool = setting(default=True, doc="whether the horizon stays ahead or counts down once")
    units: Literal["bps", "price"] = setting(default="bps", doc="unit of gamma, k and sigma")
    sigma: float | None = setting(
        default=None, doc="volatility per root second; measured if it is not given", check=positive
    )
    volatility_window: Duration = setting(default="60s", doc="window of the measured volatility", check=at_least(60))
    min_spread: Bps = setting(default="0 bps", doc="least spread in basis points of the mid")
    max_spread: Bps = setting(default="200 bps", doc="widest spread in basis points of the mid", check=positive)

    def bind(self, context: BindContext) -> None:
        """Ask for the volatility unless it is given."""
        super().bind(context)
        self._volatility = None if self.sigma is not None else context.volatility(int(self.volatility_window))
        self._horizon = int(self.horizon) * 1e-9
        self._end_ns = 0
        self._is_bps = self.units == "bps"
        self._tick_price = float(context.instrument.tick_size)
        self._lot_quantity = float(context.instrument.lot_size)
        self._least = float(self.min_spread.fraction)
        self._most = float(self.max_spread.fraction)

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the reservation price and half the optimal spread, in ticks; None until the volatility is known."""
        mid = view.mid_ticks()
        bps = self._is_bps
        unit = mid * 1e-4 if bps else 1.0 / self._tick_price  # ticks in one unit of price
        volatility = self._volatility
        if volatility is None:
            sigma = self.sigma or 0.0
        elif volatility.is_ready:
            sigma = volatility.value / view.tick_steps / unit
        else:
            return None
        position = float(view.position_lots)
        if bps:
            size_lots = self._size.lots(view)
            if size_lots <= 0:
                return None
            position /= size_lots
        else:
            position *= self._lot_quantity
        remaining = self._horizon if self.horizon_rolls else self._remaining(view.now_ns)
        shift = reservation_price(0.0, position, self.gamma, sigma, remaining)
        half = optimal_spread(self.gamma, sigma, remaining, self.k) * unit / 2.0
        half = max(mid * self._least / 2.0, min(mid * self._most / 2.0, half))
        return mid + shift * unit, half

    def _remaining(self, now_ns: int) -> float:
        if self._end_ns == 0:
            self._end_ns = now_ns + int(self.horizon)
        return max((self._end_ns - now_ns) * 1e-9, self._horizon / 100.0)
