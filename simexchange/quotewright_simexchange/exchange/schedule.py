"""What is due on the market clock: callbacks in order of their time, then of their asking."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Schedule:
    """Callbacks by time. One that was forgotten is never called. Those with a name are part of the exchange's state."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int]] = []
        self._calls: dict[int, Callable[[], None]] = {}
        self._names: dict[int, str] = {}
        self._number = 0

    def at(self, when_ns: int, call: Callable[[], None], name: str = "") -> int:
        """Have *call* made at *when_ns*; return the number by which it is forgotten."""
        self._number += 1
        self._calls[self._number] = call
        if name:
            self._names[self._number] = name
        heapq.heappush(self._due, (when_ns, self._number))
        return self._number

    def forget(self, number: int) -> None:
        """Do not make a call; one that was made or forgotten before is no error."""
        self._calls.pop(number, None)
        self._names.pop(number, None)

    def next_ns(self) -> int | None:
        """Return when the next call is due, None if nothing is."""
        while self._due and self._due[0][1] not in self._calls:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def take(self) -> Callable[[], None]:
        """Return the next call and forget it."""
        _, number = heapq.heappop(self._due)
        self._names.pop(number, None)
        return self._calls.pop(number)

    def named(self) -> list[tuple[int, str]]:
        """Return time and name of what has a name, in the order in which it will be called."""
        return [(when_ns, self._names[number]) for when_ns, number in sorted(self._due) if number in self._names]

    def forget_first(self, name: str) -> None:
        """Do not make the next call of that name."""
        found = [entry for entry in self._due if self._names.get(entry[1]) == name]
        if found:
            self.forget(min(found)[1])
