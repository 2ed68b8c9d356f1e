"""Notice when own orders meet at the venue: it should not happen, and it must not go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.model.orders import Canceled, Fill
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.counting import CountingRule
from quotewright_plugins.risk_rules.scoped import scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Report
    from quotewright.wiring import BindContext

KEPT = 1024
"""How many executions of an instrument are remembered to find the other half of a self-trade."""


@configured
class SelfTradePrevention(CountingRule):
    """Stop when self-trade prevention ended ``limit`` of our orders within ``window``, or a self-trade passed.

    A self-trade is one execution, by its id, that filled a buying and a selling order of ours: it means that the
    venue's prevention is off or not set on every order, and stops at once. ``self_cross`` keeps own orders apart before
    they leave.
    """

    limit: int = setting(default=3, doc="orders ended by prevention within the window", check=at_least(1))
    window: Duration = setting(default="1m", doc="window over which they are counted", check=at_least(1))
    freeze: Duration = setting(default="0s", doc="how long the stop lasts, 0 until the operator releases it")
    scope: Literal["instrument", "strategy", "venue", "all"] = setting(
        default="instrument", doc="what is counted together and stopped"
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the freeze and the warning are looked at", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(default="cancel_all", doc="state after it")

    def bind(self, context: BindContext) -> None:
        """Start counting."""
        super().bind(context)
        self.freeze_ns = int(self.freeze)
        self._fills: dict[int, dict[str, tuple[int, int]]] = {view.instrument_id: {} for view in context.views}

    def on_report(self, report: Report, view: View) -> None:
        """Count an order that was ended by prevention, and find both halves of a self-trade."""
        own = self.own.of(report, view)
        scope = scope_of(self.scope, view, own.strategy)
        if isinstance(report, Fill):
            fills = self._fills[view.instrument_id]
            other, side = fills.setdefault(report.fill_id, (report.order_number, own.side))
            if other != report.order_number and side != own.side:
                both = f"orders {other} and {report.order_number}, both ours"
                self.stop(scope, f"{view.instrument.name}: execution {report.fill_id} filled {both}", view.now_ns)
            if len(fills) > KEPT:
                del fills[next(iter(fills))]
        elif isinstance(report, Canceled) and report.reason == "stp":
            self.count(scope, "orders ended by self-trade prevention", view.now_ns)
