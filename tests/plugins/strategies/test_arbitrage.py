"""Arbitrage: the worked numbers, each trap of the article, the life of an opportunity, both legs and what follows."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.config.units import Bps
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BID, BUY, LEVEL_DELETE, LEVEL_SET, OFFER, SELL, pack
from quotewright.kernel.desk import Desk
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.pipeline import Pipeline
from quotewright.kernel.quoting import QuoteManager
from quotewright.kernel.risk import RiskGate
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.rules import CheckRule
from quotewright.kernel.strategy import Quotes
from quotewright.kernel.view import View
from quotewright.model.cards import FeeTier
from quotewright.model.orders import Accepted, Canceled
from quotewright.terms import VenueTerms
from quotewright.wiring import BindContext
from quotewright_plugins.strategies.arbitrage import Arbitrage
from quotewright_plugins.strategies.arbitrage_records import told
from tests.framework.kernel.stage import ONE, PLAIN, SECOND, Market, Notes, ObedientVenue, short
from tests.framework.test_consolidated import KINDS, USD, shown

NORTH = attrs.evolve(
    PLAIN, name="BTC-USDT.spot@north", symbol="BTCUSDT", venue="north", price_decimals=2, size_decimals=3
)
EAST = attrs.evolve(NORTH, name="BTC-USDT.spot@east", symbol="tBTCUST", venue="east")
FEE = Decimal("0.001")


class Pair:
    """An arbitrageur bound to two venues or more, whose books a test states; the first is ``north``, then ``east``."""

    def __init__(self, *books, instruments=(NORTH, EAST), terms=None, at=SECOND, **keys):
        self.views = [
            shown(instrument, bids, offers, at=at, number=number)
            for number, (instrument, (bids, offers)) in enumerate(zip(instruments, books, strict=True))
        ]
        names = [view.instrument.venue for view in self.views]
        terms = terms or tuple(VenueTerms(name=name, maker_fee=FEE, taker_fee=FEE) for name in names)
        self.strategy = Arbitrage(**keys)
        self.strategy.bind(BindContext(name="arb", where="strategies.arb", views=tuple(self.views), terms=terms))
        self.now_ns = at

    def at(self, now_ns):
        self.now_ns = now_ns
        for view in self.views:
            view.now_ns = now_ns
        return self

    def row(self, number, side, price, size):
        """Set a level at venue *number* now, delete it for a size of 0."""
        instrument = self.views[number].instrument
        rows = TapeBuffer(2)
        price, size = instrument.price_ticks(Decimal(price)), instrument.quantity_lots(Decimal(size))
        rows.append(
            self.now_ns, self.now_ns, price, size, 0, pack(LEVEL_SET if size else LEVEL_DELETE, side, 0, number)
        )
        rows.mark_last()
        self.views[number].on_message(rows, 0, 1, self.now_ns)
        return self

    def wake(self):
        """Wake the strategy and return the takes of every leg."""
        quotes = [Quotes() for _ in self.views]
        self.strategy.on_wake_legs(self.views, quotes)
        return [one.takes for one in quotes]

    def found(self):
        return self.strategy.look(self.now_ns)


DEEP = ([("99.90", "500")], [("100.00", "500")]), ([("100.50", "500")], [("100.60", "500")])
"""North asks 100, east bids 100.5."""


def test_the_worked_number():
    """Ask 100, bid 100.5, fee 0.1 % each side, capital 10,000: 29.95 USDT, 29.95 bps of the capital."""
    (finding,) = Pair(*DEEP).found()
    deal = finding.deal
    assert (deal.cost, deal.proceeds, deal.fees, deal.net) == (10_000, 10_050, Fraction(2005, 100), Fraction(2995, 100))
    assert deal.net_bps == Fraction(2995, 100)
    assert (deal.buy_lots, deal.buy_ticks, deal.sell_lots, deal.sell_ticks) == (100_000, 10_000, 100_000, 10_050)
    assert finding.confidence == 1


def test_the_profit_is_capped_by_what_is_there():
    """Capital is not filled from the air: 12 are offered at 100, so 1,200 buys them and no more."""
    thin = ([("99.90", "500")], [("100.00", "12")]), ([("100.50", "500")], [("100.60", "500")])
    (finding,) = Pair(*thin, capital="1000000 USDT").found()
    assert (finding.deal.cost, finding.deal.net) == (1200, Fraction(1200, 10_000) * Fraction(2995, 100))
    assert finding.confidence == Fraction(1200, 10_000)


def test_both_books_are_walked_and_the_last_lot_pays_too():
    """12 at 100 and 30 at 100.10 meet 20 at 100.50 and 50 at 100.40; at 100.30 and 100.20 it does not pay any more."""
    books = (
        ([], [("100.00", "12"), ("100.10", "30"), ("100.30", "500")]),
        ([("100.50", "20"), ("100.40", "50"), ("100.20", "500")], []),
    )
    # A side of each book is empty here, so that the way back needs no thought: such a book is not good.
    books = tuple((bids or [("90", "1")], offers or [("110", "1")]) for bids, offers in books)
    (finding,) = Pair(*books, min_profit="5 bps").found()
    deal = finding.available
    assert (deal.size, deal.cost) == (42_000, 12 * 100 + 30 * Fraction(1001, 10))
    assert deal.proceeds == 20 * Fraction(1005, 10) + 22 * Fraction(1004, 10)
    assert (deal.buy_ticks, deal.sell_ticks) == (10_010, 10_040)
    top = Pair(*books, min_profit="25 bps", min_notional="0 quote").found()
    assert top[0].available.size == 12_000


WIDTH = {  # bid at east,  least notional,  found
    "5 bps after fees":        ("100.2505", "0", True),
    "a hair less":             ("100.2502", "0", False),
    "not even the fees":       ("100.15", "0", False),
    "no gap":                  ("99.95", "0", False),
}  # fmt: skip


@pytest.mark.parametrize(("bid", "least", "is_found"), WIDTH.values(), ids=WIDTH)
def test_the_least_profit_is_after_fees(bid, least, is_found):
    fine = attrs.evolve(EAST, price_decimals=4)
    books = DEEP[0], ([(bid, "500")], [("100.60", "500")])
    pair = Pair(*books, instruments=(NORTH, fine), min_notional=f"{least} USDT")
    assert bool(pair.found()) == is_found


NOTIONAL = {"999 USDT": ("9.99", False), "1000 USDT": ("10", True), "both sides have to": ("9.97", False)}


@pytest.mark.parametrize(("size", "is_found"), NOTIONAL.values(), ids=NOTIONAL)
def test_the_least_notional_is_what_both_sides_have(size, is_found):
    books = DEEP[0], ([("100.50", size)], [("100.60", "500")])
    pair = Pair(*books)
    assert bool(pair.found()) == is_found
    assert pair.strategy.passed_over["below min_notional"] == (not is_found)


COSTS = {  # keys, net of 10,000
    "fees only":             ({}, "29.95"),
    "a transfer":            ({"transfer": "4.95 USDT"}, "25"),
    "funding":               ({"funding": "1 bps"}, "28.95"),
    "borrowing":             ({"borrow": "2.5 bps"}, "27.45"),
    "all of them":           ({"transfer": "4.95 USDT", "funding": "1 bps", "borrow": "2.5 bps"}, "21.5"),
    "a better tier":         ({"taker_fees": {"north": "2 bps", "BTC-USDT.spot@east": "0 bps"}}, "48"),
    "a rebate":              ({"taker_fees": {"north": "-1 bps"}}, "40.95"),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "net"), COSTS.values(), ids=COSTS)
def test_every_cost_is_counted_where_it_is_stated(keys, net):
    (finding,) = Pair(*DEEP, **keys).found()
    assert finding.deal.net == Fraction(net)


def test_a_cost_that_eats_the_profit_leaves_no_opportunity():
    pair = Pair(*DEEP, transfer="25 USDT")
    assert pair.found() == []
    assert pair.strategy.passed_over["below min_profit"] == 1


class Card:
    """Of a venue card only the fee table."""

    def __init__(self, **tiers):
        self.tiers = [FeeTier(name=name, maker=Bps(0), taker=Bps.parse(taker)) for name, taker in tiers.items()]

    def fee_tier(self, name=""):
        for tier in self.tiers:
            if name in ("", tier.name):
                return tier
        raise ConfigError(f"no fee tier {name!r}")


def test_the_fee_is_that_of_the_tier_the_card_names_and_of_its_first_without_one():
    card = Card(regular="10 bps", vip="4 bps")
    terms = (VenueTerms(name="north", card=card), VenueTerms(name="east", card=card, taker_fee=Decimal("0.002")))
    fees = {}
    for tiers in ({}, {"north": "vip"}, {"north": "vip", "east": "regular"}):
        way = Pair(*DEEP, terms=terms, fee_tiers=tiers, min_profit="0 bps").strategy.ways[0]
        fees[tuple(tiers)] = (way.costs.buy_fee * 10_000, way.costs.sell_fee * 10_000)
    assert fees == {(): (10, 20), ("north",): (4, 20), ("north", "east"): (4, 10)}


REFUSED = {
    "one leg": ({"books": DEEP[:1], "instruments": (NORTH,)}, r"arb.legs: arbitrage takes two legs or more"),
    "another quote": ({"instruments": (NORTH, USD)}, r"arb.legs: .*takes one base and one quote currency"),
    "no fee known": ({"terms": (VenueTerms(name="north"), VenueTerms(name="east"))},
                     r'arb.taker_fees: the taker fee of BTC-USDT.spot@north is not known.*write taker_fees = \{ north'),
    "a tier without a card": ({"fee_tiers": {"east": "vip"}}, r"venue 'east' has no card with a tier 'vip'"),
    "a quantity as capital": ({"capital": "1 BTC"}, r"arb.capital: should be a value such as '1000 USDT', was '1 BTC'"),
    "too little capital": ({"mode": "trade", "capital": "500 USDT"}, r"arb.capital: 500 USDT never buys min_notional"),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_at_the_start(keys, said):
    keys = dict(keys)
    with pytest.raises(ConfigError, match=said):
        Pair(*keys.pop("books", DEEP), **keys)


def test_a_deletion_or_a_far_level_in_an_update_is_not_the_best_price():
    """The article takes the first level of an update for the best bid, even one that is being deleted."""
    pair = Pair(([("99.90", "500")], [("100.00", "500")]), ([("100.10", "500")], [("100.60", "500")]))
    pair.row(1, BID, "100.50", "500")
    assert len(pair.found()) == 1
    pair.row(1, BID, "100.50", "0")
    assert pair.found() == []
    pair.row(1, BID, "95.00", "500").row(0, OFFER, "99.50", "0")
    assert pair.found() == []


def test_age_is_counted_by_receive_time_and_for_each_leg():
    """One leg goes on while the other is silent: after five seconds the silent one does not count any more."""
    pair = Pair(*DEEP)
    pair.at(SECOND + 5 * SECOND).row(0, BID, "99.80", "1")
    assert len(pair.found()) == 1
    pair.at(SECOND + 5 * SECOND + 1).row(0, BID, "99.80", "2")
    assert pair.found() == []
    assert pair.strategy.passed_over["stale"] == 1
    pair.row(1, BID, "90", "1")
    assert len(pair.found()) == 1


def test_contracts_and_base_units_are_told_apart():
    """500,000 contracts of 0.001 BTC are 500 BTC, not 500,000; an inverse contract is worth its face."""
    books = ([("99.9", "500000")], [("100.0", "500000")]), ([("100.50", "500")], [("100.60", "500")])
    (finding,) = Pair(*books, instruments=(KINDS["contract"], NORTH), capital="20000 USDT").found()
    assert (finding.deal.net, finding.deal.buy_lots, finding.deal.sell_lots) == (Fraction(599, 10), 200_000, 200_000)
    assert finding.available.cost == 50_000
    books = ([("99.9", "5000")], [("100.0", "3000")]), ([("100.50", "500")], [("100.60", "500")])
    (finding,) = Pair(*books, instruments=(KINDS["inverse"], NORTH), capital="20000 USDT").found()
    assert (finding.deal.cost, finding.deal.buy_lots, finding.deal.sell_lots) == (20_000, 2000, 200_000)
    assert finding.deal.net == Fraction(599, 10)
    assert finding.available.cost == 30_000


def test_the_lots_of_both_venues_hold():
    coarse = attrs.evolve(EAST, size_decimals=1)
    thin = ([("99.90", "500")], [("100.00", "12.345")]), DEEP[1]
    (finding,) = Pair(*thin, instruments=(NORTH, coarse)).found()
    assert (finding.deal.buy_lots, finding.deal.sell_lots, finding.deal.cost) == (12_300, 123, 1230)


def test_every_two_of_three_venues_the_widest_first():
    west = attrs.evolve(NORTH, name="BTC-USDT.spot@west", venue="west")
    books = (*DEEP, ([("100.80", "500")], [("100.90", "500")]))
    pair = Pair(*books, instruments=(NORTH, EAST, west))
    assert [(one.key, one.deal.net > 29) for one in pair.found()] == [((0, 2), True), ((0, 1), True)]


def test_an_opportunity_has_an_id_an_open_and_a_close_and_is_counted_once():
    pair = Pair(*DEEP, cooldown="2s")
    for step in range(5):
        pair.at(SECOND + step * SECOND // 10).wake()
    pair.at(2 * SECOND).row(1, BID, "100.50", "0").row(1, BID, "100.00", "1").wake()
    (one,) = pair.strategy.records()
    assert (one["id"], one["opened_ns"], one["closed_ns"], one["why"]) == ("arb-1", SECOND, 2 * SECOND, "gone")
    assert (one["buy"], one["sell"], one["wakes_seen"]) == (NORTH.name, EAST.name, 5)
    assert (one["profit"], one["net_bps"], one["buy_price"], one["sell_price"]) == (
        Decimal("29.95"), Decimal("29.95"), 100, Decimal("100.5"),
    )  # fmt: skip
    pair.at(3 * SECOND).row(1, BID, "100.50", "500").wake()
    assert pair.strategy.detected == 1  # the cooldown
    pair.at(4 * SECOND).wake()
    assert [one["id"] for one in pair.strategy.records()] == ["arb-1", "arb-2"]
    pair.at(60 * SECOND).wake()
    assert [one["why"] for one in pair.strategy.records()] == ["gone", "stale"]
    assert pair.strategy.figures()["detected"] == 2


def test_detecting_sends_nothing():
    pair = Pair(*DEEP)
    assert pair.wake() == [[], []]
    assert pair.strategy.figures()["mode"] == "detect"


def test_both_legs_are_taken_at_once_within_every_bound():
    bounds = {  # keys, lots taken
        "capital":  ({}, 100_000),
        "position": ({"max_position": "30 BTC"}, 30_000),
        "quote":    ({"balances": {"north": {"USDT": 2002}, "east": {"BTC": 1000}}}, 20_000),
        "base":     ({"balances": {"north": {"USDT": 99999}, "east": {"BTC": Decimal("12.5")}}}, 12_500),
    }  # fmt: skip
    for name, (keys, lots) in bounds.items():
        pair = Pair(*DEEP, mode="trade", **keys)
        assert pair.wake() == [[(BUY, lots, 10_000)], [(SELL, lots, 10_050)]], name


def test_without_room_nothing_is_traded_but_all_is_seen():
    pair = Pair(*DEEP, mode="trade", balances={"north": {"USDT": 900}, "east": {"BTC": 1000}})
    assert pair.wake() == [[], []]
    assert pair.strategy.detected == 1


# Both legs on venues that fill as a test says.


class Sparing(ObedientVenue):
    """Fills so many lots of each immediate order, in the order in which they come; without an entry all of it."""

    def __init__(self, *fills, latency=10):
        super().__init__(latency)
        self.fills = list(fills)

    def submit(self, command, now_ns):
        self.commands.append((now_ns, command))
        self.now_ns = now_ns + self.latency
        number, quantity = command.order_number, command.quantity_lots
        lots = min(quantity, self.fills.pop(0)) if self.fills else quantity
        self.resting[number] = [command.side, command.price_ticks, quantity, 0]
        self.tell(Accepted, order_number=number)
        if lots:
            price = command.price_ticks * Decimal("0.01")
            self.fill(number, lots, is_maker=False, fee=int(lots * Decimal("0.001") * price * FEE * ONE))
        if lots < quantity:
            self.tell(Canceled, order_number=number, reason="ioc", leaves_lots=quantity - lots)
            self.resting.pop(number, None)
        return True


class Floor:
    """An arbitrageur in a pipeline over two venues; the books stand still."""

    def __init__(self, *venues, until=3 * SECOND, later=(), rules=(), **keys):
        self.market = Market()
        for number, (bid, offer) in enumerate(((9_990, 10_000), (10_050, 10_060))):
            self.market.snapshot(1, bid, offer, size=500_000, instrument=number)
        for at, number, bid, offer in later:
            self.market.snapshot(at, bid, offer, size=500_000, instrument=number)
        self.views = [View(NORTH, 0, Ladder()), View(EAST, 1, Ladder())]
        self.gate = RiskGate(list(rules), self.views)
        strategy = Arbitrage(**{"mode": "trade", "cooldown": "60s", "max_age": "60s", **keys})
        terms = tuple(VenueTerms(name=name, taker_fee=FEE) for name in ("north", "east"))
        strategy.bind(BindContext(name="arb", where="strategies.arb", views=tuple(self.views), terms=terms))
        self.strategy, self.venues = strategy, venues
        self.desks = [
            Desk("arb", strategy, view, QuoteManager(0, 0, False), venue)
            for view, venue in zip(self.views, venues, strict=True)
        ]
        for desk in self.desks:
            desk.legs = self.desks
        self.notes = Notes()
        source = self.market.source()
        self.pipeline = Pipeline(source, list(self.views), self.desks, self.gate, list(venues), self.notes, 0)
        self.pipeline.start(0)
        self.pipeline.advance(until, 1 << 60)

    def sent(self):
        return [[short(command) for _, command in venue.commands] for venue in self.venues]

    def trade(self):
        (one,) = self.strategy.records()
        return one["trades"][-1]

    def equity(self):
        """Return what both portfolios hold: money, fees taken off, and the net position at the mid of north."""
        quote = sum(view.portfolio.cash - view.portfolio.fees_at(2) for view in self.views)
        lots = sum(view.position_lots for view in self.views)
        return Fraction(quote, ONE) + Fraction(lots, 1000) * Fraction(self.views[0].known_mid2, 200)


def test_a_whole_trade():
    floor = Floor(Sparing(), Sparing())
    assert floor.sent() == [["buy 100000@10000"], ["sell 100000@10050"]]
    trade = floor.trade()
    assert (trade["outcome"], trade["is_legged"], trade["profit"]) == ("both", False, Decimal("29.95"))
    assert (trade["bought"], trade["sold"], trade["residue"]) == (100, 100, 0)
    assert floor.equity() == Fraction(2995, 100)
    figures = floor.strategy.figures()
    assert (figures["traded"], figures["legged"], figures["profit"]) == (1, 0, Decimal("29.95"))
    assert [view.position_lots for view in floor.views] == [100_000, -100_000]


LEGS = {  # north fills, east fills, keys → what is sent beyond the first two orders, outcome, unwind cost
    "nobody fills":            ([0], [0], {}, [[], []], "missed", "0"),
    "both fill as little":     ([40_000], [40_000], {}, [[], []], "both", "0"),
    "hedged at once":          ([], [30_000], {}, [[], ["sell 70000@10030"]], "hedged", "0"),
    "hedged by a purchase":    ([60_000], [], {}, [["buy 40000@10020"], []], "hedged", "0"),
    "hedged in two pieces":    ([], [30_000, 50_000], {}, [[], ["sell 70000@10030", "sell 20000@10030"]],
                                "hedged", "0"),
    "then unwound":            ([], [30_000, 0, 0, 0], {}, [["sell 70000@9980"],
                                [*["sell 70000@10030"] * 3]], "unwound", "27.986"),
    "unwound at once":         ([], [30_000], {"on_leg": "unwind"}, [["sell 70000@9980"], []], "unwound", "27.986"),
    "a short one unwound":     ([60_000], [], {"on_leg": "unwind"}, [[], ["buy 40000@10070"]], "unwound", "16.048"),
    "one tick beyond the cap": ([], [30_000], {"on_leg": "unwind", "mend_within": "9 bps"}, [[], []], "stranded", "0"),
    "no attempt helps":        ([100_000, 0], [0, 0], {"mend_attempts": 1},
                                [["sell 100000@9980"], ["sell 100000@10030"]], "stranded", "0"),
}  # fmt: skip


@pytest.mark.parametrize(("north", "east", "keys", "more", "outcome", "cost"), LEGS.values(), ids=LEGS)
def test_what_follows_when_a_leg_fills_less(north, east, keys, more, outcome, cost):
    floor = Floor(Sparing(*north), Sparing(*east), until=30 * SECOND, **keys)
    sent = floor.sent()
    assert [one[1:] for one in sent] == more
    trade = floor.trade()
    assert (trade["outcome"], trade["unwind_cost"]) == (outcome, Decimal(cost))
    assert trade["is_legged"] == (outcome not in ("both", "missed"))
    even = outcome != "stranded"
    assert (sum(view.position_lots for view in floor.views) == 0) == even
    assert (trade["residue"] == 0) == even
    assert trade["profit"] == told(floor.equity())
    figures = floor.strategy.figures()
    assert (figures["outcomes"][outcome], figures["legged"]) == (1, int(trade["is_legged"]))
    assert figures["unwind_cost"] == Decimal(cost)


def test_who_is_stranded_trades_no_more_but_looks_on():
    floor = Floor(
        Sparing(100_000, 0), Sparing(0, 0), until=200 * SECOND, mend_attempts=1, max_age="10m", cooldown="1s",
        later=((100 * SECOND, 1, 9_995, 10_060), (110 * SECOND, 1, 10_050, 10_060)),
    )  # fmt: skip
    assert [len(one) for one in floor.sent()] == [2, 2]
    assert floor.strategy.detected == 2
    assert [len(one["trades"]) for one in floor.strategy.records()] == [1, 0]


def test_no_order_leaves_while_another_of_the_trade_may_fill():
    """East answers late: until then nothing is sent, whatever north says and however often the timer wakes."""
    floor = Floor(Sparing(), Sparing(30_000, latency=2 * SECOND), until=9 * SECOND)
    (_, first), (_, second) = floor.venues[1].commands
    assert [one[0] for one in floor.venues[1].commands][1] >= 2 * SECOND
    assert (short(first), short(second)) == ("sell 100000@10050", "sell 70000@10030")


def test_a_leg_whose_rule_refuses_is_unwound_like_one_that_was_not_filled():
    class NoSales(CheckRule):
        def check(self, command, view):
            return "no sales" if view.command_side(command) == SELL else ""

    rule = NoSales()
    rule.name = "no_sales"
    floor = Floor(Sparing(), Sparing(), until=60 * SECOND, rules=(rule,))
    assert floor.sent() == [["buy 100000@10000", "sell 100000@9980"], []]
    assert floor.trade()["outcome"] == "unwound"
    assert {rule for _, rule, _ in floor.notes.refusals} == {"no_sales"}


def test_in_reduce_only_no_trade_is_begun():
    pair = Pair(*DEEP, mode="trade")
    pair.views[1].risk_state = 2
    assert pair.wake() == [[], []]
    pair.views[1].risk_state = 0
    assert pair.wake() != [[], []]


def test_changed_parameters_go_on_with_what_is_open():
    before = Pair(*DEEP)
    before.wake()
    after = Pair(*DEEP, min_profit="7 bps")
    after.strategy.take_over(before.strategy)
    after.at(2 * SECOND).wake()
    (one,) = after.strategy.records()
    assert (one["id"], one["opened_ns"], one["wakes_seen"]) == ("arb-1", SECOND, 2)


levels = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=12, unique_by=lambda one: one[0]
)


@settings(max_examples=60, deadline=None)
@given(levels, levels, st.integers(-20, 40), st.integers(0, 60), st.integers(1, 9000))
def test_a_deal_equals_one_reckoned_lot_by_lot(offers, bids, gap, least, capital):
    """Every lot on its own, cheapest offer against dearest bid, in Fractions: as many as pay, as the capital buys."""
    coarse = attrs.evolve(NORTH, price_decimals=1, size_decimals=0)
    other = attrs.evolve(EAST, price_decimals=2, size_decimals=0)
    asked = sorted((Fraction(1000 + price, 10), size) for price, size in offers)
    paid = sorted(((Fraction(1000 + gap - price, 10), size) for price, size in bids), reverse=True)
    books = (
        ([("1.0", "1")], [(Decimal(1000 + price) / 10, size) for price, size in offers]),
        ([(Decimal(1000 + gap - price) / 10, size) for price, size in bids], [("900", "1")]),
    )
    pair = Pair(*books, instruments=(coarse, other), min_profit=f"{least} bps", min_notional="0 quote", max_age="1h")
    way = pair.strategy.ways[0]
    lots = list(
        zip(
            [price for price, size in asked for _ in range(size)],
            [price for price, size in paid for _ in range(size)],
            strict=False,
        )
    )
    fee, most = Fraction(FEE), Fraction(least, 10_000)
    paying = [(ask, bid) for ask, bid in lots if bid * (1 - fee) >= ask * (1 + fee + most)]
    assert paying == lots[: len(paying)]
    while sum(ask for ask, _ in paying) > capital:
        paying.pop()
    deal = way.deal(list(way.slices()), Fraction(capital))
    if not paying:
        assert deal is None
        return
    cost, proceeds = sum(ask for ask, _ in paying), sum(bid for _, bid in paying)
    assert (deal.buy_lots, deal.sell_lots) == (len(paying), len(paying))
    assert (deal.cost, deal.proceeds) == (cost, proceeds)
    assert deal.net == proceeds * (1 - fee) - cost * (1 + fee)
    assert deal.net >= cost * most
    assert Fraction(deal.buy_ticks, 10) == paying[-1][0]
    assert Fraction(deal.sell_ticks, 100) == paying[-1][1]


@pytest.mark.parametrize("seed", range(16))
def test_whatever_fills_the_trade_ends_even_or_says_that_it_did_not(seed):
    dice = random.Random(seed)
    fills = [[dice.choice((0, 1, 999, 20_000, 70_000, 100_000)) for _ in range(6)] for _ in range(2)]
    keys = {"on_leg": dice.choice(("hedge", "unwind")), "mend_attempts": dice.randint(1, 3), "mend_for": "3s"}
    latencies = [dice.choice((10, 40_000_000, SECOND)) for _ in range(2)]
    venues = [Sparing(*one, latency=latency) for one, latency in zip(fills, latencies, strict=True)]
    floor = Floor(*venues, until=60 * SECOND, **keys)
    trade = floor.trade()
    assert trade["outcome"] in ("both", "missed", "hedged", "unwound", "stranded")
    assert trade["profit"] == told(floor.equity())
    net = sum(view.position_lots for view in floor.views)
    assert Decimal(net) / 1000 == trade["residue"]
    assert (trade["outcome"] == "stranded") == (abs(net) >= 1)
    assert trade["attempts"] <= 2 * keys["mend_attempts"]
    for leg in range(2):  # first the order of the deal, then at most one after another
        orders = [(at, command) for at, command in venues[leg].commands]
        ends = [at + 2 * latencies[leg] for at, _ in orders]
        assert all(later[0] >= ended for later, ended in zip(orders[1:], ends, strict=False))
    lowest, highest = 9_980, 10_071  # nothing was asked for beyond the caps
    assert all(lowest <= command.price_ticks <= highest for venue in venues for _, command in venue.commands)
