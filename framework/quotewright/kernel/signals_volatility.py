"""Realised volatility of the mid by elapsed time, per square root of a second: five estimators with one contract.

Each looks at the mid on a grid of pipeline time. ``unit="bps"`` takes log returns in basis points, ``unit="steps"``
moves in price steps. ``value`` is at least ``floor``. Ready once half of the window has been seen.
"""

from __future__ import annotations

import math
from array import array

from quotewright.kernel.book import BookModel
from quotewright.kernel.signals import SECOND_NS, Signal

UNITS = {"bps": "bps per square root of a second", "steps": "price steps per square root of a second"}
LN2 = 0.6931471805599453
MEDIAN_FACTOR = math.pi / (6.0 - 4.0 * math.sqrt(3.0) + math.pi)


class MidMoves(Signal):
    """Moves of the mid between neighbouring grid points of the window at which both mids were known."""

    def __init__(self, window_ns: int, samples: int = 60, unit: str = "bps", floor: float = 0.0) -> None:
        super().__init__(window_ns, samples)
        if samples < 1:
            raise ValueError(f"{type(self).__name__}: samples should be 1 or more, was {samples}")
        if unit not in UNITS:
            raise ValueError(f"{type(self).__name__}: unit should be bps or steps, was {unit!r}")
        if not 0.0 <= floor < math.inf:
            raise ValueError(f"{type(self).__name__}: floor should be zero or positive, was {floor}")
        self.in_bps = unit == "bps"
        self.unit = UNITS[unit]
        self.time_base_ns = SECOND_NS
        self.floor = floor
        self.moves = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.at = 0
        self.count = 0
        self.last_mid2 = 0

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.unit, self.floor)

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Note the move since the last grid point."""
        at = self.at
        self.count -= self.known[at]
        if mid2 > 0 and self.last_mid2 > 0:
            if self.in_bps:
                self.moves[at] = 10_000.0 * math.log(float(mid2) / float(self.last_mid2))
            else:
                self.moves[at] = float(mid2 - self.last_mid2) * 0.5
            self.known[at] = 1
            self.count += 1
        else:
            self.moves[at] = 0.0
            self.known[at] = 0
        self.last_mid2 = mid2
        self.at = at + 1 if at + 1 < self.samples else 0
        self.is_known = self.count * 2 >= self.samples
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def variance(self) -> float:
        """Return the variance of one second."""
        raise TypeError(f"{type(self).__name__} lacks variance()")

    def estimate(self) -> float:
        return max(self.floor, math.sqrt(self.variance()))


class Volatility(MidMoves):
    """Realised volatility, mean zero: ``sqrt(sum(d^2) / elapsed seconds)`` over the moves *d* of the window."""

    def variance(self) -> float:
        total = 0.0
        for index in range(self.samples):
            total += self.moves[index] * self.moves[index]
        return total / (self.count * (self.sample_ns * 1e-9)) if self.count > 0 else 0.0


class BipowerVolatility(MidMoves):
    """Realised bipower variation (Barndorff-Nielsen and Shephard 2004): a single jump hardly moves it.

    ``sqrt(pi/2 * mean(|d_i| * |d_(i-1)|) / grid seconds)`` over the pairs of neighbouring moves.
    """

    def variance(self) -> float:
        total = 0.0
        pairs = 0
        index = self.at
        last = -1.0
        for _ in range(self.samples):
            if self.known[index]:
                move = abs(self.moves[index])
                if last >= 0.0:
                    total += move * last
                    pairs += 1
                last = move
            else:
                last = -1.0
            index = index + 1 if index + 1 < self.samples else 0
        return math.pi * 0.5 * total / (pairs * (self.sample_ns * 1e-9)) if pairs > 0 else 0.0


class MedianVolatility(MidMoves):
    """Median of three neighbouring moves, squared (Andersen, Dobrev and Schaumburg 2012): no single jump counts.

    ``sqrt(pi / (6 - 4*sqrt(3) + pi) * mean(median(|d_(i-2)|, |d_(i-1)|, |d_i|)^2) / grid seconds)``.
    """

    def variance(self) -> float:
        total = 0.0
        triples = 0
        index = self.at
        first = -1.0
        second = -1.0
        for _ in range(self.samples):
            third = abs(self.moves[index]) if self.known[index] else -1.0
            if first >= 0.0 and second >= 0.0 and third >= 0.0:
                middle = max(min(first, second), min(max(first, second), third))
                total += middle * middle
                triples += 1
            first = second
            second = third
            index = index + 1 if index + 1 < self.samples else 0
        return MEDIAN_FACTOR * total / (triples * (self.sample_ns * 1e-9)) if triples > 0 else 0.0


class ExponentialVolatility(MidMoves):
    """Squared moves weighted by their age in elapsed time: a weight halves every *window_ns*.

    Grid points without a mid let the weights age and add nothing. Ready once the weights seen make up half of all,
    which takes one half-life.
    """

    def __init__(self, window_ns: int, samples: int = 60, unit: str = "bps", floor: float = 0.0) -> None:
        super().__init__(window_ns, samples, unit, floor)
        self.keep = math.exp(-LN2 / samples)
        self.squares = 0.0
        self.weight = 0.0

    def sample(self, mid2: int, book: BookModel) -> bool:
        self.squares *= self.keep
        self.weight *= self.keep
        if mid2 > 0 and self.last_mid2 > 0:
            if self.in_bps:
                move = 10_000.0 * math.log(float(mid2) / float(self.last_mid2))
            else:
                move = float(mid2 - self.last_mid2) * 0.5
            self.squares += (1.0 - self.keep) * move * move
            self.weight += 1.0 - self.keep
            self.count += 1
        self.last_mid2 = mid2
        self.is_known = self.weight > 0.4999999
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def variance(self) -> float:
        return self.squares / (self.weight * (self.sample_ns * 1e-9)) if self.weight > 0.0 else 0.0


class RangeVolatility(MidMoves):
    """Parkinson (1980): from the highest and lowest mid of each slice of the window, whatever stood between.

    ``sqrt(mean(h^2) / (4 * ln 2) / slice seconds)`` with *h* the move from the lowest to the highest mid. The slices
    are ``samples`` in number; one in which the book was not good throughout is left out. It sees every mid that stood
    for longer than an instant: fewer mids than a diffusion has make it read low.
    """

    def __init__(self, window_ns: int, samples: int = 20, unit: str = "bps", floor: float = 0.0) -> None:
        super().__init__(window_ns, samples, unit, floor)
        self.wants_quotes = True
        self.lowest2 = 0
        self.highest2 = 0
        self.is_whole = False
        self.pending_ns = -1
        self.pending2 = 0

    def on_best(self, now_ns: int, book: BookModel) -> bool:
        """Note the mid; what stood at one time is what its last message left."""
        if now_ns != self.pending_ns:
            self.settle()
            self.pending_ns = now_ns
        self.pending2 = book.mid2() if book.is_good() else 0
        return True

    def settle(self) -> bool:
        """Count the mid that was noted last."""
        if self.pending_ns < 0:
            return False
        self.pending_ns = -1
        if self.pending2 <= 0:
            self.is_whole = False
            return True
        self.lowest2 = min(self.lowest2, self.pending2)
        self.highest2 = max(self.highest2, self.pending2)
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Close the running slice; the next begins with the mid that stands."""
        self.settle()
        at = self.at
        self.count -= self.known[at]
        self.moves[at] = 0.0
        self.known[at] = 0
        if self.is_whole and self.lowest2 > 0:
            if self.in_bps:
                self.moves[at] = 10_000.0 * math.log(float(self.highest2) / float(self.lowest2))
            else:
                self.moves[at] = float(self.highest2 - self.lowest2) * 0.5
            self.known[at] = 1
            self.count += 1
        self.at = at + 1 if at + 1 < self.samples else 0
        self.lowest2 = mid2
        self.highest2 = mid2
        self.is_whole = mid2 > 0
        self.is_known = self.count * 2 >= self.samples
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def variance(self) -> float:
        total = 0.0
        for index in range(self.samples):
            total += self.moves[index] * self.moves[index]
        return total / (4.0 * LN2 * (self.count * (self.sample_ns * 1e-9))) if self.count > 0 else 0.0


ESTIMATORS: dict[str, type[MidMoves]] = {
    "realised": Volatility,
    "exponential": ExponentialVolatility,
    "range": RangeVolatility,
    "bipower": BipowerVolatility,
    "median": MedianVolatility,
}
"""Estimators by the names that config files use."""
