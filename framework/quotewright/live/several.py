"""The live feeds of one run, each with its own session and sockets: one clock, one order of rows, one tape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from quotewright.kernel.codes import NEVER, RECEIVE, ROW_WORDS
from quotewright.live.driver import LONGEST_WAIT, LiveFeed, Waker
from quotewright.live.market import LiveMarket, fetch_instruments, put_together
from quotewright.live.settings import LiveSettings
from quotewright.live.source import KeptSource, LiveSource
from quotewright.live.transport import Transport
from quotewright.merging import MergedSource, merge_markets

if TYPE_CHECKING:
    from quotewright.config.model import FeedTable
    from quotewright.feed import FeedAdapter
    from quotewright.live.clock import Clock, LiveClock
    from quotewright.live.market import Listed
    from quotewright.model.instrument import Instrument
    from quotewright.wiring import Market


class MergedLive(KeptSource):
    """The rows of several live sources in the order (receive time, place of the source, sequence).

    A feed that has more to read than another may write later rows first; so rows are taken only up to the time that is
    asked for, which the run never lets go beyond what every feed has written up to.
    """

    def __init__(self, merged: MergedSource, sources: Sequence[LiveSource]) -> None:
        super().__init__()
        self.merged = merged
        self.sources = list(sources)

    def fill(self, until_ns: int) -> int:
        """Make every row received at or before *until_ns* ready; see :meth:`RowSource.fill`."""
        buffer = self.buffer
        if self.first >= self.last:
            self.keep()
            buffer.truncate(0)
            self.first = self.last = 0
            merged = self.merged
            while merged.fill(until_ns) != NEVER:
                buffer.extend(merged.buffer, merged.first, merged.last)
                merged.first = merged.last
            for source in self.sources:
                source.compact()
            for tap in self.taps:
                tap.extend(buffer, 0, buffer.count)
            self.last = buffer.count
            if self.first >= self.last:
                return NEVER
        receive_ns = buffer.words[self.first * ROW_WORDS + RECEIVE]
        return receive_ns if receive_ns <= until_ns else NEVER

    def close(self) -> bool:
        """Hand the rest of what was consumed to the tape and close every source."""
        super().close()
        return self.merged.close()


class LiveFeeds:
    """The live feeds of a run by their tables, in whose order rows of one receive time come.

    They stand on one clock and wake the run alike. What befalls one of them, such as a lost connection or a gap, leaves
    the others going. ``market`` and ``source`` are what the pipeline sees of all of them.
    """

    def __init__(self, markets: Mapping[str, LiveMarket], where: str = "config") -> None:
        self.feeds: dict[str, LiveFeed] = {name: one.feed for name, one in markets.items()}
        self.waker = Waker()
        for feed in self.feeds.values():
            feed.waker = self.waker
        ones = list(markets.values())
        self.clock: Clock = ones[0].feed.clock
        self.market: Market = ones[0].market
        self.source: KeptSource = ones[0].source
        if len(ones) > 1:
            merged = merge_markets({name: one.market for name, one in markets.items()}, where)
            assert isinstance(merged.source, MergedSource)
            self.source = MergedLive(merged.source, [one.source for one in ones])
            self.market = attrs.evolve(merged, source=self.source)
        names = self.market.feeds or tuple(self.feeds) * len(self.market.instruments)
        self._of = {one.name: self.feeds[name] for one, name in zip(self.market.instruments, names, strict=True)}

    def of(self, instrument: Instrument) -> LiveFeed:
        """Return the feed that *instrument* comes from."""
        return self._of[instrument.name]

    def process(self) -> None:
        """Let every feed take what has come."""
        for feed in self.feeds.values():
            feed.process()

    def settled_ns(self) -> int:
        """Return the time up to which every row of every feed has been written; stamps from now on are later."""
        return min([feed.settled_ns() for feed in self.feeds.values()])

    async def wait(self, longest: float = LONGEST_WAIT) -> None:
        """Return when something has happened or is due at any feed, at the latest after *longest* seconds."""
        if any(feed.queue.entries for feed in self.feeds.values()):
            await anyio.lowlevel.checkpoint()
            return
        due_ns = min(feed.session.deadline_ns for feed in self.feeds.values())
        if due_ns != NEVER:
            longest = min(longest, max(0.0, (due_ns - self.clock.now_ns()) / 1e9))
        await self.waker.wait(longest)

    def report(self) -> dict[str, Any]:
        """Return how the feeds stand, by table name."""
        return {name: feed.report() for name, feed in self.feeds.items()}


async def prepare_all(
    tables: Mapping[str, tuple[FeedTable, FeedAdapter]], clock: LiveClock, seed: int, where: str = "config"
) -> LiveFeeds:
    """Fetch the instruments of every feed, all at once, and put together what a run takes; nothing is subscribed yet.

    The jitter of the n-th feed is drawn with *seed* plus n - 1.

    Raises:
        InputError: a venue refuses, does not answer, or answers what cannot be read; the first one that does is told.
        ConfigError: an instrument is not listed, or two feeds have the same one.
    """
    listed: dict[str, tuple[list[Instrument], list[Listed]]] = {}
    troubles: dict[str, Exception] = {}

    async def fetch(name: str) -> None:
        table, adapter = tables[name]
        try:
            listed[name] = await fetch_instruments(adapter, adapter.live or LiveSettings(), clock, table.where)
        except Exception as error:
            troubles[name] = error
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for name in tables:
            group.start_soon(fetch, name)
    for trouble in troubles.values():
        raise trouble
    markets = {
        name: put_together(
            adapter,
            listed[name][0],
            table.instruments,
            clock,
            table.where,
            partial(Transport, adapter.live or LiveSettings()),
            seed + number,
        )
        for number, (name, (table, adapter)) in enumerate(tables.items())
    }
    return LiveFeeds(markets, where)
