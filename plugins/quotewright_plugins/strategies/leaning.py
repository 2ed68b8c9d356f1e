"""Leaning against inventory: both quotes move against the position, in shares of the half-spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount
from quotewright.kernel.making import Leaning, leaning
from quotewright.plugin.settings import between, configured, not_negative, positive, setting
from quotewright_plugins.strategies.maker import MultiLevelMaker

if TYPE_CHECKING:
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


__all__ = ["LeaningMaker", "leaning"]


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
        limit = None if self.max_position is None else context.amount(self.max_position, "max_position")
        self._leaning = Leaning(limit, self.skew, self.skew_exponent, self.skew_dead_zone)

    def lean(self, view: View) -> float:
        """Return the skew wanted now in half-spreads: positive when long, to be taken off both quotes."""
        return self._leaning.lean(view, view.own_position_lots)
