"""Rows in memory."""

from __future__ import annotations

from array import array

import pytest

from quotewright.kernel.codes import BID, EVENT_ESTIMATED, FLAG_SHIFT, IN_SNAPSHOT, LAST_BIT, LEVEL_SET, ROW_WORDS, pack
from quotewright.kernel.rows import Rows, TapeBuffer


def test_rows_count_what_the_buffer_holds():
    assert Rows(array("q", range(12))).count == 2
    assert Rows(array("q", range(12)), 1).count == 1
    with pytest.raises(ValueError, match="3 rows need 18 words, the buffer holds 12"):
        Rows(array("q", range(12)), 3)


def test_a_read_only_buffer_will_do():
    words = memoryview(array("q", range(6)).tobytes()).cast("q")
    assert Rows(words).words[5] == 5


def test_a_buffer_grows_and_keeps_its_rows():
    buffer = TapeBuffer(1)
    for number in range(100):
        buffer.append(number, number + 1, -number, 7, number, pack(LEVEL_SET, BID, IN_SNAPSHOT, 5))
    assert buffer.count == 100
    assert list(buffer.words[99 * ROW_WORDS : 100 * ROW_WORDS]) == [99, 100, -99, 7, 99, 5 << 32 | 2 << 16 | 1 << 8 | 1]


def test_an_empty_capacity_grows_too():
    buffer = TapeBuffer(0)
    buffer.append(1, 2, 3, 4, 5, 6)
    assert list(buffer.words[:ROW_WORDS]) == [1, 2, 3, 4, 5, 6]


def test_the_last_row_is_marked_and_rows_are_taken_back():
    buffer = TapeBuffer(4)
    with pytest.raises(ValueError, match="no row"):
        buffer.mark_last()
    buffer.append(1, 1, 1, 1, 1, 0)
    buffer.append(1, 1, 1, 1, 1, 0)
    buffer.mark_last()
    assert [buffer.words[5], buffer.words[11]] == [0, LAST_BIT]
    buffer.truncate(1)
    assert buffer.count == 1
    for count in (-1, 2):
        with pytest.raises(ValueError, match="truncate"):
            buffer.truncate(count)


def test_rows_of_another_buffer_are_added_whole() -> None:
    source = buffer_of((1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12), (13, 14, 15, 16, 17, 18))
    target = TapeBuffer(1)
    target.extend(source, 1, 3)
    target.extend(source, 0, 0)
    assert list(target.words[:12]) == [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    assert target.count == 2


def test_what_happened_after_its_receipt_is_put_at_its_receipt() -> None:
    buffer = buffer_of((30, 20, 1, 1, 1, 4), (10, 20, 1, 1, 1, 4), (21, 20, 1, 1, 1, 4))
    assert buffer.settle(1) == 1
    assert [buffer.words[at * 6] for at in range(3)] == [30, 10, 20]
    assert [buffer.words[at * 6 + 5] for at in range(3)] == [4, 4, 4 | EVENT_ESTIMATED << FLAG_SHIFT]
    assert buffer.settle(0) == 1


def buffer_of(*rows: tuple[int, int, int, int, int, int]) -> TapeBuffer:
    buffer = TapeBuffer(1)
    for row in rows:
        buffer.append(*row)
    return buffer
