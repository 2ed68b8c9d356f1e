"""A fixed spread around the mid, leaned against inventory: the plainest market maker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.config.units import Amount, Bps
from quotewright.plugin.settings import configured, positive, setting
from quotewright_plugins.strategies.leaning import LeaningMaker

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright.kernel.view import View
    from quotewright.wiring import BindContext


@configured
class FixedSpread(LeaningMaker):
    """Quote ``spread`` around the mid; inventory moves both quotes against itself.

    The centre is ``mid - skew * half * sign(r) * |r| ** skew_exponent`` with *r* the position as a share of
    ``max_position``, held within [-1, 1]: a long position lowers both quotes, a short one raises both.
    """

    spread: Bps = setting(doc="full spread in basis points of the mid", check=positive)
    max_position: Amount = setting(doc="position at which the skew is full", check=positive)

    def bind(self, context: BindContext) -> None:
        """Tie the amounts to the instrument."""
        super().bind(context)
        self._half_fraction = float(self.spread.fraction) / 2.0

    def on_wake(self, view: View, quotes: Quotes) -> None:
        """State the quotes around the skewed centre."""
        self._quotes.around_mid(view, quotes, self._half_fraction, self._leaning, self._room)
