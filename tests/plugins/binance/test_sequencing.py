"""The rules by which a Binance book is joined, followed, lost and found again."""

from __future__ import annotations

from itertools import pairwise

import attrs
import pytest

from quotewright.feed import FetchSnapshot, WakeAt
from quotewright.kernel import codes
from quotewright_plugins.exchanges.binance.frames import FAULTS, BinanceSession, Fault, Line, session_lines
from tests.plugins.binance.support import PlainBook, Run, flags, kind, names, rows_of, state

MARKETS = ("spot", "usdm", "coinm")
SECOND = 1_000_000_000
UPDATES = 200


def session(market: str, **fields: object) -> BinanceSession:
    return BinanceSession(market=market, with_quotes=False, with_trades=False, **fields)  # type: ignore[arg-type]


def spot_update(first: int, last: int, bid: str = "100.00", size: str = "1") -> bytes:
    return (
        b'{"e":"depthUpdate","E":1700000000123,"s":"BTCUSDT","U":%d,"u":%d,"b":[["%s","%s"]],"a":[["101.00","2"]]}'
        % (first, last, bid.encode(), size.encode())
    )


def futures_update(first: int, last: int, previous: int, bid: str = "100.00") -> bytes:
    return (
        b'{"e":"depthUpdate","E":1700000000123,"T":1700000000120,"s":"BTCUSDT","U":%d,"u":%d,"pu":%d,'
        b'"b":[["%s","1"]],"a":[["101.00","2"]]}' % (first, last, previous, bid.encode())
    )


def update(market: str, first: int, last: int, previous: int | None = None) -> bytes:
    return (
        spot_update(first, last)
        if market == "spot"
        else futures_update(first, last, first - 1 if previous is None else previous)
    )


def snapshot(last: int) -> bytes:
    return b'{"lastUpdateId":%d,"bids":[["100.00","0.4"],["99.00","0"]],"asks":[["101.00","1.0"]]}' % last


URL = {
    "spot": "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000",
    "usdm": "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
    "coinm": "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSDT&limit=1000",
}


# M5: pairs of a buffered update [501, 505] and a snapshot just inside and outside of each venue's rule.
JOINS = {
    "spot, snapshot two before the update": ("spot", 499, "refused"),
    "spot, snapshot just before the update": ("spot", 500, "applied"),
    "spot, snapshot at the first id": ("spot", 501, "applied"),
    "spot, snapshot one before the last id": ("spot", 504, "applied"),
    "spot, snapshot at the last id": ("spot", 505, "dropped"),
    "spot, snapshot past the update": ("spot", 506, "dropped"),
    "usdm, snapshot two before the update": ("usdm", 499, "refused"),
    "usdm, snapshot just before the update, as its pu tells": ("usdm", 500, "applied"),
    "usdm, snapshot at the first id": ("usdm", 501, "applied"),
    "usdm, snapshot at the last id": ("usdm", 505, "applied"),
    "usdm, snapshot past the update": ("usdm", 506, "dropped"),
}


@pytest.mark.parametrize(("market", "last_id", "outcome"), JOINS.values(), ids=JOINS)
def test_a_snapshot_joins_the_buffered_update_by_the_documented_rule(market: str, last_id: int, outcome: str) -> None:
    run = Run(market)
    assert run.ws(update(market, 501, 505)) == []
    assert run.wants_snapshot()
    rows = run.rest(snapshot(last_id), URL[market], 7)
    if outcome == "refused":
        assert (rows, state(run.adapter), run.adapter.counters.snapshots_refused) == ([], "WAITING", 1)
        assert run.wants_snapshot()
    else:
        released = [row for row in rows if flags(row) & codes.RELEASED]
        assert names(rows)[:3] == ["snapshot_begin", "level_set", "level_set"]
        assert len(released) == (2 if outcome == "applied" else 0)
        assert all(row[1] == 7 for row in rows)
        assert state(run.adapter) == "SYNCHRONISED"
        assert run.adapter.counters.stale_dropped == (outcome == "dropped")


# What follows after the snapshot 500 and, where given, the update [501, 505].
FOLLOWS = {
    "spot, next id": ("spot", True, (506, 507, 505), "applied"),
    "spot, overlapping": ("spot", True, (503, 507, 505), "applied"),
    "spot, one id missing": ("spot", True, (507, 508, 506), "gap 1"),
    "spot, many missing": ("spot", True, (600, 601, 599), "gap 94"),
    "spot, the same again": ("spot", True, (501, 505, 500), "stale"),
    "spot, older": ("spot", True, (490, 499, 489), "stale"),
    "spot, first one missing": ("spot", False, (502, 505, 501), "gap 1"),
    "usdm, next by pu": ("usdm", True, (520, 530, 505), "applied"),
    "usdm, next ids but other pu": ("usdm", True, (506, 530, 504), "gap 0"),
    "usdm, pu in the future": ("usdm", True, (520, 530, 510), "gap 0"),
    "usdm, the same again": ("usdm", True, (500, 505, 499), "stale"),
    "usdm, first after the snapshot does not overlap": ("usdm", False, (501, 510, 500), "gap 0"),
    "usdm, first after the snapshot ends at it": ("usdm", False, (495, 500, 494), "applied"),
    "usdm, first after the snapshot is older": ("usdm", False, (490, 499, 489), "stale"),
}


@pytest.mark.parametrize(("market", "has_first", "ids", "outcome"), FOLLOWS.values(), ids=FOLLOWS)
def test_an_update_follows_by_the_documented_rule(
    market: str, has_first: bool, ids: tuple[int, int, int], outcome: str
) -> None:
    run = Run(market)
    if market == "spot" or not has_first:
        run.rest(snapshot(500), URL[market])
        if has_first:
            assert len(run.ws(update(market, 501, 505))) == 2
    else:
        run.ws(update(market, 500, 505))
        run.rest(snapshot(500), URL[market])
    run.adapter.actions()
    rows = run.ws(update(market, *ids), 9)
    if outcome == "applied":
        assert names(rows) == ["level_set", "level_set"]
    elif outcome == "stale":
        assert (rows, state(run.adapter), run.adapter.counters.stale_dropped) == ([], "SYNCHRONISED", 1)
    else:
        assert names(rows) == ["gap"]
        assert (rows[0][3], rows[0][1], state(run.adapter)) == (int(outcome.split()[1]), 9, "STALE")
        assert run.wants_snapshot()


@pytest.mark.parametrize("market", MARKETS)
def test_any_lost_update_is_seen_and_the_book_after_the_resync_is_the_clean_one(market: str) -> None:
    """M1: drop update k for every k; the snapshot asked for is answered three updates later."""
    lines: list[Line] = []
    snapshots: list[Line] = []
    market_session = session(market)
    first = market_session.snapshot()
    for _ in range(UPDATES):
        lines += market_session.step()
        snapshots.append(market_session.snapshot())
    clean = Run(market)
    start = [lines[0], first, snapshots[0]]
    clean.feed_all(start + lines[1:])
    wanted = clean.book()
    assert not wanted.is_stale
    assert wanted.bids == market_session.bids
    assert wanted.offers == market_session.offers
    for lost in range(1, UPDATES):
        run = Run(market)
        run.feed_all(start)
        run.adapter.actions()
        due = -1
        for number in range(1, UPDATES):
            if number != lost:
                rows = run.feed(lines[number])
                if number == lost + 1:
                    assert names(rows) == ["gap"], "the book is stale within the same message"
                    assert kind(rows[-1]) == codes.GAP
            if run.wants_snapshot():
                due = number + 3
            if number == due:
                run.feed(snapshots[number])
        if due >= UPDATES:
            run.feed(snapshots[-1])
        book = run.book()
        if lost < UPDATES - 1:
            assert (book.bids, book.offers, book.is_stale) == (wanted.bids, wanted.offers, False)
            assert (book.gaps, run.adapter.counters.resyncs) == (1, 1)
        else:
            assert not book.is_stale, "nothing tells that the very last update was lost"


@pytest.mark.parametrize("market", MARKETS)
def test_updates_sent_twice_change_nothing(market: str) -> None:
    """M2."""
    lines = list(session_lines(session(market), UPDATES))
    once, twice = Run(market), Run(market)
    once.feed_all(lines)
    twice.feed_all(line for line in lines for _ in range(2 if line.kind == "depth" else 1))
    assert rows_of(twice.buffer) == rows_of(once.buffer)
    assert twice.adapter.counters.stale_dropped == once.adapter.counters.stale_dropped + UPDATES


@pytest.mark.parametrize("market", ["spot", "usdm"])
def test_swapped_updates_never_apply_backwards(market: str) -> None:
    """M3: swap each pair; the book is stale from the first of them to the snapshot, and right after it."""
    market_session = session(market)
    lines = list(session_lines(market_session, 60, snapshot_after=1))
    last = market_session.snapshot()
    depth = [at for at, line in enumerate(lines) if line.kind == "depth"]
    for one, other in pairwise(depth[2:]):
        swapped = list(lines)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        run = Run(market)
        book = PlainBook()
        applied = 0
        for line in swapped:
            rows = run.feed(line)
            book.apply(rows)
            for row in rows:
                if kind(row) == codes.LEVEL_SET:
                    assert row[4] >= applied
                    applied = row[4]
        assert book.is_stale
        assert run.adapter.counters.gaps == 1
        book.apply(run.feed(last))
        assert (book.bids, book.offers, book.is_stale) == (market_session.bids, market_session.offers, False)


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("waiting", [0, 1, 2, 7, 50])
def test_updates_before_the_snapshot_are_kept_and_released_with_it(market: str, waiting: int) -> None:
    """M4: the snapshot was taken after the first update and arrives after *waiting* more."""
    market_session = session(market)
    first = market_session.step()
    body = market_session.snapshot()
    rest = [line for _ in range(60) for line in market_session.step()]
    run = Run(market)
    assert run.feed_all(first + rest[:waiting]) == []
    rows = run.feed(attrs.evolve(body, receive_ns=rest[waiting].receive_ns - 1))
    assert kind(rows[0]) == codes.SNAPSHOT_BEGIN
    run.feed_all(rest[waiting:])
    book = run.book()
    assert (book.bids, book.offers) == (market_session.bids, market_session.offers)
    receives = [row[1] for row in rows_of(run.buffer)]
    assert receives == sorted(receives)
    released = [row for row in rows if flags(row) & codes.RELEASED]
    assert {row[1] for row in released} <= {rows[0][1]}
    assert all(row[0] < rows[0][1] for row in released)


def test_the_buffer_is_bounded_and_a_snapshot_too_old_for_it_is_refused() -> None:
    run = Run()
    run.adapter.buffer_limit = 10
    market_session = session("spot")
    old = market_session.snapshot()
    run.feed_all(line for _ in range(50) for line in market_session.step())
    assert run.adapter.counters.buffer_dropped == 40
    assert run.feed(old) == []
    assert run.adapter.counters.snapshots_refused == 1
    run.feed(market_session.snapshot())
    assert run.book().bids == market_session.bids


def test_snapshots_are_asked_for_at_most_six_times_a_minute_and_again_when_the_minute_is_over() -> None:
    run = Run()
    asked: list[int] = []
    wake = 0
    now = 1_000 * SECOND
    for _ in range(400):
        now += SECOND // 2
        if wake and now >= wake:
            run.adapter.on_wake(now)
        run.ws(update("spot", 501, 505), now)
        for action in run.adapter.actions():
            if isinstance(action, FetchSnapshot):
                asked.append(now)
                run.rest(snapshot(400), URL["spot"], now)  # too old each time
            elif isinstance(action, WakeAt):
                wake = action.at_ns
    assert 18 <= len(asked) <= 24
    for at in asked:
        assert sum(at <= other < at + 60 * SECOND for other in asked) <= 6
    assert run.adapter.counters.snapshots_refused == len(asked)


def test_an_unanswered_request_is_repeated_after_its_time() -> None:
    run = Run()
    run.ws(update("spot", 501, 505), 1_000 * SECOND)
    first = run.adapter.actions()
    assert first == [FetchSnapshot("BTCUSDT"), WakeAt(1_010 * SECOND)]
    run.adapter.on_wake(1_010 * SECOND)
    assert FetchSnapshot("BTCUSDT") in run.adapter.actions()


def test_an_error_answer_is_counted_and_the_snapshot_is_asked_for_again() -> None:
    run = Run()
    run.ws(update("spot", 501, 505))
    run.adapter.actions()
    assert run.rest(b'{"code":-1003,"msg":"Too many requests"}', URL["spot"], 2) == []
    assert run.adapter.counters.decode_errors == {"venue": 1}
    assert "-1003" in run.adapter.counters.last_error
    assert run.wants_snapshot()


def test_a_snapshot_without_url_goes_to_the_single_waiting_book() -> None:
    run = Run(symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    run.ws(update("spot", 501, 505))
    assert run.rest(snapshot(502))
    assert state(run.adapter) == "SYNCHRONISED"


def test_a_snapshot_without_url_is_refused_while_several_books_wait() -> None:
    run = Run(symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    run.ws(update("spot", 501, 505))
    run.ws(update("spot", 501, 505).replace(b"BTCUSDT", b"ETHUSDT"))
    assert run.rest(snapshot(502)) == []
    assert run.adapter.counters.decode_errors == {"snapshot": 1}


def test_a_snapshot_before_everything_goes_to_the_first_book_it_overlaps() -> None:
    run = Run(symbols={"BTCUSDT": (0, 2, 3), "ETHUSDT": (1, 2, 3)})
    assert run.rest(snapshot(500)) == []
    assert run.ws(update("spot", 9_000, 9_001).replace(b"BTCUSDT", b"ETHUSDT")) == []
    rows = run.ws(update("spot", 501, 505), 5)
    assert names(rows) == ["snapshot_begin", "level_set", "level_set", "level_set", "level_set"]
    assert all(flags(row) & codes.RELEASED for row in rows)


def test_a_snapshot_before_everything_goes_to_the_one_followed_instrument_at_once() -> None:
    run = Run()
    run.adapter.subscribe(["BTCUSDT"])
    assert names(run.rest(snapshot(500), None, 3)) == ["snapshot_begin", "level_set", "level_set"]


def test_a_newer_snapshot_replaces_a_good_book_and_an_older_one_does_not() -> None:
    run = Run("usdm")
    run.ws(update("usdm", 500, 505))
    run.rest(snapshot(502), URL["usdm"])
    assert run.rest(snapshot(504), URL["usdm"]) == []
    assert names(run.rest(snapshot(508), URL["usdm"]))[0] == "snapshot_begin"
    assert names(run.ws(update("usdm", 510, 520, 505))) == ["level_set", "level_set"], (
        "the stream went on without a hole"
    )
    assert run.adapter.counters.gaps == 0


def test_a_lost_connection_makes_every_book_stale() -> None:
    run = Run()
    run.rest(snapshot(500), URL["spot"])
    run.adapter.on_close(5, run.sink)
    assert names(rows_of(run.buffer))[-1] == "gap"
    run.ws(update("spot", 501, 505), 6)
    assert run.wants_snapshot()
    assert names(run.rest(snapshot(501), URL["spot"], 7))[:2] == ["resync", "snapshot_begin"]


def test_a_book_given_up_by_its_reader_is_stale_until_the_next_snapshot() -> None:
    """M7: the book model finds the book crossed twice and asks for a new one."""
    run = Run()
    run.rest(snapshot(500), URL["spot"])
    run.adapter.resync("BTCUSDT", 5, run.sink)
    assert names(rows_of(run.buffer))[-1] == "gap"
    assert run.wants_snapshot()


@pytest.mark.parametrize("market", ["spot", "usdm"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_never_leaves_a_wrong_book_that_counts_as_good(market: str, fault: Fault) -> None:
    market_session = session(market, seed=11)
    run = Run(market)
    for line in session_lines(market_session, 80, fault=fault, fault_at=20):
        run.feed(line)
    book = run.book()
    if fault in ("gap", "reorder", "bad_number", "truncated"):
        assert (book.is_stale, book.gaps) == (True, 1)
        run.feed(market_session.snapshot())
        book = run.book()
    elif fault == "snapshot_old":
        assert (book.is_stale, run.adapter.counters.snapshots_refused) == (True, 1)
        run.feed(market_session.snapshot())
        book = run.book()
    assert not book.is_stale
    if fault == "crossed":  # the venue said so: the adapter hands it on, the book model withholds the quotes
        assert book.offers == market_session.offers
    else:
        assert (book.bids, book.offers) == (market_session.bids, market_session.offers)


def test_the_same_seed_gives_the_same_session_and_another_seed_another() -> None:
    def bytes_of(seed: int) -> bytes:
        return b"".join(line.capture() for line in session_lines(BinanceSession(seed=seed), 30))

    assert bytes_of(3) == bytes_of(3)
    assert bytes_of(3) != bytes_of(4)
