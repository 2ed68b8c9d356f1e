"""The role of a book model: what the pipeline and strategies may ask of any book. Interface version 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    BID,
    BOOK_EMPTY,
    BOOK_GOOD,
    BOOK_STALE,
    BOOK_SUSPECT,
    INSTRUMENT_SHIFT,
    LAST_BIT,
    OFFER,
    ROW_WORDS,
)
from quotewright.kernel.rows import Rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BOOK_INTERFACE_VERSION = 1
MAX_STEPS = 1_000_000_000_000_000_000
"""Largest price and size of a book, in steps: what the scanner's 18 digits can hold, and a bit more."""

FULL_LEVELS = 20_000
"""A side with so many levels takes no new one that is worse than its best by more than half of it."""


class BookModel:
    """Base class of all book models; prices and sizes are whole steps of the instrument.

    ``best_bid`` and ``best_offer`` are 0 while that side is empty; prices of a book are positive.
    Negative prices are not supported. ``status`` is one of the ``BOOK_*`` codes. ``messages`` counts the messages
    that held a row of the book, ``crossings`` those that crossed a good book, ``dropped`` the levels not kept
    because the side was full; ``is_partial`` says that one was dropped since the last snapshot.

    ``wants_quotes``: the book is made of ``BEST_QUOTE`` rows, so it is handed messages of these instead of levels.
    ``wants_orders``: it is made of single orders, so it is handed messages of order rows as well.

    A subclass writes :meth:`apply`, :meth:`size_at`, :meth:`levels` and :meth:`level_count`; it sets the four best
    fields and ends :meth:`apply` with :meth:`settle`. The metrics below build on these.
    """

    def __init__(self) -> None:
        self.status = BOOK_EMPTY
        self.best_bid = 0
        self.best_bid_size = 0
        self.best_offer = 0
        self.best_offer_size = 0
        self.messages = 0
        self.crossings = 0
        self.dropped = 0
        self.is_partial = False
        self.wants_quotes = False
        self.wants_orders = False

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        """Apply rows ``[first, last)``, one whole message of this instrument; return whether the best quotes moved.

        Rows of other kinds than levels, snapshots, gaps and resyncs are passed over. A book that is crossed (bid >=
        offer) after the message is suspect; if the next message leaves it crossed it is stale.
        """
        raise TypeError(f"{type(self).__name__} lacks apply()")

    def size_at(self, side: int, price: int) -> int:
        """Return the size at *price* steps on *side*, 0 if there is no such level."""
        raise TypeError(f"{type(self).__name__} lacks size_at()")

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """Return up to *count* levels ``(price, size)`` in steps, best first; all of them for a negative count."""
        raise TypeError(f"{type(self).__name__} lacks levels()")

    def level_count(self, side: int) -> int:
        """Return how many levels *side* has."""
        raise TypeError(f"{type(self).__name__} lacks level_count()")

    def apply_messages(self, rows: Rows, first: int, last: int, instrument: int) -> int:
        """Apply every message of *instrument* in rows ``[first, last)``, one by one; return how many there were."""
        if first < 0 or last > rows.count:
            raise InputError(f"rows {first} to {last} should lie within the {rows.count} rows there are")
        words = rows.words
        count = 0
        start = first
        at = first
        while at < last:
            word = words[at * ROW_WORDS + 5]
            at += 1
            if word & LAST_BIT:
                if word >> INSTRUMENT_SHIFT == instrument:
                    self.apply(rows, start, at)
                    count += 1
                start = at
        return count

    def settle(self, had_snapshot: bool, has_gap: bool) -> bool:
        """Set ``status`` at the end of a message that held rows of the book.

        Args:
            had_snapshot: The message held a snapshot.
            has_gap: It held a gap, and no snapshot after it.
        """
        self.messages += 1
        if has_gap:
            if had_snapshot or self.status != BOOK_EMPTY:
                self.status = BOOK_STALE
            return True
        is_crossed = 0 < self.best_offer <= self.best_bid
        if had_snapshot or self.status == BOOK_GOOD:
            if is_crossed:
                self.status = BOOK_SUSPECT
                self.crossings += 1
            else:
                self.status = BOOK_GOOD
        elif self.status == BOOK_SUSPECT:
            self.status = BOOK_STALE if is_crossed else BOOK_GOOD
        return True

    def refuse_row(self, row: int, side: int, price: int, size: int) -> bool:
        """Make the book stale and raise InputError about a level that no book can hold."""
        self.mark_stale()
        raise InputError(
            f"row {row}: a level should have side {BID} or {OFFER}, price 1 to {MAX_STEPS} and size 0 to {MAX_STEPS}, "
            f"came side {side}, price {price}, size {size}; the book is stale until the next snapshot"
        )

    def mark_stale(self) -> bool:
        """Make the book stale until the next snapshot: silence, a lost connection, a failed check."""
        if self.status != BOOK_EMPTY:
            self.status = BOOK_STALE
        return True

    def is_good(self) -> bool:
        """Return whether the book may be quoted on: good, and with both sides present."""
        return self.status == BOOK_GOOD and self.best_bid > 0 and self.best_offer > 0

    def mid2(self) -> int:
        """Return twice the mid in steps (an exact int), 0 while a side is empty."""
        if self.best_bid <= 0 or self.best_offer <= 0:
            return 0
        return self.best_bid + self.best_offer

    def weighted_mid(self) -> float:
        """Return ``(Pa*Qb + Pb*Qa) / (Qa + Qb)`` of the best quotes in price steps, 0.0 while a side is empty.

        Always from best bid to best offer: the sum is exact and divided once.
        """
        if self.best_bid <= 0 or self.best_offer <= 0:
            return 0.0
        bid = self.best_bid
        offer = self.best_offer
        bid_size = self.best_bid_size
        offer_size = self.best_offer_size
        return (offer * bid_size + bid * offer_size) / (bid_size + offer_size)

    def spread_bps(self) -> float:
        """Return offer minus bid in basis points of the mid, 0.0 while a side is empty, negative when crossed."""
        if self.best_bid <= 0 or self.best_offer <= 0:
            return 0.0
        bid = self.best_bid
        offer = self.best_offer
        return 20_000 * (offer - bid) / (offer + bid)

    def volume(self, side: int, count: int) -> int:
        """Return the summed size of the best *count* levels of *side* in steps; of all for a negative count."""
        total = 0
        for level in self.levels(side, count):
            total += level[1]
        return total

    def volume_until(self, side: int, price: int) -> int:
        """Return the summed size of the levels of *side* at *price* or better, in steps."""
        total = 0
        for level in self.levels(side, -1):
            if level[0] < price if side == BID else level[0] > price:
                break
            total += level[1]
        return total

    def imbalance(self, levels: int) -> float:
        """Return ``(Vb - Va) / (Vb + Va)`` of the best *levels* levels a side: +1 all bids, 0.0 when empty."""
        bids = self.volume(BID, levels)
        offers = self.volume(OFFER, levels)
        if bids + offers == 0:
            return 0.0
        return (bids - offers) / (bids + offers)

    def imbalance_within(self, bps: float) -> float:
        """Return the imbalance of the levels at most *bps* basis points from the mid; 0.0 while a side is empty.

        Raises:
            InputError: *bps* is negative or not finite.
        """
        if not 0 <= bps < float("inf"):
            raise InputError(f"imbalance_within: bps should be zero or positive, was {bps}")
        mid2 = self.mid2()
        if mid2 == 0:
            return 0.0
        # The edges of the band, mid * (1 -+ bps / 10_000), in exact ints: no level flips by a rounding error.
        ratio = float(bps).as_integer_ratio()
        scale = 20_000 * ratio[1]
        lowest = -(-mid2 * (10_000 * ratio[1] - ratio[0]) // scale)
        highest = mid2 * (10_000 * ratio[1] + ratio[0]) // scale
        bids = self.volume_until(BID, max(lowest, 1))
        offers = self.volume_until(OFFER, min(highest, MAX_STEPS))
        if bids + offers == 0:
            return 0.0
        return (bids - offers) / (bids + offers)

    def depth_arrays(
        self, count: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return ``(bid_prices, bid_sizes, offer_prices, offer_sizes)`` in steps, best first, up to *count* a side.

        Each is a new int64 array of shape ``(n,)``; a negative *count* gives the whole book.
        """
        bids = level_arrays(self.levels(BID, count))
        offers = level_arrays(self.levels(OFFER, count))
        return bids[0], bids[1], offers[0], offers[1]


def level_arrays(levels: list[tuple[int, int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the prices and the sizes of *levels* as int64 arrays."""
    import numpy as np

    table = np.array(levels, dtype=np.int64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()
