"""Every book model: the cases a trader would check, on each model alike."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.kernel.book import MAX_STEPS, BookModel
from quotewright.kernel.codes import (
    BID,
    BOOK_EMPTY,
    BOOK_GOOD,
    BOOK_STALE,
    BOOK_SUSPECT,
    GAP,
    LEVEL_DELETE,
    LEVEL_SET,
    OFFER,
    RESYNC,
    SNAPSHOT_BEGIN,
    TRADE,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright_plugins.books.sorted_book import SortedBook
from tests.framework.kernel.differential import Flow, compare_books, random_flow


class SlowBook(SortedBook):
    """A model in plain Python that inherits the rest: the metrics must not care."""

    def volume(self, side, count):
        return BookModel.volume(self, side, count)


MODELS = {"ladder": Ladder, "narrow ladder": lambda: Ladder(64), "sorted": SortedBook, "plain subclass": SlowBook}
SNAPSHOT = (SNAPSHOT_BEGIN, 0, 0, 0)


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def book(request) -> BookModel:
    return request.param()


class Venue:
    """Sends text as a venue would, with two decimals of price and three of size, and shows the book as text."""

    def __init__(self, book: BookModel) -> None:
        self.book = book
        self.buffer = TapeBuffer()
        self.sink = TapeSink(self.buffer, {"X": (0, 2, 3)})

    def send(self, bids: str = "", offers: str = "", is_snapshot: bool = False) -> bool:
        """Send one message of ``price:size`` levels."""
        start = self.buffer.count
        self.sink.begin("X", 1, 1)
        if is_snapshot:
            self.sink.snapshot()
        for level in bids.split():
            self.sink.bid(*level.split(":"))
        for level in offers.split():
            self.sink.offer(*level.split(":"))
        self.sink.end()
        return self.book.apply(self.buffer, start, self.buffer.count)

    def best(self) -> tuple[float, float]:
        return self.book.best_bid / 100, self.book.best_offer / 100


def apply(book: BookModel, *messages: tuple[tuple[int, int, int, int], ...]) -> list[bool]:
    """Apply messages of (kind, side, price, size) rows; return what each apply() said."""
    flow = Flow()
    answers = []
    for message in messages:
        start = flow.buffer.count
        flow.message(*message)
        answers.append(book.apply(flow.buffer, start, flow.buffer.count))
    return answers


def test_best_quotes_follow_better_levels(book):
    """Case B-05: an insertion-ordered book still shows 100.0 / 101.0."""
    venue = Venue(book)
    venue.send("100:1 99:1", "101:1 102:1", is_snapshot=True)
    assert venue.best() == (100, 101)
    assert venue.send("100.5:1")
    assert venue.send("", "100.8:1")
    assert venue.best() == (100.5, 100.8)


def test_a_size_of_many_zeros_deletes(book):
    """Case C-06."""
    venue = Venue(book)
    venue.send("100.0:1 99:1", "101:1", is_snapshot=True)
    assert venue.send("100.0:0.000")
    assert book.size_at(BID, 10000) == 0
    assert venue.best() == (99, 101)


def test_a_message_moves_the_market_in_one_piece(book):
    """Case C-07: level by level this message is half crossed; as a whole it is legal."""
    venue = Venue(book)
    venue.send("100:1", "101:1", is_snapshot=True)
    assert venue.send("101.5:1", "101:0 102:1")
    assert venue.best() == (101.5, 102)
    assert (book.status, book.crossings) == (BOOK_GOOD, 0)


def test_the_weighted_mid_swaps_the_sizes(book):
    """Case C-09: 100.75, not outside the market."""
    Venue(book).send("100:3", "101:1", is_snapshot=True)
    assert book.weighted_mid() == 10075.0


def test_the_book_of_the_article(book):
    """Case A-11: imbalance of the whole depth, spread of the best quotes."""
    Venue(book).send("45000:5 44990:8 44980:12", "45010:4.5 45020:7.5 45030:11", is_snapshot=True)
    assert book.imbalance(-1) == pytest.approx(0.0416667, abs=1e-7)
    assert book.imbalance(1) == (5 - 4.5) / 9.5
    assert book.spread_bps() == pytest.approx(10 / 45005 * 10_000)
    assert book.mid2() == 4500000 + 4501000
    # 10 of 45,005 are 2.2 bps: the band of 1.2 bps holds the best quotes alone, of 3.4 bps the second ones too.
    assert book.imbalance_within(1.2) == (5 - 4.5) / 9.5
    assert book.imbalance_within(3.4) == 1 / 25
    assert book.imbalance_within(0) == 0.0
    assert book.imbalance_within(10_000) == book.imbalance(-1)


def test_an_empty_book_measures_zero(book):
    assert (book.status, book.best_bid, book.best_offer, book.mid2()) == (BOOK_EMPTY, 0, 0, 0)
    assert (book.weighted_mid(), book.spread_bps(), book.imbalance(5), book.imbalance_within(5)) == (0, 0, 0, 0)
    assert book.levels(BID, -1) == []
    assert [array.shape for array in book.depth_arrays(5)] == [(0,)] * 4
    assert not book.is_good()


def test_one_side_alone_has_an_imbalance_but_no_mid(book):
    Venue(book).send("100:3", "", is_snapshot=True)
    assert book.imbalance(3) == 1.0
    assert (book.mid2(), book.weighted_mid(), book.spread_bps(), book.imbalance_within(9)) == (0, 0, 0, 0)
    assert book.status == BOOK_GOOD
    assert not book.is_good()
    Venue(book).send("", "100:3", is_snapshot=True)
    assert book.imbalance(3) == -1.0


@pytest.mark.parametrize("bps", [-1, math.nan, math.inf])
def test_a_band_needs_a_width(book, bps):
    with pytest.raises(InputError, match="bps"):
        book.imbalance_within(bps)


def test_depth_arrays_are_whole_numbers_best_first(book):
    Venue(book).send("100:1 98:3 99:2", "103:6 101:4 102:5", is_snapshot=True)
    arrays = book.depth_arrays(2)
    assert [array.dtype for array in arrays] == [np.int64] * 4
    assert [array.tolist() for array in arrays] == [[10000, 9900], [1000, 2000], [10100, 10200], [4000, 5000]]
    assert book.depth_arrays(-1)[2].tolist() == [10100, 10200, 10300]
    assert book.levels(BID, 0) == []
    assert book.levels(OFFER, 99) == [(10100, 4000), (10200, 5000), (10300, 6000)]


SET_BID, SET_OFFER = (LEVEL_SET, BID, 100, 1), (LEVEL_SET, OFFER, 101, 1)
CROSS, UNCROSS = (LEVEL_SET, BID, 101, 1), (LEVEL_DELETE, BID, 101, 0)
START = (SNAPSHOT, SET_BID, SET_OFFER)
STATUS = {  #                        messages                                  status of the book, crossings
    "nothing yet":                  ([], BOOK_EMPTY, 0),
    "levels without a snapshot":    ([(SET_BID, SET_OFFER)], BOOK_EMPTY, 0),
    "crossed without a snapshot":   ([(CROSS, SET_OFFER)], BOOK_EMPTY, 0),
    "a gap before any snapshot":    ([((GAP, 0, 0, 1),)], BOOK_EMPTY, 0),
    "a snapshot":                   ([START], BOOK_GOOD, 0),
    "an empty snapshot":            ([(SNAPSHOT,)], BOOK_GOOD, 0),
    "crossed":                      ([START, (CROSS,)], BOOK_SUSPECT, 1),
    "locked counts as crossed":     ([START, ((LEVEL_SET, OFFER, 100, 1),)], BOOK_SUSPECT, 1),
    "uncrossed by the next":        ([START, (CROSS,), (UNCROSS,)], BOOK_GOOD, 1),
    "crossed twice apart":          ([START, (CROSS,), (UNCROSS,), (CROSS,)], BOOK_SUSPECT, 2),
    "still crossed":                ([START, (CROSS,), (SET_BID,)], BOOK_STALE, 1),
    "a trade is no second chance":  ([START, (CROSS,), ((TRADE, 1, 101, 1),)], BOOK_SUSPECT, 1),
    "stale stays stale":            ([START, (CROSS,), (SET_BID,), (UNCROSS,)], BOOK_STALE, 1),
    "until a snapshot":             ([START, (CROSS,), (SET_BID,), START], BOOK_GOOD, 1),
    "a crossed snapshot":           ([(SNAPSHOT, CROSS, SET_OFFER)], BOOK_SUSPECT, 1),
    "crossed within a message":     ([START, (CROSS, UNCROSS)], BOOK_GOOD, 0),
    "a gap":                        ([START, ((GAP, 0, 0, 1),)], BOOK_STALE, 0),
    "levels after a gap":           ([START, ((GAP, 0, 0, 1),), (SET_BID,)], BOOK_STALE, 0),
    "crossed after a gap":          ([START, ((GAP, 0, 0, 1),), (CROSS,)], BOOK_STALE, 0),
    "resync alone":                 ([START, ((GAP, 0, 0, 1),), ((RESYNC, 0, 0, 0),)], BOOK_STALE, 0),
    "resync and snapshot":          ([START, ((GAP, 0, 0, 1),), ((RESYNC, 0, 0, 0), *START)], BOOK_GOOD, 0),
    "a snapshot heals its gap":     ([((GAP, 0, 0, 1), *START)], BOOK_GOOD, 0),
    "a gap after the snapshot":     ([(*START, (GAP, 0, 0, 1))], BOOK_STALE, 0),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "status", "crossings"), STATUS.values(), ids=STATUS)
def test_status(book, messages, status, crossings):
    apply(book, *messages)
    assert (book.status, book.crossings) == (status, crossings)


def test_a_gap_keeps_the_levels_and_a_snapshot_forgets_them(book):
    apply(book, START, ((GAP, 0, 0, 1),))
    assert (book.best_bid, book.best_offer, book.is_good()) == (100, 101, False)
    apply(book, (SNAPSHOT, (LEVEL_SET, BID, 7, 2)))
    assert (book.best_bid, book.best_bid_size, book.best_offer, book.best_offer_size) == (7, 2, 0, 0)
    assert book.level_count(BID) == 1
    assert book.level_count(OFFER) == 0


def test_marking_stale_withholds_the_book_until_a_snapshot(book):
    book.mark_stale()
    assert book.status == BOOK_EMPTY
    apply(book, START)
    assert book.is_good()
    book.mark_stale()
    apply(book, (SET_BID,))
    assert book.status == BOOK_STALE
    apply(book, START)
    assert book.is_good()


def test_apply_says_whether_the_best_quotes_moved(book):
    answers = apply(
        book,
        START,
        ((LEVEL_SET, BID, 99, 5),),
        ((LEVEL_SET, BID, 100, 2),),
        ((LEVEL_SET, BID, 100, 2),),
        ((LEVEL_DELETE, BID, 50, 0),),
        ((TRADE, 1, 100, 1),),
        ((LEVEL_DELETE, BID, 100, 0), (LEVEL_SET, BID, 100, 2)),
        ((LEVEL_DELETE, OFFER, 101, 0),),
        ((GAP, 0, 0, 0),),
        START,
        START,
    )
    assert answers == [True, False, True, False, False, False, False, True, False, True, False]
    assert book.messages == 10


BAD_ROWS = [
    (LEVEL_SET, BID, 0, 1),
    (LEVEL_SET, OFFER, -5, 1),
    (LEVEL_SET, BID, 5, -1),
    (LEVEL_SET, 0, 5, 1),
    (LEVEL_SET, 3, 5, 1),
]
BAD_ROWS += [(LEVEL_SET, BID, MAX_STEPS + 1, 1), (LEVEL_SET, BID, 1, MAX_STEPS + 1), (LEVEL_DELETE, OFFER, 0, 0)]


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_row_that_no_book_can_hold_makes_it_stale(book, row):
    apply(book, START)
    with pytest.raises(InputError, match=r"row 1: a level should have .*; the book is stale until the next snapshot"):
        apply(book, (SET_BID, row))
    assert book.status == BOOK_STALE


def test_rows_that_are_not_there_are_refused(book):
    flow = Flow()
    flow.message(SET_BID)
    for first, last in ((-1, 1), (0, 2), (0, 400)):
        with pytest.raises(InputError, match="should lie within the 1 rows"):
            book.apply(flow.buffer, first, last)


def test_messages_of_other_instruments_are_passed_over(book):
    mine, other = Flow(4), Flow(5)
    mine.message(*START)
    other.message((LEVEL_SET, BID, 77, 1))
    buffer = TapeBuffer()
    for flow in (other, mine, other):
        words = list(flow.buffer.words[: flow.buffer.count * 6])
        for start in range(0, len(words), 6):
            buffer.append(*words[start : start + 6])
    assert book.apply_messages(buffer, 0, buffer.count, 4) == 1
    assert (book.messages, book.level_count(BID)) == (1, 1)


steps = st.integers(1, MAX_STEPS)


@given(steps, steps, steps, steps)
def test_the_weighted_mid_is_always_within_the_best_quotes(bid, width, bid_size, offer_size):
    offer = min(bid + width, MAX_STEPS)
    found = []
    for model in MODELS.values():
        book = model()
        apply(book, (SNAPSHOT, (LEVEL_SET, BID, bid, bid_size), (LEVEL_SET, OFFER, offer, offer_size)))
        assert bid <= book.weighted_mid() <= offer or float(bid) <= book.weighted_mid() <= float(offer)
        found.append((book.weighted_mid(), book.spread_bps(), book.imbalance(1), book.imbalance_within(12.5)))
    assert len(set(found)) == 1


def test_a_model_that_lacks_a_method_says_which():
    class Bare(BookModel):
        pass

    for call in (lambda b: b.apply(TapeBuffer(), 0, 0), lambda b: b.size_at(1, 1), lambda b: b.levels(1, 1)):
        with pytest.raises(TypeError, match="Bare lacks"):
            call(Bare())


def test_the_model_in_the_docs_is_a_book():
    page = Path(__file__).resolve().parent.parent.parent / "docs" / "books.md"
    source = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(compile(source, str(page), "exec"), names)  # the page's own example, run as printed
    rows = random_flow(3, 400, 5000, 60)
    assert compare_books(rows, [0], names["book_models"]()["dicts"], SortedBook) == rows.count


@pytest.mark.parametrize("widest", [4096, 65_536])
def test_deep_books_are_equal_in_every_model(widest):
    rows = random_flow(8, 800, 10**6, 4000)
    assert compare_books(rows, [0], lambda: Ladder(4096, widest)) == rows.count
    assert compare_books(rows, [0], lambda: Ladder(64, widest), SlowBook) == rows.count
