"""Rules on the account's profit: of a session, of the last hour, from a peak that ages; and equity not believed."""

from __future__ import annotations

import random

import pytest

from quotewright.errors import ConfigError
from quotewright.model.orders import RiskState
from quotewright_plugins.risk_rules.daily_loss import DailyLoss
from quotewright_plugins.risk_rules.drawdown import Drawdown
from quotewright_plugins.risk_rules.equity_sanity import EquitySanity
from quotewright_plugins.risk_rules.rolling_loss import RollingLoss
from quotewright_plugins.risk_rules.session_loss import SessionLoss
from tests.plugins.risk_rules.floor import BUY, ETH, ONE, SECOND, SELL, Floor, at_mid

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState
MINUTE = 60 * SECOND


def long_ten(*rules):
    """Return a floor that is long ten lots from 100: one of price is ten of money."""
    return at_mid(*rules).wake().hold(BUY, 10)


EVERY = {
    "daily_loss": DailyLoss,
    "session_loss": SessionLoss,
    "rolling_loss": RollingLoss,
    "drawdown": Drawdown,
}
EDGES = {"small": (79, NORMAL), "at the warning": (80, WARNING), "below": (99, WARNING), "at the limit": (100, HALT)}


@pytest.mark.parametrize(("lost", "state"), EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
def test_every_loss_warns_at_four_fifths_halts_at_the_limit_and_stays_until_released(kind, lost, state):
    floor = at_mid(kind(limit="1000 USDT"), mid=200).wake().hold(BUY, 10, 200).mid(2 * SECOND, 200)
    rule = floor.gate.rules[0]
    floor.mid(4 * SECOND, 200 - lost)
    assert floor.state == state
    floor.mid(5 * SECOND, 200)
    assert floor.state == (HALT if state == HALT else NORMAL)
    assert rule.release(6 * SECOND) is (state == HALT)
    assert floor.wake(7 * SECOND).state == NORMAL


@pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
def test_a_resume_for_another_rule_does_not_count_a_loss_anew(kind):
    floor = at_mid(kind(limit="1000 USDT"), mid=200).wake().hold(BUY, 10, 200).mid(2 * SECOND, 110)
    assert floor.state == WARNING
    floor.gate.release(3 * SECOND)
    assert floor.mid(4 * SECOND, 100).state == HALT


@pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
def test_every_loss_may_be_a_share_of_capital_and_breach_below_a_halt(kind):
    floor = long_ten(kind(limit="5%", capital="10000 USDT", on_breach="reduce_only")).mid(2 * SECOND, 50)
    assert floor.state == REDUCE_ONLY
    assert (floor.ask(SELL, 10), floor.ask(BUY, 1)) == ("", "reduce_only")
    with pytest.raises(ConfigError, match=r"capital: a limit of 5% needs the capital it is a share of"):
        Floor(kind(limit="5%"))


@pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
def test_a_position_without_a_price_is_no_reading_and_lets_nothing_but_reducing_orders_pass(kind):
    floor = Floor(kind(limit="1000 USDT"), instruments=(ETH, ETH)).quote(SECOND, 99, 101)
    floor.hold(BUY, 20, 100, which=1).wake()
    assert floor.state == NORMAL, "a position at no price looks like 2000 lost"
    assert floor.ask(BUY, 1) == "no_price"
    floor.quote(2 * SECOND, 49, 51, which=1).wake()
    assert (floor.state, floor.ask(BUY, 1)) == (HALT, "halt")


def test_a_session_does_not_end_with_the_day_and_is_begun_anew_by_a_release():
    floor = long_ten(SessionLoss(limit="500 USDT"))
    assert floor.mid(30 * 24 * 60 * MINUTE, 50).state == HALT
    floor.gate.release(0)
    assert floor.wake().wake().state == NORMAL
    assert floor.mid(31 * 24 * 60 * MINUTE, 10).state == WARNING


def test_a_session_may_leave_the_open_position_out():
    floor = long_ten(SessionLoss(limit="500 USDT", profit="realised")).mid(2 * SECOND, 10)
    assert floor.state == NORMAL, "900 are lost, none of it closed"
    floor.hold(SELL, 6, 10).wake()
    assert floor.state == HALT
    assert "lost 540 since the run began, limit 500" in floor.gate.why()


def test_a_rolling_loss_forgets_what_is_older_than_its_window():
    floor = long_ten(RollingLoss(limit="500 USDT", window="1m"))
    for minute in range(1, 11):  # 400 lost in each minute are never 500 in one
        floor.mid(minute * MINUTE + SECOND, 1000 - 40 * minute)
    assert floor.state == WARNING
    floor.mid(10 * MINUTE + 31 * SECOND, 590)
    assert floor.state == HALT, "400 of the minute before last and 10 more lie within one minute"


def test_a_rolling_loss_may_release_itself_when_the_window_has_passed():
    floor = long_ten(RollingLoss(limit="500 USDT", window="1m", latch="window")).wake()
    assert floor.mid(2 * SECOND, 50).state == HALT
    assert floor.mid(61 * SECOND, 50).state == HALT
    assert floor.mid(62 * SECOND, 50).state == NORMAL


@pytest.mark.parametrize("seed", range(3))
def test_a_rolling_loss_is_what_a_list_of_all_readings_says(seed):
    drawn = random.Random(seed)
    floor = long_ten(RollingLoss(limit="400 USDT", window="20s", warn_at="100%"))
    now, mid, readings = SECOND, 100, [(SECOND, 0)]
    while floor.state == NORMAL:
        now += drawn.choice([1, 2, 7]) * SECOND
        mid = max(2, mid + drawn.randint(-9, 9))
        readings.append((now, 10 * (mid - 100)))
        old = [equity for at, equity in readings if at <= now - 20 * SECOND]
        lost = (old[-1] if old else 0) - readings[-1][1]
        assert floor.mid(now, mid).state == (HALT if lost >= 400 else NORMAL)
    assert len(readings) > 3


def test_a_drawdown_may_forget_a_peak_that_is_too_old():
    floor = long_ten(Drawdown(limit="500 USDT", window="1m")).mid(2 * SECOND, 150)
    assert floor.mid(62 * SECOND, 120).state == NORMAL, "the peak of 150 still counts"
    assert floor.mid(63 * SECOND, 100).state == NORMAL, "it is gone; 120 is the peak now"
    assert floor.mid(64 * SECOND, 70).state == HALT


def test_a_bad_tick_of_equity_is_not_believed_and_a_new_level_after_three_readings():
    rule = EquitySanity(jump="500 USDT")
    floor = long_ten(rule)
    states = [floor.mid(at * SECOND, mid).state for at, mid in [(2, 110), (3, 30), (4, 111), (5, 30), (6, 31), (7, 29)]]
    assert states == [NORMAL, REDUCE_ONLY, NORMAL, REDUCE_ONLY, REDUCE_ONLY, NORMAL]
    assert floor.mid(8 * SECOND, 110).state == REDUCE_ONLY, "the level of 29 is the believed one now"
    assert (floor.ask(SELL, 10), floor.ask(BUY, 1)) == ("", "reduce_only")
    floor.gate.release(9 * SECOND)
    assert floor.wake().state == NORMAL, "released, the next reading is believed"


def test_readings_of_one_moment_do_not_confirm_one_another():
    floor = long_ten(DailyLoss(limit="500 USDT", confirm=3), EquitySanity(jump="100 USDT", on_breach="warning"))
    floor.mid(2 * SECOND, 50)
    for _ in range(5):
        floor.wake()
    assert floor.state == WARNING
    assert floor.wake(3 * SECOND).wake(4 * SECOND).state == HALT


def test_fees_and_rebates_are_part_of_every_loss():
    floor = at_mid(SessionLoss(limit="500 USDT"), SessionLoss(limit="500 USDT", profit="realised")).wake()
    floor.send(BUY, 1)
    assert floor.filled(fee=500 * ONE).wake().state == HALT
    assert [rule.state for rule in floor.gate.rules] == [HALT, HALT]


def test_a_jump_of_exactly_the_limit_is_not_believed_and_each_confirmation_takes_its_time():
    floor = long_ten(EquitySanity(jump="500 USDT", confirm=2))
    assert floor.mid(2 * SECOND, 149).state == NORMAL
    assert floor.mid(3 * SECOND, 99).state == REDUCE_ONLY
    assert floor.wake(4 * SECOND - 1).state == REDUCE_ONLY
    assert floor.wake(4 * SECOND).state == NORMAL
