"""Tape rows in memory: a flat run of int64, six to a row, and a buffer of them that grows."""

from __future__ import annotations

from array import array

from quotewright.kernel.codes import EVENT_ESTIMATED, FLAG_SHIFT, LAST_BIT, ROW_WORDS


class Rows:
    """Rows ``0 .. count-1`` as ``words``, six int64 each, in the order of :mod:`quotewright.kernel.codes`.

    *words* is any buffer of native int64 (``array("q")``, a memoryview of a file). It is only read.
    """

    def __init__(self, words: memoryview[int] | array[int], count: int = -1) -> None:
        self.words: memoryview[int] | array[int] = words
        self.count = len(words) // ROW_WORDS if count < 0 else count
        if self.count * ROW_WORDS > len(words):
            raise ValueError(f"{self.count} rows need {self.count * ROW_WORDS} words, the buffer holds {len(words)}")


class TapeBuffer(Rows):
    """Rows that are being written. Growing replaces ``words``: read it anew after each append."""

    def __init__(self, capacity: int = 1024) -> None:
        self.store = array("q", bytes(8 * ROW_WORDS * max(capacity, 1)))
        super().__init__(self.store, 0)

    def append(self, event_ns: int, receive_ns: int, price: int, size: int, id: int, word: int) -> bool:
        """Add one row at the end."""
        at = self.count * ROW_WORDS
        if at >= len(self.store):
            self.grow()
        store = self.store
        store[at] = event_ns
        store[at + 1] = receive_ns
        store[at + 2] = price
        store[at + 3] = size
        store[at + 4] = id
        store[at + 5] = word
        self.count += 1
        return True

    def extend(self, rows: Rows, first: int, last: int) -> bool:
        """Add rows ``[first, last)`` of *rows* at the end."""
        words = rows.words
        at = first * ROW_WORDS
        end = last * ROW_WORDS
        while at < end:
            self.append(words[at], words[at + 1], words[at + 2], words[at + 3], words[at + 4], words[at + 5])
            at += ROW_WORDS
        return True

    def settle(self, first: int) -> int:
        """Put rows from *first* on that claim to have happened after their receipt at it; return how many did."""
        store = self.store
        at = first * ROW_WORDS
        end = self.count * ROW_WORDS
        found = 0
        flag = EVENT_ESTIMATED
        flag <<= FLAG_SHIFT
        while at < end:
            if store[at] > store[at + 1]:
                store[at] = store[at + 1]
                store[at + 5] |= flag
                found += 1
            at += ROW_WORDS
        return found

    def grow(self) -> bool:
        """Make room for twice as many rows."""
        larger = array("q")
        larger.frombytes(memoryview(self.store).cast("B"))
        larger.frombytes(bytes(8 * len(self.store)))
        self.store = larger
        self.words = larger
        return True

    def mark_last(self) -> bool:
        """Give the newest row the LAST flag: the message ends with it."""
        if self.count < 1:
            raise ValueError("there is no row that could be the last of a message")
        self.store[self.count * ROW_WORDS - 1] |= LAST_BIT
        return True

    def truncate(self, count: int) -> bool:
        """Forget every row from *count* on."""
        if not 0 <= count <= self.count:
            raise ValueError(f"cannot truncate {self.count} rows to {count}")
        self.count = count
        return True
