"""``order_book_imbalance``: quotes that move towards, or widen with, the heavier side of the book."""

from __future__ import annotations

import pytest

from quotewright.config.units import UnitError
from quotewright_plugins.strategies.order_book_imbalance import shifted, widened
from tests.plugins.strategies.support import Shop, imbalanced

SHIFTS = {  #               spread  imbalance  shift, C-10: threshold 0.1, spread * 0.3 * imbalance
    "balanced":            (20.0,   0.0,       0.0),
    "below the threshold": (20.0,   0.09,      0.0),
    "at it, bids":         (20.0,   0.1,       0.6),
    "at it, offers":       (20.0,   -0.1,      -0.6),
    "heavy in bids":       (20.0,   0.5,       3.0),
    "heavy in offers":     (20.0,   -0.5,      -3.0),
    "all bids":            (20.0,   1.0,       6.0),
}  # fmt: skip


@pytest.mark.parametrize(("spread", "imbalance", "shift"), SHIFTS.values(), ids=SHIFTS)
def test_both_quotes_move_towards_the_lighter_side(spread, imbalance, shift):
    assert shifted(spread, imbalance, 0.3, 0.1) == pytest.approx(shift)


@pytest.mark.parametrize(("imbalance", "bps"), [(0.0, 5.0), (0.5, 6.25), (-0.5, 6.25), (1.0, 7.5)])
def test_the_other_articles_spread_widens_with_the_imbalance(imbalance, bps):
    """E-12: base 5 basis points times 1 + 0.5 |imbalance|."""
    assert widened(5.0, imbalance, 0.5) == pytest.approx(bps)


BOOKS = {  # bid 9990 x size, offer 10010 x size; the market's own spread of 20 around 10000
    "balanced": (100, 100, 9_990, 10_010),
    "barely": (109, 100, 9_990, 10_010),
    "heavy in bids": (300, 100, 9_993, 10_013),
    "heavy in offers": (100, 300, 9_987, 10_007),
}


@pytest.mark.parametrize(("bid_size", "offer_size", "bid", "offer"), BOOKS.values(), ids=BOOKS)
def test_quotes_of_the_first_article(bid_size, offer_size, bid, offer):
    shop = Shop(imbalanced()).book([(9_990, bid_size)], [(10_010, offer_size)])
    assert shop.first() == (bid, offer)


def test_quotes_of_the_other_article():
    """Top five levels 30 to 10: imbalance 0.5, 5 bps widened to 6.25 around the mid; the sixth level counts nothing."""
    maker = imbalanced(spread="5 bps", widen=0.5, imbalance_skew=0.0)
    bids = [(999_990 - 10 * level, 6) for level in range(5)]
    offers = [(1_000_010 + 10 * level, 2) for level in range(5)]
    shop = Shop(maker).book([*bids, (999_000, 10**6)], [*offers, (1_001_000, 1)])
    assert shop.strategy.imbalance(shop.view) == 0.5
    assert shop.first() == (1_000_000 - 313, 1_000_000 + 313)


def test_the_depth_may_be_a_band_around_the_mid():
    shop = Shop(imbalanced(imbalance_band="20 bps")).book(
        [(9_990, 100), (9_980, 100), (9_900, 10**6)], [(10_010, 100), (10_020, 500)]
    )
    assert shop.strategy.imbalance(shop.view) == pytest.approx(-0.5)


def test_it_leans_against_inventory_where_a_largest_position_is_stated():
    flat = Shop(imbalanced(max_position="1 BTC")).book([(9_990, 100)], [(10_010, 100)])
    assert flat.first() == (9_990, 10_010)
    assert flat.position(500).first() == (9_985, 10_005)
    without = Shop(imbalanced()).book([(9_990, 100)], [(10_010, 100)]).position(500)
    assert without.first() == (9_990, 10_010)


def test_quotes_never_take_however_heavy_the_book():
    shop = Shop(imbalanced(imbalance_skew=5.0)).book([(9_999, 10**6)], [(10_000, 1)])
    bid, offer = shop.first()
    assert bid == 9_999
    assert offer > 10_000


def test_wrong_keys_are_refused_by_name():
    with pytest.raises(UnitError, match="threshold should be between 0 and 1"):
        imbalanced(threshold=1.5)
    with pytest.raises(UnitError, match="imbalance_levels should be at least 0"):
        imbalanced(imbalance_levels=-1)
