"""A fixed spread around the mid, leaned against inventory: the plainest market maker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Bps
from quotewright.plugin.settings import configured, not_negative, positive, setting
from quotewright_plugins.strategies.multi_level import MultiLevelMaker, inventory_ratio

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class FixedSpread(MultiLevelMaker):
    """Quote ``spread`` around the mid; inventory moves both quotes against itself.

    The centre is ``mid - skew * half * sign(r) * |r| ** skew_exponent`` with *r* the position as a share of
    ``max_position``, held within [-1, 1]: a long position lowers both quotes, a short one raises both.
    """

    spread: Bps = setting(doc="full spread in basis points of the mid", check=positive)
    max_position: Amount = setting(doc="position at which the skew is full", check=positive)
    skew: float = setting(
        default=1.0, doc="shift of both quotes at the full position, in half-spreads", check=not_negative
    )
    skew_exponent: float = setting(
        default=1.0, doc="shape of the skew: 1 linear, more is flatter near zero", check=positive
    )

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instrument."""
        super().bind(context)
        self._limit = context.amount(self.max_position, "max_position")
        self._half_fraction = float(self.spread.fraction) / 2.0

    def centre_and_half(self, view: View) -> tuple[float, float] | None:
        """Return the skewed centre and half the spread, in ticks."""
        mid = view.mid_ticks()
        half = mid * self._half_fraction
        ratio = inventory_ratio(view.position_lots, self._limit.lots(view))
        lean = math.copysign(abs(ratio) ** self.skew_exponent, ratio) if ratio else 0.0
        return mid - self.skew * half * lean, half
