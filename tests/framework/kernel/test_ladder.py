"""The ladder: what it does beside the sorted book and beside a plain dict, and what its window may never change."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.kernel.book import FULL_LEVELS, MAX_STEPS, BookModel
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
    ROW_WORDS,
    SNAPSHOT_BEGIN,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from tests.framework.kernel.differential import Flow, compare_books, random_flow


class PlainBook:
    """Two dicts and the rules of a book's status, spelt out."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, int]] = {BID: {}, OFFER: {}}
        self.status = BOOK_EMPTY

    def apply(self, rows: TapeBuffer, first: int, last: int) -> None:
        seen = snapshot = gap = False
        for row in range(first, last):
            _, _, price, size, _, word = rows.words[row * ROW_WORDS : row * ROW_WORDS + ROW_WORDS]
            kind, side = word & 255, word >> 8 & 255
            if kind == LEVEL_SET and size:
                self.sides[side][price] = size
            elif kind in (LEVEL_SET, LEVEL_DELETE):
                self.sides[side].pop(price, None)
            elif kind == SNAPSHOT_BEGIN:
                self.sides = {BID: {}, OFFER: {}}
                snapshot, gap = True, False
            elif kind == GAP:
                gap = True
            else:
                continue
            seen = True
        if seen:
            self.judge(snapshot, gap)

    def judge(self, snapshot: bool, gap: bool) -> None:
        bids, offers = self.sides[BID], self.sides[OFFER]
        crossed = bool(bids and offers) and max(bids) >= min(offers)
        if snapshot:
            self.status = BOOK_GOOD
        before = self.status
        if before == BOOK_EMPTY:
            return
        if gap:
            self.status = BOOK_STALE
        elif before == BOOK_GOOD:
            self.status = BOOK_SUSPECT if crossed else BOOK_GOOD
        elif before == BOOK_SUSPECT:
            self.status = BOOK_STALE if crossed else BOOK_GOOD

    def best(self, side: int) -> tuple[int, int]:
        levels = self.sides[side]
        if not levels:
            return 0, 0
        price = max(levels) if side == BID else min(levels)
        return price, levels[price]


MARKETS = {  #            messages  mid          spread   window
    "dense": (300, 50_000, 40, 64),
    "wider than window": (300, 50_000, 500, 64),
    "very sparse": (200, 10**9, 10**6, 128),
    "near zero": (300, 30, 60, 64),
    "at the largest price": (200, MAX_STEPS - 5, 300, 64),
    "usual window": (300, 600_000, 900, 4096),
}


@pytest.mark.parametrize("widest", [64, 4096])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("messages", "mid", "spread", "window"), MARKETS.values(), ids=MARKETS)
def test_the_ladder_is_the_sorted_book_and_a_plain_dict(seed, messages, mid, spread, window, widest):
    rows = random_flow(seed, messages, mid, spread)
    assert compare_books(rows, [0], lambda: Ladder(window, widest)) == rows.count
    ladder, plain, start = Ladder(window, widest), PlainBook(), 0
    for row in range(rows.count):
        if rows.words[row * ROW_WORDS + 5] >> 16 & 1:
            ladder.apply(rows, start, row + 1)
            plain.apply(rows, start, row + 1)
            start = row + 1
            assert (ladder.best_bid, ladder.best_bid_size) == plain.best(BID)
            assert (ladder.best_offer, ladder.best_offer_size) == plain.best(OFFER)
            assert ladder.status == plain.status
    assert dict(ladder.levels(BID, -1)) == plain.sides[BID]
    assert dict(ladder.levels(OFFER, -1)) == plain.sides[OFFER]


EDGES = [1, 2, 31, 32, 33, 63, 64, 65, 4095, 4096, 2**31, 2**32, 2**53 + 1, MAX_STEPS - 1, MAX_STEPS]
level_rows = st.tuples(
    st.sampled_from([LEVEL_SET, LEVEL_SET, LEVEL_DELETE, SNAPSHOT_BEGIN]),
    st.sampled_from([BID, OFFER]),
    st.one_of(st.sampled_from(EDGES), st.integers(1, 200), st.integers(1, MAX_STEPS)),
    st.sampled_from([0, 1, 7, MAX_STEPS]),
)


@given(st.lists(st.lists(level_rows, min_size=1, max_size=6), max_size=12))
def test_extreme_prices_and_sizes_are_kept(messages):
    flow = Flow()
    for message in messages:
        flow.message(*message)
    assert compare_books(flow.buffer, [0], lambda: Ladder(64, 64)) == flow.buffer.count


def test_snapshots_listed_worst_first_give_the_same_book():
    flow = Flow()
    levels = [(LEVEL_SET, BID, price, price) for price in range(1, 9000, 7)]
    levels += [(LEVEL_SET, OFFER, price, price) for price in range(30_000, 10_000, -11)]
    flow.message((SNAPSHOT_BEGIN, 0, 0, 0), *levels)
    assert compare_books(flow.buffer, [0]) == flow.buffer.count


def test_a_market_that_walks_by_many_windows_loses_nothing():
    flow = Flow()
    flow.message((SNAPSHOT_BEGIN, 0, 0, 0), (LEVEL_SET, BID, 99, 1), (LEVEL_SET, OFFER, 101, 1))
    for mid in [*range(100, 1500), *range(1500, 100, -1)]:
        stale = [(LEVEL_DELETE, OFFER, price, 0) for price in (mid - 1, mid)]
        stale += [(LEVEL_DELETE, BID, price, 0) for price in (mid, mid + 1)]
        flow.message(*stale, (LEVEL_SET, BID, mid - 1, mid), (LEVEL_SET, OFFER, mid + 1, mid))
    assert compare_books(flow.buffer, [0], lambda: Ladder(64, 64)) == flow.buffer.count


def full_book(book: BookModel) -> TapeBuffer:
    """Fill the bid side to the limit, best price 1,000,000."""
    flow = Flow()
    rows = [(LEVEL_SET, BID, 1_000_000 - number, 1) for number in range(FULL_LEVELS)]
    flow.message((SNAPSHOT_BEGIN, 0, 0, 0), *rows)
    flow.message((LEVEL_SET, BID, 499_999, 1), (LEVEL_SET, BID, 500_000, 1), (LEVEL_SET, BID, 900_000, 1))
    book.apply_messages(flow.buffer, 0, flow.buffer.count, 0)
    return flow.buffer


def test_a_full_side_drops_only_what_is_worse_than_half_its_best_and_says_so():
    book = Ladder()
    rows = full_book(book)
    assert (book.dropped, book.is_partial, book.level_count(BID)) == (1, True, FULL_LEVELS + 2)
    assert book.size_at(BID, 499_999) == 0
    assert book.size_at(BID, 500_000) == 1
    assert book.size_at(BID, 900_000) == 1
    assert compare_books(rows, [0]) == rows.count
    again = TapeBuffer(1)
    again.append(1, 1, 0, 0, 0, SNAPSHOT_BEGIN)
    assert book.apply(again, 0, 1)
    assert (book.dropped, book.is_partial) == (1, False)


@pytest.mark.parametrize("window", [0, 63, 96, -64, 1 << 21])
def test_a_window_that_is_no_power_of_two_is_refused(window):
    with pytest.raises(InputError, match="window should be a power of two"):
        Ladder(window)
    with pytest.raises(InputError, match="widest should be a power of two"):
        Ladder(64, window)


def test_a_far_book_is_listed_in_order_and_summed_exactly():
    dice = random.Random(5)
    prices = dice.sample(range(1, 10**7), 500)
    flow = Flow()
    flow.message((SNAPSHOT_BEGIN, 0, 0, 0), *[(LEVEL_SET, OFFER, price, MAX_STEPS) for price in prices])
    book = Ladder(64)
    book.apply(flow.buffer, 0, flow.buffer.count)
    assert [price for price, _ in book.levels(OFFER, -1)] == sorted(prices)
    assert [price for price, _ in book.levels(OFFER, 9)] == sorted(prices)[:9]
    assert book.volume(OFFER, -1) == 500 * MAX_STEPS
    assert book.volume(OFFER, 77) == 77 * MAX_STEPS
    limit = sorted(prices)[333]
    assert book.volume_until(OFFER, limit) == 334 * MAX_STEPS
    assert book.volume_until(OFFER, limit - 1) == 333 * MAX_STEPS
