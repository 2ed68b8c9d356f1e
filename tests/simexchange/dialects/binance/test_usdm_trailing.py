"""Trailing stops of the futures door: they follow the price, and what they become is an order of the exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from quotewright_simexchange.exchange.records import OrderRequest
from tests.simexchange.dialects.binance.test_usdm_exchange import LINEAR, client
from tests.simexchange.dialects.binance.usdm_client import Client

__all__ = ["client"]


def trade(client: Client, price: int) -> None:
    """Let bob and carl trade at *price* and leave a wide book behind."""
    for name, side in (("bob", "buy"), ("carl", "sell")):
        _order(client, name, side, price, "0.01")


def _order(client: Client, name: str, side: Any, price: int, quantity: str) -> None:
    request = OrderRequest(symbol=LINEAR.symbol, side=side, quantity=Decimal(quantity), price=Decimal(price))
    assert not hasattr(client.exchange.place(name, request), "text")


@pytest.fixture
def market(client: Client) -> Client:
    client.exchange.open_account("carl", {"USDT": Decimal(1_000_000)})  # type: ignore[attr-defined]
    _order(client, "bob", "buy", 30_000, "5")
    _order(client, "bob", "sell", 50_000, "5")
    trade(client, 40_000)
    return client


def stop(market: Client, side: str = "SELL", **values: str) -> dict[str, Any]:
    given = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": side,
        "type": "TRAILING_STOP_MARKET",
        "quantity": "0.1",
        "callbackRate": "1",
        "clientAlgoId": "trail",
        **values,
    }
    answer: dict[str, Any] = market.ask("POST", "v1/algoOrder", **given)
    return answer


@pytest.mark.parametrize(
    ("side", "values", "prices", "wanted"),
    [
        ("SELL", {}, [40_400, 40_000], "NEW"),
        ("SELL", {}, [40_400, 39_990], "FINISHED"),
        ("BUY", {}, [39_600, 39_990], "NEW"),
        ("BUY", {}, [39_600, 39_996], "FINISHED"),
        ("SELL", {"callbackRate": "0.5"}, [39_800], "FINISHED"),
        ("SELL", {"activatePrice": "41000"}, [39_000], "NEW"),
        ("SELL", {"activatePrice": "41000"}, [41_000, 40_590], "FINISHED"),
        ("BUY", {"activationPrice": "39000"}, [41_000], "NEW"),
        ("BUY", {"activationPrice": "39000"}, [39_000, 39_390], "FINISHED"),
    ],
)
def test_a_stop_trails_from_its_activation(
    market: Client, side: str, values: dict[str, str], prices: list[int], wanted: str
) -> None:
    placed = stop(market, side, **values)
    assert (placed["algoStatus"], placed["orderType"]) == ("NEW", "TRAILING_STOP_MARKET")
    assert Decimal(placed["callbackRate"]) == Decimal(values.get("callbackRate", "1"))
    for price in prices:
        trade(market, price)
    asked = market.ask("GET", "v1/algoOrder", algoId=placed["algoId"])
    assert asked["algoStatus"] == wanted
    assert len(market.ask("GET", "v1/openAlgoOrders")) == (wanted == "NEW")
    if wanted == "FINISHED":
        order = market.ask("GET", "v1/order", symbol="BTCUSDT", orderId=asked["actualOrderId"])
        assert (order["status"], order["type"], order["origType"]) == ("FILLED", "MARKET", "TRAILING_STOP_MARKET")
        assert order["clientOrderId"] == "trail"


def test_a_stop_may_trail_the_mark(market: Client) -> None:
    placed = stop(market, workingType="MARK_PRICE")
    for mark in (40_000, 40_400):
        market.exchange.set_mark(LINEAR.symbol, Decimal(mark))  # type: ignore[attr-defined]
    trade(market, 39_000)
    assert market.ask("GET", "v1/algoOrder", clientAlgoId="trail")["algoStatus"] == "NEW"
    market.exchange.set_mark(LINEAR.symbol, Decimal(39_900))  # type: ignore[attr-defined]
    assert market.ask("GET", "v1/algoOrder", algoId=placed["algoId"])["algoStatus"] == "FINISHED"


def test_a_trailing_stop_is_told_and_canceled(market: Client) -> None:
    key = market.ask("POST", "v1/listenKey", signed=False)["listenKey"]
    _, wire = market.connect(f"/private/ws/{key}")
    placed = stop(market)
    assert market.ask("GET", "v1/openOrders") == []
    done = market.ask("DELETE", "v1/algoOrder", algoId=placed["algoId"])
    assert (done["algoId"], done["code"]) == (placed["algoId"], "200")
    assert [(event["e"], event["o"]["X"], event["o"]["aid"]) for event in wire.taken()] == [
        ("ALGO_UPDATE", "NEW", placed["algoId"]),
        ("ALGO_UPDATE", "CANCELED", placed["algoId"]),
    ]
    assert market.fail("DELETE", "v1/algoOrder", algoId=placed["algoId"])[1] == -2011
    stop(market, clientAlgoId="again")
    market.ask("DELETE", "v1/algoOpenOrders", symbol="BTCUSDT")
    assert market.ask("GET", "v1/openAlgoOrders") == []
    assert [row["algoStatus"] for row in market.ask("GET", "v1/allAlgoOrders", symbol="BTCUSDT")] == ["CANCELED"] * 2


def test_what_a_trailing_stop_became_is_told(market: Client) -> None:
    key = market.ask("POST", "v1/listenKey", signed=False)["listenKey"]
    _, wire = market.connect(f"/private/ws/{key}")
    stop(market)
    trade(market, 39_000)
    told = [(event["e"], event.get("o", {}).get("X")) for event in wire.taken() if "UPDATE" in event["e"]]
    assert [one for one in told if one[0] != "ACCOUNT_UPDATE"] == [
        ("ALGO_UPDATE", "NEW"),
        ("ALGO_UPDATE", "TRIGGERED"),
        ("ORDER_TRADE_UPDATE", "NEW"),
        ("ALGO_UPDATE", "FINISHED"),
        ("ORDER_TRADE_UPDATE", "FILLED"),
    ]
