"""The queue between sockets and adapter: one order for everything, bounded, with books given up first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TypeAlias

Entry: TypeAlias = tuple[int, int, "bytes | Callable[[int], None]"]
"""When it came, the connection it came over, and the frame, or what is to be called with the time."""

Classify: TypeAlias = Callable[[int, bytes], tuple[str, bool]]
"""Connection and frame → symbol, and whether the frame is an update of that symbol's book and may be given up."""


class FrameQueue:
    """First in, first out. Above *limit* frames the books with most of them are emptied until half is free.

    Events other than frames, and frames that are no books', are never given up.
    """

    def __init__(self, limit: int, classify: Classify) -> None:
        self.limit = limit
        self.classify = classify
        self.entries: deque[Entry] = deque()
        self.longest = 0
        self.shed_frames = 0
        self._next_shed = limit

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, receive_ns: int, number: int, content: bytes | Callable[[int], None]) -> bool:
        """Add an entry; True if books are to be given up now: call :meth:`shed`."""
        entries = self.entries
        entries.append((receive_ns, number, content))
        return len(entries) > self._next_shed

    def shed(self) -> list[str]:
        """Take out the updates of the busiest books until half of the limit is free; return their symbols."""
        self.longest = max(self.longest, len(self.entries))
        counts: Counter[str] = Counter()
        symbols: list[str] = []
        for _, number, content in self.entries:
            symbol = ""
            if isinstance(content, bytes):
                symbol, may_go = self.classify(number, content)
                symbol = symbol if may_go else ""
            symbols.append(symbol)
            if symbol:
                counts[symbol] += 1
        most = len(self.entries) - self.limit // 2
        given_up: dict[str, None] = {}
        freed = 0
        for symbol, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            if freed >= most:
                break
            given_up[symbol] = None
            freed += count
        if given_up:
            kept = [
                entry
                for entry, symbol in zip(self.entries, symbols, strict=True)
                if not symbol or symbol not in given_up
            ]
            self.shed_frames += len(self.entries) - len(kept)
            self.entries.clear()
            self.entries.extend(kept)
        # Where little can be given up, it is not looked for again with every frame.
        self._next_shed = max(self.limit, len(self.entries) + self.limit // 2)
        return list(given_up)

    def take(self) -> Entry:
        """Return the oldest entry."""
        entry = self.entries.popleft()
        if not self.entries:
            self._next_shed = self.limit
        return entry
