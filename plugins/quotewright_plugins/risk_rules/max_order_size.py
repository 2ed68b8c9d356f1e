"""Refuse an order that is too large by quantity: the fat finger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount
from quotewright.kernel.rules import CheckRule
from quotewright.plugin.settings import configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder
    from quotewright.wiring import BindContext


@configured
class MaxOrderSize(CheckRule):
    """Refuse an order of more than ``limit``, a reducing one too."""

    exempts_reducing = False
    limit: Amount = setting(doc="largest quantity of one order", check=positive)

    def bind(self, context: BindContext) -> None:
        """Tie the limit to every instrument it fits."""
        self._limit = context.amount(self.limit, "limit")

    def check(self, order: NewOrder | AmendOrder, view: View) -> str:
        """Compare the open quantity that the order would have."""
        lots, limit = view.command_quantity_lots(order), self._limit.lots(view)
        if not self._limit.applies_to(view) or lots <= limit:
            return ""
        return f"{lots} lots, limit {limit}"
