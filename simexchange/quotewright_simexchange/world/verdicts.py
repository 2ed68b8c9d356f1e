"""What is checked in a world: invariants by their numbers, how often each was evaluated, and the first one broken."""

from __future__ import annotations

NAMES = {
    1: "books are not crossed",
    2: "a good book is the venue's at its sequence",
    3: "levels are the sums of their orders",
    4: "orders fill first in, first out",
    5: "each order's quantity is accounted for",
    6: "the ledger sums to zero",
    7: "the position is the sum of the fills",
    8: "every fill is applied exactly once",
    9: "every open order at the venue is known here",
    10: "an order is on record before it leaves",
    11: "a client id is used once",
    12: "order states move as they may",
    13: "no write of unknown outcome is sent again",
    14: "the worst case stays within the limits",
    16: "no quote stands on a bad book or beyond a lost line",
    17: "stopping the run cancels its orders",
    18: "the venue's budget is kept, bans are silent",
    19: "connects stay within the venue's limit",
    20: "queues are bounded and lose nothing",
    21: "nothing is decided on what comes later",
    22: "the same seed gives the same events",
    26: "profit is cash and value, to the last digit",
    29: "nothing is left open after the stop",
    30: "all is well soon after the faults",
}
"""The invariants that worlds check, by their numbers among those of the project."""


class Broken(Exception):
    """An invariant does not hold; the world ends here."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"invariant {number} ({NAMES[number]}): {text}")
        self.number = number


class Verdicts:
    """Counts of evaluations by invariant. *is_on* False evaluates nothing, which is told as a failure."""

    def __init__(self, is_on: bool = True) -> None:
        self.is_on = is_on
        self.counts: dict[int, int] = {}

    def hold(self, number: int, is_kept: bool, text: str) -> None:
        """Count one evaluation; raise Broken if the invariant does not hold. For what is looked at seldom."""
        self.count(number)
        if not is_kept:
            self.broken(number, text)

    def count(self, number: int, times: int = 1) -> None:
        """Count evaluations whose outcome was good."""
        self.counts[number] = self.counts.get(number, 0) + times

    def broken(self, number: int, text: str) -> None:
        """Say that an invariant does not hold.

        Raises:
            Broken: always.
        """
        raise Broken(number, text)
