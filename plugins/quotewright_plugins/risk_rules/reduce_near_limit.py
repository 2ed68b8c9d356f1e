"""Near the limit, only reduce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.codes import NORMAL, REDUCE_ONLY
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, between, configured, positive, setting
from quotewright_plugins.risk_rules.scoped import scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Report
    from quotewright.wiring import BindContext


@configured
class ReduceNearLimit(RiskRule):
    """Let only reducing orders of an instrument pass from ``soft`` of ``limit`` on, until it is below ``until``.

    It leaves room below a hard limit such as that of ``position_limit``: quotes stop growing the position before
    orders are refused for it.
    """

    limit: Amount = setting(doc="position that the shares are taken of, a quantity or a value", check=positive)
    soft: Percent = setting(default="90%", doc="share from which only reducing orders pass", check=between("0.01", "1"))
    until: Percent = setting(default="80%", doc="share below which all orders pass again", check=between("0", "1"))
    every: Duration = setting(
        default="1s", doc="how often the position is read, besides after every report", check=at_least(1)
    )

    def bind(self, context: BindContext) -> None:
        """Tie the limit to every instrument it fits."""
        if self.until > self.soft:
            raise ConfigError(f"{context.where}.until: should be at most soft, {self.soft!s}, was {self.until!s}")
        self.wake_every_ns = int(self.every)
        self._limit = context.amount(self.limit, "limit")
        self._soft = self.soft.as_integer_ratio()
        self._until = self.until.as_integer_ratio()

    def on_report(self, report: Report, view: View) -> None:
        """Look at the position after every report."""
        self.on_wake(view)

    def on_wake(self, view: View) -> None:
        """Compare one instrument's position with the soft share, or while it only reduces with the lower one."""
        if not self._limit.applies_to(view):
            return
        scope = scope_of("instrument", view)
        position = abs(view.position_lots)
        limit = self._limit.lots(view)
        is_held = scope in self.scoped
        share, whole = self._until if is_held else self._soft
        if position and position * whole >= limit * share:
            text = f"{view.instrument.name}: position {position} lots, {self.soft!s} of the limit {limit} reached"
            self.set_state(REDUCE_ONLY, text, scope)
        elif is_held:
            self.set_state(NORMAL, "", scope)
