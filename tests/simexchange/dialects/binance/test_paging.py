"""Own orders and trades in pages: the newest unless it is said from where, then on from there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from quotewright_simexchange.exchange.records import OrderRequest
from tests.simexchange.dialects.binance.test_usdm_exchange import LINEAR, client
from tests.simexchange.dialects.binance.usdm_client import Client
from tests.simexchange.dialects.binance.world import World

__all__ = ["client"]


@pytest.fixture
def traded(world: World) -> tuple[World, list[Any]]:
    """Six own orders, a second apart, each filled by one trade."""
    placed = []
    for _ in range(6):
        world.pass_time(1)
        world.limit("SELL", "40000", "0.01", name="other")
        placed.append(world.limit("BUY", "40000", "0.01"))
    return world, placed


@pytest.mark.parametrize("path", ["allOrders", "myTrades"])
def test_pages_of_spot(traded: tuple[World, list[Any]], path: str) -> None:
    world, placed = traded
    by_orders = path == "allOrders"
    numbers = [order["orderId"] if by_orders else order["fills"][0]["tradeId"] for order in placed]
    name, key = ("orderId", "orderId") if by_orders else ("fromId", "id")

    def asked(text: str) -> list[int]:
        return [row[key] for row in world.sent("GET", f"/api/v3/{path}", f"symbol=BTCUSDT{text}")]

    assert asked("") == numbers
    assert asked("&limit=2") == numbers[-2:]
    assert asked(f"&{name}={numbers[1]}&limit=2") == numbers[1:3]
    second = placed[1]["transactTime"]
    assert asked(f"&startTime={second}&limit=3") == numbers[1:4]
    assert asked(f"&startTime={second}&endTime={second}") == numbers[1:2]
    assert asked(f"&endTime={second}&limit=1") == numbers[1:2]
    day = 86_400_000
    assert asked(f"&startTime={second}&endTime={second + day}") == numbers[1:]
    text = f"symbol=BTCUSDT&startTime={second}&endTime={second + day + 1}"
    assert world.sent("GET", f"/api/v3/{path}", text, status=400)["code"] == -1127


@pytest.mark.parametrize(
    ("path", "name", "key"), [("v1/allOrders", "orderId", "orderId"), ("v1/userTrades", "fromId", "id")]
)
def test_pages_of_futures(client: Client, path: str, name: str, key: str) -> None:
    for _ in range(5):
        client.advance(1000)
        request = OrderRequest(symbol=LINEAR.symbol, side="sell", quantity=Decimal("0.01"), price=Decimal(40_000))
        client.exchange.place("bob", request)
        client.now_ns = client.exchange.now_ns
        client.ask("POST", "v1/order", **client.limit())

    def asked(**values: Any) -> list[int]:
        return [row[key] for row in client.ask("GET", path, symbol="BTCUSDT", **values)]

    numbers = asked()
    assert len(numbers) == 5
    assert asked(limit=2) == numbers[-2:]
    assert asked(limit=2, **{name: numbers[1]}) == numbers[1:3]
    newest = client.exchange.now_ns // 1_000_000
    assert asked(startTime=newest) == numbers[-1:]
    assert asked(startTime=newest - 2_000, limit=2) == numbers[2:4]
