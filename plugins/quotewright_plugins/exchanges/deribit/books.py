"""Deribit's books: which channel a book follows, when an update may be written, what makes it stale.

Rules: Deribit API v2, ``book.{instrument_name}.{interval}``. Branches carry the numbers of these rules: 1 the first
message is an image, without ``prev_change_id``; 2 a later image replaces the book; 3 the ``prev_change_id`` of a
change is the ``change_id`` of the message before; 4 what is not newer is dropped; 5 after a gap the channel is
subscribed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedBook
from quotewright_plugins.exchanges.deribit import messages
from quotewright_plugins.exchanges.deribit.messages import MILLISECOND, BookAnswer, BookData
from quotewright_plugins.exchanges.deribit.prints import Prints

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

SYNCHRONISED = BookState.SYNCHRONISED
_BOOK = messages.BOOK
_STALE_RUN = 200


class Route:
    """How the frames of one channel are read. *book* is set while a book follows this channel.

    *is_image*: every message of the channel is a whole book, cut at some depth.
    """

    __slots__ = ("book", "channel", "handle", "is_book", "is_image", "symbol")

    def __init__(
        self, channel: str, symbol: str, handle: Handler, is_book: bool = False, is_image: bool = False
    ) -> None:
        self.channel = channel
        self.symbol = symbol
        self.handle = handle
        self.is_book = is_book
        self.is_image = is_image
        self.book: FeedBook | None = None


Handler = Callable[[bytes, Route, int, "Sink"], None]


class Books(Prints):
    """The part of the adapter that keeps books in step.

    A book follows one channel: the first whose frames come. What comes in other intervals and depths meanwhile is
    counted; if the book is not good, an image of another channel takes it over.
    """

    def __init__(self) -> None:
        super().__init__()
        self._followed: dict[str, Route] = {}

    def _on_book(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write a change that plainly follows at once; decide about every other message."""
        event = _BOOK.decode(frame).params
        data = event.data
        book = route.book
        if (
            book is None
            or book.state is not SYNCHRONISED
            or data.prev_change_id != book.last_id
            or data.change_id <= book.last_id
            or data.type != "change"
            or data.instrument_name != route.symbol
            or event.channel != route.channel
            or route.is_image
            or not self.is_sequenced
        ):
            self._on_other_book(event.channel, data, route, receive_ns, sink)
            return
        if sink.begin(data.instrument_name, data.timestamp * MILLISECOND, receive_ns, 0, data.change_id):
            try:
                sink.bids(data.bids)
                sink.offers(data.asks)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.updates += 1
        book.messages += 1
        book.last_id = data.change_id
        book.stale_run = 0
        if self._reader is not None:
            self._reader.learn(frame, data.instrument_name, book)

    def _on_other_book(self, channel: str, data: BookData, route: Route, receive_ns: int, sink: Sink) -> None:
        """Take an image, pass a change over, or find the gap before it."""
        if channel != route.channel or data.instrument_name != route.symbol:
            raise BadFrame("symbol", f"the channel {route.channel!r} carries {data.instrument_name[:64]!r}")
        is_image = route.is_image or _is_image(data)
        if not is_image and data.prev_change_id is None and self.is_sequenced:
            raise BadFrame("shape", "a change should carry the prev_change_id that it follows, it carries none")
        book = self._follow(route, is_image, receive_ns, sink)
        if book is None:
            return
        if not is_image and not data.prev_change_id:
            # The first change of a book that was empty before; Tardis takes it for an image.
            is_image = not self.is_sequenced or not book.was_good
        if not self.is_sequenced:
            self._write_book(book, data, receive_ns, is_image, sink)
        elif is_image:
            if book.state is SYNCHRONISED and data.change_id <= book.last_id:  # 4
                self._pass_over(book, data, receive_ns, sink)
                return
            self.counters.snapshots += 1
            self.answered(book)
            self._write_book(book, data, receive_ns, True, sink)  # 2
            self._good(book)
            book.last_id = data.change_id
        elif book.state is not SYNCHRONISED:  # 1: nothing before the image is of use
            self.counters.buffer_dropped += 1
            book.messages += 1
            self.request(book, receive_ns)
        elif data.change_id <= book.last_id:  # 4
            self._pass_over(book, data, receive_ns, sink)
        elif data.prev_change_id != book.last_id:  # 3 and 5
            book.messages += 1
            self.lose(book, data.timestamp * MILLISECOND, receive_ns, sink, data.change_id)
            self.request(book, receive_ns)
        else:  # the first change that this route sees of a book that is good, or one of the shape of 2019
            self._write_book(book, data, receive_ns, False, sink)
            book.last_id = data.change_id

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
            if followed.channel and not (is_image and self.is_sequenced and book.state is not SYNCHRONISED):
                self.counters.ignore("other interval")
                return None
            followed.book = None
            if self._reader is not None:
                self._reader.forget(book)
            if not followed.channel and book.state is SYNCHRONISED:  # polled images give way to a stream
                self.lose(book, 0, receive_ns, sink)
        self._followed[symbol] = route
        route.book = book
        return book

    def _pass_over(self, book: FeedBook, data: BookData, receive_ns: int, sink: Sink) -> None:
        """Count what is not newer than the book; a venue that goes on so has begun anew without saying so."""
        self.counters.stale_dropped += 1
        book.messages += 1
        book.stale_run += 1
        if book.stale_run >= _STALE_RUN:
            self.lose(book, data.timestamp * MILLISECOND, receive_ns, sink, data.change_id)
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
        self, book: FeedBook, data: BookData | BookAnswer, receive_ns: int, is_image: bool, sink: Sink
    ) -> None:
        """Write an image or a change as one message, whole or not at all."""
        if sink.begin(book.symbol, data.timestamp * MILLISECOND, receive_ns, 0, data.change_id):
            try:
                if is_image:
                    if book.state is BookState.STALE:
                        sink.resync()
                    sink.snapshot()
                sink.bids(data.bids)
                sink.offers(data.asks)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        book.messages += 1
        if not is_image:
            self.counters.updates += 1
        book.stale_run = 0

    def _on_book_answer(self, answer: BookAnswer, receive_ns: int, sink: Sink) -> None:
        """Take the image of a REST answer where no channel tells the book."""
        symbol = answer.instrument_name
        followed = self._followed.get(symbol)
        if followed is not None and followed.channel:
            self.counters.ignore("rest get_order_book")
            return
        book = self.book(symbol)
        if book is None:
            return
        if self.is_sequenced and book.state is SYNCHRONISED and answer.change_id < book.last_id:
            self.counters.snapshots_refused += 1
            return
        self.counters.snapshots += 1
        self._write_book(book, answer, receive_ns, True, sink)
        if followed is None:
            followed = self._followed[symbol] = Route("", symbol, self._on_book)
            followed.book = book
        self._good(book)
        book.last_id = answer.change_id


def _is_image(data: BookData) -> bool:
    """Return whether a message of the incremental channel is a whole book; those of 2019 do not say their type."""
    if data.type == "snapshot":
        return True
    if data.type == "":
        return data.prev_change_id is None
    if data.type != "change":
        raise BadFrame("shape", f"type should be snapshot or change, was {data.type[:20]!r}")
    return False
