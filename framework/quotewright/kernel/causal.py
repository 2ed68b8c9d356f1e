"""Whether the rows of a tape and their order by event time are in order, in one pass of one step a row."""

from __future__ import annotations

from array import array

from quotewright.kernel.codes import INSTRUMENT_SHIFT, ROW_WORDS
from quotewright.kernel.rows import Rows

BEFORE_ALL = -0x8000_0000_0000_0000
IS_COMPILED = not __file__.endswith(".py")


class CausalCheck:
    """Goes through *rows* and *order* (row numbers by event time) block by block, from the first to the last.

    It says only that something is wrong; who asks finds out what. *instruments* is how many a row may be about.
    ``lowest`` and ``highest`` are the rows that the last block of the order named.
    """

    def __init__(self, rows: Rows, order: memoryview[int] | array[int], instruments: int) -> None:
        self.rows = rows
        self.order = order
        self.instruments = instruments
        self.receive_before = BEFORE_ALL
        self.event_before = BEFORE_ALL
        self.row_before = -1
        self.lowest = 0
        self.highest = 0

    def rows_hold(self, first: int, last: int) -> bool:
        """Return whether each row happened before its receipt, was received in order, and names an instrument."""
        words = self.rows.words
        before = self.receive_before
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        while at < end:
            receive = words[at + 1]
            instrument = words[at + 5] >> INSTRUMENT_SHIFT
            if words[at] > receive or receive < before or instrument < 0 or instrument >= self.instruments:
                return False
            before = receive
            at += ROW_WORDS
        self.receive_before = before
        return True

    def order_holds(self, first: int, last: int) -> bool:
        """Return whether event time and row number rise strictly along the order."""
        words = self.rows.words
        order = self.order
        count = self.rows.count
        event_before = self.event_before
        row_before = self.row_before
        lowest = count
        highest = 0
        at = first
        while at < last:
            row = order[at]
            if row < 0 or row >= count:
                return False
            event = words[row * ROW_WORDS]
            if event < event_before or (event == event_before and row <= row_before):
                return False
            if row < lowest:
                lowest = row
            at += 1
            # Mostly the rest of a message: the next rows, at the same time.
            word = row * ROW_WORDS + ROW_WORDS
            while at < last and order[at] == row + 1 and row + 1 < count and words[word] == event:
                row += 1
                word += ROW_WORDS
                at += 1
            if row > highest:
                highest = row
            event_before = event
            row_before = row
        self.event_before = event_before
        self.row_before = row_before
        self.lowest = lowest
        self.highest = highest
        return True
