"""What Binance tells besides its books: best quotes, trades, references, liquidations, open interest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.feed import BadFrame, FeedAdapter
from quotewright.kernel.codes import AGGREGATED, BUY, NO_MARKET, NO_SIDE, SELL
from quotewright_plugins.exchanges.binance import messages
from quotewright_plugins.exchanges.binance.messages import (
    NO_ID,
    AggTrade,
    BestQuote,
    ForceOrder,
    MarkPrice,
    Trade,
    nanoseconds,
)

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

_RECENT = 256


class _Symbol:
    """What the adapter remembers of one symbol beside its book: what was printed, which best quote was last."""

    __slots__ = ("best_id", "last_aggregate", "last_aggregate_trade", "last_trade", "recent", "symbol", "trades_seen")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.best_id = NO_ID
        self.last_trade = NO_ID
        self.recent: list[int] = []
        self.trades_seen = False
        self.last_aggregate = NO_ID
        self.last_aggregate_trade = NO_ID


class Prints(FeedAdapter):
    """The part of the adapter that writes everything but books; needs no sequencing."""

    def __init__(self, is_spot: bool) -> None:
        super().__init__()
        self._is_spot = is_spot
        self._symbols: dict[str, _Symbol] = {}

    def _symbol(self, symbol: str, sent: str) -> _Symbol | None:
        """Return what is remembered of *symbol*; None if it is not followed."""
        if sent != symbol:
            raise BadFrame("symbol", f"the stream of {symbol} carries {sent!r}")
        known = self._symbols.get(symbol)
        if known is None:
            if (self.subscribed and symbol not in self.subscribed) or len(self._symbols) >= self.book_limit:
                self.counters.unlisted += 1
                return None
            if not 0 < len(symbol) <= 64 or not symbol.isprintable():
                raise BadFrame("symbol", f"{symbol[:64]!r} is not a symbol")
            known = self._symbols[symbol] = _Symbol(symbol)
        return known

    def _on_best(self, event: BestQuote, symbol: str, receive_ns: int, sink: Sink) -> None:
        known = self._symbols.get(symbol)
        if known is None or event.s != symbol:
            known = self._symbol(symbol, event.s)
            if known is None:
                return
        if not (event.b and event.B and event.a and event.A):
            raise BadFrame("number", f"{symbol} best quote: a price or a size is empty")
        if event.u < known.best_id:
            self.counters.stale_dropped += 1
            return
        stamp = event.T or event.E
        if sink.begin(
            symbol, stamp * 1_000_000 if stamp < 9_200_000_000_000 else stamp * 1_000, receive_ns, 0, event.u
        ):
            try:
                sink.best(event.b, event.B, event.a, event.A)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        known.best_id = event.u

    def _on_trade(self, event: Trade, symbol: str, receive_ns: int, sink: Sink) -> None:
        known = self._symbol(symbol, event.s)
        if known is None:
            return
        if event.X if self._is_spot else event.M is not None:
            raise BadFrame("market", "the trade is of another market")
        if _is_zero(event.q):  # futures print adjustments without size (X "NA")
            self.counters.empty_trades += 1
            return
        recent = known.recent
        if event.t <= known.last_aggregate_trade or (event.t <= known.last_trade and event.t in recent):
            self.counters.duplicate_trades += 1
            return
        flags = NO_MARKET if event.X and event.X != "MARKET" else 0
        side = NO_SIDE if event.m is None else SELL if event.m else BUY
        self._print(symbol, event.T or event.E, receive_ns, side, event.p, event.q, event.t, flags, sink)
        known.trades_seen = True
        known.last_trade = max(event.t, known.last_trade)
        recent.append(event.t)
        if len(recent) >= 2 * _RECENT:
            del recent[:_RECENT]

    def _on_aggregate(self, event: AggTrade, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Print an aggregated trade unless the single trades of this symbol come too: nothing is printed twice."""
        known = self._symbol(symbol, event.s)
        if known is None:
            return
        if known.trades_seen:
            self.counters.aggregated_dropped += 1
            return
        if _is_zero(event.q):
            self.counters.empty_trades += 1
            return
        if event.a <= known.last_aggregate:
            self.counters.duplicate_trades += 1
            return
        side = NO_SIDE if event.m is None else SELL if event.m else BUY
        self._print(symbol, event.T or event.E, receive_ns, side, event.p, event.q, event.a, AGGREGATED, sink)
        known.last_aggregate = event.a
        known.last_aggregate_trade = max(event.l, known.last_aggregate_trade)

    def _print(
        self,
        symbol: str,
        stamp: int,
        receive_ns: int,
        side: int,
        price: str,
        size: str,
        id: int,
        flags: int,
        sink: Sink,
    ) -> None:
        if sink.begin(symbol, nanoseconds(stamp), receive_ns, flags, id):
            try:
                sink.trade(side, price, size, id, flags)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.trades += 1

    def _on_mark(self, event: MarkPrice, symbol: str, receive_ns: int, sink: Sink) -> None:
        if self._symbol(symbol, event.s) is not None:
            self._reference(symbol, event.E, receive_ns, event.p, event.i, event.r, event.T, sink)

    def _reference(
        self,
        symbol: str,
        stamp: int,
        receive_ns: int,
        mark: str,
        index: str,
        rate: str,
        next_stamp: int,
        sink: Sink,
    ) -> None:
        """Write mark price, index price and funding as one message; dated futures send no rate."""
        if not sink.begin(symbol, nanoseconds(stamp), receive_ns):
            return
        try:
            sink.mark(mark)
            if index:
                sink.index(index)
            if rate:
                sink.funding(rate, nanoseconds(next_stamp))
        except InputError:
            sink.abandon()
            raise
        sink.end()

    def _on_liquidation(self, event: ForceOrder, symbol: str, receive_ns: int, sink: Sink) -> None:
        order = event.o
        if self._symbol(symbol, order.s) is None:
            return
        if order.S not in ("BUY", "SELL"):
            raise BadFrame("shape", f"o.S should be BUY or SELL, was {order.S[:20]!r}")
        size = order.z if order.z and not _is_zero(order.z) else order.q
        if sink.begin(symbol, nanoseconds(order.T or event.E), receive_ns):
            try:
                sink.liquidation(BUY if order.S == "BUY" else SELL, order.p, size)
            except InputError:
                sink.abandon()
                raise
            sink.end()

    def _on_open_interest(self, body: bytes, receive_ns: int, sink: Sink) -> None:
        answer = messages.OPEN_INTEREST.decode(body)
        if self._symbol(answer.symbol, answer.symbol) is None:
            return
        if sink.begin(answer.symbol, nanoseconds(answer.time), receive_ns):
            try:
                sink.open_interest(answer.openInterest)
            except InputError:
                sink.abandon()
                raise
            sink.end()

    def _on_premium_index(self, body: bytes, receive_ns: int, sink: Sink) -> None:
        answer = messages.PREMIUM_INDEX.decode(body)
        if self._symbol(answer.symbol, answer.symbol) is not None:
            self._reference(
                answer.symbol,
                answer.time,
                receive_ns,
                answer.markPrice,
                answer.indexPrice,
                answer.lastFundingRate,
                answer.nextFundingTime,
                sink,
            )


def _is_zero(size: str) -> bool:
    """Return whether *size* is written with zeros and a point alone."""
    return not size.strip("0.") and "0" in size
