"""What makers by a model of inventory risk share: risk aversion, fill intensity, volatility, and their units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Bps
from quotewright.plugin.settings import configured, positive, setting
from quotewright_plugins.strategies.intensity import IntensityReader
from quotewright_plugins.strategies.maker import MultiLevelMaker
from quotewright_plugins.strategies.volatility import VolatilityReader

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


def liquidity_premium(gamma: float, k: float) -> float:
    """Return ``ln(1 + gamma/k) / gamma``: what each quote earns over its reservation price, in the unit of ``1/k``."""
    return math.log1p(gamma / k) / gamma


@configured
class ModelMaker(VolatilityReader, IntensityReader, MultiLevelMaker):
    """A maker that quotes by *gamma*, *k* and the volatility.

    ``units = "bps"`` (default): *gamma* and *k* are per basis point of the mid and per level size, so that one config
    fits every instrument. ``units = "price"``: they are per unit of quote currency and the position counts in base
    units, as in the papers. Volatility is measured over ``volatility_window`` unless ``sigma`` states it (basis points,
    or quote currency, per square root of a second), *k* over ``intensity_window`` unless it is stated.
    """

    gamma: float = setting(doc="risk aversion", check=positive)
    k: float | None = setting(
        default=None, doc="decay of the fill intensity with distance; measured if it is not given", check=positive
    )
    units: Literal["bps", "price"] = setting(default="bps", doc="unit of gamma, k and sigma")
    sigma: float | None = setting(
        default=None, doc="volatility per root second; measured if it is not given", check=positive
    )
    min_spread: Bps = setting(default="0 bps", doc="least spread in basis points of the mid")

    def bind(self, context: BindContext) -> None:
        """Ask for the volatility unless it is given."""
        super().bind(context)
        self._volatility = None if self.sigma is not None else self.measured(context)
        self._intensity = self.measured_intensity(context) if self.lacks_intensity() else None
        self._is_bps = self.units == "bps"
        self._tick_price = float(context.instrument.tick_size)
        self._least = float(self.min_spread.fraction)

    def lacks_intensity(self) -> bool:
        """Return whether something of ``A exp(-k d)`` is to be measured."""
        return self.k is None

    def fitted(self, view: View, unit: float) -> tuple[float, float] | None:
        """Return *k* per unit of *unit* ticks and *A* per second as measured, 0 where nothing is; None until known."""
        if self._intensity is None:
            return 0.0, 0.0
        found = self._intensity.fitted()
        if found is None:
            return None
        k, rate = found
        return k * unit / (view.mid_ticks() * 1e-4), rate

    def decay(self, view: View, unit: float) -> float | None:
        """Return *k* per unit of *unit* ticks, stated or measured; None until it is known."""
        if self.k is not None:
            return self.k
        found = self.fitted(view, unit)
        return None if found is None else found[0]

    def unit_ticks(self, view: View) -> float:
        """Return how many ticks one unit of price is: a basis point of the mid, or one of quote currency."""
        return view.mid_ticks() * 1e-4 if self._is_bps else 1.0 / self._tick_price

    def volatility(self, view: View, unit: float) -> float | None:
        """Return the volatility in units of *unit* ticks per root second; None until it is known."""
        if self._volatility is None:
            return self.sigma
        ticks = self._volatility.ticks(view)
        return None if ticks is None else ticks / unit

    def units_held(self, view: View) -> float | None:
        """Return the position in level sizes or in base units; None while a level is less than a lot."""
        if not self._is_bps:
            return self.base_position(view)
        size_lots = self._size.lots(view)
        return view.own_position_lots / size_lots if size_lots > 0 else None
