"""Hold orders back once a minute has had enough of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from quotewright.kernel.rules import CheckRule
from quotewright.model.orders import AmendOrder, NewOrder
from quotewright.plugin import configured, hookimpl, positive, setting
from quotewright.plugin.specs import Factory

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import Command

MINUTE_NS = 60_000_000_000


@configured
class OrderPace(CheckRule):
    """At most ``orders`` orders and amends in any minute of market time; cancels are never asked about."""

    orders: int = setting(default=60, doc="most orders and amends in any minute", check=positive)

    def __attrs_post_init__(self) -> None:
        self._sent: deque[int] = deque()

    def check(self, order: NewOrder | AmendOrder, view: View) -> str:
        """Return why the order must not leave, or an empty text."""
        while self._sent and self._sent[0] <= view.now_ns - MINUTE_NS:
            self._sent.popleft()
        return f"{len(self._sent)} orders in a minute, limit {self.orders}" if len(self._sent) >= self.orders else ""

    def on_command(self, command: Command, view: View) -> None:
        """Count what has passed every rule."""
        if isinstance(command, NewOrder | AmendOrder):
            self._sent.append(view.now_ns)


@hookimpl
def risk_rules() -> dict[str, Factory]:
    """Offer the rule as ``plugin = "order_pace"`` in ``[risk.X]``."""
    return {"order_pace": OrderPace}
