"""Stop everything, or a part of it, and stay stopped until a person resets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Bps, Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.codes import CANCEL_ALL
from quotewright.model.orders import Fill, OrderUnknown, Rejected
from quotewright.plugin.settings import at_least, configured, positive, setting
from quotewright_plugins.risk_rules.liquidation import closing_order, reach_of
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, NewOrder, Report
    from quotewright.wiring import BindContext


@configured
class KillSwitch(ScopedRule):
    """Set HALT after ``rejects``, ``fills`` or ``unknown`` orders within ``window``; latched until released.

    It also gives a ``halt`` of the operator its place in the config: a run with this rule ends halted, never quietly
    resumed. 0 switches a trigger off. ``scope`` is what is counted together and stopped: one strategy, instrument or
    venue, or all. With ``flatten`` the positions are closed first, by one immediate-or-cancel order at a time, at most
    ``collar`` through the mid, all else cancelled; the halt follows when they are flat.
    """

    rejects: int = setting(
        default=50, doc="rejected orders within the window that stop everything, 0 for never", check=at_least(0)
    )
    fills: int = setting(
        default=0, doc="executions within the window that stop everything, 0 for never", check=at_least(0)
    )
    unknown: int = setting(
        default=0,
        doc="orders of unknown outcome within the window that stop everything, 0 for never",
        check=at_least(0),
    )
    window: Duration = setting(default="10s", doc="window over which they are counted", check=at_least(1))
    scope: Literal["all", "venue", "instrument", "strategy"] = setting(
        default="all", doc="what is counted together and stopped"
    )
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(default="halt", doc="state after the stop")
    flatten: bool = setting(default=False, doc="whether positions are closed before the halt")
    collar: Percent | Bps = setting(default="1%", doc="how far through the mid flatten may trade", check=positive)
    every: Duration = setting(default="100ms", doc="how often a flatten goes on at most", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Start counting."""
        if self.flatten and self.scope == "strategy":
            raise ConfigError(f"{context.where}.flatten: should go with scope all, venue or instrument, was strategy")
        self.wake_every_ns = int(self.every) if self.flatten else 0
        self._final = breach_of(self.on_breach)
        self.breach = min(self._final, int(CANCEL_ALL)) if self.flatten else self._final
        self._reach = reach_of(self.collar)
        self._views = context.views
        self._own = OwnOrders(context.views)
        self._limits = {"orders rejected": self.rejects, "executions": self.fills, "orders unknown": self.unknown}
        self._times: dict[tuple[str, str], Times] = {}
        self._sent_ns: dict[int, int] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is, if that makes a difference."""
        if self.scope == "strategy":
            self._own.note(command, view)

    def on_report(self, report: Report, view: View) -> None:
        """Count rejects, fills and unknown outcomes within the window."""
        strategy = self._own.of(report, view).strategy if self.scope == "strategy" else ""
        if isinstance(report, Rejected):
            self._count("orders rejected", view, strategy)
        elif isinstance(report, Fill):
            self._count("executions", view, strategy)
        elif isinstance(report, OrderUnknown):
            self._count("orders unknown", view, strategy)

    def _count(self, what: str, view: View, strategy: str) -> None:
        limit = self._limits[what]
        if not limit:
            return
        scope = scope_of(self.scope, view, strategy)
        times = self._times.get((scope, what))
        if times is None:
            times = self._times[scope, what] = Times(int(self.window))
        count = times.add(view.now_ns)
        if count >= limit:
            self.stop(scope, f"{count} {what} within {self.window}, limit {limit}", view.now_ns)

    def on_wake(self, view: View) -> None:
        """Halt what has been flattened."""
        if not self.flatten:
            return
        for scope in list(self._until):
            state, why = self.scoped.get(scope, (0, "")) if scope else (self.state, self.why)
            if state != self._final and self._is_flat(scope):
                self.set_state(self._final, why, scope)

    def _is_flat(self, scope: str) -> bool:
        return not any(view.position_lots and scope_of(self.scope, view) == scope for view in self._views)

    def actions(self, view: View) -> list[NewOrder]:
        """Close the position of an instrument that is being flattened."""
        scope = scope_of(self.scope, view)
        now_ns = view.now_ns
        if not self.flatten or scope not in self._until:
            return []
        if now_ns - self._sent_ns.get(view.instrument_id, now_ns - self.wake_every_ns) < self.wake_every_ns:
            return []
        order = closing_order(view, abs(view.position_lots), self._reach, self.name)
        if order is None:
            return []
        self._sent_ns[view.instrument_id] = now_ns
        return [order]

    def forget(self, scope: str) -> None:
        """Count anew."""
        for what in self._limits:
            self._times.pop((scope, what), None)
