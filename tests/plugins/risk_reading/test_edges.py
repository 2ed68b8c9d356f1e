"""Edges that random histories seldom meet, one case each."""

from __future__ import annotations

import pytest

from quotewright.model.orders import Canceled, Rejected, RiskState
from tests.plugins.risk_reading.test_found import fill, filled, floor_of, sent
from tests.plugins.risk_reading.world import BUY, MS, SELL, START

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState


def at(floor, seconds):
    """Let time pass to so many seconds after the start and return the state."""
    floor.go(START + round(seconds * 1000) * MS)
    return floor.state("mm", 0)


def moved(floor, ticks, which=0):
    floor.book(which, ticks - 1, ticks + 1)


def test_a_peak_of_a_window_begins_at_zero():
    floor = floor_of(("drawdown", {"limit": "5 quote", "window": "60s"}))
    filled(floor, BUY, 1)
    moved(floor, 19_000)
    assert at(floor, 1) == HALT


def test_a_rate_of_fills_below_least_is_none():
    keys = {"times": 2.0, "window": "1s", "baseline": "60s", "least": 3}
    floor = floor_of(("fill_rate", keys))
    sent(floor, BUY, 1, 19_000)
    assert at(floor, 60) == NORMAL
    filled(floor, BUY, 1)
    filled(floor, BUY, 1)
    assert at(floor, 60) == NORMAL
    filled(floor, BUY, 1)
    assert at(floor, 60) == CANCEL_ALL


@pytest.mark.parametrize("mild_first", [True, False])
def test_of_two_claims_on_one_scope_the_more_severe_holds(mild_first):
    mild = ("reject_throttle", {"limit": 1, "on_breach": "reduce_only"})
    severe = ("repeated_execution", {"limit": 1, "on_breach": "halt"})
    floor = floor_of(*((mild, severe) if mild_first else (severe, mild)))
    other = sent(floor, BUY, 1)
    filled(floor, BUY, 1)
    floor.report(Rejected, other, reason="venue")
    assert (floor.state("mm", 0), floor.state("alt", 0)) == (HALT, NORMAL)


def test_a_warning_of_open_orders_goes_with_them():
    floor = floor_of(("max_open_orders", {"orders": 2, "warn_at": "50%"}))
    number = sent(floor, BUY, 1)
    assert at(floor, 1) == WARNING
    floor.report(Canceled, number, reason="user")
    assert at(floor, 2) == NORMAL


def test_a_side_begins_at_zero_however_long_the_other_was_taken():
    keys = {"false_alarms": "10%", "fills": 10, "on_breach": "halt"}
    floor = floor_of(("one_sided_fills", keys))
    needed = floor.gate.rules[0].threshold
    for number in range(needed - 1):
        at(floor, number)
        filled(floor, BUY, 1)
    for number in range(needed, 2 * needed):
        assert at(floor, number) < HALT
        filled(floor, SELL, 1)
    assert at(floor, 2 * needed) == HALT


def test_a_position_beyond_the_limit_is_not_forgotten_for_a_warning_of_another_instrument():
    floor = floor_of(("position_limit", {"limit": "410 quote"}))
    number = sent(floor, BUY, 1, 40_000, 1)
    filled(floor, BUY, 4)
    moved(floor, 30_000)
    assert at(floor, 1) == REDUCE_ONLY
    fill(floor, number, 1)
    assert at(floor, 1) == REDUCE_ONLY


def test_a_reference_that_moved_by_the_very_share_has_moved():
    floor = floor_of(("price_move", {"move": "1%", "reference": "mid"}))
    assert at(floor, 1) == NORMAL
    moved(floor, 20_199)
    assert at(floor, 2) == WARNING
    moved(floor, 20_200)
    assert at(floor, 3) == CANCEL_ALL


def test_after_a_cool_down_the_window_starts_anew():
    floor = floor_of(("price_move", {"move": "1%", "reference": "mid", "window": "30s", "cooldown": "3s"}))
    at(floor, 1)
    moved(floor, 21_000)
    assert at(floor, 1.1) == CANCEL_ALL
    assert at(floor, 4) == CANCEL_ALL
    assert at(floor, 4.1) == NORMAL
    assert at(floor, 9) == NORMAL


def test_without_a_mid_the_count_of_a_shock_starts_anew():
    floor = floor_of(("price_shock", {"move": "1%", "resume": {"below": "0.5%", "window": "3s"}}))
    at(floor, 1)
    moved(floor, 21_000)
    assert at(floor, 1.1) == CANCEL_ALL
    floor.gap(0)
    assert at(floor, 20) == CANCEL_ALL
    moved(floor, 21_000)
    assert at(floor, 22.9) == CANCEL_ALL
    assert at(floor, 23.1) == NORMAL


def test_a_fall_and_a_rise_are_shocks_alike():
    for ticks in (19_600, 20_400):
        floor = floor_of(("price_shock", {"move": "2%"}))
        at(floor, 1)
        moved(floor, 20_000 + (ticks - 20_000) // 2)
        assert at(floor, 2) == NORMAL
        moved(floor, ticks)
        assert at(floor, 3) == CANCEL_ALL


def test_the_reading_that_is_exactly_a_window_old_is_what_it_was():
    floor = floor_of(("rolling_loss", {"limit": "5 quote", "window": "5s"}))
    filled(floor, BUY, 1)
    assert at(floor, 1) == NORMAL
    moved(floor, 22_000)
    assert at(floor, 2) == NORMAL
    moved(floor, 21_000)
    assert at(floor, 6) == NORMAL
    assert at(floor, 7) == HALT


def test_a_loss_that_has_left_the_window_releases_where_it_may():
    for latch, state in (("window", NORMAL), ("manual", HALT)):
        floor = floor_of(("rolling_loss", {"limit": "5 quote", "window": "5s", "latch": latch}))
        filled(floor, BUY, 1)
        at(floor, 1)
        moved(floor, 19_000)
        assert at(floor, 2) == HALT
        assert at(floor, 6) == HALT
        assert at(floor, 7) == state


def test_a_freeze_lasts_from_its_first_reason():
    floor = floor_of(("reject_throttle", {"limit": 1, "freeze": "5s"}))
    first, second = sent(floor, BUY, 1), sent(floor, BUY, 1)
    floor.report(Rejected, first, reason="venue")
    assert at(floor, 3) == CANCEL_ALL
    floor.report(Rejected, second, reason="venue")
    assert at(floor, 4) == CANCEL_ALL
    assert at(floor, 5) == NORMAL


def test_a_session_realises_fees_and_funding():
    floor = floor_of(("session_loss", {"limit": "5 quote", "profit": "realised"}))
    filled(floor, BUY, 1)
    moved(floor, 10_000)
    assert at(floor, 1) == NORMAL, "an open loss is not realised"
    floor.pay(0, -4)
    assert at(floor, 2) == WARNING
    floor.pay(0, 4)
    assert at(floor, 3) == NORMAL
    filled(floor, BUY, 1, 10_000, fee=5)
    assert at(floor, 4) == HALT


def test_a_strategy_that_lost_the_very_limit_is_stopped_alone():
    floor = floor_of(("strategy_loss", {"limit": "5 quote"}))
    filled(floor, BUY, 1)
    moved(floor, 19_000)
    assert at(floor, 1) == CANCEL_ALL
    assert floor.state("alt", 0) == NORMAL


TICKERS = {  # bid, offer, state; the book shows 19,999 and 20,001, and 10 bps are 20 ticks
    "the bid":             (19_978, 20_001, WARNING),
    "the offer":           (19_999, 20_022, WARNING),
    "the very difference": (19_979, 20_021, NORMAL),
    "neither":             (19_990, 20_010, NORMAL),
}  # fmt: skip


@pytest.mark.parametrize(("bid", "offer", "state"), TICKERS.values(), ids=TICKERS)
def test_the_ticker_disagrees_on_either_side_beyond_the_very_difference(bid, offer, state):
    floor = floor_of(("stream_disagreement", {"away": "10 bps", "lasting": "1s"}))
    floor.ticker(0, bid, offer)
    assert at(floor, 2) == state
