"""The role of a book model: what the pipeline and strategies may ask of any book."""

from __future__ import annotations

from quotewright.kernel.codes import BOOK_EMPTY, BOOK_GOOD, BOOK_STALE
from quotewright.kernel.rows import Rows


class BookModel:
    """Base class of all book models; prices and sizes are whole steps of the instrument.

    ``best_bid`` and ``best_offer`` are 0 while that side is empty; prices of a book are positive.
    Negative prices are not supported. ``status`` is one of the ``BOOK_*`` codes.
    """

    def __init__(self) -> None:
        self.status = BOOK_EMPTY
        self.best_bid = 0
        self.best_bid_size = 0
        self.best_offer = 0
        self.best_offer_size = 0
        self.messages = 0
        self.crossings = 0

    def apply(self, rows: Rows, first: int, last: int) -> bool:
        """Apply rows ``[first, last)``, one whole message of this instrument; return whether the best quotes moved.

        Rows of other kinds than levels, snapshots, gaps and resyncs are passed over. A book that is crossed (bid >=
        offer) after the message is suspect; if the next message leaves it crossed it is stale.
        """
        raise NotImplementedError(f"{type(self).__name__} lacks apply()")

    def size_at(self, side: int, price: int) -> int:
        """Return the size at *price* steps on *side*, 0 if there is no such level."""
        raise NotImplementedError(f"{type(self).__name__} lacks size_at()")

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """Return up to *count* levels ``(price, size)`` in steps, best first; all of them for a negative count."""
        raise NotImplementedError(f"{type(self).__name__} lacks levels()")

    def level_count(self, side: int) -> int:
        """Return how many levels *side* has."""
        raise NotImplementedError(f"{type(self).__name__} lacks level_count()")

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
