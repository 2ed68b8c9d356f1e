"""Market data of USD-M futures over REST and the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.errors import ApiError
from quotewright_simexchange.dialects.binance.parameters import Parameters
from quotewright_simexchange.dialects.binance.routes import Call, Endpoint
from quotewright_simexchange.dialects.binance.tape import INTERVALS, Aggregate, Candle, Tape, Tapes, bounds
from quotewright_simexchange.dialects.binance.usdm_funding import EIGHT_HOURS_NS, Fundings
from quotewright_simexchange.dialects.binance.usdm_history import ReferenceTapes, reference_json
from quotewright_simexchange.dialects.binance.usdm_listings import usdm_symbol
from quotewright_simexchange.dialects.binance.usdm_words import MS_NS, Symbols, price_text, size_text, venue_symbol
from quotewright_simexchange.dialects.binance.written import fixed

if TYPE_CHECKING:
    from quotewright.model.cards import VenueCard
    from quotewright_simexchange.dialects.binance.limits import Limits
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
DAY_NS = 86_400_000_000_000
USUAL_RATE = Decimal("0.0001")


class UsdmMarket:
    """What everybody may ask."""

    def __init__(
        self, exchange: Exchange, card: VenueCard, limits: Limits, symbols: Symbols, tapes: Tapes, fundings: Fundings
    ) -> None:
        self.exchange = exchange
        self.card = card
        self.limits = limits
        self.symbols = symbols
        self.tapes = tapes
        self.fundings = fundings
        self.references = ReferenceTapes(exchange)

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is served over REST."""
        get = {
            "v1/ping": Endpoint(lambda _: {}),
            "v1/time": Endpoint(lambda call: {"serverTime": call.now_ns // MS_NS}),
            "v1/exchangeInfo": Endpoint(self.info),
            "v1/depth": Endpoint(self.depth, _depth_weight),
            "v1/rpiDepth": Endpoint(self.depth, 20),
            "v1/trades": Endpoint(self.trades, 5),
            "v1/historicalTrades": Endpoint(self.old_trades, 20, "key"),
            "v1/aggTrades": Endpoint(self.aggregates, 20),
            "v1/klines": Endpoint(self.klines, 5),
            "v1/continuousKlines": Endpoint(self.continuous_klines, 5),
            "v1/markPriceKlines": Endpoint(self._reference_klines("symbol", self.references.marks), 5),
            "v1/indexPriceKlines": Endpoint(self._reference_klines("pair", self.references.indices), 5),
            "v1/premiumIndexKlines": Endpoint(self._reference_klines("symbol", self.references.premiums), 5),
            "v1/ticker/24hr": Endpoint(self._each(self.day), _one_or_all(1, 40)),
            "v1/ticker/price": Endpoint(self._each(self.last), _one_or_all(1, 2)),
            "v2/ticker/price": Endpoint(self._each(self.last), _one_or_all(1, 2)),
            "v1/ticker/bookTicker": Endpoint(self._each(self.best), _one_or_all(2, 5)),
            "v1/premiumIndex": Endpoint(self._each(self.premium), _one_or_all(1, 10)),
            "v1/fundingRate": Endpoint(self.funding_rates, 1),
            "v1/fundingInfo": Endpoint(self.funding_info, 0),
            "v1/openInterest": Endpoint(self.open_interest, 1),
        }
        return {("GET", f"/fapi/{path}"): endpoint for path, endpoint in get.items()}

    def methods(self) -> dict[str, Endpoint]:
        """Return what is served over the WebSocket API."""
        served = self.endpoints()
        return {
            "ping": served["GET", "/fapi/v1/ping"],
            "time": served["GET", "/fapi/v1/time"],
            "depth": served["GET", "/fapi/v1/depth"],
            "ticker.price": served["GET", "/fapi/v1/ticker/price"],
            "ticker.book": served["GET", "/fapi/v1/ticker/bookTicker"],
        }

    def info(self, call: Call) -> object:
        listings = self.symbols.listings.values()
        return {
            "timezone": "UTC",
            "serverTime": call.now_ns // MS_NS,
            "futuresType": "U_MARGINED",
            "rateLimits": self.limits.described(),
            "exchangeFilters": [],
            "assets": [
                {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
                for asset in sorted({listing.settle for listing in listings})
            ],
            "symbols": [usdm_symbol(listing, self.card, self.exchange.phase(listing.symbol)) for listing in listings],
        }

    def depth(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        limit = call.parameters.integer("limit", 500)
        if limit not in DEPTHS:
            raise ApiError(-4021, f"Depth limit should be one of {DEPTHS}, was {limit}.")
        book = self.exchange.book(listing.symbol, limit)
        return {
            "lastUpdateId": book.sequence,
            "E": self.exchange.now_ns // MS_NS,
            "T": self.exchange.now_ns // MS_NS,
            "bids": [[price_text(listing, price), size_text(listing, size)] for price, size in book.bids],
            "asks": [[price_text(listing, price), size_text(listing, size)] for price, size in book.offers],
        }

    def trades(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        limit = call.parameters.integer("limit", 500, low=1, high=1000)
        return self._trades(listing, 0, limit, newest=True)

    def old_trades(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        limit = call.parameters.integer("limit", 100, low=1, high=500)
        return self._trades(
            listing, call.parameters.integer("fromId", 0), limit, newest=not call.parameters.has("fromId")
        )

    def _trades(self, listing: Listing, first: int, limit: int, *, newest: bool) -> list[dict[str, Any]]:
        found = [trade for trade in self.exchange.recent_trades(listing.symbol, 10_000) if trade.trade_id >= first]
        return [
            {
                "id": trade.trade_id,
                "price": price_text(listing, trade.price),
                "qty": size_text(listing, trade.quantity),
                "quoteQty": fixed(trade.price * trade.quantity, 2),
                "time": trade.event_ns // MS_NS,
                "isBuyerMaker": trade.side == "sell",
                "isRPITrade": False,
            }
            for trade in (found[-limit:] if newest else found[:limit])
        ]

    def aggregates(self, call: Call) -> object:
        parameters = call.parameters
        listing = self._listing(parameters)
        limit = parameters.integer("limit", 500, low=1, high=1000)
        first, start, end = parameters.integer("fromId", 0), *_times(parameters)
        found = [
            trade
            for trade in self.tapes.of(listing.symbol).aggregates
            if trade.number >= first and start <= trade.event_ns < end
        ]
        is_from = parameters.has("fromId") or parameters.has("startTime")
        return [aggregate_json(trade, listing) for trade in (found[:limit] if is_from else found[-limit:])]

    def klines(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        return [candle_json(candle, listing) for candle in self._candles(call, self.tapes.of(listing.symbol))]

    def continuous_klines(self, call: Call) -> object:
        parameters = call.parameters
        listing = self.symbols.find(parameters.text("pair"))
        parameters.choice("contractType", ("PERPETUAL",), None, -1130)
        return [candle_json(candle, listing) for candle in self._candles(call, self.tapes.of(listing.symbol))]

    def _reference_klines(self, name: str, tapes: dict[str, Tape]) -> Callable[[Call], object]:
        def answer(call: Call) -> object:
            listing = self.symbols.find(call.parameters.text(name))
            return [reference_json(candle) for candle in self._candles(call, tapes.get(listing.symbol, Tape()))]

        return answer

    def _candles(self, call: Call, tape: Tape) -> Iterator[Candle]:
        parameters = call.parameters
        interval = parameters.choice("interval", INTERVALS, None, -1120, "interval")
        limit = parameters.integer("limit", 500, low=1, high=1500)
        start, end = _times(parameters)
        end = min(end - 1, self.exchange.now_ns)
        if not parameters.has("startTime"):
            start = end
            for _ in range(limit - 1):
                before = bounds(interval, start)[0] - 1
                if before < 0:
                    break
                start = before
            start = bounds(interval, start)[0]
        candles = tape.candles(interval, start, end)
        return (candle for candle in islice(candles, limit) if candle.start_ns >= start)

    def day(self, listing: Listing) -> dict[str, Any]:
        day = self.exchange.statistics(listing.symbol)
        now_ns = self.exchange.now_ns
        trades = self.exchange.recent_trades(listing.symbol, 10_000)
        late = [trade for trade in trades if trade.event_ns > now_ns - DAY_NS]
        opened, last = day.open or Decimal(0), day.last or Decimal(0)
        return {
            "symbol": venue_symbol(listing),
            "priceChange": price_text(listing, last - opened),
            "priceChangePercent": fixed((last - opened) * 100 / opened if opened else None, 3),
            "weightedAvgPrice": price_text(listing, day.quote_volume / day.volume if day.volume else None),
            "lastPrice": price_text(listing, last),
            "lastQty": size_text(listing, late[-1].quantity if late else None),
            "openPrice": price_text(listing, opened),
            "highPrice": price_text(listing, day.high),
            "lowPrice": price_text(listing, day.low),
            "volume": size_text(listing, day.volume),
            "quoteVolume": fixed(day.quote_volume, 2),
            "openTime": (now_ns - DAY_NS) // MS_NS,
            "closeTime": now_ns // MS_NS,
            "firstId": late[0].trade_id if late else -1,
            "lastId": late[-1].trade_id if late else -1,
            "count": day.count,
        }

    def last(self, listing: Listing) -> dict[str, Any]:
        return {
            "symbol": venue_symbol(listing),
            "price": price_text(listing, self.exchange.statistics(listing.symbol).last),
            "time": self.exchange.now_ns // MS_NS,
        }

    def best(self, listing: Listing) -> dict[str, Any]:
        book = self.exchange.book(listing.symbol, 1)
        bid, ask = (side[0] if side else (None, None) for side in (book.bids, book.offers))
        return {
            "symbol": venue_symbol(listing),
            "bidPrice": price_text(listing, bid[0]),
            "bidQty": size_text(listing, bid[1]),
            "askPrice": price_text(listing, ask[0]),
            "askQty": size_text(listing, ask[1]),
            "time": self.exchange.now_ns // MS_NS,
            "lastUpdateId": book.sequence,
        }

    def premium(self, listing: Listing) -> dict[str, Any]:
        told = self.exchange.reference(listing.symbol)
        return {
            "symbol": venue_symbol(listing),
            "markPrice": fixed(told.mark),
            "indexPrice": fixed(told.index),
            "estimatedSettlePrice": fixed(told.index),
            "lastFundingRate": fixed(told.funding_rate),
            "interestRate": fixed(USUAL_RATE),
            "nextFundingTime": self.fundings.next_ns(listing.symbol) // MS_NS,
            "time": self.exchange.now_ns // MS_NS,
        }

    def funding_rates(self, call: Call) -> object:
        parameters = call.parameters
        wanted = self._listing(parameters).symbol if parameters.has("symbol") else None
        start, end = _times(parameters)
        limit = parameters.integer("limit", 100, low=1, high=1000)
        found = [
            {
                "symbol": venue_symbol(self.exchange.listings[paid.symbol]),
                "fundingRate": fixed(paid.rate),
                "fundingTime": paid.event_ns // MS_NS,
                "markPrice": fixed(paid.mark),
            }
            for paid in self.fundings.paid
            if wanted in (None, paid.symbol) and start <= paid.event_ns < end
        ]
        return found[:limit] if parameters.has("startTime") else found[-limit:]

    def funding_info(self, call: Call) -> object:
        return [
            {
                "symbol": name,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": EIGHT_HOURS_NS // 3_600_000_000_000,
                "disclaimer": False,
            }
            for name in self.symbols.listings
        ]

    def open_interest(self, call: Call) -> object:
        listing = self._listing(call.parameters)
        long = sum(
            (
                max(Decimal(0), self.exchange.position(account, listing.symbol).quantity)
                for account in self.exchange.accounts
            ),
            Decimal(0),
        )
        return {
            "openInterest": size_text(listing, long),
            "symbol": venue_symbol(listing),
            "time": self.exchange.now_ns // MS_NS,
        }

    def _listing(self, parameters: Parameters) -> Listing:
        return self.symbols.find(parameters.text("symbol"))

    def _each(self, one: Callable[[Listing], dict[str, Any]]) -> Callable[[Call], object]:
        def answer(call: Call) -> object:
            if call.parameters.has("symbol"):
                return one(self._listing(call.parameters))
            return [one(listing) for listing in self.symbols.listings.values()]

        return answer


def aggregate_json(trade: Aggregate, listing: Listing) -> dict[str, Any]:
    return {
        "a": trade.number,
        "p": price_text(listing, trade.price),
        "q": size_text(listing, trade.quantity),
        "nq": size_text(listing, trade.quantity),
        "f": trade.first,
        "l": trade.last,
        "T": trade.event_ns // MS_NS,
        "m": trade.is_buyer_maker,
    }


def candle_json(candle: Candle, listing: Listing) -> list[Any]:
    return [
        candle.start_ns // MS_NS,
        price_text(listing, candle.open),
        price_text(listing, candle.high),
        price_text(listing, candle.low),
        price_text(listing, candle.close),
        size_text(listing, candle.volume),
        candle.end_ns // MS_NS - 1,
        fixed(candle.value),
        candle.count,
        size_text(listing, candle.bought),
        fixed(candle.bought_value),
        "0",
    ]


def _times(parameters: Parameters) -> tuple[int, int]:
    """Return startTime and the moment after endTime in ns."""
    start, end = parameters.integer("startTime", 0), parameters.integer("endTime", 1 << 43)
    if end < start:
        raise ApiError(-1127, "Start time is greater than end time.")
    return start * MS_NS, (end + 1) * MS_NS


def _depth_weight(parameters: Parameters) -> int:
    limit = parameters.integer("limit", 500)
    return next((weight for most, weight in ((50, 2), (100, 5), (500, 10)) if limit <= most), 20)


def _one_or_all(one: int, every: int) -> Callable[[Parameters], int]:
    return lambda parameters: one if parameters.has("symbol") else every
