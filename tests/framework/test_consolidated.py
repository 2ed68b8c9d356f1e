"""The book over venues, held against a slow one in Decimals; crossed books, stale legs, contracts and inverse ones."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewright.consolidated import ConsolidatedBook
from quotewright.errors import ConfigError
from quotewright.kernel.codes import BID, BUY, LEVEL_SET, OFFER, SELL, SNAPSHOT_BEGIN, pack
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.view import View
from tests.framework.kernel.stage import PLAIN, SECOND

KINDS = {
    "fine":     attrs.evolve(PLAIN, name="BTC-USDT.spot@fine", venue="fine", price_decimals=2, size_decimals=5),
    "coarse":   attrs.evolve(PLAIN, name="BTC-USDT.spot@coarse", venue="coarse", price_decimals=0, size_decimals=1),
    "contract": attrs.evolve(PLAIN, name="BTC-USDT.perp@c", venue="c", kind="perp", price_decimals=1, size_decimals=0,
                             contract_size=Decimal("0.001")),
    "inverse":  attrs.evolve(PLAIN, name="BTC-USDT.perp@i", venue="i", kind="perp", price_decimals=1, size_decimals=0,
                             contract_size=Decimal(10), is_inverse=True, settle="BTC"),
}  # fmt: skip
USD = attrs.evolve(PLAIN, name="BTC-USD.perp@usd", venue="usd", quote="USD")
OPTION = attrs.evolve(PLAIN, name="BTC-USDT.option@o", kind="option")


def shown(instrument, bids, offers, at=1, number=0):
    """Return a view whose whole book is *bids* and *offers*, pairs of decimal texts."""
    view = View(instrument, number, Ladder())
    rows = TapeBuffer(16)
    rows.append(at, at, 0, 0, 0, pack(SNAPSHOT_BEGIN, 0, 0, number))
    for side, levels in ((BID, bids), (OFFER, offers)):
        for price, size in levels:
            steps = int(Decimal(price).scaleb(instrument.price_decimals))
            rows.append(
                at, at, steps, int(Decimal(size).scaleb(instrument.size_decimals)), 0, pack(LEVEL_SET, side, 0, 0)
            )
    rows.mark_last()
    view.on_message(rows, 0, rows.count, at)
    return view


def test_the_best_of_all_venues_with_who_shows_it_and_a_crossed_book_is_normal():
    book = ConsolidatedBook([
        shown(KINDS["fine"], [("99.50", "1")], [("100.00", "0.5"), ("101.00", "1")]),
        shown(KINDS["coarse"], [("100", "2")], [("102", "3")]),
        shown(KINDS["contract"], [("100.0", "1500")], [("101.0", "700")]),
    ])  # fmt: skip
    bid, offer = book.best_bid(1), book.best_offer(1)
    assert (book.price(bid.price), book.base(bid.size)) == (100, Fraction(7, 2))
    assert [(place, book.base(size)) for place, size in bid.parts] == [(1, 2), (2, Fraction(3, 2))]
    assert (book.price(offer.price), book.base(offer.size), offer.parts[0][0]) == (100, Fraction(1, 2), 0)
    assert book.is_crossed(1)
    offers = book.levels(OFFER, -1, 1)
    assert [(book.price(one.price), [place for place, _ in one.parts]) for one in offers] == [
        (100, [0]), (101, [0, 2]), (102, [1]),
    ]  # fmt: skip
    assert book.levels(OFFER, 1, 1) == offers[:1]


def test_a_side_is_walked_up_to_a_size_or_a_value_over_all_venues():
    book = ConsolidatedBook([
        shown(KINDS["fine"], [("99", "1")], [("100.00", "0.5"), ("101.00", "1")]),
        shown(KINDS["coarse"], [("98", "2")], [("102", "3")]),
    ])  # fmt: skip
    unit = 10**book.size_decimals
    walk = book.walk(BUY, 1, size=2 * unit)
    assert (book.base(walk.size), book.quote(walk.value), book.price(walk.worst_price)) == (2, 202, 102)
    assert [(place, book.base(size)) for place, size in walk.parts] == [(0, Fraction(3, 2)), (1, Fraction(1, 2))]
    money = 10 ** (book.price_decimals + book.size_decimals)
    walk = book.walk(BUY, 1, value=151 * money)
    assert (book.base(walk.size), book.quote(walk.value), walk.is_whole) == (Fraction(3, 2), 151, True)
    walk = book.walk(SELL, 1, size=5 * unit)
    assert (book.base(walk.size), book.quote(walk.value), walk.is_whole) == (3, 295, False)
    assert book.walk(SELL, 1).size == walk.size


def test_an_inverse_contract_counts_in_base_units_at_its_price():
    view = shown(KINDS["inverse"], [("20000.0", "5000")], [("25000.0", "5000")])
    book = ConsolidatedBook([shown(KINDS["fine"], [("19999.00", "1")], [("20001.00", "1")]), view])
    bid = book.best_bid(1)
    assert (book.base(bid.size), bid.parts[0][0]) == (Fraction(50_000, 20_000), 1)
    assert book.quote(bid.size * bid.price) == 50_000 == view.instrument.quote_quantity(Decimal(5000), Decimal(20_000))
    leg = book.legs[1]
    assert leg.size_steps(bid.size, bid.price) == 5000
    assert book.base(leg.size(3, bid.price)) == view.instrument.base_quantity(Decimal(3), Decimal(20_000))


AGES = {  # seconds since the receipt, legs that count
    "all young":      (1, [0, 1]),
    "one is too old": (7, [1]),
    "at the bound":   (5, [0, 1]),
    "both too old":   (60, []),
}  # fmt: skip


@pytest.mark.parametrize(("age", "legs"), AGES.values(), ids=AGES)
def test_a_leg_counts_as_long_as_it_was_heard_of(age, legs):
    views = [
        shown(KINDS["fine"], [("99", "1")], [("100", "1")], at=SECOND),
        shown(KINDS["coarse"], [("98", "1")], [("101", "1")], at=4 * SECOND),
    ]
    book = ConsolidatedBook(views, max_age_ns=5 * SECOND)
    now_ns = SECOND + age * SECOND
    assert [leg.place for leg in book.usable(now_ns)] == legs
    assert (book.best_bid(now_ns) is None) == (not legs)
    assert not book.is_crossed(now_ns)


def test_a_book_that_is_not_good_does_not_count_however_young():
    views = [shown(KINDS["fine"], [("99", "1")], [("100", "1")]), shown(KINDS["coarse"], [("98", "1")], [("101", "1")])]
    views[0].book.mark_stale()
    rows = TapeBuffer(2)
    rows.append(2, 2, 1, 1, 0, pack(LEVEL_SET, BID, 0, 0))
    rows.mark_last()
    views[0].on_message(rows, 0, 1, 2)
    assert [leg.place for leg in ConsolidatedBook(views).usable(2)] == [1]


REFUSED = {
    "another quote currency": ([KINDS["fine"], USD], r"BTC-USD.perp@usd is BTC for USD, .*spot@fine is BTC for USDT"),
    "an option":              ([KINDS["fine"], OPTION], "an option is no pair"),
    "nothing":                ([], "takes at least one instrument"),
}  # fmt: skip


@pytest.mark.parametrize(("instruments", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_book_over_venues_is_refused(instruments, said):
    with pytest.raises(ConfigError, match=said):
        ConsolidatedBook([View(one, 0, Ladder()) for one in instruments])


class Slow:
    """The same, from the instruments' own Decimal arithmetic and one sorted list."""

    def __init__(self, views):
        self.views = views

    def levels(self, side):
        found = []
        for place, view in enumerate(self.views):
            if view.is_book_good:
                one = view.instrument
                for price, size in view.book.levels(side, -1):
                    at, much = one.price_from_steps(price), one.size_from_steps(size)
                    found.append((at, place, one.base_quantity(much, at)))
        return sorted(found, key=lambda level: (-level[0] if side == BID else level[0], level[1]))

    def walk(self, side, size=None, value=None):
        total = worth = Fraction(0)
        for price, _, there in self.levels(OFFER if side == BUY else BID):
            taken = there if size is None else min(there, size - total)
            if value is not None:
                taken = min(taken, (value - worth) / Fraction(price))
            total += taken
            worth += taken * Fraction(price)
        return total, worth


levels = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 500)), min_size=1, max_size=24, unique_by=lambda x: x[0])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), levels, levels), min_size=1, max_size=4),
    st.integers(1, 3000),
    st.sampled_from([BUY, SELL]),
)
def test_it_equals_a_slow_book_in_decimals(parts, much, side):
    views = []
    for kind, bids, offers in parts:
        one = KINDS[kind]
        low = max(1, 10 ** (one.price_decimals + 1))
        views.append(shown(
            one,
            [(one.price_from_steps(low + price), one.size_from_steps(size)) for price, size in bids],
            [(one.price_from_steps(low + 60 + price), one.size_from_steps(size)) for price, size in offers],
        ))  # fmt: skip
    book, slow = ConsolidatedBook(views), Slow(views)
    for of in (BID, OFFER):
        merged = [
            (book.price(level.price), place, book.base(size))
            for level in book.levels(of, -1, 1)
            for place, size in level.parts
        ]
        assert merged == slow.levels(of)
        assert all(level.size == sum(size for _, size in level.parts) for level in book.levels(of, 3, 1))
    walk = book.walk(side, 1, size=Fraction(much * 10**book.size_decimals, 7))
    assert (book.base(walk.size), book.quote(walk.value)) == slow.walk(side, size=Fraction(much, 7))
    walk = book.walk(side, 1, value=much * 10 ** (book.price_decimals + book.size_decimals))
    assert (book.base(walk.size), book.quote(walk.value)) == slow.walk(side, value=Fraction(much))
