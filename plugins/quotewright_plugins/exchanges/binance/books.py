"""The books of Binance: diffs that a snapshot over REST places, and images that stand for themselves.

Rules: Binance API documentation ("How to manage a local order book correctly"), third quarter of 2026. Branches
carry the numbers of those steps. Options keep to the rules of futures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedBook
from quotewright.kernel.codes import RELEASED
from quotewright_plugins.exchanges.binance import messages
from quotewright_plugins.exchanges.binance.messages import NO_ID, Depth, OptionDepth, Snapshot, nanoseconds
from quotewright_plugins.exchanges.binance.options import Options

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

SYNCHRONISED = BookState.SYNCHRONISED
UNREADABLE = (msgspec.MsgspecError, InputError, RecursionError, UnicodeError)
"""What a bad frame raises here: JSON, shape, number, nesting, encoding. Anything else is a fault of the program."""

_STALE_RUN = 1_000


class Books(Options):
    """The part of the adapter that writes books."""

    def __init__(self, is_spot: bool) -> None:
        super().__init__(is_spot)
        self._unplaced: Snapshot | None = None
        self._images: dict[str, str] = {}
        """The partial-depth stream that a book is made of, by symbol; a book of diffs has none."""
        self._diffs: set[str] = set()
        """Symbols of which diffs came."""
        self._takes_images = False
        """No diffs are asked for: a snapshot over REST would be of no use."""
        self._placed: dict[str, int] = {}
        """Without sequencing: the id of the snapshot that placed a book's updates."""

    # Books: 1 buffer, 2 snapshot, 3 its age, 4 discard, 5 join, 6 continuity.

    def _on_depth(self, event: Depth, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write an update that plainly follows at once; decide about every other."""
        book = self.books.get(symbol)
        last_id = event.u
        if (
            book is None
            or book.state is not SYNCHRONISED
            or book.is_joining
            or event.s != symbol
            or not (
                event.U <= book.last_id + 1 <= last_id and event.pu == NO_ID
                if self._is_spot
                else event.pu == book.last_id < last_id >= event.U
            )
        ):
            self._on_other_depth(event, symbol, receive_ns, sink)
            return
        stamp = event.E
        sent_ns = stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000
        stamp = event.T
        event_ns = (stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000) if stamp else sent_ns
        book.messages += 1
        if sink.begin(symbol, event_ns, receive_ns, 0, last_id, sent_ns):
            try:
                sink.bids(event.b)
                sink.offers(event.a)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.updates += 1
        book.last_id = last_id
        book.stale_run = 0

    def _on_other_depth(self, event: Depth, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Buffer an update, join the book with it, pass it over, or find the gap before it."""
        if event.s != symbol:
            raise BadFrame("symbol", f"the stream of {symbol} carries {event.s!r}")
        if (event.pu == NO_ID) is not self._is_spot:
            raise BadFrame("market", f"an update {'without' if event.pu == NO_ID else 'with'} pu is not of this market")
        if event.u < event.U:
            raise BadFrame("shape", f"the update runs from {event.U} back to {event.u}")
        book = self.books.get(symbol) or self.book(symbol)
        if book is None:
            return
        book.messages += 1
        if symbol not in self._diffs:
            self._diffs.add(symbol)
            if self._images.pop(symbol, None) is not None:  # diffs tell more, once a snapshot places them
                self.lose(book, nanoseconds(event.T or event.E), receive_ns, sink, event.u)
        if book.state is not SYNCHRONISED:
            self._keep(book, event)
            if self._unplaced is not None and self._joins(event, _id(self._unplaced)):
                unplaced, self._unplaced = self._unplaced, None
                self._synchronise(book, unplaced, receive_ns, RELEASED, sink)
            if book.is_wanted or not book.was_good:
                self.request(book, receive_ns)
            return
        if not self.is_sequenced:
            if self._is_old(event, self._placed.get(symbol, NO_ID), True):
                self.counters.stale_dropped += 1
            else:
                self._apply(book, event, receive_ns, 0, sink)
        elif self._follows(book, event):
            self._apply(book, event, receive_ns, 0, sink)
        elif self._is_old(event, book.last_id, book.is_joining):
            self.counters.stale_dropped += 1
            if event.pu == book.chain_id:
                book.chain_id = event.u
            book.stale_run += 1
            if book.stale_run >= _STALE_RUN:
                self._gap(book, event, receive_ns, sink)
        else:
            self._gap(book, event, receive_ns, sink)

    def _is_old(self, event: Depth, last_id: int, is_joining: bool) -> bool:
        """4: spot drops ``u <= last``; futures ``u <`` the snapshot's id, and ``u <=`` the last update's."""
        return event.u < last_id if is_joining and not self._is_spot else event.u <= last_id

    def _joins(self, event: Depth, last_id: int) -> bool:
        """5: the first update after a snapshot must overlap it; on futures it may also continue it, told by ``pu``."""
        if self._is_spot:
            return event.U <= last_id + 1 <= event.u
        return event.U <= last_id <= event.u or event.pu == last_id

    def _follows(self, book: FeedBook, event: Depth) -> bool:
        """6, or 5 for the first update after a snapshot; one that came while synchronised also fits by its pu."""
        if self._is_spot:
            return event.U <= book.last_id + 1 <= event.u
        if book.is_joining:
            return event.u >= book.last_id and (book.last_id >= event.U or event.pu == book.chain_id)
        return event.pu == book.last_id and event.u > book.last_id

    def _apply(self, book: FeedBook, event: Depth, receive_ns: int, flags: int, sink: Sink) -> None:
        """Write one update as one message, whole or not at all."""
        sent_ns = nanoseconds(event.E)
        if sink.begin(book.symbol, nanoseconds(event.T) or sent_ns, receive_ns, flags, event.u, sent_ns):
            try:
                sink.bids(event.b)
                sink.offers(event.a)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.updates += 1
        book.last_id = event.u
        book.is_joining = False
        book.stale_run = 0

    def _gap(self, book: FeedBook, event: Depth, receive_ns: int, sink: Sink) -> None:
        """Updates are missing: the book is stale within this message, the update waits for the snapshot asked for."""
        missing = max(event.U - book.last_id - 1, 0) if self._is_spot else 0
        self.lose(book, nanoseconds(event.T or event.E), receive_ns, sink, event.u, missing)
        self._keep(book, event)
        self.request(book, receive_ns)

    def _keep(self, book: FeedBook, event: Depth) -> None:
        """1: buffer an update; after a hole in the buffer only what follows it can still be used."""
        buffer = book.buffer
        if buffer:
            last = buffer[-1]
            if event.u <= last.u:
                self.counters.stale_dropped += 1
                return
            if self.is_sequenced and (last.u + 1 < event.U if self._is_spot else event.pu != last.u):
                self.counters.gaps += 1
                self.counters.buffer_dropped += len(buffer)
                buffer.clear()
            elif len(buffer) == buffer.maxlen:
                self.counters.buffer_dropped += 1
        self.counters.buffered += 1
        buffer.append(event)

    # Partial depth: every message is the whole of what it tells.

    def _on_image(
        self,
        stream: str,
        symbol: str,
        id: int,
        happened: int,
        sent: int,
        bids: msgspec.Raw,
        asks: msgspec.Raw,
        receive_ns: int,
        sink: Sink,
    ) -> None:
        """Write an image of the best levels, if the book is made of this stream and of no other."""
        book = self.books.get(symbol) or self.book(symbol)
        if book is None:
            return
        followed = self._images.get(symbol)
        if followed is None:
            if symbol in self._diffs:
                self.counters.ignore("partial_depth")
                return
            self._images[symbol] = stream
            self.answered(book)
        elif followed != stream:
            self.counters.ignore("other partial_depth")
            return
        book.messages += 1
        if self.is_sequenced and book.state is SYNCHRONISED and id < book.last_id:
            self.counters.stale_dropped += 1
            book.stale_run += 1
            if book.stale_run < _STALE_RUN:
                return
        event_ns, sent_ns = nanoseconds(happened or sent), nanoseconds(sent or happened)
        if sink.begin(symbol, event_ns, receive_ns, 0, max(id, 0), sent_ns):
            try:
                if book.state is BookState.STALE:
                    sink.resync()
                sink.snapshot()
                sink.bids(bids)
                sink.offers(asks)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.snapshots += 1
        if book.state is BookState.STALE:
            self.counters.resyncs += 1
            book.resyncs += 1
        book.state = SYNCHRONISED
        book.was_good = True
        book.is_wanted = False
        book.last_id = id
        book.stale_run = 0

    def _on_depth_image(self, stream: str, event: Depth, symbol: str, receive_ns: int, sink: Sink) -> None:
        _same(event.s, symbol)
        sent = event.T if self.market_name == "option" else event.E
        self._on_image(stream, symbol, event.u, event.T, sent or event.E, event.b, event.a, receive_ns, sink)

    def _on_option_image(self, stream: str, event: OptionDepth, symbol: str, receive_ns: int, sink: Sink) -> None:
        _same(event.s, symbol)
        self._on_image(stream, symbol, event.u, event.T, event.E, event.b, event.a, receive_ns, sink)

    def _on_spot_image(self, stream: str, event: Snapshot, symbol: str, receive_ns: int, sink: Sink) -> None:
        self._on_image(stream, symbol, _id(event), event.T, event.E, event.bids, event.asks, receive_ns, sink)

    def request(self, book: FeedBook, now_ns: int) -> None:
        """Ask for a snapshot, unless the book is made of images: the next one comes by itself."""
        if book.symbol in self._images or (self._takes_images and book.symbol not in self._diffs):
            book.is_wanted = True
        else:
            super().request(book, now_ns)

    def on_thin(self, symbol: str, receive_ns: int, sink: Sink) -> None:
        if symbol not in self._images:  # an image tells all there is
            super().on_thin(symbol, receive_ns, sink)

    # Snapshots over REST.

    def _ask_again(self, symbol: str, receive_ns: int) -> None:
        book = self.books.get(symbol) or self._only_waiting()
        if book is not None:
            self.answered(book)
            if book.state is not SYNCHRONISED:
                self.request(book, receive_ns)

    def _only_waiting(self) -> FeedBook | None:
        """Return the single book that waits for a snapshot, if it is single."""
        waiting = [book for book in self.books.values() if book.state is not SYNCHRONISED]
        return waiting[0] if len(waiting) == 1 else None

    def _on_snapshot(self, body: bytes, symbol: str, receive_ns: int, sink: Sink) -> None:
        head = messages.HEAD.decode(body)
        if head.bids is msgspec.UNSET:
            if head.code is not None:
                raise BadFrame("venue", f"the venue answers code {head.code}: {head.msg or 'no text'}")
            if not symbol:
                self.counters.ignore("rest")
                return
        snapshot = messages.SNAPSHOT.decode(body)
        if symbol and snapshot.symbol and snapshot.symbol != symbol:
            raise BadFrame("symbol", f"the snapshot of {symbol} carries {snapshot.symbol!r}")
        if snapshot.lastUpdateId is None:  # options called it u
            if snapshot.u is None:
                raise BadFrame("shape", "the snapshot lacks lastUpdateId")
            snapshot.lastUpdateId = snapshot.u
        self.counters.snapshots += 1
        symbol = symbol or snapshot.symbol
        if not symbol and not self.books and len(self.subscribed) == 1:
            symbol = next(iter(self.subscribed))
        book = self.book(symbol) if symbol else self._only_waiting()
        if book is not None and book.symbol in self._images:
            self.counters.ignore("rest depth")
        elif book is not None:
            self._synchronise(book, snapshot, receive_ns, 0, sink)
        elif not symbol and not self.books:
            self._unplaced = snapshot  # the first update that overlaps it will tell whose it is
        elif not symbol:
            self.counters.snapshots_refused += 1
            raise BadFrame("snapshot", "a snapshot without its URL cannot be placed among several books")

    def _synchronise(self, book: FeedBook, snapshot: Snapshot, receive_ns: int, flags: int, sink: Sink) -> None:
        """Replace the book by the snapshot and release what was buffered, or refuse it and ask for another."""
        self.answered(book)
        book.messages += 1
        last_id = _id(snapshot)
        is_fresh = book.state is not SYNCHRONISED
        buffer = book.buffer
        old = 0
        for event in buffer:
            if not self._is_old(event, last_id, True):
                break
            old += 1
        if (not is_fresh and last_id < book.last_id) or (
            self.is_sequenced and old < len(buffer) and not self._joins(buffer[old], last_id)
        ):  # 3: older than what is known, or it does not overlap
            self.counters.snapshots_refused += 1
            if is_fresh:
                self.request(book, receive_ns)
            return
        self._write_snapshot(book, snapshot, receive_ns, flags, sink)
        self.counters.stale_dropped += old
        for _ in range(old):
            buffer.popleft()
        if book.state is BookState.STALE:
            self.counters.resyncs += 1
            book.resyncs += 1
        if not self.is_sequenced:
            self._placed[book.symbol] = last_id
        if is_fresh:
            book.chain_id = NO_ID
        elif not book.is_joining:
            book.chain_id = book.last_id
        book.state = BookState.SYNCHRONISED
        book.was_good = book.is_joining = True
        book.is_wanted = False
        book.last_id = last_id
        book.stale_run = 0
        self._release(book, receive_ns, sink)

    def _write_snapshot(self, book: FeedBook, snapshot: Snapshot, receive_ns: int, flags: int, sink: Sink) -> None:
        event_ns = nanoseconds(snapshot.T or snapshot.E)
        if not sink.begin(book.symbol, event_ns, receive_ns, flags, max(_id(snapshot), 0)):
            return
        try:
            if book.state is BookState.STALE:
                sink.resync()
            sink.snapshot()
            sink.bids(snapshot.bids)
            sink.offers(snapshot.asks)
        except InputError:
            sink.abandon()
            raise
        sink.end()

    def _release(self, book: FeedBook, receive_ns: int, sink: Sink) -> None:
        """Write the buffered updates, received here and now as far as anyone downstream can know."""
        buffer = book.buffer
        while buffer:
            event = buffer.popleft()
            try:
                self._apply(book, event, receive_ns, RELEASED, sink)
            except InputError as error:
                reason, text = told(error)
                self.bad_frame(reason, f"binance {self.market_name} {book.symbol}: {text}; the update is dropped")
                rest = list(buffer)
                self.lose(book, nanoseconds(event.T or event.E), receive_ns, sink, event.u)
                buffer.extend(rest)
                self.request(book, receive_ns)
                return


def _id(snapshot: Snapshot) -> int:
    return NO_ID if snapshot.lastUpdateId is None else snapshot.lastUpdateId


def _same(sent: str, symbol: str) -> None:
    if sent != symbol:
        raise BadFrame("symbol", f"the stream of {symbol} carries {sent!r}")


def told(error: Exception) -> tuple[Any, str]:
    """Return the reason and the text that *error* is counted and told with."""
    if isinstance(error, BadFrame):
        return error.reason, str(error)
    if isinstance(error, msgspec.ValidationError):
        return "shape", str(error)
    if isinstance(error, InputError):
        return "number", str(error)
    return "json", str(error)
