"""Guéant, Lehalle and Fernandez-Tapia (2013), *Dealing with the inventory risk*, Math. Financ. Econ. 7(4): 477-507.

Far from the end, with fills at ``A exp(-k d)`` and the inventory within *Q*, the optimal distances from the mid are
close to ``(1/g) ln(1 + g/k) +- (2q +- 1)/2 * c`` with ``c = sqrt(v^2 g / (2kA) * (1 + g/k)^(1 + k/g))``: plus for the
bid, minus for the offer.
"""

from __future__ import annotations

import math

from quotewright.plugin.settings import configured, positive, setting
from quotewright_plugins.strategies.bounded import BoundedMaker
from quotewright_plugins.strategies.model import liquidity_premium


def inventory_step(gamma: float, sigma: float, k: float, intensity: float) -> float:
    """Return by how much one more unit of inventory lowers both quotes, in the unit of *sigma*.

    *intensity* is *A*: fills per unit of time of *sigma* of a quote at the mid.
    """
    ratio = gamma / k
    return sigma * math.sqrt(gamma / (2.0 * k * intensity)) * math.exp(0.5 * (1.0 + 1.0 / ratio) * math.log1p(ratio))


def closed_form(q: float, gamma: float, sigma: float, k: float, intensity: float) -> tuple[float, float]:
    """Return how far below the mid the bid and above it the offer stand at inventory *q*."""
    premium = liquidity_premium(gamma, k)
    step = inventory_step(gamma, sigma, k, intensity)
    return premium + (2.0 * q + 1.0) / 2.0 * step, premium - (2.0 * q - 1.0) / 2.0 * step


@configured
class Glft(BoundedMaker):
    """Quote the asymptotic closed form; at ``max_position`` the side that would add to it is not quoted."""

    intensity: float = setting(doc="fills per second of a quote at the mid: A of A exp(-k d)", check=positive)

    def distances(self, held: float, bound: float, sigma: float) -> tuple[float | None, float | None]:
        """Return both distances of the closed form, which knows no bound."""
        return closed_form(held, self.gamma, sigma, self.k, self.intensity)
