"""Readings of the rules that count executions, rejects and the like, and of the tests of fills."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from quotewright.model.orders import (
    AmendOrder,
    AmendRejected,
    Canceled,
    Fill,
    NewOrder,
    OrderUnknown,
    Rejected,
)
from tests.plugins.risk_reading.beside import NORMAL, STATES, WARNING, Reading
from tests.plugins.risk_reading.world import BUY, money, ratio, span

BUSY = {"new": 45, "answer": 80, "wait": 20, "market": 12, "operator": 3}


class Counting(Reading):
    """Something is counted by scope within a window; reaching the limit sets a state, for a while or for good."""

    moves: ClassVar = BUSY
    lasting = ""

    def begin(self):
        self.seen = []  # time, scope, facts
        self.until = {}

    def spans(self):
        return [span(self.keys[key]) for key in ("window", "every", *([self.lasting] if self.lasting else []))]

    def freeze(self):
        return span(self.keys[self.lasting]) if self.lasting else 0

    def is_held(self, scope):
        return self.states.get(scope, NORMAL) > WARNING

    def counted(self, scope, window=None):
        since = self.world.now - span(self.keys["window"])
        return [one for one in self.seen if one[1] == scope and one[0] > since]

    def add(self, scope, facts=None):
        if self.is_held(scope):
            return
        self.seen.append((self.world.now, scope, facts))
        if self.trips(scope):
            self.trip(scope)
        elif self.warns(scope):
            self.put(WARNING, scope)

    def trips(self, scope):
        return bool(self.keys["limit"]) and len(self.counted(scope)) >= self.keys["limit"]

    def trip(self, scope):
        self.put(STATES[self.keys["on_breach"]], scope)
        self.seen = [one for one in self.seen if one[1] != scope]
        if self.freeze() and self.keys["on_breach"] != "halt":
            self.until[scope] = self.world.now + self.freeze()

    def wake_scope(self, scope):
        if scope in self.until and self.world.now >= self.until[scope]:
            del self.until[scope]
            self.put(NORMAL, scope)

    def look(self, which):
        for scope in list(self.until):
            self.wake_scope(scope)
        for scope, state in list(self.states.items()):
            if state == WARNING and not self.warns(scope):
                self.put(NORMAL, scope)

    def warns(self, scope):
        return len(self.counted(scope)) >= ratio(self.keys["warn_at"]) * self.keys["limit"]

    def release(self, scope):
        for one in [scope] if scope else list(self.states):
            if self.is_held(one):
                self.seen = [entry for entry in self.seen if entry[1] != one]
                self.until.pop(one, None)
        super().release(scope)

    def scope(self, order, key="scope"):
        return self.world.scope_of(self.keys[key], order.which, order.strategy)


def usual(random, **more):
    return {
        "window": random.choice(("1s", "30s")), "every": random.choice(("100ms", "1s")),
        "on_breach": random.choice(("reduce_only", "cancel_all", "halt")), **more,
    }  # fmt: skip


class RepeatedExecution(Counting):
    plugin = "repeated_execution"

    @staticmethod
    def settings(random, layout):
        return usual(
            random, limit=random.choice((2, 4)), counts=random.choice(("executions", "orders")),
            scope=random.choice(("strategy", "instrument", "venue", "all")), warn_at=random.choice(("50%", "80%")),
        )  # fmt: skip

    def on_command(self, command, which):
        if self.keys["counts"] == "orders" and isinstance(command, NewOrder):
            self.add(self.world.scope_of(self.keys["scope"], which, command.strategy))

    def on_report(self, report, order):
        if self.keys["counts"] == "executions" and isinstance(report, Fill):
            self.add(self.scope(order))


class RejectThrottle(Counting):
    plugin = "reject_throttle"
    lasting = "freeze"

    @staticmethod
    def settings(random, layout):
        return usual(
            random, limit=random.choice((1, 2, 3)), scope=random.choice(("strategy", "instrument", "venue", "all")),
            warn_at=random.choice(("50%", "80%")), freeze=random.choice(("0s", "2s", "60s")),
            ignore=random.choice((["post_only"], [], ["venue", "bad_qty"])),
        )  # fmt: skip

    def on_report(self, report, order):
        if isinstance(report, Rejected | AmendRejected) and report.reason not in self.keys["ignore"]:
            self.add(self.scope(order))


class KillSwitch(Counting):
    plugin = "kill_switch"

    @staticmethod
    def settings(random, layout):
        return usual(
            random, rejects=random.choice((0, 1, 2)), fills=random.choice((0, 2, 4)), unknown=random.choice((0, 1, 2)),
            scope=random.choice(("strategy", "instrument", "venue", "all")),
        )  # fmt: skip

    def trips(self, scope):
        for what in ("rejects", "fills", "unknown"):
            if self.keys[what] and len([1 for _, _, one in self.counted(scope) if one == what]) >= self.keys[what]:
                return True
        return False

    def warns(self, scope):
        return False

    def on_report(self, report, order):
        if isinstance(report, Rejected):
            self.add(self.scope(order), "rejects")
        elif isinstance(report, Fill):
            self.add(self.scope(order), "fills")
        elif isinstance(report, OrderUnknown):
            self.add(self.scope(order), "unknown")


class SelfTradePrevention(Counting):
    plugin = "self_trade_prevention"
    lasting = "freeze"

    @staticmethod
    def settings(random, layout):
        return usual(
            random, limit=random.choice((1, 2)), scope=random.choice(("strategy", "instrument", "venue", "all")),
            warn_at=random.choice(("50%", "80%")), freeze=random.choice(("0s", "2s", "60s")),
        )  # fmt: skip

    def on_report(self, report, order):
        if isinstance(report, Canceled) and report.reason == "stp":
            self.add(self.scope(order))
        elif isinstance(report, Fill):
            for one in self.world.fills:
                same = one.fill_id == report.fill_id and one.order.which == order.which
                if same and one.order.side != order.side and not self.is_held(self.scope(order)):
                    self.trip(self.scope(order))


class FillRate(Counting):
    plugin = "fill_rate"
    lasting = "cooldown"

    @staticmethod
    def settings(random, layout):
        keys = usual(
            random, limit=random.choice((0, 2, 4)), scope=random.choice(("strategy", "instrument", "venue", "all")),
            warn_at=random.choice(("50%", "80%")), cooldown=random.choice(("0s", "2s", "60s")),
        )  # fmt: skip
        if not keys["limit"]:
            keys |= {"times": random.choice((1.5, 3.0)), "baseline": random.choice(("60s", "5m")), "least": 2}
            if keys["window"] == "30s":
                keys["baseline"] = "5m"
        return keys

    def spans(self):
        return [*super().spans(), *([span(self.keys["baseline"])] if "baseline" in self.keys else [])]

    def begin(self):
        super().begin()
        self.all = []  # every fill: time, scope
        self.first = {}

    def on_command(self, command, which):
        self.first.setdefault(self.world.scope_of(self.keys["scope"], which, command.strategy), self.world.now)

    def on_report(self, report, order):
        if isinstance(report, Fill):
            self.all.append((self.world.now, self.scope(order)))
            self.add(self.scope(order))

    def trips(self, scope):
        count = len(self.counted(scope))
        if self.keys["limit"]:
            return count >= self.keys["limit"]
        now, window, baseline = self.world.now, span(self.keys["window"]), span(self.keys["baseline"])
        if now - self.first[scope] < baseline or count < self.keys["least"]:
            return False
        usual = len([1 for at, where in self.all if where == scope and at > now - baseline]) - count
        return count * (baseline - window) >= Fraction(str(self.keys["times"])) * usual * window

    def warns(self, scope):
        return bool(self.keys["limit"]) and super().warns(scope)


class MarketMakerProtection(Counting):
    plugin = "market_maker_protection"
    lasting = "freeze"

    @staticmethod
    def settings(random, layout):
        keys = usual(
            random, freeze=random.choice(("0s", "2s", "60s")),
            group=random.choice(("instrument", "underlying", "strategy", "venue", "all")),
        )  # fmt: skip
        kind = random.choice(("fills", "quantity", "delta", "value", "several"))
        if kind in ("fills", "several"):
            keys["fills"] = random.choice((2, 4))
        if kind in ("value", "several"):
            keys["value"] = random.choice(("400 quote", "900 USDT"))
        if kind in ("quantity", "delta"):
            lots = keys["group"] == "instrument"
            if not lots and layout:
                keys["fills"] = 3
            else:
                keys[kind] = random.choice(("4 lots", "6 lots") if lots else ("0.03 BTC", "0.05 BTC"))
        return keys

    def scopes(self, order):
        if self.keys["group"] != "underlying":
            return self.world.scope_of(self.keys["group"], order.which, order.strategy)
        return f"underlying:{self.world.instruments[order.which].base}"

    def on_report(self, report, order):
        if isinstance(report, Fill):
            self.add(self.scopes(order), self.world.fills[-1])

    def trips(self, scope):
        fills = [one for _, _, one in self.counted(scope)]
        keys, world = self.keys, self.world

        def reached(key, amounts):
            if key not in keys:
                return False
            if keys[key].endswith("lots"):
                return abs(sum(one.lots * sign for one, sign in amounts)) >= money(keys[key])
            return abs(sum(one.lots * world.lot[one.order.which] * sign for one, sign in amounts)) >= money(keys[key])

        value = sum(one.lots * world.lot[one.order.which] * one.price for one in fills)
        return (
            ("fills" in keys and len(fills) >= keys["fills"])
            or reached("quantity", [(one, 1) for one in fills])
            or reached("delta", [(one, 1 if one.order.side == BUY else -1) for one in fills])
            or ("value" in keys and value >= money(keys["value"]))
        )

    def warns(self, scope):
        return False

    def state_for(self, strategy, which):
        group = f"underlying:{self.world.instruments[which].base}"
        held = NORMAL if self.world.name(which) in self.lone else self.states.get(group, NORMAL)
        return max(super().state_for(strategy, which), held)

    def begin(self):
        super().begin()
        self.lone = set()  # instruments that were released while the rest of their underlying was not

    def release(self, scope):
        """The scopes of an underlying are its instruments: each is released by its own name."""
        if self.keys["group"] != "underlying":
            super().release(scope)
            return
        if not scope:
            self.lone = set()
            super().release("")
        for which in range(2):
            group = f"underlying:{self.world.instruments[which].base}"
            if scope == self.world.name(which) and self.states.get(group, NORMAL) > WARNING:
                self.lone.add(scope)
                self.seen = [entry for entry in self.seen if entry[1] != group]
                names = {self.world.name(one) for one in range(2) if self.in_group(one, group)}
                if names <= self.lone:
                    super().release(group)
                    self.lone -= names

    def is_held(self, scope):
        return super().is_held(scope) and not self.lone

    def trip(self, scope):
        self.lone = set()
        super().trip(scope)

    def in_group(self, which, group):
        return group == f"underlying:{self.world.instruments[which].base}"


READINGS = [
    RepeatedExecution, RejectThrottle, KillSwitch, SelfTradePrevention, FillRate, MarketMakerProtection,
]  # fmt: skip
assert AmendOrder
