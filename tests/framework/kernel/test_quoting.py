"""From wanted quotes to the fewest commands: every wish is reached, and no order is left behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.errors import InputError
from quotewright.kernel.strategy import MOST, Quotes
from quotewright.model.orders import CancelOrder
from tests.framework.kernel.stage import BUY, SELL, Market, ObedientVenue, Run, Told, short


class Maker:
    """A strategy whose wish a test states, in a pipeline with an obedient venue; one wake-up every 100 ns."""

    def __init__(self, requote=0, fraction=0, keeps_priority=False):
        self.wish = ([], [], [])
        self.run = Run(
            Market().snapshot(1, 50, 200),
            Told(self.state, every=100),
            venue=ObedientVenue(latency=10, keeps_priority=keeps_priority),
            requote_ticks=requote,
        )
        self.run.manager.requote_fraction_ppm = fraction
        self.now_ns = 50
        self.run.until(self.now_ns)

    def state(self, view, quotes):
        bids, offers, takes = self.wish
        for price, lots in bids:
            quotes.bid(price, lots)
        for price, lots in offers:
            quotes.offer(price, lots)
        for take in takes:
            quotes.take(*take)

    def want(self, bids=(), offers=(), takes=(), wakes=1):
        """State a wish, let the strategy be woken, and return what was sent in short."""
        self.wish = (bids, offers, takes)
        before = len(self.run.notes.commands)
        self.now_ns += 100 * wakes
        self.run.until(self.now_ns)
        return [short(command) for _, command in self.run.notes.commands[before:]]

    def working(self):
        found = {BUY: [], SELL: []}
        for side, price, quantity, filled in self.run.venue.resting.values():
            found[side].append((price, quantity - filled))
        return sorted(found[BUY], reverse=True), sorted(found[SELL])


def test_new_quotes_are_placed_and_the_same_wish_sends_nothing():
    maker = Maker()
    assert maker.want([(99, 2)], [(101, 3)]) == ["buy 2@99", "sell 3@101"]
    assert maker.want([(99, 2)], [(101, 3)]) == []
    assert all(command.post_only for _, command in maker.run.notes.commands)


def test_a_moved_quote_is_cancelled_first_and_placed_anew_on_both_sides():
    maker = Maker()
    maker.want([(99, 2)], [(101, 2)])
    assert maker.want([(98, 2)], [(102, 2)]) == ["cancel 1", "cancel 2", "buy 2@98", "sell 2@102"]


MOVES = {  #           requote  fraction of the spread  bid wanted  is moved
    "within the ticks":   (2, 0,         97,  False),
    "beyond the ticks":   (2, 0,         96,  True),
    "within a tenth":     (0, 100_000,   98,  False),
    "beyond a tenth":     (0, 100_000,   96,  True),
    "the larger of both": (1, 200_000,   96,  False),
}  # fmt: skip


@pytest.mark.parametrize(("requote", "fraction", "bid", "is_moved"), MOVES.values(), ids=MOVES)
def test_a_quote_stays_while_it_is_within_the_threshold_of_the_wish(requote, fraction, bid, is_moved):
    maker = Maker(requote, fraction)
    maker.want([(99, 2)], [(118, 2)])
    assert maker.want([(bid, 2)], [(118, 2)]) == (["cancel 1", f"buy 2@{bid}"] if is_moved else [])


def test_each_side_is_held_to_the_threshold_by_itself():
    maker = Maker(requote=2)
    maker.want([(90, 2)], [(110, 2)])
    assert maker.want([(91, 2)], [(115, 2)]) == ["cancel 2", "sell 2@115"]


SIDES = {  #            ticks of both, bids, offers; both quotes move by 3: sent
    "one for both":      (3, -1, -1, []),
    "bids are stricter": (3, 2, -1, ["cancel 1", "buy 2@87"]),
    "offers only":       (0, -1, 3, ["cancel 1", "buy 2@87"]),
    "offers stricter":   (9, -1, 0, ["cancel 2", "sell 2@107"]),
    "nothing for bids":  (9, 0, 9, ["cancel 1", "buy 2@87"]),
}  # fmt: skip


@pytest.mark.parametrize(("both", "bids", "offers", "sent"), SIDES.values(), ids=SIDES)
def test_a_side_may_have_a_threshold_of_its_own(both, bids, offers, sent):
    maker = Maker(requote=both)
    maker.run.manager.bid_ticks, maker.run.manager.offer_ticks = bids, offers
    maker.want([(90, 2)], [(110, 2)])
    assert maker.want([(87, 2)], [(107, 2)]) == sent


SIZES = {  #                       keeps priority  wanted  sent
    "half is enough":                (False,        4,  []),
    "less than half is not":         (False,        5,  ["cancel 1", "buy 5@99"]),
    "too much is cancelled":         (False,        1,  ["cancel 1", "buy 1@99"]),
    "too much is amended":           (True,         1,  ["amend 1 1@99"]),
    "more is never amended":         (True,         5,  ["cancel 1", "buy 5@99"]),
}  # fmt: skip


@pytest.mark.parametrize(("keeps_priority", "wanted", "sent"), SIZES.values(), ids=SIZES)
def test_a_size_is_changed_by_an_amend_only_where_the_place_is_kept(keeps_priority, wanted, sent):
    maker = Maker(keeps_priority=keeps_priority)
    maker.want([(99, 2)])
    assert maker.want([(99, wanted)]) == sent
    maker.want([(99, wanted)])
    assert maker.working()[0] == [(99, 2 if not sent else wanted)]


def test_an_amend_counts_what_is_filled_already():
    maker = Maker(keeps_priority=True)
    maker.want([(99, 9)])
    maker.run.venue.now_ns = maker.now_ns
    maker.run.venue.fill(1, 3)
    assert maker.want([(99, 2)]) == ["amend 1 5@99"]
    maker.want([(99, 2)])
    assert maker.working()[0] == [(99, 2)]


def test_a_price_that_moves_is_never_amended():
    maker = Maker(keeps_priority=True)
    maker.want([(99, 4)])
    assert maker.want([(98, 2)]) == ["cancel 1", "buy 2@98"]


def test_surplus_levels_are_cancelled():
    maker = Maker()
    maker.want([(99, 1), (98, 1), (97, 1)])
    assert maker.want([(99, 1)]) == ["cancel 2", "cancel 3"]
    assert maker.want() == ["cancel 1"]
    maker.want()
    assert maker.working() == ([], [])


def test_an_order_in_flight_is_left_alone():
    maker = Maker()
    maker.run.venue.latency = 10_000
    assert maker.want([(99, 1)]) == ["buy 1@99"]
    assert maker.want([(90, 1)], wakes=3) == []
    assert maker.want() == ["cancel 1"]
    assert maker.want(wakes=3) == [], "a cancel under way is not sent again"


def test_keep_leaves_everything_as_it_is():
    maker = Maker()
    maker.want([(99, 1)], [(101, 1)])
    maker.run.strategy.act = lambda view, quotes: (quotes.bid(10, 1), quotes.keep())
    assert maker.want(wakes=3) == []
    assert maker.working() == ([(99, 1)], [(101, 1)])


def test_a_take_is_immediate_or_cancel_and_sent_once_per_statement():
    maker = Maker()
    takes = [(BUY, 3, 120)]
    maker.run.strategy.act = lambda view, quotes: [quotes.take(*takes.pop()) for _ in list(takes)]
    assert maker.want(wakes=3) == ["buy 3@120"]
    assert (maker.run.notes.commands[-1][1].time_in_force, maker.run.notes.commands[-1][1].post_only) == (1, False)


OWN = {  #                          working        wanted bids   offers         takes          sent
    "bid meets resting offer":    ([], [(105, 1)],  [(105, 1)],   [(105, 1)],   [],            []),
    "offer meets resting bid":    ([(95, 1)], [],   [(95, 1)],    [(94, 1)],    [],            []),
    "both wanted, they meet":     ([], [],          [(100, 1)],   [(100, 1)],   [],            ["buy 1@100"]),
    "a take meets a resting one": ([], [(105, 1)],  [],           [(105, 1)],   [(BUY, 1, 105)],  []),
    "a take meets a wanted one":  ([], [],          [(95, 1)],    [],           [(SELL, 1, 95)],  ["buy 1@95"]),
}  # fmt: skip


@pytest.mark.parametrize(("bids", "offers", "want_bids", "want_offers", "takes", "sent"), OWN.values(), ids=OWN)
def test_own_orders_never_meet(bids, offers, want_bids, want_offers, takes, sent):
    maker = Maker()
    if bids or offers:
        maker.want(bids, offers)
    assert maker.want(want_bids, want_offers, takes) == sent
    assert maker.run.manager.held_back >= 1


def test_an_order_being_cancelled_may_still_be_met():
    maker = Maker()
    maker.want([], [(101, 1)])
    maker.run.venue.latency = 10_000
    assert maker.want([(102, 1)], [(110, 1)]) == ["cancel 1", "sell 1@110"]
    assert maker.run.manager.held_back == 1


LADDERS = st.lists(st.tuples(st.integers(60, 99), st.integers(1, 9)), max_size=4, unique_by=lambda q: q[0])
WISHES = st.tuples(LADDERS, LADDERS.map(lambda quotes: [(price + 41, lots) for price, lots in quotes]))


@given(st.lists(WISHES, min_size=1, max_size=5), st.booleans(), st.integers(0, 3))
def test_any_wish_is_reached_and_no_order_is_orphaned(wishes, keeps_priority, requote):
    """After each wish, given time, the venue holds one order a wanted level, near enough, and nothing else."""
    maker = Maker(requote=requote, keeps_priority=keeps_priority)
    for bids, offers in wishes:
        maker.want(bids, offers, wakes=4)
        for wanted, found in zip((bids, offers), maker.working(), strict=True):
            assert len(wanted) == len(found)
            for order in maker.run.view.live:
                if (order.side == BUY) == (wanted is bids):
                    price, lots = wanted[order.level]
                    assert abs(order.price_ticks - price) <= requote
                    assert lots / 2 <= order.open_lots() <= lots
        assert sorted(order.number for order in maker.run.view.live) == sorted(maker.run.venue.resting)
    assert maker.want([], [], wakes=3) is not None
    assert maker.working() == ([], [])
    assert (maker.run.view.open_buy_lots, maker.run.view.open_sell_lots) == (0, 0)


@given(st.lists(WISHES, min_size=2, max_size=5))
def test_a_standing_wish_sends_nothing(wishes):
    maker = Maker()
    for bids, offers in wishes:
        maker.want(bids, offers, wakes=4)
        assert maker.want(bids, offers, wakes=3) == []


def test_cancels_go_first():
    maker = Maker()
    maker.want([(99, 1), (98, 1)], [(101, 1)])
    maker.want([(97, 1)], [(102, 1)])
    kinds = [isinstance(command, CancelOrder) for _, command in maker.run.notes.commands[3:]]
    assert kinds == sorted(kinds, reverse=True)


WRONG = {
    "a float price": ("bid", (99.5, 1), "bid price_ticks should be a whole number, was 99.5"),
    "NaN": ("offer", (float("nan"), 1), "offer price_ticks should be a whole number, was nan"),
    "a negative price": ("bid", (-1, 1), "bid price_ticks should be positive, was -1"),
    "no quantity": ("offer", (100, 0), "offer quantity_lots should be positive, was 0"),
    "a text": ("bid", ("99", 1), "bid price_ticks should be a whole number, was '99'"),
    "nothing": ("bid", (None, 1), "bid price_ticks should be a whole number, was None"),
    "a huge price": ("bid", (10**30, 1), f"bid price_ticks should be at most {MOST}"),
    "a huge quantity": ("offer", (100, 1 << 62), f"offer quantity_lots should be at most {MOST}"),
    "no side": ("take", (3, 1, 100), "take side should be 1 .buy. or 2 .sell., was 3"),
    "a float take": ("take", (1, 1.0, 100), "take quantity_lots should be a whole number, was 1.0"),
}


@pytest.mark.parametrize(("method", "values", "message"), WRONG.values(), ids=WRONG)
def test_nonsense_is_an_error_that_names_what_came(method, values, message):
    with pytest.raises(InputError, match=message):
        getattr(Quotes(), method)(*values)
