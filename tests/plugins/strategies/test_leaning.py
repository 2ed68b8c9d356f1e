"""``fixed_spread`` and ``multi_level``: a spread around the mid, leaned against inventory, wider when markets move."""

from __future__ import annotations

import math

import attrs
import pytest

from quotewright.config.units import UnitError
from quotewright.kernel.portfolio import Portfolio
from quotewright_plugins.strategies.leaning import leaning
from quotewright_plugins.strategies.multi_level import widening
from tests.framework.kernel.stage import SECOND
from tests.plugins.strategies.support import CENTS, Shop, fixed, multi_level


def test_a_fixed_spread_stands_around_the_mid_rounded_away_from_it():
    assert Shop(fixed()).quotes() == ([(9_950, 100)], [(10_050, 100)])
    assert Shop(fixed(spread="33 bps")).quotes() == ([(9_983, 100)], [(10_017, 100)])
    coarse = attrs.evolve(CENTS, tick_steps=25)
    assert Shop(fixed(), coarse, bid=9_975, offer=10_025).quotes() == ([(398, 100)], [(402, 100)])


SKEWS = {  #               skew  exponent  dead  position  centre moves by (of a half-spread of 50)
    "half long":         (1.0,  1.0,      0.0,  500,      -25),
    "full long":         (1.0,  1.0,      0.0,  1000,     -50),
    "beyond full":       (1.0,  1.0,      0.0,  5000,     -50),
    "full short":        (1.0,  1.0,      0.0,  -1000,     50),
    "half of the skew":  (0.5,  1.0,      0.0,  1000,     -25),
    "flat near zero":    (1.0,  2.0,      0.0,  500,      -12.5),
    "no skew":           (0.0,  1.0,      0.0,  1000,       0),
    "in the dead zone":  (1.0,  1.0,      0.5,  500,        0),
    "beyond it":         (1.0,  1.0,      0.5,  -750,      25),
    "beyond it, curved": (1.0,  2.0,      0.5,  750,      -12.5),
}  # fmt: skip


@pytest.mark.parametrize("maker", [fixed, multi_level])
@pytest.mark.parametrize(("skew", "exponent", "dead", "position", "shift"), SKEWS.values(), ids=SKEWS)
def test_a_long_position_lowers_both_quotes_and_a_short_one_raises_both(maker, skew, exponent, dead, position, shift):
    keys = {"skew": skew, "skew_exponent": exponent, "skew_dead_zone": dead, "levels": 1}
    (bid,), (offer,) = Shop(maker(**keys), bid=9_000, offer=11_000).position(position).quotes()
    assert (bid[0], offer[0]) == (math.floor(9_950 + shift), math.ceil(10_050 + shift))


def test_of_two_strategies_on_one_instrument_each_leans_against_its_own_position():
    shop = Shop(fixed(), bid=9_000, offer=11_000).position(1000)
    assert shop.first() == (9_900, 10_000)
    shop.view.own = Portfolio(CENTS)
    assert shop.first() == (9_950, 10_050)


@pytest.mark.parametrize(("estimator", "is_widened"), [("realised", True), ("bipower", False), ("median", False)])
def test_an_estimator_that_looks_past_jumps_does_not_widen_for_one(estimator, is_widened):
    """One jump of a hundred basis points in a minute of silence."""
    maker = multi_level(volatility_doubles=1.0, volatility_estimator=estimator)
    shop = Shop(maker, bid=9_000, offer=11_000)
    for second in range(1, 62):
        shift = 100 if second > 30 else 0
        shop.stage.quote(second * SECOND + 1, 9_000 + shift, 11_000 + shift)
    bid, offer = shop.first()
    assert offer - bid == (304 if is_widened else 102)


def test_the_articles_skew_of_a_basis_point_is_a_tenth_of_a_half_spread_of_ten():
    """D-02 moves 0.0001 of the mid at the full position whatever the spread; skew says how much of the half-spread."""
    bid, offer = Shop(fixed(spread="20 bps", skew=0.1), bid=9_000, offer=11_000).position(1000).first()
    assert (bid, offer) == (9_989, 10_009)


@pytest.mark.parametrize(
    ("ratio", "exponent", "dead", "lean"),
    [(0.0, 1, 0, 0.0), (0.4, 1, 0, 0.4), (-0.4, 2, 0, -0.16), (0.2, 1, 0.2, 0.0), (-0.6, 1, 0.2, -0.5), (1, 3, 0.9, 1)],
)
def test_the_curve_of_the_skew(ratio, exponent, dead, lean):
    assert leaning(ratio, exponent, dead) == pytest.approx(lean, abs=1e-12)


WIDENINGS = {  #             sigma  doubles  most  times
    "nothing moves":        (0.0,   1.0,     3.0,  1.0),
    "half of it":           (0.5,   1.0,     3.0,  1.5),
    "doubled":              (1.0,   1.0,     3.0,  2.0),
    "bounded":              (6.0,   1.0,     3.0,  3.0),
    # D-01: 2x at 10 % a year is 0.178 bps per root second; a market of 60 % a year would ask for 7x.
    "the article's double": (0.178, 0.178,   3.0,  2.0),
    "the article's seven":  (6 * 0.178, 0.178, 3.0, 3.0),
}  # fmt: skip


@pytest.mark.parametrize(("sigma", "doubles", "most", "times"), WIDENINGS.values(), ids=WIDENINGS)
def test_volatility_multiplies_the_spread_within_bounds(sigma, doubles, most, times):
    assert widening(sigma, doubles, most) == pytest.approx(times)


def test_ten_per_cent_a_year_is_0178_basis_points_per_root_second():
    assert 0.10 * 10_000 / math.sqrt(365 * 86_400) == pytest.approx(0.178, abs=5e-4)


@pytest.mark.parametrize(("doubles", "most", "half"), [(10.0, 3.0, 100.0), (5.0, 4.0, 150.0), (1.0, 3.0, 150.0)])
def test_the_measured_volatility_widens_every_level(doubles, most, half):
    """A tick of one basis point: ten up and ten down each second are 10 bps per root second; half-spread 50 before."""
    maker = multi_level(volatility_doubles=doubles, max_widening=most, levels=2)
    shop = Shop(maker, bid=9_000, offer=11_000)
    assert shop.quotes() == ([], []), "nothing is quoted while the volatility is not known"
    shop.swing(61, 10, half=900)
    mid = (shop.view.book.best_bid + shop.view.book.best_offer) / 2
    (near_bid, far_bid), (near_offer, far_offer) = shop.quotes()
    assert near_offer[0] - near_bid[0] == pytest.approx(2 * half, abs=4)
    assert far_offer[0] - far_bid[0] == pytest.approx(3 * half, abs=5)
    assert (near_bid[0] + near_offer[0]) / 2 == pytest.approx(mid, abs=1)


def test_twice_as_many_messages_do_not_widen_anything():
    """A-12: the article's volatility depends on how often it is asked; ours on elapsed time."""
    first = Shop(multi_level(volatility_doubles=5.0), bid=9_000, offer=11_000).swing(61, 10, half=900)
    second = Shop(multi_level(volatility_doubles=5.0), bid=9_000, offer=11_000)
    for step in range(1, 62):
        mid = 10_000 + (10 if step % 2 else 0)
        for part in range(4):
            second.stage.quote(step * SECOND + 1 + part * SECOND // 4, mid - 900, mid + 900)
    assert first.quotes() == second.quotes()


def test_the_configs_of_the_article_are_keys_here():
    """D-12: pair, spread_bps, levels, level_size_usd, max_position_usd."""
    maker = multi_level(spread="10 bps", levels=5, size="1000 USDT", max_position="5000 USDT")
    bids, offers = Shop(maker).quotes()
    assert len(bids) == len(offers) == 5
    assert bids == [(9_995, 10_005), (9_992, 10_008), (9_990, 10_010), (9_987, 10_013), (9_985, 10_015)]
    assert offers == [(10_005, 9_995), (10_008, 9_992), (10_010, 9_990), (10_013, 9_987), (10_015, 9_985)]


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match=r"skew_dead_zone should be between 0 and 0\.99"):
        fixed(skew_dead_zone=1.0)
    with pytest.raises(UnitError, match="max_widening should be between 1 and 100"):
        multi_level(max_widening=0.5)
