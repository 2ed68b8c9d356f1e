"""Message by message, without sequencing: updates wait for a snapshot, then each is written as it comes."""

from __future__ import annotations

import json

import pytest

from quotewright.tape.normalise import NormaliseSink
from quotewright_plugins.exchanges.binance.adapter import BinanceAdapter
from quotewright_plugins.exchanges.binance.frames import BinanceSession, session_lines
from tests.plugins.binance.test_frames import FUTURES_BEST, SPOT_BEST, combined
from tests.plugins.binance.test_references import COIN_MARK, INTEREST, MARK, TICKER, wrapped
from tests.plugins.binance.test_sequencing import snapshot, update

RECEIVED = 1_800_000_000 * 1_000_000_000


class Pass:
    """An adapter that is not sequenced, and what it makes of each frame."""

    def __init__(self, market: str) -> None:
        self.adapter = BinanceAdapter(market)
        self.adapter.is_sequenced = False
        self.sink = NormaliseSink(market)

    def ws(self, frame: bytes) -> list[dict[str, object]]:
        self.adapter.on_message(frame, "ws", None, RECEIVED, self.sink)
        return [json.loads(text) for text in self.sink.take()]


def wrapped_snapshot(id: int) -> bytes:
    return wrapped("btcusdt@depthSnapshot", snapshot(id))


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_updates_wait_for_the_snapshot_and_join_it(market):
    run = Pass(market)
    for first in (490, 501, 520):
        assert run.ws(combined("btcusdt@depth", update(market, first, first + 5))) == []
    (placed,) = run.ws(wrapped_snapshot(503))
    assert placed["isSnapshot"] is True
    assert {level["price"]: level["amount"] for level in placed["bids"]} == {100.0: 1, 99.0: 0}
    assert run.adapter.counters.gaps == 0, "holes are none of its business"


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_after_it_every_update_is_written_but_those_that_the_snapshot_holds(market):
    run = Pass(market)
    run.ws(wrapped_snapshot(500))
    kept = [(501, 505), (900, 905), (501, 505), (800, 801)]
    for first, last in kept:
        (one,) = run.ws(combined("btcusdt@depth", update(market, first, last)))
        assert one["isSnapshot"] is False
    assert run.ws(combined("btcusdt@depth", update(market, 480, 490))) == []
    assert run.adapter.counters.stale_dropped == 1


def test_a_bad_update_costs_itself_alone():
    run = Pass("spot")
    run.ws(wrapped_snapshot(500))
    run.ws(combined("btcusdt@depth", update("spot", 501, 502)))
    assert run.ws(combined("btcusdt@depth", update("spot", 503, 504).replace(b'"100.00"', b'"NaN"'))) == []
    assert len(run.ws(combined("btcusdt@depth", update("spot", 505, 506)))) == 1
    assert run.adapter.counters.errors == 1


def test_after_a_lost_connection_updates_wait_for_the_next_snapshot():
    run = Pass("spot")
    run.ws(wrapped_snapshot(500))
    run.adapter.on_close(RECEIVED, run.sink)
    assert run.ws(combined("btcusdt@depth", update("spot", 700, 705))) == []
    (placed,) = run.ws(wrapped_snapshot(702))
    assert placed["isSnapshot"] is True


SHOWN = {
    "spot update: sent": ("spot", combined("btcusdt@depth", update("spot", 501, 505)), "22:13:20.123Z"),
    "futures update: sent": ("usdm", combined("btcusdt@depth", update("usdm", 501, 505)), "22:13:20.123Z"),
    "futures best quote: sent": ("usdm", FUTURES_BEST, "22:13:20.314Z"),
    "spot best quote: received": ("spot", SPOT_BEST, "08:00:00.000Z"),
    "mark: sent": ("usdm", MARK, "22:13:20.001Z"),
}


@pytest.mark.parametrize(("market", "frame", "time"), SHOWN.values(), ids=SHOWN)
def test_the_time_shown_is_the_one_that_recordings_show(market, frame, time):
    run = Pass(market)
    run.ws(wrapped_snapshot(500))
    (one,) = run.ws(frame)
    assert one["timestamp"].endswith(time)


def test_open_interest_shows_the_time_of_the_last_ticker():
    run = Pass("usdm")
    run.ws(combined("btcusdt@ticker", TICKER))
    (one,) = run.ws(wrapped("btcusdt@openInterest", INTEREST))
    assert one["timestamp"] == "2023-11-14T22:13:20.467Z"
    assert (one["lastPrice"], one["openInterest"]) == (10223.74, 26286.181)
    (alone,) = Pass("usdm").ws(wrapped("btcusdt@openInterest", INTEREST))
    assert alone["timestamp"].startswith("2027-01-15T08:00:00")


def test_the_index_of_the_pair_goes_with_the_contract():
    run = Pass("coinm")
    frame = b'{"e":"indexPriceUpdate","E":1,"i":"BTCUSD","p":"9429.5"}'
    assert run.ws(combined("btcusd@indexPrice@1s", frame)) == []
    (one,) = run.ws(COIN_MARK)
    assert (one["indexPrice"], one["markPrice"]) == (9429.5, 9501.15)


@pytest.mark.parametrize("market", ["spot", "usdm", "coinm", "option"])
def test_the_books_of_a_whole_session_are_those_of_the_venue(market):
    session = BinanceSession(market=market)
    run = Pass(market)
    book: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
    for line in session_lines(session, 60):
        run.adapter.on_message(line.raw, line.source, line.url, line.receive_ns, run.sink)
        for text in run.sink.take():
            one = json.loads(text, parse_float=str, parse_int=str)
            if one["type"] == "book_change":
                for side in ("bids", "asks"):
                    if one["isSnapshot"]:
                        book[side].clear()
                    book[side] |= {level["price"]: level["amount"] for level in one[side]}
    for side, name in (("bids", "bids"), ("asks", "offers")):
        left = {price: size for price, size in book[side].items() if size.strip("0.")}
        assert left == {session.price(price): session.size(size) for price, size in session.levels(name)}
