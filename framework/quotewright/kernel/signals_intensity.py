"""How often takers reach how far: ``lambda(d) = A exp(-k d)`` per side, fitted to the prints of a window.

An *arrival* is one taker's order: its prints bear one event time and one side. It reaches as far as its farthest print
lies from the mid that stood before its first one. Distances are counted in bins of ``width``; ``N_j`` is how many
arrivals reached bin *j* or farther, ``T`` the time observed, and the rate of one side at ``d = j width`` is
``N_j / (2 T)``. The fit begins at bin *m*, the fullest one and ``skip`` more: nearer than the usual touch everybody is
reached, and the curve is flat; where most takers go no farther than the touch, ``skip = 1`` leaves them out.

``likelihood``: with ``D`` arrivals that stopped within a bin and ``S`` the number of bin borders passed by all
from *m* on, ``k = -ln(1 - D / (D + S)) / width``: the maximum likelihood of an exponential that is seen in bins and cut
off. ``A = N_m / (2 T) exp(k m width)``.
``regression``: least squares of ``ln(N_j / (2 T))`` on ``j width`` from *m* on, each point weighted by its ``N_j``.
"""

from __future__ import annotations

import math
from array import array

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import BUY, SELL
from quotewright.kernel.signals import SECOND_NS, Signal

RUNNING = -1
GONE = -2


class TradeIntensity(Signal):
    """``value`` is *k* per basis point (or price step) of distance from the mid, ``a`` is *A* per second and side.

    ``arrivals`` is how many arrivals the window holds, ``arrival_rate`` that per second of both sides. Slices at whose
    end no mid was known are left out, with their time. Ready once half of the window and ``least`` arrivals that the
    fit goes by were seen, and *k* is positive.
    """

    def __init__(
        self,
        window_ns: int,
        samples: int = 60,
        width: float = 0.1,
        bins: int = 100,
        unit: str = "bps",
        method: str = "likelihood",
        least: int = 30,
        skip: int = 0,
    ) -> None:
        super().__init__(window_ns, samples)
        if samples < 1 or not 1 <= bins <= 10_000 or not 0.0 < width < math.inf:
            raise ValueError(
                "TradeIntensity: samples should be 1 or more, bins 1 to 10000 and width positive, "
                f"were {samples}, {bins} and {width}"
            )
        if unit not in ("bps", "steps"):
            raise ValueError(f"TradeIntensity: unit should be bps or steps, was {unit!r}")
        if method not in ("likelihood", "regression"):
            raise ValueError(f"TradeIntensity: method should be likelihood or regression, was {method!r}")
        if least < 2 or skip < 0:
            raise ValueError(f"TradeIntensity: least should be 2 or more and skip 0 or more, were {least} and {skip}")
        self.unit = f"1 / {'bps' if unit == 'bps' else 'price step'}"
        self.time_base_ns = SECOND_NS
        self.wants_trades = True
        self.width = width
        self.bins = bins
        self.in_bps = unit == "bps"
        self.method = method
        self.least = least
        self.skip = skip
        self.running = array("q", bytes(8 * (bins + 1)))
        self.totals = array("q", bytes(8 * (bins + 1)))
        self.slices = array("q", bytes(8 * (bins + 1) * samples))
        self.known = array("q", bytes(8 * samples))
        self.at = 0
        self.known_count = 0
        self.last_event_ns = -1
        self.last_side = 0
        self.last_mid2 = 0
        self.last_bin = 0
        self.last_slice = GONE
        self.scale = 0.0

    @property
    def k(self) -> float:
        return self.current()

    @property
    def a(self) -> float:
        """*A*, per second and side."""
        self.current()
        return self.scale

    @property
    def arrivals(self) -> int:
        return sum(self.counts())

    @property
    def arrival_rate(self) -> float:
        """Arrivals of both sides per second."""
        seconds = self.seconds()
        return self.arrivals / seconds if seconds > 0.0 else 0.0

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.width, self.bins, self.in_bps, self.method, self.least, self.skip)

    def seconds(self) -> float:
        """Return how long the window was observed."""
        return self.known_count * (self.sample_ns * 1e-9)

    def counts(self) -> list[int]:
        """Return how many arrivals ended in each bin; the last entry counts those beyond all bins."""
        return list(self.totals)

    def rate(self, distance: float) -> float:
        """Return the arrivals per second on one side that reach *distance*."""
        return self.a * math.exp(-self.k * distance)

    def bin_of(self, side: int, price: int) -> int:
        """Return the bin of a print at *price*, by the mid that stood before its arrival."""
        away2 = 2 * price - self.last_mid2 if side == BUY else self.last_mid2 - 2 * price
        if away2 <= 0:
            return 0
        away = float(away2) * 10_000.0 / float(self.last_mid2) if self.in_bps else float(away2) * 0.5
        away /= self.width
        return self.bins if away >= self.bins else int(away)

    def on_trade(self, now_ns: int, event_ns: int, side: int, price: int, size: int) -> bool:
        """Count an arrival at its first print, and move it outward with each farther one."""
        book = self.book
        if book is None:
            return False
        if side != BUY and side != SELL:
            side = BUY if 2 * price >= book.mid2() else SELL
        if event_ns == self.last_event_ns and side == self.last_side:
            if self.last_slice == GONE:
                return False
            here = self.bin_of(side, price)
            if here > self.last_bin:
                self.put(self.last_bin, -1)
                self.put(here, 1)
                self.last_bin = here
            return True
        self.last_event_ns = event_ns
        self.last_side = side
        self.last_slice = GONE
        if not book.is_good():
            return False
        self.last_mid2 = book.mid2()
        self.last_bin = self.bin_of(side, price)
        self.last_slice = RUNNING
        self.put(self.last_bin, 1)
        return True

    def put(self, bin: int, count: int) -> bool:
        """Add *count* to a bin of the slice that the last arrival belongs to."""
        if self.last_slice == RUNNING:
            self.running[bin] += count
        else:
            self.slices[self.last_slice * (self.bins + 1) + bin] += count
            self.totals[bin] += count
            self.is_due = True
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Close the running slice."""
        at = self.at
        base = at * (self.bins + 1)
        if self.known[at]:
            for index in range(self.bins + 1):
                self.totals[index] -= self.slices[base + index]
            self.known[at] = 0
            self.known_count -= 1
            if self.last_slice == at:
                self.last_slice = GONE
        if self.last_slice == RUNNING:
            self.last_slice = at if mid2 > 0 else GONE
        if mid2 > 0:
            self.known[at] = 1
            self.known_count += 1
            for index in range(self.bins + 1):
                self.slices[base + index] = self.running[index]
                self.totals[index] += self.running[index]
        for index in range(self.bins + 1):
            self.running[index] = 0
        self.at = at + 1 if at + 1 < self.samples else 0
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def estimate(self) -> float:
        self.is_known = False
        self.scale = 0.0
        fullest = 0
        for index in range(self.bins):
            if self.totals[index] > self.totals[fullest]:
                fullest = index
        fullest += self.skip
        seconds = self.seconds()
        reached = 0
        for index in range(fullest, self.bins + 1):
            reached += self.totals[index]
        if seconds <= 0.0 or reached == 0:
            return 0.0
        if self.method == "likelihood":
            k = self.by_likelihood(fullest, reached, seconds)
        else:
            k = self.by_regression(fullest, reached, seconds)
        self.is_known = k > 0.0 and reached >= self.least and self.known_count * 2 >= self.samples
        return k

    def by_likelihood(self, first: int, reached: int, seconds: float) -> float:
        """Return *k* and set ``scale`` by maximum likelihood; 0.0 if every arrival ended in one bin, or beyond all."""
        passed = 0
        for index in range(first, self.bins + 1):
            passed += self.totals[index] * (index - first)
        stopped = reached - self.totals[self.bins]
        if passed == 0 or stopped == 0:
            return 0.0
        share = float(stopped) / float(stopped + passed)
        k = -math.log(1.0 - share) / self.width
        self.scale = float(reached) / (2.0 * seconds) * math.exp(k * first * self.width)
        return k

    def by_regression(self, first: int, reached: int, seconds: float) -> float:
        """Return *k* and set ``scale`` by weighted least squares; 0.0 with fewer than two points."""
        weights = 0.0
        distances = 0.0
        logs = 0.0
        left = reached
        points = 0
        for index in range(first, self.bins + 1):
            if left == 0:
                break
            weights += left
            distances += left * (index * self.width)
            logs += left * math.log(left / (2.0 * seconds))
            left -= self.totals[index]
            points += 1
        if points < 2:
            return 0.0
        distances /= weights
        logs /= weights
        across = 0.0
        along = 0.0
        left = reached
        for index in range(first, first + points):
            away = index * self.width - distances
            across += left * away * away
            along += left * away * (math.log(left / (2.0 * seconds)) - logs)
            left -= self.totals[index]
        slope = along / across
        self.scale = math.exp(logs - slope * distances)
        return -slope
