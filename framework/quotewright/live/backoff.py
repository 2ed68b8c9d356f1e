"""The pauses between attempts: full jitter, growing, reset only after a time in which all was well."""

from __future__ import annotations

import random


class Backoff:
    """The pauses of one thing that is tried again and again (a connection, a queue of requests); pure.

    The n-th pause in a row is drawn evenly from ``[0, min(most, base · 2^n)]``, so that many who failed together do
    not come back together. A connection that merely opened resets nothing: it must have been good for *healthy_ns*.

    Args:
        base_ns: Bound of the first pause.
        most_ns: Bound of every pause.
        healthy_ns: So long must all have been well before the bound is the first again.
        chance: Where the pauses are drawn from.
    """

    def __init__(self, base_ns: int, most_ns: int, healthy_ns: int, chance: random.Random) -> None:
        self.base_ns = base_ns
        self.most_ns = most_ns
        self.healthy_ns = healthy_ns
        self.chance = chance
        self.tries = 0
        """Pauses since the last reset."""
        self.reason = ""
        """Why the last pause was made."""

    @property
    def bound_ns(self) -> int:
        """What the next pause is at most, unless a longer one is asked for."""
        return min(self.most_ns, self.base_ns << min(self.tries, 62))

    def next_ns(self, asked_ns: int = 0, reason: str = "") -> int:
        """Return the next pause, never shorter than *asked_ns*, which the venue asks for."""
        drawn = self.chance.randrange(self.bound_ns + 1)
        self.tries += 1
        if reason:
            self.reason = reason
        return max(drawn, asked_ns)

    def lost(self, opened_ns: int, now_ns: int) -> None:
        """Take note that what was good since *opened_ns* is so no longer: reset if that was for long enough."""
        if now_ns - opened_ns >= self.healthy_ns:
            self.reset()

    def reset(self) -> None:
        """Begin with the first bound again."""
        self.tries = 0
        self.reason = ""
