"""What a taker gets of the displayed depth of the replay venue, and at which price: unless told, everything."""

from __future__ import annotations

from decimal import Decimal
from math import isqrt

from quotewright.config.units import Bps
from quotewright.errors import ConfigError

NONE = Decimal(0)


class TakingOptions:
    """How pessimistic taking is. All of it is whole numbers, rounded against us.

    Args:
        haircut: Share of each displayed size that is not there when we come.
        decay: How much more leaves a level for each lot that we take from it, until the level's next update.
        impact: Share of the price by which a fill is worse once an order has taken *impact_size*.
        impact_size: That size, in units of the instrument's size.
        is_linear: Impact grows with what the order has taken; otherwise with its square root.
    """

    def __init__(
        self,
        haircut: Decimal = NONE,
        decay: Decimal = NONE,
        impact: Decimal = NONE,
        impact_size: Decimal = Decimal(1),
        is_linear: bool = False,
    ) -> None:
        if not 0 <= haircut <= 1:
            raise ConfigError(f"taking: haircut should be between 0% and 100%, was {haircut:%}")
        if decay < 0 or impact < 0 or impact_size <= 0:
            raise ConfigError(
                "taking: decay and impact should be zero or more and impact_size positive, were "
                f"{decay}, {impact} and {impact_size}"
            )
        self.haircut = haircut
        self.decay = decay
        self.impact = impact
        self.impact_size = impact_size
        self.is_linear = is_linear
        self._cut = haircut.as_integer_ratio()
        self._decay = decay.as_integer_ratio()
        self._impact = impact.as_integer_ratio()
        self._size = impact_size.as_integer_ratio()

    def there(self, size: int) -> int:
        """Return how much of a displayed *size* is there when we come, rounded down."""
        if not self._cut[0]:
            return size
        return size - -(-size * self._cut[0] // self._cut[1])

    def gone(self, taken: int) -> int:
        """Return how much a level loses when we take *taken* from it, rounded up."""
        return taken - (-taken * self._decay[0] // self._decay[1])

    def worsening(self, price: int, taken: int, size_decimals: int) -> int:
        """Return by how many price steps a fill is worse that brings an order to *taken* size steps, rounded up."""
        rate, size = self._impact, self._size
        if not rate[0]:
            return 0
        # taken / (impact_size in steps) as a fraction
        above = taken * size[1]
        below: int = size[0] * 10**size_decimals
        if self.is_linear:
            return -(-price * rate[0] * above // (rate[1] * below))
        square: int = -(-price * price * rate[0] * rate[0] * above // (rate[1] * rate[1] * below))
        return isqrt(square - 1) + 1

    def describe(self) -> str:
        """Return what is taken for granted of taking, as the end of a sentence."""
        told = ["displayed quantity, each level at its price"]
        if self.haircut:
            told.append(f"of each level {self.haircut:%} is not there")
        if self.decay:
            told.append(f"a level loses {self.decay} more for each lot taken")
        if self.impact:
            form = "in proportion to" if self.is_linear else "with the square root of"
            told.append(
                f"prices are worse by {Bps(self.impact * 10_000)!s} at {self.impact_size}, growing {form} what is taken"
            )
        return ", ".join(told)
