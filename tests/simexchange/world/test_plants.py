"""Bugs are planted and must be found: a world whose checks never fail proves nothing."""

from __future__ import annotations

import attrs
import pytest

from quotewright.execution import Execution, Fault, Placing
from quotewright.feed import FeedAdapter
from quotewright.live.entering import Entering
from quotewright.live.feed_session import FeedSession
from quotewright.live.own_orders import OwnOrder, OwnOrders
from quotewright.live.requests import RequestQueue
from quotewright_plugins.exchanges.binance.books import Books
from quotewright_simexchange.exchange.market import MarketBook
from quotewright_simexchange.world.chaos import repeat_command, run_plan, run_seeds, shrunk
from quotewright_simexchange.world.plan import drawn
from quotewright_simexchange.world.verdicts import Broken
from quotewright_simexchange.world.world import Ground, Result

SPAN_NS = 12_000_000_000
WITHIN = 200
"""So many seeds may it take to find a planted bug."""


def first_failure(ground: Ground, first: int) -> Result:
    for seed in range(first, WITHIN):
        result = run_plan(ground, drawn(seed, SPAN_NS))
        if result.broken is not None:
            return result
    raise AssertionError(f"{WITHIN} seeds found nothing")


def overlook_gaps(patch: pytest.MonkeyPatch) -> None:
    """Updates that do not follow are put onto the book all the same."""
    patch.setattr(Books, "_follows", lambda self, book, event: True)


def take_snapshots_of_lost_connections(patch: pytest.MonkeyPatch) -> None:
    """A snapshot makes a book good that nothing follows any more, and it is quoted on."""
    patch.setattr(FeedSession, "_is_carried", lambda self, symbol: True)


def ask_while_silence_is_wanted(patch: pytest.MonkeyPatch) -> None:
    """What the venue asked us to wait for is not waited for."""
    before = RequestQueue.answered

    def answered(self: RequestQueue, ticket, status, headers, body, now_ns):
        found = before(self, ticket, status, headers, body, now_ns)
        self.held_ns = 0
        for wanted in self.waiting:
            wanted.not_before_ns = 0
        self.pump(now_ns)
        return found

    patch.setattr(RequestQueue, "answered", answered)


def never_ask_for_snapshots_again(patch: pytest.MonkeyPatch) -> None:
    """A book that is lost once stays lost."""
    before = FeedAdapter.request

    def request(self: FeedAdapter, book, now_ns: int) -> None:
        if not book.gaps:
            before(self, book, now_ns)

    patch.setattr(FeedAdapter, "request", request)


def forget_levels_at_the_venue(patch: pytest.MonkeyPatch) -> None:
    """The exchange's own book keeps a level that is gone."""
    before = MarketBook.change

    def change(self: MarketBook, side: str, price, quantity) -> None:
        if quantity or self.sequence % 50:
            before(self, side, price, quantity)

    patch.setattr(MarketBook, "change", change)


def send_again_what_was_not_answered(patch: pytest.MonkeyPatch) -> None:
    """An order whose outcome is not known is sent once more."""
    before = Entering._placed

    def placed(self: Entering, order: OwnOrder, fault: Fault | None, now_ns: int) -> None:
        if fault is not None and fault.outcome == "ambiguous" and order.asks == 0 and not order.writes:
            instrument = order.instrument
            again = Placing(
                client_id=order.client_id,
                symbol=instrument.symbol,
                side=order.side,
                price=f"{instrument.price(order.price_ticks):f}",
                quantity=f"{instrument.quantity(order.quantity_lots):f}",
            )
            self._next += 1
            self._write("place", order, self.wire.place(again, self.stamp(now_ns), self._next, by_rest=True), now_ns)
        before(self, order, fault, now_ns)

    patch.setattr(Entering, "_placed", placed)


def take_silence_for_a_no(patch: pytest.MonkeyPatch) -> None:
    """An order that was not answered is taken for one that was not done."""

    def placed(self: Entering, order: OwnOrder, fault: Fault | None, now_ns: int) -> None:
        if fault is not None:
            self.own.reject(order, "venue", "no answer", now_ns, now_ns)

    patch.setattr(Entering, "_placed", placed)


def forget_lost_cancels(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks what became of a cancel that was not answered."""
    before = Entering._canceled

    def canceled(self: Entering, order: OwnOrder, fault: Fault | None, now_ns: int) -> None:
        if fault is not None and fault.outcome == "ambiguous":
            order.is_cancel_wanted = False
        else:
            before(self, order, fault, now_ns)

    patch.setattr(Entering, "_canceled", canceled)


def book_fills_again_after_a_reconnect(patch: pytest.MonkeyPatch) -> None:
    """A fill that is told on the stream and asked for later is booked twice."""
    before = OwnOrders.executed

    def executed(self: OwnOrders, told: Execution, now_ns: int) -> OwnOrder | None:
        if any(key[1] == told.fill_id for key in self._fills):
            told = attrs.evolve(told, fill_id=f"{told.fill_id}r")
        return before(self, told, now_ns)

    patch.setattr(OwnOrders, "executed", executed)


PLANTS = {
    send_again_what_was_not_answered: (13,),
    take_silence_for_a_no: (9,),
    forget_lost_cancels: (30, 17),
    book_fills_again_after_a_reconnect: (8,),
    overlook_gaps: (2, 1),
    take_snapshots_of_lost_connections: (16,),
    ask_while_silence_is_wanted: (18,),
    never_ask_for_snapshots_again: (30,),
    forget_levels_at_the_venue: (1, 2, 3),
}


SOONEST = {forget_lost_cancels: 30, ask_while_silence_is_wanted: 40}
"""Seeds before these are left out to save time: they find nothing."""


@pytest.mark.parametrize(("plant", "numbers"), PLANTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_found(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, plant, numbers: tuple[int, ...]
) -> None:
    plant(monkeypatch)
    found = first_failure(ground, SOONEST.get(plant, 0))
    assert found.broken is not None
    assert found.broken.number in numbers, str(found.broken)
    assert found.newest


def test_a_failure_is_made_smaller_and_repeats(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    overlook_gaps(monkeypatch)
    for seed in range(WITHIN):
        found = run_plan(ground, drawn(seed, SPAN_NS))
        if found.broken is not None and len(found.plan.kinds) > 2:
            break
    assert found.broken is not None
    smaller = shrunk(ground, found)
    assert smaller.broken is not None
    assert smaller.broken.number == found.broken.number
    assert len(smaller.plan.kinds) < len(found.plan.kinds)
    assert smaller.plan.span_ns <= found.plan.span_ns
    again = run_plan(ground, drawn(smaller.plan.seed, smaller.plan.span_ns).only(smaller.plan.kinds))
    assert (str(again.broken), again.digest) == (str(smaller.broken), smaller.digest)
    command = repeat_command(["chaos.toml"], smaller.plan)
    assert f"--first {smaller.plan.seed} --seeds 1" in command
    assert f"--kinds {','.join(smaller.plan.kinds)}" in command


def test_without_checks_nothing_counts_as_success(ground: Ground) -> None:
    tally = run_seeds(ground, [1], SPAN_NS, checks=False)
    assert not tally.failed
    assert not tally.evaluations
    assert "checks are off" in tally.problem()


def test_a_broken_invariant_says_which() -> None:
    assert str(Broken(2, "x")) == "invariant 2 (a good book is the venue's at its sequence): x"
