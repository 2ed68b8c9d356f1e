"""The sink that keeps text: what is written becomes normalised messages with the very digits that came."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from quotewright.errors import InputError
from quotewright.kernel.codes import BUY, NO_MARKET, NO_SIDE, RELEASED, SELL
from quotewright.tape.normalise import NormaliseSink, number
from quotewright.tape.sink import OptionSummary, Sink

SECOND = 1_700_000_000_000_000_000
AT = {"timestamp": "2023-11-14T22:13:20.001Z", "localTimestamp": "2023-11-14T22:13:20.002500Z"}


@pytest.fixture
def sink() -> NormaliseSink:
    return NormaliseSink("test")


def begin(sink, symbol="BTCUSDT", **options):
    assert sink.begin(symbol, SECOND + 1_000_000, SECOND + 2_500_000, **options)


def taken(sink):
    return [json.loads(text) for text in sink.take()]


def test_it_is_a_sink(sink):
    typed: Sink = sink
    assert typed.begin("A", 1, 2)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.00100000", "0.00100000"), (b"12", "12"), ("1e-7", "1e-7"), ("1.50E+3", "1.50e+3"), ("+2.5", "2.5"),
        ("007.10", "7.10"), ("-0.5", "-0.5"), ("00", "0"), ("123456789012345678901234.5", "123456789012345678901234.5"),
    ],
)  # fmt: skip
def test_numbers_keep_their_digits(text, written):
    assert number(text, "x") == written
    plain = text if isinstance(text, str) else text.decode()
    assert json.loads(written, parse_float=Decimal, parse_int=Decimal) == Decimal(plain)


@pytest.mark.parametrize(
    "text", ["", "NaN", "Infinity", "1e999", ".", "1.", ".5", "0x1", "1_0", " 1", "\uff11", b"\xff"]
)
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(InputError, match="price should be a"):
        number(text, "price")


def test_a_book_keeps_its_levels_and_their_text(sink):
    begin(sink)
    sink.bids(b'[["100.10","1.500"],["100.00","0"]]')
    sink.offers(b'[ [100.20, 2, "x"] ]')
    sink.offer("100.3", b"0.1")
    sink.end()
    assert sink.take() == [
        '{"type":"book_change","symbol":"BTCUSDT","exchange":"test","isSnapshot":false,'
        '"bids":[{"price":100.10,"amount":1.500},{"price":100.00,"amount":0}],'
        '"asks":[{"price":100.20,"amount":2},{"price":100.3,"amount":0.1}],'
        '"timestamp":"2023-11-14T22:13:20.001Z","localTimestamp":"2023-11-14T22:13:20.002500Z"}'
    ]
    assert sink.take() == []


def test_released_updates_are_merged_into_the_snapshot_before_them(sink):
    begin(sink)
    sink.snapshot()
    sink.bids(b'[["10","1"],["9","1"]]')
    sink.end()
    begin(sink, flags=RELEASED)
    sink.bids(b'[["9","0"],["8","3"]]')
    sink.offers(b'[["11","4"]]')
    sink.end()
    begin(sink, "ETHUSDT", flags=RELEASED)
    sink.bid("1", "1")
    sink.end()
    book, other = taken(sink)
    assert book["isSnapshot"]
    assert [(level["price"], level["amount"]) for level in book["bids"]] == [(10, 1), (9, 0), (8, 3)]
    assert [(level["price"], level["amount"]) for level in book["asks"]] == [(11, 4)]
    assert (other["symbol"], other["isSnapshot"]) == ("ETHUSDT", False)
    begin(sink, flags=RELEASED)
    sink.bid("7", "1")
    sink.end()
    assert [book["isSnapshot"] for book in taken(sink)] == [False], "the snapshot of an earlier input is gone"


def test_kinds_come_in_a_fixed_order_and_trades_outside_the_market_do_not(sink):
    begin(sink, stamp_ns=SECOND)
    sink.best("1.5", "2", "", "0")
    sink.option(OptionSummary(right="P", strike="100", mark_iv="0.65", bid_iv="0", delta="-0.5", open_interest="0"))
    sink.liquidation(SELL, "1", "2", 0, "a-1")
    sink.mark("1.5")
    sink.trade(BUY, "1", "2", 7)
    sink.trade(NO_SIDE, "1", "2", 8, NO_MARKET)
    sink.trade(SELL, "1", "2", 0, 0, 'x"1')
    sink.end()
    messages = taken(sink)
    assert [message["type"] for message in messages] == [
        *("trade", "trade", "derivative_ticker", "liquidation", "option_summary", "book_ticker")
    ]
    assert all(message["timestamp"] == "2023-11-14T22:13:20.000Z" for message in messages)
    assert [message.get("id") for message in messages[:2]] == ["7", 'x"1']
    assert messages[3]["id"] == "a-1"
    assert messages[4] == {
        "type": "option_summary",
        "symbol": "BTCUSDT",
        "exchange": "test",
        "optionType": "put",
        "strikePrice": 100,
        "openInterest": 0,
        "markIV": 0.65,
        "delta": -0.5,
        "underlyingIndex": "",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "localTimestamp": AT["localTimestamp"],
    }
    assert {"bidPrice", "bidAmount"} <= messages[5].keys()
    assert not {"askPrice", "askAmount"} & messages[5].keys()


def test_volatilities_are_shown_in_percent_where_the_venue_does():
    sink = NormaliseSink("test", shows_percent=True)
    begin(sink)
    sink.option(OptionSummary(mark_iv="0.5839", offer_iv="5.000", bid_iv="1e-30"))
    sink.end()
    text = sink.take()[0]
    assert '"markIV":58.39,' in text
    assert '"bestAskIV":500.0,' in text


def test_a_ticker_accumulates_and_is_told_when_something_changed(sink):
    begin(sink)
    sink.last("100.5")
    sink.open_interest("7")
    sink.end()
    sink.begin("BTCUSDT", SECOND, SECOND)
    sink.mark("100.4")
    sink.funding("-0.0001", SECOND)
    sink.end()
    sink.begin("BTCUSDT", SECOND + 10**9, SECOND)
    sink.mark("100.40")
    sink.index("99")
    sink.predicted_funding("0.0002")
    sink.end()
    begin(sink, stamp_ns=SECOND + 5 * 10**9)
    sink.mark("100.400")
    sink.end()
    first, second, third = taken(sink)
    assert first == {"type": "derivative_ticker", "symbol": "BTCUSDT", "exchange": "test", **AT} | {
        "lastPrice": 100.5,
        "openInterest": 7,
    }
    assert second["timestamp"] == AT["timestamp"], "the newest seen"
    assert second["fundingTimestamp"] == "2023-11-14T22:13:20.000Z"
    assert (third["indexPrice"], third["predictedFundingRate"], third["lastPrice"]) == (99, 0.0002, 100.5)


def test_an_abandoned_message_leaves_nothing_behind(sink):
    begin(sink)
    sink.mark("5")
    sink.trade(BUY, "1", "1", 1)
    with pytest.raises(InputError, match=r"BTCUSDT bids\[1\]\[0\] should be positive"):
        sink.bids(b'[["1","1"],["0","1"]]')
    sink.bid("1", "1")
    sink.abandon()
    assert sink.take() == []
    begin(sink)
    sink.last("6")
    sink.end()
    assert "markPrice" not in taken(sink)[0]


@pytest.mark.parametrize(
    "levels", [b'[["-1","1"]]', b'[["1","-1"]]', b'[["1"]]', b"{}", b'[["1","x"]]', b"[[1", b"\xff"]
)
def test_levels_that_no_tape_can_hold_are_refused(sink, levels):
    begin(sink)
    with pytest.raises(InputError, match="BTCUSDT"):
        sink.bids(levels)


def test_a_message_without_times_of_its_own_is_of_its_receipt_and_the_other_way_round(sink):
    sink.begin("A", 0, SECOND)
    sink.best("1", "1", "2", "2")
    sink.end()
    sink.begin("A", SECOND, 0)
    sink.best("1", "1", "2", "2")
    sink.end()
    for message in taken(sink):
        assert message["timestamp"] == message["localTimestamp"] == "2023-11-14T22:13:20.000Z"


def test_rows_belong_into_a_message(sink):
    with pytest.raises(InputError, match="begun"):
        sink.mark("1")
    begin(sink)
    with pytest.raises(InputError, match="neither ended nor abandoned"):
        begin(sink)
