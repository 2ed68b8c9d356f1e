"""The cursor loses no row and repeats none, wherever a page ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.fetching.paging import Ask, TimeCursor

Row = tuple[int, str]


def service(rows: list[Row], most: int = 10**9):
    """Return a service over *rows* that answers as such services do: from a time on, sorted, at most a limit."""
    asked: list[Ask] = []

    def fetch(ask: Ask) -> list[Row]:
        asked.append(ask)
        return [row for row in sorted(rows, key=lambda row: row[0]) if row[0] >= ask.start][: min(ask.limit, most)]

    return fetch, asked


def walked(rows: list[Row], start: int, end: int, limit: int, most: int) -> list[Row]:
    fetch, _ = service(rows, most)
    cursor = TimeCursor[Row](start, end, lambda row: row[0], lambda row: row[1], limit=limit, most=most)
    return list(cursor.walk(fetch))


def test_a_page_that_ends_inside_a_millisecond_neither_loses_nor_repeats():
    rows = [(100, "a"), (101, "b"), (101, "c"), (102, "d"), (102, "e"), (103, "f")]
    assert walked(rows, 0, 1000, 3, 3) == rows


@pytest.mark.parametrize("same", [3, 4, 5, 7, 11])
def test_more_rows_of_one_millisecond_than_a_page_holds_are_asked_for_with_a_larger_limit(same):
    rows = [(99, "x"), *((100, str(number)) for number in range(same)), (101, "y")]
    assert walked(rows, 0, 1000, 3, 100) == rows


def test_where_no_larger_limit_is_allowed_the_walk_stops_with_an_error_instead_of_losing_rows():
    rows = [(100, str(number)) for number in range(4)] + [(101, "y")]
    with pytest.raises(InputError, match="3 rows or more share the time 100"):
        walked(rows, 0, 1000, 3, 3)


def test_the_end_is_not_part_of_the_walk():
    rows = [(9, "0"), (10, "a"), (19, "b"), (20, "c"), (21, "d")]
    assert walked(rows, 10, 20, 2, 2) == [(10, "a"), (19, "b")]
    assert walked(rows, 20, 20, 2, 2) == []


def test_a_service_that_does_not_sort_is_refused():
    cursor = TimeCursor[Row](0, 100, lambda row: row[0], lambda row: row[1])
    with pytest.raises(InputError, match="sorted by time, oldest first"):
        cursor.take([(5, "a"), (4, "b")])


@given(
    times=st.lists(st.integers(0, 12), max_size=60),
    start=st.integers(0, 13),
    length=st.integers(1, 14),
    limit=st.integers(1, 8),
)
def test_every_row_of_the_interval_comes_once_and_in_order(times, start, length, limit):
    rows = sorted((time, f"{number}") for number, time in enumerate(times))
    expected = [row for row in rows if start <= row[0] < start + length]
    assert walked(rows, start, start + length, limit, 64) == expected
