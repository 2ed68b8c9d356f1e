"""The run: a served exchange with a market of its own, two clients, faults one after another, and the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.exchange.records import Event
from quotewright_simexchange.server import opening
from quotewright_simexchange.server.faults import KINDS, OF_WRITES, PLACES
from quotewright_simexchange.server.serving import Server
from tests.hammer.trader import PRODUCTS, Trader
from tests.hammer.truth import compare, compare_books
from tests.hammer.wire import ControlPlane

CLIENTS = ("ann", "bob")
STATUSES = (500, 502, 503, 504)
WAITING = 12
"""So many rules may wait for something to strike before another is made."""


class Watch:
    """Looks at the ledger after every event of the exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.events: Counter[str] = Counter()
        self.unbalanced = 0
        self.first = ""
        exchange.listen(self.heard)

    def heard(self, event: Event) -> None:
        self.events[type(event).__name__] += 1
        wrong = {currency: total for currency, total in self.exchange.ledger_sums().items() if total}
        if wrong:
            self.unbalanced += 1
            self.first = self.first or f"after event {self.events.total()}, {event}: {wrong}"


@attrs.define(kw_only=True)
class Verdict:
    """What came of it."""

    seed: int
    seconds: float
    least: int
    """How often every kind must have struck."""
    faults: Mapping[str, int]
    events: int
    orders: Mapping[str, int]
    counts: Mapping[str, int]
    unbalanced: int
    first: str = ""
    differences: list[str] = attrs.field(factory=list)

    @property
    def failures(self) -> list[str]:
        """Return a sentence for everything that is not as it must be."""
        rare = {kind: count for kind, count in self.faults.items() if count < self.least}
        found = [f"fault {kind} struck {count} times, least {self.least}" for kind, count in rare.items()]
        if self.unbalanced:
            found.append(f"the ledger did not sum to zero {self.unbalanced} times, first {self.first}")
        if not self.orders.get("accepted"):
            found.append("no order was accepted")
        return found + list(self.differences)

    def line(self) -> str:
        """Return the closing line."""
        faults = ", ".join(f"{kind} {count}" for kind, count in self.faults.items())
        known = ", ".join(f"{name} {self.orders.get(name, 0):,}" for name in ("accepted", "refused", "unknown"))
        return (
            f"hammer: seed {self.seed}, {self.seconds:.1f} s; faults {sum(self.faults.values()):,} ({faults}); "
            f"events {self.events:,}; orders {known} ({self.counts.get('unknown carried out', 0):,} of them carried "
            f"out); fills {self.counts.get('fills', 0):,}; connections {self.connections:,}; "
            f"unbalanced = {self.unbalanced}; differences = {len(self.differences)}"
        )

    @property
    def connections(self) -> int:
        return sum(count for name, count in self.counts.items() if name.endswith("connections"))


@attrs.frozen(kw_only=True)
class Plan:
    """How hard it is hammered. Each lane of a client sends *pace* orders a second; each has two on each door."""

    seconds: float = 120.0
    seed: int = 1
    every_s: float = 0.3
    """Time between one fault and the next."""
    pace: Mapping[str, float] = attrs.field(factory=lambda: {"binance-spot": 4.0, "binance-usdm": 7.0})
    least: int = 5
    patience_s: float = 30.0
    """How much longer they trade where a kind has not struck often enough."""


async def strike(control: ControlPlane, plan: Plan, until: float) -> None:
    """Inject kinds in turn, each time in another place, shuffled by the seed."""
    draw = random.Random(f"hammer {plan.seed}")
    loop = asyncio.get_running_loop()
    bag: list[str] = []
    while True:
        await asyncio.sleep(plan.every_s)
        told = await control.ask("faults")
        over = loop.time() - until
        if over > plan.patience_s or (over > 0 and min(told["counts"].values()) >= plan.least):
            return
        waiting = {rule["kind"] for rule in told["rules"]}
        if len(told["rules"]) >= WAITING:
            continue
        if not bag:
            bag = draw.sample(KINDS, len(KINDS))
        kind = bag.pop()
        # What has struck seldom comes first, unless it waits for something to strike already.
        rare = min(KINDS, key=lambda one: (one in waiting, told["counts"][one]))
        if told["counts"][rare] < plan.least and rare not in waiting:
            kind = rare
        await control.tell("inject", **fault(draw, kind))


def fault(draw: random.Random, kind: str) -> dict[str, Any]:
    """Return one fault of *kind* that strikes once."""
    where = draw.choice([place for place in PLACES[kind] for _ in range(1 if place == "connect" else 3)])
    told: dict[str, Any] = {"kind": kind, "delay_ms": draw.randrange(20, 150), "frames": draw.randrange(1, 6)}
    if kind == "outage":
        return {**told, "delay_ms": draw.randrange(30, 120)}
    told |= {"where": where, "door": draw.choice([product.door for product in PRODUCTS])}
    if kind in OF_WRITES and where == "in":
        told["match"] = "order."
    if kind in ("429", "418"):
        told["retry_after"] = draw.randrange(2)
    if kind == "5xx":
        told |= {"status": draw.choice(STATUSES), "is_done": where == "http" and draw.random() < 0.5}
    return told


async def hammer(plan: Plan, tamper: Callable[[Exchange], None] | None = None) -> Verdict:
    """Run *plan*; *tamper* is called with the exchange when they trade, by those who test this."""
    exchange, prices = opening.open_exchange((), "binance", seed=plan.seed, start_ns=time.time_ns())
    watch = Watch(exchange)
    market = opening.open_market("agents", prices, plan.seed)
    assert market is not None
    server = Server(exchange, opening.open_dialects(["binance"], exchange), seed=plan.seed)
    balances = {name: str(amount) for name, amount in opening.balances_of((), exchange.listings).items()}
    began = time.monotonic()
    async with server:
        control = ControlPlane(server.control_url, server.token)
        market.start(exchange)
        traders = []
        for name in CLIENTS:
            told = await control.tell("add_account", name=name, balances=balances)
            key, secret = told["api_key"], told["api_secret"]
            traders.append(Trader(name, told["doors"], key, secret, plan.seed, plan.pace))
        try:
            until = asyncio.get_running_loop().time() + plan.seconds
            async with asyncio.TaskGroup() as group:
                for trader in traders:
                    group.create_task(trader.run())
                if tamper is not None:
                    tamper(exchange)
                await strike(control, plan, until)
                for trader in traders:
                    trader.is_over = True
            await control.tell("heal")
            await control.tell("pause")
            found = [text for trader in traders for text in await compare(trader, control)]
            found += await compare_books(traders, control)
            found += positions(exchange)
            faults = (await control.ask("faults"))["counts"]
            if errors := server.counts()["errors"]:
                found.append(f"the server raised {errors} times")
        finally:
            for trader in traders:
                await trader.close()
            await control.client.aclose()
    counts = sum((trader.counts for trader in traders), Counter[str]())
    return Verdict(
        seed=plan.seed,
        seconds=time.monotonic() - began,
        least=plan.least,
        faults=faults,
        events=watch.events.total(),
        orders=Counter(sent.outcome for trader in traders for sent in trader.sent.values()),
        counts=counts,
        unbalanced=watch.unbalanced,
        first=watch.first,
        differences=found,
    )


def positions(exchange: Exchange) -> list[str]:
    """Return where the positions of all accounts do not cancel out."""
    found = []
    for symbol, listing in exchange.listings.items():
        total = sum(exchange.position(name, symbol).quantity for name in exchange.accounts)
        if listing.kind != "spot" and total:
            found.append(f"{symbol}: the positions of all accounts sum to {total}, not to zero")
    return found
