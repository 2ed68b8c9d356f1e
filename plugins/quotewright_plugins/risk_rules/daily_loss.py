"""Stop for the day after losing too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent, TimeOfDay
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import RiskState
from quotewright.plugin.settings import at_least, between, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext

DAY_NS = 86_400_000_000_000


@configured
class DailyLoss(RiskRule):
    """Set ``on_breach`` when the profit of the day, realised and open, fees taken off, is a loss of ``limit`` or more.

    The day begins at ``reset``; a new day starts from the equity of that moment, the first one from zero. ``confirm``
    readings in a row must agree before the state latches. Released by the operator, whereupon the count starts anew,
    or with ``latch = "daily"`` also by the new day.
    """

    limit: Amount = setting(doc="largest loss of a day in quote currency", check=positive)
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    reset: TimeOfDay = setting(default="00:00 UTC", doc="when the day begins")
    every: Duration = setting(default="1s", doc="how often the profit is read", check=at_least(1))
    confirm: int = setting(default=1, doc="readings in a row that must be beyond the limit", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="halt", doc="state of the system after the loss"
    )
    latch: Literal["manual", "daily"] = setting(default="manual", doc="who releases the latch besides the operator")

    def bind(self, context: BindContext) -> None:
        """Take the limit as money."""
        self.wake_every_ns = int(self.every)
        self._limit = context.money(self.limit, "limit")
        self._warn = int(self._limit * self.warn_at)
        self._first = context.views[0]
        self._day: int | None = None
        self._opening: int | None = 0
        self._readings = 0

    def on_wake(self, view: View) -> None:
        """Read the profit of the day; once per wake-up, not once per instrument."""
        if view is not self._first:
            return
        equity = view.account_equity
        day = (view.now_ns - self.reset) // DAY_NS
        if self._opening is None or (self._day is not None and day != self._day):
            self._opening = equity
            self._readings = 0
            if self.latch == "daily" or self.state <= RiskState.WARNING:
                self.set_state(RiskState.NORMAL, "")
        self._day = day
        if self.state > RiskState.WARNING:
            return
        loss = self._opening - equity
        self._readings = self._readings + 1 if loss >= self._limit else 0
        if loss < self._warn:
            self.set_state(RiskState.NORMAL, "")
            return
        text = f"lost {money_text(loss)} today, limit {money_text(self._limit)}"
        is_over = self._readings >= self.confirm
        self.set_state(RiskState[self.on_breach.upper()] if is_over else RiskState.WARNING, text)

    def release(self, now_ns: int) -> bool:
        """Release the latch; the loss is counted from the equity of the next reading."""
        self._opening = None
        self._readings = 0
        return super().release(now_ns)
