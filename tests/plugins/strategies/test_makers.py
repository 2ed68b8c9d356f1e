"""The shipped makers quote by their formulas, lean against inventory, and never off the grid or through the touch."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.config.units import UnitError
from quotewright.errors import ConfigError
from quotewright.kernel.strategy import Quotes
from quotewright.wiring import BindContext
from quotewright_plugins.strategies.avellaneda_stoikov import (
    AvellanedaStoikov,
    optimal_spread,
    reservation_price,
)
from quotewright_plugins.strategies.fixed_spread import FixedSpread
from quotewright_plugins.strategies.multi_level import inventory_ratio
from tests.framework.kernel.stage import BUY, PLAIN, SECOND, SELL, Stage

CENTS = attrs.evolve(PLAIN, price_decimals=2, size_decimals=3, min_notional=Decimal(5))


class Shop:
    """A strategy bound to a real view."""

    def __init__(self, strategy, instrument=CENTS, bid=9_990, offer=10_010):
        self.stage = Stage(instrument=instrument)
        self.strategy = strategy
        strategy.bind(BindContext(name="mm", where="strategies.mm", views=(self.stage.view,)))
        self.stage.view.start(0)
        self.stage.quote(1, bid, offer)

    def position(self, lots):
        have = self.stage.view.position_lots
        if lots != have:
            self.stage.trade(BUY if lots > have else SELL, abs(lots - have), 10_000)
        return self

    def quotes(self):
        quotes = Quotes()
        self.strategy.on_wake(self.stage.view, quotes)
        return quotes.bids, quotes.offers


def fixed(**keys):
    return FixedSpread(**{"size": "0.1 BTC", "spread": "100 bps", "max_position": "1 BTC", **keys})


def stoikov(**keys):
    return AvellanedaStoikov(**{"size": "1 BTC", "gamma": 0.1, "k": 1.5, **keys})


def test_the_golden_values_of_avellaneda_and_stoikov():
    """s 100, q 1, gamma 0.1, sigma 2, T - t 1, k 1.5; the article's doubled term would give 2.090770."""
    assert reservation_price(100.0, 1.0, 0.1, 2.0, 1.0) == pytest.approx(99.6, abs=1e-12)
    assert optimal_spread(0.1, 2.0, 1.0, 1.5) == pytest.approx(1.690770, abs=5e-7)


def test_the_golden_values_as_quotes():
    """In units of price, at a mid of 100.00 and one BTC long: 99.6 less and plus half of 1.690770, on the tick."""
    shop = Shop(stoikov(units="price", sigma=2.0, horizon="1s"), bid=9_000, offer=11_000).position(1000)
    assert shop.quotes() == ([(9_875, 1000)], [(10_045, 1000)])


def test_basis_points_and_prices_say_the_same_when_converted():
    """One basis point of 100 is 0.01: gamma and k per bps are a hundredth, sigma a hundredfold."""
    per_price = Shop(stoikov(units="price", sigma=0.02, gamma=1.0, k=150.0, horizon="60s")).position(2000)
    per_bps = Shop(stoikov(units="bps", sigma=2.0, gamma=0.01, k=1.5, horizon="60s")).position(2000)
    assert per_price.quotes() == per_bps.quotes()


def test_without_inventory_the_quotes_are_centred_on_the_mid():
    (bid,), (offer,) = Shop(stoikov(sigma=1.0)).quotes()
    assert bid[0] + offer[0] == 20_000


def test_the_measured_volatility_is_waited_for_and_then_used():
    shop = Shop(stoikov(volatility_window="60s", min_spread="1 bps"))
    assert shop.quotes() == ([], [])
    for second in range(1, 62):
        mid = 10_000 + second % 2
        shop.stage.quote(second * SECOND + 1, mid - 10, mid + 10)
    measured = shop.quotes()
    stated = Shop(stoikov(sigma=100 / 100.01, min_spread="1 bps"), bid=9_991, offer=10_011).quotes()
    assert measured[0][0][0] == pytest.approx(stated[0][0][0], abs=1)


def test_a_horizon_that_does_not_roll_runs_down_to_a_hundredth():
    shop = Shop(stoikov(sigma=5.0, horizon="10s", horizon_rolls=False))
    spreads = []
    for second in (1, 6, 11, 100):
        shop.stage.at(second * SECOND)
        (bid,), (offer,) = shop.quotes()
        spreads.append(offer[0] - bid[0])
    assert spreads[0] > spreads[1] > spreads[2] == spreads[3]


CLAMPS = {"widest": ({"max_spread": "10 bps"}, 10), "least": ({"min_spread": "90 bps", "sigma": 0.001}, 90)}


@pytest.mark.parametrize(("keys", "bps"), CLAMPS.values(), ids=CLAMPS)
def test_the_spread_is_held_between_least_and_widest(keys, bps):
    (bid,), (offer,) = Shop(stoikov(**{"sigma": 50.0, **keys})).quotes()
    assert offer[0] - bid[0] == bps


def test_a_fixed_spread_stands_around_the_mid_rounded_away_from_it():
    assert Shop(fixed()).quotes() == ([(9_950, 100)], [(10_050, 100)])
    assert Shop(fixed(spread="33 bps")).quotes() == ([(9_983, 100)], [(10_017, 100)])
    coarse = attrs.evolve(CENTS, tick_steps=25)
    assert Shop(fixed(), coarse, bid=9_975, offer=10_025).quotes() == ([(398, 100)], [(402, 100)])


SKEWS = {  #               skew  exponent  position  centre moves by (of a half-spread of 50)
    "half long":         (1.0,  1.0,      500,      -25),
    "full long":         (1.0,  1.0,      1000,     -50),
    "beyond full":       (1.0,  1.0,      5000,     -50),
    "full short":        (1.0,  1.0,      -1000,     50),
    "half of the skew":  (0.5,  1.0,      1000,     -25),
    "flat near zero":    (1.0,  2.0,      500,      -12.5),
    "no skew":           (0.0,  1.0,      1000,       0),
}  # fmt: skip


@pytest.mark.parametrize(("skew", "exponent", "position", "shift"), SKEWS.values(), ids=SKEWS)
def test_a_long_position_lowers_both_quotes_and_a_short_one_raises_both(skew, exponent, position, shift):
    (bid,), (offer,) = (
        Shop(fixed(skew=skew, skew_exponent=exponent), bid=9_000, offer=11_000).position(position).quotes()
    )
    assert (bid[0], offer[0]) == (math.floor(9_950 + shift), math.ceil(10_050 + shift))


MAKERS = st.sampled_from(
    [
        fixed(levels=3),
        fixed(levels=4, spread="3 bps", skew=3.0, skew_exponent=0.5),
        stoikov(sigma=2.0, levels=2),
        stoikov(sigma=0.3, units="price", gamma=0.5, levels=3, level_step=0.1),
    ]
)


@given(MAKERS, st.lists(st.integers(-3000, 3000), min_size=2, max_size=6), st.integers(1, 60))
def test_quotes_never_rise_with_inventory(maker, positions, half):
    shop = Shop(maker, bid=10_000 - half, offer=10_000 + half)
    ladders = []
    for position in sorted(positions):
        ladders.append(shop.position(position).quotes())
    for (bids, offers), (next_bids, next_offers) in pairwise(ladders):
        assert all(later[0] <= sooner[0] for sooner, later in zip(bids, next_bids, strict=False))
        assert all(later[0] <= sooner[0] for sooner, later in zip(offers, next_offers, strict=False))


@given(MAKERS, st.integers(-3000, 3000), st.integers(200, 20_000), st.integers(1, 60))
def test_quotes_stand_apart_on_the_grid_and_never_take(maker, position, mid, half):
    shop = Shop(maker, bid=max(1, mid - half), offer=mid + half).position(position)
    bids, offers = shop.quotes()
    prices = [price for price, _ in bids]
    assert prices == sorted(set(prices), reverse=True)
    assert [price for price, _ in offers] == sorted({price for price, _ in offers})
    assert all(price < mid + half for price in prices)
    assert all(price > max(1, mid - half) for price, _ in offers)
    assert all(lots * price * 10 >= 5 * 10**6 for price, lots in [*bids, *offers]), "worth five USDT or more"


def test_levels_stand_a_share_of_the_half_spread_apart():
    """D-03: half-spread 50, each further level half of it away; every offer at its own price."""
    bids, offers = Shop(fixed(levels=3, level_step=0.5, size_growth=2.0)).quotes()
    assert bids == [(9_950, 100), (9_925, 200), (9_900, 400)]
    assert offers == [(10_050, 100), (10_075, 200), (10_100, 400)]


def test_levels_closer_than_a_tick_are_a_tick_apart():
    bids, _ = Shop(fixed(levels=3, level_step=0.0)).quotes()
    assert [price for price, _ in bids] == [9_950, 9_949, 9_948]


def test_a_value_becomes_whole_lots_at_the_mid():
    assert Shop(fixed(size="50 USDT")).quotes()[0] == [(9_950, 500)]
    assert Shop(fixed(size="50.09 USDT")).quotes()[0] == [(9_950, 500)]


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


@pytest.mark.parametrize(("position", "limit", "ratio"), [(5, 10, 0.5), (-20, 10, -1.0), (3, 0, 0.0)])
def test_the_inventory_ratio_is_held_within_one(position, limit, ratio):
    assert inventory_ratio(position, limit) == ratio


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match="gamma should be positive"):
        stoikov(gamma=0)
    with pytest.raises(UnitError, match="levels should be between 1 and 100"):
        fixed(levels=0)
    with pytest.raises(ConfigError, match=r"strategies.mm.size: unit 'ETH' fits no instrument"):
        Shop(fixed(size="1 ETH"))
