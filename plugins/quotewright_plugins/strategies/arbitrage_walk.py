"""Two books walked against each other: what buying at one venue and selling at another yields, to the last lot.

All arithmetic is exact: ints and Fractions in the units of a consolidated book.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

import attrs

from quotewright.consolidated import Leg, Size, whole
from quotewright.kernel.codes import BID, OFFER

if TYPE_CHECKING:
    from quotewright.consolidated import ConsolidatedBook


@attrs.frozen
class Costs:
    """What the way over two legs costs: taker fees, what holding the positions costs, a fixed sum; least profit.

    Fees and ``holding`` are shares, the latter of the value bought; ``fixed`` is in quote currency; ``least`` is the
    profit that every slice has to leave, as a share of what it costs.
    """

    buy_fee: Fraction
    sell_fee: Fraction
    holding: Fraction
    fixed: Fraction
    least: Fraction

    def factors(self) -> tuple[int, int]:
        """Return whole numbers *a* and *b* such that a slice pays as soon as ``bid * a >= offer * b``."""
        kept = 1 - self.sell_fee
        paid = 1 + self.buy_fee + self.holding + self.least
        scale = lcm(kept.denominator, paid.denominator)
        return int(kept * scale), int(paid * scale)


@attrs.frozen
class Slice:
    """So much is offered at one price where another venue bids another."""

    size: Size
    offer: int
    bid: int


@attrs.frozen
class Deal:
    """What a quantity bought at one leg and sold at the other comes to, in quote currency, and how it is ordered.

    ``cost`` and ``proceeds`` are before fees; ``net`` is after everything. ``buy_lots`` at most at ``buy_ticks``.
    """

    size: Size
    cost: Fraction
    proceeds: Fraction
    fees: Fraction
    holding: Fraction
    fixed: Fraction
    buy_lots: int
    sell_lots: int
    buy_ticks: int
    sell_ticks: int

    @property
    def net(self) -> Fraction:
        return self.proceeds - self.cost - self.fees - self.holding - self.fixed

    @property
    def notional(self) -> Fraction:
        """The smaller of what is bought and what is sold, as both can be had."""
        return min(self.cost, self.proceeds)

    @property
    def net_bps(self) -> Fraction:
        """Profit after everything in basis points of what is paid for the purchase."""
        return self.net / self.cost * 10_000 if self.cost else Fraction(0)


class Way:
    """Buying at the venue of one leg, selling at that of another."""

    def __init__(self, book: ConsolidatedBook, buy: Leg, sell: Leg, costs: Costs) -> None:
        self.book = book
        self.buy = buy
        self.sell = sell
        self.costs = costs
        self.kept, self.paid = costs.factors()
        self.value_scale = 10 ** (book.price_decimals + book.size_decimals)
        lots = [leg.instrument.lot_steps * leg.size_factor for leg in (buy, sell) if not leg.is_inverse]
        self.grid = lcm(*lots) if lots else 0
        """A size that is whole lots of both legs; an inverse contract's lot is worth no fixed size, and left out."""

    def pays(self) -> bool:
        """Return whether the best prices alone leave the least profit."""
        offer, bid = self.buy.best(OFFER), self.sell.best(BID)
        return offer > 0 and bid * self.kept >= offer * self.paid

    def slices(self) -> Iterator[Slice]:
        """Yield what both books have for each other, best first, as long as each slice leaves the least profit."""
        offers, bids = self.buy.levels(OFFER), self.sell.levels(BID)
        offer, offered = next(offers, (0, 0))
        bid, wanted = next(bids, (0, 0))
        while offered and wanted and bid * self.kept >= offer * self.paid:
            size = min(offered, wanted)
            yield Slice(size, offer, bid)
            offered -= size
            wanted -= size
            if not offered:
                offer, offered = next(offers, (0, 0))
            if not wanted:
                bid, wanted = next(bids, (0, 0))

    def deal(self, slices: list[Slice], capital: Fraction | None = None, most: Size | None = None) -> Deal | None:
        """Return the largest deal within *capital* (paid for the purchase, fees apart) and the size *most*."""
        size = self._within(slices, capital)
        if most is not None:
            size = min(size, most)
        if self.grid:
            size = int(size) // self.grid * self.grid
        if size <= 0:
            return None
        found = self._priced(slices, size)
        return found if found.buy_lots > 0 and found.sell_lots > 0 else None

    def _within(self, slices: list[Slice], capital: Fraction | None) -> Size:
        """Return how much of *slices* the capital buys, at their own prices."""
        total: Size = 0
        left = None if capital is None else capital * self.value_scale
        for one in slices:
            size = one.size
            if left is not None:
                size = min(size, whole(left / one.offer))
                left -= size * one.offer
            total += size
            if size < one.size:
                break
        return total

    def _priced(self, slices: list[Slice], size: Size) -> Deal:
        cost = proceeds = Fraction(0)
        buy_steps: Size = 0
        sell_steps: Size = 0
        left = size
        offer = bid = 1
        for one in slices:
            if left <= 0:
                break
            taken = min(one.size, left)
            left -= taken
            offer, bid = one.offer, one.bid
            cost += Fraction(taken * offer)
            proceeds += Fraction(taken * bid)
            buy_steps += self.buy.size_steps(taken, offer)
            sell_steps += self.sell.size_steps(taken, bid)
        cost /= self.value_scale
        proceeds /= self.value_scale
        costs = self.costs
        return Deal(
            size=size,
            cost=cost,
            proceeds=proceeds,
            fees=cost * costs.buy_fee + proceeds * costs.sell_fee,
            holding=cost * costs.holding,
            fixed=costs.fixed,
            buy_lots=int(buy_steps // self.buy.instrument.lot_steps),
            sell_lots=int(sell_steps // self.sell.instrument.lot_steps),
            buy_ticks=-(-offer // (self.buy.price_factor * self.buy.instrument.tick_steps)),
            sell_ticks=bid // (self.sell.price_factor * self.sell.instrument.tick_steps),
        )
