"""The feed adapter of Tardis-normalised messages, wherever they come from: a file, a server, a relay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from quotewright.errors import InputError
from quotewright.feed import BadFrame, BookState, FeedAdapter, FeedBook, Reconnect
from quotewright.kernel.codes import BUY, NO_SIDE, SELL
from quotewright.tape.inference import fields_from_symbol
from quotewright.tape.sink import OptionSummary
from quotewright_plugins.importers.venues import TARDIS, volatility
from quotewright_plugins.tardis import messages as m
from quotewright_plugins.tardis.messages import stamp_ns, text

if TYPE_CHECKING:
    from quotewright.feed import Source
    from quotewright.tape.sink import Sink

SIDES = {"buy": BUY, "sell": SELL, "unknown": NO_SIDE, "": NO_SIDE}
RIGHTS = {"call": "C", "put": "P"}


def _market(exchange: str) -> tuple[str, str]:
    """Return venue and market that Tardis calls *exchange*, without a look at what is installed."""
    venue, _, market = exchange.partition("-")
    if not venue.isalnum() or len(exchange) > 64:
        raise InputError(f"exchange should be a name such as binance-futures, was {exchange[:64]!r}")
    return TARDIS.get(exchange) or (venue, market)


class NormalisedAdapter(FeedAdapter):
    """Reads normalised messages of one exchange; *exchange* is Tardis's name of it, empty: the first message's.

    A book is good from a message with ``isSnapshot`` to the next disconnect. Of the kinds of books that come for one
    symbol (changes, snapshots of a depth) the first is followed.
    """

    recovers_by = "subscription"

    def __init__(self, exchange: str = "") -> None:
        super().__init__()
        self.exchange = exchange
        self.kinds: dict[str, str] = {}
        if exchange:
            self.name, self.market_name = _market(exchange)

    def on_message(self, raw: bytes | memoryview, source: Source, url: str | None, receive_ns: int, sink: Sink) -> None:
        self.counters.messages += 1
        if len(raw) > self.frame_limit[source]:
            self.bad_frame("size", f"tardis: a message of {len(raw)} bytes is larger than {self.frame_limit[source]}")
            return
        try:
            message = m.decode(raw)
        except InputError as error:
            self.bad_frame("json" if "should be JSON" in str(error) else "shape", f"tardis: {error}")
            return
        self.take(message, receive_ns, sink)

    def take(self, message: m.Message | m.Head, receive_ns: int, sink: Sink) -> None:
        """Write one decoded message; like :meth:`on_message` it raises nothing on bad input."""
        if not self.exchange and message.exchange:
            try:
                self.name, self.market_name = _market(message.exchange)
            except InputError as error:
                self.bad_frame("market", f"tardis: {error}")
                return
            self.exchange = message.exchange
        elif message.exchange != self.exchange:
            self.bad_frame("market", f"tardis: a message of '{message.exchange}' came, expected {self.exchange}")
            return
        try:
            self._take(message, receive_ns, sink)
            self._bad_run = 0
        except BadFrame as error:
            sink.abandon()
            self.bad_frame(error.reason, str(error))
            self._spoil(message, receive_ns, sink)
        except InputError as error:
            sink.abandon()
            self.bad_frame("number", f"{self.exchange} {error}")
            self._spoil(message, receive_ns, sink)

    def _spoil(self, message: Any, receive_ns: int, sink: Sink) -> None:
        """A message about a book could not be read: the book is not known any more."""
        if not isinstance(message, m.BookChange | m.BookSnapshot):
            return
        book = self.books.get(message.symbol)
        if book is not None and book.state is BookState.SYNCHRONISED:
            self.lose(book, 0, receive_ns, sink)
            self.request(book, receive_ns)

    def _take(self, message: m.Message | m.Head, receive_ns: int, sink: Sink) -> None:
        if isinstance(message, m.BookChange):
            self._book_change(message, receive_ns, sink)
        elif isinstance(message, m.Trade):  # a liquidation too
            self._print(message, receive_ns, sink)
        elif isinstance(message, m.BookSnapshot):
            self._book_snapshot(message, receive_ns, sink)
        elif isinstance(message, m.BookTicker):
            self._best(
                *(message, receive_ns, sink, message.bidPrice, message.bidAmount, message.askPrice, message.askAmount)
            )
        elif isinstance(message, m.DerivativeTicker):
            self._derivative_ticker(message, receive_ns, sink)
        elif isinstance(message, m.OptionSummaryMessage):
            self._option(message, receive_ns, sink)
        elif isinstance(message, m.Disconnect):
            self.on_close(receive_ns, sink, message.symbols)
        elif isinstance(message, m.ErrorMessage):
            raise BadFrame("venue", f"{self.exchange}: the server tells an error: {message.details[:200]}")
        else:
            self.counters.ignore("trade_bar" if isinstance(message, m.TradeBar) else message.type)

    def _begin(self, message: Any, receive_ns: int, sink: Sink, id: int = 0) -> bool:
        if self.subscribed and message.symbol not in self.subscribed:
            self.counters.unlisted += 1
            return False
        # A time equal to the local one is the collector's, put there because the exchange sent none.
        has_time = message.timestamp and message.timestamp != message.localTimestamp
        return bool(sink.begin(message.symbol, stamp_ns(message.timestamp) if has_time else 0, receive_ns, 0, id))

    def _followed(self, symbol: str, kind: str) -> FeedBook | None:
        """Return the book of *symbol* if *kind* is how it is followed."""
        book = self.book(symbol)
        if book is None:
            return None
        if self.kinds.setdefault(symbol, kind) != kind:
            self.counters.ignore(f"{kind} beside {self.kinds[symbol]}")
            return None
        book.messages += 1
        return book

    def _book_change(self, message: m.BookChange, receive_ns: int, sink: Sink) -> None:
        book = self._followed(message.symbol, "book_change")
        if book is None:
            return
        if message.isSnapshot:
            self._image(message, book, receive_ns, sink)
            return
        if self.is_sequenced and book.state is not BookState.SYNCHRONISED:
            self.counters.buffer_dropped += 1
            self.request(book, receive_ns)
            return
        if not self._begin(message, receive_ns, sink):
            return
        self._levels(message, sink)
        sink.end()
        self.counters.updates += 1

    def _image(self, message: m.BookChange | m.BookSnapshot, book: FeedBook, receive_ns: int, sink: Sink) -> None:
        if not self._begin(message, receive_ns, sink):
            return
        is_back = book.state is BookState.STALE
        if is_back:
            sink.resync()
        sink.snapshot()
        self._levels(message, sink)
        sink.end()
        self.counters.snapshots += 1
        if is_back:
            self.counters.resyncs += 1
            book.resyncs += 1
        book.state = BookState.SYNCHRONISED
        book.was_good = True
        book.is_wanted = False
        self.answered(book)

    @staticmethod
    def _levels(message: m.BookChange | m.BookSnapshot, sink: Sink) -> None:
        for levels, write in ((message.bids, sink.bid), (message.asks, sink.offer)):
            for level in levels:
                price, amount = text(level.price), text(level.amount)
                if price and amount:
                    write(price, amount)
                elif isinstance(message, m.BookChange):
                    raise BadFrame("shape", f"{message.symbol}: a level should have price and amount")

    def _book_snapshot(self, message: m.BookSnapshot, receive_ns: int, sink: Sink) -> None:
        if message.depth == 1 or message.name.startswith("quote"):
            bid = message.bids[0] if message.bids else m.Level()
            offer = message.asks[0] if message.asks else m.Level()
            self._best(message, receive_ns, sink, bid.price, bid.amount, offer.price, offer.amount)
            return
        book = self._followed(message.symbol, message.name or f"book_snapshot_{message.depth}")
        if book is not None:
            self._image(message, book, receive_ns, sink)

    def _best(self, message: Any, receive_ns: int, sink: Sink, *quotes: m.Number) -> None:
        bid, bid_size, offer, offer_size = (text(part) for part in quotes)
        if self._begin(message, receive_ns, sink):
            sink.best(
                *((bid, bid_size) if bid and bid_size else ("0", "0")),
                *((offer, offer_size) if offer and offer_size else ("0", "0")),
            )
            sink.end()

    def _print(self, message: m.Trade, receive_ns: int, sink: Sink) -> None:
        side = SIDES.get(message.side)
        if side is None:
            raise BadFrame("shape", f"{message.symbol}: side should be buy, sell or unknown, was {message.side[:20]!r}")
        id, name = m.print_id(message.id)
        if not self._begin(message, receive_ns, sink, id):
            return
        write = sink.liquidation if isinstance(message, m.Liquidation) else sink.trade
        write(side, text(message.price), text(message.amount), id, name=name)
        sink.end()
        self.counters.trades += not isinstance(message, m.Liquidation)

    def _derivative_ticker(self, message: m.DerivativeTicker, receive_ns: int, sink: Sink) -> None:
        if not self._begin(message, receive_ns, sink):
            return
        if price := text(message.markPrice):
            sink.mark(price)
        if price := text(message.indexPrice):
            sink.index(price)
        if price := text(message.lastPrice):
            sink.last(price)
        if rate := text(message.fundingRate):
            sink.funding(rate, stamp_ns(message.fundingTimestamp or ""))
        if rate := text(message.predictedFundingRate):
            sink.predicted_funding(rate)
        if size := text(message.openInterest):
            sink.open_interest(size)
        sink.end()

    def _option(self, message: m.OptionSummaryMessage, receive_ns: int, sink: Sink) -> None:
        if not self._begin(message, receive_ns, sink):
            return

        def fraction(number: m.Number) -> str:
            return volatility(self.exchange, text(number))

        sink.option(
            OptionSummary(
                right=RIGHTS.get(message.optionType, ""),
                strike=text(message.strikePrice),
                expiry_ns=stamp_ns(message.expirationDate or ""),
                bid_price=text(message.bestBidPrice),
                bid_size=text(message.bestBidAmount),
                bid_iv=fraction(message.bestBidIV),
                offer_price=text(message.bestAskPrice),
                offer_size=text(message.bestAskAmount),
                offer_iv=fraction(message.bestAskIV),
                last_price=text(message.lastPrice),
                open_interest=text(message.openInterest),
                mark_price=text(message.markPrice),
                mark_iv=fraction(message.markIV),
                delta=text(message.delta),
                gamma=text(message.gamma),
                vega=text(message.vega),
                theta=text(message.theta),
                rho=text(message.rho),
                underlying_price=text(message.underlyingPrice),
                underlying_index=message.underlyingIndex or "",
            )
        )
        quotes = (message.bestBidPrice, message.bestBidAmount, message.bestAskPrice, message.bestAskAmount)
        if any(text(part) for part in quotes):
            sink.best(*(text(part) for part in quotes))
        sink.end()

    # What differs from a venue's own connection: a server sends snapshots by itself, after it has come back.

    def request(self, book: FeedBook, now_ns: int) -> None:
        """Wait for the snapshot that the server sends by itself; if none comes in time, connect anew."""
        book.is_wanted = True
        if book.asked_ns < 0 or now_ns < book.asked_ns:
            book.asked_ns = now_ns
            self._wake(now_ns + self.snapshot_timeout_ns)
        elif now_ns - book.asked_ns >= self.snapshot_timeout_ns:
            book.asked_ns = now_ns
            self._pending[Reconnect] = Reconnect(f"no snapshot of {book.symbol} has come")
            self._wake(now_ns + self.snapshot_timeout_ns)

    def answered(self, book: FeedBook) -> None:
        book.asked_ns = -1

    def on_close(self, receive_ns: int, sink: Sink, symbols: Iterable[str] | None = None) -> None:
        super().on_close(receive_ns, sink, symbols)
        for symbol in list(self.books) if symbols is None else symbols:
            if (book := self.books.get(symbol)) is not None:
                self.request(book, receive_ns)

    def guess_instrument(self, symbol: str) -> dict[str, Any]:
        return fields_from_symbol(symbol, self.name or "tardis", self.market_name)
