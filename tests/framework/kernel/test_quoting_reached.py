"""Any wanted quotes are reached and no order is orphaned, whatever a slow, refusing, filling venue does meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quotewright.kernel.codes import OPEN
from quotewright.model.orders import (
    AmendOrder,
    AmendRejected,
    Canceled,
    CancelOrder,
    CancelRejected,
    NewOrder,
    Rejected,
)
from tests.framework.kernel.stage import BUY, SELL, Market, ObedientVenue, Run, Told

EVERY = 100
"""Nanoseconds between two wake-ups; latencies go up to several of them."""


class MoodyVenue(ObedientVenue):
    """Each command takes a latency of its own to arrive and again to be told of; now and then it is refused.

    What it tells of one order comes in any order. An order may be filled while its cancel is on the way: the cancel is
    refused as for a closed order, perhaps before the fill is known.
    """

    def __init__(self, latencies, moods, keeps_priority):
        super().__init__(1, keeps_priority)
        self.latencies = latencies
        self.moods = moods
        self.count = 0
        self.answered = {}

    def submit(self, command, now_ns):
        number = command.order_number
        if not isinstance(command, NewOrder):
            kind, known_ns = self.answered.get(number, (None, 0))
            is_first = kind is NewOrder and isinstance(command, CancelOrder)  # of a level that is not wanted any more
            assert known_ns <= now_ns or is_first, "one question about an order at a time"
        self.count += 1
        self.answered[number] = (type(command), now_ns + 2 * self.latencies[self.count % len(self.latencies)])
        self.latency = self.latencies[self.count % len(self.latencies)]
        mood = self.moods[self.count % len(self.moods)]
        kinds = {NewOrder: Rejected, CancelOrder: CancelRejected, AmendOrder: AmendRejected}
        if mood == "refuses":
            self.commands.append((now_ns, command))
            self.now_ns = now_ns + self.latency
            if isinstance(command, NewOrder) or command.order_number in self.resting:
                return self.tell_refusal(kinds[type(command)], command.order_number)
        elif mood == "ends" and isinstance(command, NewOrder):
            super().submit(command, now_ns)
            del self.resting[command.order_number]
            self.now_ns += 3
            self.tell(Canceled, order_number=command.order_number, reason="venue")
            return True
        return super().submit(command, now_ns)

    def tell_refusal(self, kind, number):
        self.tell(kind, order_number=number, reason="busy")
        return True

    def calm(self):
        self.latencies, self.moods = [1], ["does"]


LADDERS = st.lists(st.tuples(st.integers(60, 99), st.integers(1, 9)), max_size=4, unique_by=lambda quote: quote[0])
WISHES = st.tuples(LADDERS, LADDERS.map(lambda quotes: [(price + 41, lots) for price, lots in quotes]))
FILLS = st.lists(st.tuples(st.integers(1, 2000), st.sampled_from([BUY, SELL]), st.integers(1, 9)), max_size=6)
MOODS = st.lists(st.sampled_from(["does", "does", "does", "refuses", "ends"]), min_size=1, max_size=7)


@given(
    wishes=st.lists(st.tuples(WISHES, st.integers(1, 4)), min_size=1, max_size=6),
    latencies=st.lists(st.integers(1, 350), min_size=1, max_size=5),
    moods=MOODS,
    fills=FILLS,
    requote=st.integers(0, 3),
    keeps_priority=st.booleans(),
)
def test_any_wish_is_reached_through_flight_refusals_and_late_reports(
    wishes, latencies, moods, fills, requote, keeps_priority
):
    wish = ([], [])

    def state(view, quotes):
        for price, lots in wish[0]:
            quotes.bid(price, lots)
        for price, lots in wish[1]:
            quotes.offer(price, lots)

    venue = MoodyVenue(latencies, moods, keeps_priority)
    run = Run(Market().snapshot(1, 50, 200), Told(state, every=EVERY), venue=venue, requote_ticks=requote)
    venue.script = [(at, venue.hit(side, lots)) for at, side, lots in sorted(fills)]
    now_ns = 50
    for wish, wakes in wishes:  # noqa: B007 - read by the strategy
        now_ns += EVERY * wakes
        run.until(now_ns)
        known = {order.number for order in run.view.live}
        assert set(venue.resting) <= known, "an order that may rest is one of ours that counts"
        assert sum(order.open_lots() for order in run.view.live if order.side == BUY) == run.view.open_buy_lots
        assert sum(order.open_lots() for order in run.view.live if order.side == SELL) == run.view.open_sell_lots
    venue.calm()
    venue.script = []
    run.until(now_ns + 1000 + 6 * EVERY)
    live = run.view.live
    assert all(order.state == OPEN for order in live)
    assert sorted(order.number for order in live) == sorted(venue.resting)
    for side, wanted in ((BUY, wish[0]), (SELL, wish[1])):
        held = {order.level: order for order in live if order.side == side}
        assert len(held) == len([order for order in live if order.side == side]) == len(wanted)
        for level, (price, lots) in enumerate(wanted):
            assert abs(held[level].price_ticks - price) <= requote
            assert lots / 2 <= held[level].open_lots() <= lots
    sent = len(venue.commands)
    run.until(now_ns + 1000 + 12 * EVERY)
    assert len(venue.commands) == sent, "what has been reached sends nothing more"
