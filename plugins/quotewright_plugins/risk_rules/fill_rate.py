"""Step aside for a while when fills come faster than they should."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from quotewright.config.units import Duration, Percent
from quotewright.errors import ConfigError
from quotewright.model.orders import Fill
from quotewright.plugin.settings import at_least, between, configured, not_negative, setting
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of, scope_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command, Report
    from quotewright.wiring import BindContext


class _Rate:
    """Fills of one scope: of the window, and of the longer time that says what is usual."""

    def __init__(self, window_ns: int, baseline_ns: int, now_ns: int) -> None:
        self.recent = Times(window_ns)
        self.usual = Times(baseline_ns)
        self.since_ns = now_ns


@configured
class FillRate(ScopedRule):
    """Set ``on_breach`` for ``cooldown`` when ``limit`` executions fell within ``window``.

    With ``times`` also when they are that many times what the rest of ``baseline`` before the window would have given,
    once ``baseline`` has passed since the first order and at least ``least`` fell within the window. What is usual
    stays known after a stop. Warns from ``warn_at`` of ``limit``.
    """

    example: ClassVar[dict[str, Any]] = {"limit": 10}

    limit: int = setting(default=0, doc="executions within the window, 0 for no such limit", check=at_least(0))
    window: Duration = setting(default="10s", doc="window over which executions are counted", check=at_least(1))
    times: float = setting(default=0.0, doc="times the usual number that counts, 0 for never", check=not_negative)
    baseline: Duration = setting(default="10m", doc="time that says what is usual", check=at_least(1))
    least: int = setting(default=10, doc="executions below which times does not count", check=at_least(1))
    cooldown: Duration = setting(default="30s", doc="how long the state lasts, 0 until the operator releases it")
    scope: Literal["instrument", "strategy", "venue", "all"] = setting(
        default="instrument", doc="what is counted together and stopped"
    )
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="100ms", doc="how often the cool-down is looked at", check=at_least(1))
    on_breach: Literal["reduce_only", "cancel_all", "halt"] = setting(default="cancel_all", doc="state after it")

    def bind(self, context: BindContext) -> None:
        """Start counting."""
        if not self.limit and not self.times:
            raise ConfigError(f"{context.where}: should state limit or times; none is given")
        if self.times and self.baseline <= self.window:
            raise ConfigError(f"{context.where}.baseline: should be longer than the window, {self.window!s}")
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.freeze_ns = int(self.cooldown)
        self._warn = math.ceil(self.limit * self.warn_at)
        self._own = OwnOrders(context.views)
        self._rates: dict[str, _Rate] = {}

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is; what is usual is counted from the first order on."""
        self._own.note(command, view)
        self._rate(scope_of(self.scope, view, command.strategy), view.now_ns)

    def on_report(self, report: Report, view: View) -> None:
        """Count an execution."""
        own = self._own.of(report, view)
        if not isinstance(report, Fill):
            return
        now_ns = view.now_ns
        scope = scope_of(self.scope, view, own.strategy)
        rate = self._rate(scope, now_ns)
        count = rate.recent.add(now_ns)
        if self.times:
            usual = rate.usual.add(now_ns) - count
            rest_ns = int(self.baseline) - int(self.window)
            if (
                now_ns - rate.since_ns >= self.baseline
                and count >= self.least
                and count * rest_ns >= self.times * usual * int(self.window)
            ):
                expected = usual * int(self.window) / rest_ns
                self.stop(scope, f"{count} executions within {self.window}, usual are {expected:.1f}", now_ns)
        if self.limit:
            text = f"{count} executions within {self.window}, limit {self.limit}"
            if count >= self.limit:
                self.stop(scope, text, now_ns)
            elif count >= self._warn:
                self.warn(scope, text)

    def _rate(self, scope: str, now_ns: int) -> _Rate:
        rate = self._rates.get(scope)
        if rate is None:
            rate = self._rates[scope] = _Rate(int(self.window), int(self.baseline), now_ns)
        return rate

    def on_wake(self, view: View) -> None:
        """Let go what has cooled down, and take back a warning when the window has emptied."""
        self.thaw(view.now_ns)
        if self.limit:
            for scope, rate in self._rates.items():
                if rate.recent.times and rate.recent.count(view.now_ns) < self._warn:
                    self.calm(scope)

    def forget(self, scope: str) -> None:
        """Count the window anew; what is usual stays known."""
        rate = self._rates.get(scope)
        if rate is not None:
            rate.recent.clear()
