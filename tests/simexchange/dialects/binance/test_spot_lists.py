"""Lists of spot orders and trailing stops: what waits at the door, what it locks, and what begins and ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.simexchange.dialects.binance.world import World

LISTS = "/api/v3/orderList"
OCO = (
    "symbol=BTCUSDT&side=SELL&quantity=60&aboveType=LIMIT_MAKER&abovePrice=41000&aboveClientOrderId=up"
    "&belowType=STOP_LOSS_LIMIT&belowStopPrice=39000&belowPrice=38900&belowTimeInForce=GTC&belowClientOrderId=down"
    "&listClientOrderId=both"
)
OLD = (
    "symbol=BTCUSDT&side=SELL&quantity=60&price=41000&limitClientOrderId=up&stopPrice=39000&stopLimitPrice=38900"
    "&stopLimitTimeInForce=GTC&stopClientOrderId=down&listClientOrderId=both"
)


def trade(world: World, price: str, quantity: str = "0.001") -> None:
    """Let somebody else trade at *price*."""
    world.limit("BUY", price, quantity, name="other")
    world.limit("SELL", price, quantity, name="other")


def state(world: World, number: int) -> dict[str, str]:
    """Return the status of each order of a list by its client id."""
    orders = world.sent("GET", LISTS, f"orderListId={number}")["orders"]
    return {
        order["clientOrderId"]: world.sent("GET", "/api/v3/order", f"symbol=BTCUSDT&orderId={order['orderId']}")[
            "status"
        ]
        for order in orders
    }


def locked(world: World, asset: str = "BTC") -> str:
    return next(
        entry["locked"] for entry in world.sent("GET", "/api/v3/account")["balances"] if entry["asset"] == asset
    )


@pytest.mark.parametrize(("path", "text"), [(f"{LISTS}/oco", OCO), ("/api/v3/order/oco", OLD)])
def test_of_a_pair_one_cancels_the_other_and_funds_are_locked_once(world: World, path: str, text: str) -> None:
    trade(world, "40000")
    made = world.sent("POST", path, text)
    assert (made["contingencyType"], made["listOrderStatus"], made["listClientOrderId"]) == ("OCO", "EXECUTING", "both")
    assert {report["clientOrderId"]: (report["type"], report["status"]) for report in made["orderReports"]} == {
        "up": ("LIMIT_MAKER", "NEW"),
        "down": ("STOP_LOSS_LIMIT", "NEW"),
    }
    assert locked(world) == "60.00000000"
    number = made["orderListId"]
    assert [order["orderListId"] for order in world.sent("GET", "/api/v3/openOrders")] == [number, number]
    assert len(world.sent("GET", "/api/v3/openOrderList")) == 1
    world.limit("BUY", "41000", "1", name="other")
    assert state(world, number) == {"up": "PARTIALLY_FILLED", "down": "EXPIRED"}
    [fill] = world.sent("GET", "/api/v3/myTrades", "symbol=BTCUSDT")
    assert fill["orderListId"] == number
    world.limit("BUY", "41000", "59", name="other")
    assert world.sent("GET", LISTS, "origClientOrderId=both")["listOrderStatus"] == "ALL_DONE"
    assert world.sent("GET", "/api/v3/openOrderList") == []
    assert [entry["orderListId"] for entry in world.sent("GET", "/api/v3/allOrderList")] == [number]
    assert len(world.sent("GET", "/api/v3/allOrders", "symbol=BTCUSDT")) == 2


def test_the_stop_of_a_pair_works_under_its_own_number_when_its_price_is_traded(world: World) -> None:
    trade(world, "40000")
    made = world.sent("POST", f"{LISTS}/oco", OCO)
    down = next(report for report in made["orderReports"] if report["clientOrderId"] == "down")
    trade(world, "39000")
    asked = world.sent("GET", "/api/v3/order", f"symbol=BTCUSDT&orderId={down['orderId']}")
    assert (asked["status"], asked["type"], asked["price"], asked["stopPrice"], asked["isWorking"]) == (
        "NEW",
        "STOP_LOSS_LIMIT",
        "38900.00000000",
        "39000.00000000",
        True,
    )
    assert state(world, made["orderListId"]) == {"up": "EXPIRED", "down": "NEW"}
    assert world.got("/api/v3/depth", "symbol=BTCUSDT")["asks"] == [["38900.00000000", "60.00000000"]]
    world.limit("BUY", "38900", "60", name="other")
    [fill] = world.sent("GET", "/api/v3/myTrades", f"symbol=BTCUSDT&orderId={down['orderId']}")
    assert (fill["orderId"], fill["qty"]) == (down["orderId"], "60.00000000")
    assert world.sent("GET", LISTS, "origClientOrderId=both")["listOrderStatus"] == "ALL_DONE"


@pytest.mark.parametrize("way", ["list", "up", "down", "all"])
def test_a_list_is_canceled_as_a_whole(world: World, way: str) -> None:
    trade(world, "40000")
    made = world.sent("POST", f"{LISTS}/oco", OCO)
    if way == "list":
        answer = world.sent("DELETE", LISTS, "symbol=BTCUSDT&listClientOrderId=both")
        assert {report["status"] for report in answer["orderReports"]} == {"CANCELED"}
    elif way == "all":
        [answer] = world.sent("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT")
        assert answer["listOrderStatus"] == "ALL_DONE"
    else:
        answer = world.sent("DELETE", "/api/v3/order", f"symbol=BTCUSDT&origClientOrderId={way}&newClientOrderId=end")
        assert (answer["status"], answer["clientOrderId"], answer["orderListId"]) == ("CANCELED", "end", 1)
    assert world.sent("GET", "/api/v3/openOrders") == []
    assert locked(world) == "0.00000000"
    assert set(state(world, made["orderListId"])) == {"up", "down"}
    assert world.sent("DELETE", LISTS, "symbol=BTCUSDT&orderListId=1", status=400)["code"] == -2011


def test_what_was_to_follow_begins_when_the_working_order_is_filled(world: World) -> None:
    trade(world, "40000")
    text = (
        "symbol=BTCUSDT&workingType=LIMIT&workingSide=BUY&workingPrice=39990&workingQuantity=1&workingTimeInForce=GTC"
        "&workingClientOrderId=first&pendingSide=SELL&pendingQuantity=1&pendingAboveType=LIMIT_MAKER"
        "&pendingAbovePrice=41000&pendingAboveClientOrderId=up&pendingBelowType=STOP_LOSS"
        "&pendingBelowStopPrice=39000&pendingBelowClientOrderId=down"
    )
    made = world.sent("POST", f"{LISTS}/otoco", text)
    number = made["orderListId"]
    assert state(world, number) == {"first": "NEW", "up": "PENDING_NEW", "down": "PENDING_NEW"}
    assert locked(world) == "0.00000000"
    world.limit("SELL", "39990", "0.4", name="other")
    assert state(world, number)["up"] == "PENDING_NEW"
    world.limit("SELL", "39990", "0.6", name="other")
    assert state(world, number) == {"first": "FILLED", "up": "NEW", "down": "NEW"}
    world.limit("BUY", "38000", "5", name="other")
    trade(world, "39000")
    assert state(world, number) == {"first": "FILLED", "up": "EXPIRED", "down": "FILLED"}
    assert world.sent("GET", LISTS, f"orderListId={number}")["listOrderStatus"] == "ALL_DONE"


def test_what_was_to_follow_ends_with_the_working_order(world: World) -> None:
    text = (
        "symbol=BTCUSDT&workingType=LIMIT&workingSide=BUY&workingPrice=39990&workingQuantity=1&workingTimeInForce=GTC"
        "&workingClientOrderId=first&pendingType=LIMIT&pendingSide=SELL&pendingQuantity=1&pendingPrice=41000"
        "&pendingTimeInForce=GTC&pendingClientOrderId=second"
    )
    made = world.sent("POST", f"{LISTS}/oto", text)
    world.sent("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=first")
    assert state(world, made["orderListId"]) == {"first": "CANCELED", "second": "EXPIRED"}
    again = world.sent("POST", f"{LISTS}/oto", text)
    world.limit("SELL", "39990", "1", name="other")
    assert state(world, again["orderListId"]) == {"first": "FILLED", "second": "NEW"}


def test_a_list_is_told_as_it_begins_and_ends(world: World) -> None:
    trade(world, "40000")
    session, wire = world.connected("/ws-api/v3")
    world.framed(session, wire, "userDataStream.subscribe.signature")
    wire.taken()
    made = world.sent("POST", f"{LISTS}/oco", OCO)
    trade(world, "39000")
    events = [frame["event"] for frame in wire.taken()]
    lists = [event for event in events if event["e"] == "listStatus"]
    assert [(event["l"], event["c"], event["g"]) for event in lists] == [("EXEC_STARTED", "OCO", made["orderListId"])]
    told = [(event["c"], event["x"], event["X"], event["g"]) for event in events if event["e"] == "executionReport"]
    assert told == [
        ("up", "NEW", "NEW", 1),
        ("down", "NEW", "NEW", 1),
        ("up", "EXPIRED", "EXPIRED", 1),
        ("down", "NEW", "NEW", 1),
    ]
    world.sent("DELETE", LISTS, "symbol=BTCUSDT&orderListId=1")
    events = [frame["event"] for frame in wire.taken()]
    assert [event["l"] for event in events if event["e"] == "listStatus"] == ["ALL_DONE"]


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"abovePrice": "38000"}, -2010, "The relationship of the prices"),
        ({"abovePrice": ""}, -1102, "'abovePrice'"),
        ({"belowType": "TAKE_PROFIT_LIMIT"}, -2010, "The relationship of the prices"),
        ({"belowType": "LIMIT_MAKER", "belowStopPrice": "", "belowTimeInForce": ""}, -1116, "Invalid orderType."),
        ({"quantity": "1000"}, -2010, "Account has insufficient balance"),
        ({"abovePrice": "39500"}, -2010, "Order would immediately match and take."),
        ({"abovePrice": "39500", "belowStopPrice": "39400.001"}, -1013, "PRICE_FILTER"),
        ({"listClientOrderId": "it is"}, -1100, "listClientOrderId"),
    ],
)
def test_bad_lists_leave_nothing(world: World, change: dict[str, str], code: int, text: str) -> None:
    world.limit("BUY", "39600", "1", name="other")
    values: dict[str, str] = {**dict(part.split("=") for part in OCO.split("&")), **change}
    answer = world.sent("POST", f"{LISTS}/oco", "&".join(f"{key}={value}" for key, value in values.items()), status=400)
    assert (answer["code"], text in answer["msg"]) == (code, True), answer
    assert world.sent("GET", "/api/v3/openOrders") == []
    assert world.sent("GET", "/api/v3/openOrderList") == []
    assert {row["count"] for row in world.sent("GET", "/api/v3/rateLimit/order")} == {0}


def test_a_list_counts_as_many_orders_as_it_has(world: World) -> None:
    world.sent("POST", f"{LISTS}/oco", OCO)
    assert {row["count"] for row in world.sent("GET", "/api/v3/rateLimit/order")} == {2}


@pytest.mark.parametrize(
    ("side", "kind", "prices", "wanted"),
    [
        ("SELL", "STOP_LOSS", ["40400", "40010"], "NEW"),
        ("SELL", "STOP_LOSS", ["40400", "39996"], "FILLED"),
        ("BUY", "STOP_LOSS", ["39600", "39990"], "NEW"),
        ("BUY", "STOP_LOSS", ["39600", "39996"], "FILLED"),
        ("SELL", "TAKE_PROFIT", ["39600", "39996"], "FILLED"),
    ],
)
def test_a_stop_trails_the_best_price_since_it_waits(
    world: World, side: str, kind: str, prices: list[str], wanted: str
) -> None:
    world.limit("BUY", "30000", "5", name="other")
    world.limit("SELL", "50000", "5", name="other")
    trade(world, "40000")
    placed: Any = world.sent(
        "POST",
        "/api/v3/order",
        f"symbol=BTCUSDT&side={side}&type={kind}&quantity=0.01&trailingDelta=100&newOrderRespType=RESULT",
    )
    assert (placed["status"], placed["trailingDelta"], placed["orderListId"]) == ("NEW", 100, -1)
    for price in prices:
        trade(world, price)
    asked = world.sent("GET", "/api/v3/order", f"symbol=BTCUSDT&orderId={placed['orderId']}")
    assert asked["status"] == wanted
    if wanted == "NEW":
        canceled = world.sent("DELETE", "/api/v3/order", f"symbol=BTCUSDT&orderId={placed['orderId']}")
        assert (canceled["status"], canceled["type"]) == ("CANCELED", kind)
        assert world.sent("GET", "/api/v3/openOrders") == []


def test_how_far_a_stop_trails_is_bounded(world: World) -> None:
    text = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&trailingDelta=5"
    answer = world.sent("POST", "/api/v3/order", text, status=400)
    assert answer == {"code": -1013, "msg": "Filter failure: TRAILING_DELTA"}
