"""Trading an opportunity: both legs at once, and what follows when one of them fills less than the other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

import attrs

from quotewright.consolidated import Leg, Size
from quotewright.kernel.codes import BUY, MONEY_SCALE, SELL, TRADING
from quotewright_plugins.strategies.arbitrage_records import TradeRecord

if TYPE_CHECKING:
    from quotewright.kernel.strategy import Quotes
    from quotewright_plugins.strategies.arbitrage_walk import Deal, Way

ONE = 10**MONEY_SCALE


@attrs.frozen
class Holding:
    """What a strategy's fills at one leg have come to: base units, and quote currency that came in, fees apart."""

    base: Fraction
    quote: Fraction
    fees: Fraction

    def less(self, before: Holding) -> Holding:
        """Return what came since *before*."""
        return Holding(self.base - before.base, self.quote - before.quote, self.fees - before.fees)


def holding(leg: Leg) -> Holding:
    """Return what the strategy that is being woken has done at *leg* so far.

    An inverse contract counts as so many coins for its face; fees in other currencies are valued at the mid.
    """
    view, portfolio, instrument = leg.view, leg.view.own, leg.instrument
    fees = Fraction(portfolio.fees_at(view.known_mid2), ONE)
    if portfolio.is_inverse:
        quote = Fraction(-portfolio.notional(portfolio.position_lots * view.lot_steps, 1), ONE)
        return Holding(Fraction(portfolio.cash, ONE), quote, fees * mid(leg))
    base = Fraction(instrument.quantity(portfolio.position_lots)) * Fraction(instrument.contract_size)
    return Holding(base, Fraction(portfolio.cash, ONE), fees)


def mid(leg: Leg) -> Fraction:
    """Return the last known mid at *leg* in quote currency."""
    return Fraction(leg.view.instrument.price_from_steps(leg.view.known_mid2)) / 2


class Mending:
    """How a leg that filled less is dealt with: at which venue, how far from the price that was meant, how often."""

    def __init__(self, is_hedged: bool, within: Fraction, attempts: int, for_ns: int) -> None:
        self.is_hedged = is_hedged
        self.within = within
        self.attempts = attempts
        self.for_ns = for_ns


class Trade:
    """Both orders of one deal, and all that follows until no more was bought than sold.

    ``on_wake`` states the orders that are wanted now and returns whether the trade is over. Never is an order sent
    while another one of this trade may still fill.
    """

    def __init__(self, name: str, way: Way, deal: Deal, mending: Mending, now_ns: int) -> None:
        self.name = name
        self.way = way
        self.deal = deal
        self.mending = mending
        self.legs = (way.buy, way.sell)
        self.before = {leg.place: holding(leg) for leg in self.legs}
        self.taken: dict[int, Holding] = {}
        self.unwinding: dict[int, Holding] = {}
        self.is_hedging = mending.is_hedged
        self.since_ns = 0
        self.left = mending.attempts
        self.record = TradeRecord(now_ns, way.book.base(deal.size), deal.net)

    def begin(self, quotes: Sequence[Quotes]) -> None:
        """State both orders."""
        deal = self.deal
        quotes[self.way.buy.place].take(BUY, deal.buy_lots, deal.buy_ticks)
        quotes[self.way.sell.place].take(SELL, deal.sell_lots, deal.sell_ticks)

    def is_in_flight(self) -> bool:
        """Return whether an order of this strategy may still fill at either leg."""
        return any(order.strategy == self.name for leg in self.legs for order in leg.view.live)

    def on_wake(self, now_ns: int, quotes: Sequence[Quotes]) -> bool:
        """Go on where the last orders have ended; return whether the trade is over."""
        if self.is_in_flight():
            return False
        if not self.taken:
            self.taken = {leg.place: holding(leg).less(self.before[leg.place]) for leg in self.legs}
            self.record.bought = self.taken[self.way.buy.place].base
            self.record.sold = -self.taken[self.way.sell.place].base
            self.since_ns = now_ns
        excess = self.excess()
        leg, side, lots, limit_ticks = self.wanted(excess)
        if lots == 0 and self.is_hedging and self.is_worth_unwinding(excess):
            self.turn(now_ns)
            leg, side, lots, limit_ticks = self.wanted(excess)
        if lots == 0:
            return self.end(now_ns, excess, is_even=True)
        self.record.is_legged = True
        if self.left == 0 or now_ns - self.since_ns > self.mending.for_ns:
            if not self.is_hedging:
                return self.end(now_ns, excess, is_even=False)
            self.turn(now_ns)
            leg, side, lots, limit_ticks = self.wanted(excess)
            if lots == 0:
                return self.end(now_ns, excess, is_even=True)
        if self.is_reached(leg, side, limit_ticks):
            if not self.is_hedging and leg.place not in self.unwinding:
                self.unwinding[leg.place] = holding(leg)
            self.left -= 1
            self.record.attempts += 1
            quotes[leg.place].take(side, lots, limit_ticks)
        return False

    def excess(self) -> Fraction:
        """Return how much more was bought than sold, in base units; below zero: less."""
        return sum((holding(leg).less(self.before[leg.place]).base for leg in self.legs), Fraction(0))

    def turn(self, now_ns: int) -> None:
        """Give up evening out at the other venue, undo the surplus where it was made."""
        self.is_hedging = False
        self.left = self.mending.attempts
        self.since_ns = now_ns

    def wanted(self, excess: Fraction) -> tuple[Leg, int, int, int]:
        """Return where, on which side, how many lots and at which worst price *excess* is evened out or undone."""
        side = SELL if excess > 0 else BUY
        leg = self.way.sell if (side == SELL) == self.is_hedging else self.way.buy
        return leg, side, *self.order(leg, side, abs(excess))

    def order(self, leg: Leg, side: int, size: Fraction) -> tuple[int, int]:
        """Return lots, 0 where no order is so small, and the price cap, in ticks on the far side of it."""
        instrument = leg.instrument
        meant = self.deal.buy_ticks if leg is self.way.buy else self.deal.sell_ticks
        within = self.mending.within
        limit_ticks = max(1, ceil(meant * (1 - within)) if side == SELL else floor(meant * (1 + within)))
        price = leg.price(limit_ticks * instrument.tick_steps)
        steps: Size = leg.size_steps(size * 10**self.way.book.size_decimals, price)
        lots = int(steps // instrument.lot_steps)
        return (lots if is_enough(leg, lots, limit_ticks) else 0), limit_ticks

    def is_worth_unwinding(self, excess: Fraction) -> bool:
        """Return whether what is too small for an order at the other venue is none where it was made."""
        side = SELL if excess > 0 else BUY
        leg = self.way.buy if side == SELL else self.way.sell
        return self.order(leg, side, abs(excess))[0] > 0

    def is_reached(self, leg: Leg, side: int, limit_ticks: int) -> bool:
        """Return whether *leg* takes orders and its best price lies within the cap."""
        view = leg.view
        if not (view.is_book_good and view.is_reachable and view.status == TRADING):
            return False
        limit = limit_ticks * view.tick_steps
        return view.book.best_bid >= limit if side == SELL else 0 < view.book.best_offer <= limit

    def end(self, now_ns: int, excess: Fraction, *, is_even: bool) -> bool:
        """Reckon up."""
        record = self.record
        record.closed_ns = now_ns
        record.residue = excess
        changes = [holding(leg).less(self.before[leg.place]) for leg in self.legs]
        record.fees = sum((one.fees for one in changes), Fraction(0))
        flow = sum((one.quote for one in changes), Fraction(0))
        record.profit = flow - record.fees + excess * mid(self.way.buy)
        record.unwind_cost = sum((self.cost_of(leg) for leg in self.legs), Fraction(0))
        if not is_even:
            record.outcome = "stranded"
        elif not record.is_legged:
            record.outcome = "both" if record.bought else "missed"
        else:
            record.outcome = "unwound" if self.unwinding else "hedged"
        return True

    def cost_of(self, leg: Leg) -> Fraction:
        """Return what undoing a surplus at *leg* has cost: what it was got for less what it went for, fees included."""
        began = self.unwinding.get(leg.place)
        taken = self.taken[leg.place]
        if began is None or not taken.base:
            return Fraction(0)
        undone = holding(leg).less(began)
        each = (taken.fees - taken.quote) / taken.base
        return undone.fees - undone.quote - each * undone.base


def is_enough(leg: Leg, lots: int, price_ticks: int) -> bool:
    """Return whether the venue takes an order so small."""
    instrument = leg.instrument
    if lots <= 0 or lots * instrument.lot_steps < instrument.min_quantity_steps:
        return False
    worth = instrument.quote_quantity(instrument.quantity(lots), instrument.price(price_ticks))
    return worth >= Fraction(instrument.min_notional)
