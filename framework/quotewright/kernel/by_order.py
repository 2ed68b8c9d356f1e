"""The book of a feed that tells single orders: each with its id and its place in the queue of its price."""

from __future__ import annotations

from bisect import bisect_left, insort

from quotewright.errors import InputError
from quotewright.kernel.book import MAX_STEPS, BookModel
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


class BookOrder:
    """One order of the book; ``size`` is what is open of it, in steps."""

    def __init__(self, side: int, price: int, size: int) -> None:
        self.side = side
        self.price = price
        self.size = size


class PriceQueue:
    """The orders at one price by id, the oldest first, and the sum of their sizes."""

    def __init__(self) -> None:
        self.size = 0
        self.orders: dict[int, BookOrder] = {}


class ByOrderBook(BookModel):
    """Levels made of single orders (L3, market by order), from rows that add, reduce, execute and delete them.

    An order keeps its place while it gets smaller, and is last at its price when it is added; a second add of one id
    is a deletion and an add. The orders of a snapshot stand in the order of its rows. Rows of levels, and snapshots of
    levels, are passed over. ``unknown_orders`` counts rows about orders that were never added.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wants_orders = True
        self.orders: dict[int, BookOrder] = {}
        self.bids: dict[int, PriceQueue] = {}
        self.offers: dict[int, PriceQueue] = {}
        self.bid_prices: list[int] = []
        self.offer_prices: list[int] = []
        self.unknown_orders = 0

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        if first < 0 or last > rows.count:
            raise InputError(f"rows {first} to {last} should lie within the {rows.count} rows there are")
        words = rows.words
        is_touched = False
        had_snapshot = False
        has_gap = False
        row = first
        while row < last:
            at = row * ROW_WORDS
            word = words[at + 5]
            kind = word & 255
            row += 1
            if kind == ORDER_ADD:
                self.add(row - 1, words[at + 4], (word >> SIDE_SHIFT) & 255, words[at + 2], words[at + 3])
            elif kind > ORDER_ADD and kind <= ORDER_DELETE:
                self.lessen(kind, words[at + 4], words[at + 3])
            elif kind == SNAPSHOT_BEGIN and self.is_of_orders(rows, row, last):
                self.clear()
                had_snapshot = True
                has_gap = False
            elif kind == GAP:
                has_gap = True
            else:
                continue
            is_touched = True
        if not is_touched:
            return False
        is_moved = self.show_best()
        self.settle(had_snapshot, has_gap)
        return is_moved

    def add(self, row: int, order_id: int, side: int, price: int, size: int) -> bool:
        """Put an order behind all others at its price."""
        if side < BID or side > OFFER or price < 1 or price > MAX_STEPS or size < 1 or size > MAX_STEPS:
            self.show_best()
            return self.refuse_row(row, side, price, size)
        known = self.orders.get(order_id)
        if known is not None:
            self.leave_with(order_id, known, 0)
        order = BookOrder(side, price, size)
        queues = self.bids if side == BID else self.offers
        queue = queues.get(price)
        if queue is None:
            queue = PriceQueue()
            queues[price] = queue
            insort(self.bid_prices if side == BID else self.offer_prices, price)
        elif queue.size > MAX_STEPS - size:
            self.show_best()
            return self.refuse_row(row, side, price, size)
        queue.orders[order_id] = order
        queue.size += size
        self.orders[order_id] = order
        return True

    def lessen(self, kind: int, order_id: int, size: int) -> bool:
        """Take *size* off an order; all of it for a deletion, and for an execution that tells no size."""
        order = self.orders.get(order_id)
        if order is None:
            self.unknown_orders += 1
            return False
        left = order.size - size if size > 0 else order.size
        if kind == ORDER_DELETE or left <= 0 or (kind == ORDER_EXECUTE and size <= 0):
            left = 0
        return self.leave_with(order_id, order, left)

    def leave_with(self, order_id: int, order: BookOrder, size: int) -> bool:
        """Leave *size* of an order; nothing left ends it, and its price where it was the last one there."""
        queues = self.bids if order.side == BID else self.offers
        queue = queues[order.price]
        queue.size += size - order.size
        order.size = size
        if size > 0:
            return True
        del self.orders[order_id]
        del queue.orders[order_id]
        if not queue.orders:
            del queues[order.price]
            prices = self.bid_prices if order.side == BID else self.offer_prices
            del prices[bisect_left(prices, order.price)]
        return True

    def is_of_orders(self, rows: Rows, first: int, last: int) -> bool:
        """Return whether a snapshot, whose rows are these, tells orders: it sets no levels."""
        words = rows.words
        while first < last:
            if words[first * ROW_WORDS + 5] & 255 == LEVEL_SET:
                return False
            first += 1
        return True

    def clear(self) -> bool:
        """Forget every order."""
        self.orders.clear()
        self.bids.clear()
        self.offers.clear()
        self.bid_prices.clear()
        self.offer_prices.clear()
        return True

    def show_best(self) -> bool:
        """Bring the four best fields up to the orders; return whether they moved."""
        bid = 0
        bid_size = 0
        offer = 0
        offer_size = 0
        if self.bid_prices:
            bid = self.bid_prices[len(self.bid_prices) - 1]
            queue = self.bids[bid]
            bid_size = queue.size
        if self.offer_prices:
            offer = self.offer_prices[0]
            queue = self.offers[offer]
            offer_size = queue.size
        is_moved = (
            bid != self.best_bid
            or bid_size != self.best_bid_size
            or offer != self.best_offer
            or offer_size != self.best_offer_size
        )
        self.best_bid = bid
        self.best_bid_size = bid_size
        self.best_offer = offer
        self.best_offer_size = offer_size
        return is_moved

    def size_at(self, side: int, price: int) -> int:
        queue = (self.bids if side == BID else self.offers).get(price)
        return queue.size if queue is not None else 0

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        prices = self.bid_prices[::-1] if side == BID else self.offer_prices
        found = []
        for price in prices if count < 0 else prices[:count]:
            found.append((price, self.size_at(side, price)))
        return found

    def level_count(self, side: int) -> int:
        return len(self.bid_prices if side == BID else self.offer_prices)

    # What only a book by order can tell.

    def order_count(self, side: int, price: int) -> int:
        """Return how many orders stand at *price*."""
        queue = (self.bids if side == BID else self.offers).get(price)
        return len(queue.orders) if queue is not None else 0

    def orders_at(self, side: int, price: int) -> list[tuple[int, int]]:
        """Return ``(id, size)`` of every order at *price*, the oldest first."""
        queue = (self.bids if side == BID else self.offers).get(price)
        found: list[tuple[int, int]] = []
        if queue is not None:
            for order_id, order in queue.orders.items():
                found.append((order_id, order.size))
        return found

    def order(self, order_id: int) -> tuple[int, int, int] | None:
        """Return side, price and open size of an order, None if there is no such order."""
        found = self.orders.get(order_id)
        return (found.side, found.price, found.size) if found is not None else None

    def ahead_of(self, order_id: int) -> int:
        """Return the summed size of the older orders at the price of an order, -1 if there is no such order."""
        mine = self.orders.get(order_id)
        if mine is None:
            return -1
        queue = (self.bids if mine.side == BID else self.offers)[mine.price]
        total = 0
        for other_id, order in queue.orders.items():
            if other_id == order_id:
                break
            total += order.size
        return total
