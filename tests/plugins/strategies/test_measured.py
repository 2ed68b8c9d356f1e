"""What is not stated is measured: volatility and the intensity of fills, waited for and then quoted by."""

from __future__ import annotations

import random

import pytest

from tests.framework.kernel.stage import BUY, SECOND, SELL, Market
from tests.plugins.strategies.support import Shop, glft, stationary, stoikov

MID = 1_000_000
KEYS = {"intensity_window": "60s", "intensity_width": "1 bps", "sigma": 1.0}


def traded(shop, seconds=61, a_second=4, k=0.5, seed=3):
    """Let takers reach an exponential distance from the mid, *k* per basis point, on either side."""
    draw = random.Random(seed)
    shop.stage.quote(2, MID - 20, MID + 20)
    for step in range(seconds * a_second):
        at = 3 + step * SECOND // a_second
        side = draw.choice((BUY, SELL))
        ticks = int(draw.expovariate(k) * MID * 1e-4)
        shop.stage.show(Market().trade(at, side, MID + (ticks if side == BUY else -ticks), 1))
    shop.stage.quote(seconds * SECOND + 5, MID - 20, MID + 20)
    return shop


MAKERS = {
    "avellaneda_stoikov": lambda **keys: stoikov(**{**KEYS, **keys}),
    "stationary_stoikov": lambda **keys: stationary(**{**KEYS, **keys}),
    "glft": lambda **keys: glft(**{**KEYS, "gamma": 0.1, "max_position": "3 BTC", **keys}),
    "glft, spectral": lambda **keys: glft(
        **{**KEYS, "gamma": 0.1, "max_position": "3 BTC", "solution": "spectral", **keys}
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_an_intensity_that_is_not_stated_is_measured(name):
    stated = {"k": None, "intensity": None} if name.startswith("glft") else {"k": None}
    shop = Shop(MAKERS[name](**stated))
    assert shop.quotes() == ([], []), "takers have to come first"
    traded(shop)
    k, a = shop.strategy._intensity.fitted()
    assert k == pytest.approx(0.5, rel=0.25)
    assert a == pytest.approx(2.0, rel=0.25), "two a second on either side"
    told = {"k": k, "intensity": a} if name.startswith("glft") else {"k": k}
    assert shop.position(1000).quotes() == traded(Shop(MAKERS[name](**told))).position(1000).quotes()


@pytest.mark.parametrize("name", MAKERS)
def test_in_units_of_price_the_measured_quotes_are_the_same(name):
    """A basis point of 10,000.00 is 1.00: the figures are the same, a level size is one base unit."""
    given = {"k": None, "intensity": None} if name.startswith("glft") else {"k": None}
    bps, price = traded(Shop(MAKERS[name](**given))), traded(Shop(MAKERS[name](units="price", **given)))
    assert bps.position(2000).quotes() == price.position(2000).quotes()


def test_what_is_stated_is_not_measured():
    shop = Shop(glft())
    assert shop.strategy._intensity is None
    assert shop.first()
    half = traded(Shop(MAKERS["glft"](k=0.4, intensity=None)))
    told = half.strategy._intensity.fitted()[1]
    assert half.position(1000).quotes() == traded(Shop(MAKERS["glft"](k=0.4, intensity=told))).position(1000).quotes()


def test_changed_parameters_go_on_with_what_was_measured():
    """The signal is the same one: nothing has to be waited for again."""
    shop = traded(Shop(stoikov(**KEYS, k=None)))
    before = shop.first()
    shop.strategy = stoikov(**KEYS, k=None, gamma=0.2)
    shop.strategy.bind(shop.context)
    shop.strategy.take_over(shop.strategy)
    assert shop.first()[1] - shop.first()[0] > before[1] - before[0]
