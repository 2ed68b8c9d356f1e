"""What everybody may know of an instrument: its book, its prints, its day."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from decimal import Decimal
from itertools import islice

import attrs

from quotewright_simexchange.exchange.records import ZERO, ReferenceEvent, TradeEvent

TRADES_KEPT = 10_000
DAY_NS = 24 * 3600 * 1_000_000_000

Level = tuple[Decimal, Decimal]


@attrs.frozen(kw_only=True)
class Book:
    """Displayed levels ``(price, quantity)``, best first, as of *sequence*."""

    sequence: int
    bids: list[Level]
    offers: list[Level]


@attrs.frozen(kw_only=True)
class Day:
    """The prints of the last 24 hours of market time; None without a print."""

    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    last: Decimal | None = None
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    count: int = 0
    first_trade: int = 0
    last_trade: int = 0


class MarketBook:
    """Displayed levels of one instrument, kept from the changes that are told."""

    def __init__(self) -> None:
        self.sequence = 0
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bid": {}, "ask": {}}
        self._prices: dict[str, list[Decimal]] = {"bid": [], "ask": []}
        """Of each side, from low to high."""

    def change(self, side: str, price: Decimal, quantity: Decimal) -> None:
        levels, prices = self.sides[side], self._prices[side]
        if quantity:
            if price not in levels:
                insort(prices, price)
            levels[price] = quantity
        elif levels.pop(price, None) is not None:
            del prices[bisect_left(prices, price)]

    def best(self, side: str) -> Decimal | None:
        prices = self._prices[side]
        if not prices:
            return None
        return prices[-1] if side == "bid" else prices[0]

    def top(self, levels: int) -> Book:
        """Return *levels* a side, all if that is negative."""
        bids, offers = self._prices["bid"], self._prices["ask"]
        most = max(len(bids), len(offers)) if levels < 0 else levels
        bid_sizes, offer_sizes = self.sides["bid"], self.sides["ask"]
        return Book(
            sequence=self.sequence,
            bids=[(price, bid_sizes[price]) for price in islice(reversed(bids), most)],
            offers=[(price, offer_sizes[price]) for price in offers[:most]],
        )


class Market:
    """One instrument's public side."""

    def __init__(self, symbol: str, now_ns: int) -> None:
        self.symbol = symbol
        self.book = MarketBook()
        self.phase = "trading"
        self.trade_number = 0
        self.recent: deque[TradeEvent] = deque(maxlen=TRADES_KEPT)
        self.last: Decimal | None = None
        self.reference = ReferenceEvent(
            symbol=symbol, mark=None, index=None, funding_rate=ZERO, funding_ns=0, event_ns=now_ns
        )
        self.day: deque[tuple[int, int, Decimal, Decimal]] = deque()
        """Time, number, price and quantity of the prints of a day at least."""

    def printed(self, trade: TradeEvent) -> None:
        """Take one print."""
        self.recent.append(trade)
        self.last = trade.price
        self.day.append((trade.event_ns, trade.trade_id, trade.price, trade.quantity))

    def statistics(self, now_ns: int) -> Day:
        """Return the day that ends now."""
        day = self.day
        while day and day[0][0] <= now_ns - DAY_NS:
            day.popleft()
        if not day:
            return Day(last=self.last)
        prices = [price for _, _, price, _ in day]
        return Day(
            open=prices[0],
            high=max(prices),
            low=min(prices),
            last=prices[-1],
            volume=sum((size for _, _, _, size in day), ZERO),
            quote_volume=sum((price * size for _, _, price, size in day), ZERO),
            count=len(day),
            first_trade=day[0][1],
            last_trade=day[-1][1],
        )
