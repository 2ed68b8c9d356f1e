"""Readings of the rules about losses, drawdown and doubtful equity."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from tests.plugins.risk_reading.beside import NORMAL, STATES, WARNING, Reading
from tests.plugins.risk_reading.world import SECOND, START, money, ratio, span

DAY = 86_400 * SECOND


def usual(random):
    keys = {
        "limit": random.choice(("2 quote", "5 USDT", "20 quote")), "warn_at": random.choice(("50%", "80%")),
        "every": random.choice(("100ms", "1s", "10s")), "confirm": random.choice((1, 1, 2, 3)),
        "on_breach": random.choice(("reduce_only", "cancel_all", "halt")),
    }  # fmt: skip
    if random.random() < 0.3:
        keys |= {"limit": "1%", "capital": "700 quote"}
    return keys


class Loss(Reading):
    """What all of them have in common: readings that must agree, a warning, a latch."""

    moves: ClassVar = {"operator": 4, "market": 40}
    scope = ""

    @staticmethod
    def settings(random, layout):
        return usual(random)

    def spans(self):
        return [span(self.keys["every"])]

    def begin(self):
        self.base = Fraction(0)
        self.agreed = 0
        self.counted = None
        self.is_anew = False

    def limit(self):
        if self.keys["limit"].endswith("%"):
            return ratio(self.keys["limit"]) * money(self.keys["capital"])
        return money(self.keys["limit"])

    def equity(self):
        return self.world.equity()

    def loss(self):
        return self.base - self.equity()

    def look(self, which):
        self.begin_anew()
        self.judge(self.loss())

    def is_latched(self):
        return self.states.get(self.scope, NORMAL) > WARNING

    def judge(self, loss):
        if self.is_latched():
            return
        if loss >= self.limit():
            now = self.world.now
            if self.agreed == 0 or now - self.counted >= span(self.keys["every"]):
                self.agreed += 1
                self.counted = now
            if self.agreed >= self.keys["confirm"]:
                self.put(STATES[self.keys["on_breach"]], self.scope)
                return
        else:
            self.agreed = 0
        self.put(WARNING if loss >= self.limit() * ratio(self.keys["warn_at"]) else NORMAL, self.scope)

    def release(self, scope):
        if not scope and self.is_latched():
            self.agreed = 0
            self.is_anew = True
        super().release(scope)

    def begin_anew(self):
        """Count from the first reading after a release."""
        if self.is_anew:
            self.is_anew = False
            self.anew()

    def anew(self):
        self.base = self.equity()


class SessionLoss(Loss):
    plugin = "session_loss"

    @staticmethod
    def settings(random, layout):
        return usual(random) | {"profit": random.choice(("total", "realised"))}

    def equity(self):
        return self.world.equity() if self.keys["profit"] == "total" else self.world.realised()


class DailyLoss(Loss):
    plugin = "daily_loss"

    @staticmethod
    def settings(random, layout):
        keys = usual(random) | {
            "reset": random.choice(("00:00 UTC", "12:00 UTC", "12:01 UTC")), "latch": random.choice(("manual", "daily"))
        }  # fmt: skip
        return keys | {"every": random.choice(("1s", "10m", "1h"))}

    def spans(self):
        return [span(self.keys["every"]), 60 * SECOND, DAY // 2, DAY]

    def begin(self):
        super().begin()
        self.day = self.day_of(START)

    def day_of(self, at):
        hour, minute = self.keys["reset"].split()[0].split(":")
        return (at - (int(hour) * 60 + int(minute)) * 60 * SECOND) // DAY

    def look(self, which):
        day = self.day_of(self.world.now)
        if self.is_anew or day != self.day:
            self.is_anew = False
            self.day = day
            self.base = self.equity()
            self.agreed = 0
            if self.keys["latch"] == "daily" or not self.is_latched():
                self.put(NORMAL)
        super().look(which)


class RollingLoss(Loss):
    plugin = "rolling_loss"

    @staticmethod
    def settings(random, layout):
        return usual(random) | {
            "window": random.choice(("5s", "60s", "10m")),
            "latch": random.choice(("manual", "window")),
        }

    def spans(self):
        return [span(self.keys["every"]), span(self.keys["window"])]

    def begin(self):
        super().begin()
        self.readings = []

    def look(self, which):
        self.begin_anew()
        now, equity = self.world.now, self.equity()
        self.readings = [one for one in self.readings if one[0] != now] + [(now, equity)]
        old = [value for at, value in self.readings if at <= now - span(self.keys["window"])]
        loss = (old[-1] if old else self.base) - equity
        if self.is_latched() and self.keys["latch"] == "window" and loss < self.limit() * ratio(self.keys["warn_at"]):
            self.put(NORMAL)
            self.agreed = 0
        self.judge(loss)

    def anew(self):
        self.base = self.equity()
        self.readings = []


class Drawdown(Loss):
    plugin = "drawdown"

    @staticmethod
    def settings(random, layout):
        return usual(random) | {"window": random.choice(("0s", "0s", "5s", "60s"))}

    def spans(self):
        return [span(self.keys["every"]), span(self.keys["window"])]

    def begin(self):
        super().begin()
        self.readings = []

    def look(self, which):
        self.begin_anew()
        now, equity, window = self.world.now, self.equity(), span(self.keys["window"])
        if not self.readings:
            self.readings = [(now, Fraction(0))]
        self.readings.append((now, equity))
        peak = max(value for at, value in self.readings if not window or at >= now - window)
        self.judge(peak - equity)

    def anew(self):
        self.readings = [(self.world.now, self.equity())]


class StrategyLoss(Reading):
    plugin = "strategy_loss"
    moves: ClassVar = Loss.moves

    @staticmethod
    def settings(random, layout):
        return usual(random)

    def spans(self):
        return [span(self.keys["every"])]

    def begin(self):
        self.parts = {}
        for name in ("mm", "alt", "solo"):
            part = self.parts[name] = Loss(self.world, self.keys)
            part.scope = f"strategy:{name}"
            part.states = self.states
            part.equity = lambda name=name: self.world.equity(name, funding=False)

    def look(self, which):
        for part in self.parts.values():
            part.look(which)

    def release(self, scope):
        for part in self.parts.values():
            if scope in ("", part.scope):
                if part.is_latched():
                    part.agreed = 0
                    part.is_anew = True
                self.states.pop(part.scope, None)


class EquitySanity(Reading):
    plugin = "equity_sanity"
    moves: ClassVar = Loss.moves

    @staticmethod
    def settings(random, layout):
        return {
            "jump": random.choice(("1 quote", "4 USDT")), "confirm": random.choice((2, 3)),
            "every": random.choice(("100ms", "1s", "10s")),
            "on_breach": random.choice(("warning", "reduce_only", "cancel_all")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["every"])]

    def begin(self):
        self.believed = Fraction(0)
        self.doubts = 0  # readings in a row that were near one another
        self.before = self.counted = None

    def look(self, which):
        now, equity, jump = self.world.now, self.world.equity(), money(self.keys["jump"])
        if self.believed is None or abs(equity - self.believed) < jump:
            self.believed, self.doubts = equity, 0
            self.put(NORMAL)
            return
        if self.doubts == 0 or abs(equity - self.before) >= jump:
            self.doubts, self.counted = 1, now
        elif now - self.counted >= span(self.keys["every"]):
            self.doubts, self.counted = self.doubts + 1, now
        self.before = equity
        if self.doubts >= self.keys["confirm"]:
            self.believed, self.doubts = equity, 0
            self.put(NORMAL)
            return
        self.put(STATES[self.keys["on_breach"]])

    def release(self, scope):
        if not scope:
            self.doubts = 0
            if self.states:
                self.believed = None
        super().release(scope)


READINGS = [SessionLoss, DailyLoss, RollingLoss, Drawdown, StrategyLoss, EquitySanity]
