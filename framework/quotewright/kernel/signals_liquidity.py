"""How much rests in the book by the book's own standard: the liquidity regime, and large resting orders."""

from __future__ import annotations

import math
from array import array

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import BID, OFFER
from quotewright.kernel.signals import Signal, depth_of, one_depth

THIN = -1
NORMAL = 0
DEEP = 1


class LiquidityRegime(Signal):
    """-1 thin, 0 normal, +1 deep: depth and spread at the last grid point by their ranks among those of the window.

    A rank is the share of the window's grid points that held less, those that held as much counting half. Thin: depth
    ranks at ``thin`` or below, or the spread at ``deep`` or above. Else deep: depth ranks at ``deep`` or above, and the
    spread not above the middle. Depth is that of *levels* a side, or of all within *bps* of the mid. Ready once half of
    the window was seen and the book was good at the last grid point.
    """

    def __init__(
        self,
        window_ns: int,
        samples: int = 360,
        levels: int | None = None,
        bps: float | None = None,
        thin: float = 0.2,
        deep: float = 0.8,
    ) -> None:
        super().__init__(window_ns, samples)
        if samples < 1 or not 0.0 < thin < 0.5 < deep < 1.0:
            raise ValueError(
                "LiquidityRegime: samples should be 1 or more, thin between 0 and 0.5, deep between 0.5 and 1, "
                f"were {samples}, {thin} and {deep}"
            )
        depth, self.bps = one_depth("LiquidityRegime", levels, bps)
        self.depth = depth
        self.thin = thin
        self.deep = deep
        self.unit = "-1 thin, 0 normal, +1 deep"
        self.depths = array("d", bytes(8 * samples))
        self.spreads = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.at = 0
        self.last = 0
        self.known_count = 0
        self.depth_place = 0.5
        self.spread_place = 0.5

    @property
    def regime(self) -> str:
        """The regime in a word."""
        return ("thin", "normal", "deep")[int(self.current()) + 1]

    @property
    def depth_rank(self) -> float:
        self.current()
        return self.depth_place

    @property
    def spread_rank(self) -> float:
        self.current()
        return self.spread_place

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.depth, self.bps, self.thin, self.deep)

    def sample(self, mid2: int, book: BookModel) -> bool:
        at = self.at
        self.known_count -= self.known[at]
        self.known[at] = 0
        if mid2 > 0:
            self.depths[at] = depth_of(book, self.depth, self.bps)
            self.spreads[at] = book.spread_bps()
            self.known[at] = 1
            self.known_count += 1
        self.last = at
        self.at = at + 1 if at + 1 < self.samples else 0
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def estimate(self) -> float:
        self.is_known = False
        self.depth_place = 0.5
        self.spread_place = 0.5
        if not self.known[self.last]:
            return float(NORMAL)
        depth = self.depths[self.last]
        spread = self.spreads[self.last]
        shallower = 0
        tighter = 0
        for index in range(self.samples):
            if self.known[index]:
                if self.depths[index] < depth:
                    shallower += 2
                elif self.depths[index] == depth:
                    shallower += 1
                if self.spreads[index] < spread:
                    tighter += 2
                elif self.spreads[index] == spread:
                    tighter += 1
        self.depth_place = float(shallower) / float(2 * self.known_count)
        self.spread_place = float(tighter) / float(2 * self.known_count)
        self.is_known = self.known_count * 2 >= self.samples
        if self.depth_place <= self.thin or self.spread_place >= self.deep:
            return float(THIN)
        if self.depth_place >= self.deep and self.spread_place <= 0.5:
            return float(DEEP)
        return float(NORMAL)


class LargeOrders(Signal):
    """How many large resting orders appeared during the window; each counts once, however long it rests.

    A level is large that holds at least ``multiple`` times the usual level, and at least ``least`` units of size. The
    usual level is the median size of the best ``levels`` of both sides, averaged over the grid points of the window. A
    large level stays one order, wherever the market goes, until less than half of what made it large is left.
    ``resting`` lists those that rest, ``seen`` and ``ended`` count since the start, ``mean_life_ns`` is that of the
    ended ones. Ready once half of the window was seen.
    """

    def __init__(
        self, window_ns: int, samples: int = 60, levels: int = 5, multiple: float = 5.0, least: float = 0.0
    ) -> None:
        super().__init__(window_ns, samples)
        if samples < 1 or levels < 1:
            raise ValueError(f"LargeOrders: samples and levels should be 1 or more, were {samples} and {levels}")
        if not 0.0 <= multiple < math.inf or not 0.0 <= least < math.inf or multiple + least == 0.0:
            raise ValueError(
                f"LargeOrders: multiple or least should be positive and neither negative, were {multiple} and {least}"
            )
        self.unit = "orders in the window"
        self.depth = levels
        self.multiple = multiple
        self.least = least
        self.medians = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.appeared = array("q", bytes(8 * samples))
        self.at = 0
        self.known_count = 0
        self.usual = 0.0
        self.tracked: dict[tuple[int, int], tuple[int, float]] = {}
        self.seen = 0
        self.ended = 0
        self.lived_ns = 0.0

    @property
    def resting(self) -> list[tuple[int, int, int]]:
        """``(side, price, since_ns)`` of each large order that rests, oldest first; the price in steps."""
        return [(side, price, since_ns) for (side, price), (since_ns, _) in self.tracked.items()]

    @property
    def mean_life_ns(self) -> float:
        """Mean time that those which ended had rested, by the grid; 0.0 before the first."""
        return self.lived_ns / self.ended if self.ended else 0.0

    @property
    def usual_size(self) -> float:
        """The usual level, in units of size."""
        return self.usual / self.size_scale

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.depth, self.multiple, self.least)

    def sample(self, mid2: int, book: BookModel) -> bool:
        at = self.at
        self.known_count -= self.known[at]
        self.known[at] = 0
        self.appeared[at] = 0
        if mid2 > 0:
            self.look(book)
        total = 0
        for index in range(self.samples):
            total += self.appeared[index]
        self.level = float(total)
        self.is_known = self.known_count * 2 >= self.samples
        self.at = at + 1 if at + 1 < self.samples else 0
        self.next_ns += self.sample_ns
        return True

    def look(self, book: BookModel) -> bool:
        """Follow the large orders that are known, and find new ones among the best levels."""
        at = self.at
        levels = [(BID, *level) for level in book.levels(BID, self.depth)]
        levels += [(OFFER, *level) for level in book.levels(OFFER, self.depth)]
        sizes = sorted([level[2] for level in levels])
        half = len(sizes) // 2
        self.medians[at] = float(sizes[half]) if len(sizes) % 2 else (float(sizes[half - 1]) + float(sizes[half])) * 0.5
        self.known[at] = 1
        self.known_count += 1
        usual = 0.0
        for index in range(self.samples):
            if self.known[index]:
                usual += self.medians[index]
        self.usual = usual / self.known_count
        for key, (since_ns, bound) in list(self.tracked.items()):
            if float(book.size_at(key[0], key[1])) < bound * 0.5:
                del self.tracked[key]
                self.ended += 1
                self.lived_ns += float(self.next_ns - since_ns)
        bound = max(self.multiple * self.usual, self.least * self.size_scale)
        for side, price, size in levels:
            if float(size) >= bound and (side, price) not in self.tracked:
                self.tracked[side, price] = (self.next_ns, bound)
                self.appeared[at] += 1
                self.seen += 1
        return True
