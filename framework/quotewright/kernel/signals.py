"""Signals that the kernel keeps for a strategy: each has a unit and a time base of its own.

A signal is sampled on a grid of pipeline time, never per message: the same market told in twice as many
messages gives the same values. This module holds the role and the readings of the book as it stands.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from quotewright.kernel.book import MAX_STEPS, BookModel
from quotewright.kernel.codes import BID, NEVER, OFFER

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument

SECOND_NS = 1_000_000_000
SIGNAL_INTERFACE_VERSION = 1


class Signal:
    """A number that speaks of a span of elapsed time; ``next_ns`` is the grid time at which it wants to be sampled.

    ``unit`` says what ``value`` counts and ``time_base_ns`` what "per second" in it means in nanoseconds (0: the unit
    holds no time). ``window_ns`` is how far back it looks (0: the market as it stands) and ``sample_ns`` its grid.
    ``is_ready`` says whether ``value`` may be used. A subclass sets ``value`` and ``is_ready`` in :meth:`sample`, or
    sets ``is_due`` there and works the value out in :meth:`estimate` when somebody asks; ``wants_trades`` and
    ``wants_quotes`` have it told of prints and of moves of the best quotes.
    """

    def __init__(self, window_ns: int, samples: int = 60) -> None:
        if samples < 0 or window_ns < samples or (window_ns > 0 and samples == 0):
            raise ValueError(f"a window of {window_ns} ns is too short for {samples} samples")
        self.window_ns = window_ns
        self.samples = samples
        self.sample_ns = window_ns // samples if samples else 0
        self.next_ns = NEVER
        self.unit = ""
        self.time_base_ns = 0
        self.wants_trades = False
        self.wants_quotes = False
        self.level = 0.0
        self.is_known = False
        self.is_due = False
        self.book: BookModel | None = None
        self.tick_steps = 1
        self.price_scale = 1.0
        self.size_scale = 1.0

    @property
    def value(self) -> float:
        return self.current()

    @value.setter
    def value(self, value: float) -> None:
        self.level = value

    @property
    def is_ready(self) -> bool:
        return self.ready()

    @is_ready.setter
    def is_ready(self, is_ready: bool) -> None:
        self.is_known = is_ready

    def parameters(self) -> tuple[object, ...]:
        """Return what tells one signal of a class from another; a subclass adds the parameters of its own."""
        return (self.window_ns, self.samples)

    def attach(self, instrument: Instrument, book: BookModel) -> None:
        """Learn the book to be read and the scales of the instrument; called once, before the grid is laid."""
        self.book = book
        self.tick_steps = instrument.tick_steps
        self.price_scale = 10.0**instrument.price_decimals
        self.size_scale = 10.0**instrument.size_decimals

    def start(self, now_ns: int) -> bool:
        """Lay the sampling grid; it starts at *now_ns*."""
        self.next_ns = now_ns + self.sample_ns if self.sample_ns > 0 else NEVER
        return True

    def sample(self, mid2: int, book: BookModel) -> bool:
        """Take the market as it stands at ``next_ns``: *mid2* is twice the mid in steps, 0 while *book* is not good.

        What overrides this adds ``sample_ns`` to ``next_ns``, or calls this at its end.
        """
        self.next_ns += self.sample_ns
        return True

    def on_trade(self, now_ns: int, event_ns: int, side: int, price: int, size: int) -> bool:
        """Take one print in steps; *side* is the taker's, *event_ns* when it happened, *now_ns* when it was known."""
        return True

    def on_best(self, now_ns: int, book: BookModel) -> bool:
        """Take the best quotes after a message that moved them or made the book good or bad."""
        return True

    def estimate(self) -> float:
        """Return the value that follows from the samples; called once after each sample that set ``is_due``."""
        return self.level

    def current(self) -> float:
        """Return ``value``, worked out now if a sample came in since."""
        if self.is_due:
            self.is_due = False
            self.level = self.estimate()
        return self.level

    def ready(self) -> bool:
        """Return ``is_ready``, worked out now if a sample came in since."""
        if self.is_due:
            self.current()
        return self.is_known


class Reading(Signal):
    """Something read off a good book: as it stands (*window_ns* 0), or its mean over the grid points of a window.

    ``latest()`` is the reading now, ``deviation()`` the population standard deviation over the window, ``readings()``
    the readings themselves. Ready while the book is good; with a window once half of it was seen.
    """

    def __init__(self, window_ns: int = 0, samples: int = 60) -> None:
        super().__init__(window_ns, samples if window_ns else 0)
        self.taken = array("d", bytes(8 * max(1, self.samples)))
        self.known = array("q", bytes(8 * max(1, self.samples)))
        self.at = 0
        self.known_count = 0

    def read(self, book: BookModel) -> float:
        """Return what is read off a good *book*."""
        raise TypeError(f"{type(self).__name__} lacks read()")

    def latest(self) -> float:
        """Return the reading of the book as it stands, 0.0 while it is not good."""
        book = self.book
        if book is None or not book.is_good():
            return 0.0
        return self.read(book)

    def sample(self, mid2: int, book: BookModel) -> bool:
        at = self.at
        self.known_count -= self.known[at]
        if mid2 > 0:
            self.taken[at] = self.read(book)
            self.known[at] = 1
            self.known_count += 1
        else:
            self.known[at] = 0
        self.at = at + 1 if at + 1 < self.samples else 0
        self.is_known = self.known_count * 2 >= self.samples
        self.is_due = True
        self.next_ns += self.sample_ns
        return True

    def estimate(self) -> float:
        total = 0.0
        for index in range(self.samples):
            if self.known[index]:
                total += self.taken[index]
        return total / self.known_count if self.known_count else 0.0

    def current(self) -> float:
        if self.samples == 0:
            return self.latest()
        if self.is_due:
            self.is_due = False
            self.level = self.estimate()
        return self.level

    def ready(self) -> bool:
        if self.samples == 0:
            book = self.book
            return book is not None and book.is_good()
        return self.is_known

    def deviation(self) -> float:
        """Return the population standard deviation of the window's readings, 0.0 without a window."""
        if self.known_count == 0:
            return 0.0
        mean = self.estimate()
        total = 0.0
        for index in range(self.samples):
            if self.known[index]:
                total += (self.taken[index] - mean) * (self.taken[index] - mean)
        return math.sqrt(total / self.known_count)

    def readings(self) -> list[float]:
        """Return the window's readings, oldest first."""
        order = [*range(self.at, self.samples), *range(self.at)]
        return [self.taken[index] for index in order if self.known[index]]


class Mid(Reading):
    """Half the sum of the best prices, in quote currency."""

    def __init__(self, window_ns: int = 0, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "quote currency"

    def read(self, book: BookModel) -> float:
        return float(book.mid2()) / (2.0 * self.price_scale)


class WeightedMid(Reading):
    """``(Pa*Qb + Pb*Qa) / (Qa + Qb)`` of the best quotes, in quote currency: always from best bid to best offer."""

    def __init__(self, window_ns: int = 0, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "quote currency"

    def read(self, book: BookModel) -> float:
        return book.weighted_mid() / self.price_scale


class Spread(Reading):
    """Best offer minus best bid, in basis points of the mid."""

    def __init__(self, window_ns: int = 0, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        self.unit = "bps of the mid"

    def read(self, book: BookModel) -> float:
        return book.spread_bps()


class Imbalance(Reading):
    """``(Vb - Va) / (Vb + Va)``: +1 all bids, 0 when empty; of *levels* a side or of all within *bps* of the mid."""

    def __init__(
        self, levels: int | None = None, bps: float | None = None, window_ns: int = 0, samples: int = 60
    ) -> None:
        super().__init__(window_ns, samples)
        depth, self.bps = one_depth("Imbalance", levels, bps)
        self.depth = depth
        self.unit = "share from -1 (all offers) to +1 (all bids)"

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.depth, self.bps)

    def read(self, book: BookModel) -> float:
        if self.depth > 0:
            return book.imbalance(self.depth)
        return book.imbalance_within(self.bps)


class Depth(Reading):
    """Summed size of both sides, in units of size: of *levels* a side or of all within *bps* of the mid."""

    def __init__(
        self, levels: int | None = None, bps: float | None = None, window_ns: int = 0, samples: int = 60
    ) -> None:
        super().__init__(window_ns, samples)
        depth, self.bps = one_depth("Depth", levels, bps)
        self.depth = depth
        self.unit = "size"

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.depth, self.bps)

    def read(self, book: BookModel) -> float:
        return depth_of(book, self.depth, self.bps) / self.size_scale


class Concentration(Reading):
    """How much of the depth of the best *levels* a side stands on few of them: the sum of squared shares.

    1 if all of it is one level, ``1 / n`` if it is spread evenly over *n* levels (both sides together).
    """

    def __init__(self, levels: int = 10, window_ns: int = 0, samples: int = 60) -> None:
        super().__init__(window_ns, samples)
        if levels < 1:
            raise ValueError(f"Concentration: levels should be 1 or more, was {levels}")
        self.depth = levels
        self.unit = "share from 0 to 1"

    def parameters(self) -> tuple[object, ...]:
        return (self.window_ns, self.samples, self.depth)

    def read(self, book: BookModel) -> float:
        sizes = [level[1] for level in book.levels(BID, self.depth)]
        sizes += [level[1] for level in book.levels(OFFER, self.depth)]
        total = 0.0
        squares = 0.0
        for size in sizes:
            total += float(size)
            squares += float(size) * float(size)
        return squares / (total * total) if total > 0.0 else 0.0


def one_depth(what: str, levels: int | None, bps: float | None) -> tuple[int, float]:
    """Return ``(levels, 0.0)`` or ``(0, bps)``, whichever was given; five levels if neither was."""
    if levels is not None and bps is not None:
        raise ValueError(f"{what}: give levels or bps, not both")
    if bps is not None:
        if not 0 < bps < math.inf:
            raise ValueError(f"{what}: bps should be positive, was {bps}")
        return 0, float(bps)
    levels = 5 if levels is None else levels
    if levels < 1:
        raise ValueError(f"{what}: levels should be 1 or more, was {levels}")
    return levels, 0.0


def depth_of(book: BookModel, levels: int, bps: float) -> float:
    """Return the summed size of both sides in steps: of *levels* a side, or of all within *bps* if *levels* is 0."""
    if levels > 0:
        bids = book.volume(BID, levels)
        offers = book.volume(OFFER, levels)
        return float(bids + offers)
    middle = float(book.mid2())
    lowest = math.ceil(middle * (1.0 - bps * 1e-4) * 0.5)
    highest = math.floor(middle * (1.0 + bps * 1e-4) * 0.5)
    bids = book.volume_until(BID, max(lowest, 1))
    offers = book.volume_until(OFFER, min(highest, MAX_STEPS))
    return float(bids + offers)
