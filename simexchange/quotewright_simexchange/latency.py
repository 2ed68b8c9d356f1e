"""How long a command takes to the venue, and its outcome back. Times are int nanoseconds of virtual time.

Three parts, each apart: ``feed`` (from the venue to the strategy, beyond what the tape's stamps say), entry (a
command's way to the venue), response (the way back of what came of it).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quotewright.config.units import Duration
from quotewright.errors import ConfigError

if TYPE_CHECKING:
    from quotewright.tape.tape import Tape

REFUSED = -1
"""What :meth:`LatencyModel.arrival_ns` returns for a request that the venue was too busy to take."""


class LatencyModel:
    """Base class of latency models: when what is sent arrives. An arrival is never before the sending.

    *key* tells apart what is sent: a model that draws at random draws from it, so that an order meets the same
    latencies however many others are about. It is four times the order's number, plus 0 for a new order, 1 for a
    cancel, 2 for an amend, 3 for a report.
    """

    feed_ns = 0
    """How much later than the tape's receive times the strategy sees the market."""
    keeps_order = True
    """Whether commands of the one session reach the venue in the order in which they were sent."""

    def attach(self, tape: Tape) -> bool:
        """Take the tape on which the venue stands; called once, before the first command."""
        return True

    def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
        """Return when a command sent at *sent_ns* is at the venue, or REFUSED."""
        raise TypeError(f"{type(self).__name__} lacks arrival_ns()")

    def known_ns(self, venue_ns: int, key: int = 0) -> int:
        """Return when what happened at the venue at *venue_ns* is known here."""
        raise TypeError(f"{type(self).__name__} lacks known_ns()")

    def refusal_ns(self, sent_ns: int, key: int = 0) -> int:
        """Return when the refusal of a command sent at *sent_ns* is known here."""
        raise TypeError(f"{type(self).__name__} lacks refusal_ns()")

    def describe(self) -> str:
        """Return the name of the model and its parameters, for the report."""
        raise TypeError(f"{type(self).__name__} lacks describe()")


class ConstantLatency(LatencyModel):
    """The same time for every command and the same for every report."""

    def __init__(self, entry_ns: int = 0, response_ns: int = 0) -> None:
        if entry_ns < 0 or response_ns < 0:
            raise ConfigError(
                f"latency: entry and response should be zero or more, were {entry_ns} and {response_ns} ns"
            )
        self.entry_ns = entry_ns
        self.response_ns = response_ns

    def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
        return sent_ns + self.entry_ns

    def known_ns(self, venue_ns: int, key: int = 0) -> int:
        return venue_ns + self.response_ns

    def refusal_ns(self, sent_ns: int, key: int = 0) -> int:
        return sent_ns + self.entry_ns + self.response_ns

    def describe(self) -> str:
        return f"constant, entry {Duration(self.entry_ns)}, response {Duration(self.response_ns)}"


class InterpolatedLatency(LatencyModel):
    """Between recorded round trips: entry latency over request time, response latency over venue time.

    Args:
        rows: ``(request, venue, response)`` times in order of the request. Venue time 0 marks a request that was
            refused; a command whose neighbour on either side is such a row is refused too.
    """

    def __init__(self, rows: Sequence[tuple[int, int, int]]) -> None:
        if not rows:
            raise ConfigError(
                "latency: an interpolated model needs at least one row of (request, venue, response) times"
            )
        before = None
        for row in rows:
            request, venue, response = row
            if (venue and not request <= venue <= response) or response < request or (before or request) > request:
                raise ConfigError(
                    f"latency: rows should be (request, venue, response) times that do not decrease, was {row}"
                )
            before = request
        served = [row for row in rows if row[1]]
        self._requests = [row[0] for row in rows]
        self._is_refused = [row[1] == 0 for row in rows]
        self._entries = [row[1] - row[0] for row in rows]
        self._round_trips = [row[2] - row[0] for row in rows]
        self._venue_times = [row[1] for row in served]
        self._responses = [row[2] - row[1] for row in served]
        if self._venue_times != sorted(self._venue_times):
            raise ConfigError("latency: the venue times of the rows should not decrease")

    def arrival_ns(self, sent_ns: int, key: int = 0) -> int:
        at = bisect_right(self._requests, sent_ns)
        if any(self._is_refused[max(0, at - 1) : at + 1]):
            return REFUSED
        return sent_ns + _between(self._requests, self._entries, sent_ns)

    def known_ns(self, venue_ns: int, key: int = 0) -> int:
        return venue_ns + (_between(self._venue_times, self._responses, venue_ns) if self._responses else 0)

    def refusal_ns(self, sent_ns: int, key: int = 0) -> int:
        return sent_ns + _between(self._requests, self._round_trips, sent_ns)

    def describe(self) -> str:
        return f"interpolated over {len(self._requests)} recorded round trips"


def _between(times: list[int], values: list[int], time: int) -> int:
    """Return the value at *time* on the straight line between its neighbours, the end values outside; rounded down."""
    at = bisect_right(times, time)
    if at == 0:
        return values[0]
    if at == len(times):
        return values[-1]
    before, after = times[at - 1], times[at]
    return values[at - 1] + (values[at] - values[at - 1]) * (time - before) // (after - before)
