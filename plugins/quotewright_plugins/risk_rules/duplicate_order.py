"""Refuse the same order again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Duration
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import NewOrder
from quotewright.plugin.settings import at_least, configured, setting
from quotewright_plugins.risk_rules.windows import Times

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, Command

KEPT = 4096
"""How many different orders are remembered before those whose window is over are forgotten."""


@configured
class DuplicateOrder(RiskRule):
    """Refuse an order when a strategy has sent ``count`` with its side, price and quantity within ``window``.

    Orders count when they leave, and go on counting when they have been filled or cancelled. Amends are not compared.
    The operator's ``resume`` forgets them.
    """

    count: int = setting(default=3, doc="equal orders within the window that may leave", check=at_least(1))
    window: Duration = setting(default="1s", doc="window over which equal orders are counted", check=at_least(1))

    def __attrs_post_init__(self) -> None:
        self._sent: dict[tuple[int, str, int, int, int], Times] = {}

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Compare a new order with those that have left."""
        if not isinstance(command, NewOrder):
            return None
        sent = self._sent.get(_features(command))
        if sent is None or sent.count(view.now_ns) < self.count:
            return None
        return self.refuse("duplicate", f"{len(sent.times)} such orders within {self.window}, limit {self.count}")

    def on_command(self, command: Command, view: View) -> None:
        """Remember a new order."""
        if not isinstance(command, NewOrder):
            return
        features = _features(command)
        sent = self._sent.get(features)
        if sent is None:
            if len(self._sent) >= KEPT:
                self._sent = {key: times for key, times in self._sent.items() if times.count(view.now_ns)}
            sent = self._sent[features] = Times(int(self.window))
        sent.add(view.now_ns)

    def release(self, now_ns: int) -> bool:
        """Forget what has left."""
        self._sent.clear()
        return super().release(now_ns)


def _features(order: NewOrder) -> tuple[int, str, int, int, int]:
    return order.instrument, order.strategy, order.side, order.price_ticks, order.quantity_lots
