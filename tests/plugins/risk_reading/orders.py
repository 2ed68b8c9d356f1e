"""Readings of the rules that look at one order, at messages and at what is open."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, ClassVar

from quotewright.model.orders import AmendOrder, NewOrder
from tests.plugins.risk_reading.beside import HALT, NORMAL, STATES, WARNING, Reading
from tests.plugins.risk_reading.world import BUY, SECOND, SELL, START, money, ratio, span

DAY = 86_400 * SECOND


class MaxOrderSize(Reading):
    plugin = "max_order_size"
    exempts = False

    @staticmethod
    def settings(random, layout):
        return {
            "limit": random.choice(("2 lots", "5 lots", "300 quote", "900 USDT") + (() if layout else ("0.03 BTC",)))
        }

    def refuses(self, command, which):
        return self.world.lots(command) > self.world.as_lots(self.keys["limit"], which)


class MaxOrderValue(Reading):
    plugin = "max_order_value"
    exempts = False

    @staticmethod
    def settings(random, layout):
        return {"limit": random.choice(("200 quote", "300 quote", "900 USDT"))}

    def refuses(self, command, which):
        world = self.world
        price = world.price(command, which) * world.tick[which]
        return price * world.lots(command) * world.lot[which] > money(self.keys["limit"])


class PriceCollar(Reading):
    plugin = "price_collar"
    exempts = False
    moves: ClassVar = {"market": 60, "wait": 30}

    @staticmethod
    def settings(random, layout):
        return {
            "away": random.choice(("1%", "150 bps", "0.2%", "1 bps")),
            "reference": random.choice(("mid", "last", "mark", "index")),
            "max_age": random.choice(("1s", "10s", "60s")),
        }

    def spans(self):
        return [span(self.keys["max_age"])]

    def reference(self, which):
        """Return the reference in quote currency and since when it is told."""
        world, what = self.world, self.keys["reference"]
        if what == "mid":
            return world.mid(which), world.spoke[which]
        if what == "last":
            told = world.trades[which]
            return (told[-1][1] * world.tick[which], told[-1][0]) if told else (None, 0)
        told = world.references[which][what]
        self.see(which)
        if not told:
            return None, 0
        return told[-1][1], self.seen[which][1]

    def begin(self):
        self.seen = {}

    def see(self, which):
        """Note a mark or an index that has changed since it was last looked at."""
        told = self.world.references[which].get(self.keys["reference"])
        price = told[-1][1] if told else None
        if which not in self.seen or self.seen[which][0] != price:
            self.seen[which] = (price, self.world.now)

    def look(self, which):
        for one in range(2) if which is None else [which]:
            self.see(one)

    def refuses(self, command, which):
        reference, since = self.reference(which)
        if reference is None or self.world.now - since >= span(self.keys["max_age"]):
            return True
        price = self.world.price(command, which) * self.world.tick[which]
        return abs(price - reference) > ratio(self.keys["away"]) * reference


class SelfCross(Reading):
    plugin = "self_cross"
    exempts = False

    @staticmethod
    def settings(random, layout):
        return {}

    def refuses(self, command, which):
        side = self.world.side(command)
        against = self.world.live(which, SELL if side == BUY else BUY)
        if not command.price_ticks:
            return bool(against)
        for other in against:
            for price in other.prices():
                if price == 0 or (command.price_ticks >= price if side == BUY else command.price_ticks <= price):
                    return True
        return False


class DuplicateOrder(Reading):
    plugin = "duplicate_order"
    moves: ClassVar = {"new": 60}

    @staticmethod
    def settings(random, layout):
        return {"count": random.choice((1, 2)), "window": random.choice(("1s", "30s", "10m"))}

    def begin(self):
        self.sent = []

    def spans(self):
        return [span(self.keys["window"])]

    def release(self, scope):
        if not scope:
            self.sent = []

    @staticmethod
    def facts(command, which):
        return command.strategy, which, command.side, command.price_ticks, command.quantity_lots

    def on_command(self, command, which):
        if isinstance(command, NewOrder):
            self.sent.append((self.world.now, self.facts(command, which)))

    def refuses(self, command, which):
        if not isinstance(command, NewOrder):
            return False
        since = self.world.now - span(self.keys["window"])
        equal = [1 for at, facts in self.sent if at > since and facts == self.facts(command, which)]
        return len(equal) >= self.keys["count"]


class MaxOpenOrders(Reading):
    plugin = "max_open_orders"
    moves: ClassVar = {"new": 60, "answer": 25, "amend": 20}

    @staticmethod
    def settings(random, layout):
        return {
            "orders": random.choice((2, 4, 7)), "per_side": random.choice((0, 1, 2, 3)),
            "levels": random.choice((0, 1, 2)), "per": random.choice(("instrument", "all")),
            "warn_at": random.choice(("50%", "80%")), "every": random.choice(("100ms", "1s")),
        }  # fmt: skip

    def spans(self):
        return [span(self.keys["every"])]

    def refuses(self, command, which):
        world, keys = self.world, self.keys
        side = world.side(command)
        if isinstance(command, NewOrder):
            if len(world.live(None if keys["per"] == "all" else which)) >= keys["orders"]:
                return True
            if keys["per_side"] and len(world.live(which, side)) >= keys["per_side"]:
                return True
        if not keys["levels"] or not command.price_ticks:
            return False
        prices = {command.price_ticks}
        for other in world.live(which, side):
            if other.price and not (isinstance(command, AmendOrder) and other.number == command.order_number):
                prices.add(other.wanted[0] if other.wanted else other.price)
        return len(prices) > keys["levels"]

    def look(self, which):
        world = self.world
        groups = [None] if self.keys["per"] == "all" else range(2)
        most = ratio(self.keys["warn_at"]) * self.keys["orders"]
        self.put(WARNING if any(len(world.live(which)) >= most for which in groups) else NORMAL)


class MessageLimit(Reading):
    plugin = "message_limit"
    moves: ClassVar = {"new": 60, "cancel": 15, "amend": 15}

    @staticmethod
    def settings(random, layout):
        return {
            "limit": random.choice((3, 5, 10)), "window": random.choice(("1s", "30s")),
            "burst": random.choice((0, 3, 4)), "burst_window": random.choice(("100ms", "500ms")),
            "reserve": random.choice(("0%", "20%", "50%")), "per": random.choice(("venue", "strategy", "all")),
            "warn_at": random.choice(("50%", "80%")), "every": random.choice(("100ms", "1s")),
        }  # fmt: skip

    def begin(self):
        self.left = []

    def spans(self):
        return [span(self.keys["window"]), span(self.keys["burst_window"])]

    def on_command(self, command, which):
        scope = self.world.scope_of(self.keys["per"], which, command.strategy)
        self.left.append((self.world.now, scope))
        if self.is_warning(scope):
            self.put(WARNING)

    def limits(self):
        share = 1 - ratio(self.keys["reserve"])
        pairs = [(self.keys["limit"], self.keys["window"]), (self.keys["burst"], self.keys["burst_window"])]
        return [(int(limit * share), span(window)) for limit, window in pairs if limit]

    def counted(self, scope, window):
        return len([1 for at, where in self.left if where == scope and at > self.world.now - window])

    def refuses(self, command, which):
        scope = self.world.scope_of(self.keys["per"], which, command.strategy)
        return any(self.counted(scope, window) >= limit for limit, window in self.limits())

    def is_warning(self, scope):
        limit, window = self.limits()[0]
        return self.counted(scope, window) >= limit * ratio(self.keys["warn_at"])

    def look(self, which):
        if not any(self.is_warning(scope) for scope in {scope for _, scope in self.left}):
            self.put(NORMAL)


class Restricted(Reading):
    plugin = "restricted"

    @staticmethod
    def settings(random, layout):
        keys = {
            "instruments": random.choice((["*"], ["BTC-*"], ["*.perp@one"], ["*spot*", "ETH-*"], [])),
            "venues": random.choice((["*"], ["main"], ["side"])),
            "strategies": random.choice((["*"], ["mm"], ["a*", "so*"])),
            "every": random.choice(("1s", "10m")), "on_breach": random.choice(("reduce_only", "cancel_all", "halt")),
        }  # fmt: skip
        times = [
            ("12:00 UTC", "13:00 UTC"),
            ("13:30 UTC", "12:30 UTC"),
            ("22:00 UTC", "20:00 UTC"),
            ("11:00 UTC", "12:01 UTC"),
        ]
        if random.random() < 0.6:
            keys["opens"], keys["closes"] = random.choice(times)
        if random.random() < 0.4:
            keys["days"] = random.choice((["mon"], ["tue", "wed"], ["mon", "tue"], ["sun"]))
        return keys

    def spans(self):
        return [60 * SECOND, 1800 * SECOND, 3600 * SECOND, DAY // 2]

    def is_open(self):
        now = self.world.now
        day = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")[now // DAY % 7]
        if self.keys.get("days") and day not in self.keys["days"]:
            return False
        if "opens" not in self.keys:
            return True
        opens, closes = (self.clock(self.keys[key]) for key in ("opens", "closes"))
        at = now % DAY
        return opens <= at < closes if opens < closes else at >= opens or at < closes

    @staticmethod
    def clock(text):
        hour, minute = text.split()[0].split(":")
        return (int(hour) * 60 + int(minute)) * 60 * SECOND

    @staticmethod
    def matches(name, patterns):
        return any(re.fullmatch(".*".join(re.escape(part) for part in one.split("*")), name) for one in patterns)

    def refuses(self, command, which):
        world, keys = self.world, self.keys
        listed = self.matches(world.instruments[which].name, keys["instruments"])
        listed = listed and self.matches(world.venues[which], keys["venues"])
        return not (listed and self.matches(command.strategy, keys["strategies"]) and self.is_open())

    def look(self, which):
        if self.is_open():
            if self.states.get("") != HALT:
                self.put(NORMAL)
        else:
            self.put(STATES[self.keys["on_breach"]])


class DeploymentRamp(Reading):
    plugin = "deployment_ramp"

    @staticmethod
    def settings(random, layout):
        keys: dict[str, Any] = {"period": random.choice(("10s", "10m", "24h"))}
        kind = random.choice(("lots", "quote"))
        if random.random() < 0.7:
            keys["size"] = "2 lots" if kind == "lots" else "250 quote"
            if random.random() < 0.5:
                keys["full_size"] = "9 lots" if kind == "lots" else "3000 quote"
        if random.random() < 0.5:
            keys["position"] = random.choice(("4 lots", "700 quote"))
        if random.random() < 0.5:
            keys["orders"], keys["orders_window"] = random.choice((2, 5)), random.choice(("1s", "60s"))
        if random.random() < 0.3 or len(keys) == 1:
            keys["instruments"] = 1
        return keys

    def begin(self):
        self.first = None
        self.left = []

    def spans(self):
        return [span(self.keys["period"]), span(self.keys["period"]) // 2, span(self.keys.get("orders_window", "1s"))]

    def on_command(self, command, which):
        if isinstance(command, NewOrder | AmendOrder):
            self.left.append((self.world.now, which))

    def refuses(self, command, which):
        world, keys = self.world, self.keys
        if self.first is None:
            self.first = world.now
        period = span(keys["period"])
        elapsed = world.now - self.first
        if elapsed >= period:
            return False
        if "size" in keys and world.lots(command) > self.largest(which, Fraction(elapsed, period)):
            return True
        if "position" in keys and abs(world.worst(command, which)) > world.as_lots(keys["position"], which):
            return True
        if "orders" in keys:
            since = world.now - span(keys["orders_window"])
            if len([1 for at, _ in self.left if at > since]) >= keys["orders"]:
                return True
        if "instruments" in keys:
            traded = {one for _, one in self.left}
            return which not in traded and len(traded) >= keys["instruments"]
        return False

    def largest(self, which, share):
        """Return the largest size of this moment in lots."""
        low = self.world.as_lots(self.keys["size"], which)
        if "full_size" not in self.keys:
            return low
        return low + (self.world.as_lots(self.keys["full_size"], which) - low) * share


READINGS = [
    MaxOrderSize, MaxOrderValue, PriceCollar, SelfCross, DuplicateOrder, MaxOpenOrders, MessageLimit, Restricted,
    DeploymentRamp,
]  # fmt: skip
assert START % DAY == DAY // 2
