"""The mean price of the last minutes, kept up with the prints: orders are held against it, so it is asked often."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from quotewright_simexchange.dialects.binance.written import WIDE
from quotewright_simexchange.exchange.records import ZERO, Event, TradeEvent

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

AVERAGE_NS = 300_000_000_000
MOST_TRADES = 10_000
"""The newest prints that are looked at."""


class _Late:
    """The newest prints of one instrument and their sums, exactly."""

    def __init__(self) -> None:
        self.trades: deque[tuple[int, Decimal, Decimal]] = deque()
        self.volume = self.value = ZERO
        self.last: TradeEvent | None = None

    def take(self, trade: TradeEvent) -> None:
        value = WIDE.multiply(trade.price, trade.quantity)
        self.trades.append((trade.event_ns, trade.quantity, value))
        self.volume, self.value = WIDE.add(self.volume, trade.quantity), WIDE.add(self.value, value)
        self.last = trade
        if len(self.trades) > MOST_TRADES:
            self.drop()

    def drop(self) -> None:
        _, volume, value = self.trades.popleft()
        self.volume, self.value = WIDE.subtract(self.volume, volume), WIDE.subtract(self.value, value)


class MeanPrices:
    """Mean prices of *symbols* by volume; without a print in the last minutes the last price."""

    def __init__(self, exchange: Exchange, symbols: Iterable[str]) -> None:
        self.exchange = exchange
        self._late = {symbol: _Late() for symbol in symbols}
        for symbol in self._late:
            for trade in exchange.recent_trades(symbol, MOST_TRADES):
                self._take(trade)
        exchange.listen(self._take)

    def mean(self, symbol: str) -> Decimal | None:
        """Return the mean price of *symbol*, None before its first print."""
        late = self._late[symbol]
        until_ns = self.exchange.now_ns - AVERAGE_NS
        while late.trades and late.trades[0][0] <= until_ns:
            late.drop()
        if late.volume:
            return late.value / late.volume
        return None if late.last is None else late.last.price

    def last(self, symbol: str) -> TradeEvent | None:
        """Return the newest print of *symbol*."""
        return self._late[symbol].last

    def _take(self, event: Event) -> None:
        if isinstance(event, TradeEvent):
            late = self._late.get(event.symbol)
            if late is not None:
                late.take(event)
