"""Feed adapter for Deribit v2: perpetuals, futures, options and spot, all on one connection.

Rules: Deribit API documentation, middle of 2026. What a book must keep to is told in :mod:`.books`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from quotewright.errors import ConfigError, InputError
from quotewright.feed import BadFrame, BookState, Channel, Source, Stream, is_symbol
from quotewright.kernel.updates import UpdateReader
from quotewright_plugins.exchanges.deribit import messages
from quotewright_plugins.exchanges.deribit.books import Books, Handler, Route
from quotewright_plugins.exchanges.deribit.instruments import index_of, is_combo, option_terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quotewright.live.settings import LiveSettings
    from quotewright.model.instrument import Instrument
    from quotewright.tape.sink import Sink
    from quotewright.wire import Wire

INTERVALS = ("raw", "100ms", "agg2")
DEPTHS = (1, 10, 20)
GROUPS = ("none", "1", "2", "5", "10", "25", "100", "250")
CHANNELS = frozenset(
    (
        *("book", "quote", "trades", "ticker", "incremental_ticker", "perpetual", "deribit_price_index", "markprice"),
        *("instrument", "platform_state", "chart", "deribit_price_ranking", "deribit_price_statistics", "rfq"),
        *("deribit_volatility_index", "estimated_expiration_price", "block_rfq", "block_trade_confirmations", "user"),
    )
)
"""First words of channels."""
STATE_KINDS = ("future", "option", "spot")

UNREADABLE = (msgspec.MsgspecError, InputError, RecursionError, UnicodeError)
"""What a bad frame raises here: JSON, shape, number, nesting, encoding. Anything else is a fault of the program."""

_CHANNEL = b'"channel":"'
_LOOKED_AT = 256
_ROUTE_LIMIT = 20_000


class DeribitAdapter(Books):
    """Books, best quotes, trades, liquidations, tickers, option summaries, indexes and states of every instrument.

    Sizes are the venue's amounts: dollars of contracts settled in coin, coins of everything else.
    """

    name = "deribit"
    recordings: ClassVar[Mapping[str, str]] = {"deribit": ""}
    shows_percent: ClassVar[bool] = True
    recovers_by: ClassVar[Literal["snapshot", "subscription"]] = "subscription"

    def __init__(
        self, interval: str = "100ms", depth: int = 0, group: str = "none", live: LiveSettings | None = None
    ) -> None:
        if interval not in INTERVALS:
            raise ConfigError(f"deribit: interval should be one of {', '.join(INTERVALS)}, was {interval!r}")
        if depth and depth not in DEPTHS:
            raise ConfigError(f"deribit: depth should be 0 (the whole book), 1, 10 or 20, was {depth}")
        if group not in GROUPS or (group != "none" and not depth):
            raise ConfigError(f"deribit: group should be one of {', '.join(GROUPS)}, with a depth, was {group!r}")
        if depth and interval == "raw":
            raise ConfigError("deribit: images of a depth come every 100ms or agg2, not raw")
        super().__init__()
        self.interval = interval
        self.depth = depth
        self.group = group
        self.live = live
        self._frame_limit = self.frame_limit["ws"]
        self._reader = UpdateReader(messages.LAYOUT, self.counters, BookState.SYNCHRONISED, self._frame_limit)
        self._routes: dict[bytes, Route] = {}
        self._handlers: dict[str, Handler] = {
            "quote": self._on_quote_frame,
            "ticker": self._on_ticker_frame,
            "incremental_ticker": self._on_increment_frame,
            "perpetual": self._on_perpetual_frame,
            "deribit_price_index": self._on_index_frame,
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
                start = frame.find(_CHANNEL, 0, _LOOKED_AT) + 11
                if start > 10:
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
        """Count a bad frame; if a book follows its channel, that book is stale and its channel is asked for anew."""
        reason, text = _reason(error)
        symbol = route.symbol if route is not None else ""
        self.bad_frame(reason, f"deribit{' ' + symbol if symbol else ''}: {text}; the frame is dropped")
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
        """Return how to read a channel that is seen for the first time; None if there is nothing to read."""
        head = messages.HEAD.decode(frame)
        channel = head.params.channel
        if not channel:
            self._on_reply(head)
            return None
        route = self._route(channel)
        if route is not None and start > 10 and len(self._routes) < _ROUTE_LIMIT:
            name = channel.encode()
            if frame.startswith(name + b'"', start):
                route = self._routes.setdefault(name, route)
        return route

    def _route(self, channel: str) -> Route | None:
        """Return how the frames of *channel* are read; None (counted by name) if they are none of ours."""
        known = self._routes.get(channel.encode())
        if known is not None:
            return known
        word, _, rest = channel.partition(".")
        parts = rest.split(".")
        symbol = parts[0]
        if is_combo(symbol):
            self.counters.ignore("combo")
            return None
        if word == "book" and len(parts) in (2, 4):
            return Route(channel, symbol, self._on_book, is_book=True, is_image=len(parts) == 4)
        if word == "trades" and len(parts) == 2:
            return Route(channel, symbol, self._on_trades_frame)
        if word == "trades" and len(parts) == 3:
            return Route(channel, "", self._on_trades_frame)
        if word == "markprice" and symbol == "options" and len(parts) == 2:
            return Route(channel, "", self._on_marks_frame)
        if word == "instrument" and symbol == "state":
            return Route(channel, "", self._on_state_frame)
        if channel == "platform_state":
            return Route(channel, "", self._on_platform_frame)
        if word in self._handlers and symbol:
            return Route(channel, symbol, self._handlers[word])
        self.counters.ignore(word)
        return None

    def _on_reply(self, head: messages.Head) -> None:
        """Pass over heartbeats and answers to our own frames; an error among them is counted and told."""
        if head.error is not None:
            text = f"error {head.error.code}, {head.error.message[:200] or 'no text'}"
            raise BadFrame("venue", f"the venue answers {text}")
        if head.method:
            self.counters.ignore(head.method)
        elif head.result is not messages.UNSET:
            self.counters.ignore("reply")
        else:
            raise BadFrame("shape", "the frame has neither a channel nor is it an answer")

    def _on_quote_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.QUOTE.decode(frame).params
        _same(event.channel, route)
        self._on_quote(event.data, route.symbol, receive_ns, sink)

    def _on_trades_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.TRADES.decode(frame).params
        _same(event.channel, route)
        self._on_trades(event.data, route.symbol, receive_ns, sink)

    def _on_ticker_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.TICKER.decode(frame).params
        _same(event.channel, route)
        self._on_ticker(event.data, route.symbol, receive_ns, sink)

    def _on_increment_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.INCREMENT.decode(frame).params
        _same(event.channel, route)
        self._on_increment(event.data, route.symbol, receive_ns, sink)

    def _on_perpetual_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.PERPETUAL.decode(frame).params
        _same(event.channel, route)
        self._on_perpetual(event.data, route.symbol, receive_ns, sink)

    def _on_index_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.INDEX.decode(frame).params
        _same(event.channel, route)
        self._on_index(event.data, route.symbol, receive_ns, sink)

    def _on_marks_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.MARKS.decode(frame).params
        _same(event.channel, route)
        self._on_marks(event.data, receive_ns, sink)

    def _on_state_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.STATE.decode(frame).params
        _same(event.channel, route)
        self._on_state(event.data, receive_ns, sink)

    def _on_platform_frame(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        event = messages.PLATFORM.decode(frame).params
        _same(event.channel, route)
        self._on_platform(event.data, receive_ns, sink)

    # Answers over REST.

    def _on_answer(self, body: bytes, url: str | None, receive_ns: int, sink: Sink) -> None:
        """Read an answer by the path of its URL."""
        kind = urlsplit(url or "").path.rpartition("/")[2]
        head = messages.HEAD.decode(body)
        if head.error is not None:
            self._on_reply(head)
        if isinstance(head.result, msgspec.UnsetType):
            raise BadFrame("shape", "the answer has no result")
        if kind == "get_order_book":
            self._on_book_answer(messages.BOOK_ANSWER.decode(head.result), receive_ns, sink)
        elif kind.startswith("get_last_trades_by_"):
            trades = messages.PAST_TRADES.decode(head.result).trades
            trades.sort(key=lambda trade: (trade.timestamp, trade.trade_seq or 0))
            self._on_trades(trades, "", receive_ns, sink)
        elif kind == "ticker":
            data = messages.TICKER_DATA.decode(head.result)
            self._on_ticker(data, data.instrument_name, receive_ns, sink)
        else:
            self.counters.ignore(f"rest {kind}".strip())

    # Connections, streams, instruments.

    def on_close(self, receive_ns: int, sink: Sink, symbols: Iterable[str] | None = None) -> None:
        symbols = None if symbols is None else list(symbols)
        super().on_close(receive_ns, sink, symbols)
        for symbol in list(self._symbols) if symbols is None else symbols:
            known = self._symbols.get(symbol)
            if known is not None:  # what came meanwhile is lost, and a ticker's changes begin with an image again
                known.last_seq = known.quote_ms = known.ticker_ms = -1
                known.keys = {}

    def on_thin(self, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Count that hardly a level is left: the venue tells whole books, so that there is nothing behind them."""
        self.counters.thin += 1

    def streams(self) -> list[Stream]:
        """Return the channels of the followed symbols, books first; states come by kind and the platform's once."""
        told = self.live.channels if self.live is not None else ("book", "best", "trades", "reference", "status")
        wanted = set(told)
        if "reference" in wanted or "options" in wanted:
            wanted |= {"reference", "options"}
        if "liquidations" in wanted:  # they are marks on trades
            wanted.add("trades")
        streams: list[Stream] = []
        needs_login = self.interval == "raw"
        symbols = list(self.subscribed)

        def add(channel: Channel, name: str, symbol: str = "", raw: bool = False) -> None:
            streams.append(Stream(name, symbol, channel, needs_login=raw and needs_login))

        if "book" in wanted:
            tail = f"{self.group}.{self.depth}.{self.interval}" if self.depth else self.interval
            for symbol in symbols:
                add("book", f"book.{symbol}.{tail}", symbol, True)
        if "best" in wanted:
            for symbol in symbols:
                add("best", f"quote.{symbol}", symbol)
        if "trades" in wanted:
            for symbol in symbols:
                add("trades", f"trades.{symbol}.{self.interval}", symbol, True)
        if "reference" in wanted:
            for symbol in symbols:
                is_option = option_terms(symbol) is not None
                add("options" if is_option else "reference", f"ticker.{symbol}.{self.interval}", symbol, True)
        if "status" in wanted and symbols:
            kinds = {(_kind(symbol), index_of(symbol).partition("_")) for symbol in symbols}
            coins = {(kind, base if quote == "usd" else quote) for kind, (base, _, quote) in kinds}
            for kind, coin in sorted(coins):
                add("status", f"instrument.state.{kind}.{coin.upper()}")
            add("status", "platform_state")
        return streams

    def wire(self) -> Wire:
        from quotewright_plugins.exchanges.deribit.wire import DeribitWire

        if self.interval == "raw":
            raise ConfigError(
                "deribit: interval raw is served to logged-in connections only, and a public feed has no credentials; "
                'set interval = "100ms" or "agg2"'
            )
        return DeribitWire(self.live)

    def instruments(self, body: bytes) -> list[Instrument]:
        from quotewright_plugins.exchanges.deribit.instruments import read_instruments

        return read_instruments(body)

    @classmethod
    def detect_market(cls, raw: bytes, url: str | None = None) -> str | None:
        if url:
            try:
                parts = urlsplit(url)
                host = parts.hostname or ""
            except ValueError:
                return None
            is_ours = host == "deribit.com" or host.endswith(".deribit.com")
            return "" if is_ours or parts.path.startswith(("/ws/api/v2", "/api/v2/public/")) else None
        try:
            head = messages.HEAD.decode(raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None
        if head.method == "subscription" and head.params.channel.partition(".")[0] in CHANNELS:
            return ""
        return None

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        from quotewright_plugins.exchanges.deribit.instruments import guess_instrument

        return guess_instrument(symbol)


def _kind(symbol: str) -> str:
    """Return the venue's word for the kind of instrument that *symbol* is."""
    if option_terms(symbol) is not None:
        return "option"
    return "future" if "-" in symbol else "spot"


def _same(channel: str, route: Route) -> None:
    if channel != route.channel:
        raise BadFrame("symbol", f"the frame of {route.channel!r} names {channel[:64]!r} as its channel")


def _reason(error: Exception) -> tuple[Any, str]:
    if isinstance(error, BadFrame):
        return error.reason, str(error)
    if isinstance(error, msgspec.ValidationError):
        return "shape", str(error)
    if isinstance(error, InputError):
        return "number", str(error)
    return "json", str(error)
