"""Paper trading on a live feed: sockets, pipeline and record in one loop; the run folder holds what replays it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from quotewright.errors import ConfigError
from quotewright.feed import BookState, FeedAdapter
from quotewright.kernel.codes import BOOK_GOOD, NEVER
from quotewright.live.clock import LiveClock
from quotewright.live.depth import DepthWatch
from quotewright.live.driver import LONGEST_WAIT
from quotewright.live.market import live_adapter
from quotewright.live.several import LiveFeeds, prepare_all
from quotewright.live.venue import LiveVenue
from quotewright.live.venue_feed import resolved_feed
from quotewright.opening import feeds_of, files_of
from quotewright.runtime.session import GRACE_NS, Outcome, Session, Watcher, interruptible
from quotewright.tape.tape import TapeInfo
from quotewright.tape.writer import TapeWriter

if TYPE_CHECKING:
    from quotewright.config.model import Config, FeedTable
    from quotewright.plugin.registry import PluginSet
    from quotewright.runtime.recorder import RunRecorder

STATUS = "status.json"
TAPE = "tape"
STATUS_SECONDS = 1.0
CROSSED_NS = 1_000_000_000
"""A book that the pipeline holds for bad while its adapter holds it for good is asked for anew after so long."""


def live_feed(config: Config, plugins: PluginSet) -> FeedTable | None:
    """Return the table of the run's first feed if it has live connections; None if another kind of market drives it."""
    for table, _ in live_feeds(config, plugins).values():
        return table
    return None


def live_feeds(config: Config, plugins: PluginSet) -> dict[str, tuple[FeedTable, FeedAdapter]]:
    """Return the run's feeds by name, table and adapter, if they have live connections; none if they have not.

    Raises:
        ConfigError: some have and some have not.
    """
    found: dict[str, tuple[FeedTable, FeedAdapter]] = {}
    for name, stated in config.feeds.items():
        table = resolved_feed(config, plugins, stated)
        adapter = live_adapter(plugins, table)
        if adapter is not None:
            found[name] = table, adapter
    others = [name for name in config.feeds if name not in found]
    if found and others:
        raise ConfigError(
            f"{files_of(config)}: live feeds ({', '.join(found)}) and markets without live connections "
            f"({', '.join(others)}) do not go together: the ones go by the clock, the others as fast as they can; run "
            "them apart"
        )
    return found


def paper_live(
    config: Config,
    plugins: PluginSet,
    seconds: float | None,
    folder: Path | None = None,
    watcher: Watcher | None = None,
    prepared: Callable[[Session], None] | None = None,
    recorder: RunRecorder | None = None,
) -> Outcome:
    """Run *config* on its live feeds for *seconds* (None: until interrupted) and return the outcome."""
    return anyio.run(_paper_live, config, plugins, seconds, folder, watcher, prepared, recorder)


async def _paper_live(
    config: Config,
    plugins: PluginSet,
    seconds: float | None,
    folder: Path | None,
    watcher: Watcher | None,
    prepared: Callable[[Session], None] | None,
    recorder: RunRecorder | None = None,
) -> Outcome:
    tables = live_feeds(config, plugins)
    if not tables:
        raise ConfigError(f"{files_of(config)}: no table [feeds.NAME] has a live connection")
    feeds = await prepare_all(tables, LiveClock(), config.run.seed, files_of(config))
    feeds_of(config, plugins, feeds.market.instruments)  # what the run's own tape will be asked
    span_ns = round(seconds * 1e9) if seconds is not None else 0
    session = Session(
        "paper",
        config,
        plugins,
        None,
        folder,
        span_ns,
        record_inputs=folder is not None,
        live=feeds.market,
        recorder=recorder,
    )
    writer = None
    if folder is not None:
        writer = TapeWriter(folder / TAPE, feeds.market.instruments)
        feeds.source.writer = writer
    run = LiveRun(session, feeds, folder, watcher)
    session.feeds = run.report
    if prepared is not None:
        prepared(session)
    try:
        with interruptible(session):
            with session.contained():
                async with AsyncExitStack() as stack:
                    for feed in feeds.feeds.values():
                        await stack.enter_async_context(feed)
                    for venue in run.venues:
                        await stack.enter_async_context(venue.at_work(feeds.clock, feeds.waker.wake))
                    try:
                        await run.run(session.start_ns + span_ns if span_ns else NEVER)
                    finally:  # how it stood when the run ended, before it is closed
                        with anyio.CancelScope(shield=True):
                            await run.leave()
                        run.ended = run.report()
            outcome = session.finish()
        outcome.summary["feeds"] = run.ended or run.report()
        run.write_status(is_running=False)
        if writer is not None:
            writer.finish(TapeInfo(notes=("rows of a live run as its pipeline took them",)))
    finally:
        if writer is not None:
            writer.abort()
    return outcome


def _is_clean(venue: LiveVenue) -> bool:
    return venue.is_clean


def _is_checked(venue: LiveVenue) -> bool:
    return venue.is_checked or not venue.is_clean


class LiveRun:
    """The loop of a live run: what has come is processed, then the pipeline goes as far as nothing can come before."""

    def __init__(self, session: Session, feeds: LiveFeeds, folder: Path | None, watcher: Watcher | None) -> None:
        self.session = session
        self.feeds = feeds
        self.folder = folder
        self.watcher = watcher
        self.ended: dict[str, Any] | None = None
        """What was last told of the feeds, once the run is over."""
        self._told = 0.0
        self._bad_since: dict[str, int] = {}
        self._depth = DepthWatch()
        self.venues = [one for one in session.wired.venues.values() if isinstance(one, LiveVenue)]
        """Venues that are reached over the network, in the order of the config."""

    async def run(self, until_ns: int) -> None:
        """Go on until *until_ns* or until the run is stopped."""
        while not self.session.is_stopped and self.session.now_ns < until_ns:
            self.turn(until_ns)
            self._tell()
            await self.feeds.wait(self.patience())

    def turn(self, until_ns: int) -> None:
        """Process what has come, then let the pipeline go as far as nothing can come before, at most to *until_ns*."""
        session, feeds = self.session, self.feeds
        feeds.process()
        for venue in self.venues:
            venue.process()
        settled_ns = min([feeds.settled_ns(), *(venue.settled_ns() for venue in self.venues)])
        if settled_ns > session.now_ns:
            session.advance(min(until_ns, settled_ns))

    async def leave(self) -> None:
        """Cancel what is open at live venues and wait, a while, until they have said that nothing is."""
        if not self.venues:
            return
        self.session.begin_end()
        clock = self.feeds.clock
        for is_done, ask in ((_is_clean, LiveVenue.leave), (_is_checked, LiveVenue.check_left)):
            until_ns = clock.now_ns() + GRACE_NS
            for venue in self.venues:
                ask(venue)
            while clock.now_ns() < until_ns and not all(is_done(venue) for venue in self.venues):
                self.turn(NEVER)
                await self.feeds.wait(self.patience())
        self.turn(NEVER)

    def patience(self) -> float:
        """Return how many seconds may pass until a live venue wants to be looked at."""
        due_ns = min((venue.deadline_ns for venue in self.venues), default=NEVER)
        return min(LONGEST_WAIT, max(0.0, (due_ns - self.feeds.clock.now_ns()) / 1e9))

    def _tell(self) -> None:
        if self.watcher is not None:
            self.watcher(self.session)
        now = time.monotonic()
        if now - self._told >= STATUS_SECONDS:
            self._told = now
            self.look_for_crossed()
            self.flush()
            self.write_status()

    def look_for_crossed(self) -> None:
        """Ask anew for books that the pipeline has found bad, such as one that stays crossed."""
        now_ns = self.session.now_ns
        for view in self.session.wired.views:
            feed = self.feeds.of(view.instrument)
            symbol, name = view.instrument.symbol, view.instrument.name
            book = feed.session.adapter.books.get(symbol)
            if book is None or book.state is not BookState.SYNCHRONISED or view.book.status == BOOK_GOOD:
                self._bad_since.pop(name, None)
                if view.is_book_good and self._depth.is_used_up(name, view.book):
                    feed.resync(symbol, is_thin=True)
            elif now_ns - self._bad_since.setdefault(name, now_ns) >= CROSSED_NS:
                del self._bad_since[name]
                feed.resync(symbol)

    def report(self) -> dict[str, Any]:
        """Return how the feeds stand, by their names."""
        return self.feeds.report()

    def flush(self) -> None:
        """Hand rows and record to the system: a kill takes away what came since, and nothing before."""
        writer = self.feeds.source.writer
        if writer is not None:
            writer.flush()
        self.session.recorder.flush()

    def write_status(self, is_running: bool = True) -> None:
        """Write ``status.json`` of the run folder; a reader sees the old one or the new one, never half."""
        if self.folder is None:
            return
        status = status_of(self.session, self.ended or self.report()) | {"is_running": is_running}
        path = self.folder / STATUS
        aside = path.with_suffix(".new")
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n")
        aside.replace(path)


def status_of(session: Session, feeds: dict[str, Any]) -> dict[str, Any]:
    """Return how a run stands now."""
    pipeline = session.pipeline
    return {
        "verb": session.verb,
        "name": session.config.run.name,
        "pid": os.getpid(),
        "start_ns": session.start_ns,
        "now_ns": pipeline.now_ns,
        "rows": pipeline.rows_consumed,
        "messages": pipeline.messages,
        "orders": session.recorder.orders,
        "fills": session.recorder.fill_count,
        "risk_state": session.wired.gate.state,
        "feeds": feeds,
        "venues": {
            name: venue.report() for name, venue in session.wired.venues.items() if isinstance(venue, LiveVenue)
        },
    }
