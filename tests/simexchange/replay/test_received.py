"""A market received row by row fills like the tape that it becomes, when the feed's latency is one and the same."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from quotewright import binaries
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BID, BUY, NEVER, OFFER, RECEIVE, ROW_WORDS, SELL
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.source import RowSource
from quotewright.model.orders import AmendOrder, CancelOrder, NewOrder
from quotewright.tape.tape import MemoryTape
from quotewright.wiring import Market, VenueContext
from quotewright_simexchange.agents import MarketSettings
from quotewright_simexchange.latency import ConstantLatency
from quotewright_simexchange.local import Latencies, LocalExchange
from quotewright_simexchange.matching import received
from quotewright_simexchange.matching.queues import PowerQueue
from quotewright_simexchange.matching.received import ReceivedMarket
from quotewright_simexchange.matching.replay import ReplayVenue
from tests.simexchange.replay.support import PERP, Recording

FEED, ENTRY, RESPONSE = 70, 30, 90


def market(seed: int, count: int) -> Recording:
    """Write a market that is never crossed: levels, prints, a gap and its snapshot now and then."""
    chance = random.Random(seed)
    made = Recording(FEED)
    mid, now = 10_000, 1_000
    made.snapshot(now, {mid - n: 5 * n for n in range(1, 9)}, {mid + n: 5 * n for n in range(1, 9)})
    for _ in range(count):
        now += chance.choice((0, 1, 5, 40, 200))
        what = chance.random()
        if what < 0.45:
            made.bid(now, mid - chance.randint(1, 8), chance.choice((0, 3, 9, 20, 60)))
        elif what < 0.9:
            made.offer(now, mid + chance.randint(1, 8), chance.choice((0, 3, 9, 20, 60)))
        elif what < 0.985:
            side = chance.choice((BUY, SELL))
            made.trade(now, side, mid + 1 if side == BUY else mid - 1, chance.randint(1, 40))
        else:
            made.gap(now)
            mid += chance.randint(-3, 3)
            now += 100
            made.snapshot(now, {mid - n: 5 * n for n in range(1, 9)}, {mid + n: 5 * n for n in range(1, 9)})
    return made


def commands(seed: int, end: int) -> list[tuple[int, Any]]:
    chance = random.Random(seed)
    made: list[tuple[int, Any]] = []
    now, number = 1_200, 0
    while now < end:
        now += chance.randint(5, 400)
        number += 1
        side = chance.choice((BUY, SELL))
        away = chance.randint(-1, 4)
        price = 10_000 - away if side == BUY else 10_000 + away
        made.append((now, new(number, side, price, chance.randint(1, 12), chance.random() < 0.3)))
        if chance.random() < 0.5:
            older = chance.randint(1, number)
            made.append((now + 1, CancelOrder(order_number=older, instrument=0)))
        elif chance.random() < 0.3:
            amended = chance.randint(1, number)
            quantity = chance.randint(1, 9)
            command = AmendOrder(order_number=amended, instrument=0, price_ticks=price, quantity_lots=quantity)
            made.append((now + 2, command))
            now += 2
    return sorted(made, key=lambda item: item[0])


def new(number: int, side: int, price: int, quantity: int, post_only: bool = False) -> NewOrder:
    return NewOrder(
        order_number=number, instrument=0, side=side, price_ticks=price, quantity_lots=quantity, post_only=post_only
    )


def reports_of(venue: Any, rows: TapeBuffer, sent: list[tuple[int, Any]], feed: TapeBuffer | None) -> list[Any]:
    """Drive *venue* as a pipeline does, row after row; *feed* is the buffer it reads, filled as rows come in."""
    found: list[Any] = []
    at, place = 0, 0
    end = rows.words[(rows.count - 1) * ROW_WORDS + RECEIVE] + 1_000
    while True:
        row_ns = rows.words[at * ROW_WORDS + RECEIVE] if at < rows.count else NEVER
        send_ns = sent[place][0] if place < len(sent) else NEVER
        now = min(row_ns, send_ns, end)
        if feed is not None and row_ns == now:
            # All that is received at one time becomes ready together.
            while at < rows.count and rows.words[at * ROW_WORDS + RECEIVE] == now:
                feed.append(*rows.words[at * ROW_WORDS : (at + 1) * ROW_WORDS])
                at += 1
        elif row_ns == now:
            at += 1
        while True:
            known = venue.run(now)
            if known == NEVER:
                break
            found += venue.take_reports(known)
        if row_ns == now:
            continue
        if now == end:
            return found
        venue.submit(sent[place][1], now)
        place += 1


def described(reports: list[Any], shift: int) -> list[tuple[Any, ...]]:
    return [
        (
            type(report).__name__,
            report.order_number,
            report.event_ns - shift,
            report.receive_ns,
            getattr(report, "price_ticks", 0),
            getattr(report, "quantity_lots", 0),
            getattr(report, "leaves_lots", 0),
            getattr(report, "is_maker", None),
            getattr(report, "fee", 0),
            getattr(report, "reason", ""),
        )
        for report in reports
    ]


@pytest.mark.parametrize("seed", range(12))
def test_a_received_market_fills_like_the_tape_it_becomes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if binaries.form() == "interpreted" and seed % 2:
        monkeypatch.setattr(received, "EMPTIED_ROWS", 1)
    recording = market(seed, 700)
    rows = recording.buffer
    sent = commands(seed, rows.words[(rows.count - 1) * ROW_WORDS])
    fees = (Decimal("-0.0001"), Decimal("0.0005"))
    replay = ReplayVenue(PowerQueue(2.0, 1), ConstantLatency(ENTRY, RESPONSE), *fees)
    replay.attach((PERP,), MemoryTape((PERP,), rows))
    live = ReceivedMarket(PowerQueue(2.0, 1), ConstantLatency(FEED + ENTRY, RESPONSE - FEED), *fees)
    tapped = TapeBuffer(8)
    live.receive((PERP,), tapped)
    expected = described(reports_of(replay, rows, sent, None), 0)
    assert described(reports_of(live, rows, sent, tapped), FEED) == expected
    assert sum(kind == "Fill" for kind, *_ in expected) > 20
    on_tape = ReceivedMarket(PowerQueue(2.0, 1), ConstantLatency(FEED + ENTRY, RESPONSE - FEED), *fees)
    on_tape.receive((PERP,), rows)
    assert described(reports_of(on_tape, rows, sent, None), FEED) == expected


class Shared(RowSource):
    """A source that can be tapped."""

    def __init__(self) -> None:
        super().__init__()
        self.taps: list[TapeBuffer] = []

    def tap(self, buffer: TapeBuffer) -> bool:
        self.taps.append(buffer)
        return True


def context(source: RowSource, tape: MemoryTape | None = None) -> VenueContext:
    return VenueContext(
        name="paper",
        where="paper.toml: venues.paper",
        instruments=(PERP,),
        tape=tape,
        seed=1,
        start_ns=0,
        market=Market(source=source, instruments=(PERP,), start_ns=0),
    )


def test_the_local_exchange_fills_against_the_rows_of_another_feed() -> None:
    exchange = LocalExchange(latency=Latencies(feed="0ms", entry="0ms", response="0ms"))
    source = Shared()
    exchange.connect(context(source))
    (rows,) = source.taps
    recording = Recording()
    recording.buffer = rows
    recording.snapshot(10, {9_999: 4}, {10_001: 4})
    assert exchange.run(10) == NEVER
    exchange.submit(new(1, BUY, 9_999, 3), 20)
    assert exchange.run(20) == 20
    assert [type(report).__name__ for report in exchange.take_reports(20)] == ["Accepted"]
    recording.trade(30, SELL, 9_999, 6)
    assert exchange.run(30) == 30
    (fill,) = exchange.take_reports(30)
    assert (fill.price_ticks, fill.quantity_lots, fill.leaves_lots, fill.is_maker) == (9_999, 2, 1, True)
    assert exchange.figures()["fills"] == 1
    assert any("Queue model" in sentence for sentence in exchange.assumptions())
    assert exchange.assumptions()[0].startswith("The live market does not see our orders")


def test_a_feed_that_shares_no_rows_is_named() -> None:
    with pytest.raises(ConfigError, match=r"venues\.paper: the rows of this run's feed cannot be shared"):
        LocalExchange().connect(context(RowSource()))


@pytest.mark.parametrize("key", ["balance", "market"])
def test_keys_of_its_own_market_are_refused_with_another_feed(key: str) -> None:
    given: dict[str, Any] = {"balance": {"USDT": Decimal(5)}, "market": MarketSettings(makers=3)}
    with pytest.raises(ConfigError, match=rf"venues\.paper\.{key}: this key is of the exchange's own market"):
        LocalExchange(**{key: given[key]}).connect(context(Shared()))


def test_the_local_exchange_reads_a_recorded_run_in_the_order_of_receipt() -> None:
    recording = Recording(FEED).snapshot(10, {9_999: 4}, {10_001: 4}).trade(400, SELL, 9_998, 6)
    exchange = LocalExchange(latency=Latencies(feed="0ms", entry="0ms", response="0ms"))
    exchange.connect(context(RowSource(), MemoryTape((PERP,), recording.buffer)))
    exchange.submit(new(1, BUY, 9_999, 3), 100)
    assert exchange.run(100) == 100
    exchange.take_reports(100)
    assert exchange.run(400 + FEED) == 400 + FEED
    assert [report.receive_ns for report in exchange.take_reports(400 + FEED)] == [400 + FEED]
    assert (BID, OFFER) == (BUY, SELL)
