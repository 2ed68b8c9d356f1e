"""Stop after losing too much within the last hour."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration
from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.plugin.settings import at_least, configured, setting
from quotewright_plugins.risk_rules.losses import LossRule

if TYPE_CHECKING:
    from quotewright.wiring import BindContext


@configured
class RollingLoss(LossRule):
    """Set ``on_breach`` when equity is ``limit`` or more below what it was ``window`` ago.

    What it was is the last reading that is at least ``window`` old; within the first window of a run, zero. With
    ``latch = "window"`` the state also ends when the loss of the window is below the warning again.
    """

    window: Duration = setting(default="1h", doc="time over which the loss is taken", check=at_least(1))
    latch: Literal["manual", "window"] = setting(default="manual", doc="who releases the latch besides the operator")

    def bind(self, context: BindContext) -> None:
        """Begin with nothing earned."""
        super().bind(context)
        self._past: deque[tuple[int, int]] = deque()
        self._before = 0
        self._is_anew = False

    def read(self, now_ns: int, equity: int) -> None:
        """Compare with the equity of one window ago."""
        if self._is_anew:
            self._is_anew = False
            self._before = equity
        past, begin_ns = self._past, now_ns - self.window
        if past and past[-1][0] == now_ns:
            past.pop()
        past.append((now_ns, equity))
        while past[0][0] <= begin_ns:
            self._before = past.popleft()[1]
        loss = self._before - equity
        if self.latch == "window" and self.state > WARNING and loss < self._warn:
            self._readings = 0
            self.set_state(NORMAL, "")
        self.judge(now_ns, loss, f"lost {{}} within {self.window}")

    def count_anew(self) -> None:
        """Start the window anew at the next reading."""
        self._past.clear()
        self._is_anew = True
