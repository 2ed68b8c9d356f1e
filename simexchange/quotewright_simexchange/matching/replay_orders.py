"""What the rows of a market-by-order feed do to our resting orders: an exact queue instead of a model of one."""

from __future__ import annotations

from quotewright.kernel.codes import (
    BID,
    GAP,
    INDEX,
    OFFER,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    ROW_WORDS,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
    UNDERLYING,
)
from quotewright.kernel.rows import Rows
from quotewright_simexchange.matching.evidence import AFTER_GAP, ARRIVED, AT_PRICE, THROUGH
from quotewright_simexchange.matching.order_ladder import MarketOrder, OrderLadder
from quotewright_simexchange.matching.replay_market import Market
from quotewright_simexchange.matching.replay_rows import MarketReplay


class OrderReplay(MarketReplay):
    """Lets order rows meet our orders in markets that are replayed order by order; prints and levels mean nothing
    there, since the executions say what traded and with whom."""

    def take_orders(self, market: Market, rows: Rows, first: int, last: int, now_ns: int) -> bool:
        words = rows.words
        book: OrderLadder | None = market.by_order
        if book is None:
            raise TypeError(f"{market.instrument.name} is not replayed order by order")
        is_touched = False
        had_snapshot = False
        has_gap = False
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        while at < end:
            word = words[at + 5]
            kind = word & 255
            if kind == ORDER_ADD:
                is_touched = True
                side = (word >> SIDE_SHIFT) & 255
                book.add(words[at + 4], side, words[at + 2], words[at + 3])
                if market.is_watching and not had_snapshot:
                    market.refresh(side, words[at + 2])
                    if not market.in_gap:
                        self.arrive(market, side, words[at + 2], ARRIVED, now_ns)
            elif kind > ORDER_ADD and kind <= ORDER_DELETE:
                is_touched = True
                order = book.find(words[at + 4])
                if order is not None:
                    left = book.left_after(kind, order, words[at + 3])
                    gone = order.open_size - left
                    if market.is_watching and not had_snapshot:
                        market.refresh(order.side, order.price)
                        if not market.in_gap:
                            if kind == ORDER_EXECUTE:
                                self.see_execution(market, order, gone, now_ns)
                            self.see_less(market, order, gone)
                    book.shrink(words[at + 4], order, left)
            elif kind == SNAPSHOT_BEGIN:
                if book.is_of_orders(rows, first, last):
                    is_touched = True
                    had_snapshot = True
                    has_gap = False
                    book.begin_snapshot()
            elif kind == GAP:
                is_touched = True
                had_snapshot = False
                has_gap = True
                if not market.in_gap:
                    market.in_gap = True
                    market.gap_began_ns = now_ns
            elif kind == UNDERLYING or kind == INDEX:  # noqa: SIM109
                market.underlying = words[at + 2]
            at += ROW_WORDS
        if is_touched:
            book.end_message(had_snapshot, has_gap)
            if had_snapshot:
                self.see_orders(market, book, now_ns)
        return True

    def see_execution(self, market: Market, order: MarketOrder, size: int, now_ns: int) -> bool:
        """Let *size* that traded with *order* meet ours that stand before it, up to that size."""
        for level in list(market.bids if order.side == BID else market.offers):
            if level.price < order.price if order.side == BID else level.price > order.price:
                break
            is_better = level.price != order.price
            for own in list(level.orders):
                lots = size // market.lot_steps
                if lots == 0:
                    return True
                if not is_better and own.arrived > order.arrived:
                    continue
                if lots > own.leaves_lots:
                    lots = own.leaves_lots
                before = own.leaves_lots
                self.fill(market, own, own.price_ticks, lots, THROUGH if is_better else AT_PRICE, now_ns)
                size -= (before - own.leaves_lots) * market.lot_steps
        return True

    def see_less(self, market: Market, order: MarketOrder, gone: int) -> bool:
        """Let ours that stand behind *order* come nearer by what it lost."""
        for level in market.bids if order.side == BID else market.offers:
            if level.price == order.price:
                for own in level.orders:
                    if own.arrived > order.arrived:
                        own.ahead -= gone
                break
        return True

    def see_orders(self, market: Market, book: OrderLadder, now_ns: int) -> bool:
        """Let a snapshot of orders meet ours: those that were there before keep their places, and we keep ours."""
        was_gap = market.in_gap
        if was_gap:
            market.in_gap = False
            market.gap_ns += now_ns - market.gap_began_ns
        if not market.is_watching:
            return True
        market.taken_bids.clear()
        market.taken_offers.clear()
        for levels in (market.bids, market.offers):
            for level in levels:
                if was_gap:
                    self.orders_through_gap += len(level.orders)
                for own in level.orders:
                    was_blind = own.is_blind
                    if was_blind:
                        own.is_blind = False
                        own.arrived = book.arrive()
                    own.ahead = 0
                    for order in book.orders.values():
                        if order.side == level.side and order.price == level.price and order.arrived < own.arrived:
                            own.ahead += order.open_size
                    if was_blind:
                        own.joined = own.ahead
        kind = AFTER_GAP if was_gap else ARRIVED
        if book.best_bid > 0:
            self.arrive(market, BID, book.best_bid, kind, now_ns)
        if book.best_offer > 0:
            self.arrive(market, OFFER, book.best_offer, kind, now_ns)
        market.watch()
        return True
