"""Virtual time: what is due, in order of time and then of asking, and a log of what happened with its digest."""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Callable

FOREVER = 1 << 62
TOLD = 40
"""So many of the newest events are kept as text, to be shown before a broken invariant."""


class Agenda:
    """The clock of a world, moved by its owner, and what will happen."""

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self.now = start_ns
        self.events = 0
        self.newest: deque[tuple[int, str]] = deque(maxlen=TOLD)
        self._due: list[tuple[int, int, str, Callable[[], None]]] = []
        self._number = 0
        self._least = 0
        self._digest = hashlib.sha256()

    # The clock that the framework is given.

    def now_ns(self) -> int:
        """Return the time; never at or before a time that was reported as passed."""
        return max(self.now, self._least)

    def passed(self, until_ns: int) -> None:
        """Let every later stamp be after *until_ns*."""
        self._least = max(self._least, until_ns + 1)

    # What will happen.

    @property
    def next_ns(self) -> int:
        return self._due[0][0] if self._due else FOREVER

    def at(self, when_ns: int, what: str, call: Callable[[], None]) -> None:
        """Let *call* happen at *when_ns*; *what* tells it in the log."""
        self._number += 1
        heapq.heappush(self._due, (max(when_ns, self.now), self._number, what, call))

    def move(self, now_ns: int) -> None:
        """Set the clock; it never goes back."""
        self.now = max(self.now, now_ns)

    def take(self) -> tuple[str, Callable[[], None]]:
        """Return what is due next."""
        _, _, what, call = heapq.heappop(self._due)
        return what, call

    # What has happened.

    def note(self, what: str) -> None:
        """Write an event into the log."""
        self.events += 1
        self.newest.append((self.now, what))
        self._digest.update(f"{self.now} {what}\n".encode())

    def add(self, data: bytes) -> None:
        """Let *data* count in the digest of the log."""
        self._digest.update(data)

    def told(self) -> list[str]:
        """Return the newest events, oldest first, with seconds since the start."""
        return [f"{(when - self.start_ns) / 1e9:12.6f}  {what}" for when, what in self.newest]

    def digest(self) -> str:
        """Return the SHA-256 of everything that happened."""
        return self._digest.hexdigest()
