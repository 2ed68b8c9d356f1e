"""Stop a strategy that was executed again and again, until a person enables it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.model.orders import Fill, NewOrder
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext


@configured
class RepeatedExecution(ScopedRule):
    """Stop a strategy when it was executed ``limit`` times within ``window``; the operator enables it again.

    ``counts = "orders"`` counts the orders that it sent instead. Warns from ``warn_at`` of the limit.
    """

    limit: int = setting(doc="executions within the window that stop the strategy", check=at_least(1))
    window: Duration = setting(default="1m", doc="window over which they are counted", check=at_least(1))
    counts: Literal["executions", "orders"] = setting(default="executions", doc="what is counted")
    scope: Literal["strategy", "instrument", "venue", "all"] = setting(
        default="strategy", doc="what is counted together and stopped"
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the warning is looked at", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(default="cancel_all", doc="state after the stop")

    def bind(self, context: BindContext) -> None:
        """Start counting."""
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self._warn = math.ceil(self.limit * self.warn_at)
        self._own = OwnOrders(context.views)
        self._times: dict[str, Times] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is, and count it if orders are counted."""
        self._own.note(command, view)
        if self.counts == "orders" and isinstance(command, NewOrder):
            self._count(scope_of(self.scope, view, command.strategy), view.now_ns)

    def on_report(self, report: Report, view: View) -> None:
        """Count an execution."""
        own = self._own.of(report, view)
        if self.counts == "executions" and isinstance(report, Fill):
            self._count(scope_of(self.scope, view, own.strategy), view.now_ns)

    def _count(self, scope: str, now_ns: int) -> None:
        times = self._times.get(scope)
        if times is None:
            times = self._times[scope] = Times(int(self.window))
        count = times.add(now_ns)
        if count >= self.limit:
            self.stop(scope, self._text(count), now_ns)
        elif count >= self._warn:
            self.warn(scope, self._text(count))

    def _text(self, count: int) -> str:
        return f"{count} {self.counts} within {self.window}, limit {self.limit}"

    def on_wake(self, view: View) -> None:
        """Take back a warning when the window has emptied."""
        for scope, times in self._times.items():
            if times.times and times.count(view.now_ns) < self._warn:
                self.calm(scope)

    def forget(self, scope: str) -> None:
        """Count anew."""
        self._times.pop(scope, None)
