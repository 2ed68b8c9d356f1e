"""The measured volatility in the unit that makers think in: basis points of the mid per square root of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


class MeasuredVolatility:
    """Realised volatility of the mid over a window of elapsed time, kept by the kernel."""

    def __init__(self, context: BindContext, window_ns: int) -> None:
        self._signal = context.volatility(window_ns)

    def bps(self, view: View) -> float | None:
        """Return it in basis points of the mid per root second; None until it is known."""
        mid2 = view.mid2
        if mid2 <= 0 or not self._signal.is_ready:
            return None
        return self._signal.value * 20_000.0 / mid2

    def ticks(self, view: View) -> float | None:
        """Return it in ticks per root second; None until it is known."""
        return self._signal.value / view.tick_steps if self._signal.is_ready else None
