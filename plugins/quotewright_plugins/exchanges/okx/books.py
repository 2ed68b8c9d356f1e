"""OKX's books: which stream a book follows, when an update may be written, what makes it stale.

Rules: OKX v5 documentation of the order book channels, third quarter of 2026. Branches carry the numbers of these:
1 the first message is an image, ``prevSeqId`` -1; 2 an update follows if its ``prevSeqId`` is the last ``seqId``;
3 equal ids and no levels keep the stream alive; 4 after maintenance ``seqId`` may be smaller than ``prevSeqId``;
5 otherwise there is a gap: the channel is subscribed anew; 6 a checksum that is not 0 must match.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedBook
from quotewright.kernel.codes import RELEASED
from quotewright_plugins.exchanges.okx import messages
from quotewright_plugins.exchanges.okx.checksum import Texts
from quotewright_plugins.exchanges.okx.messages import EMPTY, MILLISECOND, NO_SEQ, Arg, BookRow
from quotewright_plugins.exchanges.okx.prints import Prints

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

SYNCHRONISED = BookState.SYNCHRONISED
_STALE_RUN = 1_000
_UNSUMMED = 100
"""After so many updates without a checksum in a row the texts of levels are given up."""


class Route:
    """How the frames of one subscription are read. *book* is set while a book follows it."""

    __slots__ = ("arg", "book", "handle", "is_book", "is_image", "symbol", "texts", "unsummed")

    def __init__(self, arg: Arg, handle: Handler, is_book: bool = False, is_image: bool = False) -> None:
        self.arg = arg
        self.symbol = arg.instId
        self.handle = handle
        self.is_book = is_book
        self.is_image = is_image
        """Every message is a full image."""
        self.book: FeedBook | None = None
        self.texts: Texts | None = None
        self.unsummed = 0


Handler = Callable[[bytes, Route, int, "Sink"], None]


class Books(Prints):
    """The part of the adapter that keeps books in step.

    A book follows one channel: the first whose frames come. What comes of other depths meanwhile is counted; if the
    book is not good, an image of another depth takes it over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verifies = True
        self._followed: dict[str, Route] = {}

    def _on_book(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write an update that plainly follows at once; decide about every other."""
        event = messages.BOOK.decode(frame)
        for row in event.data:
            book = route.book
            if (
                book is None
                or book.state is not SYNCHRONISED
                or row.prevSeqId != book.last_id
                or row.prevSeqId < 0
                or row.seqId < 0
                or event.action != "update"
                or row.checksum
                or route.texts is not None
                or row.instId
            ):
                self._on_other_book(row, event.action, route, receive_ns, sink)
                continue
            stamp = int(row.ts)
            if sink.begin(route.symbol, stamp * MILLISECOND, receive_ns, 0, row.seqId):
                try:
                    sink.offers(row.asks)
                    sink.bids(row.bids)
                except InputError:
                    sink.abandon()
                    raise
                sink.end()
            self.counters.updates += 1
            book.messages += 1
            book.last_id = row.seqId
            book.stale_run = 0
            book.stamp = stamp
            if self._reader is not None:
                self._reader.learn(frame, route.symbol, book)

    def _on_other_book(self, row: BookRow, action: str, route: Route, receive_ns: int, sink: Sink) -> None:
        """Take an image, pass an update over, or find the gap before it."""
        if row.instId and row.instId != route.symbol:
            raise BadFrame("symbol", f"the stream of {route.symbol} carries {row.instId[:64]!r}")
        if action not in (("", "snapshot") if route.is_image else ("snapshot", "update")):
            raise BadFrame("shape", f"action should be snapshot or update, was {action[:20]!r}")
        is_image = route.is_image or action == "snapshot"
        if row.seqId == -1 or (row.seqId == NO_SEQ and row.prevSeqId != NO_SEQ and not is_image):
            raise BadFrame("shape", "a message with prevSeqId should have a seqId that is not negative")
        book = self._follow(route, is_image, receive_ns, sink)
        if book is None:
            return
        if not self.is_sequenced:
            self._write_book(book, row, receive_ns, 0, is_image, sink)
        elif is_image:
            self._on_image(book, row, route, receive_ns, sink)
        elif book.state is not SYNCHRONISED:  # 1
            book.messages += 1
            self._keep(book, row)
            self.request(book, receive_ns)
        elif row.prevSeqId != NO_SEQ and book.last_id != NO_SEQ and row.prevSeqId != book.last_id:  # 2
            book.messages += 1
            if row.seqId <= book.last_id and int(row.ts) <= book.stamp:
                self._pass_over(book, row, receive_ns, sink)
            else:  # 5
                self._lose(book, route, row, receive_ns, sink)
        elif row.prevSeqId == NO_SEQ and book.last_id != NO_SEQ:
            raise BadFrame("shape", "an update of a numbered stream should have seqId and prevSeqId")
        elif row.prevSeqId == NO_SEQ and int(row.ts) < book.stamp:
            book.messages += 1
            self._pass_over(book, row, receive_ns, sink)
        elif self._matches(book, row, route, receive_ns, sink):
            self._write_book(book, row, receive_ns, 0, False, sink)
            book.last_id, book.stamp = row.seqId, int(row.ts)

    def _on_image(self, book: FeedBook, row: BookRow, route: Route, receive_ns: int, sink: Sink) -> None:
        """Replace the book by an image unless it is older, and release the updates that waited for it."""
        if book.state is SYNCHRONISED and NO_SEQ < row.seqId < book.last_id and int(row.ts) <= book.stamp:
            self._pass_over(book, row, receive_ns, sink)
            return
        self.counters.snapshots += 1
        self.answered(book)
        waiting = [held for held in book.buffer if held.seqId > row.seqId] if row.seqId != NO_SEQ else []
        if waiting and waiting[0].prevSeqId > row.seqId:
            self.counters.snapshots_refused += 1
            self.request(book, receive_ns)
            return
        route.texts, route.unsummed = None, 0
        if row.checksum and self.verifies and not route.is_image:
            route.texts = Texts()
            self._forget(book)
            if not self._matches(book, row, route, receive_ns, sink):
                return
        self._write_book(book, row, receive_ns, 0, True, sink)
        self._good(book)
        book.last_id, book.stamp = row.seqId, int(row.ts)
        self.counters.stale_dropped += len(book.buffer) - len(waiting)
        book.buffer.clear()
        for held in waiting:
            if held.prevSeqId != book.last_id or not self._matches(book, held, route, receive_ns, sink):
                break
            self._write_book(book, held, receive_ns, RELEASED, False, sink)
            book.last_id, book.stamp = held.seqId, int(held.ts)

    def _forget(self, book: FeedBook) -> None:
        """Read the book's updates the long way: their texts are kept, or another channel tells it from here."""
        if self._reader is not None:
            self._reader.forget(book)

    def _matches(self, book: FeedBook, row: BookRow, route: Route, receive_ns: int, sink: Sink) -> bool:
        """6: note the levels' texts and compare the checksum; a wrong one makes the book stale."""
        texts = route.texts
        if texts is None:
            return True
        texts.apply(row.bids, row.asks)
        if row.checksum == 0:
            route.unsummed += 1
            if route.unsummed > _UNSUMMED:
                route.texts = None
            return True
        route.unsummed = 0
        if texts.checksum() == row.checksum:
            book.checksums_good += 1
            return True
        book.checksums_bad += 1
        book.messages += 1
        self._lose(book, route, row, receive_ns, sink)
        return False

    def _lose(self, book: FeedBook, route: Route, row: BookRow, receive_ns: int, sink: Sink) -> None:
        route.texts = None
        self.lose(book, int(row.ts) * MILLISECOND, receive_ns, sink, max(row.seqId, 0))
        self._keep(book, row)
        self.request(book, receive_ns)

    def _keep(self, book: FeedBook, row: BookRow) -> None:
        """Let an update wait for the image it follows; after a hole only what comes behind it is of use."""
        buffer = book.buffer
        if row.seqId == NO_SEQ:
            self.counters.buffer_dropped += 1
            return
        if buffer:
            last = buffer[-1].seqId
            if row.seqId <= last and row.prevSeqId != last:
                self.counters.stale_dropped += 1
                return
            if row.prevSeqId != last:
                self.counters.buffer_dropped += len(buffer)
                buffer.clear()
            elif len(buffer) == buffer.maxlen:
                self.counters.buffer_dropped += 1
        self.counters.buffered += 1
        buffer.append(row)

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
            is_polled = not followed.arg.channel
            if not is_polled and not (is_image and self.is_sequenced and book.state is not SYNCHRONISED):
                self.counters.ignore("other depth")
                return None
            followed.book = None
            self._forget(book)
            if is_polled and book.state is SYNCHRONISED:
                self.lose(book, 0, receive_ns, sink)
        self._followed[symbol] = route
        route.book = book
        return book

    def _pass_over(self, book: FeedBook, row: BookRow, receive_ns: int, sink: Sink) -> None:
        """Count what is not newer than the book; a venue that goes on so has begun anew without saying so."""
        self.counters.stale_dropped += 1
        book.stale_run += 1
        if book.stale_run >= _STALE_RUN:
            self.lose(book, int(row.ts) * MILLISECOND, receive_ns, sink, max(row.seqId, 0))
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
        self, book: FeedBook, row: BookRow, receive_ns: int, flags: int, is_image: bool, sink: Sink
    ) -> None:
        """Write an image or an update as one message, whole or not at all."""
        if sink.begin(book.symbol, int(row.ts) * MILLISECOND, receive_ns, flags, max(row.seqId, 0)):
            try:
                if is_image:
                    if book.state is BookState.STALE:
                        sink.resync()
                    sink.snapshot()
                sink.offers(row.asks)
                sink.bids(row.bids)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        book.messages += 1
        if not is_image:
            self.counters.updates += 1
        book.stale_run = 0

    def _on_book_answer(self, symbol: str, body: bytes, receive_ns: int, sink: Sink) -> None:
        """Take the image of a REST answer where no stream tells the book."""
        rows = messages.BOOK_ROWS.decode(body)
        followed = self._followed.get(symbol)
        if followed is not None and followed.arg.channel:
            self.counters.ignore("rest books")
            return
        if followed is None:
            followed = Route(Arg("", symbol), self._on_book, True, True)
        for row in rows:
            self._on_other_book(row, "", followed, receive_ns, sink)

    def _on_best(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write the best level of each side as best quotes; a side without a level is empty."""
        event = messages.BOOK.decode(frame)
        for row in event.data:
            known = self._symbol(route.symbol, row.instId or route.symbol)
            if known is None:
                return
            if self.is_sequenced and NO_SEQ < row.seqId < known.best_id and int(row.ts) <= known.best_stamp:
                self.counters.stale_dropped += 1
                continue
            bid, bid_size = self._top(row.bids)
            offer, offer_size = self._top(row.asks)
            if sink.begin(route.symbol, int(row.ts) * MILLISECOND, receive_ns, 0, max(row.seqId, 0)):
                try:
                    sink.best(bid, bid_size, offer, offer_size)
                except InputError:
                    sink.abandon()
                    raise
                sink.end()
            known.has_best = True
            known.best_id, known.best_stamp = row.seqId, int(row.ts)

    @staticmethod
    def _top(levels: msgspec.Raw) -> tuple[str, str]:
        if levels == EMPTY:
            return "", ""
        read = messages.LEVELS.decode(levels)
        if not read:
            return "", ""
        if len(read) != 1 or len(read[0]) < 2 or not (read[0][0] and read[0][1]):
            raise BadFrame("shape", "best quotes should have one level [price, size, …] a side")
        return read[0][0], read[0][1]
