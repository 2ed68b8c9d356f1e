"""The book of single orders: the same levels as any other, and who stands where in the queue."""

from __future__ import annotations

import random

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.kernel.book import MAX_STEPS
from quotewright.kernel.by_order import ByOrderBook
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
    ORDER_ADD,
    ORDER_DELETE,
    ORDER_EXECUTE,
    ORDER_REDUCE,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.view import View
from quotewright.tape.coverage import require_books
from quotewright.tape.tape import MemoryTape
from quotewright.testing.plugins import check_book
from tests.framework.kernel.stage import PLAIN

SNAPSHOT = (SNAPSHOT_BEGIN, 0, 0, 0)


class Teller:
    """Tells a book messages of ``(kind, side, price, size, order id)`` rows."""

    def __init__(self, book=None):
        self.book = book or ByOrderBook()
        self.buffer = TapeBuffer(16)

    def tell(self, *rows):
        first = self.buffer.count
        for kind, side, price, size, *order_id in rows:
            self.buffer.append(first, first, price, size, *(order_id or [0]), pack(kind, side, 0, 0))
        if rows:
            self.buffer.mark_last()
        return bool(self.book.apply(self.buffer, first, self.buffer.count))


def crowded():
    """Three bids at 100, of orders 1 to 3, and one offer at 102."""
    teller = Teller()
    teller.tell(
        SNAPSHOT,
        (ORDER_ADD, BID, 100, 5, 1),
        (ORDER_ADD, BID, 100, 7, 2),
        (ORDER_ADD, BID, 100, 1, 3),
        (ORDER_ADD, OFFER, 102, 4, 9),
    )
    return teller


def test_it_keeps_the_rules_of_a_book():
    assert check_book(ByOrderBook) == []


def test_orders_of_a_price_stand_in_the_order_in_which_they_came():
    teller = crowded()
    book = teller.book
    assert book.orders_at(BID, 100) == [(1, 5), (2, 7), (3, 1)]
    assert [book.ahead_of(number) for number in (1, 2, 3, 9, 4)] == [0, 5, 12, 0, -1]
    assert (book.order_count(BID, 100), book.order_count(BID, 99), book.order_count(OFFER, 102)) == (3, 0, 1)
    assert (book.order(2), book.order(4)) == ((BID, 100, 7), None)


CHANGES = {  #                   row,                            the queue at 100,          ahead of 3
    "reduced, keeps its place": ((ORDER_REDUCE, BID, 100, 4, 1), [(1, 1), (2, 7), (3, 1)], 8),
    "executed in part":         ((ORDER_EXECUTE, BID, 100, 2, 1), [(1, 3), (2, 7), (3, 1)], 10),
    "executed, no size told":   ((ORDER_EXECUTE, BID, 100, 0, 1), [(2, 7), (3, 1)], 7),
    "executed whole":           ((ORDER_EXECUTE, BID, 100, 5, 1), [(2, 7), (3, 1)], 7),
    "reduced to nothing":       ((ORDER_REDUCE, BID, 100, 7, 2), [(1, 5), (3, 1)], 5),
    "reduced by more than all": ((ORDER_REDUCE, BID, 100, 99, 2), [(1, 5), (3, 1)], 5),
    "reduced by nothing":       ((ORDER_REDUCE, BID, 100, 0, 2), [(1, 5), (2, 7), (3, 1)], 12),
    "deleted":                  ((ORDER_DELETE, BID, 100, 0, 2), [(1, 5), (3, 1)], 5),
    "added again, goes last":   ((ORDER_ADD, BID, 100, 2, 1), [(2, 7), (3, 1), (1, 2)], 7),
    "moved to another price":   ((ORDER_ADD, BID, 99, 2, 1), [(2, 7), (3, 1)], 7),
    "a stranger is deleted":    ((ORDER_DELETE, BID, 100, 5, 77), [(1, 5), (2, 7), (3, 1)], 12),
    "a level is set":           ((LEVEL_SET, BID, 100, 1, 0), [(1, 5), (2, 7), (3, 1)], 12),
    "a level is deleted":       ((LEVEL_DELETE, BID, 100, 0, 0), [(1, 5), (2, 7), (3, 1)], 12),
}  # fmt: skip


@pytest.mark.parametrize(("row", "queue", "ahead"), CHANGES.values(), ids=CHANGES)
def test_what_rows_do_to_a_queue(row, queue, ahead):
    teller = crowded()
    teller.tell(row)
    book = teller.book
    assert book.orders_at(BID, 100) == queue
    assert book.ahead_of(3) == ahead
    assert book.size_at(BID, 100) == sum(size for _, size in queue)
    assert book.unknown_orders == (row[4] == 77)


STATES = {
    "orders without a snapshot": ([((ORDER_ADD, BID, 1, 1, 1),)], BOOK_EMPTY),
    "an empty snapshot":         ([(SNAPSHOT,)], BOOK_GOOD),
    "a snapshot of levels":      ([(SNAPSHOT, (LEVEL_SET, BID, 1, 1))], BOOK_EMPTY),
    "a gap":                     ([(SNAPSHOT, (ORDER_ADD, BID, 1, 1, 1)), ((GAP, 0, 0, 0),)], BOOK_STALE),
    "levels heal no gap":        ([(SNAPSHOT,), ((GAP, 0, 0, 0),), (SNAPSHOT, (LEVEL_SET, BID, 1, 1))], BOOK_STALE),
    "orders do":                 ([(SNAPSHOT,), ((GAP, 0, 0, 0),), (SNAPSHOT, (ORDER_ADD, BID, 1, 1, 1))], BOOK_GOOD),
    "crossed":                   ([(SNAPSHOT, (ORDER_ADD, BID, 3, 1, 1), (ORDER_ADD, OFFER, 3, 1, 2))], BOOK_SUSPECT),
    "crossed and executed":      ([(SNAPSHOT, (ORDER_ADD, BID, 3, 1, 1), (ORDER_ADD, OFFER, 3, 2, 2)),
                                   ((ORDER_EXECUTE, BID, 3, 1, 1),)], BOOK_GOOD),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "status"), STATES.values(), ids=STATES)
def test_status(messages, status):
    teller = Teller()
    for message in messages:
        teller.tell(*message)
    assert teller.book.status == status


def test_apply_says_whether_the_best_quotes_moved():
    teller = crowded()
    assert teller.tell((ORDER_ADD, BID, 99, 1, 10)) is False
    assert teller.tell((ORDER_REDUCE, BID, 100, 1, 2)) is True
    assert teller.tell((ORDER_DELETE, BID, 99, 1, 10)) is False
    assert teller.tell((TRADE, BID, 102, 1, 0)) is False
    assert teller.tell((ORDER_EXECUTE, OFFER, 102, 4, 9)) is True
    assert (teller.book.best_offer, teller.book.best_offer_size, teller.book.is_good()) == (0, 0, False)
    assert teller.book.messages == 5


BAD = [(0, 5, 1), (3, 5, 1), (BID, 0, 1), (BID, -4, 1), (BID, MAX_STEPS + 1, 1), (BID, 5, 0), (BID, 100, MAX_STEPS)]


@pytest.mark.parametrize(("side", "price", "size"), BAD)
def test_an_order_that_no_book_can_hold_makes_it_stale(side, price, size):
    teller = crowded()
    with pytest.raises(InputError, match=r"row 5: a level should have .*; the book is stale until the next snapshot"):
        teller.tell((ORDER_ADD, side, price, size, 20))
    assert teller.book.status == BOOK_STALE


def test_rows_that_are_not_there_are_refused():
    teller = crowded()
    for first, last in ((-1, 1), (0, 6)):
        with pytest.raises(InputError, match="should lie within the 5 rows"):
            teller.book.apply(teller.buffer, first, last)


def test_the_queue_equals_a_plain_list_of_orders():
    """Random orders over a few prices, held against a list in the order of arrival."""
    dice = random.Random(4)
    teller = Teller()
    teller.tell(SNAPSHOT)
    book = teller.book
    plain: list[list[int]] = []  # id, side, price, size
    for number in range(1, 1500):
        if dice.random() < 0.5 or not plain:
            side = dice.choice((BID, OFFER))
            price = 100 - dice.randint(0, 6) if side == BID else 101 + dice.randint(0, 6)
            plain.append([number, side, price, dice.randint(1, 9)])
            teller.tell((ORDER_ADD, side, price, plain[-1][3], number))
        else:
            one = dice.choice(plain)
            taken = dice.randint(1, one[3])
            is_end = taken == one[3]
            kind = dice.choice((ORDER_REDUCE, ORDER_EXECUTE, *((ORDER_DELETE,) if is_end else ())))
            teller.tell((kind, one[1], one[2], taken, one[0]))
            one[3] -= taken
            if is_end:
                plain.remove(one)
        side, price = dice.choice((BID, OFFER)), 94 + dice.randint(0, 13)
        here = [(one[0], one[3]) for one in plain if one[1:3] == [side, price]]
        assert book.orders_at(side, price) == here
        assert (book.order_count(side, price), book.size_at(side, price)) == (len(here), sum(size for _, size in here))
        if plain:
            one = dice.choice(plain)
            older = [other[3] for other in plain[: plain.index(one)] if other[1:3] == one[1:3]]
            assert book.ahead_of(one[0]) == sum(older)
    assert book.level_count(BID) == len({one[2] for one in plain if one[1] == BID})


def test_the_view_hands_order_rows_to_a_book_that_wants_them_and_to_no_other():
    rows = TapeBuffer(16)
    rows.append(5, 5, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, 0))
    rows.append(5, 5, 99, 2, 1, pack(ORDER_ADD, BID, 0, 0))
    rows.append(5, 5, 101, 2, 2, pack(ORDER_ADD, OFFER, 0, 0))
    rows.mark_last()
    rows.append(6, 6, 100, 1, 3, pack(ORDER_ADD, BID, 0, 0))
    rows.mark_last()
    by_order, by_level = View(PLAIN, 0, ByOrderBook()), View(PLAIN, 0, Ladder())
    for view in (by_order, by_level):
        view.on_message(rows, 0, 3, 5)
        view.on_message(rows, 3, 4, 6)
    assert (by_order.is_book_good, by_order.book.best_bid, by_order.best_moved) == (True, 100, True)
    assert (by_level.is_book_good, by_level.book.best_bid) == (False, 0)


COVERAGE = {  # rows of the tape, the book, what is said
    "orders for levels":  (ORDER_ADD, Ladder, r'single orders of .* only, no levels: set book = "orders" under'),
    "levels for orders":  (LEVEL_SET, ByOrderBook,
                           r'levels of .* only, no single orders: leave book out, or set book = "ladder" under'),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "book", "said"), COVERAGE.values(), ids=COVERAGE)
def test_a_tape_that_holds_something_else_is_told_apart(kind, book, said):
    rows = TapeBuffer(16)
    rows.append(5, 5, 99, 2, 1, pack(kind, BID, 0, 0))
    rows.mark_last()
    with pytest.raises(ConfigError, match=said):
        require_books(MemoryTape((PLAIN,), rows), [View(PLAIN, 0, book())], "bt.toml: feeds.market")
    other = {Ladder: ByOrderBook, ByOrderBook: Ladder}[book]
    require_books(MemoryTape((PLAIN,), rows), [View(PLAIN, 0, other())], "bt.toml: feeds.market")
