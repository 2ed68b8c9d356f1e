"""Spot market data over REST and the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.listings import spot_listings, spot_symbol
from quotewright_simexchange.dialects.binance.parameters import Parameters
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.spot_windows import SpotWindows
from quotewright_simexchange.dialects.binance.tape import INTERVALS, Aggregate, Candle, Tapes, bounds
from quotewright_simexchange.dialects.binance.written import fixed, levels

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.dialects.binance.limits import Limits
    from quotewright_simexchange.dialects.binance.mean import MeanPrices
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import TradeEvent

SYMBOL = "^[A-Z0-9-_.]{1,20}$"
DAY_NS = 86_400_000_000_000
BEGINNING = 1


def find_symbol(exchange: Exchange, parameters: Parameters, name: str = "symbol") -> str:
    """Return the symbol that a request names, which must be listed here."""
    symbol = parameters.text(name, legal=SYMBOL)
    if symbol not in spot_listings(exchange):
        raise ApiError(-1121, "Invalid symbol.")
    return symbol


def trade_json(trade: TradeEvent, call: Call) -> dict[str, Any]:
    return {
        "id": trade.trade_id,
        "price": fixed(trade.price),
        "qty": fixed(trade.quantity),
        "quoteQty": fixed(trade.price * trade.quantity),
        "time": call.time(trade.event_ns),
        "isBuyerMaker": trade.side == "sell",
        "isBestMatch": True,
    }


def aggregate_json(trade: Aggregate, call: Call) -> dict[str, Any]:
    return {
        "a": trade.number,
        "p": fixed(trade.price),
        "q": fixed(trade.quantity),
        "f": trade.first,
        "l": trade.last,
        "T": call.time(trade.event_ns),
        "m": trade.is_buyer_maker,
        "M": True,
    }


def candle_json(candle: Candle, call: Call) -> list[Any]:
    return [
        call.time(candle.start_ns),
        fixed(candle.open),
        fixed(candle.high),
        fixed(candle.low),
        fixed(candle.close),
        fixed(candle.volume),
        call.time(candle.end_ns) - 1,
        fixed(candle.value),
        candle.count,
        fixed(candle.bought),
        fixed(candle.bought_value),
        "0",
    ]


def in_ns(time: int) -> int:
    """Return a time that a client sent in ms or µs."""
    return time * (1_000 if time >= 10**14 else 1_000_000)


class SpotMarket:
    """What everybody may ask."""

    def __init__(self, exchange: Exchange, card: VenueCard, limits: Limits, tapes: Tapes, means: MeanPrices) -> None:
        self.exchange = exchange
        self.card = card
        self.limits = limits
        self.tapes = tapes
        self.means = means
        self.windows = SpotWindows(exchange, tapes)

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is served over REST, and under which name over the WebSocket API."""
        one_or_all = _one_or_all
        return {
            ("/api/v3/ping", "ping"): Endpoint(lambda _: {}),
            ("/api/v3/time", "time"): Endpoint(lambda call: {"serverTime": call.time(call.now_ns)}),
            ("/api/v3/exchangeInfo", "exchangeInfo"): Endpoint(self.info, 20),
            ("/api/v3/depth", "depth"): Endpoint(self.depth, _depth_weight),
            ("/api/v3/trades", "trades.recent"): Endpoint(self.trades, 25),
            ("/api/v3/historicalTrades", "trades.historical"): Endpoint(self.old_trades, 25),
            ("/api/v3/aggTrades", "trades.aggregate"): Endpoint(self.aggregates, 4),
            ("/api/v3/klines", "klines"): Endpoint(self.klines, 2),
            ("/api/v3/uiKlines", "uiKlines"): Endpoint(self.klines, 2),
            ("/api/v3/avgPrice", "avgPrice"): Endpoint(self.average, 2),
            ("/api/v3/ticker/24hr", "ticker.24hr"): Endpoint(self._each(self.day), one_or_all(2, 80)),
            ("/api/v3/ticker/tradingDay", "ticker.tradingDay"): Endpoint(self._each(self.windows.trading_day), 4),
            ("/api/v3/ticker", "ticker"): Endpoint(self._each(self.windows.rolling), 4),
            ("/api/v3/ticker/price", "ticker.price"): Endpoint(self._each(self.last), one_or_all(2, 4)),
            ("/api/v3/ticker/bookTicker", "ticker.book"): Endpoint(self._each(self.best), one_or_all(2, 4)),
        }

    def info(self, call: Call) -> object:
        parameters = call.parameters
        names = parameters.names("symbol", "symbols")
        status, permissions = parameters.text("symbolStatus", ""), parameters.text("permissions", "SPOT")
        symbols = []
        for symbol in spot_listings(self.exchange) if names is None else names:
            if symbol not in spot_listings(self.exchange):
                raise ApiError(-1121, "Invalid symbol.")
            entry = spot_symbol(spot_listings(self.exchange)[symbol], self.card, self.exchange.phase(symbol))
            if (not status or entry["status"] == status) and "SPOT" in permissions:
                symbols.append(entry)
        return {
            "timezone": "UTC",
            "serverTime": call.time(call.now_ns),
            "rateLimits": self.limits.described(),
            "exchangeFilters": [],
            "symbols": symbols,
        }

    def depth(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters)
        limit = call.parameters.integer("limit", 100, low=1, high=self.card.limits.depth_levels or 5000)
        book = self.exchange.book(symbol, limit)
        return {"lastUpdateId": book.sequence, "bids": levels(book.bids), "asks": levels(book.offers)}

    def trades(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters)
        limit = call.parameters.integer("limit", 500, low=1, high=1000)
        return [trade_json(trade, call) for trade in self.exchange.recent_trades(symbol, limit)]

    def old_trades(self, call: Call) -> object:
        if not call.parameters.has("fromId"):
            return self.trades(call)
        symbol = find_symbol(self.exchange, call.parameters)
        first, limit = call.parameters.integer("fromId"), call.parameters.integer("limit", 500, low=1, high=1000)
        found = (trade for trade in self.exchange.recent_trades(symbol, 10_000) if trade.trade_id >= first)
        return [trade_json(trade, call) for trade in islice(found, limit)]

    def aggregates(self, call: Call) -> object:
        parameters = call.parameters
        symbol = find_symbol(self.exchange, parameters)
        limit = parameters.integer("limit", 500, low=1, high=1000)
        first, start, end = parameters.integer("fromId", -1), *_times(parameters)
        found = [
            trade
            for trade in self.tapes.of(symbol).aggregates
            if trade.number >= first and start <= trade.event_ns < end
        ]
        is_from = parameters.has("fromId") or parameters.has("startTime")
        return [aggregate_json(trade, call) for trade in (found[:limit] if is_from else found[-limit:])]

    def klines(self, call: Call) -> object:
        parameters = call.parameters
        symbol = find_symbol(self.exchange, parameters)
        interval = parameters.choice("interval", INTERVALS, None, -1120, "interval")
        limit = parameters.integer("limit", 500, low=1, high=1000)
        start, end = _times(parameters)
        end = min(end - 1, self.exchange.now_ns)
        if not parameters.has("startTime"):
            start = end
            for _ in range(limit - 1):
                start = bounds(interval, start)[0] - BEGINNING
                if start < BEGINNING:
                    break
            start = bounds(interval, max(start, 0))[0]
        candles = (c for c in self.tapes.of(symbol).candles(interval, start, end) if c.start_ns >= start)
        return [candle_json(candle, call) for candle in islice(candles, limit)]

    def average(self, call: Call) -> object:
        symbol = find_symbol(self.exchange, call.parameters)
        last = self.means.last(symbol)
        return {
            "mins": 5,
            "price": fixed(self.means.mean(symbol)),
            "closeTime": 0 if last is None else call.time(last.event_ns),
        }

    def day(self, symbol: str, call: Call) -> dict[str, Any]:
        day = self.exchange.statistics(symbol)
        book = self.exchange.book(symbol, 1)
        now_ns = self.exchange.now_ns
        late = [trade for trade in self.exchange.recent_trades(symbol, 10_000) if trade.event_ns > now_ns - DAY_NS]
        opened, last = day.open or Decimal(0), day.last or Decimal(0)
        answer = {
            "symbol": symbol,
            "priceChange": fixed(last - opened),
            "priceChangePercent": fixed((last - opened) * 100 / opened if opened else None, 3),
            "weightedAvgPrice": fixed(day.quote_volume / day.volume if day.volume else None),
            "prevClosePrice": fixed(opened),
            "lastPrice": fixed(last),
            "lastQty": fixed(late[-1].quantity if late else None),
            **_best(book),
            "openPrice": fixed(opened),
            "highPrice": fixed(day.high),
            "lowPrice": fixed(day.low),
            "volume": fixed(day.volume),
            "quoteVolume": fixed(day.quote_volume),
            "openTime": call.time(now_ns - DAY_NS),
            "closeTime": call.time(now_ns),
            "firstId": late[0].trade_id if late else -1,
            "lastId": late[-1].trade_id if late else -1,
            "count": day.count,
        }
        if call.parameters.text("type", "FULL") == "MINI":
            kept = ("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume")
            return {key: answer[key] for key in (*kept, "openTime", "closeTime", "firstId", "lastId", "count")}
        return answer

    def last(self, symbol: str, call: Call) -> dict[str, Any]:
        return {"symbol": symbol, "price": fixed(self.exchange.statistics(symbol).last)}

    def best(self, symbol: str, call: Call) -> dict[str, Any]:
        return {"symbol": symbol, **_best(self.exchange.book(symbol, 1))}

    def _each(self, one: Callable[[str, Call], dict[str, Any]]) -> Callable[[Call], object]:
        def answer(call: Call) -> object:
            names = call.parameters.names("symbol", "symbols")
            for name in names or ():
                if name not in spot_listings(self.exchange):
                    raise ApiError(-1121, "Invalid symbol.")
            if names is not None and call.parameters.has("symbol"):
                return one(names[0], call)
            return [one(symbol, call) for symbol in names or spot_listings(self.exchange)]

        return answer


def _best(book: Any) -> dict[str, str]:
    bid, ask = (side[0] if side else (None, None) for side in (book.bids, book.offers))
    return {
        "bidPrice": fixed(bid[0]),
        "bidQty": fixed(bid[1]),
        "askPrice": fixed(ask[0]),
        "askQty": fixed(ask[1]),
    }


def _times(parameters: Parameters) -> tuple[int, int]:
    """Return startTime and the moment after endTime in ns."""
    start, end = in_ns(parameters.integer("startTime", 0)), in_ns(parameters.integer("endTime", 1 << 43))
    if parameters.has("startTime") and parameters.has("endTime") and end < start:
        raise ApiError(-1127, "Start time is greater than end time.")
    return start, end + 1_000_000


def _depth_weight(parameters: Parameters) -> int:
    limit = parameters.integer("limit", 100)
    return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250)


def _one_or_all(one: int, every: int) -> Callable[[Parameters], int]:
    return lambda parameters: one if parameters.has("symbol") else every
