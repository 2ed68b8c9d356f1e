"""Rules that test a hypothesis: how often they cry wolf in random flow, and how soon they see what is there."""

from __future__ import annotations

import math
import random
from collections import deque

import pytest

from quotewright.errors import ConfigError
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.adverse_selection import AdverseSelection, mean_and_t
from quotewright_plugins.risk_rules.one_sided_fills import OneSidedFills, alarm_chance, calibrated
from tests.framework.kernel.stage import PLAIN
from tests.plugins.risk_rules.floor import BUY, PERP, SECOND, SELL, Floor, at_mid

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState
SPOT, OTHER = "instrument:BTC-USDT.spot@test", "instrument:BTC-USDT.perp@other"


# One-sided fills.


def brute(threshold, up, down, share, fills):
    """Return the chance of an alarm by walking through every sequence of fills."""
    reached = 0.0
    for sequence in range(1 << fills):
        chance, height, alarmed = 1.0, 0, False
        for fill in range(fills):
            is_up = sequence >> fill & 1
            chance *= share if is_up else 1 - share
            height = height + up if is_up else max(0, height - down)
            alarmed = alarmed or height >= threshold
        reached += chance if alarmed else 0.0
    return reached


@pytest.mark.parametrize(("threshold", "up", "down", "share"), [(3, 1, 2, 0.5), (8, 3, 5, 0.4), (5, 2, 1, 0.6)])
def test_the_chance_of_an_alarm_is_exact(threshold, up, down, share):
    assert math.isclose(
        alarm_chance(threshold, up, down, share, 9), brute(threshold, up, down, share, 9), rel_tol=1e-12
    )


def test_the_threshold_is_the_least_that_keeps_the_stated_rate():
    up, down, threshold = calibrated(0.5, 0.8, 0.01, 1000)
    assert 2 * alarm_chance(threshold, up, down, 0.5, 1000) <= 0.01
    assert 2 * alarm_chance(threshold - 1, up, down, 0.5, 1000) > 0.01


def alarmed(drawn, rule, fills, share):
    """Return after how many fills of random sides, a second apart, the rule raised its alarm; 0 if it never did."""
    floor = at_mid(rule)
    for number in range(1, fills + 1):
        floor.at(number * SECOND)
        floor.trade(BUY if drawn.random() < share else SELL, 1)
        if floor.gate.scoped and floor.of(SPOT) > WARNING:
            return number
    return 0


def test_random_flow_alarms_at_the_stated_rate_d_08():
    """The article's rule cries wolf at 6.25 % of fills; this one in at most a tenth of runs of 60 fills, as stated."""
    drawn = random.Random(8)
    runs = 300
    rate = sum(
        alarmed(drawn, OneSidedFills(false_alarms="10%", fills=60, suspect="75%"), 60, 0.5) > 0 for _ in range(runs)
    )
    deviation = math.sqrt(runs * 0.1 * 0.9)
    assert rate <= runs * 0.1 + 3 * deviation
    assert rate >= runs * 0.1 * 0.5 - 3 * deviation, "a rule that never alarms would keep any rate"


def test_a_long_calm_run_at_the_defaults_raises_no_alarm():
    drawn = random.Random(4)
    assert [alarmed(drawn, OneSidedFills(), 1000, 0.5) for _ in range(3)] == [0, 0, 0]


def test_one_sided_flow_is_seen_within_some_dozen_fills():
    drawn = random.Random(5)
    assert alarmed(drawn, OneSidedFills(), 60, 1.0) in range(15, 30)
    assert 0 < alarmed(drawn, OneSidedFills(), 300, 0.85) < 150


def test_what_is_usual_may_be_more_than_a_half():
    rule = OneSidedFills(usual="70%", suspect="95%", fills=300)
    assert alarmed(random.Random(6), rule, 300, 0.68) == 0
    with pytest.raises(ConfigError, match="suspect: should be 50% and 5 points more, or above, was 52%"):
        Floor(OneSidedFills(suspect="52%"))


def test_an_alarm_freezes_its_instrument_warns_before_and_begins_anew():
    rule = OneSidedFills(freeze="1m")
    floor = at_mid(rule, instruments=(PLAIN, PERP))
    number, states = 0, []
    while floor.of(SPOT) < CANCEL_ALL:
        number += 1
        floor.at(number * SECOND).trade(SELL, 1)
        states.append(floor.of(SPOT))
    assert WARNING in states
    assert (floor.ask(SELL, 1), floor.ask(BUY, 1), floor.ask(SELL, 1, which=1)) == ("cancel_all", "", "")
    assert floor.wake((number + 60) * SECOND).of(SPOT) == NORMAL
    assert floor.quote((number + 61) * SECOND, 99, 101).trade(SELL, 1).of(SPOT) == NORMAL


def test_a_sweep_through_several_levels_counts_once():
    floor = at_mid(OneSidedFills())
    for _ in range(100):
        floor.trade(BUY, 1)
    assert floor.of(SPOT) == NORMAL


# Adverse selection.


def filled_and_moved(floor, moves, side=BUY, gap=10, **order):
    """Fill once every *gap* seconds and let the mid have moved by each of *moves* five seconds later."""
    now = floor.view.now_ns // SECOND
    for move in moves:
        mid = (floor.view.known_mid2) // 2
        floor.send(side, 1, mid, **order)
        floor.filled()
        floor.mid((now + 5) * SECOND, mid + move)
        now += gap
        floor.at(now * SECOND)
    return floor


def test_fills_before_a_move_against_them_trip_it_on_either_side():
    for side, against in [(BUY, -20), (SELL, 20)]:
        floor = at_mid(AdverseSelection(fills=10, limit="1 bps"), mid=100_000)
        filled_and_moved(floor, [against, against * 9 // 10] * 5, side)
        assert floor.of(SPOT) == CANCEL_ALL, "20 and 18 at 100,000 are 2 and 1.8 bps"
        assert "mean markout -1.90 bps after 5s over 10 fills, accepted -1 bps" in floor.gate.scoped[SPOT].why
        filled_and_moved(floor, [-against] * 10, side)
        floor.wake(floor.view.now_ns + 60 * SECOND)
        assert floor.of(SPOT) == NORMAL


def test_moves_in_favour_or_within_what_is_accepted_do_not():
    for moves in ([20] * 20, [-9, -10] * 10, [-300, 300] * 10):
        floor = at_mid(AdverseSelection(fills=10, limit="1 bps"), mid=100_000)
        assert filled_and_moved(floor, moves).of(SPOT) <= WARNING, moves


def test_a_few_fills_or_fills_of_one_moment_are_no_evidence():
    floor = at_mid(AdverseSelection(fills=10), mid=100_000)
    assert filled_and_moved(floor, [-50] * 9).of(SPOT) == NORMAL
    floor = at_mid(AdverseSelection(fills=10), mid=100_000)
    for _ in range(50):
        floor.trade(BUY, 1, 100_000)
    assert floor.mid(6 * SECOND, 99_000).of(SPOT) == WARNING, "fifty fills, one move"


def test_levels_and_sides_are_judged_apart():
    rule = AdverseSelection(fills=5, by="level")
    floor = at_mid(rule, mid=100_000)
    filled_and_moved(floor, [-50] * 4, level=0)
    filled_and_moved(floor, [-50] * 4, level=1)
    assert floor.of(SPOT) == NORMAL
    filled_and_moved(floor, [-50], level=1)
    assert "level 1: mean markout" in floor.gate.scoped[SPOT].why
    side = at_mid(AdverseSelection(fills=5, by="side"), mid=100_000)
    filled_and_moved(filled_and_moved(side, [-50] * 4, BUY), [50] * 5, SELL)
    assert "BTC-USDT.spot@test offers: mean markout" in side.gate.scoped[SPOT].why


def test_the_error_is_estimated_from_stretches_and_not_from_fills():
    alone = deque([(n, x) for n, x in enumerate([-3.0, -1.0, -2.0, -4.0, 0.0])])
    mean, t, stretches = mean_and_t(alone, 0.0)
    assert (mean, stretches) == (-2.0, 5)
    assert math.isclose(t, -2.0 / math.sqrt(10.0 * 5 / 4 / 25))
    thrice = deque([(n, x) for n, x in alone for _ in range(3)])
    assert math.isclose(mean_and_t(thrice, 0.0)[1], t), "the same moves seen by three fills each are no more evidence"
    assert math.isclose(mean_and_t(alone, 2.0)[1], 0.0, abs_tol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_random_moves_hardly_ever_trip_it(seed):
    """Markouts of mean zero at a threshold of three errors: a long history without an alarm."""
    drawn = random.Random(seed)
    floor = at_mid(AdverseSelection(fills=30, limit="0 bps"), mid=1_000_000)
    filled_and_moved(floor, [round(drawn.gauss(0, 50)) for _ in range(150)])
    assert floor.of(SPOT) <= WARNING


def test_a_release_forgets_the_fills_of_what_was_released_and_no_others():
    rule = AdverseSelection(fills=5)
    floor = at_mid(rule, mid=100_000, instruments=(PLAIN, PERP))
    filled_and_moved(floor, [-50] * 5)
    assert floor.of(SPOT) == CANCEL_ALL
    floor.quote(floor.view.now_ns, 99_749, 99_751, which=1)
    floor.hold(SELL, 99)
    floor.trade(BUY, 1, 99_000).trade(BUY, 1, 99_000, which=1)
    floor.gate.release(0, SPOT)
    assert [len(due) for due in rule._due.values()] == [0, 1]
    filled_and_moved(floor, [-50] * 4)
    assert floor.of(SPOT) == NORMAL, "judged from five fills after the release on"
    assert filled_and_moved(floor, [-50]).of(SPOT) == CANCEL_ALL
