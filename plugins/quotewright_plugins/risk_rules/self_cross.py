"""Never let own orders cross or lock one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import BUY
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import configured

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder


@configured
class SelfCross(RiskRule):
    """Refuse an order at or through the price of an own order of the other side on the same instrument.

    Orders of every strategy count until their end is known, an order that is being amended at both its prices. A market
    order is refused while any own order stands on the other side. Holds for reducing orders too.
    """

    exempts_reducing = False

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Compare with every own order of the other side."""
        side, price = view.command_side(command), command.price_ticks
        is_buy = side == BUY
        for order in view.live:
            if order.side == side:
                continue
            other = order.price_ticks
            if other > 0 and order.amend_quantity_lots:
                amended = order.amend_price_ticks
                other = min(other, amended) if is_buy else max(other, amended)
            if price <= 0 or other <= 0 or (price >= other if is_buy else price <= other):
                return self.refuse(
                    "self_cross", f"own order {order.number} stands at {other} ticks, this is at {price}"
                )
        return None
