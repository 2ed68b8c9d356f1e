"""How often takers reach how far, ``A exp(-k d)``: measured while running, and the keys that say how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Bps, Duration
from quotewright.kernel.signals_intensity import TradeIntensity
from quotewright.plugin.settings import at_least, between, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.wiring import BindContext


class MeasuredIntensity:
    """*A* per second and side and *k* per basis point of distance, fitted by the kernel to the prints of a window."""

    def __init__(self, context: BindContext, window_ns: int, width_bps: float, skip: int) -> None:
        self._signal = context.signal(TradeIntensity(window_ns, width=width_bps, skip=skip))

    def fitted(self) -> tuple[float, float] | None:
        """Return ``(k, A)``; None until enough takers have come."""
        signal = self._signal
        if not signal.is_ready:
            return None
        return signal.k, signal.a


@configured
class IntensityReader:
    """Keys that say how the intensity of fills is measured where it is not stated."""

    intensity_window: Duration = setting(default="10m", doc="window of the measured intensity", check=at_least(60))
    intensity_width: Bps = setting(
        default="0.1 bps", doc="width of a bin of distance; a hundred bins are counted", check=positive
    )
    intensity_skip: int = setting(
        default=1,
        doc="bins left out from the fullest on: takers who go no farther than the touch",
        check=between(0, 50),
    )

    def measured_intensity(self, context: BindContext) -> MeasuredIntensity:
        """Have the kernel keep it."""
        return MeasuredIntensity(context, int(self.intensity_window), float(self.intensity_width), self.intensity_skip)
