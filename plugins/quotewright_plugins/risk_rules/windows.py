"""What rules keep of the last while: times, sums, the lowest and the highest."""

from __future__ import annotations

from collections import deque


class Times:
    """How many things happened within the last *span_ns*; one that is exactly that old has left."""

    __slots__ = ("span_ns", "times")

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self.times: deque[int] = deque()

    def add(self, now_ns: int) -> int:
        """Note one more and return how many there are now."""
        self.times.append(now_ns)
        return self.count(now_ns)

    def count(self, now_ns: int) -> int:
        """Return how many there are at *now_ns*."""
        times, begin_ns = self.times, now_ns - self.span_ns
        while times and times[0] <= begin_ns:
            times.popleft()
        return len(times)

    def clear(self) -> None:
        self.times.clear()


class Sum:
    """The sum of what was added within the last *span_ns*; what is exactly that old has left."""

    __slots__ = ("entries", "span_ns", "total")

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self.total = 0
        self.entries: deque[tuple[int, int]] = deque()

    def add(self, now_ns: int, amount: int) -> int:
        """Add *amount* and return the sum now."""
        self.entries.append((now_ns, amount))
        self.total += amount
        return self.at(now_ns)

    def at(self, now_ns: int) -> int:
        """Return the sum at *now_ns*."""
        entries, begin_ns = self.entries, now_ns - self.span_ns
        while entries and entries[0][0] <= begin_ns:
            self.total -= entries.popleft()[1]
        return self.total

    def clear(self) -> None:
        self.entries.clear()
        self.total = 0


class Extremes:
    """The lowest and the highest value of the last *span_ns*; one that is exactly that old still counts."""

    __slots__ = ("highs", "lows", "span_ns")

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self.lows: deque[tuple[int, int]] = deque()
        self.highs: deque[tuple[int, int]] = deque()

    def add(self, now_ns: int, value: int) -> None:
        """Take the value of now."""
        lows, highs, begin_ns = self.lows, self.highs, now_ns - self.span_ns
        reading = (now_ns, value)
        while lows and lows[-1][1] >= value:
            lows.pop()
        while highs and highs[-1][1] <= value:
            highs.pop()
        lows.append(reading)
        highs.append(reading)
        while lows[0][0] < begin_ns:
            lows.popleft()
        while highs[0][0] < begin_ns:
            highs.popleft()

    @property
    def low(self) -> int:
        return self.lows[0][1]

    @property
    def high(self) -> int:
        return self.highs[0][1]

    def clear(self) -> None:
        self.lows.clear()
        self.highs.clear()
