"""Feed adapter for OKX v5: spot, perpetual swaps, dated futures and options.

An instId is unique over all markets, so one adapter reads them all unless a market is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import BadFrame, BookState, Channel, DecodeReason, Source, Stream
from quotewright.kernel.updates import UpdateReader
from quotewright.live.settings import LiveSettings
from quotewright_plugins.exchanges.okx import messages
from quotewright_plugins.exchanges.okx.books import Books, Handler, Route
from quotewright_plugins.exchanges.okx.instruments import (
    TickTable,
    guess_instrument,
    kind_of,
    pair_of,
    read_bands,
    read_instruments,
)
from quotewright_plugins.exchanges.okx.messages import Arg
from quotewright_plugins.exchanges.okx.prints import KINDS, MARKET_KINDS

if TYPE_CHECKING:
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright_plugins.exchanges.okx.wire import OkxWire

MARKETS = ("", "spot", "swap", "futures", "option")
DEPTHS = ("books", "books5", "bbo-tbt", "books50-l2-tbt", "books-l2-tbt")
LOGIN_DEPTHS = ("books50-l2-tbt", "books-l2-tbt")
TYPES = {"spot": "SPOT", "perp": "SWAP", "future": "FUTURES", "option": "OPTION"}
"""The venue's instType of each kind of instrument."""

UNREADABLE = (msgspec.MsgspecError, InputError, RecursionError, UnicodeError)
"""What a bad frame raises here: JSON, shape, number, nesting, encoding. Anything else is a fault of the program."""

BOOKS = ("books", "books-l2-tbt", "books50-l2-tbt")
IMAGES = ("books5",)
OF_MANY = ("opt-summary", "liquidation-orders", "instruments")
"""Channels whose frames are about many instruments."""
ANSWERS = {
    "trades": "trades",
    "history-trades": "trades",
    "ticker": "tickers",
    "tickers": "tickers",
    "funding-rate": "funding-rate",
    "open-interest": "open-interest",
    "mark-price": "mark-price",
    "index-tickers": "index-tickers",
    "opt-summary": "opt-summary",
}
"""Last words of REST paths and the channels that tell the same."""
_ROUTE_LIMIT = 20_000


class OkxAdapter(Books):
    """Books, best quotes, trades, references, liquidations and option summaries of OKX.

    Args:
        market: Only instruments of this market are read; empty: all. Normalising reads all in any case.
        depth: Channel of the books that are subscribed.
        checksum: ``off`` leaves the checksums of books unverified.
        live: Keys of the live connections.
    """

    name = "okx"
    markets = MARKETS
    recordings: ClassVar[Mapping[str, str]] = {
        "okex": "spot",
        "okex-swap": "swap",
        "okex-futures": "futures",
        "okex-options": "option",
    }
    recovers_by = "subscription"

    def __init__(
        self, market: str = "", depth: str = "books", checksum: str = "when_sent", live: LiveSettings | None = None
    ) -> None:
        if market not in MARKETS:
            raise ConfigError(f"okx: market should be one of {', '.join(MARKETS[1:])} or empty, was {market!r}")
        if depth not in DEPTHS:
            raise ConfigError(f"okx: depth should be one of {', '.join(DEPTHS)}, was {depth!r}")
        if checksum not in ("when_sent", "off"):
            raise ConfigError(f"okx: checksum should be when_sent or off, was {checksum!r}")
        super().__init__()
        self._bands: dict[str, TickTable] = {}
        self.market_name = market
        self.depth = depth
        self.verifies = checksum == "when_sent"
        self.live = live
        self._frame_limit = self.frame_limit["ws"]
        self._reader = UpdateReader(messages.LAYOUT, self.counters, BookState.SYNCHRONISED, self._frame_limit)
        self._routes: dict[bytes, Route] = {}
        self._known: dict[tuple[str, ...], Route] = {}
        self._handlers: dict[str, Handler] = {
            **dict.fromkeys((*BOOKS, *IMAGES), self._on_book),
            "bbo-tbt": self._on_best,
            "trades": self._on_trades,
            "trades-all": self._on_trades,
            "tickers": self._on_tickers,
            "funding-rate": self._on_funding,
            "mark-price": self._on_mark,
            "index-tickers": self._on_index,
            "open-interest": self._on_interest,
            "opt-summary": self._on_summaries,
            "liquidation-orders": self._on_liquidations,
            "liquidations": self._on_forced,
            "instruments": self._on_listings,
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
        route = None
        try:
            if len(frame) > (self._frame_limit if source == "ws" else self.frame_limit[source]):
                raise BadFrame("size", f"{len(frame)} bytes, at most {self.frame_limit[source]} are read")
            if source == "ws":
                route = self._routes.get(frame.partition(b"}")[0])
                if route is None:
                    route = self._meet(frame)
                if route is not None:
                    route.handle(frame, route, receive_ns, sink)
            else:
                self._on_answer(frame, url, receive_ns, sink)
            if self._bad_run:
                self._bad_run = 0
        except UNREADABLE as error:
            self._refuse(error, route, receive_ns, sink)

    def _refuse(self, error: Exception, route: Route | None, receive_ns: int, sink: Sink) -> None:
        """Count a bad frame; if it can be told whose update it was, that book is stale and asked for anew."""
        symbol = "" if route is None else route.symbol
        reason, text = _told(error)
        self.bad_frame(reason, f"okx{' ' + symbol[:64] if symbol else ''}: {text}; the frame is dropped")
        if route is None or not route.is_book or route.book is None or reason in ("symbol", "market"):
            return
        route.texts = None
        self.lose(route.book, 0, receive_ns, sink)
        if self.is_sequenced:
            self.request(route.book, receive_ns)

    def _meet(self, frame: bytes) -> Route | None:
        """Return how to read a frame whose beginning is not known yet; None if there is nothing in it for a tape."""
        if frame in (b"pong", b"ping"):
            self.counters.ignore("pong")
            return None
        head = messages.HEAD.decode(frame)
        if head.event:
            self.counters.ignore(head.event)
            return None
        if head.arg is None or head.data is msgspec.UNSET:
            if head.op:  # an answer to an operation: of no interest here
                self.counters.ignore("reply")
                return None
            raise BadFrame("shape", "the frame should have arg and data, or an event")
        route = self._route(head.arg)
        key = frame.partition(b"}")[0]
        if route is not None and len(self._routes) < _ROUTE_LIMIT and key.startswith(b'{"arg":{'):
            self._routes[key] = route
        return route

    def _route(self, arg: Arg) -> Route | None:
        """Return the route of a subscription, made at first sight; None (counted) if its frames are not read."""
        channel, symbol = arg.channel, arg.instId
        handle = self._handlers.get(channel)
        if handle is None:
            self.counters.ignore(channel)
            return None
        key = (channel, symbol, arg.instType, arg.uly, arg.instFamily)
        route = self._known.get(key)
        if route is not None:
            return route
        if not symbol and channel not in OF_MANY and channel not in ("tickers", "mark-price", "open-interest"):
            raise BadFrame("shape", f"a frame of {channel} should name an instId")
        if not self._is_ours(arg):
            self.counters.ignore("other market")
            return None
        route = Route(arg, handle, handle == self._on_book, channel in IMAGES)
        if channel in OF_MANY:
            route.symbol = ""
        if len(self._known) < _ROUTE_LIMIT:
            self._known[key] = route
        return route

    def _is_ours(self, arg: Arg) -> bool:
        """Return whether a subscription belongs to the market named in the config; any does where none is."""
        if not self.market_name or not self.is_sequenced or arg.channel == "index-tickers":
            return True
        kind = kind_of(arg.instId) if arg.instId else KINDS.get(arg.instType, "option" if arg.uly else "")
        return (kind or "spot") == MARKET_KINDS[self.market_name]

    # Answers over REST.

    def _on_answer(self, body: bytes, url: str | None, receive_ns: int, sink: Sink) -> None:
        answer = messages.ANSWER.decode(body)
        if answer.code != "0":
            raise BadFrame("venue", f"the venue answers code {answer.code[:20]}: {answer.msg[:200] or 'no text'}")
        if not url:
            if b'"asks"' in body[:200] or b'"bids"' in body[:200]:
                self.counters.snapshots_refused += 1
                raise BadFrame("snapshot", "a book without its URL cannot be placed")
            self.counters.ignore("rest")
            return
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        symbol = (query.get("instId") or [""])[0]
        word = parts.path.rpartition("/")[2]
        if word in ("books", "books-full"):
            if not symbol:
                raise BadFrame("snapshot", "a book whose URL names no instId cannot be placed")
            if self._is_ours(Arg("", symbol)):
                self._on_book_answer(symbol, bytes(answer.data), receive_ns, sink)
            return
        channel = ANSWERS.get(word)
        if channel is None:
            self.counters.ignore(f"rest {word}")
            return
        arg = Arg(channel, "" if channel in OF_MANY else symbol, (query.get("instType") or [""])[0])
        if (arg.instId or arg.instType) and not self._is_ours(arg):
            self.counters.ignore("other market")
            return
        self._handlers[channel](body, Route(arg, self._handlers[channel]), receive_ns, sink)

    # Instruments and streams.

    def streams(self) -> list[Stream]:
        """Return the streams of the followed instruments that ``channels`` names, book streams first."""
        if not self.subscribed:
            return []
        if self.depth in LOGIN_DEPTHS:
            raise ConfigError(
                f"okx: depth {self.depth} is served to accounts only, and no credentials are handled yet; "
                "use books (400 levels every 100 ms), books5 or bbo-tbt"
            )
        wanted: tuple[str, ...] = self.live.channels if self.live is not None else LiveSettings().channels
        found: dict[str, Stream] = {}

        def add(channel: Channel, word: str, value: str = "", symbol: str = "") -> None:
            name = f"{word}:{value}" if value else word
            found.setdefault(name, Stream(name, symbol, channel, "public"))

        if "book" in wanted and self.depth != "bbo-tbt":
            for symbol in self.subscribed:
                add("book", self.depth, symbol, symbol)
        if "best" in wanted or ("book" in wanted and self.depth == "bbo-tbt"):
            for symbol in self.subscribed:
                add("best", "bbo-tbt", symbol, symbol)
        if "trades" in wanted:
            for symbol in self.subscribed:
                add("trades", "trades", symbol, symbol)
        for symbol in self.subscribed:
            kind = kind_of(symbol)
            if not kind:
                continue
            if "reference" in wanted:
                for word in ("mark-price", "open-interest", "tickers"):
                    add("reference", word, symbol, symbol)
                if kind == "perp":
                    add("reference", "funding-rate", symbol, symbol)
                add("reference", "index-tickers", pair_of(symbol))
            if kind == "option" and ("options" in wanted or "reference" in wanted):
                add("options", "opt-summary", symbol.rpartition("-")[0].rpartition("-")[0].rpartition("-")[0])
            if "liquidations" in wanted and kind in ("perp", "future"):
                add("liquidations", "liquidation-orders", TYPES[kind])
        if "status" in wanted:
            for symbol in self.subscribed:
                add("status", "instruments", TYPES[kind_of(symbol) or "spot"])
        return list(found.values())

    def wire(self) -> OkxWire:
        from quotewright_plugins.exchanges.okx.wire import OkxWire

        families = {
            symbol.rpartition("-")[0].rpartition("-")[0].rpartition("-")[0]: None
            for symbol in self.subscribed
            if kind_of(symbol) == "option"
        }
        return OkxWire(self.live or LiveSettings(), self.market_name, tuple(families))

    def instruments(self, body: bytes) -> list[Instrument]:
        if bands := read_bands(body):
            self._bands.update(bands)
            return []
        found = read_instruments(body, self._bands)
        if self.market_name:
            found = [instrument for instrument in found if instrument.kind == MARKET_KINDS[self.market_name]]
        return found

    @classmethod
    def detect_market(cls, raw: bytes, url: str | None = None) -> str | None:
        """Return the empty market, which is all of them, for what OKX sends; a recording may hold several."""
        host = (urlsplit(url).hostname or "") if url else ""
        if host.endswith((".okx.com", ".okex.com")):
            return ""
        if host:
            return None
        try:
            head = messages.HEAD.decode(raw)
        except UNREADABLE:
            return None
        arg = head.arg
        return "" if arg is not None and arg.channel and (arg.instId or arg.instType or arg.uly) else None

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        return guess_instrument(symbol)


def _told(error: Exception) -> tuple[DecodeReason, str]:
    """Return the reason and the text that *error* is counted and told with."""
    if isinstance(error, BadFrame):
        return error.reason, str(error)
    if isinstance(error, msgspec.ValidationError):
        return "shape", str(error)
    if isinstance(error, InputError):
        return "number", str(error)
    return "json", str(error)
