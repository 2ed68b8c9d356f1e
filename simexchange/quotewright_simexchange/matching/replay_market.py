"""One instrument at the replay venue: what is displayed, where we rest in it, and what we took out of it.

Prices and sizes in here are *steps*, quantities of own orders *lots*, times int nanoseconds of the venue's clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import BID, BUY, NEVER, OFFER
from quotewright_simexchange.matching.order_ladder import OrderLadder
from quotewright_simexchange.matching.replay_money import FillMoney
from quotewright_simexchange.matching.taking_options import TakingOptions

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument


class OwnOrder:
    """One of our orders at the venue. ``ahead`` whole steps and ``ahead_part`` of a step stand in front of it.

    ``is_blind``: it joined where the data did not say what is displayed; the first size seen there is ahead of it.
    ``arrived`` is its place among the orders of a market that is replayed order by order. ``joined`` stood ahead when
    it joined, ``met`` when the print that fills it was told (-1: see ``ahead``). ``moved`` is how far the last decrease
    of its level brought it forward; -1 if it was not there then.
    """

    def __init__(self, number: int, side: int, price: int, price_ticks: int, quantity_lots: int) -> None:
        self.number = number
        self.side = side
        self.price = price
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.leaves_lots = quantity_lots
        self.ahead = 0
        self.ahead_part = 0.0
        self.arrived = 0
        self.joined = 0
        self.met = -1
        self.moved = -1.0
        self.is_blind = False
        self.post_only = False
        self.reduce_only = False


class OwnLevel:
    """A price at which we rest: what was displayed there last, what printed since, and what left at the last update
    (``gone``, at ``gone_ns``) that no print has explained yet."""

    def __init__(self, side: int, price: int, displayed: int) -> None:
        self.side = side
        self.price = price
        self.displayed = displayed
        self.printed = 0
        self.gone = 0
        self.gone_ns = 0
        self.orders: list[OwnOrder] = []


class Market:
    """One instrument at the venue: the displayed book, where we rest in it, and what we took out of it."""

    def __init__(
        self, instrument: Instrument, book: BookModel, is_top_only: bool, taking: TakingOptions | None = None
    ) -> None:
        self.instrument = instrument
        self.taking = taking or TakingOptions()
        self.book = book
        self.by_order: OrderLadder | None = book if isinstance(book, OrderLadder) else None
        self.is_top_only = is_top_only
        self.tick_steps = instrument.tick_steps
        self.lot_steps = instrument.lot_steps
        self.least_steps = instrument.min_quantity_steps
        self.most_steps = instrument.max_quantity_steps
        self.size_unit = 10.0**instrument.size_decimals
        self.bids: list[OwnLevel] = []
        self.offers: list[OwnLevel] = []
        self.is_watching = False
        self.bids_from = NEVER
        self.offers_to = 0
        self.taken_bids: dict[int, int] = {}
        self.taken_offers: dict[int, int] = {}
        self.in_gap = False
        self.gap_began_ns = 0
        self.gap_ns = 0
        self.position_lots = 0
        self.underlying = 0
        self.money: FillMoney | None = None
        self.trouble = ""
        try:
            self.money = FillMoney(instrument)
        except ConfigError as error:
            self.trouble = str(error)

    def plan(self, side: int, limit: int, wanted_lots: int) -> list[tuple[int, int, int]]:
        """Return what an order of *side* for *wanted_lots* takes at *limit* or better (0 is no limit): rows of the
        level's price, the price of the fill in ticks, and lots."""
        found: list[tuple[int, int, int]] = []
        levels = self.opposite(side, limit)
        if not levels:
            return found
        taking = self.taking
        taken = self.taken_offers if side == BUY else self.taken_bids
        lots_before = 0
        for price, size in levels:
            lots = (taking.there(size) - taken.get(price, 0)) // self.lot_steps
            if lots <= 0:
                continue
            if lots > wanted_lots - lots_before:
                lots = wanted_lots - lots_before
            lots_before += lots
            worse = taking.worsening(price, lots_before * self.lot_steps, self.instrument.size_decimals)
            # A level between two of today's ticks is rounded against us.
            ticks = -(-(price + worse) // self.tick_steps) if side == BUY else (price - worse) // self.tick_steps
            worst = ticks * self.tick_steps
            if worse and (ticks <= 0 or (limit and (worst > limit if side == BUY else worst < limit))):
                break
            found.append((price, ticks, lots))
            if lots_before >= wanted_lots:
                break
        return found

    def takeable(self, side: int, limit: int, wanted_lots: int) -> int:
        """Return how many lots up to *wanted_lots* can be taken at *limit* or better; 0 is no limit."""
        return sum(lots for _, _, lots in self.plan(side, limit, wanted_lots))

    def touches(self, side: int, limit: int) -> bool:
        """Return whether an order of *side* at *limit* (0 is no limit) meets the other side of the displayed book."""
        best = self.book.best_offer if side == BUY else self.book.best_bid
        if best == 0 or limit == 0:
            return best != 0
        return best <= limit if side == BUY else best >= limit

    def is_reached(self, side: int, limit: int) -> bool:
        """Return whether an order of *side* at *limit* would reach displayed quantity that we have not taken."""
        if not self.touches(side, limit):
            return False
        for price, size in self.opposite(side, limit):  # noqa: SIM110 - a typed loop, no generator
            if self.left_at(side, price, size) >= self.lot_steps:
                return True
        return False

    def opposite(self, side: int, limit: int) -> list[tuple[int, int]]:
        """Return the displayed levels that an order of *side* may take from, best first."""
        if not self.touches(side, limit):
            return []
        count = 16
        while True:
            levels = self.book.levels(OFFER if side == BUY else BID, count)
            is_whole = len(levels) < count
            if limit:
                inside = [level for level in levels if (level[0] <= limit if side == BUY else level[0] >= limit)]
                is_whole = is_whole or len(inside) < len(levels)
                levels = inside
            if is_whole:
                return levels
            count *= 4

    def left_at(self, side: int, price: int, size: int) -> int:
        """Return what of a displayed level we have not taken yet."""
        taken = self.taken_offers if side == BUY else self.taken_bids
        left = size - taken.get(price, 0)
        return left if left > 0 else 0

    def check_size(self, price_ticks: int, quantity_lots: int, is_market: bool) -> str:
        """Return why a price and a total quantity are refused, or an empty text."""
        if quantity_lots <= 0:
            return "bad_qty"
        if price_ticks < 0 or (price_ticks == 0 and not is_market):
            return "bad_price"
        size = quantity_lots * self.lot_steps
        if size < self.least_steps:
            return "min_qty"
        if self.most_steps and size > self.most_steps:
            return "max_qty"
        if is_market or self.money is None:
            return ""
        price: int = price_ticks * self.tick_steps
        return "min_notional" if self.money.min_notional and self.money.is_too_small(price, size) else ""

    def refresh(self, side: int, price: int) -> bool:
        """Forget what we took from a level: the market has said anew what stands there."""
        taken = self.taken_bids if side == BID else self.taken_offers
        if taken and taken.pop(price, 0):
            self.watch()
        return True

    def rest(self, order: OwnOrder) -> bool:
        """Let *order* join its level behind everything that is displayed there."""
        levels = self.bids if order.side == BUY else self.offers
        book = self.book
        displayed = book.size_at(order.side, order.price)
        place = 0
        for level in levels:
            if level.price == order.price:
                break
            if level.price < order.price if order.side == BUY else level.price > order.price:
                levels.insert(place, OwnLevel(order.side, order.price, displayed))
                break
            place += 1
        else:
            levels.append(OwnLevel(order.side, order.price, displayed))
        levels[place].orders.append(order)
        order.ahead = displayed
        order.ahead_part = 0.0
        order.moved = -1.0
        order.is_blind = self.in_gap
        if self.by_order is not None:
            order.arrived = self.by_order.arrive()
        if self.is_top_only:
            best = book.best_bid if order.side == BUY else book.best_offer
            if best == 0 or (order.price < best if order.side == BUY else order.price > best):
                order.is_blind = True
        order.joined = -1 if order.is_blind else displayed
        return self.watch()

    def unrest(self, order: OwnOrder) -> bool:
        """Take an order from its level, if it rests."""
        levels = self.bids if order.side == BUY else self.offers
        for level in levels:
            if level.price == order.price and order in level.orders:
                level.orders.remove(order)
                if not level.orders:
                    levels.remove(level)
                    self.watch()
                return True
        return False

    def watch(self) -> bool:
        """Say which rows can concern us, from where we rest and what we took."""
        bids = self.bids
        offers = self.offers
        has_taken = bool(self.taken_bids) or bool(self.taken_offers)
        self.is_watching = has_taken or bool(bids) or bool(offers)
        lowest = NEVER
        highest = 0
        if bids:
            level: OwnLevel = bids[len(bids) - 1]
            lowest = level.price
            level = bids[0]
            highest = level.price
        if offers:
            level = offers[0]
            if level.price < lowest:
                lowest = level.price
            level = offers[len(offers) - 1]
            if level.price > highest:
                highest = level.price
        self.bids_from = 0 if has_taken else lowest
        self.offers_to = NEVER if has_taken else highest
        return True
