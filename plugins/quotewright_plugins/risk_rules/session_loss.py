"""Stop the session after losing too much since it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.plugin.settings import configured, setting
from quotewright_plugins.risk_rules.losses import LossRule

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class SessionLoss(LossRule):
    """Set ``on_breach`` when a loss of ``limit`` or more was made since the run began or the operator released it.

    No clock ends the session. ``profit = "realised"`` leaves the open position out: fees and funding count, open losses
    do not.
    """

    profit: Literal["total", "realised"] = setting(
        default="total", doc="what is read: with the open position or without"
    )

    def bind(self, context: BindContext) -> None:
        """Begin the session with nothing lost."""
        super().bind(context)
        self._opening: int | None = 0

    def on_wake(self, view: View) -> None:
        """Read the profit."""
        if self.profit == "total":
            super().on_wake(view)
        else:
            realised = 0
            for one in self._views:
                realised += one.realised - one.fees + one.portfolio.funding
            self.read(view.now_ns, realised)

    def read(self, now_ns: int, equity: int) -> None:
        """Compare with the profit at the beginning."""
        if self._opening is None:
            self._opening = equity
            if self.state <= WARNING:
                self.set_state(NORMAL, "")
        self.judge(now_ns, self._opening - equity, "lost {} since the run began")

    def count_anew(self) -> None:
        """Begin a new session with the next reading."""
        self._opening = None
