"""What Deribit tells besides its books: best quotes, trades, liquidations, tickers, options, indexes, states."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from quotewright.errors import InputError
from quotewright.feed import BadFrame, FeedAdapter
from quotewright.kernel.codes import BUY, HALTED, NO_MARKET, NO_SIDE, SELL, STATUS_NAMES, TRADING
from quotewright.tape.sink import OptionSummary
from quotewright_plugins.exchanges.deribit import messages
from quotewright_plugins.exchanges.deribit.instruments import index_of, is_combo, option_terms, status_of
from quotewright_plugins.exchanges.deribit.messages import (
    MILLISECOND,
    Greeks,
    MarkData,
    PerpetualData,
    PlatformData,
    QuoteData,
    StateData,
    TickerData,
    Trade,
    is_zero,
    number,
    percent,
    told,
    trade_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quotewright.tape.sink import Sink

SIDES = {"buy": BUY, "sell": SELL}
OPPOSITE = {BUY: SELL, SELL: BUY, NO_SIDE: NO_SIDE}
LIQUIDATED = {"M": True, "T": False, "MT": False}
"""Who was liquidated, and whether the forced order was the maker's. Of both, the taker's order is shown."""

_NO_GREEKS = Greeks()
_RECENT = 1_024
_STALE_RUN = 200


class _Symbol:
    """What the adapter remembers of one symbol beside its book."""

    __slots__ = ("has_funding", "keys", "last_seq", "quote_ms", "recent", "stale_run", "status", "ticker_ms")

    def __init__(self) -> None:
        self.recent: dict[int, None] = {}
        self.last_seq = -1
        self.quote_ms = -1
        self.ticker_ms = -1
        self.stale_run = 0
        self.status = TRADING
        self.has_funding = False
        self.keys: dict[str, msgspec.Raw] = {}
        """Of ``incremental_ticker``: everything told so far."""


class Prints(FeedAdapter):
    """The part of the adapter that writes everything but books; needs no sequencing."""

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, _Symbol] = {}
        self._by_index: dict[str, list[str]] = {}

    def _symbol(self, symbol: str, sent: str) -> _Symbol | None:
        """Return what is remembered of *symbol*; None if it is not followed."""
        if sent != symbol:
            raise BadFrame("symbol", f"the channel of {symbol} carries {sent[:64]!r}")
        known = self._symbols.get(symbol)
        if known is None:
            if (self.subscribed and symbol not in self.subscribed) or len(self._symbols) >= self.book_limit:
                self.counters.unlisted += 1
                return None
            if not 0 < len(symbol) <= 64 or not symbol.isprintable():
                raise BadFrame("symbol", f"{symbol[:64]!r} is not a symbol")
            known = self._symbols[symbol] = _Symbol()
            if symbol.count("-") < 2:  # an option's index is its underlying's: its own ticker tells that
                self._by_index.setdefault(index_of(symbol), []).append(symbol)
        return known

    def _is_left_out(self, symbol: str) -> bool:
        """Return whether a list about many instruments names one that is not followed."""
        return is_combo(symbol) or (bool(self.subscribed) and symbol not in self.subscribed)

    def _write(
        self,
        symbol: str,
        stamp: int,
        receive_ns: int,
        sink: Sink,
        rows: Iterable[Callable[[], None]],
        id: int = 0,
    ) -> None:
        """Write *rows* as one message, whole or not at all."""
        if sink.begin(symbol, stamp * MILLISECOND, receive_ns, 0, id):
            try:
                for row in rows:
                    row()
            except InputError:
                sink.abandon()
                raise
            sink.end()

    def _is_late(self, known: _Symbol, stamp: int, newest: int) -> bool:
        """Return whether what was sent at *stamp* is older than what came, in which case it is counted and dropped."""
        if not self.is_sequenced or stamp >= newest:
            known.stale_run = 0
            return False
        known.stale_run += 1
        if known.stale_run >= _STALE_RUN:  # the venue's clock was set back
            known.stale_run = 0
            return False
        self.counters.stale_dropped += 1
        return True

    # Best quotes.

    def _on_quote(self, data: QuoteData, symbol: str, receive_ns: int, sink: Sink) -> None:
        known = self._symbol(symbol, data.instrument_name)
        if known is None or self._is_late(known, data.timestamp, known.quote_ms):
            return
        self._write(symbol, data.timestamp, receive_ns, sink, (partial(sink.best, *_quotes(data)),))
        known.quote_ms = data.timestamp

    # Trades.

    def _on_trades(self, trades: list[Trade], symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write the fills of one frame; all of them are checked before the first is written.

        *symbol* is empty where the channel is about many instruments. Block trades and the legs of combos take
        nothing from the published book.
        """
        checked = []
        for trade in trades:
            sent = trade.instrument_name
            if symbol and sent != symbol:
                raise BadFrame("symbol", f"the channel of {symbol} carries {sent[:64]!r}")
            if not 0 < len(sent) <= 64 or not sent.isprintable():
                raise BadFrame("symbol", f"{sent[:64]!r} is not a symbol")
            if trade.liquidation and trade.liquidation not in LIQUIDATED and trade.liquidation != "none":
                raise BadFrame("shape", f"liquidation should be M, T or MT, was {trade.liquidation[:20]!r}")
            checked.append((number(trade.price, f"{sent} trade price"), number(trade.amount, f"{sent} trade amount")))
        for trade, (price, size) in zip(trades, checked, strict=True):
            if not symbol and self._is_left_out(trade.instrument_name):
                continue
            self._print(trade, price, size, receive_ns, sink)

    def _print(self, trade: Trade, price: str, size: str, receive_ns: int, sink: Sink) -> None:
        symbol = trade.instrument_name
        known = self._symbol(symbol, symbol)
        if known is None:
            return
        if is_zero(size):
            self.counters.empty_trades += 1
            return
        found, name = trade_id(trade.trade_id)
        flags = 0
        if self.is_sequenced:
            if not self._is_new(known, found, trade.trade_seq):
                return
            if trade.block_trade_id is not None or trade.combo_id is not None:
                flags = NO_MARKET
        side = SIDES.get(trade.direction, NO_SIDE)
        rows: list[Callable[[], None]] = [partial(sink.trade, side, price, size, found, flags, name)]
        if trade.liquidation and trade.liquidation != "none":
            forced = OPPOSITE[side] if LIQUIDATED[trade.liquidation] else side
            rows.append(partial(sink.liquidation, forced, price, size, found, name))
        self._write(symbol, trade.timestamp, receive_ns, sink, rows, found)
        self.counters.trades += 1

    def _is_new(self, known: _Symbol, id: int, seq: int | None) -> bool:
        """Return whether a trade is new, and count those that ``trade_seq`` says are missing before it."""
        recent = known.recent
        if id in recent:
            self.counters.duplicate_trades += 1
            return False
        recent[id] = None
        if len(recent) >= 2 * _RECENT:
            for old in list(recent)[:_RECENT]:
                del recent[old]
        if seq is not None:
            if 0 <= known.last_seq < seq - 1:
                self.counters.missing_trades += seq - 1 - known.last_seq
            known.last_seq = max(known.last_seq, seq)
        return True

    # Tickers.

    def _on_ticker(self, data: TickerData, symbol: str, receive_ns: int, sink: Sink) -> None:
        known = self._symbol(symbol, data.instrument_name)
        if known is not None and not self._is_late(known, data.timestamp, known.ticker_ms):
            self._ticker(known, data, receive_ns, sink)

    def _on_increment(self, keys: dict[str, msgspec.Raw], symbol: str, receive_ns: int, sink: Sink) -> None:
        """Lay a change over what was told before, and write all of it as a ticker does."""
        name = messages.NAME.decode(keys["instrument_name"]) if "instrument_name" in keys else symbol
        known = self._symbol(symbol, name)
        if known is None:
            return
        kind = bytes(keys.get("type", b"")).strip(b'"')
        if kind not in (b"snapshot", b"change"):
            raise BadFrame("shape", f"type should be snapshot or change, was {kind[:20]!r}")
        if kind == b"change" and not known.keys:
            self.counters.buffer_dropped += 1
            return
        whole: dict[str, Any] = keys if kind == b"snapshot" else messages.merged(known.keys, keys)
        whole.setdefault("instrument_name", msgspec.Raw(msgspec.json.encode(symbol)))
        data = messages.TICKER_DATA.decode(messages.joined(whole))
        if not self._is_late(known, data.timestamp, known.ticker_ms):
            self._ticker(known, data, receive_ns, sink)
            known.keys = {key: raw for key, raw in whole.items() if key != "type"}

    def _ticker(self, known: _Symbol, data: TickerData, receive_ns: int, sink: Sink) -> None:
        """Write what a ticker tells; a price of zero stands for none."""
        symbol = data.instrument_name
        rows: list[Callable[[], None]] = []
        status = known.status
        if data.state:
            status = STATUS_NAMES.index(status_of(data.state))
            if status != known.status:
                rows.append(partial(sink.status, status))
        has_funding = False
        terms = option_terms(symbol)
        if terms is not None:
            told(data.index_price, "index_price")  # not shown of options, but no message is half believed
            greeks = data.greeks or _NO_GREEKS
            summary = OptionSummary(
                right=terms.right,
                strike=terms.strike,
                expiry_ns=terms.expiry_ns,
                bid_price=told(data.best_bid_price, "best_bid_price"),
                bid_size=told(data.best_bid_amount, "best_bid_amount"),
                bid_iv=percent(told(data.bid_iv, "bid_iv")),
                offer_price=told(data.best_ask_price, "best_ask_price"),
                offer_size=told(data.best_ask_amount, "best_ask_amount"),
                offer_iv=percent(told(data.ask_iv, "ask_iv")),
                last_price=told(data.last_price, "last_price"),
                open_interest=told(data.open_interest, "open_interest"),
                mark_price=told(data.mark_price, "mark_price"),
                mark_iv=percent(told(data.mark_iv, "mark_iv")),
                delta=told(greeks.delta, "delta", True),
                gamma=told(greeks.gamma, "gamma", True),
                vega=told(greeks.vega, "vega", True),
                theta=told(greeks.theta, "theta", True),
                rho=told(greeks.rho, "rho", True),
                underlying_price=told(data.underlying_price, "underlying_price"),
                underlying_index=data.underlying_index or "",
            )
            rows.append(partial(sink.option, summary))
        else:
            for raw, what, write in (
                (data.last_price, "last_price", sink.last),
                (data.mark_price, "mark_price", sink.mark),
                (data.index_price, "index_price", sink.index),
            ):
                text = told(raw, what)
                if text and not is_zero(text):
                    rows.append(partial(write, text))
            if text := told(data.open_interest, "open_interest"):
                rows.append(partial(sink.open_interest, text))
            if text := told(data.current_funding, "current_funding", True):
                rows.append(partial(sink.funding, text, 0))
                has_funding = True
        if data.best_bid_price is not messages.UNSET or data.best_ask_price is not messages.UNSET:
            rows.append(partial(sink.best, *_quotes(data)))
        self._write(symbol, data.timestamp, receive_ns, sink, rows)
        known.status = status
        known.ticker_ms = data.timestamp
        known.has_funding = known.has_funding or has_funding

    def _on_perpetual(self, data: PerpetualData, symbol: str, receive_ns: int, sink: Sink) -> None:
        """Write the index, and the funding where no ticker tells it."""
        known = self._symbol(symbol, symbol)
        if known is None:
            return
        rows: list[Callable[[], None]] = []
        price, rate = told(data.index_price, "index_price"), told(data.interest, "interest", True)
        if price and not is_zero(price):
            rows.append(partial(sink.index, price))
        if rate and not known.has_funding:
            rows.append(partial(sink.funding, rate, 0))
        self._write(symbol, data.timestamp, receive_ns, sink, rows)

    # What is told of many instruments at once.

    def _on_index(self, data: messages.IndexData, index: str, receive_ns: int, sink: Sink) -> None:
        if data.index_name != index:
            raise BadFrame("symbol", f"the channel of {index} carries {data.index_name[:64]!r}")
        price = number(data.price, f"{index} price")
        if is_zero(price):
            raise InputError(f"{index} price should be positive, was {price}")
        for symbol in self._by_index.get(index, ()):
            self._write(symbol, data.timestamp, receive_ns, sink, (partial(sink.index, price),))

    def _on_marks(self, marks: list[MarkData], receive_ns: int, sink: Sink) -> None:
        """Write mark prices of options; here the volatility is a fraction."""
        found = []
        for mark in marks:
            if self._is_left_out(mark.instrument_name):
                continue
            terms = option_terms(mark.instrument_name)
            if terms is None:
                raise BadFrame("symbol", f"{mark.instrument_name[:64]!r} is no option")
            price, volatility = told(mark.mark_price, "mark_price"), told(mark.iv, "iv")
            summary = OptionSummary(
                right=terms.right,
                strike=terms.strike,
                expiry_ns=terms.expiry_ns,
                mark_price=price,
                mark_iv=volatility,
            )
            found.append((mark, summary))
        for mark, summary in found:
            if self._symbol(mark.instrument_name, mark.instrument_name) is not None:
                row = partial(sink.option, summary)
                self._write(mark.instrument_name, mark.timestamp, receive_ns, sink, (row,))

    def _on_state(self, data: StateData, receive_ns: int, sink: Sink) -> None:
        symbol = data.instrument_name
        if self._is_left_out(symbol):
            self.counters.ignore("state of others")
            return
        known = self._symbol(symbol, symbol)
        if known is not None:
            status = STATUS_NAMES.index(status_of(data.state))
            self._write(symbol, data.timestamp, receive_ns, sink, (partial(sink.status, status),))
            known.status = status

    def _on_platform(self, data: PlatformData, receive_ns: int, sink: Sink) -> None:
        """Write that instruments are halted, by maintenance or by the lock of their index, or go on."""
        is_halted = data.maintenance if data.maintenance is not None else data.locked
        if is_halted is None:
            self.counters.ignore("platform_state")
            return
        symbols = self._by_index.get(data.price_index, []) if data.price_index else [*self._symbols]
        for symbol in symbols:
            status = HALTED if is_halted else self._symbols[symbol].status
            self._write(symbol, 0, receive_ns, sink, (partial(sink.status, status),))


def _quotes(data: QuoteData | TickerData) -> tuple[str, str, str, str]:
    """Return the best quotes; a side without a price is empty."""
    bid, offer = told(data.best_bid_price, "best_bid_price"), told(data.best_ask_price, "best_ask_price")
    bid_size = told(data.best_bid_amount, "best_bid_amount")
    offer_size = told(data.best_ask_amount, "best_ask_amount")
    if is_zero(bid):
        bid = bid_size = ""
    if is_zero(offer):
        offer = offer_size = ""
    return bid, bid_size, offer, offer_size
