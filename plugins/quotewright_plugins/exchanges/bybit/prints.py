"""What Bybit tells besides its books: best quotes, trades, tickers, options, liquidations, open interest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from quotewright.errors import InputError
from quotewright.feed import BadFrame, FeedAdapter
from quotewright.kernel.codes import BUY, NO_MARKET, NO_SIDE, SELL
from quotewright.tape.sink import OptionSummary
from quotewright_plugins.exchanges.bybit import messages
from quotewright_plugins.exchanges.bybit.instruments import option_terms
from quotewright_plugins.exchanges.bybit.messages import (
    MILLISECOND,
    Best,
    ForcedOrders,
    OptionData,
    OptionTicker,
    PastTrades,
    Ticker,
    TickerData,
    Trades,
    check,
    is_zero,
    milliseconds,
    trade_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quotewright.tape.sink import Sink

SIDES = {"Buy": BUY, "Sell": SELL}
FORCED = {"Buy": SELL, "Sell": BUY}
"""The venue names the side of the position that was liquidated; the forced order has the other one."""

_RECENT = 1_024
_STALE_RUN = 100


class _Symbol:
    """What the adapter remembers of one symbol beside its book."""

    __slots__ = (
        "best",
        "best_id",
        "has_all_liquidations",
        "interest_ms",
        "next_funding_ns",
        "rate",
        "recent",
        "stale_run",
    )

    def __init__(self) -> None:
        self.best: tuple[str, str, str, str] | None = None
        self.best_id = -1
        self.stale_run = 0
        self.recent: dict[int, None] = {}
        self.rate = ""
        self.next_funding_ns = 0
        self.interest_ms = -1
        self.has_all_liquidations = False


class Prints(FeedAdapter):
    """The part of the adapter that writes everything but books; needs no sequencing."""

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, _Symbol] = {}

    def _symbol(self, symbol: str, sent: str) -> _Symbol | None:
        """Return what is remembered of *symbol*; None if it is not followed."""
        if sent != symbol:
            raise BadFrame("symbol", f"the stream of {symbol} carries {sent[:64]!r}")
        known = self._symbols.get(symbol)
        if known is None:
            if (self.subscribed and symbol not in self.subscribed) or len(self._symbols) >= self.book_limit:
                self.counters.unlisted += 1
                return None
            if not 0 < len(symbol) <= 64 or not symbol.isprintable():
                raise BadFrame("symbol", f"{symbol[:64]!r} is not a symbol")
            known = self._symbols[symbol] = _Symbol()
        return known

    def _write(
        self,
        symbol: str,
        event_ns: int,
        receive_ns: int,
        sink: Sink,
        rows: Iterable[Callable[[], None]],
        id: int = 0,
        stamp_ns: int = 0,
    ) -> None:
        """Write *rows* as one message, whole or not at all."""
        if sink.begin(symbol, event_ns, receive_ns, 0, id, stamp_ns):
            try:
                for row in rows:
                    row()
            except InputError:
                sink.abandon()
                raise
            sink.end()

    # Best quotes.

    def _on_best(self, event: Best, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write the best quotes; the same ones are sent again, under the same ``u``, when nothing moved for 3 s."""
        data = event.data
        known = self._symbols.get(symbol)
        if known is None or data.s != symbol:
            known = self._symbol(symbol, data.s)
            if known is None:
                return
        if self.is_sequenced and data.u <= known.best_id and data.u != 1:
            known.stale_run += 1
            if data.u == known.best_id:
                self.counters.ignore("repeat")
                return
            if known.stale_run < _STALE_RUN:  # a venue that counts anew without saying so is believed in the end
                self.counters.stale_dropped += 1
                return
        if event.type == "snapshot" or data.u == 1:
            best = (*_first(data.b), *_first(data.a))
        elif known.best is not None:
            bid, bid_size, offer, offer_size = known.best
            best = (*_changed(bid, bid_size, data.b), *_changed(offer, offer_size, data.a))
        else:  # an early shape of this stream sends deltas; they mean nothing without the image
            self.counters.buffer_dropped += 1
            return
        stamp = event.ts * MILLISECOND
        self._write(
            symbol,
            event.cts * MILLISECOND or stamp,
            receive_ns,
            sink,
            (partial(sink.best, *best),),
            data.u,
            stamp,
        )
        known.best, known.best_id, known.stale_run = best, data.u, 0

    # Trades.

    def _on_trades(self, event: Trades, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write the fills of one frame; all of them are checked before the first is written.

        Block trades and those with hidden retail quotes (RPI) take nothing from the published book. Where updates
        are written as they come they are shown as any other trade.
        """
        is_base = self._is_base(symbol)
        for trade in event.data:
            self._check_trade(trade.s, "" if is_base else symbol, trade.p, trade.v)
            if is_base and self.is_sequenced and not trade.s.startswith(symbol + "-"):
                raise BadFrame("symbol", f"the stream of {symbol} carries {trade.s[:64]!r}")
        for trade in event.data:
            flags = NO_MARKET if (trade.BT or trade.RPI) and self.is_sequenced else 0
            self._print(trade.s, trade.T, receive_ns, trade.S, trade.p, trade.v, trade.i, flags, sink)

    def _is_base(self, symbol: str) -> bool:
        """Return whether *symbol* is a coin: the trades of all its options come on one stream."""
        return False

    def _check_trade(self, sent: str, symbol: str, price: str, size: str) -> None:
        if symbol and sent != symbol:
            raise BadFrame("symbol", f"the stream of {symbol} carries {sent[:64]!r}")
        if not 0 < len(sent) <= 64 or not sent.isprintable():
            raise BadFrame("symbol", f"{sent[:64]!r} is not a symbol")
        check(price, f"{sent} trade price")
        check(size, f"{sent} trade size")

    def _print(
        self,
        symbol: str,
        stamp: int,
        receive_ns: int,
        side: str,
        price: str,
        size: str,
        name: str,
        flags: int,
        sink: Sink,
    ) -> None:
        known = self._symbol(symbol, symbol)
        if known is None:
            return
        if is_zero(size):
            self.counters.empty_trades += 1
            return
        number, name = trade_id(name)
        if self.is_sequenced:
            recent = known.recent
            if number in recent:
                self.counters.duplicate_trades += 1
                return
            recent[number] = None
            if len(recent) >= 2 * _RECENT:
                for old in list(recent)[:_RECENT]:
                    del recent[old]
        if sink.begin(symbol, stamp * MILLISECOND, receive_ns, flags, number):
            try:
                sink.trade(SIDES.get(side, NO_SIDE), price, size, number, flags, name)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.trades += 1

    def _past_trades(self, answer: PastTrades, receive_ns: int, sink: Sink) -> None:
        """Write the trades of a REST answer, which names the latest first."""
        trades = [(milliseconds(trade.time, "time"), trade) for trade in reversed(answer.rows)]
        for _, trade in trades:
            self._check_trade(trade.symbol, "", trade.price, trade.size)
        for stamp, trade in trades:
            flags = NO_MARKET if (trade.isBlockTrade or trade.isRPITrade) and self.is_sequenced else 0
            self._print(trade.symbol, stamp, receive_ns, trade.side, trade.price, trade.size, trade.execId, flags, sink)

    # References.

    def _on_ticker(self, event: Ticker, symbol: str, receive_ns: int, sink: Sink) -> None:
        known = self._symbol(symbol, event.data.symbol)
        if known is not None:
            self._reference(known, event.data, event.ts * MILLISECOND, receive_ns, sink)

    def _reference(self, known: _Symbol, data: TickerData, event_ns: int, receive_ns: int, sink: Sink) -> None:
        """Write what a ticker names; a zero price says that there is none."""
        rows: list[Callable[[], None]] = []
        for text, write in ((data.lastPrice, sink.last), (data.markPrice, sink.mark), (data.indexPrice, sink.index)):
            if text and not is_zero(text):
                rows.append(partial(write, text))
        if data.openInterest:
            rows.append(partial(sink.open_interest, data.openInterest))
        next_ns = milliseconds(data.nextFundingTime, "nextFundingTime") * MILLISECOND or known.next_funding_ns
        rate = data.fundingRate or known.rate
        if rate and (data.fundingRate or next_ns != known.next_funding_ns):
            rows.append(partial(sink.funding, rate, next_ns))
        self._write(data.symbol, event_ns, receive_ns, sink, rows)
        known.rate, known.next_funding_ns = rate, next_ns

    def _on_option(self, event: OptionTicker, symbol: str, receive_ns: int, sink: Sink) -> None:
        if self._symbol(symbol, event.data.symbol) is not None:
            self._option(event.data, event.ts * MILLISECOND, receive_ns, sink)

    def _option(self, data: OptionData, event_ns: int, receive_ns: int, sink: Sink) -> None:
        """Write an option's summary; zero stands for what is not there: no bid, no volatility, no greek."""
        terms = option_terms(data.symbol)
        summary = OptionSummary(
            right=terms.right,
            strike=terms.strike,
            expiry_ns=terms.expiry_ns,
            bid_price=_told(data.bidPrice or data.bid1Price),
            bid_size=_told(data.bidSize or data.bid1Size),
            bid_iv=_told(data.bidIv or data.bid1Iv),
            offer_price=_told(data.askPrice or data.ask1Price),
            offer_size=_told(data.askSize or data.ask1Size),
            offer_iv=_told(data.askIv or data.ask1Iv),
            last_price=_told(data.lastPrice),
            open_interest=_told(data.openInterest),
            mark_price=_told(data.markPrice),
            mark_iv=_told(data.markPriceIv or data.markIv),
            delta=_told(data.delta),
            gamma=_told(data.gamma),
            vega=_told(data.vega),
            theta=_told(data.theta),
            underlying_price=_told(data.underlyingPrice),
        )
        self._write(data.symbol, event_ns, receive_ns, sink, (partial(sink.option, summary),))

    def _open_interests(self, answer: messages.OpenInterests, receive_ns: int, sink: Sink) -> None:
        """Write those of a REST answer (the latest first) that are news."""
        known = self._symbol(answer.symbol, answer.symbol)
        if known is None:
            return
        for stamp, size in sorted((milliseconds(row.timestamp, "timestamp"), row.openInterest) for row in answer.rows):
            if stamp > known.interest_ms:
                row = partial(sink.open_interest, size)
                self._write(answer.symbol, stamp * MILLISECOND, receive_ns, sink, (row,))
                known.interest_ms = stamp

    # Liquidations.

    def _on_forced(self, event: ForcedOrders, symbol: str, receive_ns: int, sink: Sink) -> None:
        for order in event.data:
            self._check_trade(order.s, symbol, order.p, order.v)
            forced_side(order.S)
        for order in event.data:
            known = self._symbol(symbol, order.s)
            if known is not None:
                known.has_all_liquidations = True
                row = partial(sink.liquidation, forced_side(order.S), order.p, order.v)
                self._write(symbol, order.T * MILLISECOND, receive_ns, sink, (row,))


def forced_side(position: str) -> int:
    """Return the side of the order that closes a *position* by force."""
    side = FORCED.get(position)
    if side is None:
        raise BadFrame("shape", f"the side should be Buy or Sell, was {position[:20]!r}")
    return side


def _told(text: str) -> str:
    return "" if is_zero(text) else text


def _first(levels: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the best level that holds something; a side may be empty."""
    for price, size in levels:
        if not is_zero(check(size, "best size")):
            return check(price, "best price"), size
    return "", ""


def _changed(price: str, size: str, levels: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the side's best level after a delta: the one it sets, none if it deletes the one that was best."""
    found = _first(levels)
    if found[0] or any(deleted == price for deleted, _ in levels):
        return found
    return price, size
