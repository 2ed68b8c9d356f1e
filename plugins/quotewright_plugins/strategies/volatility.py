"""The measured volatility, and the keys that say how it is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration
from quotewright.plugin.settings import at_least, configured, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


class MeasuredVolatility:
    """Realised volatility of the mid over a window of elapsed time, kept by the kernel."""

    def __init__(self, context: BindContext, window_ns: int, estimator: str) -> None:
        self._signal = context.volatility(window_ns, estimator=estimator)

    def bps(self, view: View) -> float | None:
        """Return it in basis points of the mid per root second; None until it is known."""
        mid2 = view.mid2
        if mid2 <= 0 or not self._signal.is_ready:
            return None
        return self._signal.value * 20_000.0 / mid2

    def ticks(self, view: View) -> float | None:
        """Return it in ticks per root second; None until it is known."""
        return self._signal.value / view.tick_steps if self._signal.is_ready else None


@configured
class VolatilityReader:
    """Keys that say how the volatility is measured."""

    volatility_window: Duration = setting(default="60s", doc="window of the measured volatility", check=at_least(60))
    volatility_estimator: Literal["realised", "exponential", "range", "bipower", "median"] = setting(
        default="realised", doc="how it is estimated: bipower and median look past single jumps"
    )

    def measured(self, context: BindContext) -> MeasuredVolatility:
        """Have the kernel keep it."""
        return MeasuredVolatility(context, int(self.volatility_window), self.volatility_estimator)
