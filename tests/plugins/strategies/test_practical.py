"""``practical_spread``: the article to the digit, and what its comments say it does."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.config.units import UnitError
from quotewright.kernel.codes import BID
from quotewright_plugins.strategies.practical import (
    article_quotes,
    article_spread_bps,
    article_volatility,
    corrected_distances,
)
from tests.framework.kernel.stage import SECOND
from tests.plugins.strategies.support import Shop, practical

BIDS = [(45000, 5.0), (44990, 8.0), (44980, 12.0)]
OFFERS = [(45010, 4.5), (45020, 7.5), (45030, 11.0)]
IMBALANCE = 2.0 / 48.0


def article_book(shop, at=2):
    """Show the book of the article's example: steps of 0.01 USDT and of 0.001 BTC."""
    return shop.book(
        [(price * 100, int(size * 1000)) for price, size in BIDS],
        [(price * 100, int(size * 1000)) for price, size in OFFERS],
        at,
    )


def test_the_golden_values_of_the_article():
    """Price 45000, base 8, no history, flat: 8 + 0.5 for the least volatility + 0.125 for the imbalance."""
    assert article_volatility([45000.0]) == 0.0001
    spread = article_spread_bps(0.0001, IMBALANCE, 0.0, base=8.0)
    assert spread == pytest.approx(8.625, abs=1e-12)
    bid, offer = article_quotes(45000.0, spread, 0.0)
    assert (bid, offer) == (pytest.approx(44_980.59375, abs=1e-8), pytest.approx(45_019.40625, abs=1e-8))


def test_the_golden_values_as_quotes():
    """The example hands the best bid in as the current price; around the mid both stand five higher."""
    shop = article_book(Shop(practical(reference="best_bid")))
    assert shop.strategy.imbalance(shop.view) == pytest.approx(0.0416667, abs=5e-8)
    assert shop.first() == (4_498_059, 4_501_941)
    around_mid = article_book(Shop(practical()))
    assert around_mid.first() == (4_498_559, 4_502_441)


def test_the_articles_inventory_term_is_a_fiftieth_of_a_basis_point_at_two_bitcoin():
    """A-11: a share of the price times 100 is per cent, not basis points; the skew of both quotes is right."""
    assert article_spread_bps(0.0, 0.0, 2.0, base=8.0) - 8.0 == pytest.approx(0.02)
    bid, offer = article_quotes(45000.0, 8.0, 2.0)
    assert (bid + offer) / 2 == pytest.approx(45000 - 9.0)
    below, above = corrected_distances(0.0, 0.0, 2.0, base=8.0)
    assert below + above == pytest.approx(8.0 + 2.0)
    assert (above - below) / 2 == pytest.approx(-2.0), "two basis points, nine dollars"


WIDTHS = {  #             article: below, above   corrected: below, above
    "bids are heavy":    (0.5,   5.75, 5.75,       5.0,  6.5),
    "offers are heavy":  (-0.5,  5.75, 5.75,       6.5,  5.0),
    "balanced":          (0.0,   5.0,  5.0,        5.0,  5.0),
    "all bids":          (1.0,   6.5,  6.5,        5.0,  8.0),
}  # fmt: skip


@pytest.mark.parametrize(("imbalance", "below", "above", "true_below", "true_above"), WIDTHS.values(), ids=WIDTHS)
def test_only_the_thin_side_is_widened_once_corrected(imbalance, below, above, true_below, true_above):
    half = article_spread_bps(0.0, imbalance, 0.0) / 2
    assert (half, half) == (pytest.approx(below), pytest.approx(above))
    assert corrected_distances(0.0, imbalance, 0.0) == (pytest.approx(true_below), pytest.approx(true_above))


CLAMPS = {  #             volatility  base    total
    "a storm":           (0.9,        10.0,   200.0),
    "nothing at all":    (0.0,        0.0,    1.0),
    "in between":        (0.002,      10.0,   20.0),
}  # fmt: skip


@pytest.mark.parametrize(("volatility", "base", "total"), CLAMPS.values(), ids=CLAMPS)
def test_the_spread_is_held_between_one_and_two_hundred(volatility, base, total):
    assert article_spread_bps(volatility, 0.0, 0.0, base=base) == pytest.approx(total)
    below, above = corrected_distances(volatility * 10_000, 0.0, 0.0, base=base)
    assert below + above == pytest.approx(total)


def test_the_articles_volatility_is_numpys():
    """Population deviation of the log returns, times the root of 1440."""
    draw = random.Random(5)
    prices = [45_000.0]
    for _ in range(300):
        prices.append(prices[-1] * math.exp(draw.gauss(0.0, 1e-4)))
    expected = np.std(np.diff(np.log(prices))) * np.sqrt(24 * 60)
    assert article_volatility(prices) == pytest.approx(expected, rel=1e-9)
    assert article_volatility(prices[:19]) == 0.0001


def market(seconds, every, seed=3):
    """Return the prices of a market of 60 % a year, seen every so many seconds."""
    draw = random.Random(seed)
    per_step = 0.60 * math.sqrt(every / (365 * 86_400))
    prices = [100_000.0]
    for _ in range(int(seconds / every)):
        prices.append(prices[-1] * math.exp(draw.gauss(0.0, per_step)))
    return prices


def test_the_articles_volatility_depends_on_how_often_it_is_called():
    """A-12, reproduced: one market of 60 % a year adds 14 basis points asked twice a second, 160 once a minute."""
    often = [0.5 * 10_000 * article_volatility(market(500, 0.5, seed)) for seed in range(20)]
    rarely = [0.5 * 10_000 * article_volatility(market(60_000, 60.0, seed)) for seed in range(20)]
    assert np.mean(often) == pytest.approx(14.3, abs=0.5)
    assert np.mean(rarely) == pytest.approx(157, abs=5)


def swung(shop, every):
    """Let the mid go up and down by two basis points each second, told so often."""
    for step in range(1, 61 * SECOND // every + 1):
        at = step * every
        mid = 10_000 + 2 * (at // SECOND % 2)
        shop.book([(mid - 1, 10)], [(mid + 1, 10)], at + 1)
        if at % (SECOND // 2) == 0:
            shop.quotes()
    return shop


def test_the_corrected_volatility_does_not():
    """Two basis points a second over twelve minutes are 53.7; half of them go into the spread."""
    keys = {"variant": "corrected", "size": "1 BTC"}
    once = swung(Shop(practical(**keys)), SECOND)
    often = swung(Shop(practical(**keys)), SECOND // 4)
    assert once.quotes() == often.quotes()
    bid, offer = once.first()
    assert offer - bid == pytest.approx(8 + 0.5 * 2 * math.sqrt(720), abs=2)


def test_the_article_is_moved_by_being_asked_more_often():
    once, often = Shop(practical()), Shop(practical())
    for shop, wakes in ((once, 1), (often, 4)):
        for second in range(1, 41):
            mid = 10_000 + 20 * (second % 2)
            shop.book([(mid - 1, 10)], [(mid + 1, 10)], second * SECOND)
            for _ in range(wakes):
                shop.quotes()
    assert once.first() != often.first()


def test_the_corrected_spread_waits_for_the_volatility():
    assert article_book(Shop(practical(variant="corrected"))).quotes() == ([], [])


def test_the_corrected_quotes_by_hand():
    """No move at all in a minute: base 8 bps, a balanced book of 30.000 BTC but for 10 lots, one bitcoin long."""
    shop = Shop(practical(variant="corrected", inventory_penalty=0.001), bid=9_990, offer=10_010)
    for second in range(1, 62):
        shop.stage.at(second * SECOND)
        shop.book([(9_990, 300)], [(10_010, 100)], second * SECOND)
    below, above = corrected_distances(0.0, 0.5, 1.0, base=8.0, penalty=0.001)
    assert (below, above) == (pytest.approx(9.0 + 10.0), pytest.approx(9.0 + 1.5 - 10.0))
    assert shop.position(1000).first() == (9_981, 10_001)


@given(
    st.floats(0, 500),
    st.floats(-1, 1),
    st.lists(st.floats(-50, 50), min_size=2, max_size=6),
    st.sampled_from([1e-4, 1e-3]),
)
def test_corrected_quotes_never_rise_with_inventory(volatility, imbalance, positions, penalty):
    found = [corrected_distances(volatility, imbalance, each, penalty=penalty) for each in sorted(positions)]
    for (below, above), (later_below, later_above) in pairwise(found):
        assert later_below >= below - 1e-9
        assert later_above <= above + 1e-9


@given(st.floats(0, 500), st.floats(-1, 1), st.floats(-50, 50))
def test_both_variants_spread_as_far_but_for_the_inventory(volatility, imbalance, position):
    """Widening one side by all, or both by half, is the same total, up to what the penalty is worth."""
    printed = article_spread_bps(volatility * 1e-4, imbalance, position)
    below, above = corrected_distances(volatility, imbalance, position)
    assert -1e-9 <= below + above - printed <= abs(position) * 0.99 + 1e-9


def test_levels_of_the_book_that_are_counted_can_be_chosen():
    whole = article_book(Shop(practical()))
    two = article_book(Shop(practical(imbalance_levels=2)))
    near = article_book(Shop(practical(imbalance_band="2 bps")))
    whole.row(3, 4_000_000, 10**6, BID)
    assert whole.strategy.imbalance(whole.view) > 0.9, "an order far away counts as much as the best"
    assert two.strategy.imbalance(two.view) == pytest.approx(1.0 / 25.0)
    assert near.strategy.imbalance(near.view) == pytest.approx(0.5 / 9.5)


def test_new_parameters_keep_the_prices_seen_so_far():
    shop = article_book(Shop(practical()))
    for _ in range(30):
        shop.quotes()
    changed = practical(base_spread="20 bps")
    changed.bind(shop.context)
    changed.take_over(shop.strategy)
    assert len(changed._returns) == 29
    shop.strategy = changed
    bid, offer = shop.first()
    assert offer - bid == pytest.approx(45_005 * 100 * (20 + 0.125) * 1e-4, abs=2), "no move: no volatility"


UNITS = {  #                   inventory_unit  units in 400 lots of 0.001 BTC at 100.00
    "base units":              (None,           0.4),
    "of a stated quantity":    ("0.1 BTC",      4.0),
    "of a stated value":       ("20 USDT",      2.0),
}  # fmt: skip


@pytest.mark.parametrize(("unit", "units"), UNITS.values(), ids=UNITS)
def test_a_unit_of_inventory_may_be_stated(unit, units):
    shop = Shop(practical(inventory_unit=unit), bid=9_000, offer=11_000).position(400)
    assert shop.strategy.inventory(shop.view) == pytest.approx(units)
    moved = Shop(practical(inventory_unit=unit, inventory_penalty=0.01), bid=9_000, offer=11_000)
    flat, held = moved.first(), moved.position(400).first()
    assert (flat[0] + flat[1] - held[0] - held[1]) / 2 == pytest.approx(100 * units, abs=1)


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match="volatility_history should be between 20 and 100000"):
        practical(volatility_history=3)
    with pytest.raises(UnitError, match="min_spread should be positive"):
        practical(min_spread="0 bps")
