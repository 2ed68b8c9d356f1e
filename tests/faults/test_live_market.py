"""Rows of the catalogue where a live feed meets what stands behind it: books, simulated fills, terms, queues."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from quotewright.feed import BookState
from quotewright.kernel.codes import BUY, LAST_BIT, NEVER, ROW_WORDS
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.view import View
from quotewright.model.orders import Fill, NewOrder
from quotewright.runtime.paper_live import LiveRun
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.received import ReceivedMarket
from tests.faults.dialects import HERE, SECOND, Dialect, Frame, Levels
from tests.faults.live import Live
from tests.framework.live.toy import instrument

EVERY = pytest.mark.parametrize("dialect", HERE.values(), ids=HERE)


class Shown:
    """A live feed whose rows go into a book, as the pipeline of a run puts them there."""

    def __init__(self, dialect: Dialect) -> None:
        self.live = Live(dialect)
        self.dialect = dialect
        self.seq = 500
        self.view = View(instrument(dialect.symbol), 0, Ladder())
        session = SimpleNamespace(wired=SimpleNamespace(views=[self.view]), now_ns=0)
        clock = SimpleNamespace(now_ns=lambda: self.live.now_ns)
        market = SimpleNamespace(feed=SimpleNamespace(session=self.live.session, clock=clock))
        self.session = session
        self.run = LiveRun(session, market, "live", None, None)  # type: ignore[arg-type]

    def image(self, bids: Levels, asks: Levels) -> None:
        if self.live.adapter.recovers_by == "snapshot" and not any("depth" in f.request.url for f in self.live.fetches):
            self.update([bids[-1]], [])
        self.live.hear(self.dialect.image(self.dialect.symbol, self.seq, bids, asks))
        self.look()

    def update(self, bids: Levels, asks: Levels) -> None:
        self.live.at(self.live.now_ns + 1_000_000)
        self.live.hear(self.dialect.update(self.dialect.symbol, self.seq, self.seq + 1, bids, asks))
        self.seq += 1
        self.look()

    def look(self) -> None:
        """Bring the book up to date and look at it as a live run does once in a while."""
        source = self.live.source
        while source.fill(NEVER) != NEVER:
            words, last = source.buffer.words, source.first + 1
            while not words[last * ROW_WORDS - 1] & LAST_BIT:
                last += 1
            self.view.on_message(source.buffer, source.first, last, self.live.now_ns)
            source.first = last
        self.session.now_ns = self.live.now_ns
        self.run._look_for_crossed()
        self.live.pump()


def levels(first: int, step: int, count: int) -> Levels:
    return [(f"{first + step * number}.00", "1") for number in range(count)]


@EVERY
def test_m15_a_market_that_eats_all_known_levels_is_asked_for_its_book_again(dialect: Dialect) -> None:
    shown = Shown(dialect)
    live = shown.live
    shown.image(levels(2_000, -1, 1_000), levels(2_001, 1, 1_000))
    assert (live.state, shown.view.is_book_good) == (BookState.SYNCHRONISED, True)
    asked = len(live.recoveries())
    for number in range(995):
        shown.update([(f"{2_000 - number}.00", "0")], [])
        assert (live.adapter.counters.thin, live.state) == (0, BookState.SYNCHRONISED), number
    shown.update([("1005.00", "0")], [])
    assert live.adapter.counters.thin == 1, "four levels are left of a thousand"
    if dialect.feed == "deribit":  # tells whole books: nothing lies behind what is known
        assert (live.state, len(live.recoveries())) == (BookState.SYNCHRONISED, asked)
        return
    assert (live.state, len(live.recoveries())) == (BookState.STALE, asked + 1)
    shown.look()
    assert not shown.view.is_book_good, "not quoted on until the new image"
    shown.image(levels(1_004, -1, 900), levels(2_001, 1, 1_000))
    assert (live.state, shown.view.is_book_good) == (BookState.SYNCHRONISED, True)
    assert shown.view.book.level_count(1) + shown.view.book.level_count(2) == 1_900
    assert live.adapter.counters.thin == 1


UNKNOWN_SIDE = {
    "binance": (b'"m":true', b'"m":null'),
    "bybit": (b'"S":"Sell"', b'"S":"Unknown"'),
    "okx": (b'"side":"sell"', b'"side":"unknown"'),
    "deribit": (b'"direction":"sell"', b'"direction":"unknown"'),
}


def odd(dialect: Dialect, what: str, size: str, number: int) -> Frame:
    """Return a print at the bid with *what* wrong with it."""
    frame = dialect.trade(dialect.symbol, "100.00", "0" if what == "of nothing" else size, "sell", number)
    if what == "of an unknown side":
        old, new = UNKNOWN_SIDE[dialect.feed]
        assert old in frame.raw
        return Frame(frame.raw.replace(old, new))
    if what == "in the future":
        return Frame(frame.raw.replace(b"1700000000000", b"1900000000000"))
    return frame


def filled(dialect: Dialect, frames: list[Frame]) -> int:
    """Return how many lots of an order of 9 at the bid, alone at its price, are filled by the prints *frames*."""
    live = Live(dialect)
    if live.adapter.recovers_by == "snapshot":
        live.hear(dialect.update(dialect.symbol, 500, 501, [("98.00", "1")], []))
    live.hear(dialect.image(dialect.symbol, 500, [("99.00", "5")], [("101.00", "5")]))
    tapped = TapeBuffer(64)
    live.source.tap(tapped)
    venue = ReceivedMarket(QueueModel(), ConstantLatency(0, 0))
    venue.receive((instrument(dialect.symbol),), tapped)
    reports: list[Any] = []

    def go_on() -> None:
        while live.source.fill(NEVER) != NEVER:
            live.source.first = live.source.last
        while (known := venue.run(live.now_ns)) != NEVER:
            reports.extend(venue.take_reports(known))

    go_on()
    order = NewOrder(order_number=1, instrument=0, side=BUY, price_ticks=10_000, quantity_lots=9_000)
    venue.submit(order, live.now_ns + 1)
    for frame in frames:
        live.at(live.now_ns + SECOND // 10)
        live.hear(frame)
        go_on()
    live.at(live.now_ns + SECOND)
    go_on()
    return sum(report.quantity_lots for report in reports if isinstance(report, Fill))


@EVERY
@pytest.mark.parametrize("what", ["of an unknown side", "of nothing", "in the future", "plain"])
def test_m16_an_odd_print_fills_a_simulated_order_once_at_most(dialect: Dialect, what: str) -> None:
    once = filled(dialect, [odd(dialect, what, "2", 7)])
    assert once == {"of nothing": 0, "of an unknown side": once}.get(what, 2_000)
    assert once in (0, 2_000)
    twice = filled(dialect, [odd(dialect, what, "2", 7), odd(dialect, what, "2", 7)])
    assert twice == once, "the same print a second time is no second trade"
    both = filled(dialect, [odd(dialect, what, "2", 7), odd(dialect, "plain", "1", 8)])
    assert both == once + 1_000, "and what comes after it still counts"
