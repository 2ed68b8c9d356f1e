"""The replay venue for a market that is only now being received: rows in order of arrival, as far as they have come.

Venue and feed are one clock away from each other by the feed's latency, which is put on the way of the commands: a
command that reaches the venue at *t* meets the rows that are received here up to *t* plus that latency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.codes import LAST_BIT, NEVER, RECEIVE, ROW_WORDS
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows, TapeBuffer
from quotewright.kernel.top_of_book import TopOfBook
from quotewright_simexchange.matching.replay import ReplayVenue
from quotewright_simexchange.matching.replay_market import Market

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument

EMPTIED_ROWS = 1 << 16
"""A tap that has been read up to its end is emptied from this size on."""


class ReceivedMarket(ReplayVenue):
    """Fills our orders against rows in order of receive time; see :class:`ReplayVenue` for the arguments."""

    def receive(self, instruments: tuple[Instrument, ...], rows: Rows, top_only: frozenset[int] = frozenset()) -> bool:
        """Stand at the beginning of *rows*, a tape's, or a buffer that is filled while the run goes on.

        Args:
            instruments: Their places are the instrument ids.
            rows: Whole messages; a TapeBuffer is emptied now and then, once all of it has been read.
            top_only: Ids of instruments that come with best quotes and without levels.
        """
        if self.queue.wants_orders():
            raise ConfigError("a market that is being received has no single orders; choose another queue model")
        self.markets = []
        for number, instrument in enumerate(instruments):
            is_top_only = number in top_only
            book = TopOfBook() if is_top_only else Ladder()
            self.markets.append(Market(instrument, book, is_top_only, self.taking))
        self.rows = rows
        self.tapped = rows if isinstance(rows, TapeBuffer) else None
        self.cursor = 0
        self.use_latency()
        self.find_next()
        self.first_ns = self.next_row_ns
        return True

    def run(self, until_ns: int) -> int:
        if self.next_row_ns == NEVER:
            self.find_next()
            if self.first_ns == NEVER:
                self.first_ns = self.next_row_ns
        return ReplayVenue.run(self, until_ns)

    def take_rows(self, limit_ns: int) -> bool:
        """Take messages received at or before *limit_ns*, until one makes a report known before the next."""
        rows = self.rows
        count = rows.count
        at = self.cursor
        now = self.next_row_ns
        while True:
            last = at + 1
            while last < count and not rows.words[last * ROW_WORDS - 1] & LAST_BIT:
                last += 1
            self.now_ns = now
            self.take_message(rows, at, last, now)
            at = last
            if at >= count:
                now = NEVER
                break
            now = rows.words[at * ROW_WORDS + RECEIVE]
            if now > limit_ns or now > self.next_report_ns:
                break
        self.cursor = at
        self.next_row_ns = now
        tapped = self.tapped
        if now == NEVER and tapped is not None and at >= EMPTIED_ROWS:
            tapped.truncate(0)
            self.cursor = 0
        return True

    def find_next(self) -> bool:
        """Find the time of the row at the cursor."""
        self.next_row_ns = NEVER
        if self.cursor < self.rows.count:
            self.next_row_ns = self.rows.words[self.cursor * ROW_WORDS + RECEIVE]
        return True
