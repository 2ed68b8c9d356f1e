"""Feed adapter for Binance spot, USD-M and COIN-M futures: the example that other exchanges' adapters follow.

Rules: Binance API documentation ("How to manage a local order book correctly"), third quarter of 2026. Branches
carry the numbers of those steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import BadFrame, BookState, Channel, FeedBook, Source, Stream
from quotewright.kernel.codes import RELEASED
from quotewright_plugins.exchanges.binance import messages
from quotewright_plugins.exchanges.binance.messages import (
    NO_ID,
    Depth,
    ForceOrder,
    Snapshot,
    nanoseconds,
)
from quotewright_plugins.exchanges.binance.prints import Prints

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink

MARKETS = ("spot", "usdm", "coinm")
ROOTS = {"api": "spot", "fapi": "usdm", "dapi": "coinm"}
"""Markets by the first folder of a REST path."""

SYNCHRONISED = BookState.SYNCHRONISED
SPOT_CHANNELS: Mapping[str, Mapping[str, Channel]] = {
    "": {"depth@100ms": "book", "bookTicker": "best", "trade": "trades"}
}
FUTURES_CHANNELS: Mapping[str, Mapping[str, Channel]] = {
    "public": {"depth@100ms": "book", "bookTicker": "best"},
    "market": {"aggTrade": "trades", "markPrice@1s": "reference", "forceOrder": "liquidations"},
}
"""Words of the streams by category, and what they carry."""

UNREADABLE = (msgspec.MsgspecError, InputError, RecursionError, UnicodeError)
"""What a bad frame raises here: JSON, shape, number, nesting, encoding. Anything else is a fault of the program."""

_START = b'{"stream":"'
_SYMBOL = re.compile(rb'"s"\s*:\s*"([^"\\]{1,64})"')
_CHANNEL = re.compile(r"(\w+)(?:@\d+m?s)?")
_PARTIAL = re.compile(r"(?:depth\d+|rpiDepth)(?:@\d+m?s)?")
_STALE_RUN = 1_000
_ROUTE_LIMIT = 20_000


class _Route:
    """How one combined stream's frames are read: one dictionary look-up, one decode, one call."""

    __slots__ = ("decode", "handle", "is_depth", "symbol")

    def __init__(
        self,
        decode: Callable[[bytes], Any],
        handle: Callable[[Any, str, int, Sink], None],
        symbol: str,
        is_depth: bool,
    ) -> None:
        self.decode = decode
        self.handle = handle
        self.symbol = symbol
        self.is_depth = is_depth


class BinanceAdapter(Prints):
    """Books, best quotes, trades, mark prices, funding and liquidations of one Binance market.

    Both combined (``{"stream","data"}``) and raw frames are read. Where ``trade`` and ``aggTrade`` of one symbol both
    come, ``trade`` is printed and ``aggTrade`` counted. Event times are the transaction time where one is sent.
    """

    name = "binance"
    markets = MARKETS
    recordings = {"binance": "spot", "binance-futures": "usdm", "binance-delivery": "coinm"}  # noqa: RUF012

    def __init__(self, market: str = "spot") -> None:
        if market not in MARKETS:
            raise ConfigError(f"binance: market should be one of {', '.join(MARKETS)}, was {market!r}")
        super().__init__(market == "spot")
        self.market_name = market
        self._frame_limit = self.frame_limit["ws"]
        self._routes: dict[bytes, _Route] = {}
        self._unplaced: Snapshot | None = None
        self._handlers: dict[str, Callable[[Any, str, int, Sink], None]] = {
            "depth": self._on_depth,
            "trade": self._on_trade,
            "aggTrade": self._on_aggregate,
            "bookTicker": self._on_best,
            "markPrice": self._on_mark,
            "forceOrder": self._on_liquidation,
        }

    # Frames.

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        self.counters.messages += 1
        frame = raw if type(raw) is bytes else bytes(raw)
        if source == "ws":
            route = self._routes.get(frame.partition(b'","')[0])
            if route is not None and len(frame) <= self._frame_limit:
                try:
                    route.handle(route.decode(frame).data, route.symbol, receive_ns, sink)
                    if self._bad_run:
                        self._bad_run = 0
                except UNREADABLE as error:
                    self._refuse(error, frame, route.symbol if route.is_depth else "", receive_ns, sink)
                return
        try:
            if len(frame) > self.frame_limit[source]:
                raise BadFrame("size", f"{len(frame)} bytes, at most {self.frame_limit[source]} are read")
            if source == "ws":
                self._on_frame(frame, receive_ns, sink)
            else:
                self._on_answer(frame, url, receive_ns, sink)
            self._bad_run = 0
        except UNREADABLE as error:
            self._refuse(error, frame, "", receive_ns, sink)

    def _refuse(self, error: Exception, frame: bytes, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Count a bad frame; if it can be told whose update it was, that book is stale and a snapshot is asked for."""
        if not symbol and b"depthUpdate" in frame[:200]:
            found = _SYMBOL.search(frame[:400])
            symbol = found.group(1).decode("utf-8", "replace") if found else ""
        reason, text = _told(error)
        book = self.books.get(symbol)
        self.bad_frame(
            reason, f"binance {self.market_name}{' ' + symbol if symbol else ''}: {text}; the frame is dropped"
        )
        if book is not None and reason not in ("symbol", "market"):
            self.lose(book, 0, receive_ns, sink)
            self.request(book, receive_ns)

    def _on_frame(self, frame: bytes, receive_ns: int, sink: Sink) -> None:
        """Read a raw frame, a combined one whose stream is not known yet, or the answer to a control frame."""
        head = messages.HEAD.decode(frame)
        if not head.stream or head.data is msgspec.UNSET:
            self._on_event(frame, head, "", receive_ns, sink)
            return
        symbol, _, channel = head.stream.partition("@")
        if _PARTIAL.fullmatch(channel):
            self.counters.ignore("partial_depth")
            return
        body = bytes(head.data)
        if body[:1] == b"[":
            for element in messages.RAW_ARRAY.decode(body):
                event = bytes(element)
                self._on_event(event, messages.HEAD.decode(event), "", receive_ns, sink)
            return
        inner = messages.HEAD.decode(body)
        matched = _CHANNEL.fullmatch(channel)
        word = matched.group(1) if matched else ""
        if word in messages.COMBINED and not symbol.startswith("!") and symbol:
            event_word = messages.CHANNEL_OF_EVENT.get(inner.e, "bookTicker" if not inner.e else inner.e)
            if event_word != word:
                raise BadFrame("symbol", f"stream {head.stream!r} should not carry {inner.e or 'a best quote'!r}")
            upper = symbol.upper()
            self._learn(frame, head.stream, word, upper)
            self._on_event(body, inner, upper, receive_ns, sink)
        else:
            self._on_event(body, inner, "", receive_ns, sink)

    def _learn(self, frame: bytes, stream: str, word: str, symbol: str) -> None:
        """Remember how to read this stream in one step, if its frames begin as Binance writes them."""
        key = _START + stream.encode()
        if len(self._routes) < _ROUTE_LIMIT and frame.startswith(key + b'","'):
            self._routes[key] = _Route(messages.COMBINED[word].decode, self._handlers[word], symbol, word == "depth")

    def _on_event(self, body: bytes, head: messages.Head, expected: str, receive_ns: int, sink: Sink) -> None:
        """Read one event by its name; *expected* is the symbol of its stream, if that named one."""
        kind = head.e
        if not kind:
            if head.lastUpdateId is not msgspec.UNSET:
                self.counters.ignore("partial_depth")
                return
            if head.u is msgspec.UNSET or head.B is msgspec.UNSET:
                self._on_reply(head)
                return
            kind = "bookTicker"
        decoder = messages.PLAIN.get(kind)
        if decoder is None:
            self.counters.ignore(kind)
            return
        event = decoder.decode(body)
        symbol = expected or (event.o.s if isinstance(event, ForceOrder) else event.s)
        self._handlers[messages.CHANNEL_OF_EVENT[kind]](event, symbol, receive_ns, sink)

    def _on_reply(self, head: messages.Head) -> None:
        if head.error is not msgspec.UNSET or head.code is not None:
            raise BadFrame("venue", f"the venue answers code {head.code}: {head.msg or 'no text'}")
        if head.result is msgspec.UNSET:
            raise BadFrame("shape", "the frame is neither an event nor an answer")
        self.counters.ignore("reply")

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
        stamp = event.T or event.E
        event_ns = stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000
        if sink.begin(symbol, event_ns, receive_ns, 0, last_id):
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
        if book.state is not SYNCHRONISED:
            self._keep(book, event)
            if self._unplaced is not None and self._joins(event, self._unplaced.lastUpdateId):
                unplaced, self._unplaced = self._unplaced, None
                self._synchronise(book, unplaced, receive_ns, RELEASED, sink)
            if book.is_wanted or not book.was_good:
                self.request(book, receive_ns)
            return
        if self._follows(book, event):
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
        stamp = event.T or event.E
        event_ns = stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000
        if sink.begin(book.symbol, event_ns, receive_ns, flags, event.u):
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
            if last.u + 1 < event.U if self._is_spot else event.pu != last.u:
                self.counters.gaps += 1
                self.counters.buffer_dropped += len(buffer)
                buffer.clear()
            elif len(buffer) == buffer.maxlen:
                self.counters.buffer_dropped += 1
        self.counters.buffered += 1
        buffer.append(event)

    # Answers over REST.

    def _on_answer(self, body: bytes, url: str | None, receive_ns: int, sink: Sink) -> None:
        path, symbol = "", ""
        if url:
            parts = urlsplit(url)
            path = parts.path
            symbol = (parse_qs(parts.query).get("symbol") or [""])[0]
            market = ROOTS.get(path.strip("/").partition("/")[0])
            if market is not None and market != self.market_name:
                raise BadFrame("market", f"an answer of {path} is not of this market")
        kind = path.rpartition("/")[2]
        if kind == "openInterest":
            self._on_open_interest(body, receive_ns, sink)
        elif kind == "premiumIndex" and body.lstrip()[:1] == b"{":
            self._on_premium_index(body, receive_ns, sink)
        elif kind in ("depth", ""):
            try:
                self._on_snapshot(body, symbol, receive_ns, sink)
            except UNREADABLE:
                self._ask_again(symbol, receive_ns)
                raise
        else:
            self.counters.ignore(f"rest {kind}")

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
        if head.lastUpdateId is msgspec.UNSET:
            if head.code is not None:
                raise BadFrame("venue", f"the venue answers code {head.code}: {head.msg or 'no text'}")
            if not symbol:
                self.counters.ignore("rest")
                return
        snapshot = messages.SNAPSHOT.decode(body)
        if symbol and snapshot.symbol and snapshot.symbol != symbol:
            raise BadFrame("symbol", f"the snapshot of {symbol} carries {snapshot.symbol!r}")
        self.counters.snapshots += 1
        symbol = symbol or snapshot.symbol
        if not symbol and not self.books and len(self.subscribed) == 1:
            symbol = next(iter(self.subscribed))
        book = self.book(symbol) if symbol else self._only_waiting()
        if book is not None:
            self._synchronise(book, snapshot, receive_ns, 0, sink)
        elif not symbol and not self.books:
            self._unplaced = snapshot  # the first update that overlaps it will tell whose it is
        elif not symbol:
            self.counters.snapshots_refused += 1
            raise BadFrame("snapshot", "a snapshot without its URL cannot be placed among several books")

    def _synchronise(self, book: FeedBook, snapshot: Snapshot, receive_ns: int, flags: int, sink: Sink) -> None:
        """Replace the book by the snapshot and release what was buffered, or refuse it and ask for another."""
        self.answered(book)
        last_id = snapshot.lastUpdateId
        is_fresh = book.state is not SYNCHRONISED
        buffer = book.buffer
        old = 0
        for event in buffer:
            if not self._is_old(event, last_id, True):
                break
            old += 1
        if (not is_fresh and last_id < book.last_id) or (
            old < len(buffer) and not self._joins(buffer[old], last_id)
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
        if not sink.begin(book.symbol, event_ns, receive_ns, flags, snapshot.lastUpdateId):
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
                reason, text = _told(error)
                self.bad_frame(reason, f"binance {self.market_name} {book.symbol}: {text}; the update is dropped")
                rest = list(buffer)
                self.lose(book, nanoseconds(event.T or event.E), receive_ns, sink, event.u)
                buffer.extend(rest)
                self.request(book, receive_ns)
                return

    # Instruments and streams.

    def streams(self) -> list[Stream]:
        """Return the streams of the followed symbols."""
        # Since 2026-04-23 futures have one address for books and one for the rest.
        wanted = SPOT_CHANNELS if self._is_spot else FUTURES_CHANNELS
        return [
            Stream(f"{symbol.lower()}@{word}", symbol, channel, category)
            for category, words in wanted.items()
            for word, channel in words.items()
            for symbol in self.subscribed
        ]

    def instruments(self, body: bytes) -> list[Instrument]:
        from quotewright_plugins.exchanges.binance.exchange_info import read_exchange_info

        return read_exchange_info(body, self.market_name)

    @classmethod
    def detect_market(cls, raw: bytes, url: str | None = None) -> str | None:
        if url and "binance" not in (urlsplit(url).hostname or ""):
            return None
        return detect_market(raw, url)

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        from quotewright_plugins.exchanges.binance.exchange_info import guess_instrument

        return guess_instrument(symbol, self.market_name)


def detect_market(raw: bytes, url: str | None = None) -> str | None:
    """Return the market that a frame or an address belongs to, None if it does not tell."""
    if url:
        parts = urlsplit(url)
        market = ROOTS.get(parts.path.strip("/").partition("/")[0])
        if market is not None:
            return market
        for prefix, market in (("fstream", "usdm"), ("dstream", "coinm"), ("stream", "spot"), ("data-stream", "spot")):
            if (parts.hostname or "").startswith(prefix):
                return market
    try:
        head = messages.HEAD.decode(raw)
        body = raw if head.data is msgspec.UNSET else bytes(head.data)
        keys = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return None
    symbol = keys.get("s", keys.get("symbol"))
    if symbol is not None and b"USD_" in bytes(symbol):
        return "coinm"
    kind = bytes(keys["e"]) if "e" in keys else b""
    if kind == b'"depthUpdate"':
        return "usdm" if "pu" in keys else "spot"
    if kind in (b'"trade"', b'"aggTrade"'):
        return "spot" if "M" in keys else "usdm"
    if kind in (b'"bookTicker"', b'"markPriceUpdate"', b'"forceOrder"'):
        return "usdm"
    if not kind and ("lastUpdateId" in keys or ("u" in keys and "B" in keys)):
        return "usdm" if "T" in keys else "spot"
    return None


def _told(error: Exception) -> tuple[Any, str]:
    """Return the reason and the text that *error* is counted and told with."""
    if isinstance(error, BadFrame):
        return error.reason, str(error)
    if isinstance(error, msgspec.ValidationError):
        return "shape", str(error)
    if isinstance(error, InputError):
        return "number", str(error)
    return "json", str(error)
