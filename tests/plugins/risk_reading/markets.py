"""Readings of the rules about prices, silence and disagreement."""

from __future__ import annotations

from typing import ClassVar

from quotewright.model.orders import OrderUnknown
from tests.plugins.risk_reading.beside import CANCEL_ALL, HALT, NORMAL, STATES, WARNING, Reading
from tests.plugins.risk_reading.world import START, ratio, span

BUSY = {"market": 80, "wait": 40, "new": 10, "answer": 10}


class PerInstrument(Reading):
    """A rule that watches each instrument; its state is the system's or the instrument's."""

    moves: ClassVar = BUSY

    def begin(self):
        self.watched = [self.fresh() for _ in range(2)]
        self.found = {}

    def fresh(self):
        return {}

    def breach(self):
        return STATES[self.keys.get("on_breach", "cancel_all")]

    def scopes(self):
        if self.keys["scope"] == "all":
            return [("", (0, 1))]
        return [(self.world.name(one), (one,)) for one in range(2)]

    def look(self, which):
        for one in range(2) if which is None else [which]:
            self.found[one] = self.read(one, self.watched[one])
        for scope, instruments in self.scopes():
            if which is None or which in instruments:
                self.put(max(self.found.get(one, NORMAL) for one in instruments), scope)

    def release(self, scope):
        super().release(scope)
        for which in range(2):
            is_meant = not scope or (scope == self.world.name(which) and self.keys["scope"] == "instrument")
            if is_meant and self.found.get(which, NORMAL) == WARNING != self.breach():
                self.found.pop(which)
            elif is_meant and self.found.get(which, NORMAL) > NORMAL:
                self.watched[which] = self.fresh()
                self.found.pop(which, None)


class PriceShock(PerInstrument):
    plugin = "price_shock"

    @staticmethod
    def settings(random, layout):
        return {
            "move": random.choice(("1%", "2%")), "window": random.choice(("5s", "30s")),
            "every": random.choice(("100ms", "1s")), "on_breach": random.choice(("reduce_only", "cancel_all")),
            "resume": {"below": random.choice(("0.5%", "0.1%")), "window": random.choice(("3s", "30s"))},
            "scope": random.choice(("all", "instrument")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["window"]), span(self.keys["resume"]["window"]), span(self.keys["every"])]

    def fresh(self):
        return {"mids": [], "shock": None, "calm": []}

    def read(self, which, seen):
        now, mid, keys = self.world.now, self.world.mid(which), self.keys
        held = STATES[keys["on_breach"]] if seen["shock"] is not None else NORMAL
        if mid is None:
            if seen["shock"] is not None:
                seen.update(shock=now, calm=[])
            return held
        seen["mids"].append((now, mid))
        window = [one for at, one in seen["mids"] if at >= now - span(keys["window"])]
        low, high, move = min(window), max(window), ratio(keys["move"])
        if mid - low >= move * low or high - mid >= move * high:
            seen.update(mids=[(now, mid)], shock=now, calm=[(now, mid)])
            return STATES[keys["on_breach"]]
        if seen["shock"] is None:
            return NORMAL
        seen["calm"].append((now, mid))
        rest = span(keys["resume"]["window"])
        calm = [one for at, one in seen["calm"] if at >= now - rest]
        if now - seen["shock"] >= rest and max(calm) - min(calm) < ratio(keys["resume"]["below"]) * min(calm):
            seen.update(shock=None, calm=[])
            return NORMAL
        return held


class PriceMove(PerInstrument):
    plugin = "price_move"

    @staticmethod
    def settings(random, layout):
        return {
            "move": random.choice(("1%", "50 bps")), "window": random.choice(("5s", "30s")),
            "reference": random.choice(("mark", "index", "last", "mid")), "cooldown": random.choice(("3s", "30s")),
            "scope": random.choice(("all", "instrument")), "warn_at": random.choice(("50%", "80%")),
            "every": random.choice(("100ms", "1s")), "on_breach": random.choice(("reduce_only", "cancel_all")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys[key]) for key in ("window", "cooldown", "every")]

    def fresh(self):
        return {"prices": [], "until": None}

    def reference(self, which):
        world, what = self.world, self.keys["reference"]
        if what == "mid":
            return world.mid(which)
        if what == "last":
            return world.trades[which][-1][1] * world.tick[which] if world.trades[which] else None
        told = world.references[which][what]
        return told[-1][1] if told else None

    def look(self, which):
        """At any look cool-downs that are over end, of the other instrument too."""
        if self.keys["scope"] == "instrument":
            for one in range(2):
                until = self.watched[one]["until"]
                if until is not None and self.world.now >= until:
                    self.watched[one] = self.fresh()
                    self.found.pop(one, None)
                    self.put(NORMAL, self.world.name(one))
        super().look(which)

    def refuses(self, command, which):
        return self.reference(which) is None

    def release(self, scope):
        is_stopped = any(one["until"] is not None for one in self.watched)
        super().release(scope)
        if not scope and is_stopped and self.keys["scope"] == "all":
            self.watched = [self.fresh(), self.fresh()]
            self.found = {}

    def read(self, which, seen):
        now, price, keys = self.world.now, self.reference(which), self.keys
        breach = STATES[keys["on_breach"]]
        shared = self.watched if keys["scope"] == "all" else [seen]
        if any(one["until"] is not None and now >= one["until"] for one in shared):
            for one in shared:  # the cool-down of the scope is over: every window of it starts anew
                one.update(until=None, prices=[])
            for one in (0, 1) if keys["scope"] == "all" else (which,):
                self.found.pop(one, None)
        if any(one["until"] is not None for one in shared):
            return breach
        if price is None:
            return self.found.get(which, NORMAL)
        seen["prices"].append((now, price))
        window = [one for at, one in seen["prices"] if at >= now - span(keys["window"])]
        low, high, move = min(window), max(window), ratio(keys["move"])
        moved = max((price - low) / low, (high - price) / high)
        if moved >= move:
            seen["until"] = now + span(keys["cooldown"])
            return breach
        return WARNING if moved >= move * ratio(keys["warn_at"]) else NORMAL


class StaleBook(PerInstrument):
    plugin = "stale_book"
    exempts = False

    @staticmethod
    def settings(random, layout):
        return {
            "max_age": random.choice(("1s", "10s")), "every": random.choice(("100ms", "1s")),
            "scope": random.choice(("all", "instrument")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["max_age"]), span(self.keys["every"])]

    def is_silent(self, which):
        spoke = self.world.spoke[which]
        return self.world.now - (START if spoke is None else spoke) >= span(self.keys["max_age"])

    def refuses(self, command, which):
        return self.is_silent(which)

    def read(self, which, seen):
        return CANCEL_ALL if self.is_silent(which) else NORMAL

    def release(self, scope):
        Reading.release(self, scope)  # what is silent stays so


class StreamDisagreement(PerInstrument):
    plugin = "stream_disagreement"

    @staticmethod
    def settings(random, layout):
        return {
            "away": random.choice(("1 bps", "10 bps", "100 bps")), "lasting": random.choice(("1s", "5s")),
            "every": random.choice(("100ms", "1s")), "scope": random.choice(("all", "instrument")),
            "on_breach": random.choice(("warning", "reduce_only", "cancel_all")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["lasting"]), span(self.keys["every"])]

    def fresh(self):
        return {"ticker": None, "trades": None, "judged": 0}

    def read(self, which, seen):
        world = self.world
        if not world.good[which]:
            seen.update(ticker=None, trades=None, judged=len(world.trades[which]))
            return NORMAL
        bid, offer = world.touch[which]
        away = ratio(self.keys["away"]) * (bid + offer) / 2
        ticker = world.quoted[which]
        differs = ticker is not None and (abs(ticker[0] - bid) > away or abs(ticker[1] - offer) > away)
        seen["ticker"] = (seen["ticker"] if seen["ticker"] is not None else world.now) if differs else None
        trades = world.trades[which]
        if len(trades) > seen["judged"]:
            seen["judged"] = len(trades)
            at, price = trades[-1]
            if price - offer > away or bid - price > away:
                seen["trades"] = (seen["trades"][0] if seen["trades"] else at, at)
            else:
                seen["trades"] = None
        lasting = span(self.keys["lasting"])
        is_ticker = seen["ticker"] is not None and world.now - seen["ticker"] >= lasting
        is_trades = seen["trades"] is not None and seen["trades"][1] - seen["trades"][0] >= lasting
        return STATES[self.keys["on_breach"]] if is_ticker or is_trades else NORMAL


class StalePrivate(Reading):
    plugin = "stale_private"
    exempts = False
    moves: ClassVar = {"new": 30, "answer": 60, "wait": 30}

    @staticmethod
    def settings(random, layout):
        return {
            "max_age": random.choice(("1s", "5s")), "scope": random.choice(("venue", "instrument", "all")),
            "every": random.choice(("100ms", "1s")), "on_breach": random.choice(("reduce_only", "cancel_all", "halt")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["max_age"]), span(self.keys["every"])]

    def group(self, which):
        """Return the instruments that are stopped together with one."""
        world, scope = self.world, self.keys["scope"]
        return [
            one for one in range(2)
            if scope == "all" or one == which or (scope == "venue" and world.venues[one] == world.venues[which])
        ]  # fmt: skip

    def begin(self):
        self.waiting = [{}, {}]  # by order: since when
        self.silent = [False, False]

    def on_command(self, command, which):
        self.waiting[which].setdefault(command.order_number, self.world.now)

    def on_report(self, report, order):
        waiting = self.waiting[order.which]
        if isinstance(report, OrderUnknown):
            if order.live:
                waiting.setdefault(order.number, self.world.now)
        elif waiting.pop(order.number, None) is not None and order.live and order.waiting:
            waiting[order.number] = self.world.now

    def is_silent(self, which):
        if not self.world.reachable[which]:
            return True
        oldest = min(self.waiting[which].values(), default=self.world.now)
        return self.world.now - oldest >= span(self.keys["max_age"])

    def look(self, which):
        world, kind = self.world, self.keys["scope"]
        for one in range(2) if which is None else [which]:
            self.silent[one] = self.is_silent(one)
            scope = world.scope_of(kind, one, "")
            if any(self.silent[other] for other in self.group(one)):
                self.put(STATES[self.keys["on_breach"]], scope)
            elif self.states.get(scope) != HALT:
                self.put(NORMAL, scope)

    def refuses(self, command, which):
        return self.is_silent(which)

    def release(self, scope):
        super().release(scope)
        if not scope:
            self.silent = [False, False]


READINGS = [PriceShock, PriceMove, StaleBook, StreamDisagreement, StalePrivate]
