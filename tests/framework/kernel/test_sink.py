"""The tape sink: what text becomes which rows, and that a message is written whole or not at all."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quotewright.errors import InputError
from quotewright.kernel.codes import (
    AGGREGATED,
    BEST_QUOTE,
    BID,
    BID_IV,
    BUY,
    CLOSED,
    DELTA,
    EVENT_ESTIMATED,
    FUNDING,
    GAMMA,
    GAP,
    IN_SNAPSHOT,
    INDEX,
    INSTRUMENT_CHANGE,
    LAST,
    LAST_PRICE,
    LEVEL_DELETE,
    LEVEL_SET,
    LIQUIDATION,
    MARK,
    MARK_IV,
    OFFER,
    OFFER_IV,
    OPEN_INTEREST,
    PREDICTED_FUNDING,
    RELEASED,
    RESYNC,
    RHO,
    ROW_WORDS,
    SELL,
    SNAPSHOT_BEGIN,
    STATUS,
    THETA,
    TRADE,
    UNDERLYING,
    VEGA,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import MAX_UNLISTED, OTHERS, TapeSink, listing
from quotewright.model.instrument import Instrument
from quotewright.tape.sink import OptionSummary, Sink


@pytest.fixture
def sink() -> TapeSink:
    return TapeSink(TapeBuffer(1), {"BTCUSDT": (3, 2, 3), "ETHUSDT": (70_000, 1, 0)})


def rows(sink):
    """Return (kind, side, flags, instrument, price, size, id, event_ns, receive_ns) of each row."""
    words = sink.buffer.words
    taken = []
    for row in range(sink.buffer.count):
        event_ns, receive_ns, price, size, id, word = words[row * ROW_WORDS : (row + 1) * ROW_WORDS]
        taken.append(
            (word & 255, word >> 8 & 255, word >> 16 & 0xFFFF, word >> 32, price, size, id, event_ns, receive_ns)
        )
    return taken


def short(sink):
    """Return (kind, side, price, size) of each row."""
    return [(kind, side, price, size) for kind, side, _, _, price, size, *_ in rows(sink)]


def test_the_tape_sink_is_a_sink(sink):
    typed: Sink = sink
    assert typed.begin("BTCUSDT", 1, 2)


def test_a_snapshot_is_one_message_with_its_flags(sink):
    assert sink.begin("BTCUSDT", 10, 20, RELEASED, 77)
    sink.resync()
    sink.snapshot()
    sink.bids(b'[["100.5","1"],["100.4","0"]]')
    sink.offers(msgspec.Raw(b'[["100.6","2.5"]]'))
    sink.end()
    assert rows(sink) == [
        (RESYNC, 0, RELEASED, 3, 0, 0, 77, 10, 20),
        (SNAPSHOT_BEGIN, 0, RELEASED, 3, 0, 0, 77, 10, 20),
        (LEVEL_SET, BID, RELEASED | IN_SNAPSHOT, 3, 10050, 1000, 77, 10, 20),
        (LEVEL_SET, OFFER, RELEASED | IN_SNAPSHOT | LAST, 3, 10060, 2500, 77, 10, 20),
    ]


def test_zero_deletes_in_an_update_and_says_nothing_in_a_snapshot(sink):
    sink.begin("BTCUSDT", 1, 1)
    sink.bids(b'[["1","0.000"],["2","1"]]')
    sink.offer("3", "-0")
    sink.end()
    sink.begin("BTCUSDT", 2, 2)
    sink.snapshot()
    sink.bid("1", "0")
    sink.offer(b"3", b"0.0")
    sink.end()
    assert short(sink) == [
        (LEVEL_DELETE, BID, 100, 0),
        (LEVEL_SET, BID, 200, 1000),
        (LEVEL_DELETE, OFFER, 300, 0),
        (SNAPSHOT_BEGIN, 0, 0, 0),
    ]


def test_a_message_without_event_time_is_estimated_and_marked(sink):
    sink.begin("ETHUSDT", 0, 123, 0, 5)
    sink.trade(BUY, "1.5", "7", 9, AGGREGATED)
    sink.end()
    assert rows(sink) == [(TRADE, BUY, EVENT_ESTIMATED | AGGREGATED | LAST, 70_000, 15, 7, 9, 123, 123)]


def test_flags_of_one_trade_are_not_those_of_the_next(sink):
    sink.begin("BTCUSDT", 1, 2, LAST)
    sink.trade(SELL, "1", "1", 1, AGGREGATED | LAST)
    sink.trade(0, "1", "1", 2)
    sink.end()
    assert [flags for _, _, flags, *_ in rows(sink)] == [AGGREGATED, LAST]


def test_best_quotes_may_lack_a_side(sink):
    sink.begin("BTCUSDT", 1, 2, 0, 4)
    sink.best("1.5", "2", "", "")
    sink.end()
    sink.begin("BTCUSDT", 1, 2, 0, 5)
    sink.best("0.00", "0", "1.6", "3")
    sink.end()
    assert short(sink) == [
        (BEST_QUOTE, BID, 150, 2000),
        (BEST_QUOTE, OFFER, 0, 0),
        (BEST_QUOTE, BID, 0, 0),
        (BEST_QUOTE, OFFER, 160, 3000),
    ]
    assert [flags for _, _, flags, *_ in rows(sink)] == [0, LAST, 0, LAST]


def test_reference_values_are_rounded_half_even(sink):
    sink.begin("BTCUSDT", 1, 2)
    sink.mark("60000.12345678949")
    sink.index("1.0000000005")
    sink.index("1.0000000015")
    sink.funding("-0.00010000000000051", 99)
    sink.end()
    assert short(sink) == [
        (MARK, 0, 60_000_123_456_789, 0),
        (INDEX, 0, 1_000_000_000, 0),
        (INDEX, 0, 1_000_000_002, 0),
        (FUNDING, 0, -100_000_000_001, 99),
    ]


def test_the_other_kinds(sink):
    sink.begin("BTCUSDT", 1, 2, 0, 8)
    sink.liquidation(SELL, "5", "0.5", 6)
    sink.open_interest("12.5")
    sink.gap(3)
    sink.end()
    assert short(sink) == [(LIQUIDATION, SELL, 500, 500), (OPEN_INTEREST, 0, 0, 12500), (GAP, 0, 0, 3)]


def test_an_option_is_one_row_for_each_thing_told(sink):
    sink.begin("BTCUSDT", 1, 2, 0, 5, 3)
    sink.option(
        OptionSummary(
            right="P",
            strike="1",
            bid_price="0.5",
            bid_size="7",
            bid_iv="0.5",
            offer_iv=b"0.6",
            mark_iv="0.55000000051",
            last_price="0",
            open_interest="12.3456",
            mark_price="0",
            delta="-0.5",
            gamma="1e-7",
            vega="3",
            theta="-4",
            rho="0",
            underlying_price="60000",
        )
    )
    sink.option(OptionSummary(last_price="0.25"))
    sink.end()
    assert short(sink) == [
        (OPEN_INTEREST, 0, 0, 12_346),
        (MARK, 0, 0, 0),
        (UNDERLYING, 0, 60_000_000_000_000, 0),
        (BID_IV, 0, 500_000_000, 0),
        (OFFER_IV, 0, 600_000_000, 0),
        (MARK_IV, 0, 550_000_001, 0),
        (DELTA, 0, -500_000_000, 0),
        (GAMMA, 0, 100, 0),
        (VEGA, 0, 3_000_000_000, 0),
        (THETA, 0, -4_000_000_000, 0),
        (RHO, 0, 0, 0),
        (LAST_PRICE, 0, 250_000_000, 0),
    ]
    assert rows(sink)[0][6:] == (5, 1, 2)


def test_last_prices_predictions_states_and_new_grids(sink):
    sink.begin("BTCUSDT", 1, 2, 0, 5)
    sink.last("100.5")
    sink.last("0.0")
    sink.predicted_funding("-0.0001")
    sink.status(CLOSED)
    sink.change("0.5", "0.01")
    sink.trade(BUY, "1", "2", 7, 0, "a-7")
    sink.liquidation(SELL, "1", "2", 8, "b-8")
    sink.end()
    assert short(sink) == [
        (LAST_PRICE, 0, 100_500_000_000, 0),
        (PREDICTED_FUNDING, 0, -100_000_000_000, 0),
        (STATUS, 0, 0, CLOSED),
        (INSTRUMENT_CHANGE, 0, 50, 10),
        (TRADE, BUY, 100, 2000),
        (LIQUIDATION, SELL, 100, 2000),
    ]


def test_a_message_without_rows_leaves_nothing(sink):
    sink.begin("BTCUSDT", 1, 2)
    sink.bids(b"[]")
    sink.end()
    sink.end()
    assert sink.buffer.count == 0


BROKEN = {
    "price": (lambda sink: sink.bids(b'[["1","1"],["x","1"]]'), r"BTCUSDT bids\[1\]\[0\]"),
    "size": (lambda sink: sink.offer("1", "NaN"), "BTCUSDT offer size"),
    "zero price": (lambda sink: sink.bid("0", "1"), "BTCUSDT bid price should be positive"),
    "zero price of a trade": (lambda sink: sink.trade(1, "0", "1", 1), "trade price should be positive"),
    "negative trade": (lambda sink: sink.trade(1, "1", "-1", 1), "trade size should not be negative"),
    "side": (lambda sink: sink.trade(3, "1", "1", 1), "side should be"),
    "best without price": (lambda sink: sink.best("0", "1", "2", "1"), "best bid should be positive"),
    "negative best": (lambda sink: sink.best("1", "1", "-2", "0"), "best offer should not be negative"),
    "mark": (lambda sink: sink.mark("0"), "mark price should be positive"),
    "rate": (lambda sink: sink.funding("abc", 1), "funding rate should be a decimal number"),
    "last": (lambda sink: sink.last("-1"), "last price should not be negative"),
    "volatility": (lambda sink: sink.option(OptionSummary(bid_iv="-1")), "bid volatility should not be negative"),
    "greek": (lambda sink: sink.option(OptionSummary(rho="x")), "rho should be a decimal number"),
    "interest": (lambda sink: sink.open_interest("-1"), "open interest should not be negative"),
    "status": (lambda sink: sink.status(6), "status should be 0 to 5, was 6"),
    "tick finer than the step": (lambda sink: sink.change("0.001", "1"), "tick should have at most 2 decimals"),
    "lot": (lambda sink: sink.change("0.01", "0"), "lot should be positive"),
    "finer than the step": (lambda sink: sink.bids(b"[[1.001,1]]"), "at most 2 decimals"),
}


@pytest.mark.parametrize(("write", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_message_is_taken_back_whole(sink, write, why):
    sink.begin("BTCUSDT", 1, 1)
    sink.trade(BUY, "1", "1", 1)
    sink.end()
    before = rows(sink)
    sink.begin("BTCUSDT", 2, 2)
    sink.snapshot()
    sink.bids(b'[["1","1"]]')
    with pytest.raises(InputError, match=why):
        write(sink)
    sink.abandon()
    assert rows(sink) == before
    assert sink.begin("BTCUSDT", 3, 3)


def test_messages_are_begun_and_ended_in_turn(sink):
    for write in (lambda: sink.bids(b"[]"), lambda: sink.trade(1, "1", "1", 1), sink.gap):
        with pytest.raises(InputError, match="begun"):
            write()
    sink.begin("BTCUSDT", 1, 1)
    with pytest.raises(InputError, match="BTCUSDT: the message before was neither ended nor abandoned"):
        sink.begin("ETHUSDT", 1, 1)


def test_unlisted_symbols_are_counted_by_name_and_no_memory_is_lost_on_them(sink):
    assert not sink.begin("DOGEUSDT", 1, 1)
    assert not sink.begin("DOGEUSDT", 1, 1)
    assert sink.unlisted == {"DOGEUSDT": 2}
    for number in range(2 * MAX_UNLISTED):
        sink.begin(f"X{number}", 1, 1)
    assert len(sink.unlisted) == MAX_UNLISTED + 1
    assert sink.unlisted[OTHERS] == MAX_UNLISTED + 1
    assert sink.buffer.count == 0


def test_a_listing_gives_the_places_of_instruments():
    first = instrument("BTCUSDT", 1, 3)
    second = instrument("ETHUSDT", 2, 0)
    assert listing([first, second]) == {"BTCUSDT": (0, 1, 3), "ETHUSDT": (1, 2, 0)}
    with pytest.raises(InputError, match="two instruments are called BTCUSDT"):
        listing([first, first])


def test_a_listing_that_cannot_be_written_is_refused():
    with pytest.raises(InputError, match="X: decimals should be 0 to 18, was 19"):
        TapeSink(TapeBuffer(), {"X": (0, 19, 0)})
    with pytest.raises(InputError, match="X: instrument id should be"):
        TapeSink(TapeBuffer(), {"X": (1 << 20, 0, 0)})


def instrument(symbol: str, price_decimals: int, size_decimals: int) -> Instrument:
    return Instrument(
        name=f"{symbol}.perp@test",
        symbol=symbol,
        venue="test",
        kind="perp",
        base="A",
        quote="B",
        price_decimals=price_decimals,
        size_decimals=size_decimals,
        min_notional=Decimal(0),
    )
