"""What was traded: single matches joined to aggregated trades, and candles of every interval."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from quotewright_simexchange.exchange.records import BalanceEvent, DepthEvent, Event, TradeEvent

if TYPE_CHECKING:
    from quotewright_simexchange.exchange.exchange import Exchange

SECOND_NS = 1_000_000_000
KEPT = 10_000
KEPT_SECONDS = 100_000
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
MONDAY_NS = 4 * 86_400 * SECOND_NS
ZERO = Decimal(0)


@attrs.define
class Aggregate:
    """Matches of one taker at one price."""

    number: int
    price: Decimal
    quantity: Decimal
    first: int
    last: int
    event_ns: int
    is_buyer_maker: bool
    taker: int


@attrs.define
class Candle:
    """Prices and sums of the trades within a time."""

    start_ns: int
    end_ns: int
    """The next one's start."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    value: Decimal = ZERO
    count: int = 0
    bought: Decimal = ZERO
    """Volume whose taker bought."""
    bought_value: Decimal = ZERO
    first: int = -1
    last: int = -1

    def join(self, other: Candle) -> None:
        """Add a later candle."""
        self.high, self.low, self.close = max(self.high, other.high), min(self.low, other.low), other.close
        self.volume += other.volume
        self.value += other.value
        self.count += other.count
        self.bought += other.bought
        self.bought_value += other.bought_value
        self.first = other.first if self.first < 0 else self.first
        self.last = other.last if other.last >= 0 else self.last


def bounds(interval: str, time_ns: int) -> tuple[int, int]:
    """Return when the candle of *interval* around *time_ns* begins and ends, in UTC; weeks begin on Monday."""
    if interval == "1M":
        day = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
        first = datetime(day.year, day.month, 1, tzinfo=UTC)
        after = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
        return int(first.timestamp()) * SECOND_NS, int(after.timestamp()) * SECOND_NS
    if interval == "1w":
        week_ns = 7 * 86_400 * SECOND_NS
        start = (time_ns - MONDAY_NS) // week_ns * week_ns + MONDAY_NS
        return start, start + week_ns
    length = int(interval[:-1]) * _UNITS[interval[-1]] * SECOND_NS
    start = time_ns // length * length
    return start, start + length


class Tape:
    """The trades of one symbol."""

    def __init__(self) -> None:
        self.aggregates: deque[Aggregate] = deque(maxlen=KEPT)
        self.seconds: deque[Candle] = deque(maxlen=KEPT_SECONDS)
        self.pending: Aggregate | None = None
        self._numbers = 0

    def take(self, trade: TradeEvent) -> Aggregate | None:
        """Add a match; return the aggregate that it ended, if it did."""
        self._add_to_candle(trade)
        taker = trade.buy_order if trade.side == "buy" else trade.sell_order
        last, is_sold = self.pending, trade.side == "sell"
        own = (taker, is_sold, trade.price, trade.event_ns)
        if last is not None and (last.taker, last.is_buyer_maker, last.price, last.event_ns) == own:
            last.quantity += trade.quantity
            last.last = trade.trade_id
            return None
        ended = self.end()
        self._numbers += 1
        self.pending = Aggregate(
            self._numbers,
            trade.price,
            trade.quantity,
            trade.trade_id,
            trade.trade_id,
            trade.event_ns,
            is_sold,
            taker,
        )
        return ended

    def end(self) -> Aggregate | None:
        """End the aggregate that is being gathered and return it."""
        ended, self.pending = self.pending, None
        if ended is not None:
            self.aggregates.append(ended)
        return ended

    def candles(self, interval: str, start_ns: int, end_ns: int) -> Iterator[Candle]:
        """Return candles from *start_ns* until *end_ns*, those without a trade flat at the price before."""
        joined: dict[int, Candle] = {}
        before: Decimal | None = None
        for second in self.seconds:
            start, end = bounds(interval, second.start_ns)
            if end <= start_ns:
                before = second.close
            elif start > end_ns:
                break
            elif start in joined:
                joined[start].join(second)
            else:
                joined[start] = attrs.evolve(second, start_ns=start, end_ns=end)
        if before is None and joined:
            start_ns = max(start_ns, min(joined))
        elif before is None:
            return
        at = bounds(interval, start_ns)[0]
        while at <= end_ns:
            candle = joined.get(at)
            if candle is None:
                assert before is not None
                candle = Candle(at, bounds(interval, at)[1], before, before, before, before)
            if at >= start_ns or candle.end_ns > start_ns:
                yield candle
            before, at = candle.close, candle.end_ns

    def _add_to_candle(self, trade: TradeEvent) -> None:
        start, end = bounds("1s", trade.event_ns)
        value = trade.price * trade.quantity
        is_bought = trade.side == "buy"
        single = Candle(
            start,
            end,
            trade.price,
            trade.price,
            trade.price,
            trade.price,
            trade.quantity,
            value,
            1,
            trade.quantity if is_bought else ZERO,
            value if is_bought else ZERO,
            trade.trade_id,
            trade.trade_id,
        )
        if self.seconds and self.seconds[-1].start_ns == start:
            self.seconds[-1].join(single)
        else:
            self.seconds.append(single)


class Tapes:
    """The tapes of an exchange's instruments; *told* gets every aggregate when it is complete."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.told: Callable[[str, Aggregate], None] | None = None
        self.by_symbol = {symbol: Tape() for symbol in exchange.listings}
        for symbol, tape in self.by_symbol.items():
            for trade in exchange.recent_trades(symbol, KEPT):
                tape.take(trade)
            tape.end()
        self._is_due = False
        exchange.listen(self._take)

    def of(self, symbol: str) -> Tape:
        """Return a symbol's tape, complete up to now."""
        self._end_all()
        return self.by_symbol[symbol]

    def _take(self, event: Event) -> None:
        if isinstance(event, TradeEvent):
            ended = self.by_symbol[event.symbol].take(event)
            if ended is not None:
                self._tell(event.symbol, ended)
            if not self._is_due:
                self._is_due = True
                self.exchange.at(self.exchange.now_ns, self._end_due)
        elif isinstance(event, DepthEvent | BalanceEvent):
            self._end_all()

    def _end_due(self) -> None:
        self._is_due = False
        self._end_all()

    def _end_all(self) -> None:
        for symbol, tape in self.by_symbol.items():
            if tape.pending is not None:
                ended = tape.end()
                assert ended is not None
                self._tell(symbol, ended)

    def _tell(self, symbol: str, aggregate: Aggregate) -> None:
        if self.told is not None:
            self.told(symbol, aggregate)
