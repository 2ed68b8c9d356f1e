"""Rows of the catalogue where a live feed meets what stands behind it: books, simulated fills, terms, queues."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from quotewright.feed import MINUTE, BookState
from quotewright.kernel.codes import BUY, LAST_BIT, NEVER, ROW_WORDS
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.view import View
from quotewright.live.driver import LiveFeed
from quotewright.live.market import LiveMarket
from quotewright.live.orders import OpenSocket
from quotewright.live.settings import LiveSettings
from quotewright.live.several import LiveFeeds
from quotewright.model.orders import Fill, NewOrder
from quotewright.runtime.paper_live import LiveRun
from quotewright.wiring import Market
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.matching.queues import QueueModel
from quotewright_simexchange.matching.received import ReceivedMarket
from tests.faults.dialects import HERE, SECOND, Dialect, Frame, Levels
from tests.faults.live import Live
from tests.framework.kernel.stage import Run, Told, touch
from tests.framework.live.feeds import VirtualTime, consume
from tests.framework.live.toy import Book, ToyAdapter, ToyWire, instrument, session_of

EVERY = pytest.mark.parametrize("dialect", HERE.values(), ids=HERE)


class Shown:
    """A live feed whose rows go into a book, as the pipeline of a run puts them there."""

    def __init__(self, dialect: Dialect, **keys: Any) -> None:
        self.live = Live(dialect, **keys)
        self.dialect = dialect
        self.seq = 500
        self.view = View(instrument(dialect.symbol), 0, Ladder())
        session = SimpleNamespace(wired=SimpleNamespace(views=[self.view], venues={}), now_ns=0)
        clock: Any = SimpleNamespace(now_ns=lambda: self.live.now_ns)
        rows = Market(source=self.live.source, instruments=(self.view.instrument,), start_ns=0)
        market = LiveMarket(feed=LiveFeed(self.live.session, clock), source=self.live.source, market=rows)
        self.session = session
        self.run = LiveRun(session, LiveFeeds({"live": market}), None, None)  # type: ignore[arg-type]

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
        self.run.look_for_crossed()
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


class Trading(Shown):
    """A live feed whose rows drive a real pipeline with a strategy that quotes two lots at the touch."""

    def __init__(self, dialect: Dialect, act: Any = touch) -> None:
        super().__init__(dialect, refresh="1m", silence="0s")
        self.known = instrument(dialect.symbol)
        self.run_ = Run(SimpleNamespace(source=lambda: self.live.source), Told(act, best=True))  # type: ignore[arg-type]
        self.live.adapter.instruments = lambda body: [] if self.known is None else [self.known]
        self.image([("99.90", "5")], [("100.10", "5")])

    def look(self) -> None:
        self.run_.until(self.live.now_ns + 500_000)

    def refresh(self, **changed: Any) -> int:
        """Let the venue list the instrument as *changed* from its next refresh on; return when it was as before."""
        self.known = attrs.evolve(self.known, **changed) if changed else None  # type: ignore[assignment]
        live = self.live
        live.on_fetch = lambda fetch: live.session.answered(fetch.ticket, 200, {}, b"{}", live.now_ns)
        since_ns = live.now_ns + SECOND
        live.at(live.now_ns + MINUTE)
        live.on_fetch = live.fetches.append
        self.look()
        return since_ns

    def sent(self, after_ns: int) -> list[str]:
        return [text.partition(" ")[2] for text in self.run_.sent() if int(text.split()[0]) >= after_ns]

    def live_orders(self) -> list[tuple[int, int]]:
        return sorted((price, quantity) for _, price, quantity, _ in self.run_.venue.resting.values())


@EVERY
def test_m18_a_tick_and_a_lot_that_the_refresh_finds_changed_move_orders_onto_the_new_grid(dialect: Dialect) -> None:
    trading = Trading(dialect)
    assert trading.live_orders() == [(9_990, 2), (10_010, 2)]
    since_ns = trading.refresh(tick_steps=20)
    assert trading.sent(since_ns)[:2] == ["cancel 1", "cancel 2"]
    trading.update([("99.85", "3")], [("100.15", "3")])
    trading.update([("99.95", "3")], [("100.05", "3")])
    assert trading.live_orders() == [(9_980, 2), (10_020, 2)]
    trading.refresh(lot_steps=2, tick_steps=20)
    trading.update([("99.97", "3")], [("100.03", "3")])
    assert all(price % 20 == 0 and quantity % 2 == 0 for price, quantity in trading.live_orders())
    assert len(trading.live_orders()) == 2


@EVERY
@pytest.mark.parametrize("state", ["halted", "cancel_only", "delisted"])
def test_m19_a_state_that_the_refresh_finds_pulls_quotes_once_and_trading_brings_them_back(
    dialect: Dialect, state: str
) -> None:
    trading = Trading(dialect)
    assert len(trading.live_orders()) == 2
    since_ns = trading.refresh(**({"status": state} if state != "delisted" else {}))
    for number in range(20):
        trading.update([("99.95", f"{number + 1}")], [("100.05", "3")])
    assert trading.sent(since_ns) == ([] if state == "delisted" else ["cancel 1", "cancel 2"]), "no storm of rejects"
    if state == "delisted":  # a market that is closed takes no cancels either
        return
    trading.refresh(status="trading")
    trading.update([("99.96", "1")], [("100.04", "1")])
    assert trading.live_orders() == [(9_996, 2), (10_004, 2)]


@EVERY
def test_m19_post_only_lets_quotes_rest_and_takes_back_nothing(dialect: Dialect) -> None:
    trading = Trading(dialect)
    since_ns = trading.refresh(status="post_only")
    trading.update([("99.89", "1")], [])
    assert trading.sent(since_ns) == []
    assert len(trading.live_orders()) == 2


BURST = 100_000


@pytest.mark.parametrize("count", [BURST, pytest.param(10 * BURST, marks=pytest.mark.slow)])
def test_m21_a_million_messages_in_a_second_give_up_books_and_nothing_else(count: int) -> None:
    """We take one frame in a hundred while the burst lasts; prints and what is our own come through whole."""
    time = VirtualTime()
    adapter = ToyAdapter(channels=("book", "trades"))
    adapter.subscribe(["AUSDT"])
    settings = LiveSettings(answer_timeout="0s", queue_limit=5_000)
    session, source = session_of(adapter, ToyWire(settings), settings)
    feed = LiveFeed(session, time.clock)
    sent: list[Any] = []
    feed.transport = SimpleNamespace(carry_out=sent.extend)  # type: ignore[assignment]
    session.start(time.now_ns)
    for order in session.take_orders():
        if isinstance(order, OpenSocket):
            feed.connected(order.number)
            feed.opened(order.number)
    number = next(iter(session.lines))
    book = Book("AUSDT")
    feed.heard(number, book.full())
    feed.process()
    assert adapter.books["AUSDT"].state is BookState.SYNCHRONISED
    begun_ns = time.now_ns
    update, own, longest, prints, told = book.update(), [0], 0, 0, 0
    printed = book.trade()
    taken_rows = 0
    for place in range(count):
        time.pass_ns(SECOND // count)
        if place % 1_000 == 7:
            told += 1
            feed._put(number, lambda now: own.__setitem__(0, own[0] + 1))
        elif place % 50 == 3:
            prints += 1
            feed.heard(number, printed)
        else:
            feed.heard(number, update)
        if place % 100 == 99:
            feed.process(1)
            longest = max(longest, len(feed.queue))
        if place % 5_000 == 4_999:
            taken_rows += consume(source)
    assert time.now_ns - begun_ns <= SECOND
    # What may not be given up is the only thing that may make the queue longer than its limit.
    assert longest <= 5_000 + prints + told
    assert feed.queue.shed_frames > count // 2
    while len(feed.queue):
        feed.process()
        time.pass_ns(1_000)
        taken_rows += consume(source)
    assert own[0] == told, "not one report of our own was given up"
    assert feed.report()["streams"]["trades.AUSDT"]["messages"] == prints, "nor one print"
    assert feed.report()["longest_lag_ms"] > 100, "and the lag is told"
    assert feed.report()["shed_frames"] == feed.queue.shed_frames
    assert adapter.books["AUSDT"].state is BookState.STALE
    book.number += 1
    feed.heard(number, book.full())
    feed.process()
    assert adapter.books["AUSDT"].state is BookState.SYNCHRONISED
    feed.process()
    assert feed.report()["lag_ms"] == 0
