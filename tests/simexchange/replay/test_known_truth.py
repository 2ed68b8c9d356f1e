"""Probes in a market whose truth is known: the engine with the probe in it, against the replay of the tape without it.

Nobody reacts to a probe of one lot, so until it fills the two worlds are the same but for it.
"""

from __future__ import annotations

import random
from typing import Any

from quotewright_simexchange.matching.door import FastEngine
from quotewright_simexchange.matching.replay_door import FastReplay

STEPS = 260
PATIENCE = 200
NEVER = 10**9


class Flow:
    """Commands of others: orders that rest, cancels, takers smaller than what stands against them."""

    def __init__(self, seed: int) -> None:
        self.engine = FastEngine({})
        self.commands: list[dict[str, Any]] = []
        self.orders: list[list[dict[str, Any]]] = []
        """The tape order by order: what each command did to the orders of the market."""
        self.levels: list[list[dict[str, Any]]] = []
        """The tape of levels and prints."""
        self.books: list[dict[str, list[dict[str, Any]]]] = []
        self.open: dict[str, str] = {}
        self.number = 0
        self.chance = random.Random(seed)
        for away in range(1, 8):
            for side in ("buy", "sell"):
                self.do(self.new(side, 1000 + (away if side == "sell" else -away), 40))
        for _ in range(STEPS):
            self.do(self.draw())

    def new(self, side: str, price: int, size: int, **more: str) -> dict[str, Any]:
        self.number += 1
        cmd = {"op": "new", "id": f"m{self.number}", "account": "others", "side": side, "price": str(price)}
        return cmd | {"qty": str(size)} | more

    def draw(self) -> dict[str, Any]:
        chance, book = self.chance, self.books[-1]
        bid, offer = int(book["bids"][0]["price"]), int(book["asks"][0]["price"])
        side, roll = chance.choice(("buy", "sell")), chance.random()
        against = book["asks" if side == "buy" else "bids"]
        is_thin = len(against) < 5 or sum(int(level["qty"]) for level in against) < 150
        if is_thin:
            away = chance.randint(0, 7)
            return self.new("sell" if side == "buy" else "buy", offer + away if side == "buy" else bid - away, 40)
        if roll < 0.5:
            back = chance.choice((-1, 0, 0, 1, 2, 3)) if offer - bid > 1 else chance.choice((0, 0, 1, 2, 3))
            price = bid - back if side == "buy" else offer + back
            return self.new(side, price, chance.randint(2, 20))
        if roll < 0.75 and len(self.open) > 12:
            name = chance.choice([one for one, whose in self.open.items() if whose == side] or list(self.open))
            return {"op": "cancel", "id": name, "account": "others"}
        return self.new(side, 1200 if side == "buy" else 800, chance.randint(1, 40), tif="ioc")

    def do(self, cmd: dict[str, Any]) -> None:
        events, changes = self.engine.run(cmd)
        orders: list[dict[str, Any]] = []
        prints: list[dict[str, Any]] = []
        for event in events:
            if event["ev"] == "trade":
                orders.append({"op": "mbo_fill", "id": event["maker"], "qty": event["qty"]})
                prints.append({"op": "trade", "aggressor": cmd["side"], "price": event["price"], "qty": event["qty"]})
            elif event["ev"] == "canceled" and event["reason"] == "user":
                orders.append({"op": "mbo_cancel", "id": event["id"]})
        book = self.engine.final()
        now = {
            entry["id"]: ("buy" if side == "bids" else "sell", level["price"], entry["qty"])
            for side in ("bids", "asks")
            for level in book[side]
            for entry in level["orders"]
        }
        for name in now.keys() - self.open.keys():
            side, price, size = now[name]
            orders.append({"op": "mbo_add", "id": name, "side": {"buy": "bid", "sell": "ask"}[side], "price": price})
            orders[-1]["qty"] = size
        self.open = {name: row[0] for name, row in now.items()}
        self.commands.append(cmd)
        self.orders.append(orders)
        self.levels.append(prints + [{"op": "level", "side": s, "price": p, "qty": q} for s, p, q in changes])
        self.books.append({"bids": book["bids"], "asks": book["asks"]})

    def truth(self, after: int, probe: dict[str, Any]) -> int:
        """Return the number of the command that fills a probe placed after command *after*."""
        engine = FastEngine({})
        for number, cmd in enumerate(self.commands[: after + PATIENCE]):
            for event in engine.run(cmd)[0]:
                if event["ev"] == "trade" and event["maker"] == probe["id"]:
                    return number
            if number == after:
                engine.run(probe | {"op": "new", "account": "ours"})
        return NEVER

    def replayed(self, tape: list[list[dict[str, Any]]], queue: str, after: int, probe: dict[str, Any]) -> int:
        """Return the same from a tape."""
        replay = FastReplay({"queue": queue})
        for number, rows in enumerate(tape[: after + PATIENCE]):
            for row in rows:
                if any(event["ev"] == "fill" for event in replay.step({"feed": row})):
                    return number
            if number == after:
                replay.step({"cmd": {"op": "new"} | probe})
        return NEVER


def test_order_by_order_is_the_truth_and_levels_are_never_early() -> None:
    late = filled = 0
    for seed in range(3):
        flow = Flow(seed)
        for number in range(14):
            after = 20 + number * 9
            side = ("buy", "sell")[number % 2]
            level = flow.books[after]["bids" if side == "buy" else "asks"][number % 3]
            probe = {"id": "probe", "side": side, "price": level["price"], "qty": "1"}
            truth = flow.truth(after, probe)
            assert flow.replayed(flow.orders, "l3", after, probe) == truth, f"seed {seed}, probe {number}"
            judged = flow.replayed(flow.levels, "risk_averse", after, probe)
            assert judged >= truth, f"seed {seed}, probe {number}"
            late += judged > truth
            filled += truth != NEVER
    assert filled >= 25
    assert late >= 1
