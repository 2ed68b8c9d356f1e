"""Signals have a time base: the same market told in more messages gives the same values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewright.kernel.signals import TradeFlow, Volatility
from tests.framework.kernel.stage import BUY, SECOND, SELL, Market, Stage


def sampled(mids, window=4 * SECOND, samples=4):
    signal = Volatility(window, samples)
    signal.start(0)
    for mid in mids:
        signal.sample(2 * mid)
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


def test_the_unit_does_not_depend_on_the_window():
    """A mid that moves one step each second has one step per root second, however it is sampled by whole seconds."""
    moves = [100 + second % 2 for second in range(200)]
    assert sampled(moves, 10 * SECOND, 10).value == sampled(moves, 60 * SECOND, 60).value == 1.0


@given(st.lists(st.integers(90, 110), min_size=8, max_size=40), st.integers(2, 5))
def test_telling_the_same_market_more_often_changes_no_signal(mids, copies):
    """A-12: an estimate by count of messages would rise with every repeated message."""

    def value(times):
        stage = Stage()
        signal = Volatility(8 * SECOND, 8)
        stage.view.add_signal(signal, False)
        stage.view.start(0)
        for second, mid in enumerate(mids):
            for copy in range(times):
                stage.quote(second * SECOND + copy * SECOND // (2 * times), mid - 1, mid + 1)
        stage.view.catch_up(len(mids) * SECOND)
        return signal.value, signal.is_ready

    assert value(1) == value(copies)


def test_a_sample_takes_the_market_as_it_stood_and_never_the_message_after_it():
    stage = Stage()
    signal = Volatility(2 * SECOND, 2)
    stage.view.add_signal(signal, False)
    stage.view.start(0)
    stage.quote(SECOND // 2, 99, 101)
    stage.quote(2 * SECOND + 1, 199, 201)  # both grid points lie before it
    assert (signal.value, signal.is_ready) == (0.0, True)


def flow(prints, window=4 * SECOND):
    stage = Stage()
    signal = TradeFlow(window, 4)
    stage.view.add_signal(signal, True)
    stage.view.start(0)
    market = Market()
    for at, side, size in prints:
        market.trade(at, side, 100, size)
    for row in range(market.buffer.count):
        stage.view.on_message(market.buffer, row, row + 1, market.buffer.words[row * 6 + 1])
    return stage, signal


def test_flow_is_the_signed_share_of_takers():
    stage, signal = flow([(SECOND // 2, BUY, 30), (SECOND // 2 + 1, SELL, 10)])
    stage.view.catch_up(SECOND)
    assert (signal.value, signal.is_ready) == (0.5, False)
    stage.view.catch_up(4 * SECOND)
    assert (signal.value, signal.is_ready) == (0.5, True)
    stage.view.catch_up(5 * SECOND)
    assert signal.value == 0.0, "the window has passed"


@pytest.mark.parametrize(("prints", "value"), [([(1, BUY, 5)], 1.0), ([(1, SELL, 5)], -1.0), ([], 0.0)])
def test_flow_of_one_side_is_one(prints, value):
    stage, signal = flow(prints)
    stage.view.catch_up(SECOND)
    assert signal.value == value


def test_a_window_shorter_than_its_samples_is_refused():
    with pytest.raises(ValueError, match="a window of 10 ns is too short for 60 samples"):
        Volatility(10)
