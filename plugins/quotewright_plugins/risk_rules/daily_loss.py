"""Stop for the day after losing too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import TimeOfDay
from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.risk_rules.losses import LossRule

if TYPE_CHECKING:
    from quotewright.wiring import BindContext

DAY_NS = 86_400_000_000_000


@configured
class DailyLoss(LossRule):
    """Set ``on_breach`` when the profit of the day, realised and open, fees taken off, is a loss of ``limit`` or more.

    The day begins at ``reset``; a new day starts from the equity of that moment, the first one from zero. ``confirm``
    readings in a row must agree before the state latches. Released by the operator, whereupon the count starts anew,
    or with ``latch = "daily"`` also by the new day.
    """

    reset: TimeOfDay = setting(default="00:00 UTC", doc="when the day begins")
    latch: Literal["manual", "daily"] = setting(default="manual", doc="who releases the latch besides the operator")

    def bind(self, context: BindContext) -> None:
        """Begin the first day with nothing lost."""
        super().bind(context)
        self._day: int | None = None
        self._opening: int | None = 0

    def read(self, now_ns: int, equity: int) -> None:
        """Read the profit of the day; a new day starts from here."""
        day = (now_ns - self.reset) // DAY_NS
        if self._opening is None or (self._day is not None and day != self._day):
            self._opening = equity
            self._readings = 0
            if self.latch == "daily" or self.state <= WARNING:
                self.set_state(NORMAL, "")
        self._day = day
        self.judge(now_ns, self._opening - equity, "lost {} today")

    def count_anew(self) -> None:
        """Count the loss from the equity of the next reading."""
        self._opening = None
