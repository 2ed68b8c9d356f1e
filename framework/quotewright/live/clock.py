"""The clock of live receive stamps: wall time that never goes back and never repeats what was reported as passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Where stamps come from: they never go back, and none comes again at or before a time that has passed."""

    def now_ns(self) -> int: ...

    def passed(self, until_ns: int) -> None: ...


class LiveClock:
    """Wall time of the start, carried on by the monotonic clock: a step of the system's clock does not show."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._least = 0

    def now_ns(self) -> int:
        """Return the time; never less than any time before."""
        now = self._monotonic() + self._offset
        if now < self._least:
            return self._least
        self._least = now
        return now

    def passed(self, until_ns: int) -> None:
        """Let every later stamp be after *until_ns*: what was decided up to then stays decided."""
        if until_ns >= self._least:
            self._least = until_ns + 1
