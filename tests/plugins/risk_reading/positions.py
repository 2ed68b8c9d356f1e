"""Readings of the rules about positions, their value, and what is in use."""

from __future__ import annotations

from fractions import Fraction

from tests.plugins.risk_reading.beside import HALT, NORMAL, REDUCE_ONLY, STATES, WARNING, Reading
from tests.plugins.risk_reading.world import BUY, SELL, money, ratio, span

EVERY = ("100ms", "1s", "10s")


class PositionLimit(Reading):
    plugin = "position_limit"
    looks_at_reports = True

    @staticmethod
    def settings(random, layout):
        keys = {
            "limit": random.choice(("4 lots", "7 lots", "500 quote", "900 USDT", "99 quote")),
            "warn_at": random.choice(("50%", "80%")), "scope": random.choice(("all", "instrument")),
            "on_breach": random.choice(("reduce_only", "cancel_all", "halt")), "every": random.choice(EVERY),
        }  # fmt: skip
        if keys["on_breach"] != "halt" and random.random() < 0.3:
            keys |= {"liquidate": True, "collar": "50 bps", "slice": "2 lots", "retry": "1s"}
        return keys

    def begin(self):
        self.beyond = {}
        self.found = {}

    def spans(self):
        return [span(self.keys["every"])]

    def refuses(self, command, which):
        return abs(self.world.worst(command, which)) > self.world.as_lots(self.keys["limit"], which)

    def look(self, at):
        world, keys = self.world, self.keys
        breach = STATES["cancel_all" if keys.get("liquidate") else keys["on_breach"]]
        for which in range(2) if at is None else [at]:
            held, limit = abs(world.position(which)), world.as_lots(keys["limit"], which)
            stays = held and held >= limit if not keys.get("liquidate") else held > limit
            if held > limit or (self.beyond.get(which) and stays):
                self.beyond[which] = True
                state = breach
            else:
                self.beyond[which] = False
                state = WARNING if held and held >= limit * ratio(keys["warn_at"]) else NORMAL
            if self.found.get(which) != HALT:
                self.found[which] = state
        for scope, instruments in self.scopes():
            self.put(max(self.found.get(one, NORMAL) for one in instruments), scope)

    def scopes(self):
        if self.keys["scope"] == "all":
            return [("", (0, 1))]
        return [(self.world.name(one), (one,)) for one in range(2)]

    def release(self, scope):
        super().release(scope)
        if not scope:
            self.beyond.clear()
            self.found.clear()
        for which in range(2):
            if scope == self.world.name(which) and self.keys["scope"] == "instrument":
                self.beyond.pop(which, None)
                self.found.pop(which, None)


class ReduceNearLimit(Reading):
    plugin = "reduce_near_limit"
    looks_at_reports = True

    @staticmethod
    def settings(random, layout):
        return {
            "limit": random.choice(("5 lots", "8 lots", "900 quote")), "soft": random.choice(("80%", "90%", "100%")),
            "until": random.choice(("40%", "60%", "80%")), "every": random.choice(EVERY),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["every"])]

    def look(self, at):
        for which in range(2) if at is None else [at]:
            held, limit = abs(self.world.position(which)), self.world.as_lots(self.keys["limit"], which)
            scope = self.world.name(which)
            if held and held >= limit * ratio(self.keys["soft"]):
                self.put(REDUCE_ONLY, scope)
            elif held < limit * ratio(self.keys["until"]):
                self.put(NORMAL, scope)


class PositionValue(Reading):
    plugin = "position_value"

    @staticmethod
    def settings(random, layout):
        return {
            "limit": random.choice(("400 quote", "900 USDT")), "warn_at": random.choice(("50%", "80%")),
            "per": random.choice(("instrument", "underlying", "venue", "all")),
            "side": random.choice(("both", "long", "short")), "every": random.choice(EVERY),
            "on_breach": random.choice(("warning", "reduce_only", "cancel_all")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["every"])]

    def group(self, which):
        world, per = self.world, self.keys["per"]
        if per == "instrument":
            return [which]
        if per == "underlying":
            return [one for one in range(2) if world.instruments[one].base == world.instruments[which].base]
        return [one for one in range(2) if per == "all" or world.venues[one] == world.venues[which]]

    def value(self, which, lots):
        return lots * self.world.lot[which] * (self.world.last_mid[which] or Fraction(0))

    def is_too_much(self, value, limit, at_least=False):
        side = self.keys["side"]
        size = abs(value) if side == "both" else value if side == "long" else -value
        return size >= limit if at_least else size > limit

    def refuses(self, command, which):
        world = self.world
        side = world.side(command)
        sign = 1 if side == BUY else -1
        total = sign * self.value(which, world.added(command))
        for one in self.group(which):
            total += self.value(one, world.position(one) + sign * world.open_lots(one, side))
        return total * sign > money(self.keys["limit"]) and self.keys["side"] in (
            "both",
            "long" if sign > 0 else "short",
        )

    def look(self, which):
        limit = money(self.keys["limit"])
        state = NORMAL
        for which in range(2):
            held = sum(self.value(one, self.world.position(one)) for one in self.group(which))
            if self.is_too_much(held, limit):
                state = max(state, STATES[self.keys["on_breach"]])
            elif self.is_too_much(held, limit * ratio(self.keys["warn_at"]), at_least=True):
                state = max(state, WARNING)
        self.put(state)


class CreditLimit(Reading):
    plugin = "credit_limit"

    @staticmethod
    def settings(random, layout):
        keys = {
            "limit": random.choice(("400 quote", "1200 USDT")), "per": random.choice(("all", "venue")),
            "margin": random.choice(("100%", "50%", "20%")), "warn_at": random.choice(("50%", "80%")),
            "every": random.choice(EVERY), "on_breach": random.choice(("warning", "reduce_only", "cancel_all")),
        }  # fmt: skip
        if random.random() < 0.3:
            keys |= {"limit": "40%", "capital": "2000 quote"}
        return keys

    def spans(self):
        return [span(self.keys["every"])]

    def limit(self):
        if self.keys["limit"].endswith("%"):
            return ratio(self.keys["limit"]) * money(self.keys["capital"])
        return money(self.keys["limit"])

    def used(self, venue, which=None, side=0, added=0):
        world, total = self.world, Fraction(0)
        for one in range(2):
            if venue not in (None, world.venues[one]):
                continue
            more = added if one == which else 0
            bought = world.position(one) + world.open_lots(one, BUY) + (more if side == BUY else 0)
            sold = world.position(one) - world.open_lots(one, SELL) - (more if side == SELL else 0)
            total += max(abs(bought), abs(sold)) * world.lot[one] * (world.last_mid[one] or 0)
        return total * ratio(self.keys["margin"])

    def refuses(self, command, which):
        venue = self.world.venues[which] if self.keys["per"] == "venue" else None
        return self.used(venue, which, self.world.side(command), self.world.added(command)) > self.limit()

    def look(self, which):
        groups = [None] if self.keys["per"] == "all" else self.world.venues
        used = max(self.used(venue) for venue in groups)
        if used > self.limit():
            self.put(STATES[self.keys["on_breach"]])
        else:
            self.put(WARNING if used >= self.limit() * ratio(self.keys["warn_at"]) else NORMAL)


READINGS = [PositionLimit, ReduceNearLimit, PositionValue, CreditLimit]
