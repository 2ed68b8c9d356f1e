"""Market streams of USD-M futures: books with their paces, trades, best prices, marks, liquidations, candles, days."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quotewright_simexchange.dialects.binance.paced import BookBatch, BookPace, Paced
from quotewright_simexchange.dialects.binance.streams import Hub
from quotewright_simexchange.dialects.binance.tape import INTERVALS, Aggregate, Tapes, bounds
from quotewright_simexchange.dialects.binance.usdm_market import UsdmMarket, aggregate_json
from quotewright_simexchange.dialects.binance.usdm_words import MS_NS, Symbols, price_text, size_text, venue_symbol
from quotewright_simexchange.dialects.binance.written import fixed
from quotewright_simexchange.exchange.records import DepthEvent, Event, LiquidationEvent, TradeEvent

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange
    from quotewright_simexchange.exchange.records import Listing

DEPTH = re.compile(r"depth(5|10|20)?(?:@(0|100|250|500)ms)?|rpiDepth@500ms", re.ASCII)
LIVE = ("aggTrade", "trade", "bookTicker", "forceOrder")
LIVE_ARRAYS = ("!bookTicker", "!forceOrder@arr")
PUBLIC = re.compile(r"!bookTicker|[^@]+@(depth.*|rpiDepth.*|bookTicker|trade)", re.ASCII)
"""Streams of the category /public; those of /market are all others."""
CONTINUOUS = re.compile(r"([^@_]+)_perpetual@continuousKline_([0-9]+[smhdwM])", re.ASCII)
SECOND_NS = 1_000_000_000


class Beat:
    """Calls *send* at every multiple of *pace_ns* of market time until it is stopped."""

    def __init__(self, exchange: Exchange, pace_ns: int, send: Callable[[], None]) -> None:
        self.exchange = exchange
        self.pace_ns = pace_ns
        self.send = send
        self._plan()

    def stop(self) -> None:
        self.exchange.forget(self._number)

    def _plan(self) -> None:
        self._number = self.exchange.at((self.exchange.now_ns // self.pace_ns + 1) * self.pace_ns, self._due)

    def _due(self) -> None:
        self._plan()
        self.send()


class UsdmHub(Hub):
    """The market streams of a door."""

    def __init__(
        self,
        exchange: Exchange,
        symbols: Symbols,
        market: UsdmMarket,
        tapes: Tapes,
        note_unserved: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.exchange = exchange
        self.symbols = symbols
        self.market = market
        self.tapes = tapes
        self.note_unserved = note_unserved
        self.by_stream = {venue_symbol(listing).lower(): listing for listing in symbols.listings.values()}
        self._books: dict[str, tuple[str, BookPace]] = {}
        """Book streams by name: the exchange's symbol and what batches."""
        self._on_trade: dict[str, tuple[str, Paced]] = {}
        """Streams that a trade lets be sent: the exchange's symbol, empty for all."""
        self._beats: dict[str, Beat] = {}
        self._forced: dict[str, tuple[Paced, list[LiquidationEvent]]] = {}
        self._best: dict[str, object] = {}
        tapes.told = self._aggregate
        exchange.listen(self._take)

    def begin(self, name: str) -> None:
        if self._begin_array(name):
            return
        word, _, channel = name.partition("@")
        continuous = CONTINUOUS.fullmatch(name)
        if continuous is not None:
            word, channel = continuous[1], "kline_" + continuous[2]
        listing = self.by_stream.get(word)
        if listing is None:
            if channel:
                self.note_unserved(f"stream {name}")
            return
        depth = DEPTH.fullmatch(channel)
        if depth is not None:
            usual = 500 if channel.startswith("rpi") else 250
            pace_ns = max(int(depth[2] or usual), 1) * MS_NS
            sequence = self.exchange.book(listing.symbol, 1).sequence
            self._books[name] = (
                listing.symbol,
                BookPace(self.exchange, pace_ns, sequence, self._book_sender(name, listing, int(depth[1] or 0))),
            )
        elif channel in ("markPrice", "markPrice@1s"):
            pace_ns = (1 if channel.endswith("@1s") else 3) * SECOND_NS
            self._beats[name] = Beat(self.exchange, pace_ns, lambda: self._send(name, lambda: self._mark(listing)))
        elif channel in ("ticker", "miniTicker"):
            make = self._day if channel == "ticker" else self._mini
            self._pace(name, listing.symbol, SECOND_NS, lambda: make(listing))
        elif channel.startswith("kline_") and channel[6:] in INTERVALS:
            make_candle = self._candle if continuous is None else self._continuous
            self._pace(name, listing.symbol, 250 * MS_NS, lambda: make_candle(listing, channel[6:]))
        elif channel not in LIVE:
            self.note_unserved(f"stream {name}")

    def _begin_array(self, name: str) -> bool:
        listings = list(self.symbols.listings.values())
        if name in ("!ticker@arr", "!miniTicker@arr"):
            make = self._day if name == "!ticker@arr" else self._mini
            self._pace(name, "", SECOND_NS, lambda: [make(listing) for listing in listings])
        elif name in ("!markPrice@arr", "!markPrice@arr@1s"):
            pace_ns = (1 if name.endswith("@1s") else 3) * SECOND_NS
            self._beats[name] = Beat(
                self.exchange, pace_ns, lambda: self._send(name, lambda: [self._mark(listing) for listing in listings])
            )
        elif name.startswith("!") and name not in LIVE_ARRAYS:
            self.note_unserved(f"stream {name}")
        return name.startswith("!")

    def finish(self, name: str) -> None:
        for kept in (self._books, self._on_trade):
            found = kept.pop(name, None)
            if found is not None:
                found[1].stop()
        beat = self._beats.pop(name, None)
        if beat is not None:
            beat.stop()

    def _pace(self, name: str, symbol: str, pace_ns: int, make: Callable[[], object]) -> None:
        self._on_trade[name] = symbol, Paced(self.exchange, pace_ns, lambda: self._send(name, make))

    def _send(self, name: str, make: Callable[[], object]) -> None:
        made = make()
        self.publish(name, lambda _: made)

    def _take(self, event: Event) -> None:
        if isinstance(event, DepthEvent):
            for symbol, book in self._books.values():
                if symbol == event.symbol:
                    book.take(event)
            self._take_best(event)
        elif isinstance(event, TradeEvent):
            self._take_trade(event)
        elif isinstance(event, LiquidationEvent):
            self._take_liquidation(event)

    def _take_trade(self, event: TradeEvent) -> None:
        listing = self.symbols.of(event.symbol)
        if listing is None:
            return
        for symbol, paced in self._on_trade.values():
            if symbol in ("", event.symbol):
                paced.mark()
        name = f"{venue_symbol(listing).lower()}@trade"
        if name in self.subscribers:
            told = {
                "e": "trade",
                "E": self.exchange.now_ns // MS_NS,
                "T": event.event_ns // MS_NS,
                "s": venue_symbol(listing),
                "t": event.trade_id,
                "p": price_text(listing, event.price),
                "q": size_text(listing, event.quantity),
                "X": "MARKET",
                "m": event.side == "sell",
            }
            self.publish(name, lambda _: told)

    def _aggregate(self, symbol: str, trade: Aggregate) -> None:
        listing = self.symbols.of(symbol)
        if listing is None:
            return
        name = f"{venue_symbol(listing).lower()}@aggTrade"
        if name in self.subscribers:
            told = {
                "e": "aggTrade",
                "E": self.exchange.now_ns // MS_NS,
                "s": venue_symbol(listing),
                **aggregate_json(trade, listing),
            }
            self.publish(name, lambda _: told)

    def _take_best(self, event: DepthEvent) -> None:
        listing = self.symbols.of(event.symbol)
        if listing is None:
            return
        names = (f"{venue_symbol(listing).lower()}@bookTicker", "!bookTicker")
        if not any(name in self.subscribers for name in names):
            self._best.pop(event.symbol, None)
            return
        book = self.exchange.book(event.symbol, 1)
        best = (list(book.bids), list(book.offers))
        if self._best.get(event.symbol) == best:
            return
        self._best[event.symbol] = best
        bid, ask = (side[0] if side else (None, None) for side in best)
        told = {
            "e": "bookTicker",
            "u": event.sequence,
            "E": self.exchange.now_ns // MS_NS,
            "T": event.event_ns // MS_NS,
            "s": venue_symbol(listing),
            "b": price_text(listing, bid[0]),
            "B": size_text(listing, bid[1]),
            "a": price_text(listing, ask[0]),
            "A": size_text(listing, ask[1]),
        }
        for name in names:
            self.publish(name, lambda _: told)

    def _take_liquidation(self, event: LiquidationEvent) -> None:
        if self.symbols.of(event.symbol) is None:
            return
        if event.symbol not in self._forced:
            newest: list[LiquidationEvent] = []
            self._forced[event.symbol] = Paced(self.exchange, SECOND_NS, lambda: self._force(newest)), newest
        paced, newest = self._forced[event.symbol]
        newest[:] = [event]
        paced.mark()

    def _force(self, newest: list[LiquidationEvent]) -> None:
        event = newest[0]
        listing = self.exchange.listings[event.symbol]
        price, quantity = price_text(listing, event.price), size_text(listing, event.quantity)
        told = {
            "e": "forceOrder",
            "E": self.exchange.now_ns // MS_NS,
            "o": {
                "s": venue_symbol(listing),
                "S": event.side.upper(),
                "o": "LIMIT",
                "f": "IOC",
                "q": quantity,
                "p": price,
                "ap": price,
                "X": "FILLED",
                "l": quantity,
                "z": quantity,
                "T": event.event_ns // MS_NS,
            },
        }
        for name in (f"{venue_symbol(listing).lower()}@forceOrder", "!forceOrder@arr"):
            self.publish(name, lambda _: told)

    def _book_sender(self, name: str, listing: Listing, levels: int) -> Callable[[BookBatch], None]:
        def send(batch: BookBatch) -> None:
            bids, asks = batch.bids, batch.asks
            if levels:
                book = self.exchange.book(listing.symbol, levels)
                bids, asks = tuple(book.bids), tuple(book.offers)
            told = {
                "e": "depthUpdate",
                "E": self.exchange.now_ns // MS_NS,
                "T": batch.event_ns // MS_NS,
                "s": venue_symbol(listing),
                "U": batch.first,
                "u": batch.last,
                "pu": batch.before,
                "b": _levels(bids, listing),
                "a": _levels(asks, listing),
            }
            self.publish(name, lambda _: told)

        return send

    def _mark(self, listing: Listing) -> dict[str, Any]:
        told = self.market.premium(listing)
        return {
            "e": "markPriceUpdate",
            "E": self.exchange.now_ns // MS_NS,
            "s": told["symbol"],
            "p": told["markPrice"],
            "ap": told["markPrice"],
            "i": told["indexPrice"],
            "P": told["estimatedSettlePrice"],
            "r": told["lastFundingRate"],
            "T": told["nextFundingTime"],
        }

    def _mini(self, listing: Listing) -> dict[str, Any]:
        day = self.market.day(listing)
        return {
            "e": "24hrMiniTicker",
            "E": self.exchange.now_ns // MS_NS,
            "s": day["symbol"],
            "c": day["lastPrice"],
            "o": day["openPrice"],
            "h": day["highPrice"],
            "l": day["lowPrice"],
            "v": day["volume"],
            "q": day["quoteVolume"],
        }

    def _day(self, listing: Listing) -> dict[str, Any]:
        day = self.market.day(listing)
        return {
            **self._mini(listing),
            "e": "24hrTicker",
            "p": day["priceChange"],
            "P": day["priceChangePercent"],
            "w": day["weightedAvgPrice"],
            "Q": day["lastQty"],
            "O": day["openTime"],
            "C": day["closeTime"],
            "F": day["firstId"],
            "L": day["lastId"],
            "n": day["count"],
        }

    def _continuous(self, listing: Listing, interval: str) -> dict[str, Any]:
        told = self._candle(listing, interval)
        candle = {key: value for key, value in told["k"].items() if key != "s"}
        pair = {"ps": told["s"], "ct": "PERPETUAL"}
        return {"e": "continuous_kline", "E": told["E"], **pair, "k": candle}

    def _candle(self, listing: Listing, interval: str) -> dict[str, Any]:
        start = bounds(interval, self.tapes.of(listing.symbol).seconds[-1].start_ns)[0]
        candle = next(self.tapes.of(listing.symbol).candles(interval, start, start))
        return {
            "e": "kline",
            "E": self.exchange.now_ns // MS_NS,
            "s": venue_symbol(listing),
            "k": {
                "t": candle.start_ns // MS_NS,
                "T": candle.end_ns // MS_NS - 1,
                "s": venue_symbol(listing),
                "i": interval,
                "f": candle.first,
                "L": candle.last,
                "o": price_text(listing, candle.open),
                "c": price_text(listing, candle.close),
                "h": price_text(listing, candle.high),
                "l": price_text(listing, candle.low),
                "v": size_text(listing, candle.volume),
                "n": candle.count,
                "x": candle.end_ns <= self.exchange.now_ns,
                "q": fixed(candle.value),
                "V": size_text(listing, candle.bought),
                "Q": fixed(candle.bought_value),
                "B": "0",
            },
        }


def _levels(side: tuple[tuple[Decimal, Decimal], ...], listing: Listing) -> list[list[str]]:
    return [[price_text(listing, price), size_text(listing, quantity)] for price, quantity in side]
