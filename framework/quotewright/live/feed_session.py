"""All connections and requests of one feed as one state machine in virtual time, between transport and adapter.

What happened and when comes in; rows go into the sink, orders to the transport out. See ``docs/live-feeds.md``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import attrs

from quotewright.feed import BookState, FetchSnapshot, Reconnect, Resubscribe, Subscribe, WakeAt
from quotewright.kernel.codes import NEVER
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Windows
from quotewright.live.connection import Connection, ConnectionState
from quotewright.live.directory import Directory
from quotewright.live.lines import Line
from quotewright.live.requests import RequestQueue
from quotewright.live.streams import StreamState, Subscription, place

if TYPE_CHECKING:
    from quotewright.feed import Action, FeedAdapter, FeedBook, Stream
    from quotewright.live.orders import Order
    from quotewright.live.settings import LiveSettings
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright.wire import Poll, Trouble, Wire

SYNCHRONISED = BookState.SYNCHRONISED


class Notes(Protocol):
    """Where it is written down what the adapter does not know of: connections and instruments."""

    def connection(self, symbols: Iterable[str], number: int, is_up: bool, now_ns: int) -> None: ...

    def instrument(self, before: Instrument, after: Instrument | None, now_ns: int) -> None: ...


class Recorder(Protocol):
    """Keeps what the adapter is given, in the order it is given."""

    def message(self, source: str, url: str | None, frame: bytes, now_ns: int) -> None: ...

    def opened(self, url: str, now_ns: int) -> None: ...

    def closed(self, symbols: Iterable[str], now_ns: int) -> None: ...

    def resynced(self, symbol: str, now_ns: int) -> None: ...


@attrs.define
class BookTimes:
    """When a book was good and since when it is not."""

    good_ns: int = 0
    """Since when it is good; 0: it is not."""
    stale_ns: int = 0
    """How long it was stale altogether, after it had been good once."""
    lost_ns: int = 0
    """Since when it is stale; 0: it is not, or was never good."""


@attrs.define
class SessionCounters:
    switches: int = 0
    silences: int = 0
    shed: int = 0
    held_dropped: int = 0
    orphans: int = 0
    """Snapshots of books whose connection was lost meanwhile; they are asked for again once it is open."""
    duplicates: int = 0
    told: list[str] = attrs.Factory(list)


class FeedSession:
    """See the module.

    Args:
        adapter: It must have been told what to follow (``subscribe``) before.
        chance: Where the jitter of pauses comes from.
        instruments: What is known of the instruments; later answers are held against it.
    """

    def __init__(
        self,
        adapter: FeedAdapter,
        wire: Wire,
        settings: LiveSettings,
        sink: Sink,
        notes: Notes,
        chance: random.Random,
        instruments: Iterable[Instrument] = (),
        recorder: Recorder | None = None,
        tiers: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        self.adapter = adapter
        self.wire = wire
        self.settings = settings
        self.sink = sink
        self.notes = notes
        self.chance = chance
        self.recorder = recorder
        self.tiers = tiers
        self.lines: dict[int, Line] = {}
        self.unserved: tuple[Stream, ...] = ()
        self.connects = Windows(wire.limits.connects)
        self.requests = RequestQueue(wire, Windows(wire.limits.requests), self._pause())
        self.books: dict[str, BookTimes] = {}
        self.counters = SessionCounters()
        self.directory = Directory(
            adapter, wire, self.requests, instruments, notes.instrument, self.tell, int(settings.refresh)
        )
        self.silence_ns = int(settings.silence) if settings.silence is not None else heartbeat_ns(wire)
        self.is_started = False
        self._number = 0
        self._left: list[Order] = []
        self._asked: set[str] = set()
        """Names of streams that have a connection."""
        self._pending = adapter._pending
        self._wake_ns = NEVER
        self._look_ns = 0
        self._silence_due_ns = NEVER
        self._switch_due_ns = NEVER
        self._polls: list[Poll] = []
        self._poll_due: list[int] = []
        self._turns = 0
        """Gaps, resyncs and snapshots that were noted; another number means that books may have changed."""

    # What happens.

    def start(self, now_ns: int) -> None:
        """Open the connections that the streams of the followed instruments take, and ask for what is polled."""
        self.is_started = True
        self.adapter.actions()
        self._place(self.adapter.streams(), now_ns)
        self._polls = self.wire.polls(list(self.adapter.subscribed))
        self._poll_due = [now_ns] * len(self._polls)
        self.directory.start(now_ns)
        self._act(now_ns)
        self.tick(now_ns)

    def connected(self, number: int, now_ns: int) -> None:
        line = self.lines.get(number)
        if line is not None:
            line.connection.connected(now_ns)

    def opened(self, number: int, now_ns: int) -> None:
        line = self.lines.get(number)
        if line is not None:
            line.connection.opened(now_ns)
            self._noticed(line, now_ns)

    def heard(self, number: int, frame: bytes, now_ns: int) -> None:
        """Take one frame of a connection."""
        line = self.lines.get(number)
        if line is None:
            return
        connection = line.connection
        if connection.state != ConnectionState.OPEN:
            return
        name = connection.heard(frame, now_ns)
        if name is None:
            self._noticed(line, now_ns)
            return
        if line.replaces is not None:
            if len(line.held) == line.held.maxlen:
                self.counters.held_dropped += 1
            line.held.append((frame, name))
            self._noticed(line, now_ns)
            return
        if line.successor is not None and not line.is_book(name):
            line.saw(frame)
        self._deliver(frame, now_ns, number)

    def ponged(self, number: int, now_ns: int) -> None:
        line = self.lines.get(number)
        if line is not None:
            line.connection.ponged(now_ns)

    def closed(self, number: int, code: int, reason: str, now_ns: int) -> None:
        line = self.lines.get(number)
        if line is not None:
            line.connection.closed(code, reason, now_ns)
            self._noticed(line, now_ns)

    def failed(self, number: int, reason: str, now_ns: int, trouble: Trouble | None = None) -> None:
        line = self.lines.get(number)
        if line is not None:
            line.connection.failed(reason, now_ns, trouble)
            self._noticed(line, now_ns)

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> None:
        """Take the answer to a request."""
        found = self.requests.answered(ticket, status, headers, body, now_ns)
        if found is None:
            return
        wanted, body = found
        kind, name = wanted.key
        if kind == "snapshot" and not self._is_carried(name):
            self.counters.orphans += 1  # nothing would follow it: the book would be good and stand still
            book = self.adapter.books.get(name)
            if book is not None:
                self.adapter.answered(book)
            return
        if kind == "time":
            self.directory.on_time(wanted, body, now_ns)
            return
        url = wanted.request.url
        if self.recorder is not None:
            self.recorder.message("rest", url, body, now_ns)
        if kind == "instruments":
            self.directory.on_instruments(wanted.request, body, now_ns)
            return
        self.adapter.on_message(body, "rest", url, now_ns, self.sink)
        self._after(now_ns, 0)

    def unanswered(self, ticket: int, reason: str, now_ns: int) -> None:
        self.requests.unanswered(ticket, reason, now_ns)

    def tick(self, now_ns: int) -> None:
        """Let time pass: whatever is due by *now_ns* happens."""
        for line in list(self.lines.values()):
            if line.connection.deadline_ns <= now_ns:
                line.connection.tick(now_ns)
                self._noticed(line, now_ns)
        self.requests.tick(now_ns)
        if self._wake_ns <= now_ns:
            self._wake_ns = NEVER
            self.adapter.on_wake(now_ns)
            self._after(now_ns, 0)
        if self._silence_due_ns <= now_ns:
            self._look_for_silence(now_ns)
        if self._switch_due_ns <= now_ns:
            self._look_for_switches(now_ns)
        for place_, poll in enumerate(self._polls):
            if self._poll_due[place_] <= now_ns:
                self._poll_due[place_] = now_ns + poll.every_ns
                self.requests.ask("poll", str(place_), poll.request, now_ns)
        self.directory.tick(now_ns)

    @property
    def deadline_ns(self) -> int:
        """When :meth:`tick` is to be called at the latest; NEVER if nothing is awaited."""
        due_ns = min(
            self.requests.deadline_ns,
            self.directory.deadline_ns,
            self._wake_ns,
            self._silence_due_ns,
            self._switch_due_ns,
        )
        for line in self.lines.values():
            due_ns = min(due_ns, line.connection.deadline_ns)
        for poll_ns in self._poll_due:
            due_ns = min(due_ns, poll_ns)
        return due_ns

    def take_orders(self) -> list[Order]:
        """Return what the transport is to do since the last call."""
        orders: list[Order] = []
        for line in self.lines.values():
            if line.connection.orders:
                orders += line.connection.take_orders()
        orders += self._left
        self._left.clear()
        if self.requests.orders:
            orders += self.requests.take_orders()
        return orders

    def deadline_is_near(self, now_ns: int) -> bool:
        """Return whether something may be due; it is looked at once in ten milliseconds of frames at most."""
        if now_ns < self._look_ns:
            return False
        self._look_ns = now_ns + 10_000_000
        return self.deadline_ns <= now_ns

    # What may be asked of it.

    def resync(self, symbol: str, now_ns: int, is_thin: bool = False) -> None:
        """Give a book up: it stayed crossed, its updates were shed, or hardly a known level is left (*is_thin*)."""
        self._resync(symbol, now_ns, is_thin)
        book = self.adapter.book(symbol)
        if book is not None and book.state is not SYNCHRONISED:  # what was shed may have been its snapshot
            self.adapter.request(book, now_ns)
        self._after(now_ns, 0)

    def stop(self, now_ns: int) -> None:
        """Close every connection and ask for nothing more."""
        self.requests.stop("the feed was closed")
        for line in self.lines.values():
            line.connection.end("the feed was closed")
        self._wake_ns = self._silence_due_ns = self._switch_due_ns = NEVER
        self.directory.stop()
        self._polls, self._poll_due = [], []

    # Streams and connections.

    def _pause(self) -> Backoff:
        settings = self.settings
        return Backoff(int(settings.backoff), int(settings.backoff_most), int(settings.healthy), self.chance)

    def _place(self, streams: Iterable[Stream], now_ns: int) -> None:
        new = [stream for stream in streams if stream.name not in self._asked]
        if not new:
            return
        placement = place(new, self.wire.limits, self.tiers, len(self.lines))
        self.unserved += placement.unserved
        for stream in new:
            self._asked.add(stream.name)
        for category, group in placement.connections:
            line = Line(self._connection(category, group), held_limit=self.settings.queue_limit)
            self.lines[line.connection.number] = line
            line.connection.open(now_ns)

    def _connection(self, category: str, streams: Iterable[Stream]) -> Connection:
        self._number += 1
        return Connection(
            self._number,
            category,
            streams,
            self.wire,
            self.settings,
            self._pause(),
            self.connects,
            Windows(self.wire.limits.sends),
        )

    def _noticed(self, line: Line, now_ns: int) -> None:
        """See what an event has made of a connection."""
        connection = line.connection
        is_open = connection.state == ConnectionState.OPEN
        if is_open and not line.was_open:
            line.was_open = True
            self._on_up(line, now_ns)
        elif not is_open and line.was_open:
            line.was_open = False
            self._on_down(line, now_ns)
            return
        if connection.closing is not None and line.successor is None and line.replaces is None and is_open:
            self._replace(line, now_ns)
        if line.replaces is not None and is_open:
            self._advance_switch(line, now_ns)

    def _on_up(self, line: Line, now_ns: int) -> None:
        if line.replaces is not None:
            return
        connection = line.connection
        if self.recorder is not None:
            self.recorder.opened(f"connection {connection.number}.{connection.counters.opens}", now_ns)
        self.notes.connection(connection.symbols(), connection.number, True, now_ns)
        self.adapter.on_open(now_ns)
        self._after(now_ns, connection.number)
        if self.silence_ns:
            self._silence_due_ns = min(self._silence_due_ns, now_ns + self.silence_ns)
        self._schedule_switch(line)

    def _on_down(self, line: Line, now_ns: int) -> None:
        """A connection is lost: what another one does not carry is stale from here."""
        connection = line.connection
        line.held.clear()
        line.ready_ns = 0
        if line.replaces is not None:
            return
        symbols = connection.symbols()
        successor = line.successor
        if successor is not None:
            live = successor.live_symbols()
            self._take_over(successor, now_ns)
            symbols = [symbol for symbol in symbols if symbol not in live]
        self._down(symbols, connection.number, now_ns)

    def _down(self, symbols: list[str], number: int, now_ns: int) -> None:
        self.notes.connection(symbols, number, False, now_ns)
        if self.recorder is not None:
            self.recorder.closed(symbols, now_ns)
        self.adapter.on_close(now_ns, self.sink, symbols)
        self._after(now_ns, 0)

    # One connection replaces another.

    def _schedule_switch(self, line: Line) -> None:
        life_ns = self.wire.limits.life_ns
        if life_ns:
            early_ns = min(int(self.settings.switch_before), life_ns // 2)
            due_ns = line.connection.opened_ns + life_ns - early_ns
            self._switch_due_ns = min(self._switch_due_ns, due_ns)

    def _look_for_switches(self, now_ns: int) -> None:
        life_ns = self.wire.limits.life_ns
        early_ns = min(int(self.settings.switch_before), life_ns // 2)
        self._switch_due_ns = NEVER
        for line in list(self.lines.values()):
            if line.replaces is not None:
                self._advance_switch(line, now_ns)
            elif life_ns and line.is_serving and line.successor is None:
                if now_ns >= line.connection.opened_ns + life_ns - early_ns:
                    self._replace(line, now_ns)
                else:
                    self._schedule_switch(line)

    def _replace(self, line: Line, now_ns: int) -> None:
        """Open a second connection for the streams of *line*; it takes over when its books are synced."""
        old = line.connection
        streams = [one.stream for one in old.subscriptions.values() if one.state != StreamState.REFUSED]
        successor = Line(self._connection(old.category, streams), line, self.settings.queue_limit)
        line.successor = successor
        line.seen.clear()
        self.lines[successor.connection.number] = successor
        successor.connection.open(now_ns)

    def _advance_switch(self, line: Line, now_ns: int) -> None:
        if not line.is_synced(now_ns, int(self.settings.data_timeout) // 2):
            line.ready_ns = 0
            self._switch_due_ns = min(self._switch_due_ns, now_ns + max(1, int(self.settings.overlap)))
            return
        if not line.ready_ns:
            line.ready_ns = now_ns
        due_ns = line.ready_ns + int(self.settings.overlap)
        if now_ns < due_ns:
            self._switch_due_ns = min(self._switch_due_ns, due_ns)
            return
        old = line.replaces
        self._take_over(line, now_ns)
        if old is not None:
            old.connection.end("replaced by a newer connection")
            self._left += old.connection.take_orders()

    def _take_over(self, line: Line, now_ns: int) -> None:
        """Let *line* serve in place of the one it replaces, from what it held on."""
        old = line.replaces
        if old is None:
            return
        line.replaces = None
        line.continue_counts(old)
        number = line.connection.number
        if self.lines.pop(old.connection.number, None) is not None:
            self._left += old.connection.take_orders()
        if line.connection.state == ConnectionState.OPEN:
            self.counters.switches += 1
            self.notes.connection(line.connection.symbols(), number, True, now_ns)
            if self.recorder is not None:
                self.recorder.opened(f"connection {number}.{line.connection.counters.opens}", now_ns)
            for frame, name in line.held:
                if not line.is_book(name) and frame in old.seen:
                    self.counters.duplicates += 1
                else:
                    self._deliver(frame, now_ns, number)
            self._schedule_switch(line)
        else:
            line.was_open = False
        line.held.clear()
        old.seen.clear()

    # The adapter.

    def _deliver(self, frame: bytes, now_ns: int, number: int) -> None:
        if self.recorder is not None:
            self.recorder.message("ws", None, frame, now_ns)
        adapter = self.adapter
        adapter.on_message(frame, "ws", None, now_ns, self.sink)
        counters = adapter.counters
        if self._pending or counters.gaps + counters.resyncs + counters.snapshots != self._turns:
            self._after(now_ns, number)

    def _after(self, now_ns: int, number: int) -> None:
        """Carry out what the adapter wants and note which books have changed their state."""
        if self._pending:
            self._act(now_ns, number)
        counters = self.adapter.counters
        self._turns = counters.gaps + counters.resyncs + counters.snapshots
        for symbol, book in self.adapter.books.items():
            times = self.books.get(symbol)
            if times is None:
                times = self.books[symbol] = BookTimes()
            if (book.state is SYNCHRONISED) != bool(times.good_ns):
                self._turned(book, times, now_ns)

    def _turned(self, book: FeedBook, times: BookTimes, now_ns: int) -> None:
        if book.state is SYNCHRONISED:
            times.good_ns = now_ns
            if times.lost_ns:
                times.stale_ns += now_ns - times.lost_ns
                times.lost_ns = 0
            if self.silence_ns:
                self._silence_due_ns = min(self._silence_due_ns, now_ns + self.silence_ns)
        else:
            times.good_ns = 0
            times.lost_ns = now_ns

    def _act(self, now_ns: int, number: int = 0) -> None:
        for action in self.adapter.actions():
            self._carry_out(action, now_ns, number)

    def _carry_out(self, action: Action, now_ns: int, number: int) -> None:
        if isinstance(action, FetchSnapshot):
            request = self.wire.snapshot_request(action.symbol)
            if request is not None:
                self.requests.ask("snapshot", action.symbol, request, now_ns)
        elif isinstance(action, Resubscribe):
            self._ask_again(action.symbol, now_ns)
        elif isinstance(action, WakeAt):
            self._wake_ns = action.at_ns
        elif isinstance(action, Subscribe):
            if self.is_started:
                self._place(action.streams, now_ns)
        elif isinstance(action, Reconnect):
            line = self.lines.get(number)
            if line is not None and line.replaces is None:
                line.connection.reopen(action.reason, now_ns)
                self._noticed(line, now_ns)

    def _ask_again(self, symbol: str, now_ns: int) -> None:
        for line in self.lines.values():
            if line.replaces is not None:
                continue
            for name, one in line.connection.subscriptions.items():
                if one.stream.symbol == symbol and one.stream.channel == "book":
                    line.connection.ask_again(name, now_ns)

    def _resync(self, symbol: str, now_ns: int, is_thin: bool = False) -> None:
        if self.recorder is not None:
            self.recorder.resynced(symbol, now_ns)
        (self.adapter.on_thin if is_thin else self.adapter.resync)(symbol, now_ns, self.sink)

    def book_subscription(self, symbol: str) -> Subscription | None:
        """Return the subscription that carries the book of *symbol* now."""
        for line in self.lines.values():
            if line.replaces is None:
                for one in line.connection.subscriptions.values():
                    if one.stream.symbol == symbol and one.stream.channel == "book":
                        return one
        return None

    def _is_carried(self, symbol: str) -> bool:
        """Return whether an open connection carries the book of *symbol*."""
        return any(line.is_serving and symbol in line.connection.symbols() for line in self.lines.values())

    def _look_for_silence(self, now_ns: int) -> None:
        """Give up good books of which nothing has come for too long."""
        silence_ns = self.silence_ns
        self._silence_due_ns = NEVER
        if not silence_ns:
            return
        for line in list(self.lines.values()):
            if not line.is_serving:
                continue
            for one in line.connection.subscriptions.values():
                symbol = one.stream.symbol
                times = self.books.get(symbol) if one.stream.channel == "book" else None
                if times is None or not times.good_ns:
                    continue
                last_ns = max(one.last_ns, times.good_ns)
                if now_ns - last_ns >= silence_ns:
                    self.counters.silences += 1
                    self._resync(symbol, now_ns)
                else:
                    self._silence_due_ns = min(self._silence_due_ns, last_ns + silence_ns)
        self._after(now_ns, 0)

    def tell(self, text: str) -> None:
        """Keep a sentence for the status."""
        told = self.counters.told
        if text not in told:
            told.append(text)
            del told[:-20]


def heartbeat_ns(wire: Wire) -> int:
    """Return how long a book may be silent where the config does not say: twice the venue's heartbeat."""
    keep = wire.keep_alive
    return 2 * keep.every_ns if keep.every_ns else keep.silence_ns
