"""Keep the number of messages to a venue within its limit, and some of them back for cancels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.errors import ConfigError
from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, between, configured, setting
from quotewright_plugins.risk_rules.scoped import venue_of
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, Command, NewOrder
    from quotewright.wiring import BindContext


@configured
class MessageLimit(RiskRule):
    """Refuse orders and amends when ``limit`` messages less the ``reserve`` have left within ``window``.

    Orders, amends and cancels count when they leave; cancels always pass, and so do orders that only reduce: the
    reserve is theirs. ``burst`` is a second limit over ``burst_window``. What orders may use is rounded down, and
    ``warn_at`` is a share of that within ``window``.
    """

    limit: int = setting(doc="most messages within the window, cancels included", check=at_least(1))
    window: Duration = setting(default="1s", doc="window over which messages are counted", check=at_least(1))
    burst: int = setting(default=0, doc="most messages within burst_window, 0 for no such limit", check=at_least(0))
    burst_window: Duration = setting(default="100ms", doc="window of the burst", check=at_least(1))
    reserve: Percent = setting(
        default="20%", doc="share of both limits that is kept for cancels", check=between("0", "0.99")
    )
    per: Literal["venue", "strategy", "all"] = setting(default="venue", doc="what the limits hold for")
    warn_at: Percent = setting(
        default="80%", doc="share of what orders may use at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the warning is looked at", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Take the reserve off both limits."""
        self.wake_every_ns = int(self.every)
        self._room = int(self.limit * (1 - self.reserve))
        self._burst_room = int(self.burst * (1 - self.reserve))
        if self._room < 1 or (self.burst and self._burst_room < 1):
            raise ConfigError(f"{context.where}.reserve: {self.reserve!s} of the limit leaves no message for orders")
        self._warn = math.ceil(self._room * self.warn_at)
        self._sent: dict[str, tuple[Times, Times]] = {}

    def _counts(self, command: Command, view: View) -> tuple[Times, Times]:
        of = venue_of(view) if self.per == "venue" else command.strategy if self.per == "strategy" else ""
        counts = self._sent.get(of)
        if counts is None:
            counts = self._sent[of] = (Times(int(self.window)), Times(int(self.burst_window)))
        return counts

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Refuse what would eat into the reserve."""
        sent, bursts = self._counts(command, view)
        count = sent.count(view.now_ns)
        if count >= self._room:
            return self.refuse("messages", f"{count} messages within {self.window}, orders may use {self._room}")
        if self.burst:
            count = bursts.count(view.now_ns)
            if count >= self._burst_room:
                text = f"{count} messages within {self.burst_window}, orders may use {self._burst_room}"
                return self.refuse("burst", text)
        return None

    def on_command(self, command: Command, view: View) -> None:
        """Count what leaves, cancels too."""
        sent, bursts = self._counts(command, view)
        if self.burst:
            bursts.add(view.now_ns)
        count = sent.add(view.now_ns)
        if count >= self._warn:
            self._tell(count)

    def on_wake(self, view: View) -> None:
        """Take back the warning when the window has emptied."""
        if not self.state:
            return
        most = 0
        for sent, _ in self._sent.values():
            most = max(most, sent.count(view.now_ns))
        if most >= self._warn:
            self._tell(most)
        else:
            self.set_state(NORMAL, "")

    def _tell(self, count: int) -> None:
        self.set_state(WARNING, f"{count} messages within {self.window}, limit {self.limit}")
