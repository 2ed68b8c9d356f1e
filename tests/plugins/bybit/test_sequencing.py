"""The rules by which a Bybit book is taken up, followed, lost and found again."""

from __future__ import annotations

import json
from itertools import pairwise

import attrs
import pytest

from quotewright.feed import Resubscribe, WakeAt
from quotewright.kernel import codes
from quotewright_plugins.exchanges.bybit.frames import FAULTS, BybitSession, Line, session_lines
from tests.plugins.bybit.support import MARKETS, Run, kind, names

SECOND = 1_000_000_000
UPDATES = 200


def session(market: str, **fields: object) -> BybitSession:
    return BybitSession(market=market, with_quotes=False, with_trades=False, **fields)  # type: ignore[arg-type]


def book(
    u: int, type: str = "delta", *, seq: int = 0, bid: str = "100.00", size: str = "1", symbol: str = "BTCUSDT"
) -> bytes:
    data = {"s": symbol, "b": [[bid, size]], "a": [["101.00", "2"]], "u": u, "seq": seq or u}
    frame = {"topic": f"orderbook.50.{symbol}", "type": type, "ts": 1_700_000_000_123, "data": data}
    return json.dumps({**frame, "cts": 1_700_000_000_120}, separators=(",", ":")).encode()


def clean(market: str) -> tuple[BybitSession, list[Line]]:
    made = session(market)
    return made, [line for line in session_lines(made, UPDATES) if line.kind == "book"]


def assert_equals(run: Run, made: BybitSession) -> None:
    found = run.book()
    assert not found.is_stale
    assert (found.bids, found.offers) == (made.bids, made.offers)


@pytest.mark.parametrize("market", MARKETS)
def test_a_clean_session_gives_the_venues_book_without_a_gap(market):
    made, lines = clean(market)
    run = Run(market)
    run.feed_all(lines)
    assert_equals(run, made)
    counters = run.adapter.counters
    assert (counters.gaps, counters.snapshots, counters.updates, counters.errors) == (0, 1, UPDATES, 0)
    assert run.adapter.books[run.symbol].messages == UPDATES + 1
    assert not run.wants_subscription()


@pytest.mark.parametrize("market", MARKETS)
def test_m01_every_lost_update_is_found_by_the_next_one(market):
    _, lines = clean(market)
    for lost in range(1, UPDATES):
        run = Run(market)
        for number, line in enumerate(lines[: lost + 2]):
            rows = [] if number == lost else run.feed(line)
        assert names(rows) == ["gap"]
        assert rows[0][3] == 1
        assert run.state() == "STALE"
        assert run.adapter.actions()[0] == Resubscribe(run.symbol)
        assert run.adapter.books[run.symbol].gaps == 1


@pytest.mark.parametrize("market", MARKETS)
def test_m01_after_a_gap_the_new_image_makes_the_book_equal_the_clean_run(market):
    for lost in range(1, UPDATES, 9):
        made = session(market)
        run = Run(market)
        books = (line for line in session_lines(made, UPDATES) if line.kind == "book")
        for number, line in enumerate(books):
            if number != lost:
                run.feed(line)
            if run.wants_subscription():
                assert names(run.feed(made.image()))[:2] == ["resync", "snapshot_begin"]
        assert_equals(run, made)
        assert run.adapter.books[run.symbol].resyncs == run.adapter.counters.resyncs == run.adapter.counters.gaps == 1


@pytest.mark.parametrize("market", MARKETS)
def test_m02_every_doubled_update_is_dropped_and_counted(market):
    made, lines = clean(market)
    for doubled in range(UPDATES + 1):
        run = Run(market)
        run.feed_all([*lines[: doubled + 1], *lines[doubled:]])
        assert_equals(run, made)
        assert (run.adapter.counters.stale_dropped, run.adapter.counters.gaps) == (1, 0)


@pytest.mark.parametrize("market", MARKETS)
def test_m03_every_swapped_pair_is_a_gap_and_never_applied_backwards(market):
    _, lines = clean(market)
    for first in range(1, UPDATES):
        run = Run(market)
        run.feed_all(lines[:first])
        before = run.book()
        assert names(run.feed(lines[first + 1])) == ["gap"]
        assert run.feed(lines[first]) == []
        after = run.book()
        assert (after.bids, after.offers) == (before.bids, before.offers)
        assert run.state() == "STALE"


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("early", range(0, 51, 5))
def test_m04_deltas_before_the_image_are_dropped_and_counted(market, early):
    made = session(market)
    run = Run(market)
    run.feed_all(line for line in session_lines(made, UPDATES, image_after=early) if line.kind == "book")
    assert_equals(run, made)
    assert run.adapter.counters.buffer_dropped == early
    assert run.wants_subscription() is False  # the image that came is the answer


IMAGES = {  # of a good book at u 10 and seq 10: the image's u and seq, whether it replaces the book
    "older": (5, 5, False),
    "the same": (10, 10, False),
    "newer": (11, 11, True),
    "far newer": (500, 900, True),
    "the service began anew": (1, 3, True),
    "counted anew, but later by seq": (4, 40, True),
}


@pytest.mark.parametrize(("u", "seq", "replaces"), IMAGES.values(), ids=IMAGES)
def test_m05_an_image_older_than_the_book_is_refused(u, seq, replaces):
    run = Run()
    run.feed_all([Line(1, "ws", None, book(9, "snapshot")), Line(1, "ws", None, book(10))])
    rows = run.ws(book(u, "snapshot", seq=seq, bid="99.00"))
    assert names(rows)[:1] == (["snapshot_begin"] if replaces else [])
    assert run.adapter.counters.stale_dropped == (not replaces)
    assert names(run.ws(book(u + 1 if replaces else 11, seq=1000))) == ["level_set", "level_set"]
    assert run.adapter.counters.gaps == 0


def test_m05_the_tries_for_an_image_are_bounded_by_the_minute():
    run = Run()
    asked = 0
    for number in range(600):
        run.ws(book(1000 + number), number * SECOND // 10)
        asked += any(isinstance(action, Resubscribe) for action in run.adapter.actions())
    assert asked == run.adapter.snapshot_tries_per_minute


def test_an_image_that_never_came_is_asked_for_again():
    run = Run()
    run.ws(book(2), 1)
    actions = run.adapter.actions()
    assert Resubscribe("BTCUSDT") in actions
    wake = next(action for action in actions if isinstance(action, WakeAt))
    run.adapter.on_wake(wake.at_ns)
    assert Resubscribe("BTCUSDT") in run.adapter.actions()


@pytest.mark.parametrize("market", MARKETS)
def test_u_one_begins_the_count_anew(market):
    made = session(market)
    run = Run(market)
    run.feed_all(line for line in session_lines(made, UPDATES, fault="restart", fault_at=60) if line.kind == "book")
    assert_equals(run, made)
    assert (run.adapter.counters.gaps, run.adapter.counters.snapshots) == (0, 2)


@pytest.mark.parametrize("market", MARKETS)
def test_an_image_repairs_a_good_book_at_any_time(market):
    made = session(market)
    run = Run(market)
    run.feed_all(line for line in session_lines(made, UPDATES, fault="repair", fault_at=60) if line.kind == "book")
    assert_equals(run, made)
    assert (run.adapter.counters.gaps, run.adapter.counters.snapshots) == (0, 2)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("market", MARKETS)
def test_every_planted_fault_is_survived_by_one_new_image_at_most(market, fault):
    made = BybitSession(market=market, seed=11)
    run = Run(market)
    for line in session_lines(made, UPDATES, fault=fault, fault_at=77):
        run.feed(line)
        if run.wants_subscription():
            run.feed(made.image())
    found = run.book()
    if fault == "crossed":  # the adapter writes what the venue sends; the pipeline judges crossed books
        assert found.gaps == 0
        return
    assert (found.bids, found.offers) == (made.bids, made.offers)
    assert found.gaps == (fault in ("gap", "reorder", "truncated", "bad_number"))


def test_m08_no_checksum_is_sent_and_none_is_counted():
    run = Run()
    run.ws(book(9, "snapshot"))
    run.ws(book(10))
    kept = run.adapter.books["BTCUSDT"]
    assert (kept.checksums_good, kept.checksums_bad) == (0, 0)


def test_two_connections_carry_one_stream_while_one_replaces_the_other():
    made, lines = clean("linear")
    run = Run("linear")
    run.feed_all(lines[:100])
    late = session("linear")  # the second connection's image is older than what came meanwhile on the first
    assert len(list(session_lines(late, 95))) > 95
    run.feed(late.image())
    for old, new in zip(lines[100:], lines[96:], strict=False):
        run.feed(new)
        run.feed(old)
    run.feed_all(lines[-4:])
    assert_equals(run, made)
    assert run.adapter.counters.gaps == 0
    assert run.adapter.counters.stale_dropped > 90


def test_a_book_follows_the_first_depth_that_comes_and_another_one_only_once_it_is_lost():
    run = Run()
    run.ws(book(9, "snapshot"))
    deep = book(77, "snapshot", bid="98.00").replace(b"orderbook.50.", b"orderbook.200.")
    assert run.ws(deep) == []
    assert run.adapter.counters.ignored == {"other depth": 1}
    assert names(run.ws(book(12))) == ["gap"]
    assert names(run.ws(deep))[:2] == ["resync", "snapshot_begin"]
    assert run.ws(book(13)) == []
    follows = book(78, bid="98.00").replace(b"orderbook.50.", b"orderbook.200.")
    assert names(run.ws(follows)) == ["level_set", "level_set"]


def test_only_the_book_with_the_gap_is_stale():
    run = Run(symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    for symbol in ("BTCUSDT", "ETHUSDT"):
        run.ws(book(9, "snapshot", symbol=symbol))
    run.ws(book(11))
    assert (run.state("BTCUSDT"), run.state("ETHUSDT")) == ("STALE", "SYNCHRONISED")
    assert names(run.ws(book(10, symbol="ETHUSDT"))) == ["level_set", "level_set"]
    assert run.adapter.actions()[0] == Resubscribe("BTCUSDT")


def test_a_lost_connection_makes_its_books_stale_and_the_best_quotes_begin_anew():
    run = Run(symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    quote = book(9, "snapshot").replace(b"orderbook.50.", b"orderbook.1.")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        run.ws(book(9, "snapshot", symbol=symbol))
    assert names(run.ws(quote)) == ["best_quote", "best_quote"]
    run.adapter.on_close(2, run.sink, ["BTCUSDT"])
    assert (run.state("BTCUSDT"), run.state("ETHUSDT")) == ("STALE", "SYNCHRONISED")
    assert names(run.ws(quote.replace(b'"u":9', b'"u":3'))) == ["best_quote", "best_quote"]
    assert names(run.ws(book(3, "snapshot")))[:2] == ["resync", "snapshot_begin"]


def test_m15_a_book_that_is_eaten_empty_stays_in_step():
    run = Run()
    levels = ",".join(f'["{price}.00","1"]' for price in range(100, 50, -1))
    run.ws(book(9, "snapshot").replace(b'["100.00","1"]', levels.encode()))
    for number, price in enumerate(range(100, 50, -1)):
        run.ws(book(10 + number, bid=f"{price}.00", size="0"))
    found = run.book()
    assert (found.bids, run.state(), run.adapter.counters.gaps) == ({}, "SYNCHRONISED", 0)


def test_a_counter_that_goes_on_below_the_book_is_believed_in_the_end():
    run = Run()
    run.ws(book(5_000, "snapshot"))
    for u in range(2, 1_003):
        rows = run.ws(book(u))
        if rows:
            break
    assert names(rows) == ["gap"]
    assert run.wants_subscription()


def test_updates_are_written_as_they_come_when_nothing_is_sequenced():
    run = Run()
    run.adapter.is_sequenced = False
    made = [run.ws(book(u)) for u in (10, 12, 11, 11)]
    assert [names(rows) for rows in made] == [["level_set", "level_set"]] * 4
    assert names(run.ws(book(3, "snapshot")))[0] == "snapshot_begin"
    assert not run.wants_subscription()


def test_m17_events_keep_the_order_of_arrival_whatever_their_times():
    made, lines = clean("linear")
    run = Run()
    rows = run.feed_all(attrs.evolve(line, receive_ns=line.receive_ns) for line in reversed(lines[:1]))
    rows += run.feed_all(lines[1:])
    ids = [row[4] for row in rows if kind(row) in (codes.LEVEL_SET, codes.LEVEL_DELETE)]
    assert all(first <= second for first, second in pairwise(ids))
    assert_equals(run, made)


def test_times_are_those_of_matching():
    run = Run()
    row = run.ws(book(9, "snapshot"))[0]
    assert row[0] == 1_700_000_000_120_000_000
    without = book(10).replace(b',"cts":1700000000120', b"")
    assert run.ws(without)[0][0] == 1_700_000_000_123_000_000
