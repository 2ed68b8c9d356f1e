"""Latency models that follow the tape's own stamps, or a distribution: see :mod:`~.latency` for the role."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from quotewright.config.units import Duration
from quotewright.errors import ConfigError
from quotewright.kernel.codes import RECEIVE, ROW_WORDS
from quotewright_simexchange.latency import REFUSED, LatencyModel

if TYPE_CHECKING:
    from quotewright.kernel.rows import Rows
    from quotewright.tape.tape import Tape

AMENDING = 2
"""What a key of an amend is when divided by 4: 0 is a new order, 1 a cancel, 3 a report."""
PARTS = 4096
"""Into how many equally likely parts a distribution is cut; within one, latencies lie on a straight line."""
_MASK = (1 << 64) - 1
_EXACT = Context(prec=40)


class StampLatency(LatencyModel):
    """Commands and reports take a multiple of what the market's rows took at that moment, and something on top.

    A command takes that of the last row received when it is sent; a report that of the last row that happened at the
    venue when what it tells happened. Neither looks at a later row. Before the first row, the first one counts.

    Args:
        entry_multiplier: What a command takes, as a multiple of the row's ``receive_ns - event_ns``.
        response_multiplier: What a report takes, likewise.
        extra_ns: What every command and every report takes on top.
    """

    def __init__(
        self, entry_multiplier: Decimal = Decimal(1), response_multiplier: Decimal = Decimal(1), extra_ns: int = 0
    ) -> None:
        if entry_multiplier < 0 or response_multiplier < 0 or extra_ns < 0:
            raise ConfigError(
                "latency: multipliers and extra should be zero or more, were "
                f"{entry_multiplier}, {response_multiplier} and {extra_ns} ns"
            )
        self.entry_multiplier = entry_multiplier
        self.response_multiplier = response_multiplier
        self.extra_ns = extra_ns
        self._entry = entry_multiplier.as_integer_ratio()
        self._response = response_multiplier.as_integer_ratio()
        self._received = _Received(iter(()))
        self._happened = _Happened(iter(()))

    def attach(self, tape: Tape) -> bool:
        self._received = _Received(tape.blocks())
        self._happened = _Happened(tape.event_windows())
        return True

    def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
        return sent_ns + self._taken(self._received.latency_at(sent_ns - self.feed_ns), self._entry)

    def known_ns(self, venue_ns: int, key: int = 0) -> int:
        return venue_ns + self._taken(self._happened.latency_at(venue_ns), self._response)

    def refusal_ns(self, sent_ns: int, key: int = 0) -> int:
        return self.known_ns(self.arrival_ns(sent_ns))

    def _taken(self, latency: int, multiplier: tuple[int, int]) -> int:
        return latency * multiplier[0] // multiplier[1] + self.extra_ns

    def describe(self) -> str:
        extra = f", {Duration(self.extra_ns)} on top of each" if self.extra_ns else ""
        return (
            f"the tape's feed latency times {self.entry_multiplier} for entry and {self.response_multiplier} for "
            f"response{extra}"
        )


class _Received:
    """Feed latencies by time of receipt, asked for times that do not decrease."""

    def __init__(self, blocks: Iterator[tuple[int, Any]]) -> None:
        self.blocks = blocks
        self.block: Any = None
        self.latency = 0
        self.is_begun = False

    def latency_at(self, time_ns: int) -> int:
        """Return the latency of the last row received at or before *time_ns*."""
        while self.block is None or int(self.block["receive_ns"][-1]) <= time_ns:
            if self.block is not None:
                self.latency = self._of(-1)
            following = next(self.blocks, None)
            if following is None:
                self.block = None
                return self.latency
            self.block = following[1]
            if not self.is_begun:
                self.latency = self._of(0)
                self.is_begun = True
        at = int(self.block["receive_ns"].searchsorted(time_ns, side="right")) - 1
        return self._of(at) if at >= 0 else self.latency

    def _of(self, at: int) -> int:
        return int(self.block["receive_ns"][at]) - int(self.block["event_ns"][at])


class _Happened:
    """Feed latencies by time at the venue, asked for times that do not decrease."""

    def __init__(self, windows: Iterator[tuple[Rows, memoryview[int]]]) -> None:
        self.windows = windows
        self.words: Any = None
        self.order: Any = ()
        self.at = 0
        self.latency = 0
        self.is_begun = False

    def latency_at(self, time_ns: int) -> int:
        """Return the latency of the last row that happened at or before *time_ns*."""
        while True:
            words, order = self.words, self.order
            end, step = self.at, 1
            while end < len(order) and words[order[end] * ROW_WORDS] <= time_ns:
                self.at = end + 1
                end += step
                step *= 2
            end = min(end, len(order))
            self.at = bisect_right(order, time_ns, self.at, end, key=lambda row: words[row * ROW_WORDS])
            if self.at:
                self.latency = self._of(self.at - 1)
            if self.at < len(order):
                return self.latency
            following = next(self.windows, None)
            if following is None:
                return self.latency
            self.words, self.order, self.at = following[0].words, following[1], 0
            if len(self.order) and not self.is_begun:
                self.latency = self._of(0)
                self.is_begun = True

    def _of(self, place: int) -> int:
        at = self.order[place] * ROW_WORDS
        return int(self.words[at + RECEIVE]) - int(self.words[at])


class Distribution:
    """Latencies by equally likely parts: *points* are the quantiles at 0, 1/n, … 1, whole ns that do not decrease."""

    def __init__(self, points: Sequence[int], name: str) -> None:
        if len(points) < 2 or list(points) != sorted(points) or points[0] < 0:
            raise ConfigError(
                f"latency: quantiles should be at least two times from 0 on that do not decrease, were {list(points)}"
            )
        self.points = list(points)
        self.name = name

    def at(self, draw: int) -> int:
        """Return the latency at *draw*, a whole number of 64 bits that is as likely as any other."""
        whole, part = divmod(draw * (len(self.points) - 1), 1 << 64)
        low, high = self.points[whole], self.points[whole + 1]
        return low + ((high - low) * part >> 64)


def lognormal(median_ns: int, sigma: Decimal, least_ns: int = 0) -> Distribution:
    """Return the distribution of ``least + (median - least) * exp(sigma * z)``, cut at the outermost of PARTS parts."""
    if not 0 <= least_ns <= median_ns:
        raise ConfigError(
            f"latency: the least should be between 0 and the median of {Duration(median_ns)}, was {least_ns} ns"
        )
    if not 0 <= sigma <= 5:
        raise ConfigError(f"latency: sigma should be between 0 and 5, was {sigma}")
    from statistics import NormalDist

    normal = NormalDist()
    points = []
    for part in range(PARTS + 1):
        # Half a part at the ends, where the normal distribution has none; decimals, so that every machine agrees.
        share = min(max(part, 0.5), PARTS - 0.5) / PARTS
        z = Decimal(round(normal.inv_cdf(share) * 10**9)).scaleb(-9)
        grown = _EXACT.multiply(Decimal(median_ns - least_ns), _EXACT.exp(_EXACT.multiply(sigma, z)))
        points.append(least_ns + int(grown))
    least = f", least {Duration(least_ns)}" if least_ns else ""
    return Distribution(points, f"lognormal with median {Duration(median_ns)}, sigma {sigma}{least}")


def quantiles(rows: Sequence[tuple[Decimal, int]], where: str) -> Distribution:
    """Return the distribution whose quantile at each probability is the time beside it; straight lines between."""
    shares = [row[0] for row in rows]
    if len(rows) < 2 or shares[0] != 0 or shares[-1] != 1 or any(b <= a for a, b in pairwise(shares)):
        raise ConfigError(f"{where}: probabilities should rise from 0 to 1, were {', '.join(map(str, shares))}")
    points = []
    for part in range(PARTS + 1):
        share = Decimal(part) / PARTS
        at = min(bisect_right(shares, share), len(rows) - 1)
        (low_share, low), (high_share, high) = rows[at - 1], rows[at]
        points.append(low + int((high - low) * (share - low_share) / (high_share - low_share)))
    return Distribution(points, f"{len(rows)} measured quantiles")


class DrawnLatency(LatencyModel):
    """Each command and each report takes a time drawn from a distribution, by seed and by what it is about.

    Args:
        entry: Distribution of a command's way.
        response: Distribution of a report's way.
        seed: Another seed draws other times.
        refused: Share of requests that the venue refuses (``overload``), between 0 and 1.
    """

    def __init__(
        self, entry: Distribution, response: Distribution, seed: int = 0, refused: Decimal = Decimal(0)
    ) -> None:
        if not 0 <= refused <= 1:
            raise ConfigError(f"latency: the share of refused requests should be between 0 and 1, was {refused}")
        self.entry = entry
        self.response = response
        self.seed = seed
        self.refused = refused
        self._refused_below = int(refused * (1 << 64))

    def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
        about = self._about(sent_ns, key)
        if self._refused_below and mixed(self.seed, 3, about) < self._refused_below:
            return REFUSED
        return sent_ns + self.entry.at(mixed(self.seed, 1, about))

    def known_ns(self, venue_ns: int, key: int = 0) -> int:
        return venue_ns + self.response.at(mixed(self.seed, 2, mixed(key, 4, venue_ns)))

    def refusal_ns(self, sent_ns: int, key: int = 0) -> int:
        about = self._about(sent_ns, key)
        return sent_ns + self.entry.at(mixed(self.seed, 1, about)) + self.response.at(mixed(self.seed, 2, about))

    def _about(self, sent_ns: int, key: int) -> int:
        # An order is placed once and cancelled once in earnest, but amended again and again.
        return mixed(key, 5, sent_ns) if key % 4 == AMENDING else key

    def describe(self) -> str:
        refused = f", {self.refused:%} of requests refused" if self.refused else ""
        return f"drawn by seed {self.seed}: entry {self.entry.name}, response {self.response.name}{refused}"


def mixed(seed: int, purpose: int, key: int) -> int:
    """Return 64 bits that follow from all three and from nothing else, each as likely set as not (SplitMix64)."""
    found = (seed * 0x9E37_79B9_7F4A_7C15 + purpose * 0xD1B5_4A32_D192_ED03 + key) & _MASK
    for _ in range(2):
        found = (found + 0x9E37_79B9_7F4A_7C15) & _MASK
        found = ((found ^ (found >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
        found = ((found ^ (found >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
        found ^= found >> 31
    return found
