"""A view with signals under a market that a test tells, and random markets told in more or fewer messages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quotewright.kernel.book import BookModel
from quotewright.kernel.codes import (
    BEST_QUOTE,
    BID,
    GAP,
    LAST_BIT,
    LEVEL_SET,
    OFFER,
    ORDER_ADD,
    RESYNC,
    SNAPSHOT_BEGIN,
    TRADE,
    pack,
)
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.view import View
from quotewright.model.instrument import Instrument
from tests.framework.kernel.stage import BUY, PLAIN, SECOND, SELL

Row = tuple[int, int, int, int]  # kind, side, price, size
Message = tuple[int, list[Row]]


class Told:
    """One instrument's view with *signals*, started at 0; every call is one message, received as it happens."""

    def __init__(self, *signals: Any, model: type[BookModel] = Ladder, instrument: Instrument = PLAIN) -> None:
        self.view = View(instrument, 0, model())
        self.signals = [self.view.add_signal(signal) for signal in signals]
        self.view.start(0)

    @property
    def signal(self) -> Any:
        return self.signals[0]

    def message(self, at: int, rows: Sequence[Row], event: int | None = None) -> Told:
        buffer = TapeBuffer(len(rows))
        for number, (kind, side, price, size) in enumerate(rows):
            id = number if kind == ORDER_ADD else 0
            buffer.append(at if event is None else event, at, price, size, id, pack(kind, side, 0, 0))
        buffer.mark_last()
        assert buffer.words[buffer.count * 6 - 1] & LAST_BIT
        self.view.on_message(buffer, 0, buffer.count, at)
        return self

    def row(self, at: int, kind: int, side: int, price: int, size: int) -> Told:
        return self.message(at, [(kind, side, price, size)])

    def snapshot(self, at: int, book: Mapping[int, Sequence[tuple[int, int]]]) -> Told:
        """Let the book be *book*; a model of best quotes is told the best of each side."""
        if self.view.book.wants_quotes:
            sides = ((side, book.get(side, [(0, 0)])) for side in (BID, OFFER))
            return self.message(at, [(BEST_QUOTE, side, *levels[0]) for side, levels in sides])
        kind = ORDER_ADD if self.view.book.wants_orders else LEVEL_SET
        rows = [(kind, side, *level) for side, levels in book.items() for level in levels]
        return self.message(at, [(RESYNC, 0, 0, 0), (SNAPSHOT_BEGIN, 0, 0, 0), *rows])

    def quote(self, at: int, bid: int, bid_size: int, offer: int, offer_size: int) -> Told:
        return self.snapshot(at, {BID: [(bid, bid_size)], OFFER: [(offer, offer_size)]})

    def level(self, at: int, side: int, price: int, size: int) -> Told:
        return self.row(at, LEVEL_SET, side, price, size)

    def gap(self, at: int) -> Told:
        return self.row(at, GAP, 0, 0, 0)

    def prints(self, *prints: tuple[int, int, int]) -> Told:
        """Tell prints ``(time, side, size)`` at 100."""
        for at, side, size in prints:
            self.row(at, TRADE, side, 100, size)
        return self


def books(view: View) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return view.book.levels(BID, -1), view.book.levels(OFFER, -1)


def market(seed: int, seconds: int, *, per_second: int = 8, levels: int = 6) -> list[Message]:
    """Return a random market around 10,000: a whole book again and again, level updates, sweeps of prints, gaps."""
    rng = random.Random(seed)
    mid = 10_000
    told: list[Message] = []
    now = 0
    while now < seconds * SECOND:
        now += rng.randrange(1, 2 * SECOND // per_second)
        what = rng.random()
        if what < 0.30 or not told:
            mid += rng.choice((-3, -1, -1, 0, 0, 1, 1, 3))
            half = rng.choice((1, 1, 2, 4))
            told.append((now, _whole(rng, mid, half, levels)))
        elif what < 0.60:
            side = rng.choice((BID, OFFER))
            away = rng.randrange(5, 12)
            size = rng.choice((0, rng.randrange(1, 60), rng.randrange(1, 60), 400))
            told.append((now, [(LEVEL_SET, side, mid - away if side == BID else mid + away, size)]))
        elif what < 0.98:
            side = rng.choice((BUY, SELL))
            reach = rng.randrange(1, 1 + rng.randrange(1, 9))
            prices = [mid + (step if side == BUY else -step) for step in range(1, reach + 1)]
            told.append((now, [(TRADE, side, price, 2 * rng.randrange(1, 30)) for price in prices]))
        else:
            told.append((now, [(GAP, 0, 0, 0)]))
    return told


def _whole(rng: random.Random, mid: int, half: int, levels: int) -> list[Row]:
    rows: list[Row] = [(RESYNC, 0, 0, 0), (SNAPSHOT_BEGIN, 0, 0, 0)]
    for step in range(levels):
        rows.append((LEVEL_SET, BID, mid - half - step, rng.randrange(1, 60)))
        rows.append((LEVEL_SET, OFFER, mid + half + step, rng.randrange(1, 60)))
    return rows


def split(told: Sequence[Message], seed: int) -> Iterator[Message]:
    """Yield the same market in at least twice as many messages.

    A whole book comes in two messages of one time, and again a little later; prints come one by one, each in two halves
    of its size; levels and gaps are repeated.
    """
    rng = random.Random(seed)
    for number, (at, rows) in enumerate(told):
        following = told[number + 1][0] if number + 1 < len(told) else at + 1
        later = at + rng.randrange(0, following - at)
        kind = rows[0][0]
        if kind == TRADE:
            for _, side, price, size in rows:
                yield at, [(TRADE, side, price, size // 2)]
                yield at, [(TRADE, side, price, size // 2)]
        elif kind == RESYNC:
            cut = rng.randrange(3, len(rows))
            yield at, rows[:cut]
            yield at, rows[cut:]
            yield later, rows
        else:
            yield at, rows
            yield later, rows


def quotes_only(told: Sequence[Message]) -> list[Message]:
    """Return the market as a stream of best quotes tells it: whole books become quotes, single levels are left out."""
    found: list[Message] = []
    for at, rows in told:
        if rows[0][0] == RESYNC:
            best = {side: (price, size) for _, side, price, size in reversed(rows) if side}
            found.append((at, [(BEST_QUOTE, side, *best[side]) for side in (BID, OFFER)]))
        elif rows[0][0] != LEVEL_SET:
            found.append((at, rows))
    return found
