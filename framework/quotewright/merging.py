"""Several markets as one: the rows of several sources in one total order, their instruments under one numbering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from quotewright.errors import ConfigError
from quotewright.kernel.codes import INSTRUMENT_SHIFT, LAST_BIT, NEVER, RECEIVE, ROW_WORDS
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.source import RowSource

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.opening import Market

MASK = (1 << INSTRUMENT_SHIFT) - 1


class MergedSource(RowSource):
    """Messages of several sources in the order (receive time, place of the source, sequence), one at a time.

    Args:
        sources: In the order that decides between messages of one receive time.
        numbers: For each source, the instrument ids here in the order of the ids there.
    """

    def __init__(self, sources: Sequence[RowSource], numbers: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.sources = list(sources)
        self.numbers = [list(one) for one in numbers]
        self.buffer = TapeBuffer(256)
        self.rows = self.buffer

    def fill(self, until_ns: int) -> int:
        """Make the next message ready; see :meth:`RowSource.fill`."""
        if self.first >= self.last:
            chosen = self.soonest(until_ns)
            if chosen < 0:
                return NEVER
            self.take(self.sources[chosen], self.numbers[chosen])
        receive_ns = self.buffer.words[self.first * ROW_WORDS + RECEIVE]
        return receive_ns if receive_ns <= until_ns else NEVER

    def soonest(self, until_ns: int) -> int:
        """Return the place of the source whose next message is received first, -1 if none is by *until_ns*."""
        found = -1
        bound = until_ns
        for place, source in enumerate(self.sources):
            receive_ns = source.fill(bound)
            if receive_ns <= bound and (found < 0 or receive_ns < bound):
                found = place
                bound = receive_ns
        return found

    def take(self, source: RowSource, numbers: Sequence[int]) -> None:
        """Copy the message at the head of *source*, under the instrument ids of here."""
        buffer = self.buffer
        buffer.truncate(0)
        words = source.rows.words
        at = source.first
        while at < source.last:
            event, receive, price, size, identity, word = words[at * ROW_WORDS : (at + 1) * ROW_WORDS]
            number = numbers[word >> INSTRUMENT_SHIFT]
            buffer.append(event, receive, price, size, identity, word & MASK | number << INSTRUMENT_SHIFT)
            at += 1
            if word & LAST_BIT:
                break
        source.first = at
        self.first = 0
        self.last = buffer.count

    def close(self) -> bool:
        """Close every source."""
        for source in self.sources:
            source.close()
        self.first = self.last = 0
        return True


def merge_markets(markets: Mapping[str, Market], where: str) -> Market:
    """Return the markets of several feed tables as one; its instruments are those of all, sorted by name.

    Raises:
        ConfigError: two feeds have an instrument of one name.
    """
    from quotewright.opening import Market

    feed_of: dict[str, str] = {}
    instruments: dict[str, Instrument] = {}
    for feed, market in markets.items():
        for instrument in market.instruments:
            if instrument.name in feed_of:
                raise ConfigError(
                    f"{where}: the feeds '{feed_of[instrument.name]}' and '{feed}' both have {instrument.name}; give "
                    'their venues different names, as with venue = "north" in an exchange\'s table'
                )
            feed_of[instrument.name] = feed
            instruments[instrument.name] = instrument
    names = sorted(instruments)
    place = {name: number for number, name in enumerate(names)}
    numbers = [[place[instrument.name] for instrument in market.instruments] for market in markets.values()]
    return Market(
        source=MergedSource([market.source for market in markets.values()], numbers),
        instruments=tuple(instruments[name] for name in names),
        start_ns=min(market.start_ns for market in markets.values()),
        end_ns=max(market.end_ns for market in markets.values()),
        parts=dict(markets),
        feeds=tuple(feed_of[name] for name in names),
    )
