"""Tapes made by hand and exchanges for them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from quotewright.kernel.codes import LAST, pack
from quotewright.kernel.rows import TapeBuffer
from quotewright.model.instrument import Instrument
from quotewright.tape.tape import MemoryTape
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.markets.tape import TapeMarket, listing_of

SECOND = 1_000_000_000
BTC = Instrument(
    name="BTC-USDT.spot@test",
    symbol="BTCUSDT",
    venue="test",
    kind="spot",
    base="BTC",
    quote="USDT",
    settle="USDT",
    price_decimals=0,
    size_decimals=0,
)
Row = tuple[int, int, int, int]
"""Kind, side, price, size."""
Levels = dict[tuple[str, Decimal], Decimal]


def tape_of(messages: Sequence[tuple[int, Sequence[Row]]], instrument: Instrument = BTC) -> MemoryTape:
    """Return a tape of *messages*, each with its event time in ns."""
    buffer = TapeBuffer(64)
    for event_ns, rows in messages:
        for number, (kind, side, price, size) in enumerate(rows):
            flags = LAST if number == len(rows) - 1 else 0
            buffer.append(event_ns, event_ns, price, size, 0, pack(kind, side, flags, 0))
    return MemoryTape((instrument,), buffer)


def market_on(tape: MemoryTape) -> tuple[Exchange, TapeMarket]:
    """Return an exchange that lists the tape's instrument, with an account ``us``, and the tape's market started."""
    exchange = Exchange([listing_of(tape.instruments[0])])
    exchange.open_account("us", {"BTC": Decimal(1000), "USDT": Decimal(10_000_000)})
    market = TapeMarket(tape)
    market.start(exchange)
    return exchange, market


def levels_of(exchange: Exchange, symbol: str = "BTCUSDT") -> Levels:
    """Return the displayed book."""
    book = exchange.book(symbol)
    found: Levels = {("buy", price): quantity for price, quantity in book.bids}
    return found | {("sell", price): quantity for price, quantity in book.offers}
