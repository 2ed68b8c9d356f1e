"""What the rows of a tape do to our resting orders: prints, sizes at our prices, the other side's arrival, gaps."""

from __future__ import annotations

from array import array

from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BUY,
    FLAG_SHIFT,
    GAP,
    INDEX,
    INSTRUMENT_SHIFT,
    LEVEL_DELETE,
    LEVEL_SET,
    NO_MARKET,
    NO_SIDE,
    OFFER,
    ROW_WORDS,
    SELL,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
    TRADE,
    UNDERLYING,
)
from quotewright.kernel.rows import Rows
from quotewright.kernel.venue import Venue
from quotewright_simexchange.matching.evidence import AFTER_GAP, ARRIVED, AT_PRICE, THROUGH
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.replay_market import Market, OwnLevel, OwnOrder

IS_BOOK = 1
HAD_SNAPSHOT = 2


class MarketReplay(Venue):
    """Lets recorded messages meet our resting orders, and then the displayed book.

    A subclass books the fills, walks the tape, and takes commands.

    Args:
        queue: Judges decreases of our levels that no print explains.
        unknown_side_helps: Prints without a side help both sides, not nobody.
        conflation_ns: A print explains a decrease of its level that was told up to so long before it.
    """

    def __init__(self, queue: QueueModel, unknown_side_helps: bool, conflation_ns: int = 0) -> None:
        super().__init__()
        self.queue = queue
        self.unknown_side_helps = unknown_side_helps
        self.conflation_ns = conflation_ns
        self.markets: list[Market] = []
        self.unknown_side_prints = 0
        self.prints_in_gap = 0
        self.orders_through_gap = 0

    def fill(self, market: Market, order: OwnOrder, price_ticks: int, lots: int, kind: int, now_ns: int) -> bool:
        """Book one execution of *order*, for the evidence *kind*."""
        raise TypeError(f"{type(self).__name__} lacks fill()")

    def take_message(self, rows: Rows, first: int, last: int, now_ns: int) -> bool:
        """Let rows ``[first, last)``, one message, happen at *now_ns*: first to our orders, then to the book."""
        number = rows.words[first * ROW_WORDS + 5] >> INSTRUMENT_SHIFT
        if number >= len(self.markets):
            return False
        market: Market = self.markets[number]
        if market.by_order is not None:
            return self.take_orders(market, rows, first, last, now_ns)
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        if not market.is_top_only:  # then quotes say nothing, and most messages hold nothing else
            while at < end and rows.words[at + 5] & 255 == BEST_QUOTE:
                at += ROW_WORDS
            if at >= end:
                return True
        found = self.meet(market, rows.words, at, end, now_ns)
        if found:
            market.book.apply(rows, first, last)
            if found & HAD_SNAPSHOT:
                self.see_snapshot(market, now_ns)
        return True

    def meet(self, market: Market, words: memoryview[int] | array[int], at: int, end: int, now_ns: int) -> int:
        """Let the rows in ``words[at:end]`` meet our orders; return what among them concerns the book."""
        is_watching = market.is_watching
        found = 0
        while at < end:
            word = words[at + 5]
            kind = word & 255
            if kind == LEVEL_SET or kind == LEVEL_DELETE:  # noqa: SIM109
                found |= IS_BOOK
                if is_watching and found & HAD_SNAPSHOT == 0:
                    price = words[at + 2]
                    side = (word >> SIDE_SHIFT) & 255
                    is_bid = side == BID
                    # Rows of both sides come mixed: a branch for each would be guessed wrong half of the time.
                    if (price >= market.bids_from) & is_bid | (price <= market.offers_to) & (not is_bid):
                        size = words[at + 3] if kind == LEVEL_SET else 0
                        self.see_level(market, side, price, size, now_ns)
            elif kind == TRADE:
                if is_watching:
                    self.see_trade(market, word, words[at + 2], words[at + 3], now_ns)
            elif kind == BEST_QUOTE:
                if market.is_top_only:
                    found |= IS_BOOK
                    if market.in_gap:
                        found |= HAD_SNAPSHOT
                    if is_watching and found & HAD_SNAPSHOT == 0:
                        self.see_quote(market, (word >> SIDE_SHIFT) & 255, words[at + 2], words[at + 3], now_ns)
            elif kind == SNAPSHOT_BEGIN:
                found |= IS_BOOK | HAD_SNAPSHOT
            elif kind == GAP:
                found = IS_BOOK
                if not market.in_gap:
                    market.in_gap = True
                    market.gap_began_ns = now_ns
            elif kind == UNDERLYING or kind == INDEX:  # noqa: SIM109
                market.underlying = words[at + 2]
            at += ROW_WORDS
        return found

    def take_orders(self, market: Market, rows: Rows, first: int, last: int, now_ns: int) -> bool:
        """Let a message happen in a market that is replayed order by order."""
        raise TypeError(f"{type(self).__name__} lacks take_orders()")

    def see_trade(self, market: Market, word: int, price: int, size: int, now_ns: int) -> bool:
        """Let a print meet our orders: that of a seller our bids, that of a buyer our offers."""
        if (word >> FLAG_SHIFT) & NO_MARKET:
            return False
        if market.in_gap:
            self.prints_in_gap += 1
            return False
        side = (word >> SIDE_SHIFT) & 255
        if side == NO_SIDE:
            self.unknown_side_prints += 1
            if not self.unknown_side_helps:
                return False
        if side != BUY:
            self.print_on(market, market.bids, price, size, now_ns)
        if side != SELL:
            self.print_on(market, market.offers, price, size, now_ns)
        return True

    def print_on(self, market: Market, levels: list[OwnLevel], price: int, size: int, now_ns: int) -> bool:
        """Let a print of the opposite aggressor meet the orders of *levels*, which are best first."""
        while levels:
            level: OwnLevel = levels[0]
            if level.price == price:
                self.print_at(market, level, size, now_ns)
                break
            if level.price < price if level.side == BID else level.price > price:
                break
            self.fill_level(market, level, THROUGH, now_ns)
        return True

    def print_at(self, market: Market, level: OwnLevel, size: int, now_ns: int) -> bool:
        """Share a print at our price: what exceeds the quantity ahead fills us, in the order of arrival."""
        told = 0
        if level.gone > 0:
            told = self.take_back(level, size, now_ns)
        level.printed += size - told
        filled = 0
        for order in list(level.orders):
            if order.is_blind:
                continue
            excess = size - order.ahead
            if told > 0 and order.moved < 0.0:
                excess -= told  # it joined behind what that part of the print had left
            if excess <= 0:
                order.ahead -= size if told == 0 or order.moved >= 0.0 else size - told
                continue
            order.met = order.ahead
            if order.ahead_part > 0.0:
                excess -= 1
                order.met += 1
            order.ahead = 0
            order.ahead_part = 0.0
            lots = (excess - filled) // market.lot_steps
            if lots > order.leaves_lots:
                lots = order.leaves_lots
            if lots > 0:
                filled += lots * market.lot_steps
                self.fill(market, order, order.price_ticks, lots, AT_PRICE, now_ns)
        return True

    def take_back(self, level: OwnLevel, size: int, now_ns: int) -> int:
        """Return how much of a print of *size* the level's last update has told already, and take back how far that
        part of the decrease, judged as if it had been cancelled, brought our orders forward."""
        if now_ns - level.gone_ns > self.conflation_ns:
            level.gone = 0
            return 0
        told = size if size < level.gone else level.gone
        for order in level.orders:
            if order.moved > 0.0:
                back = order.moved * told / level.gone
                order.moved -= back
                ahead = order.ahead + order.ahead_part + back
                self.set_ahead(order, ahead)
        level.gone -= told
        return told

    def see_level(self, market: Market, side: int, price: int, size: int, now_ns: int) -> bool:
        """Let a level's new displayed size meet our orders."""
        market.refresh(side, price)
        if market.in_gap:
            return False
        levels = market.bids if side == BID else market.offers
        for level in levels:
            if level.price == price:
                self.move_queue(market, level, size, now_ns)
                break
            if level.price < price if side == BID else level.price > price:
                break
        if size > 0:
            self.arrive(market, side, price, ARRIVED, now_ns)
        return True

    def see_quote(self, market: Market, side: int, price: int, size: int, now_ns: int) -> bool:
        """Let the new best quote of one side meet our orders, on a tape without levels."""
        taken = market.taken_bids if side == BID else market.taken_offers
        if taken:
            taken.clear()
            market.watch()
        if size <= 0:
            return False
        for level in list(market.bids if side == BID else market.offers):
            if level.price == price:
                self.move_queue(market, level, size, now_ns)
            elif level.price > price if side == BID else level.price < price:
                self.move_queue(market, level, 0, now_ns)  # nobody else is left as good as we are
        self.arrive(market, side, price, ARRIVED, now_ns)
        return True

    def see_snapshot(self, market: Market, now_ns: int) -> bool:
        """Let a whole new book meet our orders; after a gap nobody knows what printed."""
        was_gap = market.in_gap
        if was_gap:
            market.in_gap = False
            market.gap_ns += now_ns - market.gap_began_ns
        if not market.is_watching:
            return True
        market.taken_bids.clear()
        market.taken_offers.clear()
        book = market.book
        for levels in (market.bids, market.offers):
            for level in levels:
                self.see_snapshot_level(market, level, was_gap, now_ns)
        kind = AFTER_GAP if was_gap else ARRIVED
        if book.best_bid > 0:
            self.arrive(market, BID, book.best_bid, kind, now_ns)
        if book.best_offer > 0:
            self.arrive(market, OFFER, book.best_offer, kind, now_ns)
        market.watch()
        return True

    def see_snapshot_level(self, market: Market, level: OwnLevel, was_gap: bool, now_ns: int) -> bool:
        """Let the size that a snapshot shows at our price move our orders."""
        if market.is_top_only:
            best = market.book.best_bid if level.side == BID else market.book.best_offer
            if level.price != best and (level.price < best) == (level.side == BID):
                return False
        size = market.book.size_at(level.side, level.price)
        if was_gap:
            self.orders_through_gap += len(level.orders)
            level.displayed = size
            level.printed = 0
        self.move_queue(market, level, size, now_ns)
        return True

    def arrive(self, market: Market, side: int, price: int, kind: int, now_ns: int) -> bool:
        """Fill what rests against displayed quantity of *side* at *price*: such orders would have traded before it."""
        levels = market.offers if side == BID else market.bids
        while levels:
            level: OwnLevel = levels[0]
            if level.price > price if side == BID else level.price < price:
                break
            self.fill_level(market, level, kind, now_ns)
        return True

    def move_queue(self, market: Market, level: OwnLevel, size: int, now_ns: int) -> bool:
        """Move our orders at *level* as its displayed size becomes *size*; what printed has moved them already."""
        was = level.displayed - level.printed
        gone = was - size
        level.displayed = size
        level.printed = 0
        if self.conflation_ns > 0:
            return self.move_told(market, level, was, gone, now_ns)
        for order in level.orders:
            if order.is_blind:
                order.is_blind = False
                order.ahead = size
                order.ahead_part = 0.0
                order.joined = size
            elif order.ahead == 0 and order.ahead_part == 0.0:
                continue
            elif gone > 0:
                self.share(market, order, was, gone, size)
            elif order.ahead >= size:
                order.ahead = size
                order.ahead_part = 0.0
        return True

    def move_told(self, market: Market, level: OwnLevel, was: int, gone: int, now_ns: int) -> bool:
        """Move our orders as :meth:`move_queue` does, and remember how far, in case a print tells later why."""
        size = level.displayed
        level.gone = gone if gone > 0 else 0
        level.gone_ns = now_ns
        for order in level.orders:
            before = order.ahead + order.ahead_part
            if order.is_blind:
                order.is_blind = False
                order.ahead = size
                order.ahead_part = 0.0
                order.joined = size
                order.moved = -1.0
                continue
            if gone > 0 and before > 0.0:
                self.share(market, order, was, gone, size)
            elif order.ahead >= size:
                order.ahead = size
                order.ahead_part = 0.0
            order.moved = before - order.ahead - order.ahead_part
            if order.moved < 0.0:
                order.moved = 0.0
        return True

    def set_ahead(self, order: OwnOrder, ahead: float) -> bool:
        """Let *ahead* steps, which may hold a part of one, stand in front of *order*."""
        order.ahead = int(ahead)
        order.ahead_part = ahead - order.ahead
        # A part that only rounding can have left must not cost a whole step of the next print.
        if order.ahead_part > 0.999999:
            order.ahead += 1
            order.ahead_part = 0.0
        elif order.ahead_part < 0.000001:
            order.ahead_part = 0.0
        return True

    def share(self, market: Market, order: OwnOrder, was: int, gone: int, size: int) -> bool:
        """Split a decrease between what stood ahead of and behind *order*, as the queue model judges."""
        behind = was - order.ahead - order.ahead_part
        if behind < 0.0:
            behind = 0.0
        share = self.queue.share_behind((order.ahead + order.ahead_part) / market.size_unit, behind / market.size_unit)
        if share < 1.0:
            surplus = behind - share * gone
            if surplus > 0.0:
                surplus = 0.0
            ahead = order.ahead + order.ahead_part - (1.0 - share) * gone + surplus
            if ahead < 0.0:
                ahead = 0.0
            self.set_ahead(order, ahead)
        if order.ahead >= size:
            order.ahead = size
            order.ahead_part = 0.0
        return True

    def fill_level(self, market: Market, level: OwnLevel, kind: int, now_ns: int) -> bool:
        """Fill every order of *level* whole, each at its own price, and give the level up."""
        for order in list(level.orders):
            self.fill(market, order, order.price_ticks, order.leaves_lots, kind, now_ns)
        return True
