"""Random command streams: dense enough that most commands matter, the same for the same seed on every platform."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

INSTRUMENT_DEFAULTS: dict[str, Any] = {
    "kind": "plain",
    "tick": "1",
    "lot": "1",
    "mult": "1",
    "min_qty": None,
    "max_qty": None,
    "min_notional": None,
    "maker_fee": "0",
    "taker_fee": "0",
    "fee_mode": "received",
    "fee_scale": 8,
    "base": "BASE",
    "quote": "QUOTE",
    "amend_policy": "qty_down_keeps",
    "amend_post_only_cross": "reject",
    "stop_if_met": "reject",
    "market_protection": None,
    "price_band": None,
    "exec_range": None,
    "max_open_orders": None,
    "im_rate": None,
    "mm_rate": None,
    "option_fee_rate": None,
    "option_fee_cap": None,
    "strike": None,
    "option_type": None,
}
ACCOUNTS = ("A", "B", "C", "D")
MIDDLE = 1000
"""Prices lie this many ticks above zero, so that re-pricing never meets zero."""
BAD_NUMBERS = ("0", "-1", "NaN", "Infinity", "-Infinity", "1E18", "1E400", "0.0000000000000000001", "", "abc")


@attrs.frozen
class Stream:
    """Commands for one engine, and the instrument and accounts to run them with."""

    instrument: Mapping[str, Any]
    accounts: Mapping[str, Any]
    commands: tuple[Mapping[str, Any], ...]


@attrs.frozen
class Feed:
    """Timed inputs of a replay machine and its model; untimed where the model has no latency."""

    model: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...]


class Grid:
    """Whole steps written as decimal text."""

    def __init__(self, units: int, decimals: int) -> None:
        self.units = units
        self.decimals = decimals

    def text(self, steps: int) -> str:
        return self.raw(steps * self.units)

    def off(self, steps: int) -> str:
        """Return a number off the grid: one unit of the next decimal beyond it."""
        return f"{self.text(steps)}{'' if self.decimals else '.'}1"

    def raw(self, number: int) -> str:
        if not self.decimals:
            return str(number)
        whole, part = divmod(number, 10**self.decimals)
        return f"{whole}.{part:0{self.decimals}d}"


def random_stream(seed: int, length: int = 120) -> Stream:
    """Return the stream of *seed*: instrument, policies, limits, rules, fees and funds follow from it too.

    A third of the streams know plain orders only; the others draw some of the rules, or all of them.
    """
    chance = random.Random(seed)
    tick = chance.choice([Grid(1, 0), Grid(5, 1), Grid(1, 2)])
    lot = chance.choice([Grid(1, 0), Grid(1, 1), Grid(2, 3)])
    instrument = dict(INSTRUMENT_DEFAULTS)
    instrument["tick"], instrument["lot"] = tick.text(1), lot.text(1)
    instrument["amend_policy"] = chance.choice(["qty_down_keeps", "qty_down_keeps", "always_requeues", "qty_down_only"])
    instrument["amend_post_only_cross"] = chance.choice(["reject", "reject", "cancel"])
    if chance.random() < 0.4:
        instrument["min_qty"], instrument["max_qty"] = lot.text(2), lot.text(9)
    if chance.random() < 0.3:
        instrument["min_notional"] = tick.raw(MIDDLE * tick.units * lot.units * 3 // 10**lot.decimals)
    accounts: dict[str, Any] = {}
    width = chance.choice([2, 4, 8])
    kind = chance.choice(["plain", "plain", "spot", "spot", "linear", "inverse", "option"])
    rules = _rules(chance, instrument, kind)
    if kind in ("linear", "inverse", "option"):
        _derivative(chance, instrument, accounts, kind, tick, lot)
    if kind == "spot":
        instrument |= {"kind": "spot", "base": "BTC", "quote": "USDT"}
        instrument["maker_fee"] = chance.choice(["0", "0.001", "-0.0001", "0.00037"])
        instrument["taker_fee"] = chance.choice(["0", "0.002", "0.000751", "0.0005"])
        instrument["fee_mode"] = chance.choice(["received", "quote"])
        instrument["fee_scale"] = chance.choice([8, 8, 4, 2])
        for name in ACCOUNTS[: chance.randint(1, 4)]:
            funds = [chance.choice([5, 30, 400]) for _ in range(2)]
            worth = funds[1] * MIDDLE * tick.units * lot.units
            quote = Grid(1, tick.decimals + lot.decimals).raw(worth)
            accounts[name] = {"balances": {"BTC": lot.text(funds[0]), "USDT": quote}}
    if rules and chance.random() < 0.5:
        for name in chance.sample(ACCOUNTS, 2):
            accounts.setdefault(name, {})["stp_group"] = "g"
    commands = _Commands(chance, tick, lot, width, rules)
    return Stream(instrument, accounts, tuple(commands.draw() for _ in range(length)))


RULES = ("stops", "iceberg", "hidden", "stp", "gtd", "phases", "references", "reduce_only")


def _rules(chance: random.Random, instrument: dict[str, Any], kind: str) -> frozenset[str]:
    """Draw the rules of a stream and switch on those that are settings."""
    roll = chance.random()
    if roll < 0.3:
        return frozenset()
    share = 1.0 if roll < 0.5 else 0.5
    rules = {rule for rule in RULES if chance.random() < share}
    if kind not in ("linear", "inverse", "option"):
        rules.discard("reduce_only")
    instrument["stop_if_met"] = chance.choice(["reject", "trigger"])
    if chance.random() < 0.3:
        instrument["max_open_orders"] = chance.choice([3, 6])
    if chance.random() < 0.3:
        away = chance.choice([{"points": "2"}, {"points": "5.5"}, {"pct": "0.003"}, {"pct": "0.0005"}])
        remainder = chance.choice(["cancel", "rest"])
        instrument["market_protection"] = {"ref": chance.choice(["best", "last"]), "remainder": remainder} | away
    for key in ("price_band", "exec_range"):
        if chance.random() < 0.25:
            edges = {"up": chance.choice(["1.006", "1.0031", None]), "down": chance.choice(["0.994", "0.9973", None])}
            if chance.random() < 0.4:
                edges[f"{chance.choice(['up', 'down'])}_{chance.choice(['buy', 'sell'])}"] = "1.0002"
            instrument[key] = {"ref": chance.choice(["last", "mark", "index", "ref"])} | edges
    return frozenset(rules)


def _derivative(
    chance: random.Random, instrument: dict[str, Any], accounts: dict[str, Any], kind: str, tick: Grid, lot: Grid
) -> None:
    """Draw the terms of a derivative and the cash and positions of some accounts."""
    instrument |= {"kind": kind, "base": "BTC", "quote": "USDT", "mult": chance.choice(["1", "0.1", "10"])}
    instrument["maker_fee"] = chance.choice(["0", "0.0002", "-0.0001"])
    instrument["taker_fee"] = chance.choice(["0", "0.0005", "0.00075"])
    instrument["im_rate"] = chance.choice([None, "0.05", "0.2"])
    instrument["mm_rate"] = chance.choice([None, "0.02", "0.1"])
    if kind == "option":
        instrument |= {"option_type": chance.choice(["call", "put"]), "strike": tick.text(MIDDLE)}
        instrument |= {"option_fee_rate": chance.choice(["0", "0.0003"]), "option_fee_cap": "0.125"}
    for name in ACCOUNTS[: chance.randint(0, 4)]:
        worth = (
            Decimal(tick.text(MIDDLE)) * Decimal(lot.text(chance.choice([2, 20, 200]))) * Decimal(instrument["mult"])
        )
        if kind == "inverse":
            worth = Decimal(lot.text(chance.choice([2, 20, 200]))) / 1000
        accounts[name] = {"cash": f"{worth.normalize():f}", "pos": "0", "entry": "0"}
        if chance.random() < 0.4:
            accounts[name] |= {"pos": lot.text(chance.randint(1, 9)), "entry": tick.text(MIDDLE)}
            if chance.random() < 0.5:
                accounts[name]["pos"] = "-" + accounts[name]["pos"]


class _Commands:
    """Draws commands that refer to what was sent before."""

    def __init__(self, chance: random.Random, tick: Grid, lot: Grid, width: int, rules: frozenset[str]) -> None:
        self.rules = rules
        self.now = 0
        self.phase = "trading"
        self.chance = chance
        self.tick = tick
        self.lot = lot
        self.width = width
        self.sent: list[tuple[str, str]] = []
        self.resting: list[tuple[str, str]] = []

    def draw(self) -> dict[str, Any]:
        if self.rules and self.chance.random() < 0.12:
            return self.market()
        roll = self.chance.random()
        if roll < 0.62 or not self.sent:
            return self.new()
        if roll < 0.76:
            return {"op": "cancel"} | self.target()
        if roll < 0.98:
            return self.amend()
        return {"op": "cancel_all", "account": self.chance.choice(ACCOUNTS)}

    def price(self) -> str:
        steps = MIDDLE + self.chance.randint(-self.width, self.width)
        return self.odd() or (self.tick.off(steps) if self.chance.random() < 0.01 else self.tick.text(steps))

    def qty(self) -> str:
        steps = self.chance.randint(1, 10)
        return self.odd() or (self.lot.off(steps) if self.chance.random() < 0.01 else self.lot.text(steps))

    def odd(self) -> str:
        return self.chance.choice(BAD_NUMBERS) if self.chance.random() < 0.012 else ""

    def market(self) -> dict[str, Any]:
        """Return a command that is no order's."""
        chance = self.chance
        roll = chance.random()
        if self.phase != "trading" and roll < 0.5:
            if self.phase == "auction" and chance.random() < 0.8:
                self.phase = "trading"
                return {"op": "uncross"}
            self.phase = "trading"
            return {"op": "phase", "state": "trading"}
        if "gtd" in self.rules and roll < 0.6:
            self.now += chance.randint(0, 5)
            return {"op": "clock", "now": self.now}
        if "phases" in self.rules and roll < 0.7:
            self.phase = chance.choice(["halt", "cancel_only", "post_only", "auction", "auction", "auction"])
            return {"op": "phase", "state": self.phase}
        if roll > 0.97:
            return {"op": "settle", "price": self.reference()}
        if roll > 0.93:
            return {"op": "funding", "rate": chance.choice(["0.0001", "-0.00037", "0.01"])}
        return {"op": chance.choice(["mark", "mark", "index", "ref"]), "price": self.reference()}

    def reference(self) -> str:
        """Return a price that need not be on the grid."""
        steps = MIDDLE + self.chance.randint(-2 * self.width, 2 * self.width)
        return self.tick.off(steps) if self.chance.random() < 0.3 else self.tick.text(steps)

    def flags(self, cmd: dict[str, Any]) -> dict[str, Any]:
        """Add what the rules of the stream allow to a new order."""
        chance = self.chance
        if "stops" in self.rules and chance.random() < 0.25:
            kind = chance.choice(["stop", "take_profit"])
            cmd["type"] = kind if cmd.get("type") == "market" else f"{kind}_limit"
            cmd["trigger"] = self.price()
            if "references" in self.rules and chance.random() < 0.6:
                cmd["trigger_by"] = chance.choice(["last", "mark", "index"])
        if "iceberg" in self.rules and chance.random() < 0.2:
            cmd["display"] = self.odd() or self.lot.text(chance.randint(1, 4))
        if "hidden" in self.rules and chance.random() < 0.15:
            cmd["hidden"] = True
        if "stp" in self.rules and chance.random() < 0.6:
            cmd["stp"] = chance.choice(["cancel_taker", "cancel_maker", "cancel_both", "decrement"])
        if "gtd" in self.rules and "tif" not in cmd and chance.random() < 0.3:
            cmd |= {"tif": "gtd", "expire_at": self.now + chance.randint(0, 12)}
        if "reduce_only" in self.rules and chance.random() < 0.3:
            cmd["reduce_only"] = True
        return cmd

    def new(self) -> dict[str, Any]:
        return self.flags(self.plain())

    def plain(self) -> dict[str, Any]:
        chance = self.chance
        account = chance.choice(ACCOUNTS)
        order_id = f"{account}{len(self.sent)}"
        if self.sent and chance.random() < 0.02:
            order_id = chance.choice(self.sent)[0]
        else:
            self.sent.append((order_id, account))
        cmd = {"op": "new", "id": order_id, "account": account, "side": chance.choice(["buy", "sell"])}
        cmd["qty"] = self.qty()
        roll = chance.random()
        if roll < 0.10:
            cmd["type"] = "market"
            if chance.random() < 0.1:
                cmd["post_only"] = "reject"
            elif chance.random() < 0.1:
                cmd["tif"] = chance.choice(["ioc", "fok"])
            return cmd
        cmd["price"] = self.price()
        if roll < 0.25:
            cmd["tif"] = chance.choice(["ioc", "fok"])
        else:
            self.resting.append((order_id, account))
        if chance.random() < 0.2:
            cmd["post_only"] = chance.choice(["reject", "reprice"])
        return cmd

    def target(self) -> dict[str, Any]:
        order_id, account = self.chance.choice(self.resting[-12:] or self.sent)
        roll = self.chance.random()
        if roll < 0.03:
            order_id = "unknown"
        elif roll < 0.06:
            account = self.chance.choice(ACCOUNTS)
        return {"id": order_id, "account": account}

    def amend(self) -> dict[str, Any]:
        cmd = {"op": "amend"} | self.target()
        roll = self.chance.random()
        if roll < 0.6:
            cmd["qty"] = self.qty()
        if roll > 0.4:
            cmd["price"] = self.price()
        return cmd


MODELS: tuple[dict[str, Any], ...] = (
    {"queue": "risk_averse"},
    {"queue": "prob", "prob": {"f": "power", "n": "1", "form": 1}},
    {"queue": "prob", "prob": {"f": "power", "n": "2", "form": 1}},
    {"queue": "prob", "prob": {"f": "power", "n": "2", "form": 2}},
    {"queue": "prob", "prob": {"f": "power", "n": "3", "form": 3}},
    {"queue": "prob", "prob": {"f": "log", "form": 1}},
    {"queue": "prob", "prob": {"f": "log", "form": 2}},
)


def random_feed(seed: int, length: int = 120) -> Feed:
    """Return the recorded market and our commands of *seed*, at increasing times in nanoseconds."""
    chance = random.Random(seed)
    model = dict(chance.choice(MODELS))
    if chance.random() < 0.5:
        model["latency"] = {
            "model": "constant",
            "entry": str(chance.randint(0, 9)),
            "response": str(chance.randint(0, 9)),
        }
    sent: list[str] = []
    inputs: list[dict[str, Any]] = []
    at = 0
    for _ in range(length):
        at += chance.choice([0, 1, 1, 2, 5])
        roll = chance.random()
        if roll < 0.45:
            side = chance.choice(["bid", "ask"])
            price = 100 + (-chance.randint(0, 4) if side == "bid" else chance.randint(0, 4))
            qty = chance.choice([0, 1, 5, 20, 60, 100, 150])
            given: dict[str, Any] = {"feed": {"op": "level", "side": side, "price": str(price), "qty": str(qty)}}
        elif roll < 0.70:
            aggressor = chance.choice(["buy", "sell"])
            price = 100 + chance.randint(-3, 3)
            qty = chance.choice([1, 3, 10, 30, 80])
            given = {"feed": {"op": "trade", "aggressor": aggressor, "price": str(price), "qty": str(qty)}}
        elif roll < 0.90 or not sent:
            sent.append(f"o{len(sent)}")
            side = chance.choice(["buy", "sell"])
            price = 100 + chance.randint(-4, 4)
            cmd: dict[str, Any] = {"op": "new", "id": sent[-1], "side": side, "price": str(price)}
            cmd["qty"] = str(chance.choice([1, 2, 5, 40]))
            if chance.random() < 0.3:
                cmd["tif"] = chance.choice(["ioc", "fok"])
            elif chance.random() < 0.3:
                cmd["post_only"] = True
            given = {"cmd": cmd}
        else:
            given = {"cmd": {"op": "cancel", "id": chance.choice(sent[-8:])}}
        inputs.append({"at": at} | given)
    return Feed(model, tuple(inputs))


def random_order_feed(seed: int, length: int = 120) -> Feed:
    """Return order-by-order data around a price that drifts, and our commands; at increasing times in nanoseconds."""
    chance = random.Random(f"orders {seed}")
    model: dict[str, Any] = {"queue": "l3"}
    if chance.random() < 0.3:
        entry, response = chance.randint(0, 9), chance.randint(0, 9)
        model["latency"] = {"model": "constant", "entry": str(entry), "response": str(response)}
    middle, added, sent, at = 1000, 0, 0, 0
    left: dict[str, int] = {}
    inputs: list[dict[str, Any]] = []
    for _ in range(length):
        middle += chance.choice((-1, 0, 0, 0, 0, 0, 1))
        at += chance.choice((0, 0, 1, 3))
        roll = chance.random()
        side = chance.choice(("buy", "sell"))
        away = -1 if side == "buy" else 1
        if roll < 0.4 or (roll < 0.75 and not left):
            added += 1
            price = middle + away * chance.randint(-1 if chance.random() < 0.2 else 1, 3)
            left[f"m{added}"] = size = chance.randint(1, 40)
            feed = {"op": "mbo_add", "id": f"m{added}", "side": "bid" if side == "buy" else "ask"}
            given: dict[str, Any] = {"feed": feed | {"price": str(price), "qty": str(size)}}
        elif roll < 0.75:
            name = chance.choice(list(left))
            feed = {"op": chance.choice(("mbo_cancel", "mbo_fill", "mbo_fill")), "id": name}
            by = chance.choice((left[name], chance.randint(1, left[name])))
            left[name] -= by
            if left[name] or chance.random() < 0.5:
                feed["qty"] = str(by)
            if not left[name]:
                del left[name]
            given = {"feed": feed}
        elif roll < 0.95:
            sent += 1
            cmd: dict[str, Any] = {"op": "new", "id": f"o{sent}", "side": side}
            cmd |= {"price": str(middle + away * chance.randint(-1, 4)), "qty": str(chance.randint(1, 20))}
            given = {"cmd": cmd | chance.choice(({}, {}, {"tif": "ioc"}, {"tif": "fok"}, {"post_only": True}))}
        else:
            given = {"cmd": {"op": "cancel", "id": f"o{chance.randint(1, sent + 2)}"}}
        inputs.append({"at": at} | given)
    return Feed(model, tuple(inputs))
