"""Random feeds and orders through the venue and through the slow reference: the same events, step for step."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from quotewright_simexchange.matching.replay_door import FastReplay
from quotewright_simexchange.oracle.replay import OracleReplay
from quotewright_simexchange.streams import random_order_feed

NEAR = Decimal("0.00001")
"""How far a fill may differ where a queue model's share is no whole number of steps."""

MODELS: dict[str, dict[str, Any]] = {
    "risk_averse": {"queue": "risk_averse"},
    "proportional": {"queue": "prob", "prob": {"f": "power", "n": "1", "form": 1}},
    "power2": {"queue": "prob", "prob": {"f": "power", "n": "2", "form": 2}},
    "power3": {"queue": "prob", "prob": {"f": "power", "n": "3", "form": 3}},
    "log": {"queue": "prob", "prob": {"f": "log", "form": 1}},
    "log2": {"queue": "prob", "prob": {"f": "log", "form": 2}},
    "log3": {"queue": "prob", "prob": {"f": "log", "form": 3}},
}


def flow(seed: int, count: int) -> list[dict[str, Any]]:
    """Return *count* inputs around a price that drifts; one in three is a command."""
    rng = random.Random(seed)
    mid, orders, inputs = 1000, 0, []
    for _ in range(count):
        mid += rng.choice((-1, 0, 0, 0, 0, 1))
        kind = rng.random()
        if kind < 0.5:
            side = rng.choice(("bid", "ask"))
            price = mid + rng.randint(-1, 5) * (-1 if side == "bid" else 1)
            inputs.append(
                {
                    "feed": {
                        "op": "level",
                        "side": side,
                        "price": str(price),
                        "qty": str(rng.choice((0, rng.randint(1, 40)))),
                    }
                }
            )
        elif kind < 0.7:
            side = rng.choice(("buy", "sell", ""))
            price = mid + rng.randint(-1, 3) * (1 if side == "buy" else -1)
            inputs.append(
                {"feed": {"op": "trade", "aggressor": side, "price": str(price), "qty": str(rng.randint(1, 30))}}
            )
        elif kind < 0.93:
            orders += 1
            side = rng.choice(("buy", "sell"))
            price = mid + rng.randint(-1, 4) * (-1 if side == "buy" else 1)
            command = {
                "op": "new",
                "id": f"o{orders}",
                "side": side,
                "price": str(price),
                "qty": str(rng.randint(1, 20)),
            }
            command |= rng.choice(({}, {}, {}, {"tif": "ioc"}, {"tif": "fok"}, {"post_only": True}))
            inputs.append({"cmd": command})
        else:
            inputs.append({"cmd": {"op": "cancel", "id": f"o{rng.randint(1, orders + 2)}"}})
    return inputs


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]], where: str) -> None:
    assert len(found) == len(expected), f"{where}: {found} instead of {expected}"
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys(), where
        for key in one:
            if key in ("qty", "price"):
                assert abs(Decimal(one[key]) - Decimal(other[key])) <= NEAR, f"{where}: {one} instead of {other}"
            else:
                assert one[key] == other[key], f"{where}: {one} instead of {other}"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_same_events_and_queues(name: str, seed: int) -> None:
    model = MODELS[name]
    venue, reference = FastReplay(model), OracleReplay(model)
    fills = 0
    for number, given in enumerate(flow(seed, 400)):
        found, expected = venue.step(given), reference.step(given)
        assert_same(found, expected, f"step {number} {given}")
        fills += sum(event["ev"] == "fill" for event in found)
        ahead = {id: Decimal(quantity) for id, quantity in reference.queue().items()}
        mine = venue.queue()
        assert mine.keys() == ahead.keys(), f"step {number} {given}"
        for id, quantity in ahead.items():
            assert abs(mine[id] - quantity) <= NEAR, f"step {number} {given}: order {id}"
    assert fills > 20


@pytest.mark.parametrize("seed", range(4))
def test_same_events_and_queues_order_by_order(seed: int) -> None:
    venue, reference = FastReplay({"queue": "l3"}), OracleReplay({"queue": "l3"})
    fills: dict[str, int] = {}
    for number, given in enumerate(random_order_feed(seed, 500).inputs):
        found, expected = venue.step(given), reference.step(given)
        assert found == expected, f"step {number} {given}"
        for event in found:
            if event["ev"] == "fill":
                key = f"{given.get('feed', given.get('cmd'))['op']} {event['liquidity']}"
                fills[key] = fills.get(key, 0) + 1
        ahead = {id: Decimal(quantity) for id, quantity in reference.queue().items()}
        assert venue.queue() == ahead, f"step {number} {given}"
    assert fills.keys() == {"mbo_add maker", "mbo_fill maker", "new taker"}
    assert sum(fills.values()) > 50


def test_order_by_order_at_its_times() -> None:
    model = {"queue": "l3", "latency": {"model": "constant", "entry": "7", "response": "4"}}
    inputs = random_order_feed(77, 400).inputs
    assert FastReplay(model).run_timed(inputs) == OracleReplay(model).run_timed(inputs)


@pytest.mark.parametrize("seed", range(4))
def test_same_events_at_the_same_times(seed: int) -> None:
    model = {"queue": "risk_averse", "latency": {"model": "constant", "entry": "7", "response": "4"}}
    rng = random.Random(seed)
    at, inputs = 0, []
    for given in flow(seed + 100, 400):
        at += rng.choice((0, 0, 1, 3))
        inputs.append(given | {"at": at})
    assert_same(FastReplay(model).run_timed(inputs), OracleReplay(model).run_timed(inputs), "timed")
