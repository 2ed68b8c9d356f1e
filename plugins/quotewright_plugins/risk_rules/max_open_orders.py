"""Hold the number of open orders, and of price levels a side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Duration, Percent
from quotewright.kernel.codes import NORMAL, WARNING
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import NewOrder
from quotewright.plugin.settings import at_least, between, configured, setting

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder
    from quotewright.wiring import BindContext


@configured
class MaxOpenOrders(RiskRule):
    """Refuse an order when ``orders`` are open, or ``per_side`` on its side, or its price would be one of too many.

    Open, pending and unknown orders count until their end is known: an order that is being cancelled too. ``levels`` is
    the number of different prices on one side; an amend counts at its new price from when it leaves, a market order at
    none. Warns from ``warn_at`` of ``orders``.
    """

    orders: int = setting(doc="most open orders", check=at_least(1))
    per_side: int = setting(
        default=0, doc="most open orders on one side of an instrument, 0 for no such limit", check=at_least(0)
    )
    levels: int = setting(
        default=0, doc="most prices on one side of an instrument, 0 for no such limit", check=at_least(0)
    )
    per: Literal["instrument", "all"] = setting(default="instrument", doc="what the limit of orders holds for")
    warn_at: Percent = setting(
        default="80%", doc="share of the limit at which the rule warns", check=between("0.01", "1")
    )
    every: Duration = setting(default="1s", doc="how often the warning is looked at", check=at_least(1))

    def bind(self, context: BindContext) -> None:
        """Take the instruments of the run."""
        self.wake_every_ns = int(self.every)
        self._views = context.views
        self._warn = math.ceil(self.orders * self.warn_at)

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Count what is open."""
        is_new = isinstance(command, NewOrder)
        side = view.command_side(command)
        if is_new:
            count = self._open(view)
            if count >= self.orders:
                return self.refuse("orders", f"{count} open orders, limit {self.orders}")
            if self.per_side:
                count = 0
                for order in view.live:
                    if order.side == side:
                        count += 1
                if count >= self.per_side:
                    return self.refuse("per_side", f"{count} open orders on this side, limit {self.per_side}")
        if self.levels and command.price_ticks:
            number = 0 if is_new else command.order_number
            prices = {command.price_ticks}
            for order in view.live:
                if order.side == side and order.number != number and order.price_ticks:
                    prices.add(order.amend_price_ticks if order.amend_quantity_lots else order.price_ticks)
            if len(prices) > self.levels:
                return self.refuse("levels", f"{len(prices)} prices on this side, limit {self.levels}")
        return None

    def _open(self, view: View) -> int:
        if self.per == "instrument":
            return len(view.live)
        count = 0
        for one in self._views:
            count += len(one.live)
        return count

    def on_wake(self, view: View) -> None:
        """Warn when most of the limit is used, over all instruments."""
        most = 0
        for one in self._views:
            most = max(most, self._open(one))
        if most >= self._warn:
            self.set_state(WARNING, f"{most} open orders, limit {self.orders}")
        elif self.state:
            self.set_state(NORMAL, "")
