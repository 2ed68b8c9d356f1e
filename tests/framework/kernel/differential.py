"""Two book models side by side on the same rows, and seeded flows of rows that are hard on a book."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection

from quotewright.kernel.book import MAX_STEPS, BookModel
from quotewright.kernel.codes import (
    BID,
    GAP,
    INSTRUMENT_SHIFT,
    LAST_BIT,
    LEVEL_DELETE,
    LEVEL_SET,
    OFFER,
    RESYNC,
    ROW_WORDS,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import Rows, TapeBuffer
from quotewright_plugins.books.sorted_book import SortedBook

DEPTH_EVERY = 1000


def compare_books(
    rows: Rows,
    instruments: Collection[int],
    first: Callable[[], BookModel] = Ladder,
    second: Callable[[], BookModel] = SortedBook,
) -> int:
    """Apply *rows* to two models, message by message; return how many rows were compared.

    After each message best prices, best sizes, status, counters and the answer of ``apply`` must be equal, and every
    thousandth message of an instrument, and at the end, the whole depth. Rows of other instruments are passed over.
    """
    pairs = {instrument: (first(), second()) for instrument in instruments}
    words = rows.words
    compared = start = 0
    for row in range(rows.count):
        word = words[row * ROW_WORDS + 5]
        if not word & LAST_BIT:
            continue
        pair = pairs.get(word >> INSTRUMENT_SHIFT)
        if pair is not None:
            one, other = pair
            answers = (one.apply(rows, start, row + 1), other.apply(rows, start, row + 1))
            assert answers[0] == answers[1], f"message of rows {start} to {row}: moved {answers}"
            if state(one) != state(other):
                raise AssertionError(f"message of rows {start} to {row}: {state(one)} against {state(other)}")
            if one.messages % DEPTH_EVERY == 0:
                compare_depth(one, other, f"after row {row}")
            compared += row + 1 - start
        start = row + 1
    for instrument, (one, other) in pairs.items():
        compare_depth(one, other, f"instrument {instrument} at the end")
    return compared


def state(book: BookModel) -> tuple[int, ...]:
    """Return everything that can be compared in constant time."""
    return (
        book.best_bid,
        book.best_bid_size,
        book.best_offer,
        book.best_offer_size,
        book.status,
        book.messages,
        book.crossings,
        book.dropped,
    )


def compare_depth(one: BookModel, other: BookModel, where: str) -> None:
    """Assert that both books hold the same levels and measure them alike."""
    for side in (BID, OFFER):
        assert one.level_count(side) == other.level_count(side), f"{where}: side {side}"
        assert one.levels(side, -1) == other.levels(side, -1), f"{where}: side {side}"
        assert one.levels(side, 7) == other.levels(side, 7), f"{where}: side {side}"
        assert one.volume(side, 5) == other.volume(side, 5), f"{where}: side {side}"
        assert one.volume(side, -1) == other.volume(side, -1), f"{where}: side {side}"
    assert one.is_partial == other.is_partial, where
    assert one.weighted_mid() == other.weighted_mid(), where
    assert one.spread_bps() == other.spread_bps(), where
    assert one.imbalance(3) == other.imbalance(3), where
    assert one.imbalance_within(25.5) == other.imbalance_within(25.5), where


class Flow:
    """Writes messages of one instrument into a buffer, as text would come from a venue: levels in any order."""

    def __init__(self, instrument: int = 0) -> None:
        self.instrument = instrument
        self.buffer = TapeBuffer(16)
        self.time = 0

    def message(self, *rows: tuple[int, int, int, int]) -> None:
        """Add a message of ``(kind, side, price, size)`` rows."""
        self.time += 1
        for kind, side, price, size in rows:
            self.buffer.append(self.time, self.time, price, size, 0, pack(kind, side, 0, self.instrument))
        if rows:
            self.buffer.mark_last()


def random_flow(seed: int, messages: int, mid: int, spread: int) -> TapeBuffer:
    """Return a flow around a walking *mid*: near and far levels, deletions of unknown ones, wipes, gaps, crossings."""
    dice = random.Random(seed)
    flow = Flow()
    used: list[tuple[int, int]] = []
    for number in range(messages):
        rows: list[tuple[int, int, int, int]] = []
        chance = dice.random()
        if number == 3 or chance < 0.01:
            rows.append((RESYNC, 0, 0, 0))
            rows.append((SNAPSHOT_BEGIN, 0, 0, 0))
            used.clear()
        elif chance < 0.015:
            rows.append((GAP, 0, 0, 0))
        elif chance < 0.02:
            # Every level that was ever named goes: the book is wiped.
            rows += [(LEVEL_DELETE, side, price, 0) for side, price in used]
            used.clear()
        elif chance < 0.03:
            # The market jumps by many windows.
            mid += dice.choice([-1, 1]) * spread * 40
        elif chance < 0.05:
            rows.append((TRADE, dice.choice([0, BID, OFFER]), mid, 1))
        mid = min(max(mid + dice.randint(-spread // 8 - 1, spread // 8 + 1), 1), MAX_STEPS)
        for _ in range(dice.randint(0, 10)):
            side = dice.choice([BID, OFFER])
            if used and dice.random() < 0.35:
                side, price = dice.choice(used)
                rows.append((LEVEL_DELETE, side, price, 0))
                continue
            away = dice.randint(-2, spread) if dice.random() < 0.95 else dice.randint(0, 60 * spread)
            price = min(max(mid - away if side == BID else mid + away, 1), MAX_STEPS)
            kind = dice.choice([LEVEL_SET, LEVEL_SET, LEVEL_SET, LEVEL_DELETE])
            rows.append((kind, side, price, dice.choice([0, 1, 2, 5, 1000, MAX_STEPS])))
            used.append((side, price))
        flow.message(*rows)
    return flow.buffer
