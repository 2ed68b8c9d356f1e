"""How far takers move the price: Kyle's lambda (1985), estimated over slices of elapsed time."""

from __future__ import annotations

import math
from array import array

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import BUY, SELL
from quotewright.kernel.signals import Signal


class PriceImpact(Signal):
    """Slope of the mid's move on the takers' signed volume over the slices of the window, least squares.

    ``value`` is basis points per unit of size bought; the line has an intercept of its own, so that a drift is no
    impact. ``r_squared`` is the share of the moves' variance that it explains. Slices without a mid at either end are
    left out. Ready once half of the window was seen and takers' volume differed between slices.
    """

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        if samples < 2:
            raise ValueError(f"PriceImpact: samples should be 2 or more, was {samples}")
        self.unit = "bps per unit of size"
        self.wants_trades = True
        self.volumes = array("d", bytes(8 * samples))
        self.moves = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.at = 0
        self.known_count = 0
        self.running = 0.0
        self.last_mid2 = 0
        self.explained = 0.0

    @property
    def r_squared(self) -> float:
        self.current()
        return self.explained

    def on_trade(self, now_ns: int, event_ns: int, side: int, price: int, size: int) -> bool:
        if side == BUY:
            self.running += float(size)
        elif side == SELL:
            self.running -= float(size)
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        at = self.at
        self.known_count -= self.known[at]
        self.known[at] = 0
        if mid2 > 0 and self.last_mid2 > 0:
            self.volumes[at] = self.running / self.size_scale
            self.moves[at] = 10_000.0 * math.log(float(mid2) / float(self.last_mid2))
            self.known[at] = 1
            self.known_count += 1
        self.running = 0.0
        self.last_mid2 = mid2
        self.at = at + 1 if at + 1 < self.samples else 0
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def estimate(self) -> float:
        self.is_known = False
        self.explained = 0.0
        if self.known_count < 2:
            return 0.0
        volume = 0.0
        move = 0.0
        for index in range(self.samples):
            if self.known[index]:
                volume += self.volumes[index]
                move += self.moves[index]
        volume /= self.known_count
        move /= self.known_count
        across = 0.0
        along = 0.0
        above = 0.0
        for index in range(self.samples):
            if self.known[index]:
                across += (self.volumes[index] - volume) * (self.volumes[index] - volume)
                along += (self.volumes[index] - volume) * (self.moves[index] - move)
                above += (self.moves[index] - move) * (self.moves[index] - move)
        if across <= 0.0:
            return 0.0
        self.is_known = self.known_count * 2 >= self.samples
        if above > 0.0:
            self.explained = along * along / (across * above)
        return along / across
