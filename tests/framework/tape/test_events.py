"""Rows as objects."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    AGGREGATED,
    BID,
    BUY,
    CANCEL_ONLY,
    CONNECTION,
    INSTRUMENT_CHANGE,
    OFFER,
    ORDER_ADD,
    SELL,
    STATUS,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink, listing
from quotewright.model.instrument import Instrument
from quotewright.tape.events import (
    BestQuote,
    BookDelta,
    Connection,
    Funding,
    Gap,
    InstrumentChange,
    Liquidation,
    OpenInterest,
    OptionFigure,
    OrderChange,
    PredictedFunding,
    Reference,
    Resync,
    Status,
    Trade,
    events,
)
from quotewright.tape.sink import OptionSummary

BTC = Instrument(
    name="BTC-USDT.perp@test",
    symbol="BTCUSDT",
    venue="test",
    kind="perp",
    base="BTC",
    quote="USDT",
    price_decimals=2,
    size_decimals=3,
)
AT = {"instrument": BTC.name, "event_ns": 5, "receive_ns": 7}


def test_each_kind_of_row_has_its_event_and_messages_stay_together():
    buffer = TapeBuffer()
    sink = TapeSink(buffer, listing([BTC]))
    sink.begin("BTCUSDT", 5, 7, 0, 42)
    sink.resync()
    sink.snapshot()
    sink.bids(b'[["100.10","1"]]')
    sink.offers(b'[["100.20","2.5"]]')
    sink.end()
    sink.begin("BTCUSDT", 5, 7, 0, 43)
    sink.offer("100.20", "0")
    sink.trade(SELL, "100.1", "0.5", 9, AGGREGATED)
    sink.bid("100.10", "0.5")
    sink.end()
    sink.begin("BTCUSDT", 5, 7, 0, 44)
    sink.best("100.1", "0.5", "", "")
    sink.mark("100.15")
    sink.funding("0.0001", 99)
    sink.liquidation(BUY, "101", "3", 8)
    sink.open_interest("77")
    sink.gap(2)
    sink.end()
    for kind, price, size in ((CONNECTION, 0, 1), (INSTRUMENT_CHANGE, 10, 5), (ORDER_ADD, 100, 1000)):
        buffer.append(5, 7, price, size, 3, pack(kind, BID if kind == ORDER_ADD else 0, 0, 0))
    best = (Decimal("100.1"), Decimal("0.5"))
    assert list(events(buffer, 0, buffer.count, [BTC])) == [
        Resync(**AT),
        BookDelta(
            **AT,
            id=42,
            is_snapshot=True,
            bids=((Decimal("100.1"), Decimal(1)),),
            offers=((Decimal("100.2"), Decimal("2.5")),),
        ),
        BookDelta(**AT, id=43, offers=((Decimal("100.2"), Decimal(0)),)),
        Trade(**AT, id=9, side=SELL, price=Decimal("100.1"), size=Decimal("0.5"), is_aggregated=True),
        BookDelta(**AT, id=43, bids=(best,)),
        BestQuote(**AT, id=44, bid=best[0], bid_size=best[1]),
        Reference(**AT, kind="mark", price=Decimal("100.15")),
        Funding(**AT, rate=Decimal("0.0001"), next_ns=99),
        Liquidation(**AT, id=8, side=BUY, price=Decimal(101), size=Decimal(3)),
        OpenInterest(**AT, size=Decimal(77)),
        Gap(**AT, missing=2),
        Connection(**AT, is_up=True),
        InstrumentChange(**AT, tick_size=Decimal("0.10"), lot_size=Decimal("0.005")),
        OrderChange(**AT, kind="order_add", id=3, side=BID, price=Decimal(1), size=Decimal(1)),
    ]


def test_an_option_and_what_is_told_of_it():
    buffer = TapeBuffer()
    sink = TapeSink(buffer, listing([BTC]))
    sink.begin("BTCUSDT", 5, 7)
    sink.option(
        OptionSummary(
            right="C",
            strike="70000",
            expiry_ns=9,
            bid_iv="0.55",
            mark_iv="0.6",
            last_price="0.012",
            underlying_price="60000.5",
            theta="-12.25",
        )
    )
    sink.predicted_funding("-0.0001")
    sink.status(CANCEL_ONLY)
    sink.change("0.5", "0.01")
    sink.end()
    assert list(events(buffer, 0, buffer.count, [BTC])) == [
        Reference(**AT, kind="last_price", price=Decimal("0.012")),
        Reference(**AT, kind="underlying", price=Decimal("60000.5")),
        OptionFigure(**AT, kind="bid_iv", value=Decimal("0.55")),
        OptionFigure(**AT, kind="mark_iv", value=Decimal("0.6")),
        OptionFigure(**AT, kind="theta", value=Decimal("-12.25")),
        PredictedFunding(**AT, rate=Decimal("-0.0001")),
        Status(**AT, status="cancel_only"),
        InstrumentChange(**AT, tick_size=Decimal("0.5"), lot_size=Decimal("0.01")),
    ]
    buffer.append(5, 7, 0, 6, 0, pack(STATUS, 0, 0, 0))
    with pytest.raises(InputError, match=r"row 8: status should be 0 to 5, was 6"):
        list(events(buffer, 8, 9, [BTC]))


def test_two_messages_are_two_deltas():
    buffer = TapeBuffer()
    sink = TapeSink(buffer, listing([BTC]))
    for price in ("1", "2"):
        sink.begin("BTCUSDT", 0, 7)
        sink.offer(price, "1")
        sink.end()
    first, second = events(buffer, 0, 2, [BTC])
    assert isinstance(first, BookDelta)
    assert isinstance(second, BookDelta)
    assert (first.is_estimated, first.event_ns) == (True, 7)
    assert (first.offers[0][0], second.offers[0][0]) == (1, 2)


def test_unknown_kinds_instruments_and_rows_are_refused():
    buffer = TapeBuffer()
    buffer.append(1, 1, 1, 1, 1, pack(99, OFFER, 0, 0))
    buffer.append(1, 1, 1, 1, 1, pack(1, OFFER, 0, 6))
    with pytest.raises(InputError, match="row 0: kind should be 1 to 30, was 99"):
        list(events(buffer, 0, 1, [BTC]))
    with pytest.raises(InputError, match="row 1: instrument id should be below 1, was 6"):
        list(events(buffer, 1, 2, [BTC]))
    with pytest.raises(InputError, match="rows 0 to 3 should lie within the 2 rows"):
        list(events(buffer, 0, 3, [BTC]))
