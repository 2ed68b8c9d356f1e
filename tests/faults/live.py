"""A live feed of any exchange in virtual time, over its real adapter, wire and session; the test is the venue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quotewright.feed import BookState
from quotewright.live.orders import Fetch, OpenSocket, SendPing, SendText
from quotewright_plugins import exchanges
from tests.faults.dialects import Dialect, Frame
from tests.framework.live.toy import START, session_of

QUICK: dict[str, Any] = {"channels": ("book", "trades"), "answer_timeout": "0s", "refresh": "0s"}


class Live:
    """Connections open at once and pings are answered; everything else the test answers, or leaves unanswered.

    ``fetches`` holds what was asked over HTTP and not answered, ``texts`` what was sent over sockets with its time.
    """

    def __init__(self, dialect: Dialect, **keys: Any) -> None:
        factory = exchanges.feeds()[dialect.feed].load()
        market = {"market": dialect.market} if dialect.market else {}
        self.settings = factory.config_model(**(QUICK | market | keys))
        self.dialect = dialect
        self.adapter = factory(self.settings)
        self.adapter.subscribe([dialect.symbol])
        self.wire = self.adapter.wire()
        self.session, self.source = session_of(self.adapter, self.wire, self.settings)
        self.now_ns = START
        self.fetches: list[Fetch] = []
        self.asked: list[tuple[int, str]] = []
        self.texts: list[tuple[int, bytes]] = []
        self.on_fetch: Callable[[Fetch], None] = self.fetches.append
        self.session.start(START)
        self.pump()

    def pump(self) -> None:
        """Carry out what the session wants until it wants nothing more."""
        while orders := self.session.take_orders():
            for order in orders:
                if isinstance(order, OpenSocket):
                    self.session.connected(order.number, self.now_ns)
                    self.session.opened(order.number, self.now_ns)
                elif isinstance(order, SendText):
                    self.texts.append((self.now_ns, order.frame))
                elif isinstance(order, SendPing):
                    self.session.ponged(order.number, self.now_ns)
                elif isinstance(order, Fetch):
                    self.asked.append((self.now_ns, order.request.url))
                    self.on_fetch(order)

    def at(self, now_ns: int, are_alive: bool = True) -> None:
        """Let time pass until *now_ns* with whatever is due on the way; peers answer if they *are_alive*."""
        while (due_ns := self.session.deadline_ns) < now_ns:
            self._tick(max(due_ns, self.now_ns), are_alive)
        self._tick(now_ns, are_alive)

    def _tick(self, now_ns: int, are_alive: bool) -> None:
        self.now_ns = now_ns
        if are_alive:
            for number in list(self.session.lines):
                self.session.ponged(number, now_ns)
        self.session.tick(now_ns)
        self.pump()

    def hear(self, frame: Frame) -> None:
        """Take a frame of a connection, or the body of the oldest request for a book that waits."""
        if frame.source == "rest":
            found = next(one for one in self.fetches if "depth" in one.request.url)
            self.fetches.remove(found)
            self.session.answered(found.ticket, 200, {}, frame.raw, self.now_ns)
        else:
            self.session.heard(self.book_connection, frame.raw, self.now_ns)
        self.pump()

    @property
    def book_connection(self) -> int:
        """The number of the connection that carries the book."""
        for number, line in self.session.lines.items():
            if any(one.stream.channel == "book" for one in line.connection.subscriptions.values()):
                return number
        raise LookupError("no connection carries a book")

    @property
    def state(self) -> BookState | None:
        book = self.adapter.books.get(self.dialect.symbol)
        return None if book is None else book.state

    def recoveries(self) -> list[int]:
        """Return when the book was asked for: over HTTP, or by subscribing to it."""
        if self.adapter.recovers_by == "snapshot":
            return [at_ns for at_ns, url in self.asked if "depth" in url]
        return [at_ns for at_ns, text in self.texts if b"subscribe" in text and b"unsubscribe" not in text]
