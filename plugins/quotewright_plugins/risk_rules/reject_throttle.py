"""Stop a strategy whose orders the venue keeps rejecting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.model.orders import AmendRejected, Rejected
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext


@configured
class RejectThrottle(ScopedRule):
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
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.freeze)
        self._warn = math.ceil(self.limit * self.warn_at)
        self._own = OwnOrders(context.views)
        self._times: dict[str, Times] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Count a reject."""
        own = self._own.of(report, view)
        if not isinstance(report, Rejected | AmendRejected) or report.reason in self.ignore:
            return
        now_ns = view.now_ns
        scope = scope_of(self.scope, view, own.strategy)
        times = self._times.get(scope)
        if times is None:
            times = self._times[scope] = Times(int(self.window))
        count = times.add(now_ns)
        text = f"{count} rejects within {self.window}, limit {self.limit}; the last for {report.reason}"
        if count >= self.limit:
            self.stop(scope, text, now_ns)
        elif count >= self._warn:
            self.warn(scope, text)

    def on_wake(self, view: View) -> None:
        """Let go what was stopped long enough, and take back a warning when the window has emptied."""
        self.thaw(view.now_ns)
        for scope, times in self._times.items():
            if times.times and times.count(view.now_ns) < self._warn:
                self.calm(scope)

    def forget(self, scope: str) -> None:
        """Count anew."""
        self._times.pop(scope, None)
