"""The mean price that is kept up with the prints is the one that adding them all up gives."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from quotewright_simexchange.dialects.binance import mean
from quotewright_simexchange.dialects.binance.mean import AVERAGE_NS, MeanPrices
from quotewright_simexchange.dialects.binance.parameters import split
from quotewright_simexchange.exchange.market import MarketBook
from quotewright_simexchange.exchange.records import TradeEvent


class Prints:
    """An exchange of prints alone."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.trades: list[TradeEvent] = []
        self.listeners: list[Callable[[Any], None]] = []
        self.listen = self.listeners.append

    def recent_trades(self, symbol: str, limit: int) -> list[TradeEvent]:
        return [trade for trade in self.trades if trade.symbol == symbol][-limit:]

    def print(self, symbol: str, price: Decimal, quantity: Decimal) -> None:
        ids: dict[str, Any] = {"trade_id": len(self.trades), "side": "buy", "buy_order": 1, "sell_order": 2}
        trade = TradeEvent(symbol=symbol, price=price, quantity=quantity, event_ns=self.now_ns, **ids)
        self.trades.append(trade)
        for listener in self.listeners:
            listener(trade)

    def mean(self, symbol: str, most: int) -> Decimal | None:
        trades = self.recent_trades(symbol, most)
        late = [trade for trade in trades if trade.event_ns > self.now_ns - AVERAGE_NS]
        volume = sum((trade.quantity for trade in late), Decimal(0))
        if volume:
            return sum((trade.price * trade.quantity for trade in late), Decimal(0)) / volume
        return trades[-1].price if trades else None


def test_the_mean_is_that_of_the_last_minutes_whenever_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mean, "MOST_TRADES", 40)
    chance, exchange = random.Random(3), Prints()
    means: Any = MeanPrices(exchange, ("A", "B"))  # type: ignore[arg-type]
    assert means.mean("A") is None
    assert means.last("A") is None
    dropped = 0
    for _ in range(3000):
        exchange.now_ns += chance.choice((0, 1, AVERAGE_NS // 60, AVERAGE_NS // 20))
        if chance.random() < 0.7:
            price = Decimal(chance.randint(1, 10**9)).scaleb(-4)
            exchange.print(chance.choice("AAB"), price, Decimal(chance.randint(1, 10**9)).scaleb(-8))
        if chance.random() < 0.01:
            exchange.now_ns += 2 * AVERAGE_NS
            dropped += 1
        for symbol in "AB":
            assert means.mean(symbol) == exchange.mean(symbol, 40)
    assert dropped > 10
    later: Any = MeanPrices(exchange, ("A",))  # type: ignore[arg-type]
    assert later.mean("A") == means.mean("A")
    assert later.last("A") == means.last("A") == exchange.recent_trades("A", 1)[0]
    means._take(SimpleNamespace(symbol="A"))  # no print: changes nothing
    assert later.mean("A") == means.mean("A")


def test_the_told_book_is_in_order_however_it_changes() -> None:
    chance, book = random.Random(5), MarketBook()
    plain: dict[str, dict[Decimal, Decimal]] = {"bid": {}, "ask": {}}
    for _ in range(2000):
        side: Any = chance.choice(("bid", "ask"))
        price, quantity = Decimal(chance.randint(1, 30)).scaleb(-1), Decimal(chance.choice((0, 0, 1, 2)))
        book.change(side, Decimal(f"{price:.{chance.randint(1, 3)}f}"), quantity)
        if quantity:
            plain[side][price] = quantity
        else:
            plain[side].pop(price, None)
        bids, offers = sorted(plain["bid"].items(), reverse=True), sorted(plain["ask"].items())
        for count in (-1, 0, 1, 3):
            top = book.top(count)
            assert (top.bids, top.offers) == ((bids, offers) if count < 0 else (bids[:count], offers[:count]))
        assert book.best("bid") == (bids[0][0] if bids else None)
        assert book.best("ask") == (offers[0][0] if offers else None)


@pytest.mark.parametrize("plain", [b"a=1&b=2&a=3", b"a&=1&&b==2", b"", b"a=\xff\xfe&b=\xc3"])
def test_text_without_escapes_is_split_as_text_with_them(plain: bytes) -> None:
    escaped = split(plain + b"&%20=+")
    assert escaped.pop() == (" ", " ")
    assert split(plain) == escaped
