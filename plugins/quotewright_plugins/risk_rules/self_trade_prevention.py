"""Notice when own orders meet at the venue: it should not happen, and it must not go on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.model.orders import Canceled, Fill
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext

KEPT = 1024
"""How many executions of an instrument are remembered to find the other half of a self-trade."""


@configured
class SelfTradePrevention(ScopedRule):
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
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.freeze)
        self._warn = math.ceil(self.limit * self.warn_at)
        self._own = OwnOrders(context.views)
        self._times: dict[str, Times] = {}
        self._fills: dict[int, dict[str, tuple[int, int]]] = {view.instrument_id: {} for view in context.views}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Count an order that was ended by prevention, and find both halves of a self-trade."""
        own = self._own.of(report, view)
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
            times = self._times.get(scope)
            if times is None:
                times = self._times[scope] = Times(int(self.window))
            count = times.add(view.now_ns)
            text = f"{count} orders ended by self-trade prevention within {self.window}, limit {self.limit}"
            if count >= self.limit:
                self.stop(scope, text, view.now_ns)
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
