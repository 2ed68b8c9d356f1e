"""Books told by partial depth: an image each time; and books that run out of known levels."""

from __future__ import annotations

from itertools import pairwise

import pytest

from quotewright.feed import FetchSnapshot
from quotewright.kernel import codes
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.feed import BinanceFeed, binance_feed
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from tests.plugins.binance.support import PlainBook, Run, flags, names, rows_of, state
from tests.plugins.binance.test_frames import BAD, combined
from tests.plugins.binance.test_sequencing import URL, snapshot, update

SYMBOL = {"spot": "BTCUSDT", "usdm": "BTCUSDT", "coinm": "BTCUSDT", "option": "BTC-261225-90000-C"}
SPOT_IMAGE = b'{"lastUpdateId":%d,"bids":[["100.00","1.5"],["99.00","2"]],"asks":[["101.00","3"]]}'


def run_of(market: str) -> Run:
    return Run(market, symbols={SYMBOL[market]: (0, 2, 3)})


@pytest.mark.parametrize("market", SYMBOL)
def test_a_book_of_images_is_the_venues_best_levels_after_every_message(market):
    session = BinanceSession(market=market, symbol=SYMBOL[market], images=10, with_quotes=False)
    run = run_of(market)
    images = 0
    for _ in range(80):
        for line in session.step():
            rows = run.feed(line)
            if line.kind.startswith("depth"):
                images += 1
                assert names(rows) == ["snapshot_begin"] + ["level_set"] * 20
                assert all(flags(row) & codes.IN_SNAPSHOT for row in rows[1:])
                book = run.book()
                assert book.bids == dict(session.levels("bids")[:10])
                assert book.offers == dict(session.levels("offers")[:10])
    counters = run.adapter.counters
    assert (counters.snapshots, counters.gaps, counters.errors, counters.updates) == (images, 0, 0, 0)
    assert run.adapter.books[SYMBOL[market]].messages == images
    assert not run.wants_snapshot()


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_images_that_come_twice_or_late_never_turn_the_book_back(market):
    """M2, M3: two connections may carry the stream while one replaces the other."""
    session = BinanceSession(market=market, images=10, with_quotes=False, with_trades=False)
    lines = [line for _ in range(30) for line in session.step()]
    run = Run(market)
    for older, newer in pairwise(lines):
        run.feed(newer)
        assert run.feed(older) == []
    assert run.adapter.counters.stale_dropped == 29
    book = run.book()
    assert (book.bids, book.is_stale) == (dict(session.levels("bids")[:10]), False)


def test_ids_that_begin_anew_are_taken_after_a_thousand_images():
    run = Run("spot")
    run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 9_000))
    came = [bool(run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 5))) for _ in range(1_000)]
    assert came == [False] * 999 + [True]


def test_an_image_that_was_lost_costs_nothing_and_a_bad_one_leaves_the_book_stale_until_the_next():
    run = Run("spot")
    good = combined("btcusdt@depth5@100ms", SPOT_IMAGE % 10)
    run.ws(good)
    before = run.book()
    for bad in BAD:
        text = good.replace(b'"1.5"', bad.encode()).replace(b":10,", b":11,")
        assert names(run.ws(text)) == ["gap"], bad
        after = run.book()
        assert (after.bids, after.offers, after.is_stale) == (before.bids, before.offers, True)
        assert names(run.ws(good)) == ["resync", "snapshot_begin", "level_set", "level_set", "level_set"]
    assert run.adapter.books["BTCUSDT"].resyncs == run.adapter.counters.resyncs == len(BAD)
    assert not run.wants_snapshot(), "the next image comes by itself"


def test_two_depths_of_a_symbol_make_one_book():
    run = Run("spot")
    assert run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 10))
    assert run.ws(combined("btcusdt@depth20", SPOT_IMAGE % 11)) == []
    assert run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 12))
    assert run.adapter.counters.ignored == {"other partial_depth": 1}


def test_diffs_take_a_book_over_from_images_once_a_snapshot_places_them():
    run = Run("usdm")
    run.ws(combined("btcusdt@depth5@100ms", update("usdm", 400, 401)))
    assert state(run.adapter) == "SYNCHRONISED"
    assert names(run.ws(combined("btcusdt@depth@100ms", update("usdm", 499, 500)))) == ["gap"]
    assert run.wants_snapshot()
    assert run.ws(combined("btcusdt@depth5@100ms", update("usdm", 501, 502))) == []
    assert names(run.rest(snapshot(500), URL["usdm"]))[:2] == ["resync", "snapshot_begin"]
    assert state(run.adapter) == "SYNCHRONISED"


def test_a_snapshot_over_rest_does_not_replace_images():
    run = Run("spot")
    run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 10))
    assert run.rest(snapshot(500), URL["spot"]) == []
    assert run.adapter.counters.ignored == {"rest depth": 1}
    other = Run("spot")
    other.rest(snapshot(5), URL["spot"])
    assert names(other.ws(combined("btcusdt@depth5", SPOT_IMAGE % 10)))[0] == "snapshot_begin", "no diffs ever came"


def test_an_image_without_a_stream_goes_to_the_one_followed_instrument():
    run = Run("spot")
    run.adapter.subscribe(["BTCUSDT"])
    assert len(run.ws(SPOT_IMAGE % 10)) == 4
    assert len(run.ws(SPOT_IMAGE % 11)) == 4


WRONG = {
    "another symbol": ("usdm", "ethusdt@depth5", update("usdm", 1, 2), "symbol"),
    "spot's on futures": ("usdm", "btcusdt@depth5", SPOT_IMAGE % 1, "market"),
    "futures' on spot": ("spot", "btcusdt@depth5", update("usdm", 1, 2), "market"),
    "no symbol": ("usdm", "!x@depth5", update("usdm", 1, 2), "symbol"),
}


@pytest.mark.parametrize("is_known", [False, True], ids=["first frame", "stream known"])
@pytest.mark.parametrize(("market", "stream", "body", "reason"), WRONG.values(), ids=WRONG)
def test_an_image_on_the_wrong_stream_is_refused(market, stream, body, reason, is_known):
    """M22."""
    run = Run(market, symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    if is_known:
        run.ws(combined("ethusdt@depth5", update("usdm", 1, 2).replace(b"BTC", b"ETH")))
        run.ws(combined("btcusdt@depth5", update("usdm", 1, 2) if market == "usdm" else SPOT_IMAGE % 1))
    before, errors = run.book(), run.adapter.counters.errors
    assert set(names(run.ws(combined(stream, body)))) <= {"gap"}
    assert (run.book().bids, run.book().offers) == (before.bids, before.offers)
    assert run.adapter.counters.errors == errors + 1
    assert set(run.adapter.counters.decode_errors) & {reason, "shape"}


def test_a_lost_connection_ends_a_book_of_images_and_the_first_new_one_makes_it_good():
    run = Run("spot")
    run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 10))
    run.adapter.on_close(5, run.sink)
    assert names(rows_of(run.buffer))[-1] == "gap"
    assert names(run.ws(combined("btcusdt@depth5", SPOT_IMAGE % 10)))[0] == "resync"


def test_a_live_feed_of_images_asks_for_no_snapshot():
    adapter = binance_feed(BinanceFeed(market="spot", depth=20))
    adapter.subscribe(["BTCUSDT"])
    adapter.on_open(1)
    adapter.on_wake(5_000_000_000)
    assert not any(isinstance(action, FetchSnapshot) for action in adapter.actions())
    diffs = binance_feed(BinanceFeed(market="spot"))
    diffs.subscribe(["BTCUSDT"])
    diffs.on_wake(5_000_000_000)
    assert FetchSnapshot("BTCUSDT") in diffs.actions()


def test_a_book_with_hardly_a_known_level_left_is_asked_for_anew():
    """M15: a market walks through all the levels of the snapshot; behind them there are others."""
    session = BinanceSession(market="spot", with_quotes=False, with_trades=False)
    run = Run("spot")
    run.feed_all(session_lines(session, 5))
    book = PlainBook()
    book.apply(rows_of(run.buffer))
    assert len(book.bids) > 10
    last_id = run.adapter.books["BTCUSDT"].last_id
    asked = 0
    for price in sorted(book.bids, reverse=True):
        last_id += 1
        text = update("spot", last_id, last_id).replace(b'["100.00","1"]', b'["%.2f","0"]' % (price / 100))
        book.apply(run.ws(text, last_id))
        if len(book.bids) < 5 and not asked:
            run.adapter.on_thin("BTCUSDT", last_id, run.sink)
            asked = last_id
            break
    assert asked
    assert run.adapter.counters.thin == 1
    assert state(run.adapter) == "STALE"
    assert run.wants_snapshot()
    run.ws(update("spot", last_id + 1, last_id + 2))
    assert names(run.rest(snapshot(last_id + 1), URL["spot"]))[:2] == ["resync", "snapshot_begin"]
    images = Run("spot")
    images.ws(combined("btcusdt@depth5", SPOT_IMAGE % 10))
    images.adapter.on_thin("BTCUSDT", 5, images.sink)
    assert (state(images.adapter), images.adapter.counters.thin) == ("SYNCHRONISED", 0), "an image tells all there is"


def test_an_unknown_depth_or_pace_is_refused_when_the_feed_is_made():
    for keys, text in (
        ({"depth": 7}, "depth should be 0 or one of 5, 10, 20, was 7"),
        ({"speed": "7ms"}, "speed should be one of 1000ms, 100ms, was '7ms'"),
    ):
        with pytest.raises(Exception, match=text):
            binance_feed(BinanceFeed(**keys))
    assert isinstance(binance_feed(BinanceFeed(market="usdm", speed="0ms")), BinanceAdapter)
