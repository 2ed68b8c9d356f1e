"""What must hold between the venue and our books: good books are the venue's, queues are bounded, budgets kept."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright.feed import BookState
from quotewright.kernel.codes import BID, OFFER
from quotewright.live.connection import ConnectionState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quotewright.feed import FeedBook
    from quotewright.kernel.view import View
    from quotewright.live.driver import LiveFeed
    from quotewright.wire import Window
    from quotewright_simexchange.exchange.records import DepthEvent
    from quotewright_simexchange.world.agenda import Agenda
    from quotewright_simexchange.world.network import Traffic
    from quotewright_simexchange.world.verdicts import Verdicts

FULL_EVERY = 32
LATE_NS = 5_000_000_000
"""So much longer than a stream may be silent may a good book lag behind the venue: faults hold frames back."""
Sides = dict[int, dict[int, int]]


class BookCheck:
    """One local book held against the venue's: what changed since the last time, and now and then everything."""

    def __init__(self, view: View, changes: Sequence[DepthEvent], verdicts: Verdicts) -> None:
        self.view = view
        self.changes = changes
        self.verdicts = verdicts
        self.sides: Sides = {BID: {}, OFFER: {}}
        """The venue's book at ``sequence``, in steps."""
        self.sequence = 0
        self._at = 0
        self._checks = 0
        self._messages = -1

    def check(self, book: FeedBook) -> None:
        """Evaluate after every event: nothing is done where nothing came."""
        view = self.view
        local = view.book
        if not view.is_book_good or book.state is not BookState.SYNCHRONISED:
            return
        if local.messages == self._messages:
            return
        self._messages = local.messages
        self.verdicts.count(1)
        if 0 < local.best_offer <= local.best_bid:
            self.verdicts.broken(1, f"{book.symbol} here is good with bid {local.best_bid}, offer {local.best_offer}")
        touched = self._follow(book.last_id)
        self._checks += 1
        self.verdicts.count(2)
        if self._checks % FULL_EVERY == 1:
            self._compare_all(book)
            return
        for side, price in touched:
            wanted, found = self.sides[side].get(price, 0), local.size_at(side, price)
            if wanted != found:
                self._differs(book, side, price, wanted, found)
        for side in (BID, OFFER):
            if local.level_count(side) != len(self.sides[side]):
                self._compare_all(book)

    def _follow(self, sequence: int) -> set[tuple[int, int]]:
        """Bring the venue's book to *sequence*; return what changed on the way."""
        if sequence < self.sequence:  # an older snapshot took the book's place
            self.sides = {BID: {}, OFFER: {}}
            self._at = 0
        self.sequence = sequence
        instrument = self.view.instrument
        touched: set[tuple[int, int]] = set()
        while self._at < len(self.changes) and self.changes[self._at].sequence <= sequence:
            for name, price, size in self.changes[self._at].changes:
                side = BID if name == "bid" else OFFER
                steps = steps_of(price, instrument.price_decimals)
                if size:
                    self.sides[side][steps] = steps_of(size, instrument.size_decimals)
                else:
                    self.sides[side].pop(steps, None)
                touched.add((side, steps))
            self._at += 1
        return touched

    def next_change_ns(self, now_ns: int) -> int:
        """Return when the oldest change was made that the local book does not have, *now_ns* if it has all."""
        return self.changes[self._at].event_ns if self._at < len(self.changes) else now_ns

    def _compare_all(self, book: FeedBook) -> None:
        for side in (BID, OFFER):
            local = dict(self.view.book.levels(side, -1))
            venue = self.sides[side]
            for price in sorted(local.keys() | venue.keys()):
                if local.get(price, 0) != venue.get(price, 0):
                    self._differs(book, side, price, venue.get(price, 0), local.get(price, 0))

    def _differs(self, book: FeedBook, side: int, price: int, wanted: int, found: int) -> None:
        name = "bid" if side == BID else "offer"
        self.verdicts.broken(
            2, f"{book.symbol} at sequence {book.last_id}: {name} {price} has {found} steps here, {wanted} at the venue"
        )


class FeedChecks:
    """The books of one feed, its queue, and what its transport did."""

    def __init__(
        self,
        feed: LiveFeed,
        books: dict[str, BookCheck],
        traffic: Traffic,
        agenda: Agenda,
        verdicts: Verdicts,
    ) -> None:
        self.feed = feed
        self.books = books
        self.traffic = traffic
        self.agenda = agenda
        self.verdicts = verdicts
        self.connects: Sequence[Window] = feed.session.wire.limits.connects
        self._late_ns = feed.session.silence_ns + LATE_NS
        self._limit = feed.session.settings.queue_limit
        self._attempts: deque[int] = deque()
        self._known = (0, 0)

    def check(self) -> None:
        """Evaluate after every event that the run has taken."""
        adapter = self.feed.session.adapter
        for symbol, check in self.books.items():
            book = adapter.books.get(symbol)
            if book is not None:
                check.check(book)
                if check.view.is_book_good:
                    self._is_fresh(symbol, check)
        verdicts = self.verdicts
        verdicts.count(20)
        if len(self.feed.queue) > self._limit or self.feed.queue.shed_frames:
            queue = self.feed.queue
            verdicts.broken(
                20, f"{len(queue)} frames wait, {queue.shed_frames} were given up; the limit is {self._limit}"
            )
        known = (self.traffic.requests, self.traffic.connects)
        if known != self._known:
            self._count(known)

    def _is_fresh(self, symbol: str, check: BookCheck) -> None:
        """A good book has an open connection, was made good on it, and is not far behind the venue."""
        self.verdicts.count(16)
        session = self.feed.session
        opened_ns = -1
        for line in session.lines.values():
            connection = line.connection
            if connection.state == ConnectionState.OPEN and symbol in connection.symbols():
                opened_ns = connection.opened_ns
                break
        if opened_ns < 0:
            self.verdicts.broken(16, f"the book of {symbol} is good and no connection carries it: {self.ailing()}")
        # A connection that takes over from another one, both open, takes its books over too.
        if session.books[symbol].good_ns < opened_ns and not session.counters.switches:
            self.verdicts.broken(16, f"the book of {symbol} is good, made so on a connection that was lost since")
        behind_ns = self.agenda.now - check.next_change_ns(self.agenda.now)
        if behind_ns > self._late_ns:
            self.verdicts.broken(16, f"the book of {symbol} is good and {behind_ns / 1e9:g} s behind the venue")

    def _count(self, known: tuple[int, int]) -> None:
        verdicts, traffic = self.verdicts, self.traffic
        verdicts.count(18)
        if traffic.limited or traffic.impatient:
            verdicts.broken(18, (traffic.limited + traffic.impatient)[0])
        if known[1] != self._known[1]:
            verdicts.count(19)
            now_ns = self.agenda.now
            self._attempts.extend([now_ns] * (known[1] - self._known[1]))
            for window in self.connects:
                while self._attempts and self._attempts[0] <= now_ns - window.per_ns:
                    self._attempts.popleft()
                if len(self._attempts) > window.limit:
                    verdicts.broken(19, f"{len(self._attempts)} connects within {window.per_ns / 1e9:g} s")
        self._known = known

    @property
    def is_well(self) -> bool:
        """Whether every book is good on both sides of the adapter."""
        books = self.feed.session.adapter.books
        return all(
            symbol in books and books[symbol].state is BookState.SYNCHRONISED and check.view.is_book_good
            for symbol, check in self.books.items()
        )

    def ailing(self) -> str:
        """Return what is not well, for the message."""
        books = self.feed.session.adapter.books
        states = [
            f"{symbol} {books[symbol].state.name if symbol in books else 'unknown'}"
            f"{'' if check.view.is_book_good else ' and not good'}"
            for symbol, check in self.books.items()
        ]
        lines = [
            f"connection {number} {line.connection.state.name}" for number, line in self.feed.session.lines.items()
        ]
        return ", ".join(states + lines)


def steps_of(number: Decimal, decimals: int) -> int:
    """Return *number* in steps of that many decimals; it must be whole."""
    scaled = number.scaleb(decimals)
    steps = int(scaled)
    if steps != scaled:
        raise ValueError(f"{number} is no multiple of 10^-{decimals}")
    return steps
