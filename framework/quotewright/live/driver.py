"""Drives one feed in real time: sockets into the queue, the queue through session and adapter, orders out again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import anyio

from quotewright.kernel.codes import NEVER
from quotewright.live.frames import FrameQueue
from quotewright.live.retry import trouble_of
from quotewright.live.status import report
from quotewright.live.transport import Transport

if TYPE_CHECKING:
    from quotewright.live.clock import Clock
    from quotewright.live.feed_session import FeedSession
    from quotewright.live.orders import Order
    from quotewright.live.transport import Events
    from quotewright.wire import Trouble

SLICE = 512
LONGEST_WAIT = 0.02


class Carrier(Protocol):
    """What carries out orders and reports what comes of them: real sockets, or a simulated network."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...

    def carry_out(self, orders: Iterable[Order]) -> None: ...


class Waker:
    """What wakes a run: set by whoever has news, waited for by the run. The feeds of one run share one."""

    def __init__(self) -> None:
        self.event = anyio.Event()

    def wake(self) -> None:
        """Let who waits go on."""
        self.event.set()

    async def wait(self, longest: float) -> None:
        """Return when there was news since the last time, at the latest after *longest* seconds."""
        with anyio.move_on_after(longest):
            await self.event.wait()
        self.event = anyio.Event()


class LiveFeed:
    """One feed at work. Use it as ``async with feed: …``, calling :meth:`process` and :meth:`wait` in turn.

    Everything that happens goes through one queue with the time it was received, so that what the adapter sees has
    one order; :meth:`settled_ns` is the time up to which nothing more can come.
    """

    def __init__(
        self,
        session: FeedSession,
        clock: Clock,
        name: str = "",
        transport: Callable[[Events], Carrier] | None = None,
    ) -> None:
        self.session = session
        self.clock = clock
        self.name = name
        self.queue = FrameQueue(session.settings.queue_limit, self._classify)
        self.transport: Carrier = Transport(session.settings, self) if transport is None else transport(self)
        self.lag_ns = 0
        """How long the newest frame taken had waited."""
        self.longest_lag_ns = 0
        self.waker = Waker()
        self._given_up: dict[str, None] = {}

    async def __aenter__(self) -> Self:
        await self.transport.__aenter__()
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self.stop()
        return await self.transport.__aexit__(kind, error, trace)

    def start(self) -> None:
        """Begin to connect."""
        self.session.start(self.clock.now_ns())
        self.transport.carry_out(self.session.take_orders())

    def stop(self) -> None:
        """Leave the venue."""
        self.session.stop(self.clock.now_ns())
        self.transport.carry_out(self.session.take_orders())

    # What the transport reports; it is queued.

    def connected(self, number: int) -> None:
        self._put(number, lambda now: self.session.connected(number, now))

    def opened(self, number: int) -> None:
        self._put(number, lambda now: self.session.opened(number, now))

    def heard(self, number: int, frame: bytes) -> None:
        if self.queue.put(self.clock.now_ns(), number, frame):
            for symbol in self.queue.shed():
                self._given_up[symbol] = None
        event = self.waker.event
        if not event.is_set():
            event.set()

    def ponged(self, number: int) -> None:
        self._put(number, lambda now: self.session.ponged(number, now))

    def closed(self, number: int, code: int, reason: str) -> None:
        self._put(number, lambda now: self.session.closed(number, code, reason, now))

    def failed(self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        def failed(now_ns: int) -> None:
            self.session.failed(number, reason, now_ns, self._trouble(status, headers, body, now_ns))

        self._put(number, failed)

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._put(0, lambda now: self.session.answered(ticket, status, headers, body, now))

    def unanswered(self, ticket: int, reason: str) -> None:
        self._put(0, lambda now: self.session.unanswered(ticket, reason, now))

    def _put(self, number: int, call: Callable[[int], None]) -> None:
        self.queue.put(self.clock.now_ns(), number, call)
        self.waker.wake()

    def _trouble(self, status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> Trouble | None:
        """Return what an answer to a handshake means; 200 is one, too: nobody there speaks WebSocket."""
        if not status:
            return None
        return trouble_of(self.session.wire, status, headers, now_ns, body)

    def _classify(self, number: int, frame: bytes) -> tuple[str, bool]:
        line = self.session.lines.get(number)
        if line is None:
            return "", False
        one = line.connection.subscriptions.get(self.session.wire.stream_of(frame))
        if one is None:
            return "", False
        return one.stream.symbol, one.stream.channel == "book" and not one.stream.needs_login

    # What the driver of a run calls.

    def process(self, most: int = SLICE) -> int:
        """Take at most *most* entries of the queue and let time pass; return how many were taken."""
        queue = self.queue
        session = self.session
        taken = 0
        if self._given_up:
            self._give_up()
        while taken < most and queue.entries:
            receive_ns, number, content = queue.take()
            taken += 1
            if isinstance(content, bytes):
                session.heard(number, content, receive_ns)
            else:
                content(receive_ns)
            if session.deadline_is_near(receive_ns):
                session.tick(receive_ns)
        if taken:
            self.lag_ns = max(0, self.clock.now_ns() - receive_ns)
            self.longest_lag_ns = max(self.longest_lag_ns, self.lag_ns)
        if not queue.entries:
            now_ns = self.clock.now_ns()
            if session.deadline_ns <= now_ns:
                session.tick(now_ns)
        self.transport.carry_out(session.take_orders())
        return taken

    def settled_ns(self) -> int:
        """Return the time up to which every row has been written; stamps from now on are later."""
        if self.queue.entries:
            return self.queue.entries[0][0] - 1
        now_ns = self.clock.now_ns()
        self.clock.passed(now_ns)
        return now_ns

    async def wait(self, longest: float = LONGEST_WAIT) -> None:
        """Return when something has happened or is due, at the latest after *longest* seconds."""
        if self.queue.entries:
            await anyio.lowlevel.checkpoint()
            return
        due_ns = self.session.deadline_ns
        if due_ns != NEVER:
            longest = min(longest, max(0.0, (due_ns - self.clock.now_ns()) / 1e9))
        await self.waker.wait(longest)

    async def run(self, is_done: Callable[[], bool]) -> None:
        """Process what comes until *is_done*, for those who have nothing else to do meanwhile."""
        while not is_done():
            self.process()
            await self.wait()

    def wake(self) -> None:
        """Let :meth:`wait` return: something has happened elsewhere that the run should look at."""
        self.waker.wake()

    def resync(self, symbol: str, is_thin: bool = False) -> None:
        """Give a book up and ask for it anew; see :meth:`FeedSession.resync`."""
        self.session.resync(symbol, self.next_ns(), is_thin)

    def next_ns(self) -> int:
        """Return when what is done now happens: with the oldest entry that waits, so that rows keep their order."""
        return self.queue.entries[0][0] if self.queue.entries else self.clock.now_ns()

    def _give_up(self) -> None:
        """Let the books whose updates were shed be stale from here; they are made good again."""
        symbols, self._given_up = list(self._given_up), {}
        for symbol in symbols:
            self.session.counters.shed += 1
            self.resync(symbol)

    def report(self, now_ns: int | None = None) -> dict[str, Any]:
        """Return how the feed stands, as the summary and the status show it."""
        found = report(self.session, self.clock.now_ns() if now_ns is None else now_ns)
        found["lag_ms"] = round(self.lag_ns / 1e6, 3)
        found["longest_lag_ms"] = round(self.longest_lag_ns / 1e6, 3)
        found["queue"] = len(self.queue)
        found["shed_frames"] = self.queue.shed_frames
        return found


def seeded(seed: int) -> random.Random:
    """Return the generator of jitter for a run."""
    return random.Random(seed)
