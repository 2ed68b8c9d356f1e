"""Ladder beside the sorted book and a plain SortedDict: whole messages in bulk, and one row a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.market import generate
from bench.measure import Candidate, Measured, Work, compare
from bench.peers import DictBook
from quotewright.kernel import codes
from quotewright.kernel.book import BookModel
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows
from quotewright_plugins.books.sorted_book import SortedBook

Records = np.ndarray[Any, np.dtype[Any]]


def level_rows(count: int, seed: int) -> tuple[Records, Records]:
    """Return the snapshot and about *count* level rows after it, in the messages of a generated market."""
    rows = generate(int(count * 1.5), seed)
    rows = rows[rows["kind"] <= codes.SNAPSHOT_BEGIN]
    snapshot = int(np.flatnonzero(rows["flags"] & codes.LAST)[0]) + 1
    ends = np.flatnonzero(rows["flags"] & codes.LAST) + 1
    end = int(ends[np.searchsorted(ends, min(snapshot + count, len(rows)))])
    return rows[:snapshot], rows[snapshot:end]


def as_rows(records: Records) -> Rows:
    """Return *records* as the rows that kernels read."""
    words: Any = np.ascontiguousarray(records).view(np.int64)
    return Rows(memoryview(words))


def best_of(book: BookModel) -> tuple[int, int]:
    return book.best_bid, book.best_offer


def bulk(count: int, seed: int, repeats: int) -> list[Measured]:
    """Whole messages in one call; the plain peer gets one list of tuples."""
    snapshot, updates = level_rows(count, seed)
    rows = as_rows(np.concatenate((snapshot, updates)))
    first, last = len(snapshot), len(snapshot) + len(updates)
    tuples = _tuples(updates)

    def model(kind: type[BookModel]) -> Work:
        book = kind()
        book.apply(rows, 0, first)

        def work() -> BookModel:
            book.apply_messages(rows, first, last, 0)
            return book

        return work

    def plain() -> Work:
        book = _plain(snapshot)

        def work() -> DictBook:
            book.apply_all(tuples)
            return book

        return work

    return compare(
        [
            Candidate(name="ladder", units=len(updates), prepare=lambda: model(Ladder), check=best_of, target_ns=20),
            Candidate(name="sorted book", units=len(updates), prepare=lambda: model(SortedBook), check=best_of),
            Candidate(name="SortedDict", units=len(updates), prepare=plain, check=DictBook.best),
        ],
        repeats,
    )


def calls(count: int, seed: int, repeats: int) -> list[Measured]:
    """One row a call from Python, and both best quotes read after each."""
    snapshot, updates = level_rows(count, seed)
    rows = as_rows(np.concatenate((snapshot, updates)))
    first, last = len(snapshot), len(snapshot) + len(updates)
    tuples = _tuples(updates)

    def model(kind: type[BookModel]) -> Work:
        book = kind()
        book.apply(rows, 0, first)

        def work() -> int:
            apply = book.apply
            total = 0
            for row in range(first, last):
                apply(rows, row, row + 1)
                total += book.best_bid + book.best_offer
            return total

        return work

    def plain() -> Work:
        book = _plain(snapshot)

        def work() -> int:
            apply, best = book.apply, book.best
            total = 0
            for side, price, size in tuples:
                apply(side, price, size)
                bid, offer = best()
                total += bid + offer
            return total

        return work

    return compare(
        [
            Candidate(name="ladder", units=len(updates), prepare=lambda: model(Ladder), check=int, target_ns=200),
            Candidate(name="sorted book", units=len(updates), prepare=lambda: model(SortedBook), check=int),
            Candidate(name="SortedDict", units=len(updates), prepare=plain, check=int),
        ],
        repeats,
    )


def _tuples(records: Records) -> list[tuple[int, int, int]]:
    return list(zip(records["side"].tolist(), records["price"].tolist(), records["size"].tolist(), strict=True))


def _plain(snapshot: Records) -> DictBook:
    book = DictBook()
    book.apply_all(_tuples(snapshot[1:]))
    return book
