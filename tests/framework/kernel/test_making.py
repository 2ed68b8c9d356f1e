"""What makers have in common: quotes on several levels, and leaning."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from quotewright.config.units import Amount
from quotewright.errors import InputError
from quotewright.kernel.amounts import BoundAmount
from quotewright.kernel.making import Leaning, LevelQuotes
from quotewright.kernel.strategy import Quotes
from tests.framework.kernel.stage import Stage


def lots(view, count):
    return BoundAmount(Amount(Decimal(count), "lots"), [view], "here")


def stated(bid_at, offer_at, half=2.0, room=None, position=0, levels=3):
    view = Stage().quote(1, 99, 101).view
    quotes = Quotes()
    bound = None if room is None else lots(view, room)
    LevelQuotes(view, lots(view, 4), levels, 0.5, 2.0).state(view, quotes, bid_at, offer_at, half, bound, position)
    return quotes.bids, quotes.offers


STATED = {  #                      bid    offer  more                          bids               offers
    "levels behind the first":    (98.5,  101.5, {},                           "98x4 97x8 96x16", "102x4 103x8 104x16"),
    "never across the market":    (150.0, 50.0, {},                           "100x4 99x8 98x16", "100x4 101x8 102x16"),
    "a tick apart":               (98.0,  102.0, {"half": 0.0},                "98x4 97x8 96x16", "102x4 103x8 104x16"),
    "one side":                   (None,  102.0, {"levels": 1},                "",                "102x4"),
    "room for what it leaves":    (98.0,  102.0, {"room": 10, "position": 3},  "98x4 97x3",       "102x4 103x8 104x1"),
    "no room on one side":        (98.0,  102.0, {"room": 10, "position": 10}, "",                "102x4 103x8 104x8"),
    "bids end at the first tick": (2.5,   102.0, {},                           "2x4 1x8",         "102x4 103x8 104x16"),
    "no bid at or below zero":    (-1e300, None, {},                           "",                ""),
}  # fmt: skip


@pytest.mark.parametrize(("bid_at", "offer_at", "more", "bids", "offers"), STATED.values(), ids=STATED)
def test_levels_are_stated_around_two_prices(bid_at, offer_at, more, bids, offers):
    found = [" ".join(f"{price}x{size}" for price, size in side) for side in stated(bid_at, offer_at, **more)]
    assert found == [bids, offers]


def test_a_price_that_is_no_number_raises_and_one_beyond_every_book_is_refused():
    for wrong, error in ((math.nan, ValueError), (math.inf, OverflowError), (-math.inf, OverflowError)):
        with pytest.raises(error):
            stated(wrong, None)
        with pytest.raises(error):
            stated(None, wrong)
    with pytest.raises(InputError, match="offer price_ticks should be at most"):
        stated(None, 1e300)


def test_leaning_takes_its_limit_at_the_last_known_mid():
    view = Stage().quote(1, 99, 101).view
    limit = BoundAmount(Amount(Decimal(2000), "USDT"), [view], "here")  # 20 lots at a mid of 100
    assert Leaning(limit, 0.5, 2.0, 0.0).lean(view, -10) == -0.125
    assert Leaning(limit, 0.5, 1.0, 0.25).lean(view, 15) == pytest.approx(1 / 3)
    assert Leaning(limit, 0.5, 1.0, 0.25).lean(view, 50) == 0.5
    assert Leaning(None, 1.0, 1.0, 0.0).lean(view, 10) == 0.0
