"""The cases that the rules exist for, as a trader could check them: what happens, and what holds afterwards.

One tick is 0.1 USDT, one lot 0.001 BTC; the market begins at 1,000.0 USDT. Every line is a time, what happens then, and
the state that holds from then on.
"""

from __future__ import annotations

from random import Random

import pytest

from quotewright.model.orders import Canceled, RiskState
from quotewright.testing.rule_stage import START_NS, RuleStage
from tests.plugins.risk_reading.beside import rule_of
from tests.plugins.risk_reading.world import BUY, SELL, span

NORMAL, WARNING, REDUCE_ONLY, CANCEL_ALL, HALT = RiskState

POSITION = ("position_limit", {"limit": "2 BTC", "warn_at": "80%"})
STOP = ("position_limit", {"limit": "2 BTC", "warn_at": "80%", "on_breach": "halt"})
DAY = ("daily_loss", {"limit": "500 USDT", "warn_at": "80%"})
DAILY = ("daily_loss", {"limit": "500 USDT", "latch": "daily"})
SURE = ("daily_loss", {"limit": "500 USDT", "confirm": 3})
DOUBT = ("equity_sanity", {"jump": "300 USDT", "confirm": 3})
FALL = ("drawdown", {"limit": "5%", "capital": "10000 USDT"})
SHOCK = ("price_shock", {"move": "2%", "window": "30s", "every": "1s", "resume": {"below": "0.5%", "window": "30s"}})
BREAKER = ("price_move", {"move": "2%", "window": "30s", "reference": "mid", "cooldown": "5m"})
NEAR = ("reduce_near_limit", {"limit": "2 BTC", "soft": "90%", "until": "80%"})

STORIES = {
    "A-15 latch: price back a second later, position at 85 %; paused until five minutes after the trip": (
        [BREAKER, POSITION], [
            ("0s",      "buy 1.7",     WARNING),
            ("10s",     "price 970",   CANCEL_ALL),
            ("11s",     "price 1000",  CANCEL_ALL),
            ("309s",    "",            CANCEL_ALL),
            ("310s",    "",            WARNING),
        ]),
    "A-15 severity: position 2.1 and a loss of 450, then position 1.0; the stop stays until it is released": (
        [STOP, DAY], [
            ("0s",      "rest buy 0.1",   NORMAL),
            ("0s",      "rest sell 1.1",  NORMAL),
            ("1s",      "ends buy",       NORMAL),
            ("2s",      "buy 2.0",        WARNING),
            ("3s",      "late buy 0.1",   HALT),
            ("4s",      "price 785.7",    HALT),
            ("5s",      "late sell 1.1",  HALT),
            ("6s",      "price 1000",     HALT),
            ("3600s",   "",               HALT),
            ("3601s",   "resume",         NORMAL),
        ]),
    "A-15 a warning goes when its reason goes": (
        [POSITION, DAY, SHOCK], [
            ("0s",      "buy 1.599",   NORMAL),
            ("1s",      "buy 0.001",   WARNING),
            ("2s",      "sell 0.001",  NORMAL),
            ("3s",      "buy 0.001",   WARNING),
            ("4s",      "sell 1.6",    NORMAL),
        ]),
    "A-16 the day's loss: a warning at 400, a stop at 500, kept when it is won back": (
        [DAY, POSITION], [
            ("0s",      "buy 1.0",     NORMAL),
            ("1s",      "price 600.1", NORMAL),
            ("2s",      "price 600",   WARNING),
            ("3s",      "price 600.1", NORMAL),
            ("4s",      "price 500.1", WARNING),
            ("5s",      "price 500",   HALT),
            ("6s",      "price 1000",  HALT),
            ("7s",      "resume",      NORMAL),
        ]),
    "A-16 drawdown is of equity from its peak: 5 % of the capital below it, though nothing was lost since the start": (
        [FALL, DAY], [
            ("0s",      "buy 1.0",     NORMAL),
            ("1s",      "price 2000",  NORMAL),
            ("2s",      "price 1600.1", NORMAL),
            ("3s",      "price 1600",  WARNING),
            ("4s",      "price 1500",  HALT),
            ("5s",      "resume",      NORMAL),
            ("6s",      "price 1200",  NORMAL),
        ]),
    "A-16 a new day clears the day's own stop and no other": (
        [DAILY, POSITION], [
            ("0s",      "rest buy 0.3",   NORMAL),
            ("1s",      "ends buy",       NORMAL),
            ("2s",      "buy 1.8",        WARNING),
            ("3s",      "late buy 0.3",   REDUCE_ONLY),
            ("4s",      "price 750",      HALT),
            ("43199s",  "",               HALT),
            ("43200s",  "",               REDUCE_ONLY),
            ("43201s",  "sell 0.1",       REDUCE_ONLY),
            ("43202s",  "sell 0.1",       WARNING),
        ]),
    "A-17 drift: 3 % lower over ten hours in even steps trips nothing": (
        [SHOCK, ("price_move", {"move": "2%", "window": "30s", "reference": "mid", "every": "1s"})],
        [(f"{number * 120}s", f"price {1000 - number / 10:.1f}", NORMAL) for number in range(301)],
    ),
    "A-18 at the stop what reduces may leave, and nothing else": (
        [NEAR, POSITION], [
            ("0s",      "buy 1.8",      REDUCE_ONLY),
            ("1s",      "no buy 0.001", REDUCE_ONLY),
            ("2s",      "no sell 1.801", REDUCE_ONLY),
            ("3s",      "sell 0.2",     REDUCE_ONLY),
            ("4s",      "sell 0.001",   NORMAL),
        ]),
    "D-07 resume: 3 % lower and flat there; quotes are back after the window of stability": (
        [SHOCK], [
            ("9s",      "",            NORMAL),
            ("10s",     "price 970",   CANCEL_ALL),
            ("39s",     "",            CANCEL_ALL),
            ("40s",     "",            NORMAL),
        ]),
    "D-07 not yet still: it moves on within the window, and has to stand still for as long again": (
        [SHOCK], [
            ("10s",     "price 970",   CANCEL_ALL),
            ("25s",     "price 976",   CANCEL_ALL),
            ("40s",     "",            CANCEL_ALL),
            ("54s",     "",            CANCEL_ALL),
            ("55s",     "",            NORMAL),
        ]),
    "severity is never lost: the milder of two goes last, each by its own policy": (
        [SHOCK, NEAR, DAY], [
            ("0s",      "buy 1.8",     REDUCE_ONLY),
            ("10s",     "price 970",   CANCEL_ALL),
            ("40s",     "",            REDUCE_ONLY),
            ("42s",     "price 722.3", CANCEL_ALL),
            ("44s",     "price 722.2", HALT),
            ("90s",     "price 1000",  HALT),
            ("91s",     "resume",      NORMAL),
            ("92s",     "",            REDUCE_ONLY),
        ]),
    "a stop that only the operator ends outlasts the day": (
        [("daily_loss", {"limit": "500 USDT", "reset": "12:01 UTC"})], [
            ("0s",      "buy 1.0",     NORMAL),
            ("1s",      "price 500",   HALT),
            ("60s",     "",            HALT),
            ("61s",     "resume",      NORMAL),
        ]),
    "readings that are to confirm a loss have to be in a row": (
        [SURE], [
            ("0s",      "buy 1.0",     NORMAL),
            ("1s",      "price 400",   WARNING),
            ("2s",      "",            WARNING),
            ("3s",      "price 1000",  NORMAL),
            ("4s",      "price 400",   WARNING),
            ("5s",      "",            WARNING),
            ("6s",      "",            HALT),
        ]),
    "one bad tick of equity latches nothing where three readings are asked for, and quotes do not grow meanwhile": (
        [SURE, DOUBT], [
            ("0s",      "buy 1.0",     NORMAL),
            ("1s",      "price 400",   REDUCE_ONLY),
            ("1.5s",    "price 1000",  REDUCE_ONLY),
            ("2s",      "",            NORMAL),
            ("60s",     "",            NORMAL),
        ]),
    "three bad readings are no accident": (
        [SURE, DOUBT], [
            ("0s",      "buy 1.0",     NORMAL),
            ("1s",      "price 400",   REDUCE_ONLY),
            ("2s",      "",            REDUCE_ONLY),
            ("3s",      "",            HALT),
            ("4s",      "price 1000",  HALT),
        ]),
}  # fmt: skip


class Story:
    """A stage that understands the words of the table."""

    def __init__(self, rules):
        self.stage = RuleStage(*(rule_of(name, keys) for name, keys in rules))
        self.resting = {}

    def happen(self, words):
        stage = self.stage
        verb, _, rest = words.partition(" ")
        if verb == "price":
            stage.quote(round(float(rest) * 10))
        elif verb == "resume":
            stage.pipeline.operate("resume", "the table says so")
        elif verb in ("buy", "sell"):
            assert stage.deal(BUY if verb == "buy" else SELL, self.lots(rest)), words
        elif verb == "no":
            side, lots = rest.split()
            assert stage.place(BUY if side == "buy" else SELL, self.lots(lots), stage.mid) is None
        elif verb == "rest":
            side, lots = rest.split()
            price = stage.mid - 20 if side == "buy" else stage.mid + 20
            self.resting[side] = stage.place(BUY if side == "buy" else SELL, self.lots(lots), price)
        elif verb == "ends":
            stage.venue.tell(Canceled, order_number=self.resting[rest].number, reason="user")
            stage.go(stage.now_ns)
        elif verb == "late":
            side, lots = rest.split()
            stage.fill(self.resting[side], self.lots(lots))

    @staticmethod
    def lots(btc):
        return round(float(btc) * 1000)


@pytest.mark.parametrize(("rules", "lines"), STORIES.values(), ids=STORIES)
def test_a_story_goes_as_it_is_told(rules, lines):
    story = Story(rules)
    for at, words, state in lines:
        whole, _, part = at.removesuffix("s").partition(".")
        at_ns = START_NS + span(f"{whole}s") + int((part + "000")[:3]) * 1_000_000
        if at_ns > story.stage.now_ns:
            story.stage.go(at_ns - 1)
        if words.startswith("price"):
            story.happen(words)
            story.stage.go(at_ns)
        else:
            story.stage.go(at_ns)
            story.happen(words)
        assert RiskState(story.stage.state()) is state, f"at {at}, after {words or 'nothing'}"
    assert not story.stage.faults()


def test_d_08_one_sidedness_alarms_as_rarely_as_it_says_in_random_flow_and_the_articles_rule_does_not():
    random = Random(7)
    alarms = article = fills = 0
    for _ in range(60):
        stage = RuleStage(rule_of("one_sided_fills", {"false_alarms": "10%", "fills": 100, "freeze": "0s"}))
        sides = []
        for _ in range(100):
            stage.wait(1_000_000)
            side = random.choice((BUY, SELL))
            if not stage.deal(side, 1):
                break
            sides.append(side)
            article += len(sides) >= 5 and len(set(sides[-5:])) == 1
            fills += len(sides) >= 5
        alarms += stage.state() == CANCEL_ALL
    assert alarms <= 60 * 0.10 + 3 * (60 * 0.10 * 0.90) ** 0.5, "10 % stated, and three standard errors"
    assert 0.055 < article / fills < 0.075


def test_d_08_an_informed_flow_is_noticed():
    stage = RuleStage(rule_of("one_sided_fills", {}))
    dealt = 0
    while stage.deal(SELL, 1):
        stage.wait(1_000_000)
        dealt += 1
    assert 10 <= dealt <= 25
    assert stage.state() == CANCEL_ALL


def test_d_09_one_bounded_order_at_a_time_brings_the_position_back():
    keys = {"limit": "2 BTC", "liquidate": True, "slice": "0.05 BTC", "collar": "50 bps", "retry": "1s"}
    stage = RuleStage(rule_of("position_limit", keys))
    resting = stage.place(BUY, 120, stage.mid - 20)
    stage.cancel(resting)
    assert stage.deal(BUY, 2000)
    stage.fill(resting, 120)
    assert stage.state() == CANCEL_ALL
    sizes = []
    for _ in range(3):
        (order,) = [one for one in stage.view.live if one.rule]
        sizes.append(order.quantity_lots)
        assert (order.side, order.price_ticks) == (SELL, 9_950)
        stage.wait(300_000_000)
        assert [one.number for one in stage.view.live] == [order.number], "no second one while it is under way"
        stage.fill(order, order.quantity_lots)
        assert not stage.view.live, "and none before the time of retry"
        stage.wait(1_000_000_000)
    assert sizes == [50, 50, 20]
    assert (stage.view.position_lots, stage.view.live, stage.state()) == (2000, [], WARNING)
