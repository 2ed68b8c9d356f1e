"""Guéant, Lehalle and Fernandez-Tapia (2013), *Dealing with the inventory risk*, Math. Financ. Econ. 7(4): 477-507.

Far from the end, with fills at ``A exp(-k d)`` and the inventory within *Q*, the optimal distances from the mid are
``(1/g) ln(1 + g/k) + (1/k) ln(f[q] / f[q+-1])``: plus for the bid, minus for the offer. *f* is the eigenvector of the
smallest eigenvalue of the matrix with ``(k/2) g v^2 q^2`` on its diagonal and ``-A (1 + g/k)^-(1 + k/g)`` beside it.
Near zero they are close to ``(1/g) ln(1 + g/k) +- (2q +- 1)/2 * c``, ``c = sqrt(v^2 g / (2kA) * (1 + g/k)^(1 + k/g))``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from quotewright.plugin.settings import configured, positive, setting
from quotewright_plugins.strategies.bounded import BoundedMaker
from quotewright_plugins.strategies.model import liquidity_premium

if TYPE_CHECKING:
    from quotewright.wiring import BindContext

HALVINGS = 60
LARGEST_BOUND = 500
"""Inventories beyond this many units are quoted as this one is."""


def inventory_step(gamma: float, sigma: float, k: float, intensity: float) -> float:
    """Return by how much one more unit of inventory lowers both quotes, in the unit of *sigma*.

    *intensity* is *A*: fills per unit of time of *sigma* of a quote at the mid.
    """
    ratio = gamma / k
    return sigma * math.sqrt(gamma / (2.0 * k * intensity)) * math.exp(0.5 * (1.0 + 1.0 / ratio) * math.log1p(ratio))


def closed_form(q: float, gamma: float, sigma: float, k: float, intensity: float) -> tuple[float, float]:
    """Return how far below the mid the bid and above it the offer stand at inventory *q*, by the closed form."""
    premium = liquidity_premium(gamma, k)
    step = inventory_step(gamma, sigma, k, intensity)
    return premium + (2.0 * q + 1.0) / 2.0 * step, premium - (2.0 * q - 1.0) / 2.0 * step


def spectral(gamma: float, sigma: float, k: float, intensity: float, bound: int) -> list[float]:
    """Return how far below the mid the bid stands at inventory ``-bound``, …, ``bound - 1``; the offer's mirror it.

    The rows of the eigenvalue equation, divided by the entry they stand for, are a continued fraction for ``f[q] /
    f[q-1]`` from *bound* inwards; the row of zero, where both neighbours are alike, holds at an eigenvalue only. It is
    found by halving: where the fraction turns negative the eigenvalue is not the smallest.
    """
    # alpha / eta of the paper: the diagonal is this times q squared, in units of what stands beside it.
    risk = (k / 2.0) * gamma * sigma * sigma / intensity * math.exp((1.0 + k / gamma) * math.log1p(gamma / k))
    ratios = [0.0] * (bound + 2)

    def is_beyond(value: float) -> bool:
        for q in range(bound, 0, -1):
            rest = risk * q * q + value - ratios[q + 1]
            if rest <= 0.0:
                return False
            ratios[q] = 1.0 / rest
        return value >= 2.0 * ratios[1]

    low, high = 0.0, 2.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if is_beyond(middle):
            high = middle
        else:
            low = middle
    is_beyond(high)
    premium = liquidity_premium(gamma, k)
    steps = [math.log(ratio) / k for ratio in ratios[1 : bound + 1]]
    return [premium + step for step in reversed(steps)] + [premium - step for step in steps]


def between(bids: list[float], q: float) -> float | None:
    """Return the bid's distance at inventory *q*, on the line between the whole ones; None at the bound and above."""
    bound = len(bids) // 2
    if q >= bound:
        return None
    at = max(0.0, q + bound)
    whole = math.floor(at)
    if whole + 1 >= len(bids):
        return bids[-1]
    return bids[whole] + (bids[whole + 1] - bids[whole]) * (at - whole)


@configured
class Glft(BoundedMaker):
    """Quote the asymptotic distances; at ``max_position`` the side that would add to it is not quoted.

    ``solution = "closed_form"`` (default) takes them from the paper's approximation, which is off where inventory is
    large and volatility high; ``"spectral"`` from the eigenvector, which knows the bound.
    """

    intensity: float | None = setting(
        default=None,
        doc="fills per second of a quote at the mid, A of A exp(-k d); measured if it is not given",
        check=positive,
    )
    solution: Literal["closed_form", "spectral"] = setting(
        default="closed_form", doc="the paper's approximation, or the eigenvector it approximates"
    )

    def bind(self, context: BindContext) -> None:
        """Begin with no solution."""
        super().bind(context)
        self._solved: tuple[float, float, float, int] = (-1.0, 0.0, 0.0, 0)
        self._bids: list[float] = []

    def lacks_intensity(self) -> bool:
        """Return whether *k* or *A* is to be measured."""
        return self.k is None or self.intensity is None

    def distances(
        self, held: float, bound: float, sigma: float, k: float, rate: float
    ) -> tuple[float | None, float | None]:
        """Return both distances; the eigenvector is found anew when what was measured or the bound has changed."""
        intensity = rate if self.intensity is None else self.intensity
        if intensity <= 0.0:
            return None, None
        if self.solution == "closed_form":
            return closed_form(held, self.gamma, sigma, k, intensity)
        whole = max(1, min(LARGEST_BOUND, int(bound + 0.5)))
        known = (sigma, k, intensity, whole)
        if self._solved != known:
            self._bids = spectral(self.gamma, sigma, k, intensity, whole)
            self._solved = known
        return between(self._bids, held), between(self._bids, -held)
