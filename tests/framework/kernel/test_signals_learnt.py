"""Signals that learn from what they saw, by hand: microprice, intensity, impact, liquidity, large orders."""

from __future__ import annotations

import math
import random

import attrs
import pytest

from quotewright.kernel.codes import BID, OFFER, TRADE
from quotewright.kernel.signals_impact import PriceImpact
from quotewright.kernel.signals_intensity import TradeIntensity
from quotewright.kernel.signals_liquidity import LargeOrders, LiquidityRegime
from quotewright.kernel.signals_microprice import Microprice
from tests.framework.kernel.signals_market import Told
from tests.framework.kernel.stage import BUY, PLAIN, SECOND, SELL

HEAVY, LIGHT = (100, 9, 102, 1), (101, 1, 103, 9)


def microprice(quotes, samples=4, **options):
    told = Told(Microprice(samples * SECOND, samples, **{"buckets": 2, "spreads": 1, **options}))
    for second, quote in enumerate(quotes):
        told.quote(second * SECOND + 1, *quote)
    told.view.catch_up(len(quotes) * SECOND)
    return told


def test_the_microprice_of_a_market_that_turns_half_of_the_time():
    """Bid-heavy stays or rises by 1 to offer-heavy, half and half, and the other way round.

    ``G1``: 1/2 + 1/2 G1 = 1. ``G``: 1/2 + 1/2 G - 1/2 G = 1/2. So bid 100 and offer 102 are worth 101.5.
    """
    told = microprice([HEAVY, HEAVY, LIGHT, LIGHT, HEAVY])
    signal = told.signal
    assert signal.is_ready
    assert (signal.first_adjustment(1, 1), signal.adjustment(1, 1)) == (1.0, 0.5)
    assert (signal.first_adjustment(0, 1), signal.adjustment(0, 1)) == (-1.0, -0.5)
    assert signal.value == 101.5
    told.quote(5 * SECOND + 1, *LIGHT)
    assert signal.value == 101.5, "the other side of the same price"


def test_the_microprice_may_lie_beyond_the_market_unless_it_is_held_within():
    """A market that rises by 3 whenever bids are heavy, at a spread of 2."""
    quotes = [HEAVY, (103, 1, 105, 9), (100, 9, 102, 1), (103, 1, 105, 9), (100, 9, 102, 1)]
    signal = microprice(quotes).signal
    assert signal.adjustment(1, 1) == 1.5
    assert signal.value == microprice([*quotes, (103, 1, 105, 9)]).signal.value == 102.5
    assert microprice(quotes, within=True).signal.value == 102.0
    assert microprice([*quotes, (103, 1, 105, 9)], within=True).signal.value == 103.0


def test_before_it_has_seen_half_of_its_window_the_microprice_is_the_mid():
    told = microprice([HEAVY, LIGHT])
    assert (told.signal.value, told.signal.is_ready) == (102.0, False)
    assert (microprice([]).signal.value, microprice([]).signal.is_ready) == (0.0, False)


def test_a_market_that_never_moved_gives_no_adjustment():
    signal = microprice([HEAVY] * 6).signal
    assert (signal.value, signal.is_ready, signal.adjustment(1, 1)) == (101.0, True, 0.0)


def test_the_microprice_counts_spreads_in_ticks_and_prices_in_quote_currency():
    coarse = attrs.evolve(PLAIN, price_decimals=2, tick_steps=25)
    told = Told(Microprice(4 * SECOND, 4, 2, 3), instrument=coarse)
    for second, (bid, bid_size, offer, offer_size) in enumerate([HEAVY, HEAVY, LIGHT, LIGHT, HEAVY]):
        told.quote(second * SECOND + 1, 25 * bid, bid_size, 25 * offer, offer_size)
    told.view.catch_up(5 * SECOND)
    assert told.signal.value == 101.5 * 0.25
    assert [told.signal.adjustment(1, spread) for spread in (1, 2, 3)] == [0.0, 12.5, 0.0]


REACHES = [0.5, 0.5, 0.5, 0.5, 1.5, 1.5, 2.5]  # four arrivals end in the first bin, two in the second, one in the third


def intensity(reaches, method="likelihood", seconds=10, bins=4, **options):
    told = Told(TradeIntensity(seconds * SECOND, seconds, 1.0, bins, "steps", method, **{"least": 5, **options}))
    told.quote(1, 98, 5, 103, 5)  # twice the mid is 201
    for number, reach in enumerate(reaches):
        side = (BUY, SELL)[number % 2]
        price = int(100.5 + reach) if side == BUY else int(100.5 - reach)
        told.row(10 + number, TRADE, side, price, 1)
    told.view.catch_up(seconds * SECOND)
    return told.signal


def test_the_intensity_by_maximum_likelihood():
    """Seven stopped, and passed 2*1 + 1*2 = 4 borders: k = -ln(1 - 7/11); A is all of them, a side, in 10 s."""
    signal = intensity(REACHES)
    assert signal.counts() == [4, 2, 1, 0, 0]
    assert signal.value == signal.k == pytest.approx(math.log(11 / 4), rel=1e-14)
    assert signal.a == pytest.approx(7 / 20, rel=1e-14)
    assert signal.rate(2.0) == pytest.approx(7 / 20 * (4 / 11) ** 2, rel=1e-13)
    assert (signal.arrivals, signal.arrival_rate, signal.is_ready) == (7, 0.7, True)


def test_arrivals_beyond_the_last_bin_are_cut_off_and_not_lost():
    """Two bins: three beyond them passed two borders each; k = -ln(1 - 4/(4 + 6))."""
    signal = intensity([0.5, 0.5, 0.5, 1.5, 2.5, 5.5, 9.5], bins=2)
    assert signal.counts() == [3, 1, 3]
    assert signal.k == pytest.approx(math.log((4 + 7) / 7), rel=1e-14)


def test_the_intensity_by_regression_on_a_straight_line_is_that_line():
    """Rates of 8, 4, 2 and 1 in 20 s a side: ln 2 a step."""
    signal = intensity([0.5] * 4 + [1.5] * 2 + [2.5] + [3.5], "regression", seconds=10, bins=8)
    assert signal.k == pytest.approx(math.log(2), rel=1e-12)
    assert signal.a == pytest.approx(8 / 20, rel=1e-12)


def test_the_fit_begins_at_the_fullest_bin():
    """Nobody reaches less than the touch: what lies before the fullest bin says nothing of the decay."""
    signal = intensity([0.5, *[reach + 1.0 for reach in REACHES]], bins=6)
    assert signal.counts() == [1, 4, 2, 1, 0, 0, 0]
    assert signal.k == pytest.approx(math.log(11 / 4), rel=1e-14)
    assert signal.a == pytest.approx(7 / 20 * 11 / 4, rel=1e-13)


def test_takers_that_only_hit_the_touch_may_be_left_out_of_the_fit():
    """Twenty stop at the touch, and of those that go on half stop at each further step: k = -ln(1 - 3/(3 + 1))."""
    signal = intensity([0.5] * 20 + [1.5, 1.5, 2.5], skip=1, least=3)
    assert signal.counts() == [20, 2, 1, 0, 0]
    assert signal.k == pytest.approx(math.log(4), rel=1e-14)
    assert signal.a == pytest.approx(3 / 20 * 4, rel=1e-13)
    assert intensity(REACHES, skip=9).k == 0.0, "there is no such bin"
    assert not intensity(REACHES, skip=9).is_ready


def test_an_arrival_reaches_as_far_as_its_farthest_print():
    told = Told(TradeIntensity(4 * SECOND, 4, 1.0, 8, "steps"))
    told.quote(1, 98, 5, 103, 5)
    told.message(5, [(TRADE, BUY, 103, 1), (TRADE, BUY, 104, 1)], event=4)
    told.quote(6, 103, 5, 106, 5).message(7, [(TRADE, BUY, 106, 1)], event=4)  # by the mid before its first print
    told.view.catch_up(SECOND)
    assert told.signal.counts() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    told.message(SECOND + 1, [(TRADE, BUY, 108, 1)], event=4)  # the slice has closed: the arrival stays one
    assert told.signal.counts() == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    told.view.catch_up(6 * SECOND)
    assert told.signal.arrivals == 0, "the window has passed"
    told.message(6 * SECOND + 1, [(TRADE, BUY, 109, 1)], event=4)
    assert told.signal.arrivals == 0, "and an arrival that left it does not come back"


def test_a_print_without_a_side_is_taken_by_where_it_lies_and_a_bad_book_counts_nobody():
    told = Told(TradeIntensity(4 * SECOND, 4, 1.0, 8, "steps"))
    told.row(1, TRADE, BUY, 103, 1)
    told.quote(2, 98, 5, 103, 5).row(3, TRADE, 0, 103, 1).row(4, TRADE, 0, 98, 1)
    told.gap(5).row(6, TRADE, BUY, 108, 1).quote(7, 98, 5, 103, 5)
    told.view.catch_up(SECOND)
    assert told.signal.counts() == [0, 0, 2, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("reaches", [[], [0.5] * 9, [9.5] * 9], ids=["none", "all near", "all beyond"])
@pytest.mark.parametrize("method", ["likelihood", "regression"])
def test_an_intensity_that_cannot_be_told_is_not_ready(reaches, method):
    signal = intensity(reaches, method)
    assert not signal.is_ready
    assert signal.a == 0.0 or method == "regression"


@pytest.mark.parametrize("method", ["likelihood", "regression"])
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_what_is_known_of_a_made_up_market_is_found_again(method, width):
    """Takers come 10 times a second to each side and reach exponentially far: A = 10, k = 0.8 per bp."""
    rng = random.Random(4)
    told = Told(TradeIntensity(200 * SECOND, 50, width, round(8 / width), "bps", method))
    told.quote(1, 99_999_900, 5, 100_000_100, 5)
    now = 1.0
    while now < 200 * SECOND:
        now += rng.expovariate(20.0) * SECOND
        side = rng.choice((BUY, SELL))
        reach = rng.expovariate(0.8) * 10_000
        told.row(int(now), TRADE, side, round(100_000_000 + (reach if side == BUY else -reach)), 1)
    told.view.catch_up(200 * SECOND)
    assert told.signal.is_ready
    assert told.signal.k == pytest.approx(0.8, rel=0.05)
    assert told.signal.a == pytest.approx(10.0, rel=0.08)


def test_the_impact_is_the_slope_of_moves_on_signed_volume():
    """Moves of 2 bps for each unit bought, and a drift of 1 bp a second that is none of it."""
    fine = attrs.evolve(PLAIN, size_decimals=1)
    told = Told(PriceImpact(6 * SECOND, 6), instrument=fine)
    mid = 1_000_000_000.0
    told.quote(1, round(mid) - 10, 5, round(mid) + 10, 5)
    for second, bought in enumerate([3, -2, 0, 4, -5, 1], start=1):
        told.row(second * SECOND + 5, TRADE, BUY if bought > 0 else SELL, round(mid), abs(10 * bought))
        mid *= math.exp((2.0 * bought + 1.0) * 1e-4)
        told.quote(second * SECOND + 6, round(mid) - 10, 5, round(mid) + 10, 5)
    told.view.catch_up(7 * SECOND)
    assert told.signal.is_ready
    assert told.signal.value == pytest.approx(2.0, rel=1e-5)
    assert told.signal.r_squared == pytest.approx(1.0, rel=1e-6)


def test_without_trades_there_is_no_impact():
    told = Told(PriceImpact(4 * SECOND, 4))
    for second in range(6):
        told.quote(second * SECOND + 1, 99 + second, 5, 101 + second, 5)
    told.view.catch_up(6 * SECOND)
    assert (told.signal.value, told.signal.r_squared, told.signal.is_ready) == (0.0, 0.0, False)


def regime(*quotes, **options):
    told = Told(LiquidityRegime(10 * SECOND, 10, levels=1, **options))
    for second, (half, size) in enumerate(quotes):
        told.quote(second * SECOND + 1, 1000 - half, size, 1000 + half, size)
    told.view.catch_up(len(quotes) * SECOND)
    return told.signal


REGIMES = {  #                     nine usual seconds, then         regime    depth rank  spread rank
    "as ever":                    ((2, 10),                         "normal", 0.5,        0.5),
    "half of the depth":          ((2, 5),                          "thin",   0.05,       0.5),
    "twice the depth":            ((2, 20),                         "deep",   0.95,       0.5),
    "twice the spread":           ((4, 10),                         "thin",   0.5,        0.95),
    "deep and wide":              ((4, 20),                         "thin",   0.95,       0.95),
    "deep and tight":             ((1, 20),                         "deep",   0.95,       0.05),
}  # fmt: skip


@pytest.mark.parametrize(("last", "word", "depth", "spread"), REGIMES.values(), ids=REGIMES)
def test_the_liquidity_regime_by_ranks(last, word, depth, spread):
    signal = regime(*[(2, 10)] * 9, last)
    assert (signal.regime, signal.depth_rank, signal.spread_rank) == (word, depth, spread)
    assert signal.value == {"thin": -1.0, "normal": 0.0, "deep": 1.0}[word]
    assert signal.is_ready


def test_a_regime_gets_usual_when_it_lasts():
    assert regime(*[(2, 10)] * 9, *[(2, 5)] * 3).regime == "thin"
    assert regime(*[(2, 10)] * 9, *[(2, 5)] * 9).regime == "normal"


def test_there_is_no_regime_without_a_good_book():
    told = Told(LiquidityRegime(4 * SECOND, 4))
    told.quote(1, 99, 5, 101, 5)
    told.view.catch_up(3 * SECOND)
    assert told.signal.is_ready
    told.gap(3 * SECOND + 1)
    told.view.catch_up(4 * SECOND)
    assert (told.signal.regime, told.signal.is_ready) == ("normal", False)


def wall(told, at, size, price=97):
    told.snapshot(at, {BID: [(99, 10), (98, 12), (price, size)], OFFER: [(101, 10), (102, 11), (103, 9)]})


def test_a_large_order_counts_once_and_not_once_per_snapshot():
    """E-19: the article counts a resting order anew in each snapshot."""
    told = Told(LargeOrders(10 * SECOND, 10, levels=3, multiple=5.0))
    for step in range(20):
        wall(told, step * SECOND // 2 + 1, 70)
    told.view.catch_up(10 * SECOND)
    signal = told.signal
    assert (signal.value, signal.seen, signal.usual_size) == (1.0, 1, 10.5)
    assert signal.resting == [(BID, 97, SECOND)]
    wall(told, 10 * SECOND + 1, 36)  # more than half of 52.5 is left
    told.view.catch_up(11 * SECOND)
    assert (signal.value, signal.ended) == (0.0, 0), "it appeared more than ten seconds ago, and rests"
    wall(told, 11 * SECOND + 1, 20)
    told.view.catch_up(12 * SECOND)
    assert (signal.resting, signal.ended, signal.mean_life_ns) == ([], 1, 11 * SECOND)
    wall(told, 12 * SECOND + 1, 70)
    told.view.catch_up(13 * SECOND)
    assert (signal.value, signal.seen) == (1.0, 2), "another one"


def test_a_large_order_is_followed_when_the_market_leaves_it_behind():
    told = Told(LargeOrders(10 * SECOND, 10, levels=1, multiple=1.5))
    told.snapshot(1, {BID: [(99, 60), (98, 10)], OFFER: [(101, 10)]})
    told.view.catch_up(SECOND)
    told.snapshot(SECOND + 1, {BID: [(100, 10), (99, 60), (98, 10)], OFFER: [(101, 10)]})
    told.view.catch_up(2 * SECOND)
    told.snapshot(2 * SECOND + 1, {BID: [(99, 60), (98, 10)], OFFER: [(101, 10)]})
    told.view.catch_up(3 * SECOND)
    assert (told.signal.value, told.signal.seen) == (1.0, 1)


def test_a_large_order_may_be_stated_by_its_size_alone():
    """E-19: the threshold of the article is a size of 10 among the best five levels."""
    fine = attrs.evolve(PLAIN, size_decimals=2)
    told = Told(LargeOrders(10 * SECOND, 10, multiple=0.0, least=10.0), instrument=fine)
    told.snapshot(1, {BID: [(99, 999), (98, 1000)], OFFER: [(101, 4000), (102, 5)]})
    told.view.catch_up(SECOND)
    assert told.signal.resting == [(BID, 98, SECOND), (OFFER, 101, SECOND)]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Microprice(SECOND, 1, 1), "buckets 2 to 100 and spreads 1 to 20, were 1, 1 and 3"),
        (lambda: TradeIntensity(SECOND, width=0.0), "width positive, were 60, 100 and 0.0"),
        (lambda: TradeIntensity(SECOND, unit="ticks"), "unit should be bps or steps, was 'ticks'"),
        (lambda: TradeIntensity(SECOND, method="guess"), "method should be likelihood or regression, was 'guess'"),
        (lambda: TradeIntensity(SECOND, least=1), "least should be 2 or more and skip 0 or more, were 1 and 0"),
        (lambda: LiquidityRegime(SECOND, thin=0.6), "thin between 0 and 0.5, deep between 0.5 and 1"),
        (lambda: LargeOrders(SECOND, levels=0), "samples and levels should be 1 or more, were 60 and 0"),
        (lambda: LargeOrders(SECOND, multiple=0.0), "multiple or least should be positive"),
        (lambda: PriceImpact(SECOND, 1), "samples should be 2 or more, was 1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
