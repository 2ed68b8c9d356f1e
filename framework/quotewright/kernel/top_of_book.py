"""The book of a market that tells best quotes only: one level a side, from ``BEST_QUOTE`` rows."""

from __future__ import annotations

from quotewright.errors import InputError
from quotewright.kernel.book import MAX_STEPS, BookModel
from quotewright.kernel.codes import BEST_QUOTE, BID, BOOK_EMPTY, BOOK_STALE, GAP, OFFER, ROW_WORDS, SIDE_SHIFT
from quotewright.kernel.rows import Rows


class TopOfBook(BookModel):
    """The best bid and the best offer, and nothing behind them.

    A quote of size 0 empties its side. Good once both sides were quoted, again so after a gap or a lost connection;
    rows of levels and snapshots are passed over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wants_quotes = True

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        if first < 0 or last > rows.count:
            raise InputError(f"rows {first} to {last} should lie within the {rows.count} rows there are")
        words = rows.words
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        bid = self.best_bid
        bid_size = self.best_bid_size
        offer = self.best_offer
        offer_size = self.best_offer_size
        is_touched = False
        has_gap = False
        while at < end:
            kind = words[at + 5] & 255
            if kind == BEST_QUOTE:
                side = (words[at + 5] >> SIDE_SHIFT) & 255
                price = words[at + 2]
                size = words[at + 3]
                if side < BID or side > OFFER or size < 0 or size > MAX_STEPS or price > MAX_STEPS:
                    self.refuse_row(at // ROW_WORDS, side, price, size)
                if size > 0 and price < 1:
                    self.refuse_row(at // ROW_WORDS, side, price, size)
                if not is_touched and self.status == BOOK_STALE:
                    self.forget()  # a quote of one side says nothing about the other
                is_touched = True
                has_gap = False
                if side == BID:
                    self.best_bid = price if size > 0 else 0
                    self.best_bid_size = size
                else:
                    self.best_offer = price if size > 0 else 0
                    self.best_offer_size = size
            elif kind == GAP:
                is_touched = True
                has_gap = True
            at += ROW_WORDS
        if not is_touched:
            return False
        is_whole = self.best_bid > 0 and self.best_offer > 0
        is_new = self.status in (BOOK_EMPTY, BOOK_STALE)
        self.settle(is_whole and is_new and not has_gap, has_gap)
        return (
            self.best_bid != bid
            or self.best_bid_size != bid_size
            or self.best_offer != offer
            or self.best_offer_size != offer_size
        )

    def forget(self) -> bool:
        """Show neither side until it is quoted again."""
        self.best_bid = 0
        self.best_bid_size = 0
        self.best_offer = 0
        self.best_offer_size = 0
        return True

    def size_at(self, side: int, price: int) -> int:
        if price < 1:
            return 0
        if side == BID:
            return self.best_bid_size if price == self.best_bid else 0
        return self.best_offer_size if price == self.best_offer else 0

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        if count == 0:
            return []
        if side == BID:
            return [(self.best_bid, self.best_bid_size)] if self.best_bid else []
        return [(self.best_offer, self.best_offer_size)] if self.best_offer else []

    def level_count(self, side: int) -> int:
        return 1 if (self.best_bid if side == BID else self.best_offer) else 0
