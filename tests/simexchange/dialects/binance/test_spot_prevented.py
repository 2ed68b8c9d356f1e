"""Self-trade prevention of the spot door in every mode: what becomes of both orders, what is told and asked for."""

from __future__ import annotations

import pytest

from tests.simexchange.dialects.binance.world import World

MODES = {
    #                 taker and maker afterwards                       prevented of the maker
    "EXPIRE_MAKER": (("NEW", "EXPIRED_IN_MATCH"), "0.50000000"),
    "EXPIRE_TAKER": (("EXPIRED_IN_MATCH", "NEW"), "0.00000000"),
    "EXPIRE_BOTH": (("EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"), "0.50000000"),
    "DECREMENT": (("EXPIRED_IN_MATCH", "NEW"), "0.20000000"),
}


@pytest.mark.parametrize("mode", MODES)
def test_what_was_prevented(world: World, mode: str) -> None:
    statuses, quantity = MODES[mode]
    maker = world.limit("SELL", "40000", "0.5")
    session, wire = world.connected("/ws-api/v3")
    world.framed(session, wire, "userDataStream.subscribe.signature")
    wire.taken()
    taker = world.limit("BUY", "40000", "0.2", more=f"&selfTradePreventionMode={mode}")
    now = [
        world.sent("GET", "/api/v3/order", f"symbol=BTCUSDT&orderId={order['orderId']}")["status"]
        for order in (taker, maker)
    ]
    assert tuple(now) == statuses
    [row] = world.sent("GET", "/api/v3/myPreventedMatches", f"symbol=BTCUSDT&orderId={taker['orderId']}")
    assert (row["takerOrderId"], row["makerOrderId"], row["price"]) == (
        taker["orderId"],
        maker["orderId"],
        "40000.00000000",
    )
    assert (row["selfTradePreventionMode"], row["makerPreventedQuantity"]) == (mode, quantity)
    number = row["preventedMatchId"]
    told = [frame["event"] for frame in wire.taken() if frame["event"].get("x") == "TRADE_PREVENTION"]
    assert number in [event["v"] for event in told]
    assert world.sent("GET", "/api/v3/myPreventedMatches", f"symbol=BTCUSDT&preventedMatchId={number}") == [row]
    assert world.sent("GET", "/api/v3/myPreventedMatches", f"symbol=BTCUSDT&orderId={maker['orderId']}") == [row]
    assert world.sent("GET", "/api/v3/myPreventedMatches", "symbol=BTCUSDT&orderId=99") == []
    assert world.sent("GET", "/api/v3/myPreventedMatches", "symbol=BTCUSDT", status=400)["code"] == -1128
    assert world.sent("GET", "/api/v3/myTrades", "symbol=BTCUSDT") == []


def test_transferring_to_the_other_order_is_no_mode_here(world: World) -> None:
    text = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=40000&quantity=1&selfTradePreventionMode=TRANSFER"
    answer = world.sent("POST", "/api/v3/order", text, status=400)
    assert answer["code"] == -2010
    [symbol] = world.got("/api/v3/exchangeInfo", "symbol=BTCUSDT")["symbols"]
    assert "TRANSFER" not in symbol["allowedSelfTradePreventionModes"]
