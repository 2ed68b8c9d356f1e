"""The pipeline: inputs in their one order, nothing from the future, and a fault stays where it arose."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.kernel.codes import NEVER
from quotewright.kernel.rules import RiskRule
from quotewright.model.orders import Accepted, CancelOrder, CancelRejected, Fill, OrderState, RiskState
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from tests.framework.kernel.stage import BUY, PLAIN, SELL, Market, Notes, ObedientVenue, Run, Told, touch


class Watch(RiskRule):
    """Notes what it is told, and wakes every 100 ns."""

    wake_every_ns = 100

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def on_wake(self, view):
        self.notes.append(("rule", view.now_ns, view.known_mid2))


def test_at_one_time_rows_come_first_then_reports_then_timers():
    """A row, a report and all timers fall on 100; the rule, the sample, then the strategy see the row and the fill."""
    notes = Notes()
    events = notes.inputs

    def act(view, quotes):
        events.append(("strategy", view.now_ns, view.known_mid2))
        quotes.bid(50, 1)

    venue = ObedientVenue(latency=0)
    run = Run(
        Market().snapshot(1, 99, 101).bid(100, 100, 1), Told(act, every=50), Watch(events), venue=venue, sample=100
    )
    run.pipeline = type(run.pipeline)(run.pipeline.source, [run.view], [run.desk], run.gate, [venue], notes, 100)
    run.pipeline.start(0)
    run.until(99)
    del events[:]
    venue.script.append((100, venue.hit(BUY, 1)))
    run.until(100)
    assert events == [
        ("report", 100, "Fill"),
        ("strategy", 100, 201),  # on the fill; it quotes anew
        ("report", 100, "Accepted"),
        ("timer", 100, 0),
        ("rule", 100, 201),
        ("timer", 100, 1),
        ("sample", 100),
        ("timer", 100, 2),
        ("strategy", 100, 201),
    ]
    assert run.view.position_lots == 1


def test_several_rows_of_one_time_come_before_its_reports():
    venue = ObedientVenue(latency=50)
    run = Run(
        Market().snapshot(1, 99, 101).bid(100, 100, 1).offer(100, 102, 1).bid(101, 100, 3),
        Told(touch, best=True),
        venue=venue,
    )
    run.until(1)
    venue.script.append((50, venue.hit(BUY, 1)))
    run.until(100)
    assert run.pipeline.rows_consumed == 6
    assert run.notes.inputs[-1] == ("report", 100, "Fill")
    assert run.strategy.seen == [1, 100, 100], (
        "on the better bid, then on the fill; the offer behind the best wakes nobody"
    )


def random_market(seed, messages=120):
    """Return a market whose best quotes wander, with prints and a gap or two."""
    drawn = random.Random(seed)
    market, now, mid = Market().snapshot(1, 99, 101), 1, 100
    for _ in range(messages):
        now += drawn.choice([0, 7, 30, 110])
        step = drawn.random()
        if step < 0.05:
            market.gap(now)
        elif step < 0.25:
            market.trade(now, drawn.choice([BUY, SELL]), mid, drawn.randint(1, 5))
        else:
            mid = max(20, mid + drawn.randint(-2, 2))
            market.snapshot(now, mid - drawn.randint(1, 3), mid + drawn.randint(1, 3))
    return market


def random_run(market, seed=0):
    """Return a run with every kind of wake-up, fills by chance, and a rule that refuses."""
    drawn = random.Random(seed)
    venue = ObedientVenue(latency=20)
    for at in range(40, 8_000, 60):
        venue.script.append((at, venue.hit(drawn.choice([BUY, SELL]), drawn.randint(1, 2))))
    return Run(market, Told(touch, every=70, best=True), PositionLimit(limit="4 lots"), venue=venue, sample=500)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_inputs_give_the_same_commands(seed):
    runs = [random_run(random_market(seed)).until(10_000) for _ in range(2)]
    assert runs[0].sent() == runs[1].sent()
    assert len(runs[0].sent()) > 30
    assert runs[0].notes.inputs == runs[1].notes.inputs


@pytest.mark.parametrize("seed", range(3))
def test_taking_inputs_in_other_slices_changes_nothing(seed):
    whole = random_run(random_market(seed)).until(10_000)
    sliced = random_run(random_market(seed))
    for until in range(0, 10_001, 37):
        while sliced.pipeline.advance(until, 1):
            pass
    sliced.until(10_000)
    assert sliced.sent() == whole.sent()


@given(st.integers(0, 10_000), st.integers(0, 119))
def test_no_command_depends_on_a_later_row(seed, kept):
    """Rows after a moment are scrambled: the commands up to that moment stay."""
    market = random_market(seed)
    rows = market.buffer
    ends = [row + 1 for row in range(rows.count) if rows.words[row * 6 + 5] & 1 << 16]
    cut = ends[min(kept, len(ends) - 2)]
    until = rows.words[cut * 6 + 1] - 1
    scrambled = Market()
    for row in range(rows.count):
        event, receive, price, size, identity, word = rows.words[row * 6 : row * 6 + 6]
        moved = price + 40 if row >= cut and price else price
        scrambled.buffer.append(event, receive, moved, size, identity, word)
    assert random_run(scrambled).until(until).sent() == random_run(market).until(until).sent()


def failing(after, error=None, nonsense=None):
    """Return a run whose strategy raises, or states nonsense, from its *after*-th wake-up on."""

    def act(view, quotes):
        if len(run.strategy.seen) < after:
            touch(view, quotes)
        elif error is not None:
            raise error
        else:
            nonsense(quotes)

    run = Run(Market().snapshot(1, 99, 101), Told(act, every=100))
    return run


def test_a_strategy_that_raises_is_stopped_told_once_and_its_orders_are_cancelled():
    run = failing(3, ZeroDivisionError("division by zero")).until(1000)
    assert run.sent() == ["100 buy 2@99", "100 sell 2@101", "300 cancel 1", "300 cancel 2"]
    assert run.notes.failures == [(300, "mm", "ZeroDivisionError: division by zero")]
    assert len(run.strategy.seen) == 3
    assert (run.venue.resting, run.desk.is_stopped) == ({}, True)


NONSENSE = {
    "a float": (lambda quotes: quotes.bid(99.5, 1), "bid price_ticks should be a whole number, was 99.5"),
    "NaN": (lambda quotes: quotes.bid(99, float("nan")), "bid quantity_lots should be a whole number, was nan"),
    "negative": (lambda quotes: quotes.offer(-5, 1), "offer price_ticks should be positive, was -5"),
    "huge": (lambda quotes: quotes.offer(100, 1 << 70), "offer quantity_lots should be at most"),
}


@pytest.mark.parametrize(("nonsense", "message"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_quotes_stop_the_strategy_by_name(nonsense, message):
    run = failing(2, nonsense=nonsense).until(1000)
    ((_, name, text),) = run.notes.failures
    assert name == "mm"
    assert text.startswith(f"InputError: {message}")
    assert run.venue.resting == {}


def test_a_price_that_no_book_can_hold_stops_the_strategy():
    run = failing(1, nonsense=lambda quotes: quotes.offer(10**15, 1))
    run.view.tick_steps = 10**4
    run.until(200)
    assert "a quote should lie at or below 100000000000000 ticks, was 1000000000000000" in run.notes.failures[0][2]


def test_an_order_accepted_after_its_strategy_stopped_is_cancelled():
    """The cancel overtook the order and was rejected; the acknowledgement then finds no owner."""
    run = failing(2, ValueError("enough"))
    run.until(150)
    order = run.view.live[0]
    order.state = OrderState.PENDING_NEW
    run.until(205)
    assert run.desk.is_stopped
    order.state = OrderState.UNKNOWN
    run.venue.now_ns = 400
    run.venue.resting[1] = [BUY, 99, 2, 0]
    run.venue.reports.clear()
    run.venue.tell(Accepted, order_number=1)
    run.until(1000)
    assert run.sent()[-1] == "410 cancel 1"
    assert 1 not in run.venue.resting


def test_a_book_that_turns_bad_is_quoted_on_no_more_from_that_message_on():
    run = Run(Market().snapshot(1, 99, 101).gap(250).snapshot(600, 89, 91), Told(touch, every=100))
    run.until(249)
    assert len(run.venue.resting) == 2
    run.until(599)
    assert run.sent()[2:] == ["250 cancel 1", "250 cancel 2"]
    assert run.strategy.seen == [100, 200]
    run.until(700)
    assert run.sent()[4:] == ["600 buy 2@89", "600 sell 2@91"]


def test_a_crossed_book_is_withheld_and_quoted_again_when_it_is_straight():
    market = Market().snapshot(1, 99, 101).bid(250, 105, 1).row(350, 105, 0, 2, BUY)
    run = Run(market, Told(touch, every=100)).until(340)
    assert run.sent()[2:] == ["250 cancel 1", "250 cancel 2"]
    run.until(400)
    assert run.sent()[4:] == ["400 buy 2@99", "400 sell 2@101"]


def test_before_the_first_snapshot_nobody_is_woken():
    run = Run(Market().trade(10, BUY, 100, 1).snapshot(500, 99, 101), Told(touch, every=100)).until(450)
    assert (run.strategy.seen, run.sent()) == ([], [])


def test_a_fill_of_an_order_that_is_not_ours_halts_the_run():
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100)).until(150)
    run.venue.now_ns = 150
    run.venue.tell(
        Fill, order_number=77, fill_id="x", price_ticks=100, quantity_lots=1, leaves_lots=0, is_maker=True, fee=0,
        fee_currency="USDT",
    )  # fmt: skip
    run.until(300)
    assert run.gate.why() == "the venue filled order 77, which is not ours"
    assert (run.gate.state, run.venue.resting) == (RiskState.HALT, {})


def test_an_overfill_is_booked_and_halts_until_released_and_no_longer():
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100)).until(150)

    def overfill(number, lots):
        run.venue.now_ns = run.pipeline.now_ns
        run.venue.tell(
            Fill, order_number=number, fill_id=f"o{number}", price_ticks=99, quantity_lots=lots, leaves_lots=0,
            is_maker=True, fee=0, fee_currency="USDT",
        )  # fmt: skip

    overfill(1, 5)
    run.until(200)
    assert (run.view.position_lots, run.gate.why()) == (5, "order 1 was filled beyond its quantity")
    run.pipeline.operate("resume", "")
    run.until(450)
    number = min(run.venue.resting)
    overfill(number, 1)
    run.until(500)
    assert run.gate.state == RiskState.NORMAL, "a sound fill does not halt again"


def test_finishing_cancels_everything_waits_for_the_answers_and_is_recorded():
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100)).until(150)
    run.pipeline.finish(1_000_000_000)
    assert ("operator", 150, "finish") in run.notes.inputs
    assert run.sent()[2:] == ["150 cancel 1", "150 cancel 2"]
    assert (run.venue.resting, run.view.live) == ({}, [])
    assert (run.view.open_buy_lots, run.view.open_sell_lots) == (0, 0)


def test_a_finish_that_gets_no_answer_ends_after_its_grace():
    venue = ObedientVenue(latency=NEVER // 4)
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100), venue=venue).until(150)
    run.pipeline.finish(50_000_000)
    assert run.pipeline.now_ns == 50_000_150
    assert len(run.view.live) == 2, "they are still counted"


class Stubborn(ObedientVenue):
    """Refuses every cancel, at once."""

    def submit(self, command, now_ns):
        if not isinstance(command, CancelOrder):
            return super().submit(command, now_ns)
        self.commands.append((now_ns, command))
        self.now_ns = now_ns
        self.tell(CancelRejected, order_number=command.order_number, reason="venue")
        return True


class Waking(RiskRule):
    wake_every_ns = 100


def test_a_venue_that_refuses_every_cancel_at_once_is_asked_once_a_moment_and_again_later():
    rule = Waking()
    rule.name = "waking"
    run = Run(Market().snapshot(1, 99, 101), Told(touch, every=100), rule, venue=Stubborn(latency=0)).until(150)
    run.pipeline.operate("halt", "enough")
    run.until(250)
    assert run.sent()[2:] == ["150 cancel 1", "150 cancel 2", "200 cancel 1", "200 cancel 2"]


def test_rows_of_instruments_that_nobody_trades_are_passed_over():
    market = Market().snapshot(1, 99, 101).snapshot(2, 49, 51, instrument=1)
    run = Run(market, Told(touch))
    pipeline = type(run.pipeline)(market.source(), [run.view, None], [run.desk], run.gate, [run.venue], run.notes, 0)
    pipeline.start(0)
    assert pipeline.advance(10, NEVER) == 2
    assert (pipeline.unwatched, run.view.known_mid2, PLAIN.tick_steps) == (1, 200, 1)
