"""What futures tell beside books and trades: marks, indexes by pair, last prices, open interest, states, wraps."""

from __future__ import annotations

import json

import pytest

from quotewright.kernel import codes
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from tests.plugins.binance.support import BTC, Run, kind, names, state
from tests.plugins.binance.test_frames import BAD, FUTURES_BEST, MARK, TOO_FINE, combined
from tests.plugins.binance.test_sequencing import snapshot, update

MS = 1_000_000
COIN = {"BTCUSD_PERP": (0, 1, 0), "BTCUSD_261225": (1, 1, 0), "ETHUSD_PERP": (2, 2, 0)}
INDEX = b'{"e":"indexPriceUpdate","E":1700000000900,"i":"BTCUSD","p":"9429.39675000"}'
COIN_MARK = (
    b'{"e":"markPriceUpdate","E":1700000001000,"s":"BTCUSD_PERP","p":"9501.15","P":"9429.3","r":"0.0001","T":17}'
)
TICKER = b'{"e":"24hrTicker","E":1700000000467,"s":"BTCUSDT","p":"-88.17","c":"10223.74","Q":"2.097","n":32423}'
INTEREST = b'{"symbol":"BTCUSDT","openInterest":"26286.181"}'
CONTRACT = b'{"e":"contractInfo","E":1700000000908,"s":"BTCUSDT","ct":"PERPETUAL","cs":"%s","st":1}'


def wrapped(stream: str, body: bytes) -> bytes:
    """Return *body* as a recorder writes an answer among the frames of streams."""
    return b'{"stream":"%s","generated":true,"data":%s}' % (stream.encode(), body)


def test_an_index_price_is_held_by_pair_and_goes_with_the_next_message_of_each_contract():
    run = Run("coinm", symbols=dict(COIN))
    assert run.ws(combined("btcusd@indexPrice@1s", INDEX)) == []
    mark, index, funding = run.ws(combined("btcusd_perp@markPrice@1s", COIN_MARK))
    assert (kind(index), index[2], kind(mark), kind(funding)) == (
        codes.INDEX,
        9429_396750000,
        codes.MARK,
        codes.FUNDING,
    )
    assert names(run.ws(combined("btcusd_perp@markPrice@1s", COIN_MARK))) == ["mark", "funding"], "it is no news"
    dated = COIN_MARK.replace(b"BTCUSD_PERP", b"BTCUSD_261225").replace(b'"r":"0.0001","T":17', b'"r":"","T":0')
    assert names(run.ws(combined("btcusd_261225@markPrice@1s", dated))) == ["mark", "index"]
    other = COIN_MARK.replace(b"BTCUSD", b"ETHUSD")
    assert names(run.ws(combined("ethusd_perp@markPrice@1s", other))) == ["mark", "funding"]
    assert names(run.ws(combined("btcusd@markPrice@1s", b"[%s,%s]" % (COIN_MARK, dated)))) == [
        "mark",
        "funding",
        "mark",
    ], "a pair's stream tells all its contracts"


def test_a_rate_without_a_time_is_none():
    assert names(Run("usdm").ws(MARK.replace(b'"T":1700003600000', b'"T":0'))) == ["mark", "index"]


def test_the_last_price_of_a_ticker_is_no_trade():
    run = Run("usdm")
    (row,) = run.ws(combined("btcusdt@ticker", TICKER))
    assert (kind(row), row[2], row[0]) == (codes.LAST_PRICE, 10223_740000000, 1700000000467 * MS)
    assert run.adapter.counters.trades == 0
    spot = Run("spot")
    assert spot.ws(combined("btcusdt@ticker", TICKER)) == []
    assert spot.adapter.counters.ignored == {"24hrTicker": 1}


def test_open_interest_in_a_recorders_wrap_is_that_of_its_stream():
    run = Run("usdm")
    (row,) = run.ws(wrapped("btcusdt@openInterest", INTEREST), 77)
    assert (kind(row), row[3], row[0]) == (codes.OPEN_INTEREST, 26286181, 77)
    assert run.ws(wrapped("ethusdt@openInterest", INTEREST)) == []
    assert run.adapter.counters.decode_errors == {"symbol": 1}


def test_a_snapshot_in_a_recorders_wrap_places_a_book_as_the_answer_over_rest_does():
    run = Run("spot")
    run.ws(combined("btcusdt@depth", update("spot", 501, 505)))
    assert run.ws(wrapped("btcusdt@depthSnapshot", snapshot(400))) == []
    assert (state(run.adapter), run.adapter.counters.snapshots_refused) == ("WAITING", 1)
    rows = run.ws(wrapped("btcusdt@depthSnapshot", snapshot(502)))
    assert names(rows) == ["snapshot_begin", "level_set", "level_set", "level_set", "level_set"]
    assert state(run.adapter) == "SYNCHRONISED"


STATES = {"TRADING": codes.TRADING, "SETTLING": codes.CLOSED, "PRE_SETTLE": codes.CANCEL_ONLY, "ODD": codes.HALTED}


@pytest.mark.parametrize(("word", "code"), STATES.items(), ids=STATES)
def test_a_state_of_trading_becomes_a_row(word, code):
    (row,) = Run("usdm").ws(combined("!contractInfo", CONTRACT % word.encode()))
    assert (kind(row), row[3], row[0]) == (codes.STATUS, code, 1700000000908 * MS)


@pytest.mark.parametrize(("market", "mine"), [("usdm", 1), ("coinm", 2)])
def test_streams_of_all_markets_are_read_for_ones_own_futures_only(market, mine):
    run = Run(market)
    both = [MARK[:-1] + b',"st":%d}' % number for number in (1, 2)]
    frame = b'{"stream":"!markPrice@arr@1s","data":[%s,%s]}' % tuple(both)
    assert names(run.ws(frame)) == ["mark", "index", "funding"]
    best = [FUTURES_BEST[:-1] + b',"st":%d}' % number for number in (1, 2)]
    for number, quote in enumerate(best, 1):
        assert len(run.ws(combined("!bookTicker", quote))) == (2 if number == mine else 0)
        assert len(run.ws(quote)) == (2 if number == mine else 0), "and without an envelope"
    assert run.adapter.counters.ignored == {"other futures": 3}


def test_one_bad_event_of_an_array_costs_itself_alone():
    run = Run("usdm", symbols={**BTC, "ETHUSDT": (1, 2, 3)})
    bad = MARK.replace(b'"11794.15000000"', b'"NaN"')
    rows = run.ws(b'{"stream":"!markPrice@arr","data":[%s,17,%s]}' % (bad, MARK.replace(b"BTC", b"ETH")))
    assert names(rows) == ["mark", "index", "funding"]
    assert run.adapter.counters.decode_errors == {"number": 1, "shape": 1}


def test_a_shutdown_notice_and_books_with_retail_orders_are_counted():
    run = Run("usdm")
    assert run.ws(b'{"e":"serverShutdown","E":1700000000000}') == []
    assert run.ws(combined("!serverShutdown", b'{"e":"serverShutdown","E":1700000000000}')) == []
    assert run.ws(combined("btcusdt@rpiDepth@500ms", update("usdm", 1, 2))) == []
    assert run.adapter.counters.ignored == {"serverShutdown": 2, "rpi_depth": 1}
    assert not run.adapter.books


def test_best_quotes_that_count_anew_are_read_again_after_a_while():
    run = Run("usdm")
    run.ws(FUTURES_BEST)
    older = FUTURES_BEST.replace(b'"u":77', b'"u":5')
    came = [len(run.ws(older)) for _ in range(101)]
    assert came == [0] * 100 + [2]
    run.ws(FUTURES_BEST)
    run.adapter.on_close(9, run.sink, ["BTCUSDT"])
    assert len(run.ws(older)) == 2, "a new connection begins anew"


NUMBERS = {
    "index of a pair": ("coinm", b"BTCUSD", INDEX, b'"9429.39675000"'),
    "last price": ("usdm", b"", TICKER, b'"10223.74"'),
    "open interest": ("usdm", b"", wrapped("btcusdt@openInterest", INTEREST), b'"26286.181"'),
    "funding rate": ("usdm", b"", MARK, b'"0.00038167"'),
}


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad not in map(json.dumps, TOO_FINE)])
@pytest.mark.parametrize(("market", "pair", "frame", "good"), NUMBERS.values(), ids=NUMBERS)
def test_a_bad_number_refuses_the_message_and_the_next_one_is_read(market, pair, frame, good, bad):
    """M12."""
    run = Run(market, symbols={**BTC, **{name: (place + 1, 1, 0) for name, (place, _, _) in COIN.items()}})
    rows = run.ws(frame.replace(good, bad.encode(), 1))
    if good == b'"0.00038167"' and bad in ('"-1"', '""'):
        assert names(rows) == ["mark", "index", "funding"][: 2 + (bad == '"-1"')], "rates may be negative, or none"
        return
    assert rows == []
    assert run.adapter.counters.errors == 1
    if pair:
        assert names(run.ws(COIN_MARK)) == ["mark", "funding"], "nothing was held"
        assert run.ws(frame) == []
        assert "index" in names(run.ws(COIN_MARK))
    else:
        assert run.ws(frame)


SYMBOL = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSD_PERP", "option": "BTC-261225-90000-C"}


@pytest.mark.parametrize("market", SYMBOL)
def test_every_generated_frame_is_read_and_each_cut_of_it_is_refused_whole(market):
    """M9: of every kind of frame there is; the book stays as it was, or is stale."""
    session = BinanceSession(market=market, symbol=SYMBOL[market])
    lines = list(session_lines(session, 12))
    run = Run(market, symbols={SYMBOL[market]: (0, 10, 3)})
    run.feed_all(lines)
    others = session.others()
    kinds = {line.kind: line for line in [*lines, *others]}
    for line in others:
        run.feed(line)
    assert run.adapter.counters.errors == 0, run.adapter.counters.last_error
    for line in kinds.values():
        for cut in range(0, len(line.raw), 1 if len(line.raw) < 1_200 else 23):
            one = Run(market, symbols={SYMBOL[market]: (0, 10, 3)})
            one.feed_all(lines)
            before = one.book()
            raw = line.raw[:cut]
            rows = one.rest(raw, line.url) if line.source == "rest" else one.ws(raw)
            assert set(names(rows)) <= {"gap"}, (line.kind, cut)
            assert one.adapter.counters.errors == 1, (line.kind, cut)
            after = one.book()
            assert (after.bids, after.offers) == (before.bids, before.offers)
