"""The readable book, one ``SortedDict`` a side: slower than the ladder, and what the ladder is tested against."""

from __future__ import annotations

from sortedcontainers import SortedDict

from quotewright.errors import InputError
from quotewright.kernel.book import FULL_LEVELS, MAX_STEPS, BookModel
from quotewright.kernel.codes import (
    BID,
    GAP,
    LEVEL_DELETE,
    LEVEL_SET,
    OFFER,
    ROW_WORDS,
    SIDE_SHIFT,
    SNAPSHOT_BEGIN,
)
from quotewright.kernel.rows import Rows

BOOK_KINDS = frozenset({LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN, GAP})


class SortedBook(BookModel):
    """A book of two sorted maps from price to size, both in steps."""

    def __init__(self) -> None:
        super().__init__()
        self.bids: SortedDict[int, int] = SortedDict()
        self.offers: SortedDict[int, int] = SortedDict()

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        if first < 0 or last > rows.count:
            raise InputError(f"rows {first} to {last} should lie within the {rows.count} rows there are")
        words = rows.words
        had_snapshot = has_gap = is_touched = False
        for row in range(first, last):
            at = row * ROW_WORDS
            word = words[at + 5]
            kind = word & 0xFF
            if kind not in BOOK_KINDS:
                continue
            is_touched = True
            if kind == SNAPSHOT_BEGIN:
                self.bids.clear()
                self.offers.clear()
                self.is_partial = False
                had_snapshot, has_gap = True, False
            elif kind == GAP:
                has_gap = True
            else:
                side = word >> SIDE_SHIFT & 0xFF
                price = words[at + 2]
                size = words[at + 3] if kind == LEVEL_SET else 0
                if not (side in (BID, OFFER) and 1 <= price <= MAX_STEPS and 0 <= size <= MAX_STEPS):
                    self._show_best()
                    self.refuse_row(row, side, price, size)
                self._put(side, price, size)
        if not is_touched:
            return False
        is_moved = self._show_best()
        self.settle(had_snapshot, has_gap)
        return is_moved

    def _put(self, side: int, price: int, size: int) -> None:
        levels = self.bids if side == BID else self.offers
        if size == 0:
            levels.pop(price, None)
        elif price in levels or len(levels) < FULL_LEVELS or not self._is_too_far(side, price):
            levels[price] = size
        else:
            self.dropped += 1
            self.is_partial = True

    def _is_too_far(self, side: int, price: int) -> bool:
        if side == BID:
            best_bid: int = self.bids.peekitem(-1)[0]
            return 2 * price < best_bid
        best_offer: int = self.offers.peekitem(0)[0]
        return 2 * price > 3 * best_offer

    def _show_best(self) -> bool:
        before = (self.best_bid, self.best_bid_size, self.best_offer, self.best_offer_size)
        self.best_bid, self.best_bid_size = self.bids.peekitem(-1) if self.bids else (0, 0)
        self.best_offer, self.best_offer_size = self.offers.peekitem(0) if self.offers else (0, 0)
        return before != (self.best_bid, self.best_bid_size, self.best_offer, self.best_offer_size)

    def size_at(self, side: int, price: int) -> int:
        size: int = (self.bids if side == BID else self.offers).get(price, 0)
        return size

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        if side == BID:
            prices = self.bids.islice(max(len(self.bids) - count, 0) if count >= 0 else 0, reverse=True)
            return [(price, self.bids[price]) for price in prices]
        return [(price, self.offers[price]) for price in self.offers.islice(0, count if count >= 0 else None)]

    def level_count(self, side: int) -> int:
        return len(self.bids if side == BID else self.offers)
