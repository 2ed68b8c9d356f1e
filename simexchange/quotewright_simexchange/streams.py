"""Random command streams: dense enough that most commands matter, the same for the same seed on every platform."""

from __future__ import annotations

import random
from collections.abc import Mapping
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
    """Return the stream of *seed*: plain or spot, with policies, limits, fees and funds that follow from it too."""
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
    if chance.random() < 0.5:
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
    commands = _Commands(chance, tick, lot)
    return Stream(instrument, accounts, tuple(commands.draw() for _ in range(length)))


class _Commands:
    """Draws commands that refer to what was sent before."""

    def __init__(self, chance: random.Random, tick: Grid, lot: Grid) -> None:
        self.chance = chance
        self.tick = tick
        self.lot = lot
        self.width = chance.choice([2, 4, 8])
        self.sent: list[tuple[str, str]] = []
        self.resting: list[tuple[str, str]] = []

    def draw(self) -> dict[str, Any]:
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

    def new(self) -> dict[str, Any]:
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
