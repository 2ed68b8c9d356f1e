"""What every shipped venue must keep of the contract in ``quotewright.kernel.venue``, under a storm of commands."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from quotewright.kernel.codes import BUY, IOC, NEVER, SELL
from quotewright.kernel.venue import Venue
from quotewright.model.orders import (
    Accepted,
    Amended,
    AmendOrder,
    Canceled,
    CancelOrder,
    CancelRejected,
    Command,
    Fill,
    NewOrder,
    Rejected,
    Report,
)
from quotewright.plugin.registry import PluginSet
from quotewright.tape.tape import TapeFile
from quotewright.wiring import FeedContext, Market, VenueContext
from quotewright_simexchange.local import LocalExchange
from quotewright_simexchange.record import record_market

SECONDS = 20
STEP_NS = 20_000_000
TABLES = {
    "simexchange": {"plugin": "simexchange", "balance": {"USDT": "100000", "BTC": "1"}},
    "replay": {"plugin": "replay", "latency": {"entry": "3ms", "response": "2ms"}, "taker_fee": "4 bps"},
}


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "tape"
    record_market(path, LocalExchange(), seed=3, seconds=SECONDS)
    return path


@attrs.define
class Storm:
    """Sends seeded commands to a venue and keeps every report with the time at which it was taken."""

    venue: Venue
    market: Market
    sent: list[tuple[int, Command]] = attrs.field(factory=list)
    taken: list[tuple[int, Report]] = attrs.field(factory=list)

    def run(self, seed: int) -> Storm:
        drawn = random.Random(seed)
        now_ns, number = self.market.start_ns, 0
        while now_ns < self.market.start_ns + (SECONDS - 1) * 1_000_000_000:
            now_ns += STEP_NS
            self.take(now_ns)
            number = self.send(drawn, number, now_ns)
        for _, command in list(self.sent):
            if isinstance(command, NewOrder):
                self.submit(CancelOrder(order_number=command.order_number, instrument=0), now_ns)
        self.take(now_ns + 1_000_000_000)
        return self

    def take(self, until_ns: int) -> None:
        source = self.market.source
        while True:
            known_ns = self.venue.run(until_ns)
            if source.first < source.last or source.fill(until_ns) != NEVER:
                source.first = source.last  # rows are not what is tested here
            if known_ns == NEVER:
                if source.fill(until_ns) == NEVER and self.venue.run(until_ns) == NEVER:
                    return
                continue
            reports = self.venue.take_reports(known_ns)
            assert reports, "a report was announced and none came"
            assert reports[0].receive_ns == known_ns
            self.taken.extend((known_ns, report) for report in reports)

    def send(self, drawn: random.Random, number: int, now_ns: int) -> int:
        instrument = self.market.instruments[0]
        middle = instrument.price_ticks(Decimal(60000))
        what = drawn.random()
        if what < 0.6:
            number += 1
            side = drawn.choice((BUY, SELL))
            is_taker = drawn.random() < 0.2
            away = drawn.randrange(-1500, 3000)
            self.submit(
                NewOrder(
                    order_number=number,
                    instrument=0,
                    side=side,
                    price_ticks=middle - away if side == BUY else middle + away,
                    quantity_lots=drawn.randrange(100, 4000),
                    time_in_force=IOC if is_taker else 0,
                    post_only=not is_taker and drawn.random() < 0.5,
                ),
                now_ns,
            )
        elif number and what < 0.85:
            self.submit(CancelOrder(order_number=drawn.randrange(1, number + 2), instrument=0), now_ns)
        elif number:
            self.submit(
                AmendOrder(
                    order_number=drawn.randrange(1, number + 1),
                    instrument=0,
                    price_ticks=middle + drawn.randrange(-2000, 2000),
                    quantity_lots=drawn.randrange(100, 4000),
                ),
                now_ns,
            )
        return number

    def submit(self, command: Command, now_ns: int) -> None:
        self.sent.append((now_ns, command))
        self.venue.submit(command, now_ns)

    def of(self, number: int) -> list[Report]:
        return [report for _, report in self.taken if report.order_number == number]


@pytest.fixture(params=TABLES)
def storm(request: pytest.FixtureRequest, tape: Path) -> Callable[[int], Storm]:
    plugins = PluginSet.discover()
    name = request.param

    def make(seed: int) -> Storm:
        venue = plugins.build("execution_venues", TABLES[name])
        opened = TapeFile.open(tape) if name == "replay" else None
        feed = plugins.build("feed_adapters", {"plugin": "tape" if opened else "simexchange"})
        market = feed.market(FeedContext(name="m", where="m", tape=opened, venues={"v": venue}, seed=5))
        venue.connect(
            VenueContext(
                name="v", where="v", instruments=market.instruments, tape=opened, seed=5, start_ns=market.start_ns
            )
        )
        return Storm(venue, market).run(seed)

    return make


def orders(run: Storm) -> list[NewOrder]:
    return [command for _, command in run.sent if isinstance(command, NewOrder)]


def test_reports_come_in_order_of_their_time_and_never_before_they_happened(storm):
    taken = storm(1).taken
    assert len(taken) > 300
    times = [report.receive_ns for _, report in taken]
    assert times == sorted(times)
    assert all(report.event_ns <= report.receive_ns <= taken_ns for taken_ns, report in taken)


def test_every_order_is_accepted_or_rejected_once_before_anything_else(storm):
    run = storm(2)
    for order in orders(run):
        first, *others = run.of(order.order_number)
        assert isinstance(first, Accepted | Rejected | CancelRejected), first
        firsts = [one for one in (first, *others) if isinstance(one, Accepted | Rejected)]
        assert len(firsts) == 1


def test_what_was_ordered_is_filled_cancelled_or_reduced_and_nothing_else(storm):
    run = storm(3)
    ended = 0
    for order in orders(run):
        reports = run.of(order.order_number)
        if any(isinstance(report, Rejected) for report in reports):
            assert not any(isinstance(report, Fill | Canceled) for report in reports)
            continue
        total = order.quantity_lots
        for report in reports:
            if isinstance(report, Amended):
                total = report.quantity_lots
        filled = sum(report.quantity_lots for report in reports if isinstance(report, Fill))
        cancelled = [report for report in reports if isinstance(report, Canceled)]
        assert len(cancelled) <= 1
        if cancelled and cancelled[0].reason == "amend_below_filled":
            continue
        assert filled + sum(report.leaves_lots for report in cancelled) == total
        ended += 1
    assert ended > 100


def test_fills_have_ids_of_their_own_and_end_with_the_order(storm):
    run = storm(4)
    fills = [report for _, report in run.taken if isinstance(report, Fill)]
    assert len(fills) > 20
    assert len({(fill.order_number, fill.fill_id) for fill in fills}) == len(fills)
    for order in orders(run):
        reports = run.of(order.order_number)
        ends = [number for number, report in enumerate(reports) if isinstance(report, Canceled)]
        if ends:
            assert not any(isinstance(report, Fill) for report in reports[ends[0] :])


def test_a_post_only_order_never_takes_and_an_immediate_one_never_rests(storm):
    run = storm(5)
    kinds = {order.order_number: order for order in orders(run)}
    fills = [report for _, report in run.taken if isinstance(report, Fill)]
    assert any(not fill.is_maker for fill in fills)
    assert any(fill.is_maker for fill in fills)
    for fill in fills:
        order = kinds[fill.order_number]
        amended = any(isinstance(report, Amended) for report in run.of(fill.order_number))
        assert fill.is_maker or not order.post_only or amended
        assert not (fill.is_maker and order.time_in_force == IOC)


def test_an_order_never_fills_at_a_worse_price_than_its_own(storm):
    run = storm(6)
    for order in orders(run):
        price_ticks = order.price_ticks
        for report in run.of(order.order_number):
            if isinstance(report, Amended):
                price_ticks = report.price_ticks
            elif isinstance(report, Fill):
                better = price_ticks - report.price_ticks if order.side == BUY else report.price_ticks - price_ticks
                assert better >= 0


def test_a_cancel_of_what_is_not_there_is_rejected_not_raised(storm):
    run = storm(7)
    run.venue.submit(CancelOrder(order_number=999_999, instrument=0), run.sent[-1][0])
    run.take(run.sent[-1][0] + 2_000_000_000)
    assert isinstance(run.taken[-1][1], CancelRejected)
    assert run.taken[-1][1].reason in ("unknown_order", "order_closed")


def test_the_same_commands_give_the_same_reports(storm):
    assert storm(8).taken == storm(8).taken
