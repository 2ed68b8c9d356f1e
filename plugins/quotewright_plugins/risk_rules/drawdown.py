"""Stop after equity has fallen too far from its peak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Amount, Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import RiskState
from quotewright.plugin.settings import at_least, between, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class Drawdown(RiskRule):
    """Set ``on_breach`` when equity lies ``limit`` or more below its highest point since the start or the last release.

    ``limit`` is an amount of quote currency, or a share of ``capital``. It is latched until the operator releases it,
    and the peak then starts anew. It watches equity, never the price.
    """

    limit: Amount | Percent = setting(
        doc="largest fall of equity from its peak: an amount, or a share of capital", check=positive
    )
    capital: Amount | None = setting(
        default=None, doc="capital that a percentage is taken of, in quote currency", check=positive
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often equity is read", check=at_least(1))
    confirm: int = setting(default=1, doc="readings in a row that must be beyond the limit", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(
        default="halt", doc="state of the system after the fall"
    )

    def bind(self, context: BindContext) -> None:
        """Take the limit as money."""
        self.wake_every_ns = int(self.every)
        if isinstance(self.limit, Amount):
            self._limit = context.money(self.limit, "limit")
        elif self.capital is None:
            raise ConfigError(f"{context.where}.capital: a limit of {self.limit!s} needs the capital it is a share of")
        else:
            self._limit = int(context.money(self.capital, "capital") * self.limit)
        self._warn = int(self._limit * self.warn_at)
        self._first = context.views[0]
        self._peak: int | None = 0
        self._readings = 0

    def on_wake(self, view: View) -> None:
        """Read equity; once per wake-up, not once per instrument."""
        if view is not self._first or self.state > RiskState.WARNING:
            return
        equity = view.account_equity
        if self._peak is None or equity > self._peak:
            self._peak = equity
        fall = self._peak - equity
        self._readings = self._readings + 1 if fall >= self._limit else 0
        if fall < self._warn:
            self.set_state(RiskState.NORMAL, "")
            return
        text = f"equity {money_text(fall)} below its peak, limit {money_text(self._limit)}"
        is_over = self._readings >= self.confirm
        self.set_state(RiskState[self.on_breach.upper()] if is_over else RiskState.WARNING, text)

    def release(self, now_ns: int) -> bool:
        """Release the latch; the peak starts anew at the next reading."""
        self._peak = None
        self._readings = 0
        return super().release(now_ns)
