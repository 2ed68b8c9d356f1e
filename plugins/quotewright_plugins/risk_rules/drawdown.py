"""Stop after equity has fallen too far from its peak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Duration
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.risk_rules.losses import LossRule
from quotewright_plugins.risk_rules.windows import Extremes

if TYPE_CHECKING:
    from quotewright.wiring import BindContext


@configured
class Drawdown(LossRule):
    """Set ``on_breach`` when equity lies ``limit`` or more below its highest point since the start or the last release.

    ``limit`` is an amount of quote currency, or a share of ``capital``. With a ``window`` only the peak of that long
    counts. It is latched until the operator releases it, and the peak then starts anew. It watches equity, never the
    price.
    """

    window: Duration = setting(default="0s", doc="how long a peak counts, 0 for ever")

    def bind(self, context: BindContext) -> None:
        """Begin with a peak of zero."""
        super().bind(context)
        self._peak: int | None = 0
        self._recent = Extremes(int(self.window)) if self.window else None

    def read(self, now_ns: int, equity: int) -> None:
        """Compare with the peak."""
        recent = self._recent
        if recent is not None:
            if self._peak is not None and not recent.highs:
                recent.add(now_ns, self._peak)
            recent.add(now_ns, equity)
            self._peak = recent.high
        elif self._peak is None or equity > self._peak:
            self._peak = equity
        self.judge(now_ns, self._peak - equity, "equity {} below its peak")

    def count_anew(self) -> None:
        """Start the peak anew at the next reading."""
        self._peak = None
        if self._recent is not None:
            self._recent.clear()
