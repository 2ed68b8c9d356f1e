"""Signals that the kernel keeps for a strategy: each has a unit and a time base of its own.

A signal is sampled on a grid of pipeline time, never per message: the same market told in twice as many
messages gives the same values.
"""

from __future__ import annotations

import math
from array import array

from quotewright.kernel.codes import BUY, NEVER, SELL


class Signal:
    """A value over a window of elapsed time; ``next_ns`` is the grid time at which it wants to be sampled."""

    def __init__(self, window_ns: int, samples: int) -> None:
        if window_ns < samples:
            raise ValueError(f"a window of {window_ns} ns is too short for {samples} samples")
        self.window_ns = window_ns
        self.samples = samples
        self.sample_ns = window_ns // samples
        self.next_ns = NEVER
        self.value = 0.0
        self.is_ready = False

    def start(self, now_ns: int) -> bool:
        """Lay the sampling grid; it starts at *now_ns*."""
        self.next_ns = now_ns + self.sample_ns
        return True

    def sample(self, mid2: int) -> bool:
        """Take the market as it stands at ``next_ns``: *mid2* is twice the mid in steps, 0 if it is not known."""
        self.next_ns += self.sample_ns
        return True

    def on_trade(self, side: int, price: int, size: int) -> bool:
        """Take one print in steps; *side* is the taker's."""
        return True


class Volatility(Signal):
    """Realised volatility of the mid, mean zero, in price steps per square root of a second.

    ``value = sqrt(sum(d^2) / elapsed seconds)`` over the moves *d* between neighbouring grid points of the window at
    which both mids were known. Ready once half of the window has been seen.
    """

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.squares = array("d", bytes(8 * samples))
        self.known = array("q", bytes(8 * samples))
        self.at = 0
        self.last_mid2 = 0

    def sample(self, mid2: int) -> bool:
        """Note the move since the last grid point and bring ``value`` up to date."""
        at = self.at
        if mid2 > 0 and self.last_mid2 > 0:
            move = (mid2 - self.last_mid2) * 0.5
            self.squares[at] = move * move
            self.known[at] = 1
        else:
            self.squares[at] = 0.0
            self.known[at] = 0
        self.last_mid2 = mid2
        self.at = at + 1 if at + 1 < self.samples else 0
        total = 0.0
        count = 0
        for index in range(self.samples):
            total += self.squares[index]
            count += self.known[index]
        self.is_ready = count * 2 >= self.samples
        self.value = math.sqrt(total / (count * (self.sample_ns * 1e-9))) if count > 0 else 0.0
        self.next_ns += self.sample_ns
        return True


class TradeFlow(Signal):
    """Signed volume of prints over the window: (bought - sold) / (bought + sold); +1 if all takers bought."""

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.bought = array("q", bytes(8 * samples))
        self.sold = array("q", bytes(8 * samples))
        self.at = 0
        self.seen = 0

    def on_trade(self, side: int, price: int, size: int) -> bool:
        """Count one print in the running slice of the window."""
        if side == BUY:
            self.bought[self.at] += size
        elif side == SELL:
            self.sold[self.at] += size
        return True

    def sample(self, mid2: int) -> bool:
        """Close the running slice and bring ``value`` up to date."""
        bought = 0
        sold = 0
        for index in range(self.samples):
            bought += self.bought[index]
            sold += self.sold[index]
        self.value = (bought - sold) / (bought + sold) if bought + sold > 0 else 0.0
        self.at = self.at + 1 if self.at + 1 < self.samples else 0
        self.bought[self.at] = 0
        self.sold[self.at] = 0
        self.seen += 1
        self.is_ready = self.seen >= self.samples
        self.next_ns += self.sample_ns
        return True
