"""OKX's frames: bad ones are refused whole and counted, good ones become the rows that the docs promise."""

from __future__ import annotations

import json

import attrs
import msgspec
import pytest

from quotewright.kernel import codes
from quotewright_plugins.exchanges.okx.adapter import OkxAdapter
from quotewright_plugins.exchanges.okx.checksum import signed_crc
from quotewright_plugins.exchanges.okx.frames import SYMBOLS, Line, OkxSession
from tests.plugins.binance.support import flags, names, side
from tests.plugins.okx.support import Run, is_true

BAD = ('"NaN"', '"Infinity"', '"-1"', '"1e400"', '"1e-400"', '"0x1"', '""', "null", "true")
NONE_IS_NONE = {"last", "askSz", "bidSz", "bidVol", "askVol", "markVol", "fundingRate"}
NONE_IS_NONE |= {"delta", "gamma", "vega", "theta", "fundingTime"}
SIGNED = {"delta", "gamma", "vega", "theta", "fundingRate"}
NUMBERS = {
    "px": "trade",
    "sz": "trade",
    "last": "tickers",
    "askPx": "tickers",
    "askSz": "tickers",
    "bidPx": "tickers",
    "bidSz": "tickers",
    "markPx": "mark-price",
    "oi": "open-interest",
    "idxPx": "index-tickers",
    "fundingRate": "funding-rate",
    "fundingTime": "funding-rate",
    "bkPx": "liquidation-orders",
    "delta": "opt-summary",
    "gamma": "opt-summary",
    "vega": "opt-summary",
    "theta": "opt-summary",
    "markVol": "opt-summary",
    "askVol": "opt-summary",
}


def frames_of(session: OkxSession) -> dict[str, Line]:
    """Return one frame of each kind that *session* can send."""
    lines = [session.trade(), session.best(), session.five(), *session.references(), session.listing()]
    return {line.kind: line for line in lines}


def carrier(kind: str) -> OkxSession:
    market = "option" if kind == "opt-summary" else "swap"
    return OkxSession(symbol=SYMBOLS[market])


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", NUMBERS)
def test_m12_a_bad_number_refuses_its_message_whole(field, bad):
    session, run = carrier(NUMBERS[field]), Run()
    run.feed(session.image())
    line = frames_of(session)[NUMBERS[field]]
    good = f'"{field}":"'.encode()
    start = line.raw.index(good)
    end = line.raw.index(b'"', start + len(good)) + 1
    raw = line.raw[:start] + f'"{field}":{bad}'.encode() + line.raw[end:]
    rows = run.ws(raw)
    is_none = bad == '""' and field in NONE_IS_NONE
    is_number = bad == '"-1"' and field in SIGNED
    if is_none or is_number:
        assert run.adapter.counters.errors == 0
    else:
        assert rows == []
        assert run.adapter.counters.errors == 1, run.adapter.counters
    assert is_true(run, session)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("has_checksums", [False, True])
def test_m12_a_bad_level_makes_its_book_stale_and_no_other(has_checksums, bad, place):
    session, run = OkxSession(has_checksums=has_checksums), Run()
    other = OkxSession(symbol=SYMBOLS["swap"])
    run.feed(session.image())
    run.feed(other.image())
    line = session.update()
    level = ["1.5", "2"]
    texts = [bad if number == place else f'"{text}"' for number, text in enumerate(level)]
    raw = line.raw.replace(b'"bids":[', f'"bids":[[{",".join(texts)},"0","1"],'.encode()).replace(b",]", b"]")
    assert names(run.ws(raw)) == ["gap"]
    assert run.adapter.counters.errors + run.adapter.books["BTC-USDT"].checksums_bad == 1
    assert run.wants_image()
    assert run.adapter.books[other.symbol].state.name == "SYNCHRONISED"
    run.feed(session.image())
    book = run.adapter.books["BTC-USDT"]
    assert (book.state.name, book.resyncs) == ("SYNCHRONISED", 1)


@pytest.mark.parametrize("field", ["ts", "seqId", "prevSeqId"])
@pytest.mark.parametrize("bad", BAD)
def test_m12_a_bad_id_or_time_makes_the_book_stale(field, bad):
    session, run = OkxSession(), Run()
    run.feed(session.image())
    sent = json.loads(session.update().raw)
    sent["data"][0][field] = "@"
    assert names(run.ws(json.dumps(sent, separators=(",", ":")).encode().replace(b'"@"', bad.encode()))) == ["gap"]


def test_m09_every_cut_of_every_frame_is_counted_and_nothing_is_raised():
    for symbol in SYMBOLS.values():
        session = OkxSession(symbol=symbol, depth=8, has_checksums=True)
        lines = [session.image(), session.update(), *frames_of(session).values(), *session.events()]
        for line in lines:
            run = Run()
            for at in range(len(line.raw)):
                before = run.adapter.counters.errors
                assert run.ws(line.raw[:at]) == []
                assert run.adapter.counters.errors == before + 1
        answer = session.answer()
        run = Run()
        for at in range(len(answer.raw)):
            assert run.feed(attrs.evolve(answer, raw=answer.raw[:at])) == []
        assert run.adapter.counters.errors == len(answer.raw)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b'\xef\xbb\xbf{"arg":1}', b'{"arg":"\x00"}', b"[" * 10_000, b"{}", b"1"])
def test_m11_bytes_that_are_no_frame_are_counted(raw):
    run = Run()
    assert run.ws(raw) == []
    assert run.adapter.counters.errors == 1
    assert run.adapter.counters.last_error.isprintable()


def test_m13_numbers_beyond_the_grid_are_refused_not_rounded():
    session, run = OkxSession(), Run()
    line = session.trade()
    price = json.loads(line.raw)["data"][0]["px"]
    assert run.ws(line.raw.replace(f'"{price}"'.encode(), b'"1.123456789012345678901234567890"')) == []
    assert run.adapter.counters.decode_errors == {"number": 1}


def test_m16_a_trade_of_unknown_side_is_refused_and_one_without_size_passed_over():
    session, run = OkxSession(), Run()
    line = session.trade()
    assert run.ws(line.raw.replace(b'"side":"', b'"side":"x')) == []
    assert run.adapter.counters.decode_errors == {"shape": 1}
    assert run.ws(line.raw.replace(b'"sz":"0.007"', b'"sz":"0"')) == []
    assert run.adapter.counters.empty_trades == 1
    assert len(run.feed(line)) == 1
    assert run.feed(line) == []
    assert run.adapter.counters.duplicate_trades == 1


def test_m22_a_wrong_symbol_on_a_stream_is_refused_and_the_book_untouched():
    session, run = OkxSession(), Run()
    run.feed(session.image())
    line = session.trade()
    assert run.ws(line.raw.replace(b'"data":[{"instId":"BTC-USDT"', b'"data":[{"instId":"ETH-USDT"')) == []
    assert run.adapter.counters.decode_errors == {"symbol": 1}
    assert is_true(run, session)


def test_events_and_pongs_are_no_errors():
    session, run = OkxSession(), Run()
    assert run.feed_all([*session.events(), Line(1, "ws", None, b"pong")]) == []
    assert run.adapter.counters.errors == 0
    assert sum(run.adapter.counters.ignored.values()) == 5


def test_aggregated_trades_are_marked_and_give_way_to_single_ones():
    session, run = OkxSession(), Run()
    (row,) = run.feed(session.trade(3))
    assert flags(row) & codes.AGGREGATED
    (row,) = run.feed(session.trade(1, "trades-all"))
    assert not flags(row) & codes.AGGREGATED
    assert run.feed(session.trade(2)) == []
    assert run.adapter.counters.aggregated_dropped == 1


def test_references_of_a_swap_become_rows():
    session, run = OkxSession(symbol=SYMBOLS["swap"]), Run()
    lines = frames_of(session)
    got = {kind: names(run.feed(line)) for kind, line in lines.items() if kind not in ("five", "best")}
    assert got["tickers"] == ["last_price", "best_quote", "best_quote"]
    assert got["mark-price"] == ["mark", "index"]
    assert got["open-interest"] == ["open_interest"]
    assert got["funding-rate"] == ["funding"]
    assert got["liquidation-orders"] == ["liquidation"]
    assert got["price-limit" if "price-limit" in got else "ignored"] == []


def test_a_liquidation_has_the_side_of_the_forced_order():
    run = Run()
    (row,) = run.feed(frames_of(OkxSession(symbol=SYMBOLS["swap"]))["liquidation-orders"])
    assert side(row) == codes.SELL


def test_best_quotes_of_tickers_give_way_to_their_own_stream():
    session, run = OkxSession(symbol=SYMBOLS["swap"]), Run()
    lines = frames_of(session)
    assert names(run.feed(lines["best"])) == ["best_quote", "best_quote"]
    assert names(run.feed(lines["tickers"])) == ["last_price"]


def test_images_of_five_levels_and_answers_make_books():
    for kind in ("five", "answer"):
        session, run = OkxSession(), Run()
        line = session.answer() if kind == "answer" else session.five()
        assert names(run.feed(line))[0] == "snapshot_begin"
        assert len(run.book().bids) == (20 if kind == "answer" else 5)


def test_another_market_is_left_alone_where_one_is_configured():
    run = Run("swap")
    assert run.feed(OkxSession(symbol=SYMBOLS["spot"]).image()) == []
    assert run.adapter.counters.ignored == {"other market": 1}
    assert run.feed(OkxSession(symbol=SYMBOLS["swap"]).image())


@pytest.mark.parametrize(
    ("bids", "asks", "expected"),
    [
        (["40000.1:0.5", "40000:1.20000000"], ["40000.2:0.00010000", "40000.5:3", "40001:0.4"], -2085502132),
        (["3366.1:7", "3366:6", "3365.8:9"], ["3366.8:9", "3368:8"], -1486464356),
    ],
)
def test_checksums_are_the_documented_ones(bids, asks, expected):
    assert signed_crc(bids, asks) == expected


def test_every_frame_tells_that_it_is_okx_and_a_foreign_one_does_not():
    session = OkxSession()
    for line in (session.image(), session.trade(), session.best()):
        assert OkxAdapter.detect_market(line.raw) == ""
    assert OkxAdapter.detect_market(b'{"topic":"orderbook.50.BTCUSDT"}') is None
    assert OkxAdapter.detect_market(b"{}", "https://www.okx.com/api/v5/market/books?instId=A-B") == ""
    assert OkxAdapter.detect_market(session.image().raw, "wss://stream.binance.com") is None


def test_generated_frames_are_json():
    for symbol in SYMBOLS.values():
        for line in frames_of(OkxSession(symbol=symbol)).values():
            msgspec.json.decode(line.raw)
