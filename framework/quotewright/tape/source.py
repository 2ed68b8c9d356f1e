"""Rows of a tape as a row source: whole messages, window by window; next pages are asked for, passed ones returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.kernel.codes import LAST_BIT, NEVER, RECEIVE, ROW_WORDS, WORD
from quotewright.kernel.rows import Rows
from quotewright.kernel.source import RowSource

if TYPE_CHECKING:
    from quotewright.tape.tape import Tape

WINDOW_ROWS = 32768


def row_at(rows: Rows, time_ns: int) -> int:
    """Return the number of the first row received at or after *time_ns*; the row count if there is none."""
    low = 0
    high = rows.count
    while low < high:
        middle = (low + high) // 2
        if rows.words[middle * ROW_WORDS + RECEIVE] < time_ns:
            low = middle + 1
        else:
            high = middle
    return low


class TapeSource(RowSource):
    """Rows received in ``[from_ns, to_ns)``, in windows of about *window* rows.

    ``first`` and ``last`` are row numbers of the whole tape. Rows before *from_ns* are not handed out: whoever
    needs the book as it stood then reads from the start.
    """

    def __init__(self, tape: Tape, from_ns: int = 0, to_ns: int = NEVER, window: int = WINDOW_ROWS) -> None:
        super().__init__()
        if window < 1:
            raise ValueError(f"window should be at least 1 row, was {window}")
        self.tape = tape
        self.rows = tape.rows
        self.window = window
        self.first = row_at(self.rows, from_ns)
        self.last = self.first
        self.released = self.first
        self.expected = self.first
        self.end = self.rows.count if to_ns == NEVER else row_at(self.rows, to_ns)

    def fill(self, until_ns: int) -> int:
        """Make the next window ready if the last one is used up; see :meth:`RowSource.fill`."""
        if self.first >= self.last:
            self.advance()
            if self.first >= self.last:
                return NEVER
        receive_ns = self.rows.words[self.first * ROW_WORDS + RECEIVE]
        return receive_ns if receive_ns <= until_ns else NEVER

    def advance(self) -> bool:
        """Give the passed rows back and make the next window of whole messages ready."""
        rows = self.rows
        first = self.first
        if first > self.released:
            # Some windows further back again, for a reader in event order that came by in between.
            begin = self.released - 4 * self.window
            self.tape.release(begin if begin > 0 else 0, first)
            self.released = first
        end = self.end
        last = first + self.window
        if last > end:
            last = end
        while last > first and not rows.words[(last - 1) * ROW_WORDS + WORD] & LAST_BIT:
            last -= 1
        if last == first:  # a message longer than the window
            last = first + self.window
            while last < end and not rows.words[(last - 1) * ROW_WORDS + WORD] & LAST_BIT:
                last += 1
            if last > end:
                last = end
        self.tape.hold(last)
        self.last = last
        ahead = last + 2 * self.window
        if ahead > end:
            ahead = end
        if ahead > self.expected:  # what was asked for is on its way
            self.tape.expect(max(last, self.expected), ahead)
            self.expected = ahead
        return True

    def close(self) -> bool:
        """Give every page back; the tape stays open for its owner."""
        self.tape.release(0, self.rows.count)
        self.first = self.last = self.end
        return True
