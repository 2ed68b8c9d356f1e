"""Frames of every kind become the right rows; bad ones are refused whole, counted, and never raise."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from quotewright.kernel import codes
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.tape.normalise import NormaliseSink
from quotewright_plugins.exchanges.bybit.adapter import BybitAdapter
from quotewright_plugins.exchanges.bybit.frames import SYMBOLS, BybitSession, session_lines
from tests.plugins.bybit.support import MARKETS, Run, flags, names, rows_of, side

SPOIL = (
    "NaN",
    "Infinity",
    "-1",
    "1e400",
    "1e-400",
    '"0x1"',
    '"NaN"',
    '"-1"',
    '"1e400"',
    '"1e-400"',
    '""',
    "null",
    "true",
)
BOOK = (
    '{"topic":"orderbook.50.BTCUSDT","type":"%s","ts":1700000000123,"data":{"s":"BTCUSDT","b":[["100.00","1"]],'
    '"a":[["101.00","2"]],"u":%d,"seq":%d},"cts":1700000000120}'
)
IMAGE = (BOOK % ("snapshot", 9, 9)).encode()
FRAMES = {
    "book": BOOK % ("delta", 10, 10),
    "best": '{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":5,"data":{"s":"BTCUSDT","b":[["100.00","1"]],'
    '"a":[["101.00","2"]],"u":7,"seq":8},"cts":4}',
    "trade": '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":5,"data":[{"T":4,"s":"BTCUSDT","S":"Buy","v":"1.5",'
    '"p":"100.00","L":"PlusTick","i":"0cbf2330-952d-5d03-a462-4bf826c867af","BT":false}]}',
    "ticker": '{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","lastPrice":"1.5",'
    '"markPrice":"1.6","indexPrice":"1.7","openInterest":"9","fundingRate":"0.0001","nextFundingTime":"1700003600000"},"cs":2,"ts":5}',
    "liquidation": '{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":5,"data":[{"T":4,"s":"BTCUSDT","S":"Sell",'
    '"v":"3","p":"2.5"}]}',
    "old book": '{"topic":"orderBookL2_25.BTCUSDT","type":"snapshot","data":[{"price":"9462.50","symbol":"BTCUSDT",'
    '"id":94625000,"side":"Buy","size":35}],"cross_seq":3,"timestamp_e6":1590682503318949}',
    "old trade": '{"topic":"trade.BTCUSDT","data":[{"symbol":"BTCUSDT","price":"9452.00","size":0.001,'
    '"trade_time_ms":"1590683481987","side":"Buy","trade_id":"b79bae67-1526-5ee6-adee-cf88e8a691a6"}]}',
    "old ticker": '{"topic":"instrument_info.100ms.BTCUSDT","type":"delta","data":{"update":[{"symbol":"BTCUSDT",'
    '"last_price_e4":92915000,"index_price_e4":92915000,"open_interest_e8":5,"funding_rate_e6":-100,'
    '"predicted_funding_rate_e6":7,"next_funding_time":"2022-06-21T16:00:00Z"}]},"timestamp_e6":1573070581891131}',
    "old liquidation": '{"topic":"liquidation.BTCUSDT","data":{"symbol":"BTCUSDT","side":"Sell","price":"45212.50",'
    '"qty":"0.009","time":1632123952732}}',
}
KINDS = {
    "book": ["level_set", "level_set"],
    "best": ["best_quote", "best_quote"],
    "trade": ["trade"],
    "ticker": ["last_price", "mark", "index", "open_interest", "funding"],
    "liquidation": ["liquidation"],
    "old book": ["snapshot_begin", "level_set"],
    "old trade": ["trade"],
    "old ticker": ["last_price", "index", "open_interest", "funding", "predicted_funding"],
    "old liquidation": ["liquidation"],
}
# Numbers in each frame, as they stand there: price, size, time, counter.
NUMBERS = {
    "book": ['"100.00"', '"1"', '"101.00"', '"2"', "1700000000123", "10,", "10}", "1700000000120"],
    "best": ['"100.00"', '"1"', '"101.00"', '"2"', "7,", "8}"],
    "trade": ['"1.5"', '"100.00"', "4,"],
    "ticker": ['"1.5"', '"1.6"', '"1.7"', '"9"', '"0.0001"', '"1700003600000"'],
    "liquidation": ['"3"', '"2.5"', "4,"],
    "old book": ['"9462.50"', "35}", "3,", "1590682503318949"],
    "old trade": ['"9452.00"', "0.001", '"1590683481987"'],
    "old ticker": ["92915000", "5,", "-100", "7,", '"2022-06-21T16:00:00Z"', "1573070581891131"],
    "old liquidation": ['"45212.50"', '"0.009"', "1632123952732"],
}


def run_with_book() -> Run:
    run = Run(symbols={"BTCUSDT": (0, 4, 8), "ETHUSDT": (1, 2, 3)})
    run.ws(IMAGE.replace(b"BTC", b"ETH"))
    run.ws(IMAGE)
    return run


def fresh(frame: str) -> Run:
    """Return a run on which *frame* is the first of its stream, or follows the book's image."""
    if "orderBookL2" in frame:
        run = Run(symbols={"BTCUSDT": (0, 4, 8), "ETHUSDT": (1, 2, 3)})
        run.ws(IMAGE.replace(b"BTC", b"ETH"))
        return run
    return run_with_book()


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_becomes_the_rows_of_its_kind(name):
    run = fresh(FRAMES[name])
    assert names(run.ws(FRAMES[name].encode())) == KINDS[name]
    assert run.adapter.counters.errors == 0


@pytest.mark.parametrize("spoil", SPOIL)
@pytest.mark.parametrize("name", FRAMES)
def test_m12_a_number_that_is_none_is_refused_whole_and_the_other_books_go_on(name, spoil):
    text = FRAMES[name]
    for number in NUMBERS[name]:
        tail = number[-1] if number[-1] in ",}" else ""
        bad = text.replace(number, spoil + tail, 1)
        assert bad != text
        run = fresh(text)
        before = run.book()
        rows = run.ws(bad.encode())
        counters = run.adapter.counters
        if counters.errors == 0:
            assert may_pass(name, number, spoil), (number, rows)
        else:
            assert counters.errors == 1
            assert names(rows) == (["gap"] if name == "book" else [])
            after = run.book()
            assert (after.bids, after.offers) == (before.bids, before.offers)
            assert run.state("BTCUSDT" if name != "old book" else "ETHUSDT") == (
                "STALE" if name == "book" else "SYNCHRONISED"
            )
        go_on = (BOOK % ("delta", 10, 10)).replace("BTC", "ETH").encode()
        assert names(run.ws(go_on)) == ["level_set", "level_set"]


def may_pass(name: str, number: str, spoil: str) -> bool:
    """Return whether *spoil* may stand for *number*: texts of tickers may be empty, rates signed, times not told."""
    if name == "ticker":
        return spoil in ('""', '"1e-400"') or (number == '"0.0001"' and spoil == '"-1"')
    if name == "old ticker":
        is_rate = number in ("-100", "7,")
        return spoil in ('""', "null") or (is_rate and spoil in ("-1", '"-1"'))
    return spoil == '""' and (name, number) in (
        ("old book", "3,"),
        ("old book", "1590682503318949"),
        ("old trade", '"1590683481987"'),
    )


@pytest.mark.parametrize("name", FRAMES)
def test_m09_every_cut_of_a_frame_is_refused_and_nothing_is_raised(name):
    frame = FRAMES[name].encode()
    for cut in range(len(frame)):
        run = fresh(FRAMES[name])
        before = run.book()
        rows = run.ws(frame[:cut])
        assert names(rows) in ([], ["gap"])
        assert run.adapter.counters.errors == 1
        after = run.book()
        assert (after.bids, after.offers) == (before.bids, before.offers)
        assert run.state("ETHUSDT") == "SYNCHRONISED"


@pytest.mark.parametrize("market", MARKETS)
def test_m09_ten_bad_frames_in_a_row_ask_for_a_new_connection(market):
    run = Run(market)
    for _ in range(10):
        run.ws(b"{")
    assert [type(action).__name__ for action in run.adapter.actions()] == ["Reconnect"]


@pytest.mark.parametrize(
    "noise", [b"\xef\xbb\xbf", b"\x00", b"\xff\xfe", b'{"topic":"orderbook.50.\xff"}', b"[" * 20_000]
)
def test_m11_bytes_that_are_no_text_are_counted_and_escaped(noise):
    run = run_with_book()
    assert run.ws(noise) == []
    assert run.adapter.counters.errors == 1
    assert run.adapter.counters.last_error.isprintable()
    assert run.state("BTCUSDT") == "SYNCHRONISED"


def test_m11_a_lone_surrogate_in_a_symbol_is_refused():
    run = Run()
    assert run.ws(FRAMES["ticker"].replace("BTCUSDT", "\\ud800").encode()) == []
    assert run.adapter.counters.errors == 1


def test_m13_text_comes_out_as_it_went_in():
    price, size = "12345678901.1234567890", "0.0000000000000001"
    adapter = BybitAdapter("linear")
    adapter.is_sequenced = False
    sink = NormaliseSink("bybit")
    frame = BOOK.replace('"100.00"', f'"{price}"').replace('["101.00","2"]', f'["101.00","{size}"]')
    adapter.on_message((frame % ("delta", 10, 10)).encode(), "ws", None, 1, sink)
    (text,) = sink.take()
    told = json.loads(text, parse_float=Decimal)
    assert told["bids"][0]["price"] == Decimal(price)
    assert told["asks"][0]["amount"] == Decimal(size)


def test_m13_more_decimals_than_the_instrument_has_are_refused():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    run.ws(IMAGE)
    assert names(run.ws((BOOK % ("delta", 10, 10)).replace("100.00", "100.001").encode())) == ["gap"]
    assert run.adapter.counters.decode_errors == {"number": 1}


def test_m14_levels_in_any_order_the_last_of_a_price_wins_and_zero_sets_nothing():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    levels = '["99.00","1"],["100.00","0"],["98.50","3"],["99.00","2"]'
    run.ws(IMAGE.replace(b'["100.00","1"]', levels.encode()))
    assert run.book().bids == {9900: 2000, 9850: 3000}


TRADES = {  # of one fill: what is changed, the row's side (0: none), whether there is a row, its flags
    "buy": ("", "", codes.BUY, 1, 0),
    "sell": ('"S":"Buy"', '"S":"Sell"', codes.SELL, 1, 0),
    "no side": ('"S":"Buy",', "", codes.NO_SIDE, 1, 0),
    "an odd side": ('"S":"Buy"', '"S":"None"', codes.NO_SIDE, 1, 0),
    "a block trade": ('"BT":false', '"BT":true', codes.BUY, 1, codes.NO_MARKET),
    "a hidden quote taken": ('"BT":false', '"BT":false,"RPI":true', codes.BUY, 1, codes.NO_MARKET),
    "no size": ('"v":"1.5"', '"v":"0.000"', 0, 0, 0),
    "in the future": ('"T":4', '"T":9100000000000', codes.BUY, 1, 0),
}


@pytest.mark.parametrize(("old", "new", "taker", "count", "flag"), TRADES.values(), ids=TRADES)
def test_m16_a_trade_of_any_kind_is_written_once(old, new, taker, count, flag):
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    frame = FRAMES["trade"].replace(old, new).encode()
    rows = run.ws(frame)
    assert [side(row) for row in rows] == [taker] * count
    assert [flags(row) & codes.NO_MARKET for row in rows] == [flag] * count
    assert run.ws(frame) == []
    assert run.adapter.counters.duplicate_trades == count


def test_block_trades_are_shown_where_messages_are_normalised():
    adapter = BybitAdapter("linear")
    adapter.is_sequenced = False
    sink = NormaliseSink("bybit")
    adapter.on_message(FRAMES["trade"].replace('"BT":false', '"BT":true').encode(), "ws", None, 1, sink)
    assert len(sink.take()) == 1


def test_a_bad_trade_in_a_frame_refuses_all_of_it():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    good = json.loads(FRAMES["trade"])
    good["data"] = [good["data"][0] | {"i": str(number)} for number in range(3)]
    assert names(run.ws(json.dumps(good).encode())) == ["trade"] * 3
    good["data"] = [row | {"i": row["i"] + "0"} for row in good["data"]]
    good["data"][2]["p"] = "1e400x"
    assert run.ws(json.dumps(good).encode()) == []


WRONG = {
    "another symbol in the book": ("book", '"s":"BTCUSDT"', '"s":"ETHUSDT"', "symbol"),
    "another symbol in the best quotes": ("best", '"s":"BTCUSDT"', '"s":"ETHUSDT"', "symbol"),
    "another symbol in the trades": ("trade", '"s":"BTCUSDT"', '"s":"ETHUSDT"', "symbol"),
    "another symbol in the ticker": ("ticker", '"symbol":"BTCUSDT"', '"symbol":"ETHUSDT"', "symbol"),
    "another symbol in a liquidation": ("liquidation", '"s":"BTCUSDT"', '"s":"ETHUSDT"', "symbol"),
    "another type": ("book", '"delta"', '"image"', "shape"),
    "another side": ("liquidation", '"Sell"', '"Short"', "shape"),
    "two topics": ("best", '"type":"snapshot"', '"type":"snapshot","topic":"orderbook.1.ETHUSDT"', "symbol"),
    "no data": ("trade", '"data":[', '"date":[', "shape"),
}


@pytest.mark.parametrize(("name", "old", "new", "reason"), WRONG.values(), ids=WRONG)
def test_m22_what_does_not_fit_its_stream_is_refused(name, old, new, reason):
    run = run_with_book()
    run.ws(FRAMES[name].replace('"u":10', '"u":9').encode())
    rows = run.ws(FRAMES[name].replace(old, new).encode())
    assert names(rows) in ([], ["gap"])
    assert run.adapter.counters.decode_errors == {reason: 1}
    assert run.state("ETHUSDT") == "SYNCHRONISED"


FOREIGN = (
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}}',
    b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[]}',
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.raw","data":{}}}',
    b"[]",
    b"1",
    b"{}",
)


@pytest.mark.parametrize("frame", FOREIGN)
def test_m22_frames_of_other_exchanges_are_refused_and_no_market_is_told_of_them(frame):
    run = Run()
    assert run.ws(frame) == []
    assert run.adapter.counters.errors == 1
    assert BybitAdapter.detect_market(frame) is None


@pytest.mark.parametrize("market", MARKETS)
def test_a_session_with_every_kind_of_frame_is_read_to_the_last_one(market):
    run = Run(market)
    made = BybitSession(market=market)
    kinds = set(names(run.feed_all(session_lines(made, 200))))
    counters = run.adapter.counters
    assert counters.errors == 0
    assert set(counters.ignored) == {"kline", "adlAlert", "insurance", "priceLimit", "orderbook.rpi"}
    assert kinds >= {"snapshot_begin", "level_set", "level_delete", "trade", "last_price"}
    assert ("best_quote" in kinds) is (market != "option")
    assert ({"mark", "open_interest"} <= kinds) is (market != "spot")
    assert ("liquidation" in kinds) is ("funding" in kinds) is (market in ("linear", "inverse"))
    assert ({"mark_iv", "delta", "underlying"} <= kinds) is (market == "option")


def test_the_same_best_quotes_again_are_a_repeat():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    assert names(run.ws(FRAMES["best"].encode())) == ["best_quote", "best_quote"]
    assert run.ws(FRAMES["best"].encode()) == []
    assert run.adapter.counters.ignored == {"repeat": 1}
    assert (run.adapter.counters.gaps, run.adapter.counters.errors) == (0, 0)


def test_best_quotes_of_the_early_shape_follow_deltas():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    delta = FRAMES["best"].replace('"snapshot"', '"delta"')
    assert run.ws(delta.encode()) == []
    run.ws(FRAMES["best"].replace('"u":7', '"u":3').encode())
    rows = run.ws(
        delta.replace('[["100.00","1"]]', '[["100.00","0"],["99.50","4"]]').replace('[["101.00","2"]]', "[]").encode()
    )
    assert [row[2:4] for row in rows] == [(9950, 4000), (10100, 2000)]
    rows = run.ws(delta.replace('"u":7', '"u":8').replace('[["100.00","1"]]', '[["99.50","0"]]').encode())
    assert [row[2:4] for row in rows] == [(0, 0), (10100, 2000)]


def test_a_delta_of_a_ticker_names_what_changed_and_zero_or_empty_is_no_price():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    run.ws(FRAMES["ticker"].encode())
    changed = '{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT",%s},"cs":3,"ts":6}'
    assert names(run.ws((changed % '"bid1Price":"7","price24hPcnt":"0.1"').encode())) == []
    assert names(run.ws((changed % '"lastPrice":"7","markPrice":"0","fundingRate":""').encode())) == ["last_price"]
    rows = run.ws((changed % '"nextFundingTime":"1700007200000"').encode())
    assert [(row[2], row[3]) for row in rows] == [(10**11, 1_700_007_200 * 10**9)]


@pytest.mark.parametrize(("position", "forced"), [("Buy", codes.SELL), ("Sell", codes.BUY)])
def test_a_liquidation_has_the_side_of_the_forced_order(position, forced):
    for name in ("liquidation", "old liquidation"):
        run = Run(symbols={"BTCUSDT": (0, 2, 3)})
        frame = FRAMES[name].replace('"Sell"', f'"{position}"').encode()
        assert [side(row) for row in run.ws(frame)] == [forced]


def test_the_retired_liquidations_give_way_to_the_new_stream():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    assert names(run.ws(FRAMES["old liquidation"].encode())) == ["liquidation"]
    run.ws(FRAMES["liquidation"].encode())
    assert run.ws(FRAMES["old liquidation"].encode()) == []


OLD = (
    '{"topic":"orderBookL2_25.BTCUSDT","type":"delta","data":{"delete":[%s],"update":[%s],"insert":[%s]},'
    '"cross_seq":"%d","timestamp_e6":"1590682503318950"}'
)
LEVEL = '{"price":"%s","symbol":"BTCUSDT","id":"%d","side":"%s","size":%s}'
OLD_FAULTS = {
    "deletes what is not there": (LEVEL % ("9000.00", 9, "Buy", 0), "", "", 4, True),
    "updates what is not there": ("", LEVEL % ("9000.00", 9, "Buy", 1), "", 4, True),
    "inserts what is there": ("", "", LEVEL % ("9462.50", 94625000, "Buy", 1), 4, True),
    "moves a level to the other side": (
        LEVEL % ("9462.50", 94625000, "Buy", 0),
        "",
        LEVEL % ("9462.50", 94625000, "Sell", 1),
        4,
        False,
    ),
    "comes again": ("", LEVEL % ("9462.50", 94625000, "Buy", 1), "", 3, False),
    "comes late": ("", LEVEL % ("9462.50", 94625000, "Buy", 1), "", 2, True),
}


@pytest.mark.parametrize(("delete", "update", "insert", "sequence", "is_gap"), OLD_FAULTS.values(), ids=OLD_FAULTS)
def test_a_book_by_ids_is_lost_where_its_ids_do_not_fit(delete, update, insert, sequence, is_gap):
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    run.ws(FRAMES["old book"].encode())
    rows = run.ws((OLD % (delete, update, insert, sequence)).encode())
    assert ("gap" in names(rows)) is is_gap
    assert run.state() == ("STALE" if is_gap else "SYNCHRONISED")


SPOT = {
    "bookTicker": '{"symbol":"ETHUSDT","bidPrice":"1.5","bidQty":"2","askPrice":"1.6","askQty":"3","time":4}',
    "trade": '{"v":"2280000000007453966","t":4,"p":"1678.54","q":"1.4","m":true}',
    "depth": '{"s":"ETHUSDT","t":4,"v":"170667316_8244371_5","b":[["1.5","2"]],"a":[["1.6","3"]]}',
}


def test_the_spot_streams_before_v5():
    run = Run("spot", {"ETHUSDT": (0, 2, 3)})
    frame = '{"topic":"%s","params":{"symbol":"ETHUSDT","binary":"false"},"data":%s}'
    made = {topic: names(run.ws((frame % (topic, data)).encode())) for topic, data in SPOT.items()}
    assert made["bookTicker"] == ["best_quote", "best_quote"]
    assert made["trade"] == ["trade"]
    assert made["depth"] == ["snapshot_begin", "level_set", "level_set"]
    assert run.ws((frame % ("depth", SPOT["depth"].replace('"t":4', '"t":3'))).encode()) == []
    assert run.ws(b'{"topic":"depth","event":"sub","params":{"symbol":"X"},"code":"0","msg":"Success"}') == []
    assert run.adapter.counters.errors == 0


REST = "https://api.bybit.com/v5/market/"
ANSWERS = {
    "orderbook": (
        "orderbook?category=linear&symbol=BTCUSDT",
        '{"s":"BTCUSDT","b":[["100.00","1"]],"a":[["101.00","2"]],"ts":5,"u":77,"seq":9,"cts":4}',
        ["snapshot_begin", "level_set", "level_set"],
    ),
    "trades": (
        "recent-trade?category=linear&symbol=BTCUSDT",
        '{"category":"linear","list":[{"execId":"b","symbol":"BTCUSDT","price":"2.00","size":"1","side":"Sell","time":"6"},'
        '{"execId":"a","symbol":"BTCUSDT","price":"1.00","size":"1","side":"Buy","time":"5","isBlockTrade":true}]}',
        ["trade", "trade"],
    ),
    "tickers": (
        "tickers?category=inverse",
        '{"category":"inverse","list":[{"symbol":"BTCUSDT","lastPrice":"1.5","openInterest":"3"}]}',
        ["last_price", "open_interest"],
    ),
    "open interest": (
        "open-interest?category=linear&symbol=BTCUSDT",
        '{"symbol":"BTCUSDT","list":[{"openInterest":"5","timestamp":"9"},{"openInterest":"4","timestamp":"8"}]}',
        ["open_interest", "open_interest"],
    ),
    "candles": ("kline?category=linear", '{"list":[]}', []),
}


@pytest.mark.parametrize(("path", "result", "rows"), ANSWERS.values(), ids=ANSWERS)
def test_answers_are_read_by_their_address(path, result, rows):
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    body = f'{{"retCode":0,"retMsg":"OK","result":{result},"retExtInfo":{{}},"time":1700000000000}}'.encode()
    found = run.rest(body, REST + path)
    assert names(found) == rows
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert run.rest(body, (REST + path).replace("category=", "category=spot&x=")) == []
    if rows:
        assert run.adapter.counters.decode_errors == {"market": 1}
        assert run.rest(b'{"retCode":10001,"retMsg":"params error","result":{}}', REST + path) == []
        assert run.adapter.counters.decode_errors == {"market": 1, "venue": 1}


def test_a_stream_takes_over_from_polled_images():
    run = Run(symbols={"BTCUSDT": (0, 2, 3)})
    path, result, _ = ANSWERS["orderbook"]
    body = f'{{"retCode":0,"result":{result}}}'.encode()
    run.rest(body, REST + path)
    assert names(run.ws(FRAMES["book"].encode())) == ["gap"]
    assert names(run.ws(IMAGE))[:2] == ["resync", "snapshot_begin"]
    assert run.rest(body, REST + path) == []
    assert run.adapter.counters.ignored == {"rest orderbook": 1}


@pytest.mark.parametrize("market", MARKETS)
def test_frames_tell_their_market(market):
    told = {
        BybitAdapter.detect_market(line.raw) for line in session_lines(BybitSession(market=market), 60) if line.kind
    }
    assert told - {None} == {market}


ADDRESSES = {
    "wss://stream.bybit.com/v5/public/linear": "linear",
    "wss://stream-testnet.bybit.com/v5/public/option": "option",
    "ws://127.0.0.1:8000/v5/public/inverse": "inverse",
    "https://api.bytick.com/v5/market/tickers?category=spot": "spot",
    "wss://stream.bybit.com/realtime_public": "linear",
    "wss://stream.bybit.com/realtime": "inverse",
    "wss://stream.bybit.com/spot/quote/ws/v1": "spot",
    "https://api.bybit.com/v2/public/symbols": "linear",
    "wss://stream.binance.com/ws": None,
    "https://www.okx.com/api/v5/market/tickers?instType=SPOT": None,
    "http://[": None,
}


@pytest.mark.parametrize(("url", "market"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses_tell_their_market(url, market):
    assert BybitAdapter.detect_market(b"null", url) == market


def test_unlisted_symbols_are_counted_and_write_nothing():
    adapter = BybitAdapter("linear")
    adapter.subscribe(["ETHUSDT"])
    buffer = TapeBuffer()
    sink = TapeSink(buffer, {"ETHUSDT": (0, 2, 3)})
    for frame in FRAMES.values():
        adapter.on_message(frame.encode(), "ws", None, 1, sink)
    assert rows_of(buffer) == []
    assert adapter.counters.unlisted == len(FRAMES)


def test_an_oversized_frame_is_refused():
    run = run_with_book()
    run.ws(FRAMES["book"].encode()[:-1] + b" " * (8 << 20) + b"}")
    assert run.adapter.counters.decode_errors == {"size": 1}
    assert SYMBOLS["linear"] in run.adapter.counters.last_error
