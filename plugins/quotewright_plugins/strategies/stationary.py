"""Avellaneda and Stoikov (2008) without an end: the reservation prices of their infinite horizon.

A dealer who discounts at *w* values *q* units at ``-exp(-g q s) / (w - g^2 v^2 q^2 / 2)``, while that is finite. One
more unit leaves it as it is at ``s + (1/g) ln(1 - (1 + 2q) R)`` and one less at ``s - (1/g) ln(1 - (1 - 2q) R)``, where
``R = g^2 v^2 / (2w - g^2 v^2 q^2)``. The paper's choice ``w = g^2 v^2 (Q + 1)^2 / 2`` keeps the inventory within *Q*,
and the volatility falls out. Its printed price for one less, ``s + (1/g) ln(1 + (1 - 2q) R)``, agrees to first order.
"""

from __future__ import annotations

import math

from quotewright.plugin.settings import configured, positive, setting
from quotewright_plugins.strategies.bounded import BoundedMaker
from quotewright_plugins.strategies.model import liquidity_premium


def natural_omega(gamma: float, sigma: float, bound: float) -> float:
    """Return the discount rate that keeps the inventory within *bound*, per unit of time of *sigma*."""
    return 0.5 * gamma * gamma * sigma * sigma * (bound + 1.0) * (bound + 1.0)


def reservation_prices(q: float, gamma: float, sigma: float, omega: float) -> tuple[float | None, float | None]:
    """Return the prices, less the mid, at which one more and one less unit leave the dealer as well off.

    None where there is no such price: the inventory would be beyond what *omega* bounds.
    """
    risk = gamma * gamma * sigma * sigma
    room = 2.0 * omega - risk * q * q
    if room <= 0.0:
        return None, None
    more = 1.0 - (1.0 + 2.0 * q) * risk / room
    less = 1.0 - (1.0 - 2.0 * q) * risk / room
    return (
        math.log(more) / gamma if more > 0.0 else None,
        -math.log(less) / gamma if less > 0.0 else None,
    )


def printed_less(q: float, gamma: float, sigma: float, omega: float) -> float:
    """Return the price for one less as the paper prints it, less the mid; nothing quotes it, documentation shows it."""
    risk = gamma * gamma * sigma * sigma
    return math.log(1.0 + (1.0 - 2.0 * q) * risk / (2.0 * omega - risk * q * q)) / gamma


@configured
class StationaryStoikov(BoundedMaker):
    """Quote ``ln(1 + gamma/k) / gamma`` outside the stationary reservation prices.

    ``omega`` (per second) is theirs for ``max_position`` unless it is stated; stated, it bounds the inventory at
    ``sqrt(2 omega) / (gamma sigma)`` where that is less than ``max_position``.
    """

    omega: float | None = setting(
        default=None, doc="discount rate per second; what max_position asks for if it is not given", check=positive
    )

    def distances(
        self, held: float, bound: float, sigma: float, k: float, rate: float
    ) -> tuple[float | None, float | None]:
        """Return both distances; beyond what *omega* bounds, those of the largest inventory it allows."""
        gamma = self.gamma
        premium = liquidity_premium(gamma, k)
        if self.omega is None:
            sigma = 1.0  # it falls out
            omega = natural_omega(gamma, sigma, bound)
        elif sigma > 0.0:
            omega = self.omega
        else:
            return premium, premium  # nothing moves: inventory is no risk
        most = max(0.0, math.sqrt(2.0 * omega) / (gamma * sigma) - 1.0)
        bid, offer = reservation_prices(max(-most, min(most, held)), gamma, sigma, omega)
        below = None if bid is None or held >= most else premium - bid
        above = None if offer is None or held <= -most else premium + offer
        return below, above
