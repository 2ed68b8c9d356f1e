"""Feed adapter for Bybit v5: spot, linear and inverse contracts, options, and the shapes of the years before.

Rules: Bybit v5 API documentation, third quarter of 2026. What a book must keep to is told in :mod:`.books`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import BadFrame, BookState, Channel, Source, Stream, is_symbol
from quotewright.kernel.updates import UpdateReader
from quotewright_plugins.exchanges.bybit import messages
from quotewright_plugins.exchanges.bybit.books import Route
from quotewright_plugins.exchanges.bybit.detection import CATEGORIES, detect_market
from quotewright_plugins.exchanges.bybit.legacy import Legacy
from quotewright_plugins.exchanges.bybit.messages import LAYOUT, MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quotewright.live.settings import LiveSettings
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright.wire import Wire

MARKETS = CATEGORIES
DEPTHS = {"spot": (50, 200, 1000), "linear": (50, 200, 500, 1000), "inverse": (50, 200, 500, 1000), "option": (25, 100)}
"""Depths of books by market, the default first; depth 1 is a stream of best quotes."""

UNREADABLE = (msgspec.MsgspecError, InputError, RecursionError, UnicodeError)
"""What a bad frame raises here: JSON, shape, number, nesting, encoding. Anything else is a fault of the program."""

_TOPIC = b'"topic":"'
_LOOKED_AT = 256
_ROUTE_LIMIT = 20_000


class BybitAdapter(Legacy):
    """Books, best quotes, trades, tickers, option summaries and liquidations of one Bybit market.

    ``linear`` reads inverse contracts too, and the other way round: recordings hold both, and frames do not differ.
    Event times are those of matching where they are sent.
    """

    name = "bybit"
    markets = MARKETS
    recordings: ClassVar[Mapping[str, str]] = {"bybit": "linear", "bybit-spot": "spot", "bybit-options": "option"}
    recovers_by: ClassVar[Literal["snapshot", "subscription"]] = "subscription"

    def __init__(self, market: str = "spot", depth: int = 0, live: LiveSettings | None = None) -> None:
        if market not in MARKETS:
            raise ConfigError(f"bybit: market should be one of {', '.join(MARKETS)}, was {market!r}")
        if depth and depth not in DEPTHS[market]:
            listed = ", ".join(map(str, DEPTHS[market]))
            raise ConfigError(f"bybit {market}: depth should be one of {listed}, was {depth}")
        super().__init__()
        self.market_name = market
        self.depth = depth or DEPTHS[market][0]
        self.live = live
        self._frame_limit = self.frame_limit["ws"]
        self._reader = UpdateReader(LAYOUT, self.counters, BookState.SYNCHRONISED, self._frame_limit)
        self._routes: dict[bytes, Route] = {}
        self._handlers = {
            "publicTrade": self._on_trade_frame,
            "tickers": self._on_option_frame if market == "option" else self._on_ticker_frame,
            "allLiquidation": self._on_forced_frame,
            "liquidation": self._on_old_forced,
            "trade": self._on_old_trades,
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
        route: Route | None = None
        try:
            if source == "ws":
                start = frame.find(_TOPIC, 0, _LOOKED_AT) + 9
                if start > 8:
                    route = self._routes.get(frame[start : frame.find(b'"', start)])
                if len(frame) > self._frame_limit:
                    raise BadFrame("size", f"{len(frame)} bytes, at most {self._frame_limit} are read")
                if route is None:
                    route = self._on_new(frame, start)
                    if route is None:
                        self._bad_run = 0
                        return
                route.handle(frame, route, receive_ns, sink)
            else:
                if len(frame) > self.frame_limit[source]:
                    raise BadFrame("size", f"{len(frame)} bytes, at most {self.frame_limit[source]} are read")
                self._on_answer(frame, url, receive_ns, sink)
            if self._bad_run:
                self._bad_run = 0
        except UNREADABLE as error:
            self._refuse(error, route, receive_ns, sink)

    def _refuse(self, error: Exception, route: Route | None, receive_ns: int, sink: Sink) -> None:
        """Count a bad frame; if a book follows its topic, that book is stale and its stream is asked for anew."""
        reason, text = _told(error)
        symbol = route.symbol if route is not None else ""
        self.bad_frame(
            reason, f"bybit {self.market_name}{' ' + symbol if symbol else ''}: {text}; the frame is dropped"
        )
        if not self.is_sequenced or route is None or reason in ("symbol", "market"):
            return
        book = route.book
        if book is not None:
            self.lose(book, 0, receive_ns, sink)
            self.request(book, receive_ns)
        elif route.is_book and symbol not in self._followed and is_symbol(symbol):
            book = self.book(symbol)  # the first image was bad: there is no book to lose yet
            if book is not None:
                self.request(book, receive_ns)

    def _on_new(self, frame: bytes, start: int) -> Route | None:
        """Return how to read a topic that is seen for the first time; None if there is nothing to read."""
        head = messages.HEAD.decode(frame)
        if not head.topic or (head.event and head.data is msgspec.UNSET):
            self._on_reply(head)
            return None
        route = self._route(head.topic)
        if route is not None and start > 8 and len(self._routes) < _ROUTE_LIMIT:
            topic = head.topic.encode()
            if frame.startswith(topic + b'"', start):
                route = self._routes.setdefault(topic, route)
        return route

    def _route(self, topic: str) -> Route | None:
        """Return how the frames of *topic* are read; None (counted by name) if they are none of ours."""
        known = self._routes.get(topic.encode())
        if known is not None:
            return known
        word, _, rest = topic.partition(".")
        if not rest:
            if word in ("bookTicker", "depth", "trade"):
                return Route(topic, "", self._on_spot)
        elif word == "orderbook":
            depth, _, symbol = rest.partition(".")
            if depth == "1" and symbol:
                return Route(topic, symbol, self._on_best_frame)
            if depth.isdigit() and symbol:
                return Route(topic, symbol, self._on_book, True)
        elif word in self._handlers:
            return Route(topic, rest, self._handlers[word])
        elif word in ("orderBookL2_25", "orderBook_200"):
            return Route(topic, rest.removeprefix("100ms."), self._on_old_book, True)
        elif word == "instrument_info":
            return Route(topic, rest.removeprefix("100ms."), self._on_info)
        self.counters.ignore("orderbook.rpi" if topic.startswith("orderbook.rpi.") else word)
        return None

    def _on_reply(self, head: messages.Head) -> None:
        if head.success is False or head.retCode:
            text = head.ret_msg or head.retMsg or "no text"
            raise BadFrame("venue", f"the venue refuses {head.op or 'a request'}: {text[:200]}")
        if not head.op and head.success is None and head.type != "COMMAND_RESP" and not head.event:
            raise BadFrame("shape", "the frame has neither a topic nor is it an answer")
        self.counters.ignore("reply")

    def _on_best_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.DECODERS["best"].decode(frame)
        _same(event.topic, route)
        self._on_best(event, route.symbol, receive_ns, sink)

    def _on_trade_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.DECODERS["trades"].decode(frame)
        _same(event.topic, route)
        self._on_trades(event, route.symbol, receive_ns, sink)

    def _on_ticker_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.DECODERS["ticker"].decode(frame)
        _same(event.topic, route)
        self._on_ticker(event, route.symbol, receive_ns, sink)

    def _on_option_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.DECODERS["option"].decode(frame)
        _same(event.topic, route)
        self._on_option(event, route.symbol, receive_ns, sink)

    def _on_forced_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.DECODERS["forced"].decode(frame)
        _same(event.topic, route)
        self._on_forced(event, route.symbol, receive_ns, sink)

    def _is_base(self, symbol: str) -> bool:
        return self.market_name == "option" and "-" not in symbol

    # Answers over REST.

    def _on_answer(self, body: bytes, url: str | None, receive_ns: int, sink: Sink) -> None:
        """Read an answer by the path of its URL; its ``category`` must be of this market, or of its like."""
        parts = urlsplit(url or "")
        kind = parts.path.rpartition("/")[2]
        if kind not in ("orderbook", "recent-trade", "tickers", "open-interest") or "/v5/" not in parts.path:
            self.counters.ignore(f"rest {kind}".strip())
            return
        category = (parse_qs(parts.query).get("category") or [""])[0]
        if category and (category if category in ("spot", "option") else "linear") != self._family():
            raise BadFrame("market", f"an answer of category {category[:20]!r} is not of this market")
        answer = messages.ANSWER.decode(body)
        if answer.retCode:
            raise BadFrame("venue", f"the venue answers code {answer.retCode}: {answer.retMsg[:200] or 'no text'}")
        result = bytes(answer.result)
        event_ns = answer.time * MILLISECOND
        if kind == "orderbook":
            self._on_book_answer(messages.BOOK_ANSWER.decode(result), receive_ns, sink)
        elif kind == "recent-trade":
            self._past_trades(messages.PAST_TRADES.decode(result), receive_ns, sink)
        elif kind == "open-interest":
            self._open_interests(messages.OPEN_INTERESTS.decode(result), receive_ns, sink)
        elif self.market_name == "option":
            for option in messages.OPTION_TICKERS.decode(result).rows:
                if self._symbol(option.symbol, option.symbol) is not None:
                    self._option(option, event_ns, receive_ns, sink)
        else:
            for ticker in messages.TICKERS.decode(result).rows:
                known = self._symbol(ticker.symbol, ticker.symbol)
                if known is not None:
                    self._reference(known, ticker, event_ns, receive_ns, sink)

    def _family(self) -> str:
        return "linear" if self.market_name == "inverse" else self.market_name

    # Connections, streams, instruments.

    def on_close(self, receive_ns: int, sink: Sink, symbols: Iterable[str] | None = None) -> None:
        symbols = None if symbols is None else list(symbols)
        super().on_close(receive_ns, sink, symbols)
        for symbol in list(self._symbols) if symbols is None else symbols:
            if symbol in self._symbols:  # the counter of a new connection may begin anew
                self._symbols[symbol].best_id = -1

    def streams(self) -> list[Stream]:
        """Return the topics of the followed symbols, books first; options' trades come by coin."""
        market = self.market_name
        wanted = set(self.live.channels) if self.live is not None else {"book", "best", "trades", "reference"}
        if self.live is None or "options" in wanted:
            wanted.add("options")
        streams: list[Stream] = []

        def add(channel: Channel, word: str, names: Iterable[str]) -> None:
            if channel in wanted:
                streams.extend(
                    Stream(f"{word}.{name}", name if name in self.subscribed else "", channel, market) for name in names
                )

        symbols = list(self.subscribed)
        add("book", f"orderbook.{self.depth}", symbols)
        if market == "option":
            add("trades", "publicTrade", dict.fromkeys(symbol.partition("-")[0] for symbol in symbols))
            if "options" not in wanted and "reference" in wanted:
                wanted.add("options")
            add("options", "tickers", symbols)
            return streams
        add("best", "orderbook.1", symbols)
        add("trades", "publicTrade", symbols)
        add("reference", "tickers", symbols)
        if market != "spot":
            if self.live is None:
                wanted.add("liquidations")
            add("liquidations", "allLiquidation", symbols)
        return streams

    def wire(self) -> Wire:
        from quotewright_plugins.exchanges.bybit.wire import BybitWire

        return BybitWire(self.market_name, self.live, self.subscribed)

    def instruments(self, body: bytes) -> list[Instrument]:
        from quotewright_plugins.exchanges.bybit.instruments import read_instruments

        return read_instruments(body)

    @classmethod
    def detect_market(cls, raw: bytes, url: str | None = None) -> str | None:
        return detect_market(raw, url)

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        from quotewright_plugins.exchanges.bybit.instruments import guess_instrument

        return guess_instrument(symbol, self.market_name)


def _same(topic: str, route: Route) -> None:
    if topic != route.topic:
        raise BadFrame("symbol", f"the frame names two topics, {route.topic!r} and {topic[:64]!r}")


def _told(error: Exception) -> tuple[Any, str]:
    """Return the reason and the text that *error* is counted and told with."""
    if isinstance(error, BadFrame):
        return error.reason, str(error)
    if isinstance(error, msgspec.ValidationError):
        return "shape", str(error)
    if isinstance(error, InputError):
        return "number", str(error)
    return "json", str(error)
