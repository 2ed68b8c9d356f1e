"""Notice when the levels that an image of a book told are used up: what lies behind them is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import BID, OFFER

if TYPE_CHECKING:
    from quotewright.kernel.book import BookModel


class DepthWatch:
    """Venues send an image of so many levels, then only changes: a market that walks through them runs out of book.

    A side that once held twice *least* levels and holds fewer than *least* now is used up. A market that never had
    as many is left alone, and one that comes back thin from its new image too.
    """

    def __init__(self, least: int = 5) -> None:
        self.least = least
        self._most: dict[tuple[str, int], int] = {}

    def is_used_up(self, name: str, book: BookModel) -> bool:
        """Return whether a new image of the instrument *name* is needed; said once, until it has been deep again."""
        found = False
        for side in (BID, OFFER):
            count = book.level_count(side)
            key = (name, side)
            most = max(self._most.get(key, 0), count)
            if most >= 2 * self.least and count < self.least:
                found, most = True, 0
            self._most[key] = most
        return found
