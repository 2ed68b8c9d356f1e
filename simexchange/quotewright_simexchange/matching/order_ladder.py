"""A book model made of the single orders of a market-by-order feed, each with its place in the queue of its price.

Prices and sizes are steps. ``arrived`` counts the arrivals at this book, ours included: what has the smaller number at
one price trades first.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import (
    BID,
    GAP,
    LEVEL_SET,
    OFFER,
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    ROW_WORDS,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
)
from quotewright.kernel.rows import Rows


class MarketOrder:
    """One order of the recorded market."""

    def __init__(self, side: int, price: int, open_size: int, arrived: int) -> None:
        self.side = side
        self.price = price
        self.open_size = open_size
        self.arrived = arrived


class OrderLadder(BookModel):
    """Orders by the id that the feed gives them, and the displayed size of every price."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[int, MarketOrder] = {}
        self.before: dict[int, MarketOrder] = {}
        """While a snapshot is read: the orders there were."""
        self.bid_sizes: dict[int, int] = {}
        self.offer_sizes: dict[int, int] = {}
        self.bid_prices: list[int] = []
        self.offer_prices: list[int] = []
        self.arrivals = 0
        self.unknown_orders = 0

    def arrive(self) -> int:
        """Return the number of one more arrival."""
        self.arrivals += 1
        return self.arrivals

    def find(self, order_id: int) -> MarketOrder | None:
        """Return an order of the market; None, and counted, for one that the feed never added."""
        order = self.orders.get(order_id)
        if order is None:
            self.unknown_orders += 1
        return order

    def add(self, order_id: int, side: int, price: int, size: int) -> bool:
        """Add an order at the back of its price; in a snapshot one that was there before keeps its place."""
        if order_id in self.orders:
            self.shrink(order_id, self.orders[order_id], size=0)
        arrived = 0
        known = self.before.get(order_id) if self.before else None
        if known is not None and known.side == side and known.price == price and known.open_size >= size:
            arrived = known.arrived
        if size <= 0 or price <= 0 or (side != BID and side != OFFER):
            return self.refuse_row(0, side, price, size)
        self.orders[order_id] = MarketOrder(side, price, size, arrived if arrived else self.arrive())
        sizes = self.bid_sizes if side == BID else self.offer_sizes
        if price in sizes:
            sizes[price] += size
        else:
            sizes[price] = size
            insort(self.bid_prices if side == BID else self.offer_prices, price)
        return True

    def shrink(self, order_id: int, order: MarketOrder, size: int) -> bool:
        """Leave *order* with *size*; nothing left ends it."""
        sizes = self.bid_sizes if order.side == BID else self.offer_sizes
        left = sizes[order.price] - order.open_size + size
        order.open_size = size
        if size == 0:
            del self.orders[order_id]
        if left:
            sizes[order.price] = left
        else:
            del sizes[order.price]
            prices = self.bid_prices if order.side == BID else self.offer_prices
            del prices[bisect_left(prices, order.price)]
        return True

    def left_after(self, kind: int, order: MarketOrder, size: int) -> int:
        """Return what a reduce, execute or delete row of *size* leaves of *order*; an execution of 0 is of all."""
        if kind == ORDER_DELETE or (kind == ORDER_EXECUTE and size <= 0) or size >= order.open_size:
            return 0
        return order.open_size - size if size > 0 else order.open_size

    def begin_snapshot(self) -> bool:
        """Forget every order; those that the snapshot has again keep their places."""
        self.before = self.orders
        self.orders = {}
        self.bid_sizes.clear()
        self.offer_sizes.clear()
        self.bid_prices.clear()
        self.offer_prices.clear()
        return True

    def is_of_orders(self, rows: Rows, first: int, last: int) -> bool:
        """Return whether a message with a snapshot is one of orders: it sets no levels."""
        words = rows.words
        at = first
        while at < last:
            if words[at * ROW_WORDS + 5] & 255 == LEVEL_SET:
                return False
            at += 1
        return True

    def show_best(self) -> bool:
        """Bring the four best fields up to the levels; return whether they moved."""
        bid, bid_size, offer, offer_size = self.best_bid, self.best_bid_size, self.best_offer, self.best_offer_size
        self.best_bid = self.bid_prices[-1] if self.bid_prices else 0
        self.best_bid_size = self.bid_sizes[self.best_bid] if self.bid_prices else 0
        self.best_offer = self.offer_prices[0] if self.offer_prices else 0
        self.best_offer_size = self.offer_sizes[self.best_offer] if self.offer_prices else 0
        return (
            bid != self.best_bid
            or offer != self.best_offer
            or bid_size != self.best_bid_size
            or offer_size != self.best_offer_size
        )

    def end_message(self, had_snapshot: bool, has_gap: bool) -> bool:
        """End a message that held rows of this book; return whether the best quotes moved."""
        if self.before:
            self.before = {}
        is_moved = self.show_best()
        self.settle(had_snapshot, has_gap)
        return is_moved

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        words = rows.words
        is_touched = had_snapshot = has_gap = False
        row = first
        while row < last:
            at = row * ROW_WORDS
            row += 1
            word = words[at + 5]
            kind = word & 255
            if kind == ORDER_ADD:
                self.add(words[at + 4], (word >> SIDE_SHIFT) & 255, words[at + 2], words[at + 3])
            elif ORDER_ADD < kind <= ORDER_DELETE:
                order = self.find(words[at + 4])
                if order is not None:
                    self.shrink(words[at + 4], order, self.left_after(kind, order, words[at + 3]))
            elif kind == SNAPSHOT_BEGIN and self.is_of_orders(rows, first, last):
                self.begin_snapshot()
                had_snapshot, has_gap = True, False
            elif kind == GAP:
                has_gap = True
            else:
                continue
            is_touched = True
        return self.end_message(had_snapshot, has_gap) if is_touched else False

    def size_at(self, side: int, price: int) -> int:
        return (self.bid_sizes if side == BID else self.offer_sizes).get(price, 0)

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        prices = self.bid_prices[::-1] if side == BID else self.offer_prices
        sizes = self.bid_sizes if side == BID else self.offer_sizes
        return [(price, sizes[price]) for price in (prices if count < 0 else prices[:count])]

    def level_count(self, side: int) -> int:
        return len(self.bid_prices if side == BID else self.offer_prices)
