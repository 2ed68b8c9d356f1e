"""The rules by which a Deribit book is taken up, followed, lost and found again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from quotewright.feed import Resubscribe, WakeAt
from quotewright.kernel import codes
from quotewright_plugins.exchanges.deribit.frames import FAULTS, KINDS, DeribitSession, Line, session_lines
from tests.plugins.binance.support import kind, names
from tests.plugins.deribit.support import Run

SECOND = 1_000_000_000
UPDATES = 200
EVERY = pytest.mark.parametrize("of", KINDS)


def session(of: str, **fields: object) -> DeribitSession:
    return DeribitSession(kind=of, with_quotes=False, with_trades=False, **fields)  # type: ignore[arg-type]


def book(
    id: int, before: int | None = None, *, type: str = "change", bid: str = "100.0", symbol: str = "BTC-PERPETUAL",
    interval: str = "100ms", word: str = "new",
) -> str:  # fmt: skip
    link = "" if before is None else f'"prev_change_id":{before},'
    said = f'"type":"{type}",' if type else ""
    return (
        f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.{symbol}.{interval}","data":{{{said}'
        f'"timestamp":1700000000123,{link}"instrument_name":"{symbol}","change_id":{id},'
        f'"bids":[["{word}",{bid},10.0]],"asks":[["new",101.0,20.0]]}}}}}}'
    )


def image(id: int, **fields: str) -> str:
    return book(id, type="snapshot", **fields)


def clean(of: str) -> tuple[DeribitSession, list[Line]]:
    made = session(of)
    return made, [line for line in session_lines(made, UPDATES) if line.kind == "book"]


def assert_equals(run: Run, made: DeribitSession) -> None:
    found = run.book()
    assert not found.is_stale
    lots = 10 if made.kind in ("perpetual", "future") else 1
    assert found.bids == {price: size * lots for price, size in made.bids.items()}
    assert found.offers == {price: size * lots for price, size in made.offers.items()}


@EVERY
def test_a_clean_session_gives_the_venues_book_without_a_gap(of):
    made, lines = clean(of)
    run = Run(of)
    run.feed_all(lines)
    assert_equals(run, made)
    counters = run.adapter.counters
    assert (counters.gaps, counters.snapshots, counters.updates, counters.errors) == (0, 1, UPDATES, 0)
    assert run.adapter.books[run.symbol].messages == UPDATES + 1
    assert not run.wants_subscription()


@EVERY
def test_m01_every_lost_update_is_found_by_the_next_one(of):
    _, lines = clean(of)
    for lost in range(1, UPDATES):
        run = Run(of)
        for number, line in enumerate(lines[: lost + 2]):
            rows = [] if number == lost else run.feed(line)
        assert names(rows) == ["gap"]
        assert run.state() == "STALE"
        assert run.adapter.actions()[0] == Resubscribe(run.symbol)
        assert run.adapter.books[run.symbol].gaps == 1


@EVERY
def test_m01_after_a_gap_the_new_image_makes_the_book_equal_the_clean_run(of):
    for lost in range(1, UPDATES, 9):
        made = session(of)
        run = Run(of)
        books = (line for line in session_lines(made, UPDATES) if line.kind == "book")
        for number, line in enumerate(books):
            if number != lost:
                run.feed(line)
            if run.wants_subscription():
                assert names(run.feed(made.image()))[:2] == ["resync", "snapshot_begin"]
        assert_equals(run, made)
        assert run.adapter.books[run.symbol].resyncs == run.adapter.counters.resyncs == run.adapter.counters.gaps == 1


@EVERY
def test_m02_every_doubled_update_is_dropped_and_counted(of):
    made, lines = clean(of)
    for doubled in range(UPDATES + 1):
        run = Run(of)
        run.feed_all([*lines[: doubled + 1], *lines[doubled:]])
        assert_equals(run, made)
        assert (run.adapter.counters.stale_dropped, run.adapter.counters.gaps) == (1, 0)


@EVERY
def test_m03_every_swapped_pair_is_a_gap_and_never_applied_backwards(of):
    _, lines = clean(of)
    for first in range(1, UPDATES):
        run = Run(of)
        run.feed_all(lines[:first])
        before = run.book()
        assert names(run.feed(lines[first + 1])) == ["gap"]
        assert run.feed(lines[first]) == []
        after = run.book()
        assert (after.bids, after.offers) == (before.bids, before.offers)
        assert run.state() == "STALE"


@EVERY
@pytest.mark.parametrize("early", range(0, 51, 5))
def test_m04_changes_before_the_image_are_dropped_and_counted(of, early):
    made = session(of)
    run = Run(of)
    run.feed_all(line for line in session_lines(made, UPDATES, image_after=early) if line.kind == "book")
    assert_equals(run, made)
    assert run.adapter.counters.buffer_dropped == early
    assert run.wants_subscription() is False  # the image that came is the answer


IMAGES = {"older": (5, False), "the same": (10, False), "newer": (11, True), "far newer": (500, True)}


@pytest.mark.parametrize(("id", "replaces"), IMAGES.values(), ids=IMAGES)
def test_m05_an_image_that_is_not_newer_than_the_book_is_refused(id, replaces):
    run = Run()
    run.ws(image(9))
    run.ws(book(10, 9))
    rows = run.ws(image(id, bid="99.0"))
    assert names(rows)[:1] == (["snapshot_begin"] if replaces else [])
    assert run.adapter.counters.stale_dropped == (not replaces)
    last = id if replaces else 10
    assert names(run.ws(book(last + 1, last))) == ["level_set", "level_set"]
    assert run.adapter.counters.gaps == 0


def test_m05_the_tries_for_an_image_are_bounded_by_the_minute():
    run = Run()
    asked = 0
    for number in range(600):
        run.ws(book(1000 + number, 999 + number), number * SECOND // 10)
        asked += run.wants_subscription()
    assert asked == run.adapter.snapshot_tries_per_minute


def test_an_image_that_never_came_is_asked_for_again():
    run = Run()
    run.ws(book(2, 1), 1)
    actions = run.adapter.actions()
    assert Resubscribe("BTC-PERPETUAL") in actions
    wake = next(action for action in actions if isinstance(action, WakeAt))
    run.adapter.on_wake(wake.at_ns)
    assert Resubscribe("BTC-PERPETUAL") in run.adapter.actions()


@EVERY
def test_an_image_repairs_a_good_book_at_any_time(of):
    made = session(of)
    run = Run(of)
    run.feed_all(line for line in session_lines(made, UPDATES, fault="repair", fault_at=60) if line.kind == "book")
    assert_equals(run, made)
    assert (run.adapter.counters.gaps, run.adapter.counters.snapshots) == (0, 2)


@pytest.mark.parametrize("fault", FAULTS)
@EVERY
def test_every_planted_fault_is_survived_by_one_new_image_at_most(of, fault):
    made = DeribitSession(kind=of, seed=11)
    run = Run(of)
    for line in session_lines(made, UPDATES, fault=fault, fault_at=77):
        run.feed(line)
        if run.wants_subscription():
            run.feed(made.image())
    if fault == "crossed":  # the adapter writes what the venue sends; the pipeline judges crossed books
        assert run.book().gaps == 0
        return
    assert_equals(run, made)
    assert run.book().gaps == (fault in ("gap", "reorder", "truncated", "bad_number"))


LINKS = {  # of a good book at 10: prev_change_id and change_id of the next change, what becomes of it
    "follows": (10, 12, ["level_set", "level_set"]),
    "leaves one out": (11, 12, ["gap"]),
    "begins before the book and goes beyond it": (9, 12, ["gap"]),
    "is the same again": (9, 10, []),
    "is older": (7, 8, []),
    "goes nowhere": (10, 10, []),
    "claims to follow nothing": (0, 12, ["gap"]),
}


@pytest.mark.parametrize(("before", "id", "rows"), LINKS.values(), ids=LINKS)
def test_a_change_is_applied_only_if_it_follows_the_one_before(before, id, rows):
    run = Run()
    run.ws(image(9))
    run.ws(book(10, 9))
    assert names(run.ws(book(id, before))) == rows


NULLS = {"absent": ("", ""), "null": ('"prev_change_id":null,"change_id":', '"change_id":')}


@pytest.mark.parametrize(("new", "old"), NULLS.values(), ids=NULLS)
def test_the_link_of_an_image_may_be_null_or_absent(new, old):
    run = Run()
    text = image(9).replace(old, new) if old else image(9)
    assert names(run.ws(text))[0] == "snapshot_begin"
    assert names(run.ws(book(10, 9))) == ["level_set", "level_set"]


def test_a_change_without_a_link_is_no_image_and_makes_the_book_stale():
    run = Run()
    run.ws(image(9))
    assert names(run.ws(book(10))) == ["gap"]
    assert run.adapter.counters.decode_errors == {"shape": 1}
    assert run.wants_subscription()


def test_the_first_change_of_an_empty_book_is_taken_for_its_image():
    run = Run()
    assert names(run.ws(book(14, 0))) == ["snapshot_begin", "level_set", "level_set"]
    assert names(run.ws(book(15, 14))) == ["level_set", "level_set"]
    run.ws(book(17, 16))
    assert run.ws(book(18, 0)) == []  # a book that was good once is not begun so again
    assert run.state() == "STALE"


def test_books_of_2019_do_not_say_their_type():
    run = Run()
    assert names(run.ws(book(9, type="")))[0] == "snapshot_begin"
    assert names(run.ws(book(10, 9, type="", word="change"))) == ["level_set", "level_set"]
    assert names(run.ws(book(12, 11, type=""))) == ["gap"]


WORDS = {"new": ["level_set"], "change": ["level_set"], "delete": ["level_delete"]}


@pytest.mark.parametrize(("word", "row"), WORDS.items())
def test_words_set_and_delete_whatever_was_there_before(word, row):
    run = Run()
    run.ws(image(9))
    assert names(run.ws(book(10, 9, word=word))) == [*row, "level_set"]
    assert names(run.ws(book(11, 10, bid="77.0", word=word))) == [*row, "level_set"]
    assert names(run.ws(book(12, 11, word="update"))) == ["gap"]


def test_m08_no_checksum_is_sent_and_none_is_counted():
    run = Run()
    run.ws(image(9))
    run.ws(book(10, 9))
    kept = run.adapter.books["BTC-PERPETUAL"]
    assert (kept.checksums_good, kept.checksums_bad) == (0, 0)


def test_two_connections_carry_one_channel_while_one_replaces_the_other():
    made, lines = clean("perpetual")
    run = Run("perpetual")
    run.feed_all(lines[:100])
    late = session("perpetual")  # the second connection's image is older than what came meanwhile on the first
    assert len(list(session_lines(late, 95))) > 95
    run.feed(late.image())
    for old, new in zip(lines[100:], lines[96:], strict=False):
        run.feed(new)
        run.feed(old)
    run.feed_all(lines[-4:])
    assert_equals(run, made)
    assert run.adapter.counters.gaps == 0
    assert run.adapter.counters.stale_dropped > 90


def test_a_book_follows_the_first_interval_that_comes_and_another_one_only_once_it_is_lost():
    run = Run()
    run.ws(image(9))
    assert run.ws(image(77, interval="agg2", bid="98.0")) == []
    assert run.adapter.counters.ignored == {"other interval": 1}
    assert names(run.ws(book(12, 11))) == ["gap"]
    assert names(run.ws(image(78, interval="agg2", bid="98.0")))[:2] == ["resync", "snapshot_begin"]
    assert run.ws(book(13, 12)) == []
    assert names(run.ws(book(79, 78, interval="agg2"))) == ["level_set", "level_set"]


@EVERY
def test_images_of_a_depth_are_the_whole_book_each_time(of):
    made = session(of)
    run = Run(of)
    for _ in range(20):
        made.step()
        line = made.grouped(10)
        assert names(run.feed(line))[:1] == ["snapshot_begin"]
        assert run.feed(line) == []  # the same again, of another connection
    found = run.book()
    lots = 10 if of in ("perpetual", "future") else 1
    assert found.bids == {price: size * lots for price, size in made.side("bids")[:10]}
    assert found.offers == {price: size * lots for price, size in made.side("offers")[:10]}
    assert (run.adapter.counters.stale_dropped, run.adapter.counters.gaps) == (20, 0)


def test_only_the_book_with_the_gap_is_stale():
    run = Run(symbols={"BTC-PERPETUAL": (0, 1, 0), "ETH-PERPETUAL": (1, 1, 0)})
    for symbol in ("BTC-PERPETUAL", "ETH-PERPETUAL"):
        run.ws(image(9, symbol=symbol))
    run.ws(book(12, 11))
    assert (run.state("BTC-PERPETUAL"), run.state("ETH-PERPETUAL")) == ("STALE", "SYNCHRONISED")
    assert names(run.ws(book(10, 9, symbol="ETH-PERPETUAL"))) == ["level_set", "level_set"]
    assert run.adapter.actions()[0] == Resubscribe("BTC-PERPETUAL")


def test_a_lost_connection_makes_its_books_stale():
    run = Run(symbols={"BTC-PERPETUAL": (0, 1, 0), "ETH-PERPETUAL": (1, 1, 0)})
    for symbol in ("BTC-PERPETUAL", "ETH-PERPETUAL"):
        run.ws(image(9, symbol=symbol))
    run.adapter.on_close(2, run.sink, ["BTC-PERPETUAL"])
    assert (run.state("BTC-PERPETUAL"), run.state("ETH-PERPETUAL")) == ("STALE", "SYNCHRONISED")
    assert names(run.ws(image(3)))[:2] == ["resync", "snapshot_begin"]  # the venue may count anew


def test_m07_a_book_that_is_given_up_is_asked_for_anew():
    run = Run()
    run.ws(image(9))
    run.adapter.resync("BTC-PERPETUAL", 5, run.sink)
    assert (run.state(), run.wants_subscription(), run.book().is_stale) == ("STALE", True, True)
    assert names(run.ws(image(9)))[:2] == ["resync", "snapshot_begin"]


def test_m15_a_book_that_is_eaten_empty_stays_in_step():
    run = Run()
    levels = ",".join(f'["new",{price}.0,10.0]' for price in range(100, 50, -1))
    run.ws(image(9).replace('["new",100.0,10.0]', levels))
    for number, price in enumerate(range(100, 50, -1)):
        run.ws(book(10 + number, 9 + number, bid=f"{price}.0", word="delete"))
    found = run.book()
    assert (found.bids, run.state(), run.adapter.counters.gaps) == ({}, "SYNCHRONISED", 0)
    run.adapter.on_thin("BTC-PERPETUAL", 1, run.sink)
    assert (run.adapter.counters.thin, run.state(), run.wants_subscription()) == (1, "SYNCHRONISED", False)


def test_a_counter_that_goes_on_below_the_book_is_believed_in_the_end():
    run = Run()
    run.ws(image(5_000))
    for id in range(2, 1_003):
        rows = run.ws(book(id, id - 1))
        if rows:
            break
    assert names(rows) == ["gap"]
    assert run.wants_subscription()


def test_updates_are_written_as_they_come_when_nothing_is_sequenced():
    run = Run()
    run.adapter.is_sequenced = False
    made = [run.ws(book(id, before)) for id, before in ((10, 9), (12, 11), (11, 10), (11, 10))]
    assert [names(rows) for rows in made] == [["level_set", "level_set"]] * 4
    assert names(run.ws(image(3)))[0] == "snapshot_begin"
    assert not run.wants_subscription()


def test_m17_events_keep_the_order_of_arrival_whatever_their_times():
    made, lines = clean("perpetual")
    run = Run()
    rows = run.feed_all(lines)
    ids = [row[4] for row in rows if kind(row) in (codes.LEVEL_SET, codes.LEVEL_DELETE)]
    assert all(first <= second for first, second in pairwise(ids))
    assert_equals(run, made)
