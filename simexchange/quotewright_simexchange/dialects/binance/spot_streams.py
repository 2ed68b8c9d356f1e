"""Spot market streams: books at their paces, trades, best prices, tickers and candles."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.listings import spot_listings
from quotewright_simexchange.dialects.binance.paced import MS_NS, BookBatch, BookPace, Paced
from quotewright_simexchange.dialects.binance.spot_windows import SpotWindows
from quotewright_simexchange.dialects.binance.streams import Hub, TimeOf
from quotewright_simexchange.dialects.binance.tape import INTERVALS, Aggregate, Tapes, bounds
from quotewright_simexchange.dialects.binance.written import fixed, levels
from quotewright_simexchange.exchange.records import DepthEvent, Event, TradeEvent

if TYPE_CHECKING:
    from quotewright_simexchange.dialects.binance.mean import MeanPrices
    from quotewright_simexchange.exchange.exchange import Exchange

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
NAME = re.compile(
    r"(?P<symbol>[a-z0-9]+)@(?:(?P<live>trade|aggTrade|bookTicker|miniTicker|ticker|avgPrice)|ticker_(?P<window>1h|4h|1d)"
    r"|depth(?P<levels>5|10|20)?(?:@(?P<pace>100|1000)ms)?|kline_(?P<interval>[0-9]+[smhdwM]))"
)
ALL = re.compile(r"!(?:miniTicker|(?P<full>ticker)|ticker_(?P<window>1h|4h|1d))@arr(?:@(?P<pace>1000|3000)ms)?")


class SpotStreams(Hub):
    """The streams of a spot door; only what somebody has subscribed to is worked out."""

    def __init__(
        self, exchange: Exchange, tapes: Tapes, means: MeanPrices, note_unserved: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.exchange = exchange
        self.tapes = tapes
        self.means = means
        self.windows = SpotWindows(exchange, tapes)
        self.note_unserved = note_unserved
        self._symbols = {symbol.lower(): symbol for symbol in spot_listings(exchange)}
        self._books: dict[str, tuple[str, BookPace]] = {}
        self._paced: dict[str, tuple[frozenset[str], Paced]] = {}
        self._traded: dict[str, dict[str, None]] = {}
        """By stream of all small tickers: what was traded since it was sent."""
        self._best: dict[str, tuple[object, object]] = {}
        tapes.told = self._aggregate
        exchange.listen(self._take)

    def begin(self, name: str) -> None:
        everything = ALL.fullmatch(name)
        if everything is not None:
            self._traded[name] = dict.fromkeys(spot_listings(self.exchange))
            pace_ns = int(everything["pace"] or 1000) * MS_NS
            self._pace(
                name, frozenset(("trade",)), pace_ns, lambda: self._all(name, everything["full"], everything["window"])
            )
            return
        found = NAME.fullmatch(name)
        symbol = self._symbols.get(found["symbol"]) if found else None
        if found is None or symbol is None or (found["interval"] and found["interval"] not in INTERVALS):
            self.note_unserved(f"stream {name}")
            return
        if found["live"] in ("trade", "aggTrade"):
            return
        if found["live"] == "bookTicker":
            self._best[symbol] = self._top(symbol)
        elif found["window"]:
            self._pace(
                name,
                frozenset((f"trade {symbol}",)),
                SECOND_NS,
                lambda: self._send(name, symbol, partial(self._window, found["window"])),
            )
        elif found["live"] == "avgPrice":
            self._pace(name, frozenset((f"trade {symbol}",)), SECOND_NS, lambda: self._mean(name, symbol))
        elif found["live"]:
            is_mini = found["live"] == "miniTicker"
            kinds = frozenset((f"trade {symbol}", *(() if is_mini else (f"book {symbol}",))))
            self._pace(name, kinds, SECOND_NS, lambda: self._ticker(name, symbol, is_mini))
        elif found["interval"]:
            interval = found["interval"]
            pace_ns = SECOND_NS if interval == "1s" else 2 * SECOND_NS
            self._pace(name, frozenset((f"trade {symbol}",)), pace_ns, lambda: self._candle(name, symbol, interval))
        else:
            pace_ns = int(found["pace"] or 1000) * MS_NS
            if found["levels"]:
                most = int(found["levels"])
                self._pace(name, frozenset((f"book {symbol}",)), pace_ns, lambda: self._partial(name, symbol, most))
            else:
                sequence = self.exchange.book(symbol, 1).sequence
                pace = BookPace(self.exchange, pace_ns, sequence, lambda batch: self._diff(name, symbol, batch))
                self._books[name] = (symbol, pace)

    def finish(self, name: str) -> None:
        book, paced = self._books.pop(name, None), self._paced.pop(name, None)
        self._traded.pop(name, None)
        if book is not None:
            book[1].stop()
        if paced is not None:
            paced[1].stop()

    def _pace(self, name: str, kinds: frozenset[str], pace_ns: int, send: Callable[[], None]) -> None:
        paced = Paced(self.exchange, pace_ns, send)
        self._paced[name] = (kinds, paced)
        paced.mark()

    def _take(self, event: Event) -> None:
        if not self.subscribers or getattr(event, "symbol", "").lower() not in self._symbols:
            return
        if isinstance(event, DepthEvent):
            for symbol, pace in list(self._books.values()):
                if symbol == event.symbol:
                    pace.take(event)
            self._mark(f"book {event.symbol}")
            self._book_ticker(event)
        elif isinstance(event, TradeEvent):
            for traded in self._traded.values():
                traded[event.symbol] = None
            self._mark("trade")
            self._mark(f"trade {event.symbol}")
            name = f"{event.symbol.lower()}@trade"
            if name in self.subscribers:
                self.publish(name, lambda time: _trade(event, time))

    def _mark(self, kind: str) -> None:
        for kinds, paced in list(self._paced.values()):
            if kind in kinds:
                paced.mark()

    def _aggregate(self, symbol: str, trade: Aggregate) -> None:
        name = f"{symbol.lower()}@aggTrade"
        if name in self.subscribers:
            self.publish(
                name,
                lambda time: {
                    "e": "aggTrade",
                    "E": time(trade.event_ns),
                    "s": symbol,
                    "a": trade.number,
                    "p": fixed(trade.price),
                    "q": fixed(trade.quantity),
                    "f": trade.first,
                    "l": trade.last,
                    "T": time(trade.event_ns),
                    "m": trade.is_buyer_maker,
                    "M": True,
                },
            )

    def _top(self, symbol: str) -> tuple[object, object]:
        book = self.exchange.book(symbol, 1)
        return (tuple(book.bids[:1]), tuple(book.offers[:1]))

    def _book_ticker(self, event: DepthEvent) -> None:
        symbol, name = event.symbol, f"{event.symbol.lower()}@bookTicker"
        if name not in self.subscribers:
            return
        book = self.exchange.book(symbol, 1)
        top = (tuple(book.bids), tuple(book.offers))
        if top != self._best.get(symbol):
            self._best[symbol] = top
            self.publish(name, lambda time: {"u": event.sequence, "s": symbol, **_best(book)})

    def _diff(self, name: str, symbol: str, batch: BookBatch) -> None:
        now_ns = self.exchange.now_ns
        bids, asks = levels(batch.bids), levels(batch.asks)
        self.publish(
            name,
            lambda time: {
                "e": "depthUpdate",
                "E": time(now_ns),
                "s": symbol,
                "U": batch.first,
                "u": batch.last,
                "b": bids,
                "a": asks,
            },
        )

    def _partial(self, name: str, symbol: str, most: int) -> None:
        book = self.exchange.book(symbol, most)
        body = {"lastUpdateId": book.sequence, "bids": levels(book.bids), "asks": levels(book.offers)}
        self.publish(name, lambda time: body)

    def _ticker(self, name: str, symbol: str, is_mini: bool) -> None:
        self._send(name, symbol, self._mini if is_mini else self._full)

    def _send(self, name: str, symbol: str, make: Callable[[str, int, TimeOf], dict[str, Any]]) -> None:
        now_ns = self.exchange.now_ns
        self.publish(name, lambda time: make(symbol, now_ns, time))

    def _mean(self, name: str, symbol: str) -> None:
        now_ns, price, last = self.exchange.now_ns, self.means.mean(symbol), self.means.last(symbol)
        self.publish(
            name,
            lambda time: {
                "e": "avgPrice",
                "E": time(now_ns),
                "s": symbol,
                "i": "5m",
                "w": fixed(price),
                "T": time(last.event_ns) if last is not None else 0,
            },
        )

    def _all(self, name: str, full: str | None, window: str | None) -> None:
        symbols, now_ns = list(self._traded[name]), self.exchange.now_ns
        self._traded[name].clear()
        make = self._full if full else self._mini
        if window:
            make = partial(self._window, window)
        self.publish(name, lambda time: [make(symbol, now_ns, time) for symbol in symbols])

    def _window(self, size: str, symbol: str, now_ns: int, time: TimeOf) -> dict[str, Any]:
        return self.windows.event(symbol, size, now_ns, time)

    def _mini(self, symbol: str, now_ns: int, time: TimeOf) -> dict[str, Any]:
        day = self.exchange.statistics(symbol)
        return {
            "e": "24hrMiniTicker",
            "E": time(now_ns),
            "s": symbol,
            "c": fixed(day.last),
            "o": fixed(day.open),
            "h": fixed(day.high),
            "l": fixed(day.low),
            "v": fixed(day.volume),
            "q": fixed(day.quote_volume),
        }

    def _full(self, symbol: str, now_ns: int, time: TimeOf) -> dict[str, Any]:
        day = self.exchange.statistics(symbol)
        trades = self.exchange.recent_trades(symbol, 1)
        opened, last = day.open or Decimal(0), day.last or Decimal(0)
        best = _best(self.exchange.book(symbol, 1))
        return {
            "e": "24hrTicker",
            "E": time(now_ns),
            "s": symbol,
            "p": fixed(last - opened),
            "P": fixed((last - opened) * 100 / opened if opened else None, 3),
            "w": fixed(day.quote_volume / day.volume if day.volume else None),
            "x": fixed(opened),
            "c": fixed(last),
            "Q": fixed(trades[-1].quantity if trades else None),
            **best,
            "o": fixed(opened),
            "h": fixed(day.high),
            "l": fixed(day.low),
            "v": fixed(day.volume),
            "q": fixed(day.quote_volume),
            "O": time(now_ns - DAY_NS),
            "C": time(now_ns),
            "F": trades[-1].trade_id - day.count + 1 if trades else -1,
            "L": trades[-1].trade_id if trades else -1,
            "n": day.count,
        }

    def _candle(self, name: str, symbol: str, interval: str) -> None:
        now_ns = self.exchange.now_ns
        found = list(self.tapes.of(symbol).candles(interval, bounds(interval, now_ns - 1)[0], now_ns - 1))
        if not found:
            return
        candle = found[-1]
        self.publish(
            name,
            lambda time: {
                "e": "kline",
                "E": time(now_ns),
                "s": symbol,
                "k": {
                    "t": time(candle.start_ns),
                    "T": time(candle.end_ns) - 1,
                    "s": symbol,
                    "i": interval,
                    "f": candle.first,
                    "L": candle.last,
                    "o": fixed(candle.open),
                    "c": fixed(candle.close),
                    "h": fixed(candle.high),
                    "l": fixed(candle.low),
                    "v": fixed(candle.volume),
                    "n": candle.count,
                    "x": candle.end_ns <= now_ns,
                    "q": fixed(candle.value),
                    "V": fixed(candle.bought),
                    "Q": fixed(candle.bought_value),
                    "B": "0",
                },
            },
        )


def _trade(event: TradeEvent, time: TimeOf) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": time(event.event_ns),
        "s": event.symbol,
        "t": event.trade_id,
        "p": fixed(event.price),
        "q": fixed(event.quantity),
        "T": time(event.event_ns),
        "m": event.side == "sell",
        "M": True,
    }


def _best(book: Any) -> dict[str, str]:
    bid, ask = (side[0] if side else (None, None) for side in (book.bids, book.offers))
    return {"b": fixed(bid[0]), "B": fixed(bid[1]), "a": fixed(ask[0]), "A": fixed(ask[1])}
