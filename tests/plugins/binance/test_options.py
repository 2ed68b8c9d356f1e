"""European options: shapes of before and after December 2025, trades of both, summaries collected from streams."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from quotewright.kernel import codes
from quotewright.tape.normalise import NormaliseSink
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter, detect_market
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from tests.plugins.binance.support import Run, flags, kind, names, side, state
from tests.plugins.binance.test_frames import BAD, TOO_FINE, combined

CALL = "BTC-261225-90000-C"
MS = 1_000_000
NEW_TRADE = (
    b'{"e":"trade","E":1765983420779,"T":1765983420778,"s":"BTC-261225-90000-C","t":200,"p":"1420.00","q":"1.54",'
    b'"X":"MARKET","S":"BUY","m":false}'
)
OLD_TRADE = (
    b'{"e":"trade","E":1696118408137,"s":"BTC-261225-90000-C","t":"15","p":"2.64","q":"0.01","b":"46","a":"47",'
    b'"T":1696118408134,"S":"-1"}'
)
MARK = (
    b'{"s":"BTC-261225-90000-C","mp":"1450.50","E":1765983421000,"e":"markPrice","i":"104334.60","P":"0.0",'
    b'"bo":"1440.00","ao":"1460.00","bq":"5.00","aq":"3.50","b":"0.85","a":"0.88","hl":"2000.0","ll":"500.0",'
    b'"vo":"0.86","rf":"0.0","d":"0.75","t":"-0.05","g":"0.002","v":"0.15"}'
)
TICKER = (
    b'{"e":"24hrTicker","E":1765983420778,"s":"BTC-261225-90000-C","c":"1420.00","v":"44.43","q":"28265.7","n":107}'
)
INTEREST = b'{"e":"openInterest","E":1765983420500,"s":"BTC-261225-90000-C","o":"123.45","h":"11025678.90"}'
OLD_TICKER = (
    b'{"e":"24hrTicker","E":1696118400043,"T":1696118400000,"s":"BTC-261225-90000-C","c":"0","V":"0","n":0,'
    b'"bo":"3000","ao":"0","bq":"2.55","aq":"0","b":"0.38","a":"-1","d":"-0.34","t":"-5.86","g":"0.00003213",'
    b'"v":"99.3","vo":"0.428","mp":"3475","hl":"6990","ll":"5","eep":"0"}'
)
OLD_INDEX = b'{"e":"index","E":1696118400040,"s":"BTCUSDT","p":"26963.13"}'
NEW_INDEX = b'[{"e":"indexPrice","E":1696118400040,"s":"BTCUSDT","p":"26963.13"}]'


def run_of() -> Run:
    return Run("option", symbols={CALL: (0, 2, 2)})


def normalised(*frames: bytes, is_sequenced: bool = False) -> list[dict[str, object]]:
    adapter, sink = BinanceAdapter("option"), NormaliseSink("binance-european-options")
    adapter.is_sequenced = is_sequenced
    texts: list[str] = []
    for frame in frames:
        adapter.on_message(frame, "ws", None, 1_800_000_000_000_000_000, sink)
        texts += sink.take()
    assert adapter.counters.errors == 0, adapter.counters.last_error
    return [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in texts]


TRADES = {
    "new": (NEW_TRADE, codes.BUY, 200),
    "new, the buyer was the maker": (NEW_TRADE.replace(b'"m":false', b'"m":true'), codes.SELL, 200),
    "new, the maker is not told": (NEW_TRADE.replace(b',"m":false', b""), codes.BUY, 200),
    "old": (OLD_TRADE, codes.SELL, 15),
    "old, bought": (OLD_TRADE.replace(b'"-1"', b'"1"'), codes.BUY, 15),
    "old, no side": (OLD_TRADE.replace(b',"S":"-1"', b""), codes.NO_SIDE, 15),
}


@pytest.mark.parametrize(("frame", "taker", "id"), TRADES.values(), ids=TRADES)
def test_a_trade_has_the_takers_side_and_is_printed_once(frame, taker, id):
    run = run_of()
    (row,) = run.ws(combined(f"{CALL.lower()}@optionTrade", frame))
    assert (kind(row), side(row), row[4]) == (codes.TRADE, taker, id)
    assert run.ws(frame) == []
    assert run.adapter.counters.duplicate_trades == 1


def test_block_trades_are_marked_and_shown():
    block = NEW_TRADE.replace(b"MARKET", b"BLOCK")
    (row,) = run_of().ws(block)
    assert flags(row) == codes.LAST | codes.NO_MARKET
    (shown,) = normalised(block)
    assert (shown["id"], shown["side"], shown["timestamp"]) == ("200", "buy", "2025-12-17T14:57:00.778Z")


def test_a_trade_id_that_is_no_number_keeps_its_text():
    (shown,) = normalised(OLD_TRADE.replace(b'"15"', b'"a-15"'))
    assert shown["id"] == "a-15"
    (row,) = run_of().ws(OLD_TRADE.replace(b'"15"', b'"a-15"'))
    (again,) = run_of().ws(OLD_TRADE.replace(b'"15"', b'"a-15"'))
    assert row[4] == again[4] > 0


def test_a_stream_of_an_underlying_carries_many_options():
    assert names(run_of().ws(combined("BTC@trade", OLD_TRADE))) == ["trade"]
    assert run_of().ws(combined("ETH-261225-3000-C@trade", OLD_TRADE)) == []


def test_a_summary_holds_what_other_streams_have_told():
    frames = [
        combined("btc-261225-90000-c@optionTicker", TICKER),
        combined("btcusdt@optionOpenInterest@261225", b"[%s]" % INTEREST),
    ]
    assert normalised(*frames) == []
    (full,) = normalised(*frames, combined("btcusdt@optionMarkPrice", b"[%s]" % MARK))
    told = {
        "lastPrice": "1420.00",
        "openInterest": "123.45",
        "bestBidIV": "0.85",
        "markIV": "0.86",
        "vega": "0.15",
        "theta": "-0.05",
        "underlyingPrice": "104334.60",
        "strikePrice": "90000",
    }
    assert {key: full[key] for key in told} == {key: Decimal(text) for key, text in told.items()}
    assert (full["optionType"], full["expirationDate"]) == ("call", "2026-12-25T08:00:00.000Z")
    assert full["underlyingIndex"] == "BTCUSDT"
    (alone,) = normalised(combined("btcusdt@optionMarkPrice", b"[%s]" % MARK))
    assert not {"lastPrice", "openInterest"} & alone.keys()


def test_the_tape_has_a_row_for_each_thing_a_summary_tells():
    run = run_of()
    run.ws(TICKER)
    run.ws(combined("btcusdt@optionOpenInterest@261225", b"[%s]" % INTEREST))
    rows = run.ws(combined("btcusdt@optionMarkPrice", b"[%s]" % MARK))
    assert set(names(rows)) >= {"last_price", "open_interest", "mark", "bid_iv", "offer_iv", "mark_iv", "delta", "vega"}
    assert {row[0] for row in rows} == {1765983421000 * MS}
    assert "underlying" in names(rows)


@pytest.mark.parametrize("index", [OLD_INDEX, NEW_INDEX], ids=["old", "new"])
def test_the_ticker_of_before_is_a_summary_by_itself(index):
    shown = normalised(combined("BTCUSDT@index", index), combined(f"{CALL}@ticker", OLD_TICKER))
    (one,) = shown
    assert one["underlyingPrice"] == Decimal("26963.13")
    assert (one["bestBidPrice"], one["bestBidIV"], one["markPrice"]) == (3000, Decimal("0.38"), 3475)
    assert not {"bestAskPrice", "bestAskAmount", "bestAskIV", "lastPrice", "markIV", "openInterest"} & one.keys()
    assert one["timestamp"] == "2023-10-01T00:00:00.043Z"
    rows = run_of().ws(OLD_TICKER)
    assert {row[0] for row in rows} == {1696118400000 * MS}, "when it happened, not when it was sent"
    assert "mark_iv" in names(rows)


def test_an_index_price_of_zero_is_none():
    zero = combined("BTCUSDT@index", OLD_INDEX.replace(b"26963.13", b"0"))
    (one,) = normalised(combined("BTCUSDT@index", OLD_INDEX), zero, OLD_TICKER)
    assert one["underlyingPrice"] == Decimal("26963.13")


def test_images_show_the_time_that_recordings_show():
    old = (
        b'{"e":"depth","E":1696118400038,"T":1696118399082,"s":"BTC-261225-90000-C","u":1,"pu":1,'
        b'"b":[["60","7.31"]],"a":[]}'
    )
    new = (
        b'{"e":"depthUpdate","E":1765983419936,"T":1765983419928,"s":"BTC-261225-90000-C","U":1,"u":2,"pu":0,'
        b'"b":[],"a":[["18.80","70.00"]]}'
    )
    (one,) = normalised(combined(f"{CALL}@depth100@100ms", old))
    assert (one["isSnapshot"], one["timestamp"]) == (True, "2023-10-01T00:00:00.038Z")
    (other,) = normalised(combined(f"{CALL.lower()}@depth20@100ms", new))
    assert (other["isSnapshot"], other["timestamp"]) == (True, "2025-12-17T14:56:59.928Z")
    for frame, event_ms in ((old, 1696118399082), (new, 1765983419928)):
        rows = run_of().ws(combined(f"{CALL}@depth20@100ms", frame))
        assert {row[0] for row in rows} == {event_ms * MS}
    assert names(run_of().ws(old))[0] == "snapshot_begin", "the old event is an image whatever the stream"


def test_diffs_of_options_keep_to_the_rules_of_futures():
    session = BinanceSession(market="option", symbol=CALL)
    lines = list(session_lines(session, 60))
    run = Run("option", symbols={CALL: (0, 2, 3)})
    run.feed_all(lines)
    book = run.book()
    assert (book.bids, book.offers, book.is_stale) == (session.bids, session.offers, False)
    session.step()
    assert "gap" in names(run.feed_all(session.step()))
    assert run.wants_snapshot()
    old_snapshot = session.snapshot().raw.replace(b"lastUpdateId", b"u")
    run.rest(old_snapshot, "https://eapi.binance.com/eapi/v1/depth?symbol=" + CALL)
    assert state(run.adapter, CALL) == "SYNCHRONISED"


def test_the_state_of_an_option_becomes_a_row():
    text = b'{"e":"optionSymbol","E":1669356423908,"s":"BTC-261225-90000-C","ps":"BTCUSDT","cs":"TRADING"}'
    (row,) = run_of().ws(combined("!optionSymbol", text))
    assert (kind(row), row[3]) == (codes.STATUS, codes.TRADING)


FIELDS = {
    "trade price": (NEW_TRADE, b'"1420.00"'),
    "trade size": (NEW_TRADE, b'"1.54"'),
    "old trade price": (OLD_TRADE, b'"2.64"'),
    "last price": (TICKER, b'"1420.00"'),
    "open interest": (INTEREST, b'"123.45"'),
    "mark price": (MARK, b'"1450.50"'),
    "bid": (MARK, b'"1440.00"'),
    "bid size": (MARK, b'"5.00"'),
    "bid volatility": (MARK, b'"0.85"'),
    "offer": (MARK, b'"1460.00"'),
    "offer size": (MARK, b'"3.50"'),
    "offer volatility": (MARK, b'"0.88"'),
    "mark volatility": (MARK, b'"0.86"'),
    "delta": (MARK, b'"0.75"'),
    "gamma": (MARK, b'"0.002"'),
    "vega": (MARK, b'"0.15"'),
    "theta": (MARK, b'"-0.05"'),
    "underlying": (MARK, b'"104334.60"'),
    "index": (OLD_INDEX, b'"26963.13"'),
}
MAY_BE_NEGATIVE = ("delta", "gamma", "vega", "theta", "bid volatility", "offer volatility", "mark volatility")
MAY_BE_ABSENT = ("bid", "bid size", "offer", "offer size", "mark price", "underlying", "last price", *MAY_BE_NEGATIVE)


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad not in map(json.dumps, TOO_FINE)])
@pytest.mark.parametrize("field", FIELDS)
def test_a_bad_number_refuses_the_message_and_the_next_one_is_read(field, bad):
    """M12."""
    frame, good = FIELDS[field]
    run = run_of()
    rows = run.ws(frame.replace(good, bad.encode(), 1))
    is_fine = (bad == '""' and field in MAY_BE_ABSENT) or (bad == '"-1"' and field in MAY_BE_NEGATIVE)
    assert run.adapter.counters.errors == (not is_fine), run.adapter.counters.last_error
    if not is_fine:
        assert rows == []
        summary = run.ws(MARK)
        assert names(summary) == names(run_of().ws(MARK)), "nothing of it was held"
    run.ws(frame)
    assert run.adapter.counters.errors == (not is_fine)


MARKET_OF = {
    "trade": (NEW_TRADE, None),
    "old trade": (combined(f"{CALL}@trade", OLD_TRADE), None),
    "marks": (combined("btcusdt@optionMarkPrice", b"[%s]" % MARK), None),
    "interest": (combined("BTC@openInterest@261225", b"[%s]" % INTEREST), None),
    "index": (combined("BTCUSDT@index", OLD_INDEX), None),
    "answer": (b"{}", "https://eapi.binance.com/eapi/v1/depth?symbol=" + CALL),
    "old address": (b"{}", "wss://nbstream.binance.com/eoptions/stream?streams=x"),
    "address": (b"{}", "wss://fstream.binance.com/public/stream?streams=btc-261225-90000-c@depth20"),
}


@pytest.mark.parametrize(("raw", "url"), MARKET_OF.values(), ids=MARKET_OF)
def test_the_market_shows_in_frames_and_addresses(raw, url):
    assert detect_market(raw, url) == "option"
    assert BinanceAdapter.detect_market(raw, url) == "option"


def test_what_other_venues_write_is_not_taken_for_options():
    assert detect_market(b'{"params":{"data":{"instrument_name":"BTC-25MAR22-400000-C"}}}') is None
    assert detect_market(b'{"symbol":"BTC-261225-90000-C","sequence":4}') is None
    assert detect_market(b"[]") is None
