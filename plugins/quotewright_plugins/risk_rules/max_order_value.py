"""Refuse an order that is worth too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount
from quotewright.kernel.portfolio import money_text
from quotewright.kernel.rules import CheckRule
from quotewright.plugin.settings import configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext


@configured
class MaxOrderValue(CheckRule):
    """Refuse an order whose price times quantity is above ``limit``, a reducing one too."""

    exempts_reducing = False
    limit: Amount = setting(doc="largest value of one order in quote currency", check=positive)

    def bind(self, context: BindContext) -> None:
        """Take the limit as money."""
        self._limit = context.money(self.limit, "limit")

    def check(self, order: NewOrder | AmendOrder, view: View) -> str:
        """Compare the value at the order's own price; a market order counts at the opposite best."""
        price_steps = view.command_price_ticks(order) * view.tick_steps
        value = abs(view.portfolio.worth(view.command_quantity_lots(order) * view.lot_steps, price_steps))
        return "" if value <= self._limit else f"value {money_text(value)}, limit {money_text(self._limit)}"
