"""What Binance tells besides its books: best quotes, trades, references, liquidations, open interest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.feed import BadFrame, FeedAdapter
from quotewright.kernel.codes import AGGREGATED, BUY, NO_MARKET, NO_SIDE, SELL, STATUS_NAMES
from quotewright_plugins.exchanges.binance import messages
from quotewright_plugins.exchanges.binance.messages import (
    NO_ID,
    AggTrade,
    BestQuote,
    ContractInfo,
    ForceOrder,
    IndexPrice,
    MarkPrice,
    Ticker,
    Trade,
    nanoseconds,
)

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink

STATUS = {
    "TRADING": "trading",
    "CANCEL_ONLY": "cancel_only",
    "PRE_DELIVERING": "cancel_only",
    "PRE_SETTLE": "cancel_only",
    "PENDING_TRADING": "closed",
    "DELIVERING": "closed",
    "DELIVERED": "closed",
    "SETTLING": "closed",
    "CLOSE": "closed",
    "EXPIRED": "closed",
}
"""Our word for each state that Binance documents; any other (HALT, BREAK, END_OF_DAY, …) is taken for halted."""

_RECENT = 256
_STALE_RUN = 100
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


class _Symbol:
    """What the adapter remembers of one symbol beside its book: what was printed, which best quote was last."""

    __slots__ = (
        "best_id",
        "index",
        "last_aggregate",
        "last_aggregate_trade",
        "last_trade",
        "pair",
        "recent",
        "stale_run",
        "symbol",
        "told_ns",
        "trades_seen",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.pair = symbol.partition("_")[0]
        self.index = ""
        """The pair's index price as it was written last."""
        self.told_ns = 0
        """Time of the last reference or ticker: open interest comes without one."""
        self.best_id = NO_ID
        self.stale_run = 0
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
        self._indexes: dict[str, str] = {}
        """Index prices by pair, where they come on streams of their own."""

    def on_close(self, receive_ns: int, sink: Sink, symbols: Iterable[str] | None = None) -> None:
        symbols = None if symbols is None else list(symbols)
        super().on_close(receive_ns, sink, symbols)
        for symbol in self._symbols if symbols is None else symbols:
            if symbol in self._symbols:
                self._symbols[symbol].best_id = NO_ID

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
        if event.u < known.best_id and self.is_sequenced:
            self.counters.stale_dropped += 1
            known.stale_run += 1
            if known.stale_run >= _STALE_RUN:  # the venue counts anew
                known.best_id = NO_ID
            return
        sent = nanoseconds(event.E)
        happened = nanoseconds(event.T) or sent
        if sink.begin(symbol, happened, receive_ns, 0, event.u, happened if self.market_name == "option" else sent):
            try:
                sink.best(event.b, event.B, event.a, event.A)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        known.best_id = event.u
        known.stale_run = 0

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
        is_known = self.is_sequenced and event.t <= known.last_trade and event.t in recent
        if is_known or event.t <= known.last_aggregate_trade:
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
        known = self._symbol(symbol, event.s)
        if known is not None:
            self._reference(known, event.E, receive_ns, event.p, event.i, event.r, event.T, sink)

    def _reference(
        self,
        known: _Symbol,
        stamp: int,
        receive_ns: int,
        mark: str,
        index: str,
        rate: str,
        next_stamp: int,
        sink: Sink,
    ) -> None:
        """Write mark price, index price and funding as one message; dated futures have no rate, or none that is due."""
        event_ns = nanoseconds(stamp)
        if sink.begin(known.symbol, event_ns, receive_ns):
            try:
                sink.mark(mark)
                if index:
                    sink.index(index)
                else:
                    self._pair_index(known, sink)
                if rate and next_stamp:
                    sink.funding(plain(rate, "funding rate", True), nanoseconds(next_stamp))
            except InputError:
                sink.abandon()
                raise
            sink.end()
        known.told_ns = max(known.told_ns, event_ns)

    def _pair_index(self, known: _Symbol, sink: Sink) -> None:
        """Write the index price of the contract's pair if it is news."""
        index = self._indexes.get(known.pair, "")
        if index and index != known.index:
            sink.index(index)
            known.index = index

    def _on_index(self, event: IndexPrice, pair: str, receive_ns: int, sink: Sink) -> None:
        """Hold the index price of a pair: it goes with the next message of each of its contracts."""
        if event.i != pair:
            raise BadFrame("symbol", f"the stream of {pair} carries {event.i!r}")
        self._hold_index(pair, event.p)

    def _hold_index(self, name: str, price: str) -> None:
        if name in self._indexes or len(self._indexes) < self.book_limit:
            self._indexes[name] = plain(price, "index price")

    def _on_ticker(self, event: Ticker, symbol: str, receive_ns: int, sink: Sink) -> None:
        known = self._symbol(symbol, event.s)
        if known is None:
            return
        event_ns = nanoseconds(event.E)
        if sink.begin(symbol, event_ns, receive_ns):
            try:
                sink.last(plain(event.c, "last price"))
                self._pair_index(known, sink)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        known.told_ns = max(known.told_ns, event_ns)

    def _on_contract(self, event: ContractInfo, symbol: str, receive_ns: int, sink: Sink) -> None:
        if self._symbol(symbol, event.s) is None:
            return
        if sink.begin(symbol, nanoseconds(event.E), receive_ns):
            sink.status(STATUS_NAMES.index(STATUS.get(event.cs, "halted")))
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

    def _on_open_interest(self, body: bytes, expected: str, receive_ns: int, sink: Sink) -> None:
        answer = messages.OPEN_INTEREST.decode(body)
        known = self._symbol(expected or answer.symbol, answer.symbol)
        if known is None:
            return
        if sink.begin(known.symbol, nanoseconds(answer.time), receive_ns, stamp_ns=known.told_ns):
            try:
                sink.open_interest(plain(answer.openInterest, "open interest"))
                self._pair_index(known, sink)
            except InputError:
                sink.abandon()
                raise
            sink.end()

    def _on_premium_index(self, body: bytes, receive_ns: int, sink: Sink) -> None:
        answer = messages.PREMIUM_INDEX.decode(body)
        known = self._symbol(answer.symbol, answer.symbol)
        if known is not None:
            self._reference(
                known,
                answer.time,
                receive_ns,
                answer.markPrice,
                answer.indexPrice,
                answer.lastFundingRate,
                answer.nextFundingTime,
                sink,
            )


def plain(text: str, what: str, is_signed: bool = False) -> str:
    """Return *text*; BadFrame if it is no plain decimal number.

    For what is kept to be written later, and for what the tape rounds: no rounding may make a number of nonsense.
    """
    if not _NUMBER.fullmatch(text) or (text[0] == "-" and not is_signed):
        raise BadFrame("number", f"{what} should be a decimal number, was {text[:40]!r}")
    return text


def _is_zero(size: str) -> bool:
    """Return whether *size* is written with zeros and a point alone."""
    return not size.strip("0.") and "0" in size
