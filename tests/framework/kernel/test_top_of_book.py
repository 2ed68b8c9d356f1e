"""The book of best quotes: when it is good, what it shows, and which rows the view hands it."""

from __future__ import annotations

import pytest

from quotewright.errors import InputError
from quotewright.kernel.book import MAX_STEPS
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    BOOK_EMPTY,
    BOOK_GOOD,
    BOOK_STALE,
    BOOK_SUSPECT,
    CONNECTION,
    GAP,
    LAST_BIT,
    LEVEL_SET,
    OFFER,
    SNAPSHOT_BEGIN,
    pack,
)
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.top_of_book import TopOfBook
from quotewright.kernel.view import View
from quotewright.testing.plugins import check_book
from tests.framework.kernel.stage import PLAIN

BOTH = ((BEST_QUOTE, BID, 100, 5), (BEST_QUOTE, OFFER, 102, 7))


def message(buffer, *rows, at=0):
    """Write one message and return where it stands."""
    first = buffer.count
    for kind, side, price, size in rows:
        buffer.append(at, at, price, size, 0, pack(kind, side, 0, 0))
    buffer.mark_last()
    assert buffer.words[buffer.count * 6 - 1] & LAST_BIT
    return first, buffer.count


def told(*messages):
    book, buffer = TopOfBook(), TapeBuffer(16)
    for rows in messages:
        moved = book.apply(buffer, *message(buffer, *rows))
    return book, bool(moved)


def test_it_keeps_the_rules_of_a_book():
    assert check_book(TopOfBook) == []


ONE_SIDE = ((BEST_QUOTE, BID, 100, 5),)
GAPPED = ((GAP, 0, 0, 0),)
STATES = {
    "one side says nothing yet": ([ONE_SIDE], BOOK_EMPTY, 100, 0, True),
    "both sides, one after the other": ([ONE_SIDE, ((BEST_QUOTE, OFFER, 102, 7),)], BOOK_GOOD, 100, 102, True),
    "both sides at once": ([BOTH], BOOK_GOOD, 100, 102, True),
    "the same again moves nothing": ([BOTH, BOTH], BOOK_GOOD, 100, 102, False),
    "another size moves": ([BOTH, ((BEST_QUOTE, BID, 100, 6),)], BOOK_GOOD, 100, 102, True),
    "size 0 empties a side": ([BOTH, ((BEST_QUOTE, OFFER, 102, 0),)], BOOK_GOOD, 100, 0, True),
    "a gap": ([BOTH, GAPPED], BOOK_STALE, 100, 102, False),
    "a gap before anything": ([GAPPED], BOOK_EMPTY, 0, 0, False),
    "one side after a gap forgets the other": ([BOTH, GAPPED, ONE_SIDE], BOOK_STALE, 100, 0, True),
    "both sides after a gap": ([BOTH, GAPPED, BOTH], BOOK_GOOD, 100, 102, False),
    "crossed": ([BOTH, ((BEST_QUOTE, BID, 102, 5),)], BOOK_SUSPECT, 102, 102, True),
    "crossed and mended": ([BOTH, ((BEST_QUOTE, BID, 103, 5),), BOTH], BOOK_GOOD, 100, 102, True),
    "levels are not its own": ([BOTH, ((LEVEL_SET, BID, 101, 5),)], BOOK_GOOD, 100, 102, False),
}


@pytest.mark.parametrize(("messages", "status", "bid", "offer", "moved"), STATES.values(), ids=STATES)
def test_what_it_shows_and_how_good_it_is(messages, status, bid, offer, moved):
    book, has_moved = told(*messages)
    assert (book.status, book.best_bid, book.best_offer, has_moved) == (status, bid, offer, moved)
    assert book.is_good() == (status == BOOK_GOOD and bid > 0 and offer > 0)
    assert book.levels(BID, 5) == ([(bid, book.best_bid_size)] if bid else [])
    assert book.level_count(OFFER) == len(book.levels(OFFER, -1)) == (1 if offer else 0)
    assert book.levels(BID, 0) == []
    assert book.size_at(OFFER, offer) == book.best_offer_size
    assert book.size_at(BID, 55) == 0


@pytest.mark.parametrize(
    "row",
    [
        (BEST_QUOTE, 0, 100, 5),
        (BEST_QUOTE, 3, 100, 5),
        (BEST_QUOTE, BID, 0, 5),
        (BEST_QUOTE, BID, MAX_STEPS + 1, 5),
        (BEST_QUOTE, OFFER, 100, -1),
        (BEST_QUOTE, OFFER, 100, MAX_STEPS + 1),
    ],
)
def test_a_quote_that_cannot_be_is_refused_and_makes_it_stale(row):
    book, buffer = TopOfBook(), TapeBuffer(16)
    book.apply(buffer, *message(buffer, *BOTH))
    with pytest.raises(InputError, match="row 2: a level should have side"):
        book.apply(buffer, *message(buffer, row))
    assert book.status == BOOK_STALE


def test_the_view_hands_it_quotes_and_only_these_make_it_young():
    buffer = TapeBuffer(16)
    view = View(PLAIN, 0, TopOfBook())
    view.on_message(buffer, *message(buffer, *BOTH, at=10), 10)
    assert (view.best_moved, view.goodness_changed, view.mid2) == (True, True, 202)
    view.on_message(buffer, *message(buffer, (SNAPSHOT_BEGIN, 0, 0, 0), (LEVEL_SET, BID, 90, 1), at=20), 20)
    assert (view.best_moved, view.mid2, view.book_age_ns) == (False, 202, 10)
    view.on_message(buffer, *message(buffer, (CONNECTION, 0, 0, 0), at=30), 30)
    assert (view.is_book_good, view.goodness_changed) == (False, True)
    view.on_message(buffer, *message(buffer, *BOTH, at=40), 40)
    assert (view.is_book_good, view.book_age_ns) == (True, 0)
