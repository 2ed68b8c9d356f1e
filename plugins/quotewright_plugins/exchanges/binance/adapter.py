"""Feed adapter for Binance spot, futures (USD-M and COIN-M) and options: the example that others follow.

Rules: Binance API documentation, third quarter of 2026. What a book must keep to is told in :mod:`.books`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from quotewright.errors import ConfigError
from quotewright.feed import BadFrame, BookState, Source, Stream
from quotewright.kernel.updates import UpdateReader
from quotewright_plugins.exchanges.binance import messages
from quotewright_plugins.exchanges.binance.books import UNREADABLE, Books, told
from quotewright_plugins.exchanges.binance.detection import MARKETS, ROOTS, detect_market

if TYPE_CHECKING:
    from quotewright.live.settings import LiveSettings
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright.wire import Wire

SYMBOL_TYPES = {"usdm": b"1", "coinm": b"2"}
"""What events say in ``st`` of the futures they are of."""

_START = b'{"stream":"'
_SYMBOL = re.compile(rb'"s"\s*:\s*"([^"\\]{1,64})"')
_IMAGES = re.compile(r"depth\d+(?:@\d+m?s)?")
_ROUTE_LIMIT = 20_000

Handler = Callable[[Any, str, int, "Sink"], None]


class _Route:
    """How one combined stream's frames are read: one dictionary look-up, one decode, one call."""

    __slots__ = ("decode", "handle", "is_diff", "is_image", "symbol")

    def __init__(self, decode: Callable[[bytes], Any], handle: Handler, symbol: str, is_diff: bool, is_image: bool):
        self.decode = decode
        self.handle = handle
        self.symbol = symbol
        self.is_diff = is_diff
        self.is_image = is_image


class BinanceAdapter(Books):
    """Books, best quotes, trades, references, liquidations and option summaries of one Binance market.

    Both combined (``{"stream","data"}``) and raw frames are read. Where ``trade`` and ``aggTrade`` of one symbol both
    come, ``trade`` is printed and ``aggTrade`` counted. Event times are the transaction time where one is sent.

    Args:
        market: One of ``markets``.
        live: Keys of the live connections; None for recordings.
        depth: Levels of the partial-depth stream that books are made of; 0: diffs, for options 20 levels.
        speed: Pace of the book's stream, such as ``100ms``; empty: 100 ms.
        snapshot_levels: Levels of a side in the snapshots that place diffs.
    """

    name = "binance"
    markets = MARKETS
    recordings: ClassVar[Mapping[str, str]] = {
        "binance": "spot",
        "binance-futures": "usdm",
        "binance-delivery": "coinm",
        "binance-european-options": "option",
    }

    def __init__(
        self,
        market: str = "spot",
        live: LiveSettings | None = None,
        depth: int = 0,
        speed: str = "",
        snapshot_levels: int = 1000,
    ) -> None:
        if market not in MARKETS:
            raise ConfigError(f"binance: market should be one of {', '.join(MARKETS)}, was {market!r}")
        super().__init__(market == "spot")
        self.market_name = market
        self.live = live
        self.depth = depth
        self.speed = speed
        self.snapshot_levels = snapshot_levels
        self._takes_images = live is not None and (depth > 0 or market == "option")
        self._frame_limit = self.frame_limit["ws"]
        layout = messages.SPOT_LAYOUT if market == "spot" else messages.FUTURES_LAYOUT
        self._reader = UpdateReader(layout, self.counters, BookState.SYNCHRONISED, self._frame_limit)
        self._routes: dict[bytes, _Route] = {}
        self._kinds = messages.KINDS[market]
        self._symbol_type = SYMBOL_TYPES.get(market)
        self._handlers: dict[str, Handler] = {
            "depthUpdate": self._on_depth,
            "trade": self._on_trade,
            "aggTrade": self._on_aggregate,
            "bookTicker": self._on_best,
            "markPriceUpdate": self._on_mark,
            "indexPriceUpdate": self._on_index,
            "24hrTicker": self._on_ticker,
            "forceOrder": self._on_liquidation,
            "contractInfo": self._on_contract,
        }
        if market == "option":
            self._handlers |= {
                "depth": partial(self._on_option_image, "depth"),
                "trade": self._on_option_trade,
                "24hrTicker": self._on_option_told,
                "markPrice": self._on_option_told,
                "openInterest": self._on_option_interest,
                "index": self._on_option_index,
                "indexPrice": self._on_option_index,
                "optionSymbol": self._on_contract,
            }

    # Frames.

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        reader = self._reader
        if reader is not None and source == "ws" and self.is_sequenced and reader.take(raw, receive_ns, sink):
            if self._bad_run:
                self._bad_run = 0
            return
        self.counters.messages += 1
        frame = raw if type(raw) is bytes else bytes(raw)
        if source == "ws" and len(frame) <= self._frame_limit:
            route = self._routes.get(frame.partition(b'","')[0])
            if route is not None:
                try:
                    route.handle(route.decode(frame).data, route.symbol, receive_ns, sink)
                    if route.is_diff and reader is not None:
                        book = self.books.get(route.symbol)
                        if book is not None and book.state is BookState.SYNCHRONISED:
                            reader.learn(frame, route.symbol, book)
                    if self._bad_run:
                        self._bad_run = 0
                except UNREADABLE as error:
                    is_book = route.is_diff or (route.is_image and route.symbol in self._images)
                    self._refuse(error, frame, route.symbol if is_book else "", receive_ns, sink, route)
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

    def _refuse(
        self, error: Exception, frame: bytes, symbol: str, receive_ns: int, sink: Sink, route: _Route | None = None
    ) -> None:
        """Count a bad frame; if it can be told whose update it was, that book is stale and a snapshot is asked for."""
        if route is None and b"depthUpdate" in frame[:200] and b"@rpiDepth" not in frame[:200]:
            found = _SYMBOL.search(frame[:400])
            symbol = found.group(1).decode("utf-8", "replace") if found else ""
        reason, text = told(error)
        book = self.books.get(symbol)
        self.bad_frame(
            reason, f"binance {self.market_name}{' ' + symbol if symbol else ''}: {text}; the frame is dropped"
        )
        if book is not None and self.is_sequenced and reason not in ("symbol", "market"):
            self.lose(book, 0, receive_ns, sink)
            self.request(book, receive_ns)

    def _on_frame(self, frame: bytes, receive_ns: int, sink: Sink) -> None:
        """Read a raw frame, a combined one whose stream is not known yet, or the answer to a control frame."""
        head = messages.HEAD.decode(frame)
        if not head.stream or head.data is msgspec.UNSET:
            self._on_event(frame, head, "", receive_ns, sink)
            return
        name, _, channel = head.stream.partition("@")
        word = channel.partition("@")[0]
        body = bytes(head.data)
        if word in ("depthSnapshot", "rpiDepth") or (word == "openInterest" and self.market_name != "option"):
            self._on_generated(word, body, name.upper(), receive_ns, sink)
            return
        if body[:1] == b"[":
            self._on_array(body, receive_ns, sink)
            return
        expected = self._expected(name)
        inner = messages.HEAD.decode(body)
        if self._is_foreign(inner):
            return
        carried = messages.CHANNELS.get(word)
        if _IMAGES.fullmatch(channel):
            self._on_image_frame(frame, head.stream, channel, body, inner, expected, receive_ns, sink)
            return
        if carried is not None and expected and inner.e not in carried:
            raise BadFrame("symbol", f"stream {head.stream!r} should not carry {inner.e or 'a best quote'!r}")
        kind = self._kinds.get(inner.e or "bookTicker")
        if carried is not None and expected and kind is not None:
            self._learn(frame, head.stream, kind.combined.decode, self._handlers[kind.name], expected, word == "depth")
        self._on_event(body, inner, expected, receive_ns, sink)

    def _expected(self, name: str) -> str:
        """Return the symbol that a stream's frames must carry; empty for a stream about many."""
        symbol = name.upper()
        if not symbol or symbol[0] == "!" or (self.market_name == "option" and "-" not in symbol):
            return ""
        return symbol

    def _is_foreign(self, head: messages.Head) -> bool:
        """Return whether an event is of the other kind of futures, which some streams carry too (counted)."""
        if self._symbol_type is None or head.st is msgspec.UNSET or bytes(head.st) == self._symbol_type:
            return False
        self.counters.ignore("other futures")
        return True

    def _on_generated(self, word: str, body: bytes, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Read what a recorder asked for over REST and wrapped as if a stream had brought it."""
        if word == "rpiDepth":  # orders that only retail takers meet: another book than the one that is followed
            self.counters.ignore("rpi_depth")
        elif word == "openInterest":
            self._on_open_interest(body, symbol, receive_ns, sink)
        else:
            self._on_snapshot_answer(body, symbol, receive_ns, sink)

    def _on_array(self, body: bytes, receive_ns: int, sink: Sink) -> None:
        """Read the events of an array one by one: a bad one costs itself alone."""
        for element in messages.RAW_ARRAY.decode(body):
            event = bytes(element)
            try:
                head = messages.HEAD.decode(event)
                if not self._is_foreign(head):
                    self._on_event(event, head, "", receive_ns, sink)
            except UNREADABLE as error:
                self._refuse(error, event, "", receive_ns, sink)

    def _on_image_frame(
        self,
        frame: bytes,
        stream: str,
        channel: str,
        body: bytes,
        head: messages.Head,
        expected: str,
        receive_ns: int,
        sink: Sink,
    ) -> None:
        """Read partial depth, which spot writes like a snapshot, futures like a diff."""
        combined: msgspec.json.Decoder[Any]
        plain: msgspec.json.Decoder[Any]
        if head.e in ("depthUpdate", "depth") and head.e in self._kinds and not self._is_spot:
            kind = self._kinds[head.e]
            plain, combined = kind.plain, kind.combined
            handle: Handler = partial(
                self._on_depth_image if head.e == "depthUpdate" else self._on_option_image, channel
            )
        elif self._is_spot and head.bids is not msgspec.UNSET:
            plain, combined = messages.SNAPSHOT, messages.COMBINED_SNAPSHOT
            handle = partial(self._on_spot_image, channel)
        else:
            raise BadFrame("market", f"stream {stream!r} carries {head.e or 'levels'!r}, which is not of this market")
        if not expected:
            raise BadFrame("symbol", f"stream {stream!r} names no symbol")
        self._learn(frame, stream, combined.decode, handle, expected, False, True)
        try:
            handle(plain.decode(body), expected, receive_ns, sink)
        except UNREADABLE as error:
            route = _Route(plain.decode, handle, expected, False, True)
            self._refuse(error, frame, expected if expected in self._images else "", receive_ns, sink, route)

    def _learn(
        self,
        frame: bytes,
        stream: str,
        decode: Callable[[bytes], Any],
        handle: Handler,
        symbol: str,
        is_diff: bool,
        is_image: bool = False,
    ) -> None:
        """Remember how to read this stream in one step, if its frames begin as Binance writes them."""
        key = _START + stream.encode()
        if len(self._routes) < _ROUTE_LIMIT and frame.startswith(key + b'","'):
            self._routes[key] = _Route(decode, handle, symbol, is_diff, is_image)

    def _on_event(self, body: bytes, head: messages.Head, expected: str, receive_ns: int, sink: Sink) -> None:
        """Read one event by its name; *expected* is the symbol of its stream, if that named one."""
        name = head.e
        if not name:
            if head.bids is not msgspec.UNSET:
                self._on_nameless_image(body, receive_ns, sink)
                return
            if head.u is msgspec.UNSET or head.B is msgspec.UNSET:
                self._on_reply(head)
                return
            name = "bookTicker"
        kind = self._kinds.get(name)
        if kind is None:
            self.counters.ignore(name)
            return
        if not expected and self._is_foreign(head):
            return
        event = kind.plain.decode(body)
        self._handlers[name](event, expected or _symbol_of(event), receive_ns, sink)

    def _on_nameless_image(self, body: bytes, receive_ns: int, sink: Sink) -> None:
        """Read spot's partial depth of a raw stream, which names no symbol: only a single one can be meant."""
        if not self._is_spot or len(self.subscribed) != 1:
            self.counters.ignore("partial_depth")
            return
        self._on_spot_image("depth", messages.SNAPSHOT.decode(body), next(iter(self.subscribed)), receive_ns, sink)

    def _on_reply(self, head: messages.Head) -> None:
        if head.error is not msgspec.UNSET or head.code is not None:
            raise BadFrame("venue", f"the venue answers code {head.code}: {head.msg or 'no text'}")
        if head.result is msgspec.UNSET:
            raise BadFrame("shape", "the frame is neither an event nor an answer")
        self.counters.ignore("reply")

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
        if kind == "openInterest" and self.market_name != "option":
            self._on_open_interest(body, symbol, receive_ns, sink)
        elif kind == "premiumIndex" and body.lstrip()[:1] != b"[":
            self._on_premium_index(body, receive_ns, sink)
        elif kind in ("depth", ""):
            self._on_snapshot_answer(body, symbol, receive_ns, sink)
        else:
            self.counters.ignore(f"rest {kind}")

    def _on_snapshot_answer(self, body: bytes, symbol: str, receive_ns: int, sink: Sink) -> None:
        try:
            self._on_snapshot(body, symbol, receive_ns, sink)
        except UNREADABLE:
            self._ask_again(symbol, receive_ns)
            raise

    # Instruments, streams and the wire.

    def streams(self) -> list[Stream]:
        """Return the streams of the followed symbols that carry the wanted channels, books first."""
        from quotewright_plugins.exchanges.binance.wire import streams_of

        channels = None if self.live is None else self.live.channels
        return streams_of(self.market_name, self.subscribed, channels, self.depth, self.speed)

    def wire(self) -> Wire:
        from quotewright_plugins.exchanges.binance.wire import BinanceWire

        return BinanceWire(self.market_name, self.live, self.snapshot_levels)

    def instruments(self, body: bytes) -> list[Instrument]:
        from quotewright_plugins.exchanges.binance.exchange_info import read_exchange_info

        return read_exchange_info(body, self.market_name)

    @classmethod
    def detect_market(cls, raw: bytes, url: str | None = None) -> str | None:
        return detect_market(raw, url)

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        from quotewright_plugins.exchanges.binance.exchange_info import guess_instrument

        return guess_instrument(symbol, self.market_name)


def _symbol_of(event: Any) -> str:
    """Return the symbol (or pair) that an event of any kind names."""
    if isinstance(event, messages.ForceOrder):
        return event.o.s
    symbol: str = event.i if isinstance(event, messages.IndexPrice) else event.s
    return symbol
