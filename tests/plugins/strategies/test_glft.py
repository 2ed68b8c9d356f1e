"""``glft`` against an independent, slow solution of the paper's equations."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from quotewright.config.units import UnitError
from quotewright_plugins.strategies.glft import between, closed_form, inventory_step, spectral
from tests.plugins.strategies.support import Shop, glft


@functools.cache
def solved(gamma, sigma, k, intensity, bound, seconds):
    """Return the optimal distances at the start by walking the linear system back from the end, Runge and Kutta's way.

    Guéant, Lehalle, Fernandez-Tapia (2013), theorem 1: ``v' = alpha q^2 v - eta (v[q-1] + v[q+1])``, ``v = 1`` at the
    end, the bid ``ln(v[q] / v[q+1]) / k`` beyond the premium. Scaling v changes no ratio.
    """
    q = np.arange(-bound, bound + 1)
    alpha = k / 2 * gamma * sigma**2
    eta = intensity * (1 + gamma / k) ** -(1 + k / gamma)

    def slope(v):
        found = -alpha * q * q * v
        found[:-1] += eta * v[1:]
        found[1:] += eta * v[:-1]
        return found

    v = np.ones(2 * bound + 1)
    step = 1.0 / (alpha * bound**2 + 2 * eta)
    for _ in range(math.ceil(seconds / step)):
        first = slope(v)
        second = slope(v + step / 2 * first)
        third = slope(v + step / 2 * second)
        v = v + step / 6 * (first + 2 * second + 2 * third + slope(v + step * third))
        v /= v.max()
    premium = math.log(1 + gamma / k) / gamma
    bids = {n: math.log(v[n + bound] / v[n + bound + 1]) / k + premium for n in range(-bound, bound)}
    offers = {n: math.log(v[n + bound] / v[n + bound - 1]) / k + premium for n in range(-bound + 1, bound + 1)}
    return bids, offers


PAPER = {"gamma": 0.01, "sigma": 0.3, "k": 0.3, "intensity": 0.9}
CASES = {  #              gamma  sigma  k    A      Q   seconds  within  of the premium and the steps
    "the paper's":       (0.01,  0.3,   0.3, 0.9,   30, 600,     10,     0.002),
    "a liquid perp":     (0.02,  1.1,   1.2, 2.0,   10, 600,     5,      0.01),
    "the golden A-S":    (0.1,   2.0,   1.5, 140.0, 10, 10,      5,      0.01),
    "few fills":         (0.01,  1.0,   0.3, 0.1,   30, 3000,    5,      0.02),
}  # fmt: skip


@pytest.mark.parametrize(("gamma", "sigma", "k", "a", "bound", "seconds", "reach", "within"), CASES.values(), ids=CASES)
def test_the_closed_form_is_near_to_the_solved_equations(gamma, sigma, k, a, bound, seconds, reach, within):
    """Within *reach* units of inventory; the scale of the error is the distance itself."""
    bids, offers = solved(gamma, sigma, k, a, bound, seconds)
    for q in range(-reach, reach + 1):
        below, above = closed_form(q, gamma, sigma, k, a)
        scale = math.log(1 + gamma / k) / gamma + abs(q) * inventory_step(gamma, sigma, k, a)
        assert below == pytest.approx(bids[q], abs=within * scale)
        assert above == pytest.approx(offers[q], abs=within * scale)


@pytest.mark.parametrize(("gamma", "sigma", "k", "a", "bound", "seconds", "reach", "within"), CASES.values(), ids=CASES)
def test_the_eigenvector_is_the_solved_equations(gamma, sigma, k, a, bound, seconds, reach, within):
    """At every inventory, up to the bound."""
    bids, offers = solved(gamma, sigma, k, a, bound, 3 * seconds)
    found = spectral(gamma, sigma, k, a, bound)
    assert len(found) == 2 * bound
    for q in range(-bound, bound):
        assert found[q + bound] == pytest.approx(bids[q], rel=1e-7)
        assert between(found, q) == pytest.approx(offers[-q], rel=1e-7), "the offer is the bid's mirror"


def test_a_bound_of_one_by_hand():
    """Three states: alpha, 0, alpha on the diagonal: x^2 - alpha x - 2 eta^2 = 0, f[1] / f[0] = -x / (2 eta)."""
    gamma, sigma, k, a = 0.1, 2.0, 1.5, 0.7
    alpha = k / 2 * gamma * sigma**2
    eta = a * (1 + gamma / k) ** -(1 + k / gamma)
    smallest = (alpha - math.sqrt(alpha**2 + 8 * eta**2)) / 2
    lean = math.log(-2 * eta / smallest) / k
    premium = math.log(1 + gamma / k) / gamma
    assert spectral(gamma, sigma, k, a, 1) == [pytest.approx(premium - lean), pytest.approx(premium + lean)]


BETWEEN = {  # inventory, distance of the bid: bound 2, at -2, -1, 0, 1 it is 1, 2, 4, 8
    "whole": (0.0, 4.0),
    "half way": (-0.5, 3.0),
    "beyond the lowest": (-7.0, 1.0),
    "the last": (1.0, 8.0),
    "almost at the bound": (1.9, 8.0),
    "at the bound": (2.0, None),
}


@pytest.mark.parametrize(("q", "distance"), BETWEEN.values(), ids=BETWEEN)
def test_between_whole_inventories_lies_a_line(q, distance):
    assert between([1.0, 2.0, 4.0, 8.0], q) == distance


def test_where_nothing_moves_only_the_bound_leans():
    """No volatility: closed form and the middle of the eigenvector ask for the premium alone."""
    premium = math.log(1 + 0.01 / 0.3) / 0.01
    assert closed_form(5, 0.01, 0.0, 0.3, 0.9) == (pytest.approx(premium), pytest.approx(premium))
    found = spectral(0.01, 0.0, 0.3, 0.9, 10)
    assert found[10] == pytest.approx(premium, abs=0.05)
    assert found[19] > premium + 1


def test_both_solutions_quote_alike_near_zero_and_the_exact_one_less_steeply_far_out():
    """sigma 1, A 0.1: at 20 level sizes long the closed form's offer stands where the exact one is not for long."""
    given = {"sigma": 1.0, "intensity": 0.1, "farthest": "500 bps"}
    quick, exact = (
        Shop(glft(**given), bid=9_000, offer=11_000),
        Shop(glft(solution="spectral", **given), bid=9_000, offer=11_000),
    )
    assert quick.first() == exact.first()
    assert quick.position(20_000).first() == (9_982, 9_991)
    assert exact.position(20_000).first() == (9_986, 9_994)


def test_a_measured_volatility_is_solved_for_anew():
    shop = Shop(glft(sigma=None, solution="spectral"), bid=9_000, offer=11_000)
    assert shop.quotes() == ([], [])
    calm = shop.swing(61, 1, half=900).position(9_000).first()
    wild = Shop(glft(sigma=None, solution="spectral"), bid=9_000, offer=11_000).swing(61, 9, half=900)
    assert wild.position(9_000).first()[1] < calm[1]


def test_the_end_is_far_enough_away_to_say_asymptotic():
    near, far = solved(0.01, 0.3, 0.3, 0.9, 30, 600), solved(0.01, 0.3, 0.3, 0.9, 30, 1200)
    assert near[0][3] == pytest.approx(far[0][3], abs=1e-6)


GOLDEN = {  #   q   below    above     of the solved equations: below, above
    "flat":    (0,  3.31292, 3.31292,  3.31305, 3.31305),
    "long 1":  (1,  3.38078, 3.24505,  3.38117, 3.24492),
    "long 9":  (9,  3.92371, 2.70212,  3.92516, 2.70064),
    "short 5": (-5, 2.97359, 3.65224,  2.97252, 3.65348),
}  # fmt: skip


@pytest.mark.parametrize(("q", "below", "above", "true_below", "true_above"), GOLDEN.values(), ids=GOLDEN)
def test_the_golden_values_of_the_papers_example(q, below, above, true_below, true_above):
    """gamma 0.01, sigma 0.3, k 0.3, A 0.9, Q 30: the step of a unit is 0.0678658, the premium 3.278982."""
    assert inventory_step(**PAPER) == pytest.approx(0.0678658, abs=5e-8)
    assert math.log(1 + 0.01 / 0.3) / 0.01 == pytest.approx(3.278982, abs=5e-7)
    assert closed_form(q, **PAPER) == (pytest.approx(below, abs=5e-6), pytest.approx(above, abs=5e-6))
    bids, offers = solved(0.01, 0.3, 0.3, 0.9, 30, 600)
    assert (bids[q], offers[q]) == (pytest.approx(true_below, abs=5e-6), pytest.approx(true_above, abs=5e-6))


def test_the_unit_of_time_does_not_matter_as_long_as_there_is_one():
    """Per minute: sixty times as many fills, the volatility times the root of sixty."""
    per_minute = {**PAPER, "sigma": 0.3 * math.sqrt(60), "intensity": 0.9 * 60}
    assert closed_form(2, **per_minute) == pytest.approx(closed_form(2, **PAPER))


def test_the_unit_of_price_does_not_matter_as_long_as_there_is_one():
    per_hundredth = {"gamma": 1.0, "sigma": 0.003, "k": 30.0, "intensity": 0.9}
    assert [100 * one for one in closed_form(2, **per_hundredth)] == pytest.approx(closed_form(2, **PAPER))


def test_the_golden_values_as_quotes():
    """A tick is a basis point of 100.00; nine level sizes long: 3.92 below and 2.70 above, rounded outward."""
    assert Shop(glft(), bid=9_000, offer=11_000).position(9000).first() == (9_996, 10_003)
    (bid,), (offer,) = Shop(glft(), bid=9_000, offer=11_000).position(9000).quotes()
    assert (bid[1], offer[1]) == (1000, 1000)


def test_in_units_of_price_the_same_market_gives_the_same_quotes():
    per_price = glft(units="price", gamma=1.0, k=30.0, sigma=0.003)
    assert Shop(per_price).position(4000).quotes() == Shop(glft()).position(4000).quotes()


@pytest.mark.parametrize(
    ("position", "bids", "offers"), [(29_500, [500], [1000]), (30_000, [], [1000]), (-31_000, [1000], [])]
)
def test_the_inventory_stays_within_its_bound(position, bids, offers):
    found = Shop(glft(), bid=9_000, offer=11_000).position(position).quotes()
    assert [[lots for _, lots in side] for side in found] == [bids, offers]


def test_the_least_spread_is_kept_around_the_same_centre():
    narrow = glft(k=30.0, min_spread="40 bps")
    assert Shop(narrow, bid=9_000, offer=11_000).first() == (9_980, 10_020)


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match="intensity should be positive"):
        glft(intensity=0.0)
