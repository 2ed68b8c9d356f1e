"""A book of two dicts: slow where a best price is deleted, and short enough to read in one go."""

from __future__ import annotations

from quotewright.kernel.book import BookModel
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
from quotewright.plugin import hookimpl
from quotewright.plugin.specs import Factory


class PlainBook(BookModel):
    """Price to size, both in steps, one dict a side."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: dict[int, dict[int, int]] = {BID: {}, OFFER: {}}

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        """Apply one whole message and return whether the best quotes moved."""
        had_snapshot = has_gap = is_touched = False
        for row in range(first, last):
            at = row * ROW_WORDS
            price, size, _, word = rows.words[at + 2 : at + 6]
            kind, side = word & 0xFF, word >> SIDE_SHIFT & 0xFF
            if kind == SNAPSHOT_BEGIN:
                self.sides[BID].clear()
                self.sides[OFFER].clear()
                had_snapshot, has_gap = True, False
            elif kind == GAP:
                has_gap = True
            elif kind == LEVEL_SET and size > 0:
                self.sides[side][price] = size
            elif kind in (LEVEL_SET, LEVEL_DELETE):
                self.sides[side].pop(price, None)
            else:
                continue
            is_touched = True
        if not is_touched:
            return False
        is_moved = self._show_best()
        self.settle(had_snapshot, has_gap)
        return is_moved

    def _show_best(self) -> bool:
        before = (self.best_bid, self.best_bid_size, self.best_offer, self.best_offer_size)
        bids, offers = self.sides[BID], self.sides[OFFER]
        self.best_bid = max(bids, default=0)
        self.best_bid_size = bids.get(self.best_bid, 0)
        self.best_offer = min(offers, default=0)
        self.best_offer_size = offers.get(self.best_offer, 0)
        return before != (self.best_bid, self.best_bid_size, self.best_offer, self.best_offer_size)

    def size_at(self, side: int, price: int) -> int:
        """Return the size at a price, 0 if there is no such level."""
        return self.sides[side].get(price, 0)

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """Return up to *count* levels, best first; all of them for a negative count."""
        ordered = sorted(self.sides[side].items(), reverse=side == BID)
        return ordered[:count] if count >= 0 else ordered

    def level_count(self, side: int) -> int:
        """Return how many levels a side has."""
        return len(self.sides[side])


@hookimpl
def book_models() -> dict[str, Factory]:
    """Offer the book as ``book = "plain"`` in ``[feeds.X]``."""
    return {"plain": PlainBook}
