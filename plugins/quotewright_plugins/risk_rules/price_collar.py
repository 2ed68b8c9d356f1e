"""Refuse an order too far from where the market is."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from quotewright.config.units import Bps, Duration, Percent
from quotewright.kernel.codes import REFERENCE_SCALE
from quotewright.kernel.rules import RiskRule
from quotewright.plugin.settings import at_least, configured, positive, setting

if TYPE_CHECKING:
    from quotewright.kernel.rules import Refusal
    from quotewright.kernel.view import View
    from quotewright.model.orders import AmendOrder, NewOrder

CHANGES_EVERY_NS = 100_000_000
"""How often a mark or an index is looked at, to know how old it is."""


@configured
class PriceCollar(RiskRule):
    """Refuse an order priced farther than ``away`` from the reference on either side, or while that is missing or old.

    The reference is the mid, the last trade, or the venue's mark or index price. ``max_age`` is the age of the book, of
    the last trade, or of the last change of a mark or an index, which are looked at every 100 ms and at every order.
    Holds for reducing orders too. A market order counts at the opposite best.
    """

    exempts_reducing = False
    away: Percent | Bps = setting(doc="largest distance from the reference", check=positive)
    reference: Literal["mid", "last", "mark", "index"] = setting(default="mid", doc="price that orders are held to")
    max_age: Duration = setting(default="10s", doc="age from which the reference is none any more", check=at_least(1))

    def __attrs_post_init__(self) -> None:
        fraction = self.away.fraction if isinstance(self.away, Bps) else self.away
        self._share = fraction.as_integer_ratio()
        self._is_mid = self.reference == "mid"
        self._told: dict[int, tuple[int, int]] = {}
        self.wake_every_ns = CHANGES_EVERY_NS if self.reference in ("mark", "index") else 0

    def verdict(self, command: NewOrder | AmendOrder, view: View) -> Refusal | None:
        """Compare twice the order's price with twice the reference."""
        if self._is_mid:
            reference2, age_ns = view.mid2, view.book_age_ns
        else:
            reference2, age_ns = self._reference(view)
        if reference2 <= 0:
            return self.refuse("no_reference", f"there is no {self.reference}")
        if age_ns >= self.max_age:
            what = "book" if self._is_mid else self.reference
            return self.refuse("old_reference", f"the {what} is {age_ns / 1e9:.3f} s old, limit {self.max_age}")
        share, whole = self._share
        price2 = 2 * view.command_price_ticks(command) * view.tick_steps
        if self.wake_every_ns:
            decimals = view.instrument.price_decimals
            price2 *= 10 ** max(0, REFERENCE_SCALE - decimals)
            reference2 *= 10 ** max(0, decimals - REFERENCE_SCALE)
        distance2 = abs(price2 - reference2)
        if distance2 * whole <= share * reference2:
            return None
        away = Decimal(distance2) / reference2 * 100
        return self.refuse("price", f"{away:.3f} % from the {self.reference}, limit {self.away!s}")

    def _reference(self, view: View) -> tuple[int, int]:
        if self.reference == "last":
            return 2 * view.last_trade_steps, view.now_ns - view.last_trade_ns
        self.on_wake(view)
        price, since_ns = self._told[view.instrument_id]
        return 2 * price, view.now_ns - since_ns

    def on_wake(self, view: View) -> None:
        """Note when a mark or an index changed."""
        price = view.mark_price if self.reference == "mark" else view.index_price
        told = self._told.get(view.instrument_id)
        if told is None or told[0] != price:
            self._told[view.instrument_id] = (price, view.now_ns)
