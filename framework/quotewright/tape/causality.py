"""Making a recording causal: one constant per recorder's clock, estimated event times, order that never goes back.

A row may not be received before it happened. Recorders' clocks are wrong by seconds, so an import measures receive
minus event over each connection and adds one constant to its receive stamps: the smallest difference then is the
stated base latency. See ``docs/tape.md``, "Two clocks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from quotewright.kernel.codes import (
    EVENT_ESTIMATED,
    GAP,
    LAST,
    LEVEL_DELETE,
    LEVEL_SET,
    NEVER,
    RELEASED,
    RESYNC,
    SNAPSHOT_BEGIN,
)
from quotewright.tape.tape import ConnectionClock

if TYPE_CHECKING:
    RowArray = np.ndarray[Any, np.dtype[Any]]

BASE_LATENCY_NS: Final = 1_000_000
QUANTILES: Final = {"p01": 0.01, "p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
SAMPLES: Final = 1 << 16
DOUBTFUL_NS: Final = 86_400_000_000_000
"""A stamp a day past the one before it is believed when the next one confirms it: one wrong stamp must not end time.

An event time a day off what the others say is not believed at all."""
BOOK_KINDS: Final = (LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN, GAP, RESYNC)


@attrs.define
class Connection:
    """What is measured of one recorder's clock while a recording is surveyed."""

    name: str
    newest_ns: int = 0
    smallest_ns: int = NEVER
    largest_ns: int = -NEVER
    messages: int = 0
    without_event_time: int = 0
    backward_stamps: int = 0
    farthest_back_ns: int = 0
    doubtful_stamps: int = 0
    doubted_ns: int = 0
    missing_stamps: int = 0
    first_event_ns: int = 0
    doubtful_events: int = 0
    usual_ns: int | None = None
    agreed: int = 0
    every: int = 1
    samples: list[int] = attrs.Factory(list)

    def stamp(self, stamp_ns: int | None) -> int:
        """Return when a line was received by its recorder's clock; one that goes back takes the latest stamp so far.

        A line without a stamp is received with the line before it; 0 while there is none. So is a line whose stamp
        leaps ahead by more than a day, unless the next stamp says the same.
        """
        newest_ns = self.newest_ns
        if stamp_ns is None:
            self.missing_stamps += 1
        elif stamp_ns < newest_ns:
            self.backward_stamps += 1
            self.farthest_back_ns = max(self.farthest_back_ns, newest_ns - stamp_ns)
        elif newest_ns and stamp_ns - newest_ns > DOUBTFUL_NS and abs(stamp_ns - self.doubted_ns) > DOUBTFUL_NS:
            self.doubtful_stamps += 1
            self.doubted_ns = stamp_ns
        else:
            self.newest_ns = stamp_ns
            self.doubted_ns = 0
        return self.newest_ns

    def observe(self, event_ns: int, receive_ns: int, flags: int) -> None:
        """Measure one message; one that waited in a buffer counts for the smallest difference only."""
        if not event_ns:
            self.without_event_time += 1
            return
        if not receive_ns:
            self.first_event_ns = self.first_event_ns or event_ns
            return
        difference = receive_ns - event_ns
        if self.usual_ns is None or (self.agreed == 1 and abs(difference - self.usual_ns) > DOUBTFUL_NS):
            # The first one may be the odd one: until a second agrees with it the next one counts instead.
            if self.usual_ns is not None or not self.first_event_ns:
                self.first_event_ns = event_ns
            self.doubtful_events += self.agreed
            self.usual_ns, self.agreed = difference, 0
            self.smallest_ns, self.largest_ns, self.messages, self.samples = NEVER, -NEVER, 0, []
        elif abs(difference - self.usual_ns) > DOUBTFUL_NS:
            self.doubtful_events += 1
            return
        self.agreed += 1
        if difference < self.smallest_ns:
            self.smallest_ns = difference
        if flags & RELEASED:
            return
        if difference > self.largest_ns:
            self.largest_ns = difference
        if self.messages % self.every == 0:
            self.samples.append(difference)
            if len(self.samples) >= 2 * SAMPLES:
                # Every second sample goes, so that memory stays bounded and the choice does not depend on chance.
                self.samples = self.samples[::2]
                self.every *= 2
        self.messages += 1

    def shift_ns(self, base_latency_ns: int) -> int:
        """Return what is to be added to every receive stamp; 0 if no message told its event time."""
        return 0 if self.smallest_ns == NEVER else base_latency_ns - self.smallest_ns

    def clock(self, base_latency_ns: int) -> ConnectionClock:
        """Return what a tape's header keeps; latencies are those after the shift."""
        shift = self.shift_ns(base_latency_ns)
        latency = {}
        if self.samples:
            values = np.sort(np.array(self.samples, np.int64))
            latency["min"] = self.smallest_ns + shift
            for name, share in QUANTILES.items():
                latency[name] = int(values[round(share * (len(values) - 1))]) + shift
            latency["max"] = self.largest_ns + shift
        return ConnectionClock(
            name=self.name,
            shift_ns=shift,
            base_latency_ns=base_latency_ns,
            smallest_ns=0 if self.smallest_ns == NEVER else self.smallest_ns,
            messages=self.messages,
            without_event_time=self.without_event_time,
            backward_stamps=self.backward_stamps,
            missing_stamps=self.missing_stamps,
            latency_ns=latency,
        )


class CausalRows:
    """Corrects blocks of rows in place, in the order of the tape, so that what comes out is causal.

    - A receive time is at least the event time plus the base latency, and never less than that of the row before.
    - A missing event time becomes the receive time less the base latency: the latest moment at which it can have
      happened, so that matching never sees it before its time.
    - A book message that would stand before an earlier one of its instrument in event order (a snapshot without a
      time, then the updates released behind it) takes the event time of that one: matching sees it later, never
      earlier, and applies a book's messages in their own order. It is flagged as estimated and counted.
    """

    def __init__(self, instruments: int, base_latency_ns: int = BASE_LATENCY_NS) -> None:
        self.base_latency_ns = base_latency_ns
        self.newest_ns = -NEVER
        self.book_ns = np.full(instruments, -NEVER, np.int64)
        self.late_events = np.zeros(instruments, np.int64)

    def correct(self, rows: RowArray) -> None:
        """Correct *rows*, the next block of whole messages."""
        if not len(rows):
            return
        base = self.base_latency_ns
        event, receive = rows["event_ns"], rows["receive_ns"]
        # An event a day after its receipt is a wrong number: believed, it would hold up everything behind it.
        # Where stamps are missing for days, what most events say is the measure.
        is_absurd = (event - receive > DOUBTFUL_NS) & (receive > 0)
        if is_absurd.any():
            is_absurd &= event - int(np.median(event)) > DOUBTFUL_NS
            rows["flags"][is_absurd] |= EVENT_ESTIMATED
        is_estimated = (rows["flags"] & EVENT_ESTIMATED) != 0
        least = np.where(is_estimated, receive, event + base)
        np.maximum(receive, least, out=receive)
        receive[0] = max(int(receive[0]), self.newest_ns)
        np.maximum.accumulate(receive, out=receive)
        self.newest_ns = int(receive[-1])
        event[is_estimated] = receive[is_estimated] - base
        is_book = np.isin(rows["kind"], BOOK_KINDS)
        for instrument in np.unique(rows["instrument"][is_book]):
            picked = np.flatnonzero(is_book & (rows["instrument"] == instrument))
            given = event[picked]
            risen = np.maximum(np.maximum.accumulate(given), self.book_ns[instrument])
            self.book_ns[instrument] = risen[-1]
            late = picked[risen != given]
            if len(late):
                event[picked] = risen
                rows["flags"][late] |= EVENT_ESTIMATED
                self.late_events[instrument] += np.count_nonzero(rows["flags"][late] & LAST)
