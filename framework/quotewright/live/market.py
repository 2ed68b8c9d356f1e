"""A live market for a run: instruments are fetched first, then rows, adapter, session and sockets are put together."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import anyio
import attrs

from quotewright.errors import ConfigError, InputError
from quotewright.feed import FeedAdapter
from quotewright.kernel.codes import NEVER
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Windows
from quotewright.live.driver import Carrier, LiveFeed
from quotewright.live.feed_session import FeedSession
from quotewright.live.requests import RequestQueue
from quotewright.live.settings import LiveSettings
from quotewright.live.source import LiveNotes, LiveSource, sink_of
from quotewright.live.transport import Events, Transport
from quotewright.model.names import NameTable
from quotewright.wiring import Market

if TYPE_CHECKING:
    from quotewright.config.model import FeedTable
    from quotewright.live.clock import Clock, LiveClock
    from quotewright.live.feed_session import Recorder
    from quotewright.model.instrument import Instrument
    from quotewright.plugin.registry import PluginSet
    from quotewright.wire import Request, Wire

MOST_PAGES = 1000


@attrs.frozen
class Listed:
    """One metadata answer: where it came from, when, and as it came."""

    url: str
    receive_ns: int
    body: bytes


class _Asking:
    """Asks for the instruments, before there is a feed."""

    def __init__(self, adapter: FeedAdapter, wire: Wire, settings: LiveSettings, clock: LiveClock) -> None:
        self.adapter = adapter
        self.wire = wire
        self.clock = clock
        pause = Backoff(int(settings.backoff), int(settings.backoff_most), int(settings.healthy), random.Random(0))
        self.queue = RequestQueue(wire, Windows(wire.limits.requests), pause)
        self.listed: list[Listed] = []
        self.instruments: list[Instrument] = []
        self.fault = ""
        self.wake = anyio.Event()

    def connected(self, number: int) -> None:
        """No socket is opened here."""

    opened = ponged = connected

    def heard(self, number: int, frame: bytes) -> None:
        """No socket is opened here."""

    def closed(self, number: int, code: int, reason: str) -> None:
        """No socket is opened here."""

    def failed(self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """No socket is opened here."""

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        now_ns = self.clock.now_ns()
        found = self.queue.answered(ticket, status, headers, body, now_ns)
        if found is not None:
            self._on_page(found[0].request, body, now_ns)
        self.wake.set()

    def unanswered(self, ticket: int, reason: str) -> None:
        self.queue.unanswered(ticket, reason, self.clock.now_ns())
        self.wake.set()

    def _on_page(self, request: Request, body: bytes, now_ns: int) -> None:
        self.listed.append(Listed(request.url, now_ns, body))
        try:
            self.instruments += self.adapter.instruments(body)
            following = self.wire.next_request(request, body)
        except InputError as error:
            self.fault = str(error)
            return
        if following is not None and len(self.listed) < MOST_PAGES:
            self.queue.ask("instruments", following.url, following, now_ns)


async def fetch_instruments(
    adapter: FeedAdapter, settings: LiveSettings, clock: LiveClock, where: str, trusted: ssl.SSLContext | None = None
) -> tuple[list[Instrument], list[Listed]]:
    """Return every instrument of the market, and the answers that told them.

    Raises:
        InputError: the venue refuses, does not answer, or answers what cannot be read; says what helps.
    """
    wire = adapter.wire()
    asking = _Asking(adapter, wire, settings, clock)
    async with Transport(settings, asking, trusted) as transport:
        for number, request in enumerate(wire.instrument_requests()):
            asking.queue.ask("instruments", str(number), request, clock.now_ns())
        while asking.queue.keys and not asking.fault and not asking.queue.failed:
            transport.carry_out(asking.queue.take_orders())
            due_ns = asking.queue.deadline_ns
            longest = None if due_ns == NEVER else max(0.0, (due_ns - clock.now_ns()) / 1e9)
            with anyio.move_on_after(longest):
                await asking.wake.wait()
            asking.wake = anyio.Event()
            asking.queue.tick(clock.now_ns())
    trouble = asking.fault or (asking.queue.last_trouble if asking.queue.failed or asking.queue.final else "")
    if trouble:
        raise InputError(f"{where}: the instruments cannot be fetched: {trouble}")
    return asking.instruments, asking.listed


def chosen(listed: Iterable[Instrument], names: Iterable[str], where: str) -> tuple[Instrument, ...]:
    """Return the instruments called *names* in order of their names, which is that of their ids.

    Raises:
        ConfigError: no name is given, or one is not listed.
    """
    listed = list(listed)
    wanted = list(names)
    if not wanted:
        some = ", ".join(instrument.name for instrument in listed[:3])
        raise ConfigError(f"{where}.instruments: name what is to be followed, such as {some or 'BTC-USDT@venue'}")
    table = NameTable(listed)
    by_symbol = {instrument.symbol: instrument for instrument in listed}
    found: dict[str, Instrument] = {}
    for name in wanted:
        instrument = by_symbol.get(name)
        if instrument is None:
            try:
                instrument = table.find(name)
            except InputError as error:
                raise ConfigError(f"{where}.instruments: {error}") from error
        found[instrument.name] = instrument
    return tuple(found[name] for name in sorted(found))


def live_adapter(plugins: PluginSet, table: FeedTable) -> FeedAdapter | None:
    """Return the adapter of a feed that has live connections of its own; None if it has another market, or none."""
    adapter = plugins.build("feed_adapters", table)
    if not isinstance(adapter, FeedAdapter) or type(adapter).market is not FeedAdapter.market:
        return None
    return None if type(adapter).wire is FeedAdapter.wire else adapter


@attrs.frozen(kw_only=True)
class LiveMarket:
    """A feed that is ready to be opened, and the market that its rows make."""

    feed: LiveFeed
    source: LiveSource
    market: Market


async def prepare(
    adapter: FeedAdapter,
    names: Iterable[str],
    clock: LiveClock,
    where: str,
    seed: int = 0,
    recorder: Recorder | None = None,
    trusted: ssl.SSLContext | None = None,
) -> LiveMarket:
    """Fetch the instruments and put together what a live market takes; nothing is subscribed yet.

    The rows begin with the state of trading of every instrument.
    """
    settings = adapter.live or LiveSettings()
    everything, answers = await fetch_instruments(adapter, settings, clock, where, trusted)
    if recorder is not None:
        chosen(everything, names, where)  # nothing is recorded of a feed that cannot be
        for answer in answers:
            recorder.message("rest", answer.url, answer.body, answer.receive_ns)
    transport = partial(Transport, settings, trusted=trusted)
    return put_together(adapter, everything, names, clock, where, transport, seed, recorder)


def put_together(
    adapter: FeedAdapter,
    everything: Iterable[Instrument],
    names: Iterable[str],
    clock: Clock,
    where: str,
    transport: Callable[[Events], Carrier],
    seed: int = 0,
    recorder: Recorder | None = None,
) -> LiveMarket:
    """Put together what a live market takes of the instruments that the venue lists; nothing is subscribed yet.

    *transport* makes what carries out the feed's orders: sockets, or a simulated network.
    """
    settings = adapter.live or LiveSettings()
    everything = list(everything)
    instruments = chosen(everything, names, where)
    adapter.subscribe(instruments)
    source = LiveSource()
    sink = sink_of(source, instruments)
    notes = LiveNotes(sink)
    start_ns = clock.now_ns()
    for instrument in instruments:
        notes.status(instrument.symbol, instrument.status, start_ns)
    tiers = tuple(tuple(one.symbol for one in chosen(everything, tier, where)) for tier in settings.tiers)
    session = FeedSession(
        adapter, adapter.wire(), settings, sink, notes, random.Random(seed), instruments, recorder, tiers
    )
    feed = LiveFeed(session, clock, where, transport)
    return LiveMarket(
        feed=feed, source=source, market=Market(source=source, instruments=instruments, start_ns=start_ns)
    )
