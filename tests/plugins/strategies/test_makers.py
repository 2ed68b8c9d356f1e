"""What holds for every shipped maker: it leans against inventory, and is never off the grid or through the touch."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.config.units import UnitError
from quotewright.errors import ConfigError
from quotewright.kernel.codes import INSTRUMENT_CHANGE
from quotewright.kernel.desk import Desk
from quotewright.kernel.quoting import QuoteManager
from quotewright_plugins.strategies.maker import inventory_ratio
from tests.framework.kernel.stage import Market, ObedientVenue
from tests.plugins.strategies.support import CENTS, Shop, fixed, makers, multi_level

MAKERS = st.sampled_from(sorted(makers()))
FAR = 10**9
"""Stands for a quote that is not stated: below every price on the bid side, above on the offer side."""


def ladder(quotes, missing):
    return [price for price, _ in quotes] or [missing]


@given(MAKERS, st.lists(st.integers(-4000, 4000), min_size=2, max_size=6), st.integers(1, 60))
def test_quotes_never_rise_with_inventory(name, positions, half):
    """Level by level; a bid that is not stated any more lies below all, an offer that is not stated yet above all."""
    shop = Shop(makers()[name], bid=10_000 - half, offer=10_000 + half)
    found = [shop.position(position).quotes() for position in sorted(positions)]
    for (bids, offers), (later_bids, later_offers) in pairwise(found):
        assert ladder(later_bids, -FAR)[0] <= ladder(bids, -FAR)[0] or not bids
        assert not (later_bids and not bids)
        assert not (offers and not later_offers)
        assert all(later[0] <= sooner[0] for sooner, later in zip(bids, later_bids, strict=False))
        assert all(later[0] <= sooner[0] for sooner, later in zip(offers, later_offers, strict=False))


@given(MAKERS, st.integers(-4000, 4000), st.integers(200, 20_000), st.integers(1, 60))
def test_quotes_stand_apart_on_the_grid_and_never_take(name, position, mid, half):
    shop = Shop(makers()[name], bid=max(1, mid - half), offer=mid + half).position(position)
    bids, offers = shop.quotes()
    prices = [price for price, _ in bids]
    assert prices == sorted(set(prices), reverse=True)
    assert [price for price, _ in offers] == sorted({price for price, _ in offers})
    assert all(price < mid + half for price in prices)
    assert all(price > max(1, mid - half) for price, _ in offers)
    assert all(lots * price * 10 >= 5 * 10**6 for price, lots in [*bids, *offers]), "worth five USDT or more"


@given(MAKERS, st.integers(-4000, 4000), st.integers(2, 40))
def test_quotes_lie_on_the_tick_of_today_each_on_its_own_price(name, position, grid):
    """A venue that has coarsened its tick: bids still round down to it, offers up, and no two levels meet."""
    shop = Shop(makers()[name]).position(position)
    shop.stage.show(Market().row(5, grid, 1, INSTRUMENT_CHANGE))
    for quotes in shop.quotes():
        prices = [price for price, _ in quotes]
        assert len(set(prices)) == len(prices)
        assert all(price % grid == 0 for price in prices)


@given(MAKERS, st.integers(-4000, 4000))
def test_what_is_held_within_a_limit_is_never_led_beyond_it(name, position):
    strategy = attrs.evolve(makers()[name], hold_within="1 BTC")
    bids, offers = Shop(strategy).position(position).quotes()
    if bids:
        assert position + sum(lots for _, lots in bids) <= 1000
    if offers:
        assert position - sum(lots for _, lots in offers) >= -1000
    assert bids or offers, "one side is always left"


LIMITS = {  #                    position  lots bid         lots offered, nearest first
    "flat":                     (0,       [100, 100, 50],   [100, 100, 50]),
    "two levels of room":       (50,      [100, 100],       [100, 100, 100]),
    "at the limit":             (250,     [],               [100, 100, 100]),
    "beyond it":                (-400,    [100, 100, 100],  []),
    "too little room to quote": (245,     [],               [100, 100, 100]),
}  # fmt: skip


@pytest.mark.parametrize(("position", "bids", "offers"), LIMITS.values(), ids=LIMITS)
def test_the_levels_nearest_to_the_market_use_the_room_first(position, bids, offers):
    ten_lots = attrs.evolve(CENTS, min_quantity_steps=10, min_notional=Decimal(0))
    shop = Shop(multi_level(skew=0.0, hold_within="0.25 BTC"), ten_lots, bid=9_000, offer=11_000).position(position)
    assert [[lots for _, lots in side] for side in shop.quotes()] == [bids, offers]


def test_levels_stand_a_share_of_the_half_spread_apart():
    """D-03: half-spread 50, each further level half of it away; every offer at its own price."""
    bids, offers = Shop(fixed(levels=3, level_step=0.5, size_growth=2.0)).quotes()
    assert bids == [(9_950, 100), (9_925, 200), (9_900, 400)]
    assert offers == [(10_050, 100), (10_075, 200), (10_100, 400)]


def test_levels_closer_than_a_tick_are_a_tick_apart():
    bids, offers = Shop(fixed(levels=3, level_step=0.0)).quotes()
    assert [price for price, _ in bids] == [9_950, 9_949, 9_948]
    assert [price for price, _ in offers] == [10_050, 10_051, 10_052]


def test_farther_levels_grow_without_an_error_of_floats():
    """1.1 times 1.1 is 1.2100000000000002 in floats; sizes are 100, 110, 121, 133 lots."""
    bids, _ = Shop(fixed(levels=4, size_growth=1.1)).quotes()
    assert [lots for _, lots in bids] == [100, 110, 121, 133]


VALUES = {  #            size          bid lots at 99.50  offer lots at 100.50
    "fifty":            ("50 USDT",    502,               497),
    "and a little":     ("50.25 USDT", 505,               500),
    "in quote":         ("50 quote",   502,               497),
    "a lot on one side": ("0.1 USDT",  1,                 0),
    "less than a lot":  ("0.099 USDT", 0,                 0),
}  # fmt: skip


@pytest.mark.parametrize(("size", "bid_lots", "offer_lots"), VALUES.values(), ids=VALUES)
def test_a_value_buys_what_it_buys_at_each_sides_own_price(size, bid_lots, offer_lots):
    """D-03: the article divided by the bid's price on both sides."""
    bids, offers = Shop(fixed(size=size), attrs.evolve(CENTS, min_notional=Decimal(0))).quotes()
    assert (bids, offers) == (
        [(9_950, bid_lots)] if bid_lots else [],
        [(10_050, offer_lots)] if offer_lots else [],
    )


INVERSE = attrs.evolve(
    CENTS, name="BTC-USD.perp@test", kind="perp", quote="USD", settle="BTC", size_decimals=0, is_inverse=True,
    contract_size=Decimal(10), min_notional=Decimal(0),
)  # fmt: skip
LINEAR = attrs.evolve(
    CENTS, name="BTC-USDT.perp@test", kind="perp", settle="USDT", size_decimals=0, contract_size=Decimal("0.01"),
    min_notional=Decimal(0),
)  # fmt: skip
CONTRACTS = {  #                  instrument  size           bid lots at 99.50  offer lots at 100.50
    "inverse, by face":          (INVERSE,    "500 USD",     50,                50),
    "inverse, in coins":         (INVERSE,    "2 BTC",       20,                20),
    "inverse, in contracts":     (INVERSE,    "7 contracts", 7,                 7),
    "linear, a value":           (LINEAR,     "50 USDT",     50,                49),
    "linear, in coins":          (LINEAR,     "0.5 BTC",     50,                50),
    "linear, in contracts":      (LINEAR,     "7 contracts", 7,                 7),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "size", "bid_lots", "offer_lots"), CONTRACTS.values(), ids=CONTRACTS)
def test_contracts_are_quoted_in_their_own_number(instrument, size, bid_lots, offer_lots):
    """A contract of 10 USD, or of 0.01 BTC, at a mid of 100.00."""
    bids, offers = Shop(fixed(size=size, max_position="1000 contracts"), instrument).quotes()
    assert (bids, offers) == ([(9_950, bid_lots)], [(10_050, offer_lots)])


POSITIONS = {"inverse": (INVERSE, 30, 3.0), "linear": (LINEAR, 30, 0.3), "spot": (CENTS, 300, 0.3)}


@pytest.mark.parametrize(("instrument", "lots", "base"), POSITIONS.values(), ids=POSITIONS)
def test_a_position_counts_in_base_units_where_a_formula_does(instrument, lots, base):
    shop = Shop(fixed(size="7 lots", max_position="1000 lots"), instrument).position(lots)
    assert shop.strategy.base_position(shop.view) == pytest.approx(base)


SMALL = {  #                       instrument                                                  size         quoted
    "below the least value":     (CENTS,                                                   "0.05 BTC",   0),
    "just the least value":      (CENTS,                                                   "0.051 BTC",  1),
    "raised to the least order": (attrs.evolve(CENTS, min_quantity_steps=200),             "0.1 BTC",    1),
}  # fmt: skip


@pytest.mark.parametrize(("instrument", "size", "quoted"), SMALL.values(), ids=SMALL)
def test_what_the_venue_would_reject_is_not_quoted(instrument, size, quoted):
    bids, _ = Shop(fixed(size=size), instrument).quotes()
    assert len(bids) == quoted
    assert all(lots >= instrument.min_quantity_steps for _, lots in bids)


def test_a_quote_is_no_larger_than_the_venues_largest_order():
    bids, _ = Shop(fixed(size="3 BTC"), attrs.evolve(CENTS, max_quantity_steps=2_500)).quotes()
    assert bids == [(9_950, 2_500)]


def test_where_the_tick_depends_on_the_price_each_quote_keeps_to_its_own():
    """Below 100 ticks of 0.05, from 100 on of 0.25."""
    table = ((Decimal(0), Decimal("0.05")), (Decimal(100), Decimal("0.25")))
    stepped = attrs.evolve(CENTS, tick_table=table)
    assert Shop(fixed(spread="33 bps"), stepped).quotes() == ([(9_980, 100)], [(10_025, 100)])


@pytest.mark.parametrize(("position", "limit", "ratio"), [(5, 10, 0.5), (-20, 10, -1.0), (3, 0, 0.0)])
def test_the_inventory_ratio_is_held_within_one(position, limit, ratio):
    assert inventory_ratio(position, limit) == ratio


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match="levels should be between 1 and 100"):
        fixed(levels=0)
    with pytest.raises(UnitError, match="hold_within should be positive"):
        fixed(hold_within="0 BTC")
    with pytest.raises(ConfigError, match=r"strategies.mm.size: unit 'ETH' fits no instrument"):
        Shop(fixed(size="1 ETH"))


@pytest.mark.parametrize("wakes", [True, False])
def test_a_maker_thinks_after_its_fills_unless_told_not_to(wakes):
    shop = Shop(fixed(wake_on_fill=wakes))
    assert Desk("mm", shop.strategy, shop.view, QuoteManager(0, 0, False), ObedientVenue()).on_fill == wakes
    assert fixed().wake_on_fill
