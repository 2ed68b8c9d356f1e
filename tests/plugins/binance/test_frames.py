"""What each kind of frame becomes, and what happens to frames that are damaged, foreign or unwanted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.errors import ConfigError
from quotewright.feed import Reconnect, Subscribe
from quotewright.kernel import codes
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter, detect_market
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from tests.plugins.binance.support import Run, flags, kind, names, rows_of, side, state
from tests.plugins.binance.test_sequencing import URL, snapshot, update

MS = 1_000_000
SPOT_TRADE = (
    b'{"e":"trade","E":1700000000343,"s":"BTCUSDT","t":31,"p":"61837.63000000","q":"0.02000000",'
    b'"T":1700000000342,"m":true,"M":true}'
)
FUTURES_TRADE = (
    b'{"e":"trade","E":1700000000322,"T":1700000000321,"s":"BTCUSDT","t":31,"p":"61800.30","q":"0.006",'
    b'"X":"MARKET","m":false}'
)
AGGREGATE = (
    b'{"e":"aggTrade","E":1700000000343,"s":"BTCUSDT","a":9,"p":"100.00","q":"1.5","f":30,"l":32,'
    b'"T":1700000000342,"m":false}'
)
SPOT_BEST = b'{"u":77,"s":"BTCUSDT","b":"100.00","B":"3.788","a":"101.00","A":"1.546"}'
FUTURES_BEST = (
    b'{"e":"bookTicker","u":77,"s":"BTCUSDT","b":"100.00","B":"2.5","a":"101.00","A":"2.51",'
    b'"T":1700000000313,"E":1700000000314}'
)
MARK = (
    b'{"e":"markPriceUpdate","E":1700000000001,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091","P":"1",'
    b'"r":"0.00038167","T":1700003600000}'
)
LONG_GONE = (
    b'{"e":"forceOrder","E":1700000000893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014",'
    b'"p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1700000000890}}'
)


def combined(stream: str, body: bytes) -> bytes:
    return b'{"stream":"' + stream.encode() + b'","data":' + body + b"}"


@pytest.mark.parametrize("wrap", [lambda _stream, body: body, combined], ids=["raw", "combined"])
class TestEachFrame:
    def test_spot_trade_of_a_maker_buyer_is_a_sale(self, wrap):
        (row,) = Run("spot").ws(wrap("btcusdt@trade", SPOT_TRADE), 5)
        assert row[:5] == (1700000000342 * MS, 5, 6183763, 20, 31)
        assert (kind(row), side(row), flags(row)) == (codes.TRADE, codes.SELL, codes.LAST)

    def test_futures_trade_outside_the_market_is_marked(self, wrap):
        run = Run("usdm")
        (row,) = run.ws(wrap("btcusdt@trade", FUTURES_TRADE))
        assert (side(row), flags(row), row[0]) == (codes.BUY, codes.LAST, 1700000000321 * MS)
        other = FUTURES_TRADE.replace(b'"MARKET"', b'"INSURANCE_FUND"').replace(b'"t":31', b'"t":32')
        (row,) = run.ws(wrap("btcusdt@trade", other))
        assert flags(row) == codes.LAST | codes.NO_MARKET

    def test_aggregated_trade_is_marked(self, wrap):
        (row,) = Run("usdm").ws(wrap("btcusdt@aggTrade", AGGREGATE))
        assert (kind(row), side(row), row[4]) == (codes.TRADE, codes.BUY, 9)
        assert flags(row) == codes.LAST | codes.AGGREGATED

    def test_spot_best_quote_has_no_time_of_its_own(self, wrap):
        bid, offer = Run("spot").ws(wrap("btcusdt@bookTicker", SPOT_BEST), 5)
        assert (bid[:5], side(bid)) == ((5, 5, 10000, 3788, 77), codes.BID)
        assert (offer[:5], side(offer)) == ((5, 5, 10100, 1546, 77), codes.OFFER)
        assert (flags(bid), flags(offer)) == (codes.EVENT_ESTIMATED, codes.EVENT_ESTIMATED | codes.LAST)

    def test_futures_best_quote_carries_the_transaction_time(self, wrap):
        bid, _ = Run("usdm").ws(wrap("btcusdt@bookTicker", FUTURES_BEST), 5)
        assert bid[0] == 1700000000313 * MS

    def test_mark_price_becomes_mark_index_and_funding(self, wrap):
        mark, index, funding = Run("usdm").ws(wrap("btcusdt@markPrice@1s", MARK))
        assert (kind(mark), mark[2], mark[0]) == (codes.MARK, 11794_150000000, 1700000000001 * MS)
        assert (kind(index), index[2]) == (codes.INDEX, 11784_626590910)
        assert (kind(funding), funding[2], funding[3]) == (codes.FUNDING, 381_670_000_000, 1700003600000 * MS)

    def test_a_sell_liquidation_is_a_long_that_was_liquidated(self, wrap):
        (row,) = Run("usdm").ws(wrap("btcusdt@forceOrder", LONG_GONE))
        assert (kind(row), side(row), row[0]) == (codes.LIQUIDATION, codes.SELL, 1700000000890 * MS)
        assert row[2:4] == (991000, 14)

    def test_frames_of_other_kinds_are_counted_by_name(self, wrap):
        run = Run("spot")
        assert run.ws(wrap("btcusdt@kline_1m", b'{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}')) == []
        assert run.adapter.counters.ignored == {"kline": 1}


def test_microsecond_stamps_are_told_by_their_size():
    (row,) = Run("spot").ws(SPOT_TRADE.replace(b"1700000000342", b"1700000000342123"))
    assert row[0] == 1700000000342123 * 1_000


def test_open_interest_and_premium_index_come_over_rest():
    run = Run("usdm")
    rows = run.rest(
        b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}',
        "https://fapi.binance.com/fapi/v1/openInterest?symbol=BTCUSDT",
    )
    assert [(kind(row), row[3]) for row in rows] == [(codes.OPEN_INTEREST, 10659509)]
    body = (
        b'{"symbol":"BTCUSDT","markPrice":"11793.63","indexPrice":"11781.80","lastFundingRate":"0.0001",'
        b'"nextFundingTime":1597392000000,"time":1597370495002}'
    )
    rows = run.rest(body, "https://fapi.binance.com/fapi/v1/premiumIndex?symbol=BTCUSDT")
    assert names(rows) == ["mark", "index", "funding"]


def test_a_dated_future_sends_no_funding_rate():
    assert names(Run("usdm").ws(MARK.replace(b'"0.00038167"', b'""'))) == ["mark", "index"]


def test_nothing_is_printed_twice_when_trade_and_aggtrade_both_come():
    run = Run("usdm")
    assert len(run.ws(AGGREGATE)) == 1, "fills 30 to 32, before any single trade was seen"
    assert run.ws(FUTURES_TRADE) == [], "trade 31 is in it"
    assert len(run.ws(FUTURES_TRADE.replace(b'"t":31', b'"t":33'))) == 1
    assert run.ws(AGGREGATE.replace(b'"a":9', b'"a":10')) == []
    assert (run.adapter.counters.duplicate_trades, run.adapter.counters.aggregated_dropped) == (1, 1)


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_trades_alone_are_printed_whichever_channels_are_recorded(market):
    both = Run(market)
    both.feed_all(session_lines(BinanceSession(market=market, with_aggregates=True), 100))
    alone = Run(market)
    alone.feed_all(session_lines(BinanceSession(market=market), 100))
    assert rows_of(both.buffer) == rows_of(alone.buffer)
    assert both.adapter.counters.aggregated_dropped == alone.adapter.counters.trades > 20


# M16.
ODD_TRADES = {
    "no aggressor": (SPOT_TRADE.replace(b',"m":true', b""), [codes.NO_SIDE], {}),
    "unknown aggressor": (SPOT_TRADE.replace(b'"m":true', b'"m":null'), [codes.NO_SIDE], {}),
    "aggressor of another type": (SPOT_TRADE.replace(b'"m":true', b'"m":"yes"'), [], {"shape": 1}),
    "no size": (SPOT_TRADE.replace(b"0.02000000", b"0.00000000"), [], {}),
    "negative size": (SPOT_TRADE.replace(b"0.02000000", b"-0.02"), [], {"number": 1}),
    "in the year 2200": (SPOT_TRADE.replace(b"1700000000342", b"7258118400000"), [codes.SELL], {}),
    "before time began": (SPOT_TRADE.replace(b"1700000000342", b"-1"), [], {"shape": 1}),
    "time beyond any clock": (SPOT_TRADE.replace(b"1700000000342", b"99999999999999999"), [], {"shape": 1}),
}


@pytest.mark.parametrize(("frame", "sides", "errors"), ODD_TRADES.values(), ids=ODD_TRADES)
def test_odd_trades_are_kept_as_what_they_are_or_refused(frame, sides, errors):
    run = Run("spot")
    rows = run.ws(frame) + run.ws(frame)
    assert [side(row) for row in rows] == sides, "and the second copy is never printed"
    assert run.adapter.counters.decode_errors == {reason: 2 * count for reason, count in errors.items()}


# M12, M13: what must never pass as a price or a size.
BAD_TEXT = [
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "-1",
    "1e400",
    "1e-400",
    "0x1",
    "",
    " ",
    "1,5",
    "1_000",
    "٣",
    "1" * 30,
]
BAD_JSON = ["null", "true", "{}", "[]", "NaN", "-1", "1e400"]
TOO_FINE = ["1.0000000000000000000000000001", "0.001" + "0" * 30 + "1"]
BAD = [json.dumps(text) for text in BAD_TEXT + TOO_FINE] + BAD_JSON

FIELDS = {
    "spot trade price": ("spot", SPOT_TRADE, b'"61837.63000000"'),
    "spot trade size": ("spot", SPOT_TRADE, b'"0.02000000"'),
    "futures trade price": ("usdm", FUTURES_TRADE, b'"61800.30"'),
    "futures trade size": ("usdm", FUTURES_TRADE, b'"0.006"'),
    "aggregate price": ("usdm", AGGREGATE, b'"100.00"'),
    "aggregate size": ("usdm", AGGREGATE, b'"1.5"'),
    "best bid": ("spot", SPOT_BEST, b'"100.00"'),
    "best bid size": ("spot", SPOT_BEST, b'"3.788"'),
    "best offer": ("usdm", FUTURES_BEST, b'"101.00"'),
    "best offer size": ("usdm", FUTURES_BEST, b'"2.51"'),
    "liquidation price": ("usdm", LONG_GONE, b'"p":"9910"'),
    "mark price": ("usdm", MARK, b'"11794.15000000"'),
    "index price": ("usdm", MARK, b'"11784.62659091"'),
}
ROUNDED = ("mark price", "index price")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(("market", "frame", "good"), FIELDS.values(), ids=FIELDS)
def test_a_bad_number_refuses_the_whole_message(market, frame, good, bad, request):
    field = request.node.callspec.id
    run = Run(market)
    key, colon, _ = good.rpartition(b":")
    rows = run.ws(frame.replace(good, key + colon + bad.encode(), 1))
    if field.startswith(ROUNDED) and bad in map(json.dumps, TOO_FINE):
        assert names(rows) == ["mark", "index", "funding"], "reference values are rounded"
        return
    if field.startswith("index") and bad == '""':
        assert names(rows) == ["mark", "funding"], "dated futures send none"
        return
    assert rows == []
    assert run.adapter.counters.errors == 1 or run.adapter.counters.empty_trades == 1
    assert len(run.ws(frame)) >= 1, "and the next good frame is read"


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", ["bid price", "bid size", "offer price", "offer size", "last offer size"])
@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_a_bad_number_in_an_update_writes_nothing_of_it_and_makes_the_book_stale(market, place, bad):
    run = Run(market)
    run.ws(update(market, 499, 500))
    run.rest(snapshot(500), URL[market])
    run.adapter.actions()
    before = run.book()
    levels = {
        "bid price": '"99.50"',
        "bid size": '"4"',
        "offer price": '"101.50"',
        "offer size": '"5"',
        "last offer size": '"6"',
    }
    levels[place] = bad
    bids = f'[["99.00","1"],[{levels["bid price"]},{levels["bid size"]}]]'
    offers = f'[[{levels["offer price"]},{levels["offer size"]}],["102.00",{levels["last offer size"]}]]'
    base = json.loads(update(market, 501, 505, 500))
    del base["a"], base["b"]
    frame = (json.dumps(base)[:-1] + f',"b":{bids},"a":{offers}}}').encode()
    assert names(run.ws(frame)) == ["gap"]
    after = run.book()
    assert (after.bids, after.offers, after.is_stale) == (before.bids, before.offers, True)
    assert run.wants_snapshot()
    assert run.adapter.counters.errors == 1


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_number_in_a_snapshot_writes_nothing_and_asks_again(bad):
    run = Run("spot")
    run.ws(update("spot", 501, 505))
    run.adapter.actions()
    body = b'{"lastUpdateId":502,"bids":[["100.00","0.4"]],"asks":[["101.00",%s]]}' % bad.encode()
    assert run.rest(body, URL["spot"], 2) == []
    assert state(run.adapter) == "WAITING"
    assert run.wants_snapshot()
    assert len(run.rest(snapshot(502), URL["spot"], 3)) == 5, "the buffered update is still there"


def test_a_bad_number_in_a_buffered_update_is_found_at_release():
    run = Run("spot")
    run.ws(update("spot", 501, 505))
    run.ws(update("spot", 506, 507).replace(b'"2"', b'"NaN"'))
    run.ws(update("spot", 508, 509))
    run.adapter.actions()
    rows = run.rest(snapshot(501), URL["spot"])
    assert names(rows)[-1] == "gap"
    assert state(run.adapter) == "STALE"
    assert run.wants_snapshot()
    rows = run.rest(snapshot(507), URL["spot"])
    assert names(rows) == ["resync", "snapshot_begin", "level_set", "level_set", "level_set", "level_set"]


CUT = {
    "raw spot update": ("spot", update("spot", 501, 505)),
    "combined spot update": ("spot", combined("btcusdt@depth@100ms", update("spot", 501, 505))),
    "combined futures update": ("usdm", combined("btcusdt@depth@0ms", update("usdm", 501, 505, 500))),
    "raw trade": ("spot", SPOT_TRADE),
    "combined best quote": ("usdm", combined("btcusdt@bookTicker", FUTURES_BEST)),
    "combined liquidation": ("usdm", combined("btcusdt@forceOrder", LONG_GONE)),
    "combined mark price": ("usdm", combined("btcusdt@markPrice@1s", MARK)),
}


@pytest.mark.parametrize("is_known", [False, True], ids=["first frame", "stream known"])
@pytest.mark.parametrize(("market", "frame"), CUT.values(), ids=CUT)
def test_a_frame_cut_at_any_byte_writes_no_part_of_itself(market, frame, is_known):
    """M9."""
    for end in range(len(frame)):
        run = Run(market)
        run.ws(update(market, 499, 500))
        run.rest(snapshot(500), URL[market])
        if is_known:
            run.ws(frame.replace(b"BTCUSDT", b"ETHUSDT").replace(b"btcusdt", b"ethusdt"))
            run.ws(frame.replace(b'"u":505', b'"u":499').replace(b'"U":501', b'"U":499').replace(b'"t":31', b'"t":1'))
        count, errors = run.buffer.count, run.adapter.counters.errors
        rows = run.ws(frame[:end])
        assert set(names(rows)) <= {"gap"}, end
        assert run.adapter.counters.errors == errors + 1
        assert run.buffer.count == count + len(rows)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.binary(max_size=200), source=st.sampled_from(["ws", "rest"]))
def test_no_bytes_raise_out_of_the_adapter(data, source):
    run = Run("spot")
    run.adapter.on_message(data, source, None, 1, run.sink)
    assert run.buffer.count == 0


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(CUT)), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_no_damaged_frame_raises_or_leaves_a_message_open(name, at, junk):
    """M9, M11: bytes replaced anywhere, with NUL, invalid UTF-8 or anything else."""
    market, frame = CUT[name]
    run = Run(market)
    run.ws(update(market, 499, 500))
    run.rest(snapshot(500), URL[market])
    run.ws(frame[:at] + junk + frame[at + len(junk) :])
    if run.buffer.count:
        assert rows_of(run.buffer)[-1][5] & codes.LAST_BIT
    run.adapter.resync("BTCUSDT", 2, run.sink)
    run.rest(snapshot(9_000), URL[market])
    assert not run.book().is_stale


HOSTILE = {
    "empty": b"",
    "two documents": SPOT_TRADE + SPOT_TRADE,
    "byte order mark": b"\xef\xbb\xbf" + SPOT_TRADE,
    "invalid UTF-8": SPOT_TRADE.replace(b"BTCUSDT", b"BTC\xff\xfeT"),
    "lone surrogate": SPOT_TRADE.replace(b"BTCUSDT", b"BTC\\ud800"),
    "NUL": SPOT_TRADE.replace(b"BTCUSDT", b"BTC\x00"),
    "escaped NUL": SPOT_TRADE.replace(b"BTCUSDT", b"BTC\\u0000"),
    "nested 10,000 deep": b'{"e":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "nested in a level": update("spot", 1, 2).replace(b'[["', b"[" * 10_000 + b'[["'),
    "array": b"[1,2,3]",
    "number": b"17",
    "string": b'"trade"',
    "null": b"null",
    "id past 64 bits": SPOT_TRADE.replace(b'"t":31', b'"t":99999999999999999999'),
    "id a string": SPOT_TRADE.replace(b'"t":31', b'"t":"31"'),
    "neither event nor answer": b'{"a":1}',
    "symbol too long": SPOT_TRADE.replace(b"BTCUSDT", b"B" * 300),
    "larger than is read": b'{"e":"kline","k":"' + b"x" * (8 << 20) + b'"}',
}


@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_frame_is_counted_and_dropped(frame):
    run = Run("spot")
    assert run.ws(frame) == []
    assert run.adapter.counters.errors == 1
    assert run.adapter.counters.last_error.isascii()
    assert run.adapter.counters.last_error.isprintable()
    assert len(run.ws(SPOT_TRADE)) == 1


def test_ten_unreadable_frames_in_a_row_ask_for_a_new_connection():
    run = Run("spot")
    for _ in range(9):
        run.ws(b"{")
    run.ws(SPOT_TRADE)
    assert not any(isinstance(action, Reconnect) for action in run.adapter.actions())
    for _ in range(10):
        run.ws(b"{")
    assert Reconnect("10 frames in a row could not be read") in run.adapter.actions()


# M22: key checks.
FOREIGN = {
    "another symbol on the stream": ("spot", combined("ethusdt@trade", SPOT_TRADE), "symbol"),
    "another symbol on a book's stream": ("spot", combined("ethusdt@depth", update("spot", 1, 2)), "symbol"),
    "another event on the stream": ("spot", combined("btcusdt@depth", SPOT_TRADE), "symbol"),
    "a futures update on spot": ("spot", update("usdm", 1, 2), "market"),
    "a spot update on futures": ("usdm", update("spot", 1, 2), "market"),
    "a futures trade on spot": ("spot", FUTURES_TRADE, "market"),
    "a spot trade on futures": ("usdm", SPOT_TRADE, "market"),
}


@pytest.mark.parametrize("is_known", [False, True], ids=["first frame", "stream known"])
@pytest.mark.parametrize(("market", "frame", "reason"), FOREIGN.values(), ids=FOREIGN)
def test_a_frame_of_another_market_or_symbol_is_refused(market, frame, reason, is_known):
    run = Run(market, symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    if is_known:
        run.ws(combined("ethusdt@trade", SPOT_TRADE.replace(b"BTC", b"ETH")))
        run.ws(combined("ethusdt@depth", update("spot", 1, 2).replace(b"BTC", b"ETH")))
        run.ws(combined("btcusdt@depth", update("spot", 1, 2)))
    count, errors = run.buffer.count, run.adapter.counters.errors
    assert run.ws(frame) == []
    assert run.buffer.count == count
    assert run.adapter.counters.errors == errors + 1
    assert set(run.adapter.counters.decode_errors) & {reason, "shape"}


def test_a_snapshot_of_another_market_is_refused():
    run = Run("spot")
    run.ws(update("spot", 501, 505))
    assert run.rest(snapshot(502), URL["usdm"]) == []
    assert run.adapter.counters.decode_errors == {"market": 1}


def test_a_frame_of_another_exchange_writes_nothing():
    run = Run("spot")
    assert (
        run.ws(b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[]}]}')
        == []
    )
    assert (
        run.ws(
            b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1,"data":{"s":"BTCUSDT","b":[],"a":[],"u":1,"seq":1}}'
        )
        == []
    )
    assert run.adapter.counters.errors == 2


def test_partial_depth_beside_diffs_is_counted_and_left():
    run = Run("usdm")
    run.ws(update("usdm", 499, 500))
    run.rest(snapshot(500), URL["usdm"])
    before = run.book()
    assert run.ws(combined("btcusdt@depth20@100ms", update("usdm", 501, 502))) == []
    assert run.ws(combined("btcusdt@depth20@100ms", b"{}")) == []
    assert run.adapter.counters.ignored == {"partial_depth": 1}
    assert run.adapter.counters.errors == 1
    assert run.book() == before
    spot = Run("spot")
    assert spot.ws(b'{"lastUpdateId":160,"bids":[["100.00","1"]],"asks":[]}') == []
    assert spot.adapter.counters.ignored == {"partial_depth": 1}
    assert not spot.adapter.books


def test_an_array_of_all_markets_is_read_one_by_one():
    run = Run("usdm")
    frame = b'{"stream":"!markPrice@arr@1s","data":[%s,%s]}' % (MARK, MARK.replace(b"BTCUSDT", b"ETHUSDT"))
    assert names(run.ws(frame)) == ["mark", "index", "funding"]
    assert run.sink.unlisted == {"ETHUSDT": 1}


def test_symbols_that_are_not_followed_are_counted_and_get_no_book():
    run = Run("spot")
    run.adapter.subscribe(["ETHUSDT"])
    run.ws(update("spot", 1, 2))
    run.ws(SPOT_TRADE)
    assert (run.adapter.books, run.adapter.counters.unlisted) == ({}, 2)


def test_answers_to_control_frames_are_passed_over_and_errors_counted():
    run = Run("spot")
    run.ws(b'{"result":null,"id":7}')
    run.ws(b'{"code":2,"msg":"Invalid request: unknown method","id":7}')
    assert (run.adapter.counters.ignored, run.adapter.counters.decode_errors) == ({"reply": 1}, {"venue": 1})
    assert "Invalid request" in run.adapter.counters.last_error


def test_subscriptions_name_the_documented_streams():
    adapter = BinanceAdapter("spot")
    adapter.subscribe(["BTCUSDT"])
    (asked,) = adapter.actions()
    assert isinstance(asked, Subscribe)
    assert [(stream.name, stream.channel) for stream in asked.streams] == [
        ("btcusdt@depth@100ms", "book"),
        ("btcusdt@bookTicker", "best"),
        ("btcusdt@trade", "trades"),
    ]
    adapter = BinanceAdapter("usdm")
    adapter.subscribe(["BTCUSDT"])
    (asked,) = adapter.actions()
    assert {stream.category for stream in asked.streams} == {"public", "market"}


def test_an_unknown_market_is_refused_by_name():
    with pytest.raises(ConfigError, match="spot, usdm, coinm, option, was 'margin'"):
        BinanceAdapter("margin")


MARKET_OF = {
    "address": (b"{}", "https://fapi.binance.com/fapi/v1/depth?symbol=X", "usdm"),
    "stream address": (b"{}", "wss://stream.binance.com:9443/stream?streams=x", "spot"),
    "spot update": (update("spot", 1, 2), None, "spot"),
    "futures update": (combined("x@depth", update("usdm", 1, 2)), None, "usdm"),
    "coin update": (update("usdm", 1, 2).replace(b"BTCUSDT", b"BTCUSD_PERP"), None, "coinm"),
    "spot best": (SPOT_BEST, None, "spot"),
    "spot trade": (SPOT_TRADE, None, "spot"),
    "futures trade": (FUTURES_TRADE, None, "usdm"),
    "spot snapshot": (snapshot(5), None, "spot"),
    "nothing": (b"{", None, None),
}


@pytest.mark.parametrize(("raw", "url", "market"), MARKET_OF.values(), ids=MARKET_OF)
def test_the_market_shows_in_addresses_and_frames(raw, url, market):
    assert detect_market(raw, url) == market
