"""Leaning against inventory: both quotes move against the position, in shares of the half-spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quotewright.config.units import Amount
from quotewright.plugin.settings import between, configured, not_negative, positive, setting
from quotewright_plugins.strategies.maker import MultiLevelMaker, inventory_ratio

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


def leaning(ratio: float, exponent: float, dead_zone: float) -> float:
    """Return how much of the full skew a share *ratio* of the largest position asks for, within [-1, 1].

    Nothing within the dead zone, then ``((|r| - d) / (1 - d)) ** exponent`` with the sign of *ratio*.
    """
    beyond = abs(ratio) - dead_zone
    if beyond <= 0.0:
        return 0.0
    return math.copysign(min(1.0, beyond / (1.0 - dead_zone)) ** exponent, ratio)


@configured
class LeaningMaker(MultiLevelMaker):
    """A maker whose quotes move against its position: both fall when it is long, both rise when it is short."""

    max_position: Amount | None = setting(default=None, doc="position at which the skew is full", check=positive)
    skew: float = setting(
        default=1.0, doc="shift of both quotes at the full position, in half-spreads", check=not_negative
    )
    skew_exponent: float = setting(
        default=1.0, doc="shape of the skew: 1 linear, more is flatter near zero", check=positive
    )
    skew_dead_zone: float = setting(
        default=0.0, doc="share of max_position that moves nothing yet", check=between(0, "0.99")
    )

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instrument."""
        super().bind(context)
        self._limit = None if self.max_position is None else context.amount(self.max_position, "max_position")

    def lean(self, view: View) -> float:
        """Return the skew wanted now in half-spreads: positive when long, to be taken off both quotes."""
        if self._limit is None:
            return 0.0
        ratio = inventory_ratio(self.position_lots(view), self._limit.lots(view))
        return self.skew * leaning(ratio, self.skew_exponent, self.skew_dead_zone)
