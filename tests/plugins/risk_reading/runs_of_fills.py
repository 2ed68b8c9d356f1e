"""Readings of the two rules that judge fills by a test: markouts, and the share of one side."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import ClassVar

from quotewright.model.orders import Fill
from tests.plugins.risk_reading.beside import NORMAL, STATES, WARNING, Reading
from tests.plugins.risk_reading.fills import BUSY
from tests.plugins.risk_reading.world import BUY, ratio, span


class AdverseSelection(Reading):
    plugin = "adverse_selection"
    moves: ClassVar = BUSY | {"market": 50, "wait": 50}

    @staticmethod
    def settings(random, layout):
        return {
            "limit": random.choice(("1 bps", "5 bps")), "horizon": random.choice(("1s", "5s")),
            "fills": random.choice((2, 3, 5)), "t": random.choice((0.0, 0.5, 2.0)),
            "stretches": random.choice((2, 2, 3)),
            "by": random.choice(("instrument", "side", "level", "strategy", "venue", "all")),
            "freeze": random.choice(("0s", "5s")), "every": random.choice(("100ms", "1s")),
            "on_breach": random.choice(("warning", "reduce_only", "cancel_all", "halt")),
        }  # fmt: skip

    def begin(self):
        self.open = []  # due, group, scope, sign, mid, instrument
        self.settled = []  # group, stretch, markout in bps
        self.stopped = {}  # by scope: until when

    def spans(self):
        return [span(self.keys[key]) for key in ("horizon", "every", "freeze")]

    def on_report(self, report, order):
        if not isinstance(report, Fill):
            return
        by, world = self.keys["by"], self.world
        scope = world.scope_of("instrument" if by in ("side", "level") else by, order.which, order.strategy)
        group = (scope, order.side) if by == "side" else (scope,)
        mid = world.last_mid[order.which]
        due = world.now + span(self.keys["horizon"])
        self.open.append((due, group, scope, 1 if order.side == BUY else -1, mid, order.which))

    def look(self, at):
        now = self.world.now
        for scope in [one for one, until in self.stopped.items() if until is not None and now >= until]:
            self.forget(scope)
            self.put(NORMAL, scope)
        still = []
        for one in sorted(self.open, key=lambda entry: entry[5]):  # instrument by instrument
            due, group, scope, sign, mid, which = one
            if due > now or at not in (None, which):
                still.append(one)
                continue
            markout = sign * (self.world.last_mid[which] - mid) / mid * 10_000
            self.settled.append((group, due // span(self.keys["horizon"]), markout))
            self.judge(group, scope)
        self.open = still

    def judge(self, group, scope):
        keys = self.keys
        if scope in self.stopped:
            return
        last = [(stretch, markout) for where, stretch, markout in self.settled if where == group][-keys["fills"] :]
        count = len(last)
        if count < keys["fills"]:
            return
        mean = sum(markout for _, markout in last) / count
        accepted = ratio(keys["limit"]) * 10_000
        if mean >= -accepted:
            self.put(NORMAL, scope)
            return
        runs = [[last[0]]]  # markouts that fell due one after the other in one stretch
        for one in last[1:]:
            if one[0] == runs[-1][-1][0]:
                runs[-1].append(one)
            else:
                runs.append([one])
        number = len(runs)
        if number >= max(2, keys["stretches"]):
            squares = sum(sum(markout - mean for _, markout in run) ** 2 for run in runs)
            error2 = squares * number / (number - 1) / count**2
            if (mean + accepted) ** 2 >= Fraction(str(keys["t"])) ** 2 * error2:
                self.put(STATES[keys["on_breach"]], scope)
                self.stopped[scope] = (
                    self.world.now + span(keys["freeze"])
                    if span(keys["freeze"]) and keys["on_breach"] != "halt"
                    else None
                )
                return
        self.put(WARNING, scope)

    def forget(self, scope):
        del self.stopped[scope]
        self.settled = [one for one in self.settled if one[0][0] != scope]
        self.open = [one for one in self.open if one[2] != scope]

    def release(self, scope):
        for one in [scope] if scope else list(self.stopped):
            if one in self.stopped:
                self.forget(one)
        super().release(scope)


class OneSidedFills(Reading):
    plugin = "one_sided_fills"
    moves: ClassVar = {"new": 50, "answer": 110, "wait": 40, "market": 3, "operator": 2}

    @staticmethod
    def settings(random, layout):
        return {
            "false_alarms": random.choice(("10%", "40%", "50%")), "fills": random.choice((10, 30)),
            "usual": random.choice(("50%", "60%")), "suspect": random.choice(("80%", "95%")),
            "scope": random.choice(("instrument", "strategy", "venue", "all")), "freeze": random.choice(("0s", "5s")),
            "warn_at": random.choice(("50%", "80%")), "every": random.choice(("100ms", "1s")),
            "on_breach": random.choice(("warning", "reduce_only", "cancel_all", "halt")),
        }  # fmt: skip

    def begin(self):
        usual, suspect = (float(ratio(self.keys[key])) for key in ("usual", "suspect"))
        down = max(1, round(4 * math.log((1 - usual) / (1 - suspect)) / math.log(suspect / usual)))
        self.up, self.down = 4 // math.gcd(4, down), down // math.gcd(4, down)
        self.threshold = 1
        while 2 * self.chance(self.threshold, usual) > float(ratio(self.keys["false_alarms"])):
            self.threshold += 1
        self.fills = {}  # by scope: time and side, once a moment
        self.stopped = {}

    def chance(self, threshold, usual):
        """Return how likely one side's sum comes to the threshold within the fills when all is well."""
        heights, reached = {0: 1.0}, 0.0
        for _ in range(self.keys["fills"]):
            after = {}
            for height, chance in heights.items():
                for to, share in ((height + self.up, usual), (max(0, height - self.down), 1 - usual)):
                    if to >= threshold:
                        reached += chance * share
                    else:
                        after[to] = after.get(to, 0.0) + chance * share
            heights = after
        return reached

    def spans(self):
        return [span(self.keys["every"]), span(self.keys["freeze"])]

    def sums(self, scope):
        buys = sells = 0
        for _, side in self.fills[scope]:
            buys = buys + self.up if side == BUY else max(0, buys - self.down)
            sells = sells + self.up if side != BUY else max(0, sells - self.down)
        return max(buys, sells)

    def on_report(self, report, order):
        scope = self.world.scope_of(self.keys["scope"], order.which, order.strategy)
        fills = self.fills.setdefault(scope, [])
        if not isinstance(report, Fill) or (self.world.now, order.side) in fills or scope in self.stopped:
            return
        fills.append((self.world.now, order.side))
        if self.sums(scope) >= self.threshold:
            self.put(STATES[self.keys["on_breach"]], scope)
            lasts = span(self.keys["freeze"]) if self.keys["on_breach"] != "halt" else 0
            self.stopped[scope] = self.world.now + lasts if lasts else None
        else:
            self.put(WARNING if self.sums(scope) >= self.threshold * ratio(self.keys["warn_at"]) else NORMAL, scope)

    def look(self, which):
        for scope in [one for one, until in self.stopped.items() if until is not None and self.world.now >= until]:
            del self.stopped[scope], self.fills[scope]
            self.put(NORMAL, scope)

    def release(self, scope):
        for one in [scope] if scope else list(self.stopped):
            if one in self.stopped:
                del self.stopped[one], self.fills[one]
        super().release(scope)


READINGS = [AdverseSelection, OneSidedFills]
