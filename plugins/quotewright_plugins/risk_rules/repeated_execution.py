"""Stop a strategy that was executed again and again, until a person enables it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.model.orders import Fill, NewOrder
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.counting import CountingRule
from quotewright_plugins.risk_rules.scoped import scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report


@configured
class RepeatedExecution(CountingRule):
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

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is, and count it if orders are counted."""
        super().on_command(command, view)
        if self.counts == "orders" and isinstance(command, NewOrder):
            self.count(scope_of(self.scope, view, command.strategy), self.counts, view.now_ns)

    def on_report(self, report: Report, view: View) -> None:
        """Count an execution."""
        own = self.own.of(report, view)
        if self.counts == "executions" and isinstance(report, Fill):
            self.count(scope_of(self.scope, view, own.strategy), self.counts, view.now_ns)
