"""Realised volatility by elapsed time: golden values, the same from NumPy, and what a known diffusion gives."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from quotewright.kernel.ladder import Ladder
from quotewright.kernel.signals_volatility import (
    ESTIMATORS,
    BipowerVolatility,
    ExponentialVolatility,
    MedianVolatility,
    RangeVolatility,
    Volatility,
)
from tests.framework.kernel.signals_market import Told
from tests.framework.kernel.stage import SECOND


def sampled(mids, window=4 * SECOND, samples=4, kind=Volatility, **options):
    signal = kind(window, samples, **{"unit": "steps", **options})
    signal.start(0)
    for mid in mids:
        signal.sample(2 * mid, Ladder())
    return signal


GOLDEN = {  #                         mids at 1, 2, 3 … s    steps per root second         ready
    "one point":               ([100],                        0.0,                           False),
    "one move":                ([100, 103],                   3.0,                           False),
    "two moves":               ([100, 103, 99],               math.sqrt((9 + 16) / 2),       True),
    "a full window":           ([100, 101, 102, 103, 104],    1.0,                           True),
    "old moves leave":         ([0, 100, 200, 200, 200, 200, 200], 0.0,                      True),
    "an unknown mid":          ([100, 0, 110, 112],           2.0,                           False),
}  # fmt: skip


@pytest.mark.parametrize(("mids", "value", "is_ready"), GOLDEN.values(), ids=GOLDEN)
def test_realised_volatility_per_root_second(mids, value, is_ready):
    signal = sampled(mids)
    assert (signal.value, signal.is_ready) == (value, is_ready)


BPS = 10_000 * math.log(101 / 100)
ZIGZAG = [100, 101, 100, 101, 100]

OTHERS = {  #                     estimator              mids           unit     per root second
    "realised, bps":             (Volatility,            ZIGZAG,        "bps",   BPS),
    "bipower":                   (BipowerVolatility,     ZIGZAG,        "steps", math.sqrt(math.pi / 2)),
    "bipower, bps":              (BipowerVolatility,     ZIGZAG,        "bps",   BPS * math.sqrt(math.pi / 2)),
    "bipower, one jump":         (BipowerVolatility,     [100, 100, 200, 200, 200], "steps", 0.0),
    "median, one jump":          (MedianVolatility,      [100, 101, 201, 200, 199], "steps",
                                  math.sqrt(math.pi / (6 - 4 * math.sqrt(3) + math.pi))),
    "exponential, steady moves": (ExponentialVolatility, ZIGZAG,        "steps", 1.0),
    "exponential, one move":     (ExponentialVolatility, [100, 103],    "steps", 3.0),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "mids", "unit", "value"), OTHERS.values(), ids=OTHERS)
def test_other_estimators(kind, mids, unit, value):
    assert sampled(mids, kind=kind, unit=unit).value == pytest.approx(value, rel=1e-14)


def test_the_weight_of_a_move_halves_every_window():
    """A move of 8 steps in the first second, then none: after *n* half-lives of 2 s its square weighs 2^-n."""
    kept = 0.5**0.5
    for later in (0, 2, 4, 6):
        signal = sampled([100, 108] + [108] * later, window=2 * SECOND, samples=2, kind=ExponentialVolatility)
        expected = math.sqrt((1 - kept) * 64 * kept**later / (1 - kept ** (later + 1)))
        assert signal.value == pytest.approx(expected, rel=1e-12)
        assert signal.is_ready == (later > 0)


def test_the_range_takes_every_mid_that_stood():
    """Parkinson: between 98 and 103 within each of two seconds gives 5 / sqrt(4 ln 2)."""
    told = Told(RangeVolatility(2 * SECOND, 2, "steps"))
    for second in range(3):
        for part, mid in enumerate((100, 103, 98, 100)):
            told.quote(second * SECOND + part * SECOND // 5 + 1, mid - 1, 5, mid + 1, 5)
    told.view.catch_up(3 * SECOND)
    assert told.signal.value == pytest.approx(5 / math.sqrt(4 * math.log(2)), rel=1e-14)
    assert told.signal.is_ready


def test_a_mid_that_stood_for_no_time_is_not_in_the_range():
    told = Told(RangeVolatility(2 * SECOND, 2, "steps"))
    told.quote(1, 99, 5, 101, 5)
    told.quote(SECOND + 1, 199, 5, 201, 5).quote(SECOND + 1, 100, 5, 102, 5)
    told.view.catch_up(2 * SECOND)
    assert told.signal.value == pytest.approx(1 / math.sqrt(4 * math.log(2)), rel=1e-14)


def test_a_slice_without_a_good_book_throughout_has_no_range():
    told = Told(RangeVolatility(2 * SECOND, 2, "steps"))
    told.quote(1, 99, 5, 101, 5)
    told.gap(SECOND + 5).quote(SECOND + 6, 109, 5, 111, 5)
    told.view.catch_up(2 * SECOND)
    assert (told.signal.value, told.signal.is_ready) == (0.0, False)


@pytest.mark.parametrize("kind", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_floor_holds_before_and_after_the_signal_is_ready(kind):
    signal = sampled([100], kind=kind, floor=0.25)
    assert (signal.value, signal.is_ready) == (0.25, False)
    assert sampled([100] * 9, kind=kind, floor=0.25).value == 0.25


def test_the_unit_does_not_depend_on_the_window():
    """A mid that moves one step each second has one step per root second, however it is sampled by whole seconds."""
    moves = [100 + second % 2 for second in range(200)]
    assert sampled(moves, 10 * SECOND, 10).value == sampled(moves, 60 * SECOND, 60).value == 1.0


def test_the_estimators_are_what_numpy_makes_of_the_same_moves():
    rng = random.Random(11)
    for _ in range(20):
        mids = [10_000]
        for _ in range(rng.randrange(30, 90)):
            mids.append(mids[-1] + rng.choice((-9, -2, -1, 0, 1, 2, 9)))
        returns = 1e4 * np.diff(np.log(np.array(mids, float)))[-25:]
        size = np.abs(returns)
        seconds = 0.2
        settings = {"window": 5 * SECOND, "samples": 25, "unit": "bps"}
        assert sampled(mids, **settings).value == pytest.approx(np.sqrt(np.mean(returns**2) / seconds))
        bipower = np.sqrt(np.pi / 2 * np.mean(size[1:] * size[:-1]) / seconds)
        assert sampled(mids, kind=BipowerVolatility, **settings).value == pytest.approx(bipower)
        medians = np.median(np.stack([size[2:], size[1:-1], size[:-2]]), axis=0)
        factor = np.pi / (6 - 4 * np.sqrt(3) + np.pi)
        median = np.sqrt(factor * np.mean(medians**2) / seconds)
        assert sampled(mids, kind=MedianVolatility, **settings).value == pytest.approx(median)
        every = 1e4 * np.diff(np.log(np.array(mids, float)))
        weights = 0.5 ** (np.arange(len(every))[::-1] / 25)
        weighted = np.sqrt(np.average(every**2, weights=weights) / seconds)
        assert sampled(mids, kind=ExponentialVolatility, **settings).value == pytest.approx(weighted)


def test_a_diffusion_of_two_bps_per_root_second_is_measured_as_such_on_any_grid():
    """A-12: 60 % a year and the like must not depend on how often one looks. The range reads low, as it says."""
    rng = random.Random(2)
    told = Told(*(kind(390 * SECOND, samples) for kind in ESTIMATORS.values() for samples in (390, 1560)))
    mid = 100_000_000.0
    for step in range(1, 400 * 40 + 1):
        mid *= math.exp(2e-4 * math.sqrt(1 / 40) * rng.gauss(0, 1))
        told.quote(step * SECOND // 40, round(mid) - 5, 5, round(mid) + 5, 5)
    told.view.catch_up(400 * SECOND)
    for signal in told.signals:
        least = 0.60 if isinstance(signal, RangeVolatility) else 0.92
        assert 2 * least < signal.value < 2 * 1.08, type(signal)
        assert signal.is_ready


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"unit": "ticks"}, "Volatility: unit should be bps or steps, was 'ticks'"),
        ({"floor": -1.0}, "Volatility: floor should be zero or positive, was -1.0"),
        ({"samples": 0, "window": 0}, "Volatility: samples should be 1 or more, was 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        sampled([], **options)
