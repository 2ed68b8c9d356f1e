"""Frames of every kind become the right rows; bad ones are refused whole, counted, and never raise."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from quotewright.feed import Stream
from quotewright.kernel import codes
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.tape.normalise import NormaliseSink
from quotewright_plugins.exchanges.deribit.adapter import DeribitAdapter
from quotewright_plugins.exchanges.deribit.frames import KINDS, SYMBOLS, DeribitSession, session_lines
from tests.plugins.binance.support import flags, names, rows_of, side
from tests.plugins.deribit.support import Run

SPOIL = (
    *("NaN", "Infinity", "-1", "1e400", "1e-400", '"0x1"', '"NaN"', '"-1"', '"1e400"', '"1e-400"', '""', "null"),
    *("true", "[]", "{}"),
)
PERPETUAL, OPTION = "BTC-PERPETUAL", "BTC-26MAR27-70000-C"
LISTED = {PERPETUAL: (0, 4, 8), "ETH-PERPETUAL": (1, 2, 3), OPTION: (2, 4, 1), "BTC_USDC": (3, 2, 4)}


def frame(channel: str, data: str) -> str:
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}'


BOOK = (
    '{"type":"%s","timestamp":1700000000123,%s"instrument_name":"BTC-PERPETUAL","change_id":%d,'
    '"bids":[["new",100.5,11.0]],"asks":[["change",101.5,20.0]]}'
)
IMAGE = frame("book.BTC-PERPETUAL.100ms", BOOK % ("snapshot", "", 9))
TICKER = (
    '"timestamp":1700000000124,"state":"open","last_price":%s,"mark_price":1.6,"instrument_name":"%s",'
    '"index_price":1.7,"best_bid_price":1.25,"best_bid_amount":30.0,"best_ask_price":1.75,"best_ask_amount":40.0,'
)
FRAMES = {
    "book": frame("book.BTC-PERPETUAL.100ms", BOOK % ("change", '"prev_change_id":9,', 10)),
    "grouped": frame(
        "book.BTC_USDC.none.10.100ms",
        '{"timestamp":1700000000125,"instrument_name":"BTC_USDC","change_id":77,"bids":[[100.5,11.0]],"asks":[]}',
    ),
    "quote": frame(
        "quote.BTC-PERPETUAL",
        '{"timestamp":1700000000126,"instrument_name":"BTC-PERPETUAL","best_bid_price":32499.5,'
        '"best_bid_amount":2370.0,"best_ask_price":32503.5,"best_ask_amount":2400.0}',
    ),
    "trades": frame(
        "trades.BTC-PERPETUAL.100ms",
        '[{"trade_seq":40781986,"trade_id":"66460463","timestamp":1584058044032,"tick_direction":3,"price":4469.5,'
        '"instrument_name":"BTC-PERPETUAL","index_price":4805.41,"direction":"sell","amount":1120.0}]',
    ),
    "ticker": frame(
        "ticker.BTC-PERPETUAL.100ms",
        "{"
        + TICKER % ("1.5", PERPETUAL)
        + '"open_interest":66128281,"funding_8h":0.00016281,"current_funding":-1e-05}',
    ),
    "option": frame(
        "ticker.BTC-26MAR27-70000-C.100ms",
        "{"
        + TICKER % ("1.5", OPTION)
        + '"open_interest":9.5,"underlying_price":70100.5,"underlying_index":"X","bid_iv":60.5,'
        '"ask_iv":64.25,"mark_iv":62.5,"greeks":{"delta":0.5,"gamma":1e-05,"vega":41.5,"theta":-22.125,"rho":0.25}}',
    ),
    "increment": frame("incremental_ticker.BTC_USDC", '{"type":"snapshot",' + TICKER % ("1.5", "BTC_USDC") + '"x":1}'),
    "perpetual": frame(
        "perpetual.BTC-PERPETUAL.100ms", '{"timestamp":1700000000127,"interest":-0.0025,"index_price":7872.75}'
    ),
    "index": frame(
        "deribit_price_index.btc_usd", '{"timestamp":1700000000128,"price":70100.25,"index_name":"btc_usd"}'
    ),
    "marks": frame(
        "markprice.options.btc_usd", '[{"mark_price":0.0333,"iv":0.625,"instrument_name":"BTC-26MAR27-70000-C"}]'
    ),
    "state": frame(
        "instrument.state.future.BTC",
        '{"timestamp":1700000000129,"state":"closed","instrument_name":"BTC-PERPETUAL"}',
    ),
    "platform": frame("platform_state", '{"maintenance":true}'),
}
KINDS_OF_ROWS = {
    "book": ["level_set", "level_set"],
    "grouped": ["snapshot_begin", "level_set"],
    "quote": ["best_quote", "best_quote"],
    "trades": ["trade"],
    "ticker": ["last_price", "mark", "index", "open_interest", "funding", "best_quote", "best_quote"],
    "option": [
        *("open_interest", "last_price", "mark", "underlying", "bid_iv", "offer_iv", "mark_iv"),
        *("delta", "gamma", "vega", "theta", "rho", "best_quote", "best_quote"),
    ],
    "increment": ["last_price", "mark", "index", "best_quote", "best_quote"],
    "perpetual": ["index", "funding"],
    "index": ["index"],
    "marks": ["mark", "mark_iv"],
    "state": ["status"],
    "platform": ["status"],
}
SIGNED = {"current_funding", "interest", "delta", "gamma", "vega", "theta", "rho"}


def run_with_book() -> Run:
    """Return a run in which two books are good, and the perpetual's index is known by its book."""
    run = Run(symbols=dict(LISTED))
    run.ws(IMAGE.replace("BTC", "ETH"))
    run.ws(IMAGE)
    run.adapter._symbol(PERPETUAL, PERPETUAL)
    return run


def numbers(text: str) -> list[tuple[str, str, int, int]]:
    """Return every number in the data of a frame: its key, text and place."""
    found = []
    key = ""
    start = text.index('"data":')
    for match in re.finditer(r'"(\w+)":|(?<=[\[,:])(-?\d[\d.e+-]*)(?=[\],}])', text[start:]):
        if match[1]:
            key = match[1]
        else:
            found.append((key, match[2], start + match.start(2), start + match.end(2)))
    return found


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_becomes_the_rows_of_its_kind(name):
    run = run_with_book()
    assert names(run.ws(FRAMES[name])) == KINDS_OF_ROWS[name]
    assert run.adapter.counters.errors == 0


def test_every_number_of_the_frames_is_found():
    assert [number for _, number, _, _ in numbers(FRAMES["book"])] == [
        *("1700000000123", "9", "10", "100.5", "11.0", "101.5", "20.0"),
    ]
    assert sum(len(numbers(text)) for text in FRAMES.values()) > 60


@pytest.mark.parametrize("spoil", SPOIL)
@pytest.mark.parametrize("name", FRAMES)
def test_m12_a_number_that_is_none_is_refused_whole_and_the_other_books_go_on(name, spoil):
    for key, _, start, end in numbers(FRAMES[name]):
        run = run_with_book()
        before = run.book()
        rows = run.ws(FRAMES[name][:start] + spoil + FRAMES[name][end:])
        errors = run.adapter.counters.errors
        if errors == 0:
            assert may_pass(name, key, spoil), (key, names(rows))
        else:
            assert errors == 1
            assert names(rows) == (["gap"] if name == "book" else [])
            after = run.book()
            assert (after.bids, after.offers) == (before.bids, before.offers)
        assert run.state("ETH-PERPETUAL") == "SYNCHRONISED"
        go_on = FRAMES["book"].replace("BTC", "ETH")
        assert names(run.ws(go_on)) == ["level_set", "level_set"]


def may_pass(name: str, key: str, spoil: str) -> bool:
    """Return whether *spoil* may stand for a number: what is not read, no figure of a ticker, a sign, next to zero."""
    if key in ("tick_direction", "funding_8h", "x") or (name == "trades" and key == "index_price"):
        return spoil not in ("NaN", "Infinity")
    if spoil == "null":
        return name in ("ticker", "option", "increment", "quote", "perpetual", "marks") or key == "trade_seq"
    if spoil == "-1":
        return key in SIGNED
    if spoil == "1e-400":  # a reference is rounded to the nearest step, and what is as good as nothing is none
        return name in ("ticker", "option", "increment", "perpetual", "marks")
    if key == "trade_id":
        return True
    return (name, key, spoil) == ("option", "index_price", "1e400")  # it is a number, and is not written


@pytest.mark.parametrize("name", FRAMES)
def test_m09_every_cut_of_a_frame_is_refused_and_nothing_is_raised(name):
    whole = FRAMES[name].encode()
    for cut in range(len(whole)):
        run = run_with_book()
        before = run.book()
        rows = run.ws(whole[:cut])
        assert names(rows) in ([], ["gap"])
        assert run.adapter.counters.errors == 1
        after = run.book()
        assert (after.bids, after.offers) == (before.bids, before.offers)
        assert run.state("ETH-PERPETUAL") == "SYNCHRONISED"


def test_m09_ten_bad_frames_in_a_row_ask_for_a_new_connection():
    run = Run()
    for _ in range(10):
        run.ws(b"{")
    assert [type(action).__name__ for action in run.adapter.actions()] == ["Reconnect"]


NOISE = (
    *(b"\xef\xbb\xbf", b"\x00", b"\xff\xfe", b"[" * 20_000, b"1", b"[]", b"{}"),
    b'{"params":{"channel":"book.\xff.raw"}}',
    b'{"params":{"channel":"quote.\\ud800","data":{}}}',
)


@pytest.mark.parametrize("noise", NOISE)
def test_m11_bytes_that_are_no_frame_are_counted_and_escaped(noise):
    run = run_with_book()
    assert run.ws(noise) == []
    assert run.adapter.counters.errors == 1
    assert run.adapter.counters.last_error.isprintable()
    assert run.state(PERPETUAL) == "SYNCHRONISED"


def normalised(text: str) -> list[dict]:
    adapter = DeribitAdapter()
    adapter.is_sequenced = False
    sink = NormaliseSink("deribit", adapter.shows_percent)
    adapter.on_message(text.encode(), "ws", None, 1, sink)
    assert adapter.counters.errors == 0
    return [json.loads(made, parse_float=Decimal, parse_int=Decimal) for made in sink.take()]


def test_m13_text_comes_out_as_it_went_in():
    price, size = "12345678901.1234567890", "0.0000000000000001"
    (told,) = normalised(FRAMES["book"].replace("100.5", price).replace("20.0", size))
    assert told["bids"][0]["price"] == Decimal(price)
    assert told["asks"][0]["amount"] == Decimal(size)
    (trade,) = normalised(FRAMES["trades"].replace("4469.5", price).replace("1120.0", size))
    assert (trade["price"], trade["amount"]) == (Decimal(price), Decimal(size))


def test_m13_exponents_are_read_and_finer_decimals_than_the_instrument_has_refused():
    run = Run(symbols={PERPETUAL: (0, 1, 0)})
    run.ws(IMAGE)
    assert names(run.ws(FRAMES["book"].replace("100.5", "1.005e2").replace("20.0", "2E+1"))) == ["level_set"] * 2
    assert run.book().bids == {1005: 11}
    later = FRAMES["book"].replace('":10,', '":11,').replace('"prev_change_id":9', '"prev_change_id":10')
    assert names(run.ws(later.replace("100.5", "100.55"))) == ["gap"]
    assert run.adapter.counters.decode_errors == {"number": 1}


def test_volatilities_are_fractions_on_tapes_and_percent_in_messages():
    rows = run_with_book().ws(FRAMES["option"])
    told = {names([row])[0]: row[2] for row in rows}
    assert (told["bid_iv"], told["offer_iv"], told["mark_iv"]) == (605_000_000, 642_500_000, 625_000_000)
    assert (told["gamma"], told["theta"]) == (10_000, -22_125_000_000)
    summary = next(made for made in normalised(FRAMES["option"]) if made["type"] == "option_summary")
    assert (summary["bestBidIV"], summary["markIV"]) == (Decimal("60.5"), Decimal("62.5"))
    assert summary["expirationDate"] == "2027-03-26T08:00:00.000Z"
    assert {names([row])[0]: row[2] for row in run_with_book().ws(FRAMES["marks"])}["mark_iv"] == 625_000_000


def test_a_strike_may_have_a_decimal_point():
    text = FRAMES["option"].replace(OPTION, "XRP_USDC-26MAR27-0d625-P")
    summary = next(made for made in normalised(text) if made["type"] == "option_summary")
    assert (summary["strikePrice"], summary["optionType"]) == (Decimal("0.625"), "put")


def test_prices_of_zero_and_null_are_none():
    text = (
        FRAMES["ticker"].replace("1.6", "0.0").replace('"last_price":1.5', '"last_price":null').replace("1.25", "0.0")
    )
    run = Run(symbols={PERPETUAL: (0, 2, 0)})
    rows = run.ws(text)
    assert names(rows) == ["index", "open_interest", "funding", "best_quote", "best_quote"]
    assert [row[2:4] for row in rows[-2:]] == [(0, 0), (175, 40)]


TRADES = {  # of one fill: what is changed, the row's side (0: none), whether there is a row, its flags
    "sell": ("", "", codes.SELL, 1, 0),
    "buy": ('"sell"', '"buy"', codes.BUY, 1, 0),
    "no side": ('"direction":"sell",', "", codes.NO_SIDE, 1, 0),
    "an odd side": ('"sell"', '"none"', codes.NO_SIDE, 1, 0),
    "a block trade": ('"amount"', '"block_trade_id":"61","amount"', codes.SELL, 1, codes.NO_MARKET),
    "the leg of a combo": ('"amount"', '"combo_id":"BTC-FS-1","amount"', codes.SELL, 1, codes.NO_MARKET),
    "no size": ("1120.0", "0.0", 0, 0, 0),
    "in the future": ("1584058044032", "9100000000000", codes.SELL, 1, 0),
}


@pytest.mark.parametrize(("old", "new", "taker", "count", "flag"), TRADES.values(), ids=TRADES)
def test_m16_a_trade_of_any_kind_is_written_once(old, new, taker, count, flag):
    run = Run()
    text = FRAMES["trades"].replace(old, new)
    rows = run.ws(text)
    assert [side(row) for row in rows] == [taker] * count
    assert [flags(row) & codes.NO_MARKET for row in rows] == [flag] * count
    assert run.ws(text) == []
    assert run.adapter.counters.duplicate_trades == count
    assert len(normalised(text)) == count


FORCED = {"T": codes.SELL, "M": codes.BUY, "MT": codes.SELL}


@pytest.mark.parametrize(("who", "forced"), FORCED.items())
def test_a_liquidation_has_the_side_of_the_forced_order(who, forced):
    rows = Run().ws(FRAMES["trades"].replace('"amount"', f'"liquidation":"{who}","amount"'))
    assert names(rows) == ["trade", "liquidation"]
    assert [side(row) for row in rows] == [codes.SELL, forced]


def test_an_odd_liquidation_refuses_the_frame_and_none_is_none():
    run = Run()
    assert run.ws(FRAMES["trades"].replace('"amount"', '"liquidation":"X","amount"')) == []
    assert run.adapter.counters.decode_errors == {"shape": 1}
    assert names(run.ws(FRAMES["trades"].replace('"amount"', '"liquidation":"none","amount"'))) == ["trade"]


def test_missing_trades_are_counted_by_their_sequence():
    run = Run()
    made = DeribitSession()
    lines = [made.trade(400_000, 3, True) for _ in range(10)]
    run.feed_all([*lines[:3], *lines[5:], *lines[5:]])
    counters = run.adapter.counters
    assert (counters.trades, counters.missing_trades, counters.duplicate_trades) == (8, 2, 5)
    run.adapter.on_close(1, run.sink)
    run.feed(made.trade(400_000, 3, True))
    made.trade(400_000, 3, True)
    assert counters.missing_trades == 2


def test_ids_that_are_no_numbers_keep_their_text():
    (trade,) = normalised(FRAMES["trades"].replace('"66460463"', '"ETH-123"'))
    assert trade["id"] == "ETH-123"
    first, second = (Run().ws(FRAMES["trades"].replace("66460463", id))[0] for id in ("ETH-123", "ETH-124"))
    assert 0 < first[4] != second[4] > 0
    assert Run().ws(FRAMES["trades"])[0][4] == 66460463


def test_trades_of_a_kind_name_their_instruments_themselves():
    run = Run(symbols=dict(LISTED))
    text = FRAMES["trades"].replace("trades.BTC-PERPETUAL.100ms", "trades.future.any.100ms")
    assert names(run.ws(text)) == names(run.ws(text.replace('"BTC-PERPETUAL"', '"ETH-PERPETUAL"'))) == ["trade"]
    assert run.ws(text.replace('"BTC-PERPETUAL"', '"BTC-FS-25DEC26_PERP"')) == []
    assert run.adapter.counters.errors == 0


def test_a_bad_trade_in_a_frame_refuses_all_of_it():
    run = Run()
    start = FRAMES["trades"].index("[{") + 1
    row = FRAMES["trades"][start : FRAMES["trades"].index("]}")]
    many = [row.replace("66460463", str(number)) for number in range(3)]
    assert run.ws(FRAMES["trades"].replace(row, ",".join([*many, row.replace("1120.0", "-1")]))) == []
    assert names(run.ws(FRAMES["trades"].replace(row, ",".join(many)))) == ["trade"] * 3


def test_an_incremental_ticker_is_laid_over_what_was_told():
    run = Run(symbols=dict(LISTED))
    channel = "incremental_ticker.BTC-26MAR27-70000-C"
    data = FRAMES["option"][FRAMES["option"].index('{"timestamp"') : -2]
    change = '{"type":"change","timestamp":1700000000999,"greeks":{"delta":0.75},"mark_price":2.5,"last_price":null}'
    assert run.ws(frame(channel, change)) == []
    assert run.adapter.counters.buffer_dropped == 1
    run.ws(frame(channel, data[:-1] + ',"type":"snapshot"}'))
    told = {names([row])[0]: row[2] for row in run.ws(frame(channel, change))}
    assert (told["delta"], told["vega"], told["mark"]) == (750_000_000, 41_500_000_000, 2_500_000_000)
    assert "last_price" not in told
    assert run.ws(frame(channel, change.replace("2.5", "true"))) == []
    assert run.adapter.counters.errors == 1
    run.adapter.on_close(1, run.sink)
    assert run.ws(frame(channel, change)) == []


def test_late_quotes_and_tickers_are_dropped():
    run = Run(symbols={PERPETUAL: (0, 2, 0)})
    for name in ("quote", "ticker"):
        assert run.ws(FRAMES[name])
        assert run.ws(re.sub('"timestamp":[0-9]+', '"timestamp":1600000000000', FRAMES[name])) == []
    assert run.adapter.counters.stale_dropped == 2


def test_funding_of_the_perpetual_channel_gives_way_to_that_of_tickers():
    run = Run(symbols={PERPETUAL: (0, 2, 0)})
    assert names(run.ws(FRAMES["perpetual"])) == ["index", "funding"]
    run.ws(FRAMES["ticker"])
    assert names(run.ws(FRAMES["perpetual"])) == ["index"]


STATES = {
    "created": codes.CLOSED, "started": codes.TRADING, "settled": codes.CLOSED, "closed": codes.CLOSED,
    "terminated": codes.CLOSED, "deactivated": codes.HALTED, "locked": codes.HALTED, "anything else": codes.HALTED,
}  # fmt: skip


@pytest.mark.parametrize(("state", "status"), STATES.items())
def test_m19_states_become_ours(state, status):
    rows = Run().ws(FRAMES["state"].replace('"closed"', f'"{state}"'))
    assert [(names([row])[0], row[3]) for row in rows] == [("status", status)]


def test_m19_maintenance_and_locked_indexes_halt_and_let_go():
    run = Run(symbols=dict(LISTED))
    for symbol in (PERPETUAL, "BTC_USDC"):
        run.adapter._symbol(symbol, symbol)
    text = FRAMES["platform"]
    assert [(row[5] >> 32, row[3]) for row in run.ws(text)] == [(0, codes.HALTED), (3, codes.HALTED)]
    assert [row[3] for row in run.ws(text.replace("true", "false"))] == [codes.TRADING] * 2
    locked = text.replace('"maintenance":true', '"price_index":"btc_usdc","locked":true')
    assert [(row[5] >> 32, row[3]) for row in run.ws(locked)] == [(3, codes.HALTED)]
    assert run.ws(text.replace('"maintenance":true', '"other":1')) == []


def test_a_ticker_tells_a_state_that_has_changed():
    run = Run(symbols={PERPETUAL: (0, 2, 0)})
    assert "status" not in names(run.ws(FRAMES["ticker"]))
    closed = FRAMES["ticker"].replace('"open"', '"closed"')
    assert names(run.ws(closed))[0] == "status"
    assert "status" not in names(run.ws(closed))


WRONG = {
    "another symbol in the book": ("book", '_name":"BTC-PERPETUAL"', '_name":"ETH-PERPETUAL"', "symbol"),
    "another symbol in the quote": ("quote", '_name":"BTC-PERPETUAL"', '_name":"ETH-PERPETUAL"', "symbol"),
    "another symbol in the trades": ("trades", '_name":"BTC-PERPETUAL"', '_name":"ETH-PERPETUAL"', "symbol"),
    "another symbol in the ticker": ("ticker", '_name":"BTC-PERPETUAL"', '_name":"ETH-PERPETUAL"', "symbol"),
    "another index": ("index", '_name":"btc_usd"', '_name":"eth_usd"', "symbol"),
    "no option": ("marks", OPTION, PERPETUAL, "symbol"),
    "another type": ("book", '"change",', '"image",', "shape"),
    "two channels": ("quote", '"data":', '"channel":"quote.ETH-PERPETUAL","data":', "symbol"),
    "no data": ("trades", '"data":', '"date":', "shape"),
}


@pytest.mark.parametrize(("name", "old", "new", "reason"), WRONG.values(), ids=WRONG)
def test_m22_what_does_not_fit_its_channel_is_refused(name, old, new, reason):
    run = run_with_book()
    run.ws(FRAMES[name]) if name not in ("book", "trades") else None
    rows = run.ws(FRAMES[name].replace(old, new, 1))
    assert names(rows) in ([], ["gap"])
    assert run.adapter.counters.decode_errors == {reason: 1}
    assert run.state("ETH-PERPETUAL") == "SYNCHRONISED"


FOREIGN = (
    b'{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}}',
    b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[]}',
    b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1,"data":{"s":"BTCUSDT","b":[],"a":[],"u":1}}',
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_m22_frames_of_other_exchanges_are_refused_and_no_market_is_told_of_them(foreign):
    run = Run()
    assert run.ws(foreign) == []
    assert run.adapter.counters.errors == 1
    assert DeribitAdapter.detect_market(foreign) is None


@pytest.mark.parametrize("of", KINDS)
def test_a_session_with_every_kind_of_frame_is_read_to_the_last_one(of):
    run = Run(of)
    kinds = set(names(run.feed_all(session_lines(DeribitSession(kind=of), 200))))
    counters = run.adapter.counters
    assert (counters.errors, counters.gaps, counters.missing_trades) == (0, 0, 0)
    assert set(counters.ignored) == {"heartbeat", "reply", "chart", "deribit_volatility_index", "combo"}
    assert kinds >= {"snapshot_begin", "level_set", "level_delete", "trade", "liquidation", "best_quote", "mark"}
    assert ("funding" in kinds) is (of == "perpetual")
    assert ("index" in kinds) is (of != "option")
    assert ({"mark_iv", "delta", "underlying"} <= kinds) is (of == "option")
    assert ("open_interest" in kinds) is (of != "spot")


REST = "https://www.deribit.com/api/v2/public/"
ANSWERS = {
    "get_order_book": (
        '{"instrument_name":"BTC-PERPETUAL","change_id":5,"timestamp":4,"bids":[[100.5,11.0]],"asks":[[101.5,2.0]]}',
        ["snapshot_begin", "level_set", "level_set"],
    ),
    "get_last_trades_by_instrument": (
        '{"trades":[{"trade_id":"2","timestamp":9,"price":2.5,"amount":10.0,"instrument_name":"BTC-PERPETUAL"},'
        '{"trade_id":"1","timestamp":8,"price":1.5,"amount":10.0,"instrument_name":"BTC-PERPETUAL"}],"has_more":false}',
        ["trade", "trade"],
    ),
    "ticker": (
        '{"instrument_name":"BTC-PERPETUAL","timestamp":9,"last_price":1.5,"open_interest":3}',
        ["last_price", "open_interest"],
    ),
    "get_instruments": ("[]", []),
}


@pytest.mark.parametrize(("method", "case"), ANSWERS.items(), ids=ANSWERS)
def test_answers_are_read_by_their_address(method, case):
    result, rows = case
    run = Run(symbols={PERPETUAL: (0, 1, 0)})
    found = run.rest(f'{{"jsonrpc":"2.0","result":{result},"usIn":1,"testnet":false}}', f"{REST}{method}?x=y")
    assert names(found) == rows
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert run.rest('{"jsonrpc":"2.0","error":{"code":10028,"message":"too_many_requests"}}', REST + method) == []
    assert run.adapter.counters.decode_errors == {"venue": 1}
    assert "10028" in run.adapter.counters.last_error


def test_a_channel_takes_over_from_polled_images():
    run = Run(symbols={PERPETUAL: (0, 1, 0)})
    body = f'{{"result":{ANSWERS["get_order_book"][0]}}}'
    run.rest(body, REST + "get_order_book")
    assert names(run.ws(FRAMES["book"])) == ["gap"]
    assert names(run.ws(IMAGE))[:2] == ["resync", "snapshot_begin"]
    assert run.rest(body, REST + "get_order_book") == []
    assert run.adapter.counters.ignored == {"rest get_order_book": 1}


def test_an_error_among_the_answers_is_counted_and_told():
    run = Run()
    run.ws('{"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"Invalid params"},"testnet":false}')
    assert run.adapter.counters.decode_errors == {"venue": 1}
    run.ws('{"jsonrpc":"2.0","id":3,"result":["quote.X"],"usDiff":1}')
    assert run.adapter.counters.ignored == {"reply": 1}


def test_frames_with_other_key_orders_and_spaces_are_read():
    text = json.dumps(json.loads(FRAMES["quote"]), indent=1)
    assert names(Run().ws(text)) == ["best_quote", "best_quote"]
    turned = '{"params":{"data":%s,"channel":"quote.BTC-PERPETUAL"},"method":"subscription"}'
    data = FRAMES["quote"][FRAMES["quote"].index('{"timestamp"') : -2]
    assert names(Run().ws(turned % data)) == ["best_quote", "best_quote"]


ADDRESSES = {
    "wss://www.deribit.com/ws/api/v2": "",
    "wss://test.deribit.com/ws/api/v2": "",
    "https://history.deribit.com/api/v2/public/get_last_trades_by_instrument": "",
    "ws://127.0.0.1:8000/ws/api/v2": "",
    "https://notderibit.com/": None,
    "wss://stream.bybit.com/v5/public/linear": None,
    "wss://ws.okx.com:8443/ws/v5/public": None,
    "http://[": None,
}


@pytest.mark.parametrize(("url", "market"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses_and_frames_tell_the_exchange(url, market):
    assert DeribitAdapter.detect_market(b"null", url) == market
    assert {DeribitAdapter.detect_market(text.encode()) for text in FRAMES.values()} == {""}


def test_only_what_is_followed_is_written():
    adapter = DeribitAdapter()
    adapter.subscribe(["ETH-PERPETUAL"])
    buffer = TapeBuffer()
    sink = TapeSink(buffer, {"ETH-PERPETUAL": (0, 2, 3)})
    for text in FRAMES.values():
        adapter.on_message(text.encode(), "ws", None, 1, sink)
    assert rows_of(buffer) == []
    assert (adapter.counters.errors, adapter.counters.unlisted) == (0, 8)


def test_an_oversized_frame_is_refused():
    run = run_with_book()
    run.ws(FRAMES["book"][:-1] + " " * (8 << 20) + "}")
    assert run.adapter.counters.decode_errors == {"size": 1}
    assert SYMBOLS["perpetual"] in run.adapter.counters.last_error


def test_streams_are_those_of_the_channels_wanted_books_first():
    adapter = DeribitAdapter()
    adapter.subscribe([PERPETUAL, OPTION, "BTC_USDC"])
    found = adapter.streams()
    assert found[0] == Stream("book.BTC-PERPETUAL.100ms", PERPETUAL, "book")
    assert [stream.channel for stream in found[:3]] == ["book"] * 3
    assert Stream("ticker.BTC-26MAR27-70000-C.100ms", OPTION, "options") in found
    status = [stream.name for stream in found if stream.channel == "status"]
    assert status == [
        *("instrument.state.future.BTC", "instrument.state.option.BTC", "instrument.state.spot.USDC"),
        "platform_state",
    ]
    assert not any(stream.needs_login for stream in found)
    images = DeribitAdapter(interval="agg2", depth=20, group="5")
    images.subscribe([PERPETUAL])
    assert images.streams()[0].name == "book.BTC-PERPETUAL.5.20.agg2"
    raw = DeribitAdapter(interval="raw")
    raw.subscribe([PERPETUAL])
    assert [stream.name for stream in raw.streams() if stream.needs_login] == [
        *("book.BTC-PERPETUAL.raw", "trades.BTC-PERPETUAL.raw", "ticker.BTC-PERPETUAL.raw"),
    ]
