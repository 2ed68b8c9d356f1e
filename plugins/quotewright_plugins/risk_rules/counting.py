"""What rules have in common that stop a scope once something has happened too often within a window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quotewright.config.units import Duration, Percent
from quotewright_plugins.risk_rules.own_orders import OwnOrders
from quotewright_plugins.risk_rules.scoped import ScopedRule, breach_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command
    from quotewright.wiring import BindContext


class CountingRule(ScopedRule):
    """A rule that counts by scope: it warns from ``warn_at`` of ``limit`` within ``window`` and stops the scope there.

    A subclass has these keys and calls :meth:`count`; ``own`` knows whose order a report is about.
    """

    limit: int
    window: Duration
    warn_at: Percent
    every: Duration
    on_breach: str

    def bind(self, context: BindContext) -> None:
        """Start counting."""
        self.wake_every_ns = int(self.every)
        self.breach = breach_of(self.on_breach)
        self.own = OwnOrders(context.views)
        self._warn = math.ceil(self.limit * self.warn_at)
        self._times: dict[str, Times] = {}

    def count(self, scope: str, what: str, now_ns: int, remark: str = "") -> None:
        """Count one more of *what* for *scope*, and stop or warn."""
        times = self._times.get(scope)
        if times is None:
            times = self._times[scope] = Times(int(self.window))
        count = times.add(now_ns)
        text = f"{count} {what} within {self.window}, limit {self.limit}{remark}"
        if count >= self.limit:
            self.stop(scope, text, now_ns)
        elif count >= self._warn:
            self.warn(scope, text)

    def on_command(self, command: Command, view: View) -> None:
        """Remember whose order it is."""
        self.own.note(command, view)

    def on_wake(self, view: View) -> None:
        """Let go what was stopped long enough, and take back a warning when the window has emptied."""
        super().on_wake(view)
        for scope, times in self._times.items():
            if times.times and times.count(view.now_ns) < self._warn:
                self.calm(scope)

    def forget(self, scope: str) -> None:
        """Count anew."""
        self._times.pop(scope, None)
