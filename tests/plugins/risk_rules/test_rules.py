"""Every shipped rule trips, lets go, and treats cancels and reducing orders as its kind demands."""

from __future__ import annotations

import random

import pytest

from quotewright.errors import ConfigError
from quotewright.model.orders import CancelOrder, Fill, Rejected, RiskState
from quotewright_plugins.risk_rules.daily_loss import DAY_NS, DailyLoss
from quotewright_plugins.risk_rules.drawdown import Drawdown
from quotewright_plugins.risk_rules.kill_switch import KillSwitch
from quotewright_plugins.risk_rules.max_order_size import MaxOrderSize
from quotewright_plugins.risk_rules.max_order_value import MaxOrderValue
from quotewright_plugins.risk_rules.position_limit import PositionLimit
from quotewright_plugins.risk_rules.price_collar import PriceCollar
from quotewright_plugins.risk_rules.price_shock import PriceShock, Resume
from quotewright_plugins.risk_rules.stale_book import StaleBook
from tests.framework.kernel.stage import BUY, ONE, SECOND, SELL, Market, Stage, order

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState


def staged(*rules):
    return Stage(*rules).quote(SECOND, 99, 101)


CHECKS = {  #                          rule                              side  lots  price   refused as
    "within the position":          (PositionLimit(limit="5 lots"),     BUY,  5,  100,    ""),
    "beyond the position":          (PositionLimit(limit="5 lots"),     BUY,  6,  100,    "position"),
    "beyond it short":              (PositionLimit(limit="5 lots"),     SELL, 6,  100,    "position"),
    "position by value":            (PositionLimit(limit="550 USDT"),   BUY,  5,  100,    ""),
    "beyond the value":             (PositionLimit(limit="550 USDT"),   BUY,  6,  100,    "position"),
    "position in base":             (PositionLimit(limit="5 BTC"),      BUY,  6,  100,    "position"),
    "a size":                       (MaxOrderSize(limit="5 BTC"),       BUY,  5,  100,    ""),
    "a size too large":             (MaxOrderSize(limit="5 BTC"),       SELL, 6,  100,    "limit"),
    "a value":                      (MaxOrderValue(limit="500 USDT"),   BUY,  5,  100,    ""),
    "a value by its own price":     (MaxOrderValue(limit="500 USDT"),   BUY,  5,  101,    "limit"),
    "a market order's value":       (MaxOrderValue(limit="500 USDT"),   BUY,  5,    0,    "limit"),
    "near the mid":                 (PriceCollar(away="10%"),           BUY,  1,  110,    ""),
    "above the collar":             (PriceCollar(away="10%"),           SELL, 1,  111,    "price"),
    "below the collar":             (PriceCollar(away="10%"),           BUY,  1,   89,    "price"),
    "collar in basis points":       (PriceCollar(away="100 bps"),       BUY,  1,   98,    "price"),
    "a market order at the touch":  (PriceCollar(away="1%"),            BUY,  1,    0,    ""),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "side", "lots", "price", "refused"), CHECKS.values(), ids=CHECKS)
def test_a_single_order_is_held_to_the_limit(rule, side, lots, price, refused):
    assert staged(rule).ask(side, lots, price) == refused


def test_a_refusal_tells_the_numbers():
    told = {
        PositionLimit(limit="5 lots"): "worst case 6 lots, limit 5",
        MaxOrderSize(limit="5 lots"): "6 lots, limit 5",
        MaxOrderValue(limit="500 USDT"): "value 780, limit 500",
        PriceCollar(away="10%"): "30.000 % from the mid, limit 10%",
    }
    for rule, text in told.items():
        stage = staged(rule)
        assert stage.gate.verdict(order(BUY, 6, 130), stage.view).text == text


EVERY = {  #            tripped by losing ten lots from 100 to 80, by silence or by a jump    passes reducing
    "position_limit":  (PositionLimit(limit="5 lots"), True),
    "max_order_size":  (MaxOrderSize(limit="1 lots"), False),
    "max_order_value": (MaxOrderValue(limit="10 USDT"), False),
    "price_collar":    (PriceCollar(away="1 bps"), False),
    "daily_loss":      (DailyLoss(limit="100 USDT", on_breach="cancel_all"), True),
    "drawdown":        (Drawdown(limit="100 USDT", on_breach="reduce_only"), True),
    "price_shock":     (PriceShock(move="5%"), True),
    "stale_book":      (StaleBook(max_age="1s"), False),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "passes_reducing"), EVERY.values(), ids=EVERY)
def test_every_rule_lets_cancels_pass_and_reducing_orders_as_its_kind_demands(rule, passes_reducing):
    stage = staged(rule).wake().trade(BUY, 10, 100).quote(2 * SECOND, 79, 81).wake()
    stage.wake(3 * SECOND)
    assert stage.ask(BUY, 2, 78) != "", "an increasing order is refused"
    assert (stage.ask(SELL, 2, 78) == "") is passes_reducing
    assert stage.gate.verdict(CancelOrder(order_number=1, instrument=0), stage.view) is None


def test_the_kill_switch_stops_reducing_orders_too():
    rule = KillSwitch(rejects=1)
    stage = staged(rule).trade(BUY, 10, 100)
    stage.gate.on_report(Rejected(order_number=1, event_ns=0, receive_ns=0, reason="venue"), stage.view)
    assert stage.ask(SELL, 1) == "halt"
    assert stage.gate.verdict(CancelOrder(order_number=1, instrument=0), stage.view) is None


# Position limit.

POSITIONS = {  #        position  state
    "flat":              (0,    NORMAL),
    "below the warning": (7,    NORMAL),
    "at the warning":    (8,    WARNING),
    "at the limit":      (10,   WARNING),
    "beyond":            (11,   REDUCE_ONLY),
    "beyond, short":     (-11,  REDUCE_ONLY),
}  # fmt: skip


@pytest.mark.parametrize(("position", "state"), POSITIONS.values(), ids=POSITIONS)
def test_the_position_warns_at_four_fifths_and_breaches_beyond_the_limit(position, state):
    stage = staged(PositionLimit(limit="10 lots"))
    if position:
        stage.trade(BUY if position > 0 else SELL, abs(position), 100)
    assert stage.wake().gate.state == state


def test_warning_goes_back_to_normal_and_a_breach_until_below_the_limit():
    """A-15 (3): the article's WARNING never ends."""
    stage = staged(PositionLimit(limit="10 lots"))
    states = []
    for side, lots in [(BUY, 11), (SELL, 1), (SELL, 1), (SELL, 2)]:
        states.append(stage.trade(side, lots, 100).wake().gate.state)
    assert states == [REDUCE_ONLY, REDUCE_ONLY, WARNING, NORMAL]


def test_a_value_limit_overtaken_by_the_price_is_noticed_at_the_next_wake_up():
    stage = staged(PositionLimit(limit="1000 USDT")).trade(BUY, 9, 100)
    assert stage.wake().gate.state == WARNING
    assert stage.quote(2 * SECOND, 149, 151).wake().gate.state == REDUCE_ONLY


def test_at_the_limit_reducing_orders_pass_a_18():
    stage = staged(PositionLimit(limit="2 lots")).trade(BUY, 3, 100).wake()
    assert stage.gate.state == REDUCE_ONLY
    assert (stage.ask(SELL, 3), stage.ask(BUY, 1)) == ("", "reduce_only")


def test_a_full_stop_stays_though_the_position_comes_back_a_15_severity():
    """Position 2.1 of 2 stops; a loss of 450 of 500 warns; back at 1.0 the stop stays until it is released."""
    stop = PositionLimit(limit="20 lots", on_breach="halt")
    loss = DailyLoss(limit="500 USDT")
    stage = staged(stop, loss).trade(BUY, 21, 100).quote(2 * SECOND, 78, 80).wake()
    assert (loss.state, stage.gate.state, stage.gate.holder()) == (WARNING, HALT, "PositionLimit")
    stage.trade(SELL, 11, 79).wake()
    assert stage.gate.state == HALT
    stage.gate.release(3 * SECOND)
    stage.wake()
    assert stage.gate.state < HALT


# Daily loss.


def losing(rule, loss):
    """Return a stage that is long ten lots from 100, marked so that *loss* is lost."""
    stage = staged(rule).trade(BUY, 10, 100)
    return stage.mid(2 * SECOND, 100 - loss // 10)


LOSSES = {
    "small": (390, NORMAL),
    "at the warning": (400, WARNING),
    "below": (490, WARNING),
    "at the limit": (500, HALT),
}


@pytest.mark.parametrize(("loss", "state"), LOSSES.values(), ids=LOSSES)
def test_a_loss_warns_at_four_fifths_and_halts_at_the_limit(loss, state):
    assert losing(DailyLoss(limit="500 USDT"), loss).gate.state == state


def test_what_is_lost_before_the_first_reading_counts():
    assert losing(DailyLoss(limit="500 USDT"), 600).gate.state == HALT


def test_a_loss_halts_though_the_market_comes_back():
    stage = losing(DailyLoss(limit="500 USDT"), 500).mid(3 * SECOND, 100)
    assert stage.gate.state == HALT


def test_fees_are_part_of_the_loss():
    stage = staged(DailyLoss(limit="500 USDT"))
    stage.view.portfolio.book_fill(BUY, 100, 1, 500 * ONE, "USDT", 200, False)
    assert stage.wake().gate.state == HALT


ROLLS = {  #          latch     state on the next day
    "manual":       ("manual",  HALT),
    "daily":        ("daily",   NORMAL),
}  # fmt: skip


@pytest.mark.parametrize(("latch", "state"), ROLLS.values(), ids=ROLLS)
def test_a_new_day_counts_from_its_own_start_a_16(latch, state):
    """The day rolls at a time of UTC; what latched by hand stays latched."""
    stage = losing(DailyLoss(limit="500 USDT", latch=latch), 500)
    stage.mid(DAY_NS + 1, 50)
    assert stage.gate.state == state
    stage.mid(DAY_NS + 2 * SECOND, 2)
    assert stage.gate.state == (HALT if latch == "manual" else WARNING), "480 lost of the new day's 500"


def test_the_day_begins_at_the_stated_time():
    rule = DailyLoss(limit="500 USDT", reset="08:00 UTC")
    stage = staged(rule).wake().trade(BUY, 10, 100).mid(DAY_NS // 3 - SECOND, 60)
    stage.mid(DAY_NS // 3, 20)
    assert stage.gate.state == NORMAL, "the 400 were yesterday's and the 400 are the opening of today"
    assert stage.mid(DAY_NS // 3 + SECOND, 10 + 2).gate.state == NORMAL


def test_a_daily_roll_does_not_clear_another_rules_stop_a_16():
    stop = PositionLimit(limit="5 lots", on_breach="halt")
    stage = staged(stop, DailyLoss(limit="500 USDT", latch="daily")).trade(BUY, 6, 100).wake()
    stage.mid(DAY_NS + 1, 100)
    assert stage.gate.state == HALT


def test_a_released_loss_is_counted_anew():
    stage = losing(DailyLoss(limit="500 USDT"), 500)
    stage.gate.release(3 * SECOND)
    assert stage.wake().wake().gate.state == NORMAL
    assert stage.mid(4 * SECOND, 10).gate.state == WARNING
    assert stage.mid(5 * SECOND, 5).mid(6 * SECOND, 2).gate.state == WARNING
    assert stage.trade(BUY, 10, 52).mid(7 * SECOND, 2).gate.state == HALT


CONFIRMED = {"one bad reading": ([1], NORMAL), "two": ([2], NORMAL), "three": ([3], HALT), "broken": ([2, 2], NORMAL)}


@pytest.mark.parametrize(("runs", "state"), CONFIRMED.values(), ids=CONFIRMED)
@pytest.mark.parametrize("kind", [DailyLoss, Drawdown])
def test_a_latch_can_ask_to_be_confirmed(kind, runs, state):
    """A single bad equity tick does not halt."""
    stage = staged(kind(limit="500 USDT", confirm=3)).wake().trade(BUY, 10, 100)
    now = 2 * SECOND
    for bad in runs:
        for _ in range(bad):
            now += SECOND
            stage.mid(now, 50)
        if stage.gate.state < HALT:
            now += SECOND
            stage.mid(now, 100)
    assert stage.gate.state == state


# Drawdown.


def test_drawdown_is_measured_from_the_peak_of_equity_a_17():
    stage = staged(Drawdown(limit="500 USDT")).wake().trade(BUY, 10, 100)
    for now, mid, state in [(2, 160, NORMAL), (3, 121, NORMAL), (4, 120, WARNING), (5, 110, HALT), (6, 200, HALT)]:
        assert stage.mid(now * SECOND, mid).gate.state == state, mid
    stage.gate.release(7 * SECOND)
    assert stage.wake().gate.state == NORMAL
    assert stage.mid(8 * SECOND, 151).gate.state == WARNING, "the peak starts anew at 200"


def test_a_price_that_drifts_without_a_position_is_no_drawdown_a_17():
    stage = staged(Drawdown(limit="1 USDT"))
    for step in range(60):
        stage.mid((step + 2) * SECOND, 1000 - 10 * step)
    assert stage.gate.state == NORMAL


def test_a_share_needs_the_capital_it_is_a_share_of():
    with pytest.raises(ConfigError, match=r"risk.Drawdown.capital: a limit of 5% needs the capital"):
        Stage(Drawdown(limit="5%"))
    stage = staged(Drawdown(limit="5%", capital="10000 USDT")).wake().trade(BUY, 10, 100)
    assert stage.mid(2 * SECOND, 51).gate.state == WARNING
    assert stage.mid(3 * SECOND, 50).gate.state == HALT


# Price shock.


def shock(**options):
    return PriceShock(**{"move": "2%", "window": "30s", "resume": Resume(below="0.5%", window="30s"), **options})


def walk(stage, mids, start=1, step=1):
    """Show mids of a market, *step* seconds apart, and return the state after each."""
    states = []
    for number, mid in enumerate(mids):
        stage.mid((start + number * step) * SECOND, mid)
        states.append(stage.gate.state)
    return states


def test_a_lasting_move_trips_once_and_resumes_after_the_stability_window_d_07():
    """-3 % and flat there: the article compares with the old price and never resumes."""
    stage = Stage(shock())
    states = walk(stage, [100_000] * 5 + [97_000] * 40)
    assert states[:5] == [NORMAL] * 5
    assert states[5:35] == [CANCEL_ALL] * 30
    assert states[35:] == [NORMAL] * 10


def test_a_drift_over_hours_never_trips_a_17():
    """-3 % over ten hours in even steps, window 30 s."""
    stage = Stage(shock())
    mids = [1_000_000 - 30_000 * second // 36_000 for second in range(0, 36_001, 15)]
    assert set(walk(stage, mids, step=15)) == {NORMAL}


def test_a_price_that_comes_back_does_not_shorten_the_pause_a_15_latch():
    """-3 % at t, back one second later, the position at 85 % of its limit: paused until five minutes after the trip."""
    rule = shock(resume=Resume(below="0.5%", window="5m"))
    position = PositionLimit(limit="100 lots")
    stage = Stage(position, rule)
    walk(stage, [100_000])
    stage.trade(BUY, 85, 1)
    states = walk(stage, [97_000] + [100_000] * 310, start=2)
    assert states[:300] == [CANCEL_ALL] * 300
    assert position.state == WARNING
    assert states[-1] == WARNING, "what remains is the position's own warning"


def test_an_unquiet_price_is_waited_for():
    stage = Stage(shock())
    states = walk(stage, [100_000, 97_000] + [97_000 + 600 * (second % 2) for second in range(60)] + [97_000] * 31)
    assert set(states[1:-2]) == {CANCEL_ALL}
    assert states[-1] == NORMAL


def test_a_further_move_starts_the_pause_anew():
    stage = Stage(shock())
    states = walk(stage, [100_000] + [97_000] * 20 + [94_000] * 31)
    assert set(states[1:51]) == {CANCEL_ALL}
    assert states[51] == NORMAL


def test_without_a_mid_the_pause_does_not_run():
    stage = Stage(shock())
    walk(stage, [100_000, 97_000])
    stage.show(Market().gap(3 * SECOND))
    for second in range(3, 60):
        stage.wake(second * SECOND)
    assert set(walk(stage, [97_000] * 29, start=60)) == {CANCEL_ALL}
    assert walk(stage, [97_000], start=89) == [NORMAL]


def test_a_released_shock_starts_its_windows_anew():
    stage = Stage(shock())
    walk(stage, [100_000, 97_000])
    stage.gate.release(3 * SECOND)
    assert walk(stage, [97_000, 97_000], start=3) == [NORMAL, NORMAL]


@pytest.mark.parametrize("seed", range(5))
def test_a_shock_is_what_brute_force_over_the_window_finds(seed):
    """Until the first shock: the mid against the lowest and the highest of the last 30 s, both by looking at all."""
    drawn = random.Random(seed)
    stage = Stage(shock())
    now, mid, readings = 1, 100_000, []
    for _ in range(400):
        now += drawn.choice([1, 1, 2, 9])
        mid += drawn.randint(-600, 600)
        readings.append((now, mid))
        window = [value for at, value in readings if at >= now - 30]
        low, high = min(window), max(window)
        tripped = (mid - low) * 50 >= low or (high - mid) * 50 >= high
        assert walk(stage, [mid], start=now) == [CANCEL_ALL if tripped else NORMAL]
        if tripped:
            return
    raise AssertionError("no shock in 400 readings; the walk is too calm to prove anything")


# Stale book and collar: a missing or old reference refuses.


def test_a_silent_book_cancels_all_and_speaks_again():
    stage = staged(StaleBook(max_age="5s"))
    assert stage.wake(6 * SECOND - 1).gate.state == NORMAL
    assert stage.wake(6 * SECOND).gate.state == CANCEL_ALL
    assert "no book message for 5.000 s, limit 5s" in stage.gate.why()
    assert stage.quote(7 * SECOND, 99, 101).wake().gate.state == NORMAL


def test_a_silent_book_refuses_an_order_between_two_wake_ups():
    stage = staged(StaleBook(max_age="5s")).trade(BUY, 5, 100).at(6 * SECOND)
    assert (stage.ask(BUY, 1), stage.ask(SELL, 1)) == ("silent", "silent")


def test_a_collar_without_a_fresh_reference_refuses():
    rule = PriceCollar(away="1%", max_age="2s")
    stage = staged(rule).at(3 * SECOND - 1)
    assert stage.ask(BUY, 1) == ""
    assert stage.at(3 * SECOND).ask(BUY, 1) == "old_reference"
    assert rule.verdict(order(BUY, 1), Stage().view).reason == "no_reference"


# Kill switch.


def rejected(stage, at, count=1):
    stage.at(at)
    for number in range(count):
        stage.gate.on_report(Rejected(order_number=number, event_ns=0, receive_ns=0, reason="venue"), stage.view)
    return stage.gate.state


def test_a_storm_of_rejects_halts_and_stays():
    stage = staged(KillSwitch(rejects=3, window="10s"))
    assert rejected(stage, 2 * SECOND, 2) == NORMAL
    assert rejected(stage, 12 * SECOND, 2) == NORMAL, "the first two have left the window"
    assert rejected(stage, 13 * SECOND) == HALT
    assert stage.wake(99 * SECOND).gate.state == HALT
    stage.gate.release(100 * SECOND)
    assert rejected(stage, 100 * SECOND, 2) == NORMAL


def test_many_fills_halt_if_asked_and_zero_switches_a_trigger_off():
    fill = Fill(
        order_number=1, event_ns=0, receive_ns=0, fill_id="a", price_ticks=100, quantity_lots=1, leaves_lots=0,
        is_maker=True, fee=0, fee_currency="USDT",
    )  # fmt: skip
    stage = staged(KillSwitch(rejects=0, fills=2))
    assert rejected(stage, 2 * SECOND, 500) == NORMAL
    stage.gate.on_report(fill, stage.view)
    assert stage.gate.state == NORMAL
    stage.gate.on_report(fill, stage.view)
    assert (stage.gate.state, stage.gate.why()) == (HALT, "2 executions within 10s, limit 2")


@pytest.mark.parametrize("kind", [PositionLimit, MaxOrderSize])
def test_a_limit_in_a_unit_of_no_instrument_is_refused(kind):
    with pytest.raises(ConfigError, match="unit 'ETH' fits no instrument of this run; expected BTC, USDT"):
        Stage(kind(limit="5 ETH"))
    with pytest.raises(ConfigError, match="unit should be USDT, was 'BTC'"):
        Stage(DailyLoss(limit="5 BTC"))
