"""Aggregated trades and candles from single matches."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quotewright_simexchange.dialects.binance.tape import SECOND_NS, Tape, bounds
from quotewright_simexchange.exchange.records import TradeEvent


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND_NS  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("1s", ns(2026, 12, 31, 13, 7, 9), ns(2026, 12, 31, 13, 7, 10)),
        ("15m", ns(2026, 12, 31, 13, 0), ns(2026, 12, 31, 13, 15)),
        ("4h", ns(2026, 12, 31, 12), ns(2026, 12, 31, 16)),
        ("1d", ns(2026, 12, 31), ns(2027, 1, 1)),
        ("1w", ns(2026, 12, 28), ns(2027, 1, 4)),
        ("1M", ns(2026, 12, 1), ns(2027, 1, 1)),
    ],
)
def test_where_candles_begin_and_end(interval: str, start: int, end: int) -> None:
    assert bounds(interval, ns(2026, 12, 31, 13, 7, 9) + 5) == (start, end)
    assert bounds(interval, start) == (start, end)
    assert bounds(interval, end - 1) == (start, end)


def trade(number: int, second: float, price: int, taker: int, side: str = "buy") -> TradeEvent:
    return TradeEvent(
        symbol="X",
        trade_id=number,
        price=Decimal(price),
        quantity=Decimal(2),
        side=side,  # type: ignore[arg-type]
        buy_order=taker if side == "buy" else 900 + number,
        sell_order=taker if side == "sell" else 900 + number,
        event_ns=int(second * SECOND_NS),
    )


def test_one_takers_matches_at_one_price_are_joined() -> None:
    tape = Tape()
    for match in (
        trade(1, 1, 100, 7),
        trade(2, 1, 100, 7),
        trade(3, 1, 101, 7),
        trade(4, 1, 101, 8),
        trade(5, 2, 101, 8),
        trade(6, 2, 101, 8, "sell"),
    ):
        tape.take(match)
    tape.end()
    assert [(joined.number, joined.first, joined.last, joined.quantity) for joined in tape.aggregates] == [
        (1, 1, 2, 4),
        (2, 3, 3, 2),
        (3, 4, 4, 2),
        (4, 5, 5, 2),
        (5, 6, 6, 2),
    ]
    assert [joined.is_buyer_maker for joined in tape.aggregates] == [False] * 4 + [True]
    assert tape.end() is None


def test_candles_hold_what_was_traded_in_them() -> None:
    tape = Tape()
    for match in (trade(1, 3, 100, 1), trade(2, 59, 90, 2, "sell"), trade(3, 60, 95, 3), trade(4, 185, 99, 4)):
        tape.take(match)
    found = [
        (c.start_ns // SECOND_NS, c.open, c.high, c.low, c.close, c.volume, c.bought, c.count, c.first, c.last)
        for c in tape.candles("1m", 0, 200 * SECOND_NS)
    ]
    assert found == [
        (0, 100, 100, 90, 90, 4, 2, 2, 1, 2),
        (60, 95, 95, 95, 95, 2, 2, 1, 3, 3),
        (120, 95, 95, 95, 95, 0, 0, 0, -1, -1),
        (180, 99, 99, 99, 99, 2, 2, 1, 4, 4),
    ]
    assert [c.close for c in tape.candles("1m", 240 * SECOND_NS, 250 * SECOND_NS)] == [99]
    assert list(Tape().candles("1m", 0, SECOND_NS)) == []
