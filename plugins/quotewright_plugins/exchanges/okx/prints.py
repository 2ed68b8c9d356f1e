"""What OKX tells besides its books: trades, tickers, references, liquidations, option summaries, instruments."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import attrs

from quotewright.errors import InputError
from quotewright.feed import BadFrame, FeedAdapter
from quotewright.kernel.codes import AGGREGATED, BUY, SELL, STATUS_NAMES
from quotewright.tape.sink import OptionSummary
from quotewright_plugins.exchanges.okx import messages
from quotewright_plugins.exchanges.okx.instruments import STATES, kind_of, option_terms, pair_of
from quotewright_plugins.exchanges.okx.messages import MILLISECOND, NO_SEQ, Forced, stamp_ns

if TYPE_CHECKING:
    from quotewright.tape.sink import Sink
    from quotewright_plugins.exchanges.okx.books import Route

_RECENT = 256
_PAIRS = 20_000
TBT_FROM_NS = 1_651_795_200_000_000_000
"""2022-05-06: from here on Tardis shows the best quotes of ``bbo-tbt`` and no longer those of ``tickers``."""
_NUMBER = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
SIDES = {"buy": BUY, "sell": SELL}
KINDS = {"SPOT": "spot", "MARGIN": "spot", "SWAP": "perp", "FUTURES": "future", "OPTION": "option"}
MARKET_KINDS = {"spot": "spot", "swap": "perp", "futures": "future", "option": "option"}


class _Symbol:
    """What the adapter remembers of one instrument beside its book."""

    __slots__ = (
        "best_id",
        "best_stamp",
        "has_best",
        "has_singles",
        "index",
        "kind",
        "last_trade",
        "pair",
        "recent",
        "summary",
        "symbol",
    )

    def __init__(self, symbol: str, kind: str) -> None:
        self.symbol = symbol
        self.kind = kind
        self.pair = pair_of(symbol)
        self.index = ""
        """The index price written last for it."""
        self.best_id = NO_SEQ
        self.best_stamp = 0
        self.has_best = False
        """Its own stream of best quotes comes; those of tickers are older news."""
        self.has_singles = False
        """Single trades come; aggregated ones would be the same again."""
        self.last_trade = -1
        self.recent: list[int] = []
        self.summary = OptionSummary()


class Prints(FeedAdapter):
    """The part of the adapter that writes everything but books; needs no sequencing."""

    def __init__(self) -> None:
        super().__init__()
        self._symbols: dict[str, _Symbol] = {}
        self._indexes: dict[str, str] = {}

    def _symbol(self, symbol: str, sent: str, type: str = "") -> _Symbol | None:
        """Return what is remembered of *symbol*; None if it is not followed. *type* is the venue's instType."""
        if sent != symbol:
            raise BadFrame("symbol", f"the stream of {symbol} carries {sent[:64]!r}")
        known = self._symbols.get(symbol)
        if known is None:
            if (self.subscribed and symbol not in self.subscribed) or len(self._symbols) >= self.book_limit:
                self.counters.unlisted += 1
                return None
            if not 0 < len(symbol) <= 64 or not symbol.isprintable():
                raise BadFrame("symbol", f"{symbol[:64]!r} is not a symbol")
            kind = KINDS.get(type, "")
            if not kind or kind == "spot":
                kind = kind_of(symbol) or kind or MARKET_KINDS.get(self.market_name, "spot")
            known = self._symbols[symbol] = _Symbol(symbol, kind)
        return known

    # Trades.

    def _on_trades(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        is_single = route.arg.channel == "trades-all"
        for trade in messages.TRADES.decode(frame).data:
            self._print(trade, route.symbol or trade.instId, is_single, receive_ns, sink)

    def _print(self, trade: messages.Trade, symbol: str, is_single: bool, receive_ns: int, sink: Sink) -> None:
        known = self._symbol(symbol, trade.instId)
        if known is None:
            return
        side = SIDES.get(trade.side)
        if side is None:
            raise BadFrame("shape", f"{symbol} side of a trade should be buy or sell, was {trade.side[:20]!r}")
        if known.has_singles and not is_single:
            self.counters.aggregated_dropped += 1
            return
        if not trade.tradeId:
            raise BadFrame("shape", f"{symbol} trade: tradeId is empty")
        if _is_zero(trade.sz):
            self.counters.empty_trades += 1
            return
        name = "" if _is_id(trade.tradeId) else trade.tradeId
        id = _hashed(name) if name else int(trade.tradeId)
        if self.is_sequenced and id in known.recent and (name or id <= known.last_trade):
            self.counters.duplicate_trades += 1
            return
        flags = AGGREGATED if trade.count not in ("", "0", "1") else 0
        if sink.begin(symbol, int(trade.ts) * MILLISECOND, receive_ns, flags, id):
            try:
                sink.trade(side, trade.px, trade.sz, id, flags, name)
            except InputError:
                sink.abandon()
                raise
            sink.end()
        self.counters.trades += 1
        known.has_singles = known.has_singles or is_single
        known.last_trade = max(id, known.last_trade)
        known.recent.append(id)
        if len(known.recent) >= 2 * _RECENT:
            del known.recent[:_RECENT]

    # Tickers and references.

    def _on_tickers(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        for ticker in messages.TICKERS.decode(frame).data:
            symbol = route.symbol or ticker.instId
            known = self._symbol(symbol, ticker.instId, ticker.instType)
            if known is None:
                continue
            _check(ticker.last, f"{symbol} last")
            quotes = bool(ticker.bidPx or ticker.askPx) and not known.has_best
            if not self.is_sequenced and receive_ns >= TBT_FROM_NS:
                quotes = False
            if known.kind == "option":
                known.summary = attrs.evolve(
                    known.summary,
                    last_price=ticker.last,
                    bid_price=ticker.bidPx,
                    bid_size=ticker.bidSz,
                    offer_price=ticker.askPx,
                    offer_size=ticker.askSz,
                )
            if not sink.begin(symbol, int(ticker.ts) * MILLISECOND, receive_ns):
                continue
            try:
                index = self._new_index(known)
                if ticker.last and known.kind in ("perp", "future"):
                    sink.last(ticker.last)
                    if index:
                        sink.index(index)
                if quotes:
                    sink.best(ticker.bidPx, ticker.bidSz, ticker.askPx, ticker.askSz)
            except InputError:
                sink.abandon()
                raise
            sink.end()
            if ticker.last:
                known.index = index or known.index

    def _new_index(self, known: _Symbol) -> str:
        """Return the index price of the instrument's pair if it is not the one written for it last; else empty."""
        if known.kind not in ("perp", "future"):
            return ""
        held = self._indexes.get(known.pair, "")
        return held if held != known.index else ""

    def _on_funding(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        for row in messages.FUNDINGS.decode(frame).data:
            symbol = route.symbol or row.instId
            known = self._symbol(symbol, row.instId, row.instType)
            if known is None:
                continue
            _check(row.fundingRate, f"{symbol} fundingRate")
            _check(row.nextFundingRate, f"{symbol} nextFundingRate")
            next_ns = stamp_ns(row.fundingTime, f"{symbol} fundingTime")
            if sink.begin(symbol, int(row.ts) * MILLISECOND, receive_ns):
                index = self._new_index(known)
                try:
                    if row.fundingRate:
                        sink.funding(row.fundingRate, next_ns)
                    if row.nextFundingRate:
                        sink.predicted_funding(row.nextFundingRate)
                    if index:
                        sink.index(index)
                except InputError:
                    sink.abandon()
                    raise
                sink.end()
                known.index = index or known.index

    def _on_mark(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        for row in messages.MARKS.decode(frame).data:
            self._reference(row.instId, row.instType, row.ts, "mark", row.markPx, route, receive_ns, sink)

    def _on_interest(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        for row in messages.INTERESTS.decode(frame).data:
            self._reference(row.instId, row.instType, row.ts, "interest", row.oi, route, receive_ns, sink)

    def _reference(
        self, sent: str, type: str, stamp: str, what: str, value: str, route: Route, receive_ns: int, sink: Sink
    ) -> None:
        """Write a mark price or open interest; of options it waits for the summary where those come normalised."""
        symbol = route.symbol or sent
        known = self._symbol(symbol, sent, type)
        if known is None:
            return
        if known.kind == "spot":  # the mark price of a margin pair: nothing trades at it
            self.counters.ignore(f"{what} of spot")
            return
        if not value:
            raise BadFrame("number", f"{symbol} {what}: the number is empty")
        _check(value, f"{symbol} {what}")
        if value[0] == "-":
            raise BadFrame("number", f"{symbol} {what} should not be negative, was {value[:40]!r}")
        is_held = known.kind == "option" and not self.is_sequenced
        if not sink.begin(symbol, int(stamp) * MILLISECOND, receive_ns):
            return
        index = self._new_index(known)
        try:
            if what == "mark" and not is_held:
                sink.mark(value)
            elif not is_held:
                sink.open_interest(value)
            if index:
                sink.index(index)
        except InputError:
            sink.abandon()
            raise
        sink.end()
        known.index = index or known.index
        if known.kind == "option":
            told: dict[str, Any] = {"mark_price" if what == "mark" else "open_interest": value}
            known.summary = attrs.evolve(known.summary, **told)

    def _on_index(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Hold the index price of a pair for the instruments on it."""
        for row in messages.INDEXES.decode(frame).data:
            if route.symbol and row.instId != route.symbol:
                raise BadFrame("symbol", f"the stream of {route.symbol} carries {row.instId[:64]!r}")
            _check(row.idxPx, f"{row.instId[:64]} idxPx")
            if not row.idxPx or row.idxPx[0] == "-" or _is_zero(row.idxPx):
                raise BadFrame("number", f"{row.instId[:64]} idxPx should be positive, was {row.idxPx[:40]!r}")
            if row.instId in self._indexes or len(self._indexes) < _PAIRS:
                self._indexes[row.instId] = row.idxPx

    # Options.

    def _on_summaries(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        for row in messages.SUMMARIES.decode(frame).data:
            known = self._symbol(row.instId, row.instId, "OPTION")
            if known is None:
                continue
            try:
                terms = option_terms(row.instId)
            except InputError as error:
                raise BadFrame("symbol", str(error)) from None
            for field in ("delta", "gamma", "vega", "theta", "markVol", "bidVol", "askVol"):
                _check(getattr(row, field), f"{row.instId} {field}")
            index = row.uly or known.pair
            summary = attrs.evolve(
                known.summary,
                right=terms.right,
                strike=terms.strike,
                expiry_ns=terms.expiry_ns,
                delta=row.delta,
                gamma=row.gamma,
                vega=row.vega,
                theta=row.theta,
                mark_iv=row.markVol,
                bid_iv=row.bidVol,
                offer_iv=row.askVol,
                underlying_price=self._indexes.get(index, ""),
                underlying_index=index,
            )
            if sink.begin(row.instId, int(row.ts) * MILLISECOND, receive_ns):
                try:
                    sink.option(summary)
                except InputError:
                    sink.abandon()
                    raise
                sink.end()
            known.summary = summary

    # Liquidations and states.

    def _on_liquidations(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        for row in messages.LIQUIDATIONS.decode(frame).data:
            if self._symbol(row.instId, row.instId, route.arg.instType) is not None:
                for order in row.details:
                    self._forced(row.instId, order, receive_ns, sink)

    def _on_forced(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write the liquidations that recordings of Tardis carry, made of REST answers."""
        if self._symbol(route.symbol, route.symbol) is not None:
            for order in messages.FORCED_ORDERS.decode(frame).data:
                self._forced(route.symbol, order, receive_ns, sink)

    def _forced(self, symbol: str, order: Forced, receive_ns: int, sink: Sink) -> None:
        side = SIDES.get(order.side)
        if side is None:
            raise BadFrame("shape", f"{symbol} side of a liquidation should be buy or sell, was {order.side[:20]!r}")
        if sink.begin(symbol, int(order.ts) * MILLISECOND, receive_ns):
            try:
                sink.liquidation(side, order.bkPx, order.sz)
            except InputError:
                sink.abandon()
                raise
            sink.end()

    def _on_listings(self, frame: bytes, route: Route, receive_ns: int, sink: Sink) -> None:
        """Write the states, ticks and lots of changed instruments."""
        for row in messages.LISTINGS.decode(frame).data:
            if self.subscribed and row.instId not in self.subscribed:
                continue  # the channel tells of every instrument of its type
            if not row.instId.isprintable() or not 0 < len(row.instId) <= 64:
                raise BadFrame("symbol", f"{row.instId[:64]!r} is not a symbol")
            event_ns = stamp_ns(row.uTime, f"{row.instId} uTime")
            if sink.begin(row.instId, event_ns, receive_ns):
                try:
                    if row.state:
                        sink.status(STATUS_NAMES.index(STATES.get(row.state, "halted")))
                    if row.tickSz and row.lotSz:
                        sink.change(row.tickSz, row.lotSz)
                except InputError:
                    sink.abandon()
                    raise
                sink.end()


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18 and (text == "0" or text[0] != "0")


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def _is_zero(size: str) -> bool:
    """Return whether *size* is written with zeros and a point alone."""
    return not size.strip("0.") and "0" in size


def _check(text: str, field: str) -> None:
    """Refuse what is no decimal number that somebody may mean; the text may be empty."""
    if text and not _NUMBER.fullmatch(text):
        raise BadFrame("number", f"{field} should be a decimal number, was {text[:40]!r}")
