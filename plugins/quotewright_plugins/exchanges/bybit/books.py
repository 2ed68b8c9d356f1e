"""Bybit's books: which stream a book follows, when an update may be written, what makes it stale.

Rules: Bybit v5 documentation of ``orderbook``, third quarter of 2026. Branches carry the numbers of these rules:
1 the first message is an image; 2 a later image replaces the book, as does ``u`` 1 (the service began anew); 3 ``u``
grows by one per message of a topic; 4 what is not newer is dropped; 5 after a gap the topic is subscribed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedBook
from quotewright_plugins.exchanges.bybit import messages
from quotewright_plugins.exchanges.bybit.messages import MILLISECOND, Book, BookAnswer, BookData
from quotewright_plugins.exchanges.bybit.prints import Prints

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

SYNCHRONISED = BookState.SYNCHRONISED
_BOOK = messages.DECODERS["book"]
_STALE_RUN = 1_000


class Route:
    """How the frames of one topic are read. *book* is set while a book follows this topic."""

    __slots__ = ("book", "handle", "is_book", "symbol", "topic")

    def __init__(self, topic: str, symbol: str, handle: Handler, is_book: bool = False) -> None:
        self.topic = topic
        self.symbol = symbol
        self.handle = handle
        self.is_book = is_book
        self.book: FeedBook | None = None


Handler = Callable[[bytes, Route, int, "Sink"], None]


class Books(Prints):
    """The part of the adapter that keeps books in step.

    A book follows one topic: the first whose frames come. What comes of other depths meanwhile is counted; if the
    book is not good, an image of another depth takes it over.
    """

    def __init__(self) -> None:
        super().__init__()
        self._followed: dict[str, Route] = {}

    def _on_book(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write an update that plainly follows at once; decide about every other."""
        event: Book = _BOOK.decode(frame)
        data = event.data
        book = route.book
        if (
            book is None
            or book.state is not SYNCHRONISED
            or data.u != book.last_id + 1
            or event.type != "delta"
            or data.s != route.symbol
            or event.topic != route.topic
        ):
            self._on_other_book(event, route, receive_ns, sink)
            return
        stamp = event.ts * MILLISECOND
        if sink.begin(data.s, event.cts * MILLISECOND or stamp, receive_ns, 0, data.u, stamp):
            try:
                sink.bids(data.b)
                sink.offers(data.a)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.updates += 1
        book.messages += 1
        book.last_id = data.u
        book.stale_run = 0
        book.sequence = data.seq
        if self._reader is not None:
            self._reader.learn(frame, data.s, book)

    def _on_other_book(self, event: Book, route: Route, receive_ns: int, sink: Sink) -> None:
        """Take an image, pass an update over, or find the gap before it."""
        data = event.data
        if event.topic != route.topic or data.s != route.symbol:
            raise BadFrame("symbol", f"the stream {route.topic!r} carries {data.s[:64]!r}")
        if event.type not in ("snapshot", "delta"):
            raise BadFrame("shape", f"type should be snapshot or delta, was {event.type[:20]!r}")
        is_image = event.type == "snapshot" or (data.u == 1 and self.is_sequenced)  # 2
        book = self._follow(route, is_image, receive_ns, sink)
        if book is None:
            return
        event_ns = (event.cts or event.ts) * MILLISECOND
        stamp_ns = event.ts * MILLISECOND
        if not self.is_sequenced:
            self._write_book(book, data, event_ns, stamp_ns, receive_ns, is_image, sink)
        elif is_image:
            if book.state is SYNCHRONISED and 1 < data.u <= book.last_id and data.seq <= book.sequence:  # 4
                self._pass_over(book, event_ns, receive_ns, sink, data.u)
                return
            self.counters.snapshots += 1
            self.answered(book)
            self._write_book(book, data, event_ns, stamp_ns, receive_ns, True, sink)
            self._good(book)
            book.last_id, book.sequence = data.u, data.seq
        elif book.state is not SYNCHRONISED:  # 1: nothing before the image is of use
            self.counters.buffer_dropped += 1
            book.messages += 1
            self.request(book, receive_ns)
        elif data.u <= book.last_id:
            self._pass_over(book, event_ns, receive_ns, sink, data.u)
        elif data.u > book.last_id + 1:  # 3 and 5
            self.lose(book, event_ns, receive_ns, sink, data.u, data.u - book.last_id - 1)
            self.request(book, receive_ns)
        else:  # the first update that this route sees of a book that is good
            self._write_book(book, data, event_ns, stamp_ns, receive_ns, False, sink)
            book.last_id, book.sequence = data.u, data.seq

    def _follow(self, route: Route, is_image: bool, receive_ns: int, sink: Sink) -> FeedBook | None:
        """Return the book if it follows *route*, or may do so from here; None (counted) if it follows another one."""
        symbol = route.symbol
        followed = self._followed.get(symbol)
        if followed is route:
            return route.book
        book = self.book(symbol)
        if book is None:
            return None
        if followed is not None:
            if followed.topic and not (is_image and self.is_sequenced and book.state is not SYNCHRONISED):
                self.counters.ignore("other depth")
                return None
            followed.book = None
            if self._reader is not None:
                self._reader.forget(book)
            if not followed.topic and book.state is SYNCHRONISED:  # polled images give way to a stream
                self.lose(book, 0, receive_ns, sink)
        self._followed[symbol] = route
        route.book = book
        return book

    def _pass_over(self, book: FeedBook, event_ns: int, receive_ns: int, sink: Sink, id: int) -> None:
        """Count what is not newer than the book; a venue that goes on so has begun anew without saying so."""
        self.counters.stale_dropped += 1
        book.stale_run += 1
        if book.stale_run >= _STALE_RUN:
            self.lose(book, event_ns, receive_ns, sink, id)
            self.request(book, receive_ns)

    def _good(self, book: FeedBook) -> None:
        """Take note that an image has made the book good."""
        if book.state is BookState.STALE:
            self.counters.resyncs += 1
            book.resyncs += 1
        book.state = SYNCHRONISED
        book.was_good = True
        book.is_wanted = False
        book.stale_run = 0

    def _write_book(
        self,
        book: FeedBook,
        data: BookData | BookAnswer,
        event_ns: int,
        stamp_ns: int,
        receive_ns: int,
        is_image: bool,
        sink: Sink,
    ) -> None:
        """Write an image or a delta as one message, whole or not at all."""
        if sink.begin(book.symbol, event_ns, receive_ns, 0, data.u, stamp_ns):
            try:
                if is_image:
                    if book.state is BookState.STALE:
                        sink.resync()
                    sink.snapshot()
                sink.bids(data.b)
                sink.offers(data.a)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        book.messages += 1
        if not is_image:
            self.counters.updates += 1
        book.stale_run = 0

    def _on_book_answer(self, answer: BookAnswer, receive_ns: int, sink: Sink) -> None:
        """Take the image of a REST answer where no stream tells the book; ``u`` there counts another depth."""
        followed = self._followed.get(answer.s)
        if followed is not None and followed.topic:
            self.counters.ignore("rest orderbook")
            return
        book = self.book(answer.s)
        if book is None:
            return
        if self.is_sequenced and book.state is SYNCHRONISED and answer.u < book.last_id:
            self.counters.snapshots_refused += 1
            return
        self.counters.snapshots += 1
        event_ns, stamp_ns = (answer.cts or answer.ts) * MILLISECOND, answer.ts * MILLISECOND
        self._write_book(book, answer, event_ns, stamp_ns, receive_ns, True, sink)
        if followed is None:
            followed = self._followed[answer.s] = Route("", answer.s, self._on_book)
            followed.book = book
        self._good(book)
        book.last_id = answer.u
