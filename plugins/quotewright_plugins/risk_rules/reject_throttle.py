"""Stop a strategy whose orders the venue keeps rejecting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.model.orders import AmendRejected, Rejected
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.counting import CountingRule
from quotewright_plugins.risk_rules.scoped import scope_of

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Report
    from quotewright.wiring import BindContext


@configured
class RejectThrottle(CountingRule):
    """Stop a strategy when the venue rejected ``limit`` of its orders or amends within ``window``.

    It stays stopped for ``freeze``, or with 0 until the operator releases it. Reasons in ``ignore`` do not count: by
    default those of post-only orders, which a maker meets every day. Rejected cancels do not count.
    """

    limit: int = setting(default=10, doc="rejects within the window that stop the strategy", check=at_least(1))
    window: Duration = setting(default="10s", doc="window over which rejects are counted", check=at_least(1))
    ignore: tuple[str, ...] = setting(default=("post_only",), doc="reasons that do not count")
    freeze: Duration = setting(default="0s", doc="how long the stop lasts, 0 until the operator releases it")
    scope: Literal["strategy", "instrument", "venue", "all"] = setting(
        default="strategy", doc="what is counted together and stopped"
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the freeze and the warning are looked at", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(default="cancel_all", doc="state after the stop")

    def bind(self, context: BindContext) -> None:
        """Start counting."""
        super().bind(context)
        self.freeze_ns = int(self.freeze)

    def on_report(self, report: Report, view: View) -> None:
        """Count a reject."""
        own = self.own.of(report, view)
        if not isinstance(report, Rejected | AmendRejected) or report.reason in self.ignore:
            return
        scope = scope_of(self.scope, view, own.strategy)
        self.count(scope, "rejects", view.now_ns, f"; the last for {report.reason}")
